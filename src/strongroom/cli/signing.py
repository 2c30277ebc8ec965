"""`strongroom crypt sign`, `verify`, `mac`, `hash` and `random`.

Rule: files in, files out, of any length; the key stays on the server. Who says nothing of how gets what the
key is for.
"""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from strongroom.cli.connection import KeyArgument, ProfileOption, ServerOption, connected, resolve
from strongroom.cli.encodings import Form, FormOption, understood, written
from strongroom.cli.files import (
    STREAM,
    ForceOption,
    ForceStdoutOption,
    opened,
    read_bytes,
    write_secret,
)
from strongroom.cli.values import choices, parse_enumeration
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import (
    BlockCipherMode,
    CryptographicAlgorithm,
    HashingAlgorithm,
    ObjectType,
    PaddingMethod,
    Tag,
)

if TYPE_CHECKING:
    from strongroom.client.sync import Client
    from strongroom.model.identifiers import UniqueIdentifier

_HASH_FIRST: Final = frozenset(
    {
        CryptographicAlgorithm.RSA,
        CryptographicAlgorithm.DSA,
        CryptographicAlgorithm.EC,
        CryptographicAlgorithm.ECDSA,
        CryptographicAlgorithm.ECDH,
    }
)
"""Keys whose signature is one of a hash that has to be named."""
_BLOCK_CIPHERS: Final = frozenset({CryptographicAlgorithm.AES, CryptographicAlgorithm.CAMELLIA})

FileArgument = Annotated[str, typer.Argument(metavar="[FILE]", help="What to work on; - reads stdin.")]
OutOption = Annotated[str, typer.Option("--out", metavar="FILE", help="Where to; - writes stdout.")]
HashOption = Annotated[
    str | None,
    typer.Option("--hash", metavar="HASH", help="[default: the key's own, else SHA-256 where one is needed]"),
]
PaddingOption = Annotated[
    str | None,
    typer.Option("--padding", metavar="PADDING", help="Of RSA: PKCS1 v1.5 or PSS. [default: the key's own]"),
]
AlgorithmOption = Annotated[
    str | None,
    typer.Option(
        "--algorithm",
        metavar="ALGORITHM",
        help="Of the MAC, such as HMAC-SHA256. [default: the key's own; CMAC for AES]",
    ),
]


def sign(
    key: KeyArgument,
    file: FileArgument = STREAM,
    hashing: HashOption = None,
    padding: PaddingOption = None,
    form: FormOption = Form.HEX,
    out: OutOption = STREAM,
    force: ForceOption = False,
    profile: ProfileOption = None,
    server: ServerOption = None,
) -> None:
    """Sign a file with a private key."""
    asked = _asked(hashing, padding)
    with opened(file) as data, connected(profile, server) as client:
        identifier = resolve(client, key)
        parameters = asked or _usual(client, identifier)
        made = client.sign(identifier, data, cryptographic_parameters=parameters)
    write_secret(out, written(made, form), force=force, force_stdout=form is not Form.RAW)


def mac(
    key: KeyArgument,
    file: FileArgument = STREAM,
    algorithm: AlgorithmOption = None,
    form: FormOption = Form.HEX,
    out: OutOption = STREAM,
    force: ForceOption = False,
    profile: ProfileOption = None,
    server: ServerOption = None,
) -> None:
    """Make the MAC of a file with a symmetric key."""
    asked = _asked(algorithm=algorithm)
    with opened(file) as data, connected(profile, server) as client:
        identifier = resolve(client, key)
        parameters = asked or _usual(client, identifier)
        made = client.mac(identifier, data, cryptographic_parameters=parameters)
    write_secret(out, written(made, form), force=force, force_stdout=form is not Form.RAW)


