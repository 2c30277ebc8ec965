"""A small language to write down what a product sends and what it checks.

Rule: built on the wire encoding and the registry alone, never on the model, so that it is a second
opinion. Messages are lists of (name, value) with the specification's names:

    mysql = Product(endpoint, version="1.1")
    key = mysql.ok("Create", ("ObjectType", "SymmetricKey"), template(attribute("Cryptographic Length", 256)))
    assert key.names() == ["ObjectType", "UniqueIdentifier"]

Every answer is checked for what all strict clients rely on: see `check_answer`.
"""

import itertools
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeAlias

from strongroom.registry import Version
from strongroom.registry.names import (
    TAG_BY_NAME,
    TAG_BY_SPEC_NAME,
    TAGS,
    VALUES,
    TagEntry,
    defined_tags,
    defined_values,
    value_by_name,
)
from strongroom.registry.versions import parse_version
from strongroom.wire import binary, item
from strongroom.wire.item import Item
from tests.interop.endpoint import Endpoint, RawConnection

Field: TypeAlias = tuple[str, Any]

EXTENSION = 0x80000000
"""Enumeration values from here on belong to vendors; every version lets them pass."""

HEADER_ORDER = (
    "ProtocolVersion",
    "MaximumResponseSize",
    "AsynchronousIndicator",
    "Authentication",
    "BatchErrorContinuationOption",
    "BatchOrderOption",
    "TimeStamp",
    "BatchCount",
)


@dataclass(frozen=True)
class Typed:
    """A value of an item type that neither its tag nor its Python type tells, as in x- attributes."""

    type: int
    value: Any


class Fields(list[Field]):
    """The fields of one structure of an answer, in the order in which they came."""

    def names(self) -> list[str]:
        return [name for name, _ in self]

    def all(self, name: str) -> list[Any]:
        return [value for found, value in self if found == name]

    def one(self, name: str) -> Any:
        """Return the value of the only field of this name."""
        values = self.all(name)
        assert len(values) == 1, f"{name} {len(values)} times in {self.names()}"
        return values[0]

    def path(self, *names: str) -> Any:
        """Return what stands at the end of a path of names, each there once."""
        value: Any = self
        for name in names:
            value = value.one(name)
        return value

    def attributes(self) -> dict[str, Any]:
        """Return the 1.x attributes by name; of several with one name, the first."""
        found: dict[str, Any] = {}
        for each in self.all("Attribute"):
            found.setdefault(each.one("AttributeName"), each.one("AttributeValue"))
        return found


@dataclass(frozen=True)
class Answer:
    """One batch item of a response; `reason` and `message` are None on success."""

    status: str
    reason: str | None
    message: str | None
    payload: Fields

    def fields(self) -> Fields:
        """Return the payload of an operation that succeeded."""
        assert self.status == "Success", f"{self.reason}: {self.message}"
        return self.payload


@dataclass(frozen=True)
class Ask:
    """One batch item of a request."""

    operation: str
    fields: tuple[Field, ...]


def ask(operation: str, *fields: Field) -> Ask:
    return Ask(operation, fields)


@dataclass
class Product:
    """The habits of one product: version, header fields, size of batch item ids, connections.

    `batch_id_size` 0 means that a batch of one carries no Unique Batch Item ID. `connection` is one to
    go on with; without it, the first request opens one.
    """

    endpoint: Endpoint
    version: str
    header: Sequence[Field] = ()
    batch_id_size: int = 0
    connection_per_request: bool = False
    connection: RawConnection | None = field(default=None, repr=False)
    _serial: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1), repr=False)

    def __enter__(self) -> "Product":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self.connection is not None:
            self.connection.stream.close()
            self.connection = None

    def ok(self, operation: str, *fields: Field, version: str | None = None) -> Fields:
        """Send one operation and return the payload of its success."""
        return self.try_(operation, *fields, version=version).fields()

    def try_(self, operation: str, *fields: Field, version: str | None = None) -> Answer:
        """Send one operation and return what came of it."""
        return self.batch(ask(operation, *fields), version=version)[0]

    def batch(self, *asked: Ask, version: str | None = None, header: Sequence[Field] = ()) -> list[Answer]:
        """Send several operations in one message; return an answer for each."""
        spoken = parse_version(version or self.version)
        identifiers = [self._batch_id(len(asked)) for _ in asked]
        message = request(spoken, [*self.header, *header], asked, identifiers)
        tree = binary.decode(self._exchange(binary.encode(message)))
        return check_answer(tree, spoken, asked, identifiers)

    def _batch_id(self, count: int) -> bytes | None:
        if not self.batch_id_size and count == 1:
            return None
        size = self.batch_id_size or 4
        return next(self._serial).to_bytes(size, "big")

    def _exchange(self, message: bytes) -> bytes:
        if self.connection_per_request:
            with self.endpoint.connect() as connection:
                return connection.exchange(message)
        if self.connection is None:
            self.connection = self.endpoint.connect()
        return self.connection.exchange(message)


