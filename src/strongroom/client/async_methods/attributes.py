"""Attributes of objects."""

from strongroom.client.async_methods.core import AsyncCore
from strongroom.client.attributes import AttributeLike, key_of
from strongroom.model.attribute_list import AttributeInstance, AttributeKey, Attributes
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.delete_attribute import DeleteAttributeRequest
from strongroom.operations.get_attribute_list import GetAttributeListRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.modify_attribute import ModifyAttributeRequest
from strongroom.operations.set_attribute import SetAttributeRequest
from strongroom.registry import V2_0


class AsyncAttributeMethods(AsyncCore):
    """Attributes of objects."""

    async def get_attributes(self, unique_identifier: str, *names: AttributeLike) -> Attributes:
        """Return the attributes with these names, or all; what the object does not have is left out."""
        request = GetAttributesRequest(
            unique_identifier=UniqueIdentifier(unique_identifier),
            attribute_reference=tuple(key_of(name) for name in names),
        )
        return (await self.call(request)).attributes.attributes

    async def get_attribute_list(self, unique_identifier: str) -> list[AttributeKey]:
        """Return which attributes an object has."""
        request = GetAttributeListRequest(unique_identifier=UniqueIdentifier(unique_identifier))
        return list((await self.call(request)).attribute_reference)

    async def add_attribute(self, unique_identifier: str, attribute: AttributeInstance) -> None:
        """Add an attribute, or one more value of it."""
        await self.call(
            AddAttributeRequest(
                unique_identifier=UniqueIdentifier(unique_identifier), new_attribute=attribute
            )
        )

    async def modify_attribute(
        self,
        unique_identifier: str,
        attribute: AttributeInstance,
        *,
        current: AttributeInstance | None = None,
    ) -> None:
        """Change the value of an attribute that is there.

        Where it has several, 1.x tells them by `attribute.index`, 2.x by `current`.
        """
        await self.call(
            ModifyAttributeRequest(
                unique_identifier=UniqueIdentifier(unique_identifier),
                current_attribute=current,
                new_attribute=attribute,
            )
        )

    async def set_attribute(self, unique_identifier: str, attribute: AttributeInstance) -> None:
        """Give an attribute its only value, whether it is there or not (KMIP 2.0 and later)."""
        await self.call(
            SetAttributeRequest(
                unique_identifier=UniqueIdentifier(unique_identifier), new_attribute=attribute
            )
        )

    async def delete_attribute(
        self,
        unique_identifier: str,
        name: AttributeLike,
        *,
        attribute_index: int | None = None,
        current: AttributeInstance | None = None,
    ) -> None:
        """Delete an attribute.

        Where it has several values, 1.x tells them by `attribute_index`, 2.x by `current`.
        """
        key = key_of(name) if current is None else None
        newer = await self.negotiate() >= V2_0
        await self.call(
            DeleteAttributeRequest(
                unique_identifier=UniqueIdentifier(unique_identifier),
                current_attribute=current,
                attribute_reference=key if newer else None,
                attribute_name=None if newer else key,
                attribute_index=attribute_index,
            )
        )