def verify(
    key: KeyArgument,
    proof: Annotated[
        str, typer.Argument(metavar="PROOF", help="File with the signature or MAC; - reads stdin.")
    ],
    file: Annotated[str, typer.Argument(metavar="FILE", help="What it is one of; - reads stdin.")],
    hashing: HashOption = None,
    padding: PaddingOption = None,
    algorithm: AlgorithmOption = None,
    form: FormOption = Form.HEX,
    profile: ProfileOption = None,
    server: ServerOption = None,
) -> None:
    """Check a signature or a MAC.

    A signature with a public key or a certificate, a MAC with a symmetric key.

    Prints `valid`; whatever is not valid is an error, with exit code 1.
    """
    if proof == file == STREAM:
        raise typer.BadParameter("stdin is one of the two; name a file for the other")
    asked = _asked(hashing, padding, algorithm)
    given = understood(read_bytes(proof), form)
    with opened(file) as data, connected(profile, server) as client:
        identifier = resolve(client, key)
        found = {one.key: one.value for one in client.get_attributes(identifier, Tag.OBJECT_TYPE)}
        parameters = asked or _usual(client, identifier)
        if found.get(Tag.OBJECT_TYPE) is ObjectType.SYMMETRIC_KEY:
            client.mac_verify(identifier, data, mac_data=given, cryptographic_parameters=parameters)
        else:
            client.signature_verify(
                identifier, data, signature_data=given, cryptographic_parameters=parameters
            )
    print("valid")


def hash_(
    file: FileArgument = STREAM,
    hashing: Annotated[
        str, typer.Option("--hash", metavar="HASH", help=f"One of: {choices(HashingAlgorithm)}.")
    ] = "SHA-256",
    form: FormOption = Form.HEX,
    out: OutOption = STREAM,
    force: ForceOption = False,
    profile: ProfileOption = None,
    server: ServerOption = None,
) -> None:
    """Have the server hash a file."""
    chosen = parse_enumeration(HashingAlgorithm, hashing)
    with opened(file) as data, connected(profile, server) as client:
        made = client.hash(data, hashing_algorithm=chosen)
    write_secret(out, written(made, form), force=force, force_stdout=form is not Form.RAW)


def random(
    length: Annotated[int, typer.Argument(min=1, metavar="BYTES", help="How many.")],
    form: FormOption = Form.HEX,
    out: OutOption = STREAM,
    force: ForceOption = False,
    force_stdout: ForceStdoutOption = False,
    profile: ProfileOption = None,
    server: ServerOption = None,
) -> None:
    """Get random bytes from the server.

    A file that they go to is one that only you can read.
    """
    with connected(profile, server) as client:
        made = client.random_bytes(length)
    write_secret(out, written(made.reveal(), form), force=force, force_stdout=force_stdout)


def _asked(
    hashing: str | None = None, padding: str | None = None, algorithm: str | None = None
) -> CryptographicParameters | None:
    """Return what the options say, None when they say nothing."""
    if hashing is None and padding is None and algorithm is None:
        return None
    if hashing is None and algorithm is None:
        hashing = "SHA-256"
    return CryptographicParameters(
        hashing_algorithm=None if hashing is None else parse_enumeration(HashingAlgorithm, hashing),
        padding_method=None if padding is None else parse_enumeration(PaddingMethod, padding),
        cryptographic_algorithm=None
        if algorithm is None
        else parse_enumeration(CryptographicAlgorithm, algorithm),
    )


def _usual(client: "Client", identifier: "UniqueIdentifier") -> CryptographicParameters | None:
    """Return how a key is used when nobody says, None where it says so itself or there is only one way."""
    wanted = (Tag.CRYPTOGRAPHIC_ALGORITHM, Tag.CRYPTOGRAPHIC_PARAMETERS)
    found = {one.key: one.value for one in client.get_attributes(identifier, *wanted)}
    algorithm = found.get(Tag.CRYPTOGRAPHIC_ALGORITHM)
    if Tag.CRYPTOGRAPHIC_PARAMETERS in found:
        return None
    if algorithm in _HASH_FIRST:
        return CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256)
    if algorithm in _BLOCK_CIPHERS:
        return CryptographicParameters(block_cipher_mode=BlockCipherMode.CMAC)
    return None
