"""`strongroom key derive`, `split` and `join`: keys out of keys.

Rule: options and printing.
"""

from typing import Annotated

import typer

from strongroom.cli.connection import KeyArgument, ProfileOption, ServerOption, connected, resolve
from strongroom.cli.files import read_bytes
from strongroom.cli.key_options import ActivateOption, UsageOption, active, usage_of
from strongroom.cli.object import AttributeOption, GroupOption, NameOption, given_attributes
from strongroom.cli.output import Output, OutputOption, print_identifier, print_rows
from strongroom.cli.values import choices, parse_enumeration, parse_mask
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Int32
from strongroom.model.structures import CryptographicParameters, DerivationParameters
from strongroom.registry import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DerivationMethod,
    HashingAlgorithm,
    ObjectType,
    SplitKeyMethod,
)


def derive(
    key: KeyArgument,
    name: NameOption = None,
    method: Annotated[
        str, typer.Option(metavar="METHOD", help=f"One of: {choices(DerivationMethod)}.")
    ] = "HKDF",
    hashing: Annotated[
        str, typer.Option("--hash", metavar="HASH", help="The hash function that it works with.")
    ] = "SHA-256",
    data_file: Annotated[
        str | None,
        typer.Option("--data-file", metavar="FILE", help="What tells this key from others; - reads stdin."),
    ] = None,
    salt_file: Annotated[str | None, typer.Option("--salt-file", metavar="FILE", help="The salt.")] = None,
    iterations: Annotated[int | None, typer.Option(min=1, metavar="N", help="Of PBKDF2.")] = None,
    algorithm: Annotated[str, typer.Option(metavar="ALGORITHM", help="Of the new key.")] = "AES",
    length: Annotated[int, typer.Option(min=1, metavar="BITS", help="Of the new key.")] = 256,
    usage: UsageOption = None,
    activate: ActivateOption = False,
    group: GroupOption = None,
    attributes: AttributeOption = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Have the server derive a key from another key or secret.

    That one has to be Active, with Derive Key among its uses. Unless told, the uses of the new key are
    those of its algorithm.
    """
    parameters = DerivationParameters(
        cryptographic_parameters=CryptographicParameters(
            hashing_algorithm=parse_enumeration(HashingAlgorithm, hashing)
        ),
        derivation_data=() if data_file is None else (SecretBytes(read_bytes(data_file)),),
        salt=None if salt_file is None else read_bytes(salt_file),
        iteration_count=None if iterations is None else Int32(iterations),
    )
    chosen = parse_enumeration(DerivationMethod, method)
    kind = parse_enumeration(CryptographicAlgorithm, algorithm)
    mask = usage_of(usage, ObjectType.SYMMETRIC_KEY, kind)
    given = [*given_attributes(group, attributes), *active(activate)]
    with connected(profile, server) as client:
        made = client.derive_key(
            resolve(client, key),
            derivation_method=chosen,
            derivation_parameters=parameters,
            name=name,
            cryptographic_algorithm=kind,
            cryptographic_length=length,
            cryptographic_usage_mask=mask,
            attributes=given,
        )
    print_identifier(made, output)


def split(
    key: KeyArgument,
    parts: Annotated[int, typer.Option(min=1, metavar="N", help="How many parts to make.")],
    threshold: Annotated[int, typer.Option(min=1, metavar="N", help="How many make the key again.")],
    method: Annotated[
        str, typer.Option(metavar="METHOD", help=f"One of: {choices(SplitKeyMethod)}; XOR needs every part.")
    ] = "Polynomial Sharing GF (2^8)",
    group: GroupOption = None,
    attributes: AttributeOption = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Have the server split a key, and print the parts.

    The key stays; destroy it to have only them.
    """
    chosen = parse_enumeration(SplitKeyMethod, method)
    given = given_attributes(group, attributes)
    with connected(profile, server) as client:
        made = client.create_split_key(
            resolve(client, key),
            split_key_parts=parts,
            split_key_threshold=threshold,
            split_key_method=chosen,
            attributes=given,
        )
    print_rows(
        [{"part": number, "unique_identifier": one} for number, one in enumerate(made, 1)],
        columns={"part": "part", "unique identifier": "unique_identifier"},
        identifier="unique_identifier",
        output=output,
    )


def join(
    parts: Annotated[list[str], typer.Argument(metavar="PART...", help="Unique Identifiers or Names.")],
    object_type: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="What they make: symmetric-key, secret-data, ...")
    ] = "Symmetric Key",
    name: NameOption = None,
    usage: UsageOption = None,
    group: GroupOption = None,
    attributes: AttributeOption = None,
    profile: ProfileOption = None,
    server: ServerOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Have the server make a key of its parts, as a new object."""
    kind = parse_enumeration(ObjectType, object_type)
    mask = None if usage is None else parse_mask(CryptographicUsageMask, usage)
    given = given_attributes(group, attributes)
    with connected(profile, server) as client:
        made = client.join_split_key(
            *(resolve(client, part) for part in parts),
            object_type=kind,
            name=name,
            cryptographic_usage_mask=mask,
            attributes=given,
        )
    print_identifier(made, output)
