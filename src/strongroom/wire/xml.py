"""Items to and from XML (KMIP Additional Message Encodings 1.0 §6).

Rule: only elements, attributes, comments and white space, in UTF-8. A document type, and with it every
entity, and a processing instruction are refused where they begin; limits are checked while the parser runs.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final, NamedTuple
from xml.parsers import expat

from strongroom.registry import Version
from strongroom.registry.names import TAG_BY_NAME, defined_tags
from strongroom.wire.errors import DecodeError, EncodeError, MessageTooLarge, Path
from strongroom.wire.item import (
    BIG_INTEGER,
    BOOLEAN,
    BYTE_STRING,
    DATE_TIME,
    DATE_TIME_EXTENDED,
    ENUMERATION,
    IDENTIFIER,
    INTEGER,
    NAME_REFERENCE,
    REFERENCE,
    STRUCTURE,
    TEXT_STRING,
    Item,
)
from strongroom.wire.limits import DEFAULT_LIMITS, Limits
from strongroom.wire.text import (
    TYPE_NAMES,
    Siblings,
    big_integer_digits,
    checked_number,
    checked_text,
    format_date,
    format_enumeration,
    mask_names,
    parse_tag,
    parse_type,
    parse_value,
    tag_name,
)

NAMESPACE: Final = "urn:oasis:tc:kmip:xmlns"

_ANY_TAG: Final = "TTLV"  # the element for tags without a name
_NUMBERED: Final = re.compile("[xX]([0-9A-Fa-f]{6})")
_SHORT_NAME: Final = re.compile(r"\w{1,64}")
_TEXT_TYPES: Final = frozenset({TEXT_STRING, IDENTIFIER, REFERENCE, NAME_REFERENCE})
# INTEROP(gemalto/kmip-go 0.1): it writes no value where one is empty.
_MAYBE_EMPTY: Final = frozenset({TEXT_STRING, BYTE_STRING})
_NO_XML: Final = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_ESCAPES: Final = {
    ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;",
    # A parser reads these as spaces unless they are written as numbers.
    ord("\t"): "&#9;", ord("\n"): "&#10;", ord("\r"): "&#13;",
}  # fmt: skip

# Four are all that KMIP has; the parser would make objects of a million before anyone is asked.
_MOST_ATTRIBUTES: Final = 16
_CROWDED: Final = re.compile(
    rb"<[^<>!?/\"'][^<>\"']*+(?:(?:\"[^<\"]*+\"|'[^<']*+')[^<>\"']*+){%d}" % (_MOST_ATTRIBUTES + 1)
)

# A refusal stops the parser only at the end of what it was given, so it is given little at a time.
_PIECE: Final = 64 * 1024


class Message(NamedTuple):
    """One message of a test case file, not decoded yet."""

    notes: str  # the text before it, such as "# TIME 0"; empty where there is none
    data: bytes


def decode(
    data: bytes, limits: Limits = DEFAULT_LIMITS, *, substitute: Callable[[str], str] | None = None
) -> Item:
    """Return the one item that `data` holds; raises DecodeError, which names the place.

    `substitute` is given the text of each `value` attribute and returns what to read in its stead: test
    cases have variables there.
    """
    if len(data) > limits.message_size:
        raise MessageTooLarge(f"{len(data)} bytes, the limit is {limits.message_size}")
    crowded = _CROWDED.search(data)
    if crowded is not None:
        raise DecodeError(f"an element with more than {_MOST_ATTRIBUTES} attributes", at=crowded.start())
    reader = _Reader(limits, substitute)
    reader.parse(data)
    return reader.root[0]


def encode(item: Item, *, version: Version) -> bytes:
    """Return `item` as one element; what `version` does not define is written as a number.

    Raises EncodeError for a value that its type cannot hold, and for text that XML cannot.
    """
    parts: list[str] = []
    _write(item, Siblings(), version, parts)
    return "".join(parts).encode()


def messages(document: bytes) -> list[Message]:
    """Return the messages of an OASIS test case file, which are the children of its root, in order."""
    splitter = _Splitter(document)
    splitter.parse(document)
    return splitter.messages


class _Parser(ABC):
    """An expat parser that refuses what KMIP has no use for."""

    def __init__(self) -> None:
        parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.ProcessingInstructionHandler = self._refuse_instruction
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.text
        self._parser = parser

    @property
    def offset(self) -> int:
        """Where the markup begins that a handler was called for."""
        return self._parser.CurrentByteIndex

    def parse(self, data: bytes) -> None:
        if b"\0" in data:  # expat believes a byte order mark, or what looks like UTF-16, more than us
            raise DecodeError("the encoding is not UTF-8", at=data.index(b"\0"))
        try:
            for pos in range(0, len(data), _PIECE):
                self._parser.Parse(data[pos : pos + _PIECE], False)
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            reason = f"not well-formed XML: {expat.ErrorString(error.code)}"
            raise DecodeError(reason, path=self.path(), at=self._parser.ErrorByteIndex) from None

    def path(self) -> Path:
        """Return the path of the element that is being read."""
        return ()

    @abstractmethod
    def start(self, name: str, attributes: dict[str, str]) -> None: ...

    @abstractmethod
    def end(self, name: str) -> None: ...

    @abstractmethod
    def text(self, text: str) -> None: ...

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in {"utf-8", "us-ascii"}:
            raise DecodeError("the encoding is not UTF-8", at=self.offset)

    def _refuse_doctype(self, *_: object) -> None:
        raise DecodeError("a document type is not allowed", path=self.path(), at=self.offset)

    def _refuse_instruction(self, *_: object) -> None:
        raise DecodeError("a processing instruction is not allowed", path=self.path(), at=self.offset)


class _Reader(_Parser):
    """Builds the tree of one message."""

    def __init__(self, limits: Limits, substitute: Callable[[str], str] | None) -> None:
        super().__init__()
        self.root: list[Item] = []
        self._limits = limits
        self._substitute = substitute
        self._count = 0
        # Of each element that is open: its tag, its children (None: it holds a value), what they say.
        self._open: list[tuple[int, list[Item] | None, Siblings]] = [(0, self.root, Siblings())]

    def path(self) -> Path:
        steps = []
        for (_, beside, _), (tag, _, _) in pairwise(self._open):
            before = sum(1 for item in beside or () if item[0] == tag) - 1
            steps.append((tag_name(tag), before or None))
        return tuple(steps)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        _, children, siblings = self._open[-1]
        local = name.removeprefix(f"{NAMESPACE} ")
        try:
            if children is None:
                raise ValueError("an element inside a value")
            self._count += 1
            if self._count > self._limits.items:
                raise ValueError(f"more than {self._limits.items} items")
            tag, kind, value = self._item(local, attributes, siblings)
        except ValueError as error:
            tag = TAG_BY_NAME.get(local, 0)
            before = sum(1 for item in children or () if item[0] == tag)
            step = (local if _SHORT_NAME.fullmatch(local) else "?", before or None)
            raise DecodeError(str(error), path=(*self.path(), step), at=self.offset) from None
        siblings.see(tag, value)
        children.append((tag, kind, value))
        self._open.append((tag, value if kind == STRUCTURE else None, Siblings()))

    def end(self, name: str) -> None:
        self._open.pop()

    def text(self, text: str) -> None:
        if not text.isspace():
            raise DecodeError("text between elements", path=self.path(), at=self.offset)

    def _item(self, name: str, attributes: dict[str, str], siblings: Siblings) -> Item:
        value: str | None = None
        kind, named = STRUCTURE, name
        for key, text in attributes.items():
            if key == "value":
                value = text
            elif key == "type":
                kind = parse_type(text)
            elif key == "tag" and name == _ANY_TAG:
                named = text
            elif key != "name" and " " not in key:  # another namespace is another reader's
                raise ValueError("unknown XML attribute")
        numbered = _NUMBERED.fullmatch(named)
        tag = parse_tag(f"0x{numbered[1]}" if numbered and named is name else named)
        if kind == STRUCTURE:
            if value is not None:
                raise ValueError("a structure has no value")
            if len(self._open) > self._limits.depth:
                raise ValueError("structures are nested too deep")
            return tag, kind, []
        if value is None:
            if kind not in _MAYBE_EMPTY:
                raise ValueError("the value is missing")
            value = ""
        if self._substitute is not None:
            value = self._substitute(value)
        if kind not in _TEXT_TYPES:
            value = value.strip(" ")  # XML Schema collapses white space in all types but strings
        return tag, kind, parse_value(value, kind, siblings.table(tag, kind), None)


class _Splitter(_Parser):
    """Finds the messages of a test case file."""

    def __init__(self, document: bytes) -> None:
        super().__init__()
        self.messages: list[Message] = []
        self._document = document
        self._depth = 0
        self._begin = 0
        self._notes: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._depth == 0 and name != "KMIP":
            raise DecodeError("the root is not KMIP", at=self.offset)
        if self._depth == 1:
            if name not in {"RequestMessage", "ResponseMessage"}:
                raise DecodeError("neither a RequestMessage nor a ResponseMessage", at=self.offset)
            self._begin = self.offset
        self._depth += 1

    def end(self, name: str) -> None:
        self._depth -= 1
        if self._depth == 1:
            end = self.offset  # of an element without content this is where it ends
            if self._document.startswith(f"</{name}".encode(), end):
                end = self._document.index(b">", end) + 1
            notes = "".join(self._notes).strip()
            self._notes.clear()
            self.messages.append(Message(notes, self._document[self._begin : end]))

    def text(self, text: str) -> None:
        if self._depth == 1:
            self._notes.append(text)


def _write(item: Item, siblings: Siblings, version: Version, parts: list[str]) -> None:
    tag, kind, value = item
    table = siblings.table(tag, kind)
    siblings.see(tag, value)
    if tag in defined_tags(version):
        name = start = tag_name(tag)
    else:
        name, start = _ANY_TAG, f'{_ANY_TAG} tag="0x{tag:06X}"'
    if kind != STRUCTURE:
        try:
            text = _format(kind, value, table, version)
        except ValueError as error:
            raise EncodeError(str(error), path=((tag_name(tag), None),)) from None
        parts.append(f'<{start} type="{TYPE_NAMES[kind]}" value="{text}"/>')
    elif not value:
        parts.append(f"<{start}/>")
    else:
        inner = Siblings()
        parts.append(f"<{start}>")
        try:
            for child in value:
                _write(child, inner, version, parts)
        except EncodeError as error:
            error.path = ((tag_name(tag), None), *error.path)
            raise
        parts.append(f"</{name}>")


def _format(kind: int, value: Any, table: str | None, version: Version) -> str:
    if kind in _TEXT_TYPES:
        if _NO_XML.search(checked_text(value)):
            raise ValueError("XML cannot hold a character of this text")
        return str(value.translate(_ESCAPES))
    if kind == BYTE_STRING:
        return bytes(value).hex()
    checked_number(value, kind)
    if kind == ENUMERATION:
        return format_enumeration(value, table, version)
    if kind == INTEGER and table is not None:
        return " ".join(mask_names(value, table, version)) or "0"
    if kind == BOOLEAN:
        return "true" if value else "false"
    if kind == BIG_INTEGER:
        return big_integer_digits(value)
    if kind in {DATE_TIME, DATE_TIME_EXTENDED}:
        return format_date(value, kind)
    return str(int(value))
