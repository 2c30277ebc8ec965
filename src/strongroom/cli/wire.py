"""`strongroom wire`: messages as they travel.

Rule: reads files, talks to nobody, shows no secret.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Annotated

import typer

from strongroom.cli.exit import Stop
from strongroom.cli.files import read_bytes

app = typer.Typer(help="Look at messages.", rich_markup_mode=None, no_args_is_help=True)


class Encoding(Enum):
    """What a file may hold."""

    AUTO = "auto"
    BINARY = "binary"
    HEX = "hex"
    XML = "xml"
    JSON = "json"


@app.callback()
def _group() -> None:
    """Keep `decode` a verb of its own although it is alone."""


@app.command()
def decode(
    file: Annotated[str, typer.Argument(metavar="[FILE]", help="The message; - reads stdin.")] = "-",
    encoding: Annotated[Encoding, typer.Option("--format", help="How it is written.")] = Encoding.AUTO,
) -> None:
    """Print a message as a tree with secrets blanked. Binary and hex may hold several in a row."""
    from strongroom.wire import binary, json, xml
    from strongroom.wire.dump import dump
    from strongroom.wire.errors import DecodeError

    data = read_bytes(file)
    found = _guess(data) if encoding is Encoding.AUTO else encoding
    try:
        match found:
            case Encoding.XML:
                print(dump(xml.decode(data)))
            case Encoding.JSON:
                print(dump(json.decode(data)))
            case _:
                for message in _split(_unhex(data) if found is Encoding.HEX else data):
                    print(dump(binary.decode(message)))
    except DecodeError as exc:
        raise Stop(f"this is no message in {found.value}: {exc}") from exc


def _guess(data: bytes) -> Encoding:
    """Return what the first byte gives away: messages begin with the tag 42 00 78 or 42 00 7B."""
    start = data.lstrip()[:1]
    if data[:2] == b"\x42\x00":
        return Encoding.BINARY
    return {b"<": Encoding.XML, b"{": Encoding.JSON}.get(start, Encoding.HEX)


def _unhex(data: bytes) -> bytes:
    try:
        text = data.decode("ascii").replace(":", "").replace("0x", "").replace(",", "")
        return bytes.fromhex(text)
    except ValueError:
        raise Stop(
            "this is neither binary nor hexadecimal nor XML nor JSON; say which with --format"
        ) from None


def _split(data: bytes) -> Iterator[bytes]:
    """Yield the messages of a stream; what is left over comes last, for the decoder to refuse."""
    start = 0
    while start + 8 < len(data) and (end := start + 8 + int.from_bytes(data[start + 4 : start + 8])) < len(
        data
    ):
        yield data[start:end]
        start = end
    yield data[start:]
