"""Links that lead in a circle (Circular Link Error, 3.0).

Rule: parents, children and groups are hierarchies, in which nothing is above itself. The other links may come
back: a certificate that signs itself, pairs of keys.
"""

from collections.abc import Iterator
from typing import Final

from strongroom.domain.attribute_errors import CircularLink
from strongroom.domain.context import Context
from strongroom.domain.errors import ObjectNotFound, PermissionDenied
from strongroom.domain.objects import ManagedObject
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import ObjectReference
from strongroom.registry import LinkType, Tag

_HIERARCHIES: Final = frozenset({LinkType.PARENT_LINK, LinkType.CHILD_LINK})

_MOST: Final = 100
"""Objects that are looked at; a hierarchy with more is taken on trust."""


async def require_no_circle(ctx: Context, obj: ManagedObject, added: AttributeInstance) -> None:
    """Return unless a link that an object was just given leads back to it; raises CircularLink.

    What the caller may not see ends the search: nothing is told of it.
    """
    kind = added.value.link_type if added.key is Tag.LINK else None
    if kind not in _HIERARCHIES and added.key is not Tag.GROUP_LINK:
        return
    ahead, seen = list(_targets(obj, kind)), set[str]()
    while ahead and len(seen) < _MOST:
        try:
            target = await ctx.objects.get(ahead.pop(), archived=True, destroyed=True)
        except (ObjectNotFound, PermissionDenied):
            continue
        if target.unique_identifier == obj.unique_identifier:
            raise CircularLink("the link leads back to the object itself")
        if target.unique_identifier not in seen:
            seen.add(target.unique_identifier)
            ahead += _targets(target, kind)


def _targets(obj: ManagedObject, kind: LinkType | None) -> Iterator[ObjectReference]:
    """Yield where the links of one kind lead; None: to groups."""
    if kind is None:
        yield from obj.values(Tag.GROUP_LINK)
        return
    for link in obj.values(Tag.LINK):
        if link.link_type is kind:
            yield link.linked_object_identifier
