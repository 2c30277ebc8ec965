"""`strongroom object export` and `import`: an object with all its attributes, from server to server.

Rule: the file is a small JSON document around what the server said, in TTLV; it holds the key in clear unless
it was wrapped, so it is written as a secret.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from strongroom.cli.connection import ObjectArgument, ProfileOption, ServerOption, connected, resolve
from strongroom.cli.exit import Stop
from strongroom.cli.files import ForceOption, ForceStdoutOption, read_bytes, write_secret
from strongroom.cli.output import Output, OutputOption, print_identifier
from strongroom.client.material import wrapping
from strongroom.model.convert import decoder, encoder
from strongroom.operations.export import ExportResponse
from strongroom.registry import Tag, Version
from strongroom.registry.versions import parse_version
from strongroom.wire import binary
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import STRUCTURE

_FORMAT: Final = "strongroom-object/1"


def export(
    object_: ObjectArgument,
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="Where to; - writes stdout.")],
    wrap_with: Annotated[
        str | None,
        typer.Option("--wrap-with", metavar="KEY", help="Have the key in it wrapped with this key."),
    ] = None,
    force: ForceOption = False,
    force_stdout: ForceStdoutOption = False,
    profile: ProfileOption = None,
    server: ServerOption = None,
) -> None:
    """Write an object with all its attributes to a file.

    `object import` gives it to another server.
    """
    with connected(profile, server) as client:
        identifier = resolve(client, object_)
        wrapping_key = None if wrap_with is None else resolve(client, wrap_with)
        exported = client.export(identifier, key_wrapping_specification=wrapping(wrapping_key))
        version = client.negotiate()
    payload = encoder(ExportResponse, version)(exported)
    document = {
        "format": _FORMAT,
        "protocol_version": str(version),
        "unique_identifier": exported.unique_identifier,
        "response_payload": base64.b64encode(
            binary.encode((int(Tag.RESPONSE_PAYLOAD), STRUCTURE, payload))
        ).decode(),
    }
    text = json.dumps(document, indent=2).encode() + b"\n"
    write_secret(out, text, force=force, force_stdout=force_stdout)
    if out != "-":
        print(out)


def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What `object export` wrote; - reads stdin.")],
    identifier: Annotated[
        str | None,
        typer.Option("--identifier", metavar="ID", help="Another Unique Identifier than it had."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of your object with this identifier.")
    ] = False,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Give the server an object that was exported.

    It keeps its attributes and its identifier.
    """
    exported = read_exported(read_bytes(file))
    with connected(profile, server) as client:
        made = client.import_(exported, unique_identifier=identifier, replace_existing=replace or None)
    print_identifier(made, output)


def read_exported(data: bytes) -> ExportResponse:
    """Return what `export` wrote; raises Stop."""
    try:
        document: Any = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, Mapping) or document.get("format") != _FORMAT:
        raise Stop("the file was not written by `strongroom object export`")
    try:
        version: Version = parse_version(document["protocol_version"])
        payload = binary.decode(base64.b64decode(document["response_payload"], validate=True))[2]
        exported: ExportResponse = decoder(ExportResponse, version)(payload)
    except (KeyError, TypeError, ValueError, binascii.Error, DecodeError):
        # What is in it is secret, so nothing of it is shown.
        raise Stop("the file is damaged: it holds no object that can be read") from None
    return exported
