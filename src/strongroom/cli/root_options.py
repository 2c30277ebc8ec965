"""Options that say where a root key is to come from, for `init` and `server root`.

Rule: a passphrase is typed or in a file, never an option.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from strongroom.cli.exit import ExitCode, Stop

if TYPE_CHECKING:
    # Loaded when it is needed: every command would pay for it.
    from strongroom.model.secret import SecretBytes
    from strongroom.server.root.files import RootChoice

T = TypeVar("T")

DirectoryOption = Annotated[Path, typer.Option("--data", metavar="DIR", help="The server's data directory.")]
Providers = Annotated[
    str,
    typer.Option(metavar="PROVIDER", help="file, passphrase, pkcs11, kmip or shares; docs/root-keys.md."),
]
PassphraseFile = Annotated[
    Path | None, typer.Option(metavar="F", help="File (or /dev/fd/N) with the passphrase; else it is asked.")
]
SharesOption = Annotated[
    str | None, typer.Option(metavar="M/N", help="Shares that open, and shares that are made: 3/5.")
]
SharesOut = Annotated[Path | None, typer.Option(metavar="OUT", help="Directory for the shares, a file each.")]
Pkcs11Module = Annotated[
    Path | None, typer.Option(metavar="LIBRARY", help="The PKCS#11 library of the token.")
]
Pkcs11Token = Annotated[str | None, typer.Option(metavar="LABEL", help="The label of the token.")]
PinFile = Annotated[Path | None, typer.Option(metavar="F", help="File with the PIN of the token.")]
KmipProfile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Profile of a client of the other key manager.")
]


def choose(
    provider: str,
    *,
    passphrase_file: Path | None,
    shares: str | None,
    shares_out: Path | None,
    pkcs11_module: Path | None,
    pkcs11_token: str | None,
    pin_file: Path | None,
    kmip_profile: Path | None,
) -> "RootChoice":
    """Return the choice; raises Stop for one that cannot be, and asks for a passphrase that is needed."""
    from strongroom.server.root.files import RootChoice

    options: dict[str, object] = {}
    match provider:
        case "file":
            pass
        case "passphrase":
            options["passphrase"] = new_passphrase(passphrase_file)
        case "shares":
            options["shares"] = _needed(shares, "--shares")
            _needed(shares_out, "--shares-out")
        case "pkcs11":
            options["module"] = str(_needed(pkcs11_module, "--pkcs11-module"))
            options["token"] = _needed(pkcs11_token, "--pkcs11-token")
            options["pin_file"] = str(_needed(pin_file, "--pin-file"))
        case "kmip":
            options["profile"] = str(_needed(kmip_profile, "--kmip-profile"))
        case other:
            raise Stop(f"there is no root key provider {other!r}; look at docs/root-keys.md", ExitCode.USAGE)
    return RootChoice(provider=provider, options=options, shares_out=shares_out)


def new_passphrase(file: Path | None) -> "SecretBytes":
    """Return a passphrase from a file or typed twice; raises Stop when there is nobody to ask."""
    import sys

    from strongroom.server.root.credential import ask, read_passphrase

    if file is not None:
        return read_passphrase(file)
    if not sys.stdin.isatty():
        raise Stop("there is no terminal to ask at; give --passphrase-file", ExitCode.USAGE)
    return ask("New passphrase of the root key: ", twice=True)


def _needed(value: T | None, option: str) -> T:
    if value is None:
        raise Stop(f"{option} is missing; docs/root-keys.md says what each provider needs", ExitCode.USAGE)
    return value
