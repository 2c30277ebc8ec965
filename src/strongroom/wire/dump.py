"""A message for people: an indented tree, with secrets blanked.

Rule: bytes are shown only under a tag that is known never to carry a secret; of all others only the length
is. So what is forgotten here, and what a vendor adds, stays hidden. Text and small numbers are shown, except
under the tags named below, and text under a vendor's tag.
"""

from collections.abc import Iterator
from typing import Any, Final

from strongroom.registry import Tag
from strongroom.registry.names import TAGS
from strongroom.wire.item import (
    BIG_INTEGER,
    BOOLEAN,
    BYTE_STRING,
    DATE_TIME,
    DATE_TIME_EXTENDED,
    ENUMERATION,
    IDENTIFIER,
    INTEGER,
    STRUCTURE,
    TEXT_STRING,
    Item,
)
from strongroom.wire.text import TYPE_NAMES, Siblings, enumeration_name, format_date, mask_names, tag_name

# Identifiers, certificates and what travels in clear beside a ciphertext. Digests, salts, signatures, MACs
# and hashed passwords are not here: each lets someone test guesses at what they were made from.
_PUBLIC_BYTES: Final = frozenset(
    {
        Tag.ASYNCHRONOUS_CORRELATION_VALUE,
        Tag.AUTHENTICATED_ENCRYPTION_TAG,
        Tag.CERTIFICATE_REQUEST,
        Tag.CERTIFICATE_REQUEST_VALUE,
        Tag.CERTIFICATE_SERIAL_NUMBER,
        Tag.CERTIFICATE_VALUE,
        Tag.CORRELATION_VALUE,
        Tag.ISSUER_ALTERNATIVE_NAME,
        Tag.ISSUER_DISTINGUISHED_NAME,
        Tag.IV_COUNTER_NONCE,
        Tag.SHORT_UNIQUE_IDENTIFIER,
        Tag.SUBJECT_ALTERNATIVE_NAME,
        Tag.SUBJECT_DISTINGUISHED_NAME,
        Tag.UNIQUE_BATCH_ITEM_ID,
    }
)

# Nothing in these is shown: the parts of a key (numbers, too), and what proves who someone is.
_SECRET: Final = frozenset(
    {
        Tag.HASHED_PASSWORD_CREDENTIAL,
        Tag.KEY_MATERIAL,
        Tag.ONE_TIME_PASSWORD,
        Tag.OTP_COUNTER,
        Tag.OTP_CREDENTIAL,
        Tag.OTP_SEED,
        Tag.OTP_SERIAL,
        Tag.PASSWORD,
        Tag.TICKET,
    }
)

_SHOWN_BYTES: Final = 32
_SHOWN_CHARACTERS: Final = 200


def dump(item: Item) -> str:
    """Return one line an item: name, type and value."""
    return "\n".join(_lines(item, Siblings(), "", secret=False, in_key=False))


def _lines(item: Item, siblings: Siblings, indent: str, *, secret: bool, in_key: bool) -> Iterator[str]:
    tag, kind, value = item
    table = siblings.table(tag, kind)
    siblings.see(tag, value)
    secret = secret or tag in _SECRET
    if kind == STRUCTURE:
        yield f"{indent}{tag_name(tag)}"
        # Wrapped keys, IVs and MACs of a key stand in its Key Block under tags that are harmless elsewhere.
        in_key = in_key or tag == Tag.KEY_BLOCK
        inner = Siblings()
        for child in value:
            yield from _lines(child, inner, indent + "  ", secret=secret, in_key=in_key)
        return
    if secret or _is_opaque(tag, kind, in_key=in_key):
        shown = _blank(kind, value)
    else:
        shown = _show(kind, value, table)
    yield f"{indent}{tag_name(tag)} ({TYPE_NAMES[kind]}): {shown}"


def _is_opaque(tag: int, kind: int, *, in_key: bool) -> bool:
    if kind == BYTE_STRING:
        return in_key or tag not in _PUBLIC_BYTES
    if kind == BIG_INTEGER:
        return True  # KMIP has them in keys only
    return tag not in TAGS and (kind == TEXT_STRING or kind >= IDENTIFIER)


def _blank(kind: int, value: Any) -> str:
    if kind == BYTE_STRING:
        return f"{len(value)} bytes, not shown"
    return "not shown"  # not even the length: it says something about a password


def _show(kind: int, value: Any, table: str | None) -> str:
    if kind == BYTE_STRING:
        more = f"... ({len(value)} bytes)" if len(value) > _SHOWN_BYTES else ""
        return f"{value[:_SHOWN_BYTES].hex()}{more}"
    if kind == TEXT_STRING or kind >= IDENTIFIER:
        more = f"... ({len(value)} characters)" if len(value) > _SHOWN_CHARACTERS else ""
        return (
            f"{value[:_SHOWN_CHARACTERS]!r}{more}"  # repr, since text may hold what moves a terminal's cursor
        )
    if kind == ENUMERATION:
        return enumeration_name(value, table, None) or f"0x{value:08X}"
    if kind == INTEGER and table is not None:
        return " ".join(mask_names(value, table, None)) or "0"
    if kind == BOOLEAN:
        return "true" if value else "false"
    if kind in {DATE_TIME, DATE_TIME_EXTENDED}:
        return format_date(value, kind)
    return str(int(value))
