"""How an attribute is declared.

Rule: the columns of the specification's rule table are the keywords of `attribute()`, and everything that the
server knows of an attribute comes from its declaration: both wire forms, the rules of Add, Set, Modify,
Adjust and Delete, Get Attributes, Locate and the documentation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, Flag, auto
from typing import Any, Final

from strongroom.domain.objects import ManagedObject
from strongroom.model.attribute_list import AttributeType, declare_type
from strongroom.registry import ItemType, ObjectType, Operation, Tag, Version
from strongroom.registry.names import TAGS


class Setter(Flag):
    """Who gives an attribute its first value."""

    SERVER = auto()
    CLIENT = auto()


SERVER: Final = Setter.SERVER
CLIENT: Final = Setter.CLIENT
EITHER: Final = Setter.SERVER | Setter.CLIENT


class May(Flag):
    """What a party may do to a value that is there. Adding one where there is none follows from `Setter`."""

    NOTHING = 0
    MODIFY = auto()
    DELETE = auto()


NOTHING: Final = May.NOTHING
MODIFY: Final = May.MODIFY
DELETE: Final = May.DELETE

Condition = Callable[[ManagedObject], str | None]
"""Return None when the object allows the change now, else a sentence that says when it would."""


class Index(Enum):
    """How Locate finds objects by the attribute."""

    TERMS = "terms"
    """Rows in the term index: equality, ranges for dates and numbers."""
    COLUMN = "column"
    """A column of the object: Object Type, State, Cryptographic Usage Mask, Unique Identifier."""
    EXAMINED = "examined"
    """Too big or too volatile to index: candidates that meet the rest of the query are looked at."""


ALL_OBJECTS: Final = frozenset(ObjectType)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute with its rules; `attribute()` says what the fields mean."""

    tag: Tag
    name: str
    kind: Any
    marker: ItemType | None
    since: Version
    until: Version | None
    spec: str
    always_has_value: bool
    initially_set_by: Setter
    multiple: bool
    server_may: May
    client_may: May
    applies_to: frozenset[ObjectType]
    implicitly_set_by: frozenset[Operation]
    modifiable_while: Condition | None
    deletable_while: Condition | None
    computed: Callable[[ManagedObject, datetime], Any] | None
    check: Callable[[Any], str | None] | None
    index: Index


_DECLARED: Final[dict[Tag, Attribute]] = {}


def declared() -> Mapping[Tag, Attribute]:
    """Return every attribute by tag, in the order of declaration, which is that of Get Attributes."""
    return _DECLARED


def attribute(
    tag: Tag,
    kind: Any,
    *,
    since: Version,
    until: Version | None = None,
    spec: str,
    always_has_value: bool,
    initially_set_by: Setter,
    multiple: bool,
    server_may: May,
    client_may: May,
    applies_to: frozenset[ObjectType] = ALL_OBJECTS,
    implicitly_set_by: frozenset[Operation] = frozenset(),
    marker: ItemType | None = None,
    modifiable_while: Condition | None = None,
    deletable_while: Condition | None = None,
    computed: Callable[[ManagedObject, datetime], Any] | None = None,
    check: Callable[[Any], str | None] | None = None,
    index: Index = Index.TERMS,
) -> Attribute:
    """Declare an attribute.

    `kind` is the Python type of one value: a Struct, an enumeration or mask, or what `model.forms.form_of`
    knows, with `marker` where the type alone does not tell the item type (integers). `until` None: still
    defined. `computed` makes the value from the object when it is asked for; such an attribute is never stored.
    `check` returns None for a good value, else a sentence that says what is wrong with it. The conditions
    narrow `client_may`. Raises TypeError for a tag that is declared already.
    """
    entry = TAGS[tag]
    made = Attribute(
        tag=tag,
        name=entry.spec_name,
        kind=kind,
        marker=marker,
        since=since,
        until=until,
        spec=spec,
        always_has_value=always_has_value,
        initially_set_by=initially_set_by,
        multiple=multiple,
        server_may=server_may,
        client_may=client_may,
        applies_to=applies_to,
        implicitly_set_by=implicitly_set_by,
        modifiable_while=modifiable_while,
        deletable_while=deletable_while,
        computed=computed,
        check=check,
        index=index,
    )
    declare_type(AttributeType(tag=tag, name=made.name, kind=kind, marker=marker, since=since, until=until))
    _DECLARED[tag] = made
    return made
