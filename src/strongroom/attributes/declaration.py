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
from strongroom.model.attribute_types import AttributeType, declare_type
from strongroom.registry import ItemType, LinkType, ObjectType, Operation, Tag, Version
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

Condition = Callable[[ManagedObject, datetime], None]
"""Return when the object allows the change at that time; raises the KmipError that says when it would."""

Computed = Callable[[ManagedObject, datetime], Any]
"""Make the value of an attribute at that time from the rest of the object; None when it has none."""


class Index(Enum):
    """How Locate finds objects by the attribute."""

    TERMS = "terms"
    """Rows in the term index: equality, ranges for dates, the fields of structures."""
    COLUMN = "column"
    """A column of the object: Object Type, State, Cryptographic Usage Mask, Unique Identifier."""
    EXAMINED = "examined"
    """Too volatile, too common or too big to index: candidates that meet the other filters are looked at."""


ALL_OBJECTS: Final = frozenset(ObjectType)
NOT_TEMPLATES: Final = ALL_OBJECTS - {ObjectType.TEMPLATE}
"""All Objects of 2.x, where 1.x keeps the attribute from Templates."""
CERTIFICATES: Final = frozenset({ObjectType.CERTIFICATE})
SPLIT_KEYS: Final = frozenset({ObjectType.SPLIT_KEY})
CREDENTIALS: Final = frozenset(
    {
        ObjectType.PASSWORD_CREDENTIAL,
        ObjectType.DEVICE_CREDENTIAL,
        ObjectType.ONE_TIME_PASSWORD_CREDENTIAL,
        ObjectType.HASHED_PASSWORD_CREDENTIAL,
    }
)
CRYPTOGRAPHIC_OBJECTS: Final = frozenset(
    {
        ObjectType.CERTIFICATE,
        ObjectType.CERTIFICATE_REQUEST,
        ObjectType.SYMMETRIC_KEY,
        ObjectType.PUBLIC_KEY,
        ObjectType.PRIVATE_KEY,
        ObjectType.SPLIT_KEY,
        ObjectType.SECRET_DATA,
        ObjectType.OPAQUE_OBJECT,
        ObjectType.PGP_KEY,
    }
)

GENERATION: Final = frozenset(
    {
        Operation.CREATE,
        Operation.CREATE_KEY_PAIR,
        Operation.DERIVE_KEY,
        Operation.RE_KEY,
        Operation.RE_KEY_KEY_PAIR,
    }
)
"""The operations in which the server makes a key."""
CERTIFICATION: Final = frozenset({Operation.REGISTER, Operation.CERTIFY, Operation.RE_CERTIFY})
CREATION: Final = GENERATION | CERTIFICATION
"""Every operation of 1.x and 2.x that makes an object, by the rule tables."""


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
    requestable: bool
    modifiable_while: Condition | None
    deletable_while: Condition | None
    computed: Computed | None
    check: Callable[[Any], None] | None
    completed: Callable[[Any], Any] | None
    view: LinkType | None
    index: Index
    common: Any
    indexed_by: str | None


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
    requestable: bool = False,
    marker: ItemType | None = None,
    modifiable_while: Condition | None = None,
    deletable_while: Condition | None = None,
    computed: Computed | None = None,
    check: Callable[[Any], None] | None = None,
    completed: Callable[[Any], Any] | None = None,
    view: LinkType | None = None,
    index: Index = Index.TERMS,
    common: Any = None,
    indexed_by: str | None = None,
) -> Attribute:
    """Declare an attribute.

    `kind` is the Python type of one value: a Struct, an enumeration or mask, or what `model.forms.form_of`
    knows, with `marker` where the type alone does not tell the item type (integers). `until` None: still
    defined.

    `requestable`: only the server sets it, but the request that makes an object may say what it is to be (or,
    in Register, what it is). What is `computed` is never stored. `check` raises the KmipError that says what
    is wrong with a client's value, and `completed` fills in what a client leaves to the server. The
    conditions narrow `client_may`. `view`: the attribute is the Link of this type, and nothing is kept under
    its own tag. `common` is the value that most objects have; it is not worth a row in the index.
    `indexed_by` is the one field of a structure that has a row; None: every field has, and the whole.

    Raises TypeError for a tag that is declared already.
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
        requestable=requestable,
        modifiable_while=modifiable_while,
        deletable_while=deletable_while,
        computed=computed,
        check=check,
        completed=completed,
        view=view,
        index=index,
        common=common,
        indexed_by=indexed_by,
    )
    declare_type(AttributeType(tag=tag, name=made.name, kind=kind, marker=marker, since=since, until=until))
    _DECLARED[tag] = made
    return made