# What is sent.


def attribute(name: str, value: Any, *, index: int | None = None) -> Field:
    """Return a 1.x Attribute."""
    position = [] if index is None else [("AttributeIndex", index)]
    return ("Attribute", [("AttributeName", name), *position, ("AttributeValue", value)])


def attribute_reference(name: str) -> Typed:
    """Return the value of a 2.x Attribute Reference to an attribute of the specification: its tag."""
    return Typed(item.ENUMERATION, TAG_BY_NAME[name])


def template(*attributes: Field) -> Field:
    return ("TemplateAttribute", list(attributes))


def name(text: str, *, kind: str = "UninterpretedTextString") -> list[Field]:
    """Return the value of a Name attribute."""
    return [("NameValue", text), ("NameType", kind)]


def key_block(format_type: str, material: bytes, *rest: Field) -> Field:
    """Return a Key Block; `rest` is algorithm and length where the object has them."""
    return (
        "KeyBlock",
        [("KeyFormatType", format_type), ("KeyValue", [("KeyMaterial", material)]), *rest],
    )


def symmetric_key(material: bytes, *, algorithm: str = "AES") -> Field:
    """Return a Symmetric Key in the format Raw."""
    rest = [("CryptographicAlgorithm", algorithm), ("CryptographicLength", len(material) * 8)]
    return ("SymmetricKey", [key_block("Raw", material, *rest)])


def secret_data(kind: str, material: bytes) -> Field:
    """Return Secret Data in the format Opaque, without algorithm and length."""
    return ("SecretData", [("SecretDataType", kind), key_block("Opaque", material)])


def credential(user: str, password: str) -> Field:
    """Return the header field with a user name and password."""
    value = [("Username", user), ("Password", password)]
    return (
        "Authentication",
        [("Credential", [("CredentialType", "UsernameAndPassword"), ("CredentialValue", value)])],
    )


def timestamp() -> Field:
    return ("TimeStamp", int(time.time()))


def request(
    version: Version, header: Iterable[Field], asked: Sequence[Ask], identifiers: Sequence[bytes | None]
) -> Item:
    """Return a whole request message; the header fields are put in the specification's order."""
    spoken = [("ProtocolVersionMajor", version.major), ("ProtocolVersionMinor", version.minor)]
    fields = [("ProtocolVersion", spoken), *header, ("BatchCount", len(asked))]
    fields.sort(key=lambda each: HEADER_ORDER.index(each[0]))
    items = []
    for each, identifier in zip(asked, identifiers, strict=True):
        given = [] if identifier is None else [("UniqueBatchItemID", identifier)]
        content = [("Operation", each.operation), *given, ("RequestPayload", list(each.fields))]
        items.append(("BatchItem", content))
    return to_item(("RequestMessage", [("RequestHeader", fields), *items]), None)


def to_item(sent: Field, attribute_name: str | None) -> Item:
    """Return the Item of one field; `attribute_name` gives an Attribute Value its type."""
    title, value = sent
    tag = TAG_BY_NAME[title]
    if isinstance(value, list):
        named = next((text for found, text in value if found == "AttributeName"), None)
        return (tag, item.STRUCTURE, [to_item(child, named) for child in value])
    return (tag, *typed(entry_of(tag, attribute_name), value))


