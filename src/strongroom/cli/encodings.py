"""Bytes that are no key, as text or as they are: signatures, MACs, hashes, random bytes.

Rule: hexadecimal unless told, so that a person can read it and a script compare it.
"""

import base64
import binascii
from enum import Enum
from typing import Annotated

import typer

from strongroom.cli.exit import Stop


class Form(Enum):
    """How bytes are written."""

    HEX = "hex"
    BASE64 = "base64"
    RAW = "raw"


FormOption = Annotated[Form, typer.Option("--format", help="How the bytes are written.")]


def written(data: bytes, form: Form) -> bytes:
    """Return what goes to a file or to stdout; text is a line."""
    match form:
        case Form.HEX:
            return data.hex().encode() + b"\n"
        case Form.BASE64:
            return base64.b64encode(data) + b"\n"
        case Form.RAW:
            return data


def understood(text: bytes, form: Form) -> bytes:
    """Return the bytes again; raises Stop."""
    try:
        match form:
            case Form.HEX:
                return bytes.fromhex(text.decode("ascii"))
            case Form.BASE64:
                return base64.b64decode(b"".join(text.split()), validate=True)
            case Form.RAW:
                return text
    except (ValueError, binascii.Error):
        raise Stop(f"the file is not {form.value}; say what it is with --format") from None
