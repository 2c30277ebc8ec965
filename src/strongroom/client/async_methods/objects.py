"""Finding objects and getting them out."""

from collections.abc import Iterable

from strongroom.client.async_methods.core import AsyncCore
from strongroom.client.attributes import template
from strongroom.client.errors import AmbiguousName, ObjectNotFound
from strongroom.client.material import bytes_of, wrapped_as_asked, wrapping
from strongroom.model.attribute_list import AttributeInstance, Attributes, TemplateAttributes
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import ManagedObjectStruct
from strongroom.model.secret import SecretBytes
from strongroom.model.wrapping import KeyWrappingSpecification
from strongroom.operations.export import ExportRequest, ExportResponse
from strongroom.operations.get import GetRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.locate import LocateRequest
from strongroom.registry import (
    V1_3,
    V2_0,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    ObjectType,
    Operation,
    ResultReason,
    ResultStatus,
    State,
    StorageStatusMask,
    Tag,
)

_NAMESAKES = 100  # told at most of an ambiguous name


class AsyncObjects(AsyncCore):
    """Finding objects and getting them out."""

    async def get(
        self,
        unique_identifier: str,
        *,
        key_format_type: KeyFormatType | None = None,
        wrapping_key: str | None = None,
        key_wrapping_specification: KeyWrappingSpecification | None = None,
    ) -> ManagedObjectStruct:
        """Return an object; None for the format means the one that it was registered in.

        `wrapping_key` is the identifier of a key to wrap it with, by AES Key Wrap; another way is said in a
        `key_wrapping_specification`.
        """
        asked = wrapping(wrapping_key, key_wrapping_specification)
        request = GetRequest(
            unique_identifier=UniqueIdentifier(unique_identifier),
            key_format_type=key_format_type,
            key_wrapping_specification=asked,
        )
        return wrapped_as_asked((await self.call(request)).managed_object, asked)

    async def get_material(
        self,
        unique_identifier: str,
        *,
        key_format_type: KeyFormatType | None = None,
        wrapping_key: str | None = None,
        key_wrapping_specification: KeyWrappingSpecification | None = None,
    ) -> SecretBytes:
        """Return the bytes of a key, secret, certificate or opaque object; wrapping as in `get`."""
        found = await self.get(
            unique_identifier,
            key_format_type=key_format_type,
            wrapping_key=wrapping_key,
            key_wrapping_specification=key_wrapping_specification,
        )
        return bytes_of(found)

    async def export(
        self,
        unique_identifier: str,
        *,
        key_format_type: KeyFormatType | None = None,
        wrapping_key: str | None = None,
        key_wrapping_specification: KeyWrappingSpecification | None = None,
    ) -> ExportResponse:
        """Return an object with all its attributes, for `import_` (KMIP 1.4); wrapping as in `get`."""
        asked = wrapping(wrapping_key, key_wrapping_specification)
        request = ExportRequest(
            unique_identifier=UniqueIdentifier(unique_identifier),
            key_format_type=key_format_type,
            key_wrapping_specification=asked,
        )
        exported = await self.call(request)
        if exported.managed_object is not None:  # of what was destroyed, only attributes are left
            wrapped_as_asked(exported.managed_object, asked)
        return exported

    async def import_(
        self,
        exported: ExportResponse,
        *,
        unique_identifier: str | None = None,
        replace_existing: bool | None = None,
    ) -> UniqueIdentifier:
        """Give the server an object that was exported, under its identifier or another (KMIP 1.4)."""
        kept = tuple(a for a in exported.attributes.attributes if a.key is not Tag.UNIQUE_IDENTIFIER)
        request = ImportRequest(
            unique_identifier=UniqueIdentifier(unique_identifier or exported.unique_identifier),
            object_type=exported.object_type if await self.negotiate() >= V2_0 else None,
            replace_existing=replace_existing,
            attributes=TemplateAttributes(attributes=Attributes(kept)),
            managed_object=exported.managed_object,
        )
        return (await self.call(request)).unique_identifier

    async def locate(
        self,
        *,
        name: str | None = None,
        object_type: ObjectType | None = None,
        state: State | None = None,
        cryptographic_algorithm: CryptographicAlgorithm | None = None,
        cryptographic_length: int | None = None,
        cryptographic_usage_mask: CryptographicUsageMask | None = None,
        object_group: str | None = None,
        attributes: Iterable[AttributeInstance] = (),
        storage_status_mask: StorageStatusMask | None = None,
        maximum_items: int | None = None,
        offset_items: int | None = None,
    ) -> list[UniqueIdentifier]:
        """Return the objects that meet every condition; without any, all objects.

        A date attribute given twice is a range. Without `maximum_items` the server is asked until it has told
        all of them; before KMIP 1.3 it may keep some back. Of more than one answer, some may be left out when
        objects are destroyed meanwhile.
        """
        given = template(
            attributes,
            name=name,
            object_type=object_type,
            state=state,
            cryptographic_algorithm=cryptographic_algorithm,
            cryptographic_length=cryptographic_length,
            cryptographic_usage_mask=cryptographic_usage_mask,
            object_group=object_group,
        )
        request = LocateRequest(
            maximum_items=maximum_items,
            offset_items=offset_items,
            storage_status_mask=storage_status_mask,
            attributes=given,
        )
        page = await self.call(request)
        found = dict.fromkeys(page.unique_identifier)
        if maximum_items is None and await self.negotiate() >= V1_3:
            start, before = offset_items or 0, 0
            # A page without anything new ends it, whatever the server says there still is.
            while before < len(found) and not _all_told(start + len(found), page.located_items):
                before = len(found)
                page = await self.call(request.replace(offset_items=start + before))
                found |= dict.fromkeys(page.unique_identifier)
        return list(found)

    async def find(self, name: str) -> UniqueIdentifier:
        """Return the one object with this name; raises ObjectNotFound and AmbiguousName."""
        found = await self.locate(name=name, maximum_items=_NAMESAKES)
        if not found:
            raise ObjectNotFound(
                f"no object is named {name!r}",
                operation=Operation.LOCATE,
                status=ResultStatus.OPERATION_FAILED,
                reason=ResultReason.OBJECT_NOT_FOUND,
            )
        if len(found) > 1:
            raise AmbiguousName(name, found)
        return found[0]


def _all_told(told: int, located_items: int | None) -> bool:
    return located_items is not None and told >= located_items