def typed(entry: TagEntry, value: Any) -> tuple[int, Any]:
    """Return item type and value, as the registry gives the tag its type."""
    match value:
        case Typed(kind, inner):
            return kind, inner
        case bool():
            return item.BOOLEAN, value
        case bytes():
            return item.BYTE_STRING, value
        case str() if entry.item_types and item.TEXT_STRING not in entry.item_types:
            return item.ENUMERATION, value_by_name(entry.enumeration or entry.name)[value]
        case str():
            return item.TEXT_STRING, value
        case int():
            return next(iter(entry.item_types), item.INTEGER), value
    raise TypeError(f"{entry.name}: {type(value).__name__}")


def entry_of(tag: int, attribute_name: str | None) -> TagEntry:
    """Return what the registry says of a tag, of an Attribute Value by the attribute that it is of."""
    if attribute_name is not None and tag == TAG_BY_NAME["AttributeValue"]:
        tag = TAG_BY_SPEC_NAME.get(attribute_name, tag)
    return TAGS[tag]


# What comes back.


def check_answer(
    tree: Item, version: Version, asked: Sequence[Ask], identifiers: Sequence[bytes | None]
) -> list[Answer]:
    """Return the answers, after checking what no product forgives.

    The answer speaks the request's version and contains nothing that this version does not define:
    tags, item types and enumeration values. Operation and Unique Batch Item ID are echoed in every
    batch item, failures included, and a failure has a reason and a message. Only a failure may be the
    last item of a batch that asked for more.
    """
    tag, _, children = tree
    assert TAGS[tag].name == "ResponseMessage"
    check_defined(tree, version, None)
    head, *items = from_items(children, None)
    assert head[0] == "ResponseHeader"
    assert head[1].one("ProtocolVersion") == [
        ("ProtocolVersionMajor", version.major),
        ("ProtocolVersionMinor", version.minor),
    ]
    assert head[1].one("BatchCount") == len(items) <= len(asked)
    assert abs(head[1].one("TimeStamp") - time.time()) < 60
    answers = []
    for (kind, content), sent, identifier in zip(items, asked, identifiers, strict=False):
        assert kind == "BatchItem"
        assert content.one("Operation") == sent.operation
        assert content.all("UniqueBatchItemID") == ([] if identifier is None else [identifier])
        status = content.one("ResultStatus")
        reason, message, payload = (
            next(iter(content.all(title)), None)
            for title in ("ResultReason", "ResultMessage", "ResponsePayload")
        )
        if status == "Success":
            assert reason is None
        else:
            assert reason is not None
            assert message
        answers.append(Answer(status, reason, message, payload if payload is not None else Fields()))
    assert len(answers) == len(asked) or answers[-1].status != "Success"
    return answers


def check_defined(tree: Item, version: Version, attribute_name: str | None) -> None:
    """Raise AssertionError if `version` does not define the tag, its item type or its value."""
    tag, kind, value = tree
    assert tag in defined_tags(version), f"{version} does not define {tag:06x} {TAGS[tag].name}"
    entry = entry_of(tag, attribute_name)
    assert not entry.item_types or kind in entry.item_types, f"{entry.name} has item type {kind}"
    if kind == item.STRUCTURE:
        named = next((text for child, _, text in value if TAGS[child].name == "AttributeName"), None)
        if named is not None and not named.startswith(("x-", "y-")):
            standard = TAG_BY_SPEC_NAME[named]
            assert standard in defined_tags(version), f"{version} does not define the attribute {named}"
        for child in value:
            check_defined(child, version, named)
    elif kind == item.ENUMERATION and entry.enumeration is not None and value < EXTENSION:
        table = entry.enumeration
        text = VALUES[table][value].name if value in VALUES[table] else hex(value)
        assert value in defined_values(table, version), f"{version} does not define {entry.name} {text}"


def from_items(items: Iterable[Item], attribute_name: str | None) -> Fields:
    """Return Items as fields, enumerations by name."""
    fields = Fields()
    for tag, kind, value in items:
        entry = entry_of(tag, attribute_name)
        if kind == item.STRUCTURE:
            named = next((text for child, _, text in value if TAGS[child].name == "AttributeName"), None)
            value = from_items(value, named)
        elif kind == item.ENUMERATION and entry.enumeration is not None and value < EXTENSION:
            value = VALUES[entry.enumeration][value].name
        fields.append((TAGS[tag].name, value))
    return fields
