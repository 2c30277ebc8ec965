"""`strongroom key import` and `export`.

Rule: options and printing; keys travel in files, never in arguments.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from strongroom.cli.connection import KeyArgument, ProfileOption, ServerOption, connected, resolve
from strongroom.cli.files import ForceOption, ForceStdoutOption, read_bytes, write_secret
from strongroom.cli.key_options import (
    ActivateOption,
    RotateAfterOption,
    RotateEveryOption,
    UsageOption,
    active,
    rotated,
    type_of,
    usage_of,
)
from strongroom.cli.material import Format
from strongroom.cli.object import AttributeOption, GroupOption, NameOption, given_attributes
from strongroom.cli.output import Output, OutputOption, print_identifier
from strongroom.cli.values import parse_enumeration
from strongroom.client.errors import FeatureNotSupported, InvalidField, KeyFormatTypeNotSupported
from strongroom.client.material import wrapping
from strongroom.model.objects import OBJECT_TYPES, ManagedObjectStruct, PrivateKey, PublicKey, SymmetricKey
from strongroom.model.structures import CryptographicParameters
from strongroom.model.wrapping import KeyWrappingSpecification
from strongroom.registry import (
    BlockCipherMode,
    CryptographicAlgorithm,
    HashingAlgorithm,
    KeyFormatType,
    MaskGenerator,
    ObjectType,
    PaddingMethod,
)

if TYPE_CHECKING:
    from strongroom.client.sync import Client
    from strongroom.model.identifiers import UniqueIdentifier

_TYPES: Final = {object_type: cls for cls, object_type in OBJECT_TYPES.items()}
# RFC 3394 takes whole blocks of 8 bytes, which a symmetric key is and DER seldom.
_KEY_WRAP: Final = {
    False: CryptographicParameters(block_cipher_mode=BlockCipherMode.NISTKEYWRAP),
    True: CryptographicParameters(block_cipher_mode=BlockCipherMode.AESKEYWRAPPADDING),
}
_OAEP: Final = CryptographicParameters(
    padding_method=PaddingMethod.OAEP,
    hashing_algorithm=HashingAlgorithm.SHA_256,
    mask_generator=MaskGenerator.MGF1,
    mask_generator_hashing_algorithm=HashingAlgorithm.SHA_256,
)
_SUFFIXES: Final = {
    Format.RAW: "key",
    Format.HEX: "hex",
    Format.BASE64: "base64",
    Format.PEM: "pem",
    Format.DER: "der",
}


def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The key; - reads stdin.")],
    name: NameOption = None,
    key_format: Annotated[
        Format | None, typer.Option("--format", help="How it is written. [default: PEM is recognised]")
    ] = None,
    algorithm: Annotated[
        str, typer.Option(metavar="ALGORITHM", help="Of a symmetric key; PEM and DER tell it themselves.")
    ] = "AES",
    passphrase_file: Annotated[
        Path | None, typer.Option(metavar="F", help="File with the passphrase of an encrypted private key.")
    ] = None,
    usage: UsageOption = None,
    activate: ActivateOption = False,
    rotate_every: RotateEveryOption = None,
    rotate_after: RotateAfterOption = None,
    group: GroupOption = None,
    attributes: AttributeOption = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Give the server a key that exists already.

    It may be symmetric, private or public. Unless told, its uses are those of its
    algorithm.
    """
    from strongroom.cli import material

    data = read_bytes(file)
    found = key_format or material.guess_format(data)
    chosen = parse_enumeration(CryptographicAlgorithm, algorithm)
    passphrase = None if passphrase_file is None else read_bytes(str(passphrase_file)).rstrip(b"\r\n")
    given = [*given_attributes(group, attributes), *active(activate), *rotated(rotate_every, rotate_after)]
    key: SymmetricKey | PrivateKey | PublicKey
    with connected(profile, server) as client:
        if found in (Format.PEM, Format.DER):
            key = material.read_asymmetric(data, found, passphrase=passphrase)
        else:
            key = material.read_symmetric(data, found, chosen)
        mask = usage_of(usage, OBJECT_TYPES[type(key)], key.key_block.cryptographic_algorithm or chosen)
        made = client.register(key, name=name, cryptographic_usage_mask=mask, attributes=given)
    print_identifier(made, output)


def export(
    key: KeyArgument,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Where to; - writes stdout. [default: a file named after the key]"),
    ] = None,
    key_format: Annotated[
        Format | None, typer.Option("--format", help="How to write it. [default: PEM for pairs, else raw]")
    ] = None,
    wrap_with: Annotated[
        str | None,
        typer.Option("--wrap-with", metavar="KEY", help="Have it wrapped with this key; only that opens it."),
    ] = None,
    wrap_mode: Annotated[
        str | None,
        typer.Option(
            metavar="MODE",
            help="How to wrap: NISTKeyWrap, AESKeyWrapPadding, GCM and others. "
            "[default: NISTKeyWrap, with padding for key pairs; OAEP if KEY is an RSA key]",
        ),
    ] = None,
    force: ForceOption = False,
    force_stdout: ForceStdoutOption = False,
    profile: ProfileOption = None,
    server: ServerOption = None,
) -> None:
    """Write key material to a file that only you can read.

    Prints the file's name; its mode is 0600.
    """
    if wrap_mode is not None and wrap_with is None:
        raise typer.BadParameter("--wrap-mode says how to use the key of --wrap-with; give that too")
    mode = None if wrap_mode is None else parse_enumeration(BlockCipherMode, wrap_mode)
    from strongroom.cli.material import export_bytes, wanted_format_type

    with connected(profile, server) as client:
        identifier = resolve(client, key)
        managed_type = _TYPES.get(type_of(client, identifier), ManagedObjectStruct)
        asymmetric = managed_type in (_TYPES[ObjectType.PRIVATE_KEY], _TYPES[ObjectType.PUBLIC_KEY])
        certificate = managed_type is _TYPES[ObjectType.CERTIFICATE]
        plain = wrap_with is None
        chosen = key_format or (Format.PEM if plain and (asymmetric or certificate) else Format.RAW)
        if not plain and chosen in (Format.PEM, Format.DER):
            raise typer.BadParameter("a wrapped key is bytes; say --format raw, hex or base64")
        specification = None
        if wrap_with is not None:
            wrapping_key = resolve(client, wrap_with)
            usual = _OAEP if type_of(client, wrapping_key) is ObjectType.PUBLIC_KEY else _KEY_WRAP[asymmetric]
            chosen_way = usual if mode is None else CryptographicParameters(block_cipher_mode=mode)
            specification = wrapping(wrapping_key, cryptographic_parameters=chosen_way)
        wanted = wanted_format_type(managed_type, Format.DER if asymmetric and not plain else chosen)
        data = export_bytes(_fetched(client, identifier, wanted, specification), chosen)
    path = out or f"{re.sub(r'[^A-Za-z0-9._-]+', '_', key).lstrip('.') or identifier}.{_SUFFIXES[chosen]}"
    write_secret(path, data, force=force, force_stdout=force_stdout)
    if path != "-":
        print(path)


def _fetched(
    client: "Client",
    identifier: "UniqueIdentifier",
    wanted: KeyFormatType | None,
    specification: KeyWrappingSpecification | None,
) -> ManagedObjectStruct:
    """Return the object in the format that fits best, else as the server has it."""
    try:
        return client.get(identifier, key_format_type=wanted, key_wrapping_specification=specification)
    except (KeyFormatTypeNotSupported, FeatureNotSupported, InvalidField):
        if wanted is None or specification is not None:
            raise
        return client.get(identifier)
