"""`strongroom crypt`: what keys do on the server, which keeps them.

Rule: files in, files out. What `encrypt` writes is a small JSON document that `decrypt` understands without
being told anything: which key, how, and with which IV. The other verbs are in `signing.py`.
"""

import base64
import binascii
import io
import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from strongroom.cli import signing
from strongroom.cli.connection import KeyArgument, ProfileOption, ServerOption, connected, resolve
from strongroom.cli.exit import Stop
from strongroom.cli.files import STREAM, ForceOption, ForceStdoutOption, read_bytes, write_secret
from strongroom.cli.values import choices, parse_enumeration
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import (
    V1_3,
    V1_4,
    BlockCipherMode,
    CryptographicAlgorithm,
    PaddingMethod,
    Version,
)
from strongroom.registry.names import VALUES

app = typer.Typer(
    help="Encrypt, sign and verify with keys that stay on the server.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

app.command("sign")(signing.sign)
app.command("verify")(signing.verify)
app.command("mac")(signing.mac)
app.command("hash")(signing.hash_)
app.command("random")(signing.random)

_FORMAT: Final = "strongroom-encrypted/1"
_TAG_LENGTH: Final = 16
_AUTHENTICATED: Final = frozenset({BlockCipherMode.GCM, BlockCipherMode.CCM})
_PADDED: Final = frozenset({BlockCipherMode.CBC, BlockCipherMode.ECB})

OutOption = Annotated[str, typer.Option("--out", metavar="FILE", help="Where to; - writes stdout.")]
InArgument = Annotated[str, typer.Argument(metavar="[FILE]", help="What to work on; - reads stdin.")]
AdditionalOption = Annotated[
    str | None,
    typer.Option("--additional-data", metavar="TEXT", help="Authenticated with the data, not kept with it."),
]


@app.command()
def encrypt(
    key: KeyArgument,
    file: InArgument = STREAM,
    out: OutOption = STREAM,
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="MODE", help=f"One of: {choices(BlockCipherMode)}. [default: GCM; CBC before KMIP 1.4]"
        ),
    ] = None,
    additional_data: AdditionalOption = None,
    force: ForceOption = False,
    profile: ProfileOption = None,
    server: ServerOption = None,
) -> None:
    """Encrypt a file."""
    data = read_bytes(file)
    chosen = None if mode is None else parse_enumeration(BlockCipherMode, mode)
    with connected(profile, server) as client:
        identifier = resolve(client, key)
        parameters = _parameters(chosen, client.negotiate())
        sealing = client.encrypt_parts(
            identifier,
            io.BytesIO(data) if client.negotiate() >= V1_3 else data,
            cryptographic_parameters=parameters,
            authenticated_encryption_additional_data=_encoded(additional_data),
        )
        sealed = b"".join(sealing)
    document = {
        "format": _FORMAT,
        "unique_identifier": identifier,
        "block_cipher_mode": _name(parameters.block_cipher_mode),
        "padding_method": _name(parameters.padding_method),
        "iv_counter_nonce": _base64(sealing.iv_counter_nonce),
        "authenticated_encryption_tag": _base64(sealing.authenticated_encryption_tag),
        "data": _base64(sealed),
    }
    text = json.dumps({name: value for name, value in document.items() if value is not None}, indent=2)
    write_secret(out, text.encode() + b"\n", force=force, force_stdout=True)


@app.command()
def decrypt(
    file: InArgument = STREAM,
    out: OutOption = STREAM,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="Another key than the one that the file names."),
    ] = None,
    additional_data: AdditionalOption = None,
    force: ForceOption = False,
    force_stdout: ForceStdoutOption = False,
    profile: ProfileOption = None,
    server: ServerOption = None,
) -> None:
    """Decrypt what `crypt encrypt` wrote.

    A file that it goes to is one that only you can read.
    """
    document = _document(read_bytes(file))
    mode = parse_enumeration(BlockCipherMode, document["block_cipher_mode"])
    padding = document.get("padding_method")
    with connected(profile, server) as client:
        identifier = UniqueIdentifier(document["unique_identifier"]) if key is None else resolve(client, key)
        data = _octets(document, "data") or b""
        opened = client.decrypt_parts(
            identifier,
            io.BytesIO(data) if client.negotiate() >= V1_3 else data,
            cryptographic_parameters=CryptographicParameters(
                block_cipher_mode=mode,
                padding_method=None if padding is None else parse_enumeration(PaddingMethod, padding),
                cryptographic_algorithm=CryptographicAlgorithm.AES,
                tag_length=_TAG_LENGTH if mode in _AUTHENTICATED else None,
            ),
            iv_counter_nonce=_octets(document, "iv_counter_nonce"),
            authenticated_encryption_additional_data=_encoded(additional_data),
            authenticated_encryption_tag=_octets(document, "authenticated_encryption_tag"),
        )
        plain = b"".join(part.reveal() for part in opened)
    write_secret(out, plain, force=force, force_stdout=force_stdout)


def _parameters(mode: BlockCipherMode | None, version: Version) -> CryptographicParameters:
    if mode is None:
        # There is no field for the tag before 1.4.
        mode = BlockCipherMode.GCM if version >= V1_4 else BlockCipherMode.CBC
    return CryptographicParameters(
        block_cipher_mode=mode,
        padding_method=PaddingMethod.PKCS5 if mode in _PADDED else None,
        cryptographic_algorithm=CryptographicAlgorithm.AES,
        random_iv=True if mode is not BlockCipherMode.ECB else None,
        tag_length=_TAG_LENGTH if mode in _AUTHENTICATED else None,
    )


def _document(data: bytes) -> Mapping[str, str]:
    """Return what `encrypt` wrote; raises Stop."""
    try:
        document: Any = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise Stop("the file was not written by `strongroom crypt encrypt`")
    needed = ("unique_identifier", "block_cipher_mode", "data")
    if any(name not in document for name in needed) or not all(isinstance(v, str) for v in document.values()):
        raise Stop("the file is damaged: fields are missing or are no texts")
    return document


def _octets(document: Mapping[str, str], name: str) -> bytes | None:
    try:
        return base64.b64decode(document[name], validate=True) if name in document else None
    except (ValueError, binascii.Error):
        raise Stop(f"the file is damaged: {name} is not base64") from None


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _name(value: BlockCipherMode | PaddingMethod | None) -> str | None:
    if value is None:
        return None
    return VALUES["BlockCipherMode" if isinstance(value, BlockCipherMode) else "PaddingMethod"][
        value
    ].spec_name
