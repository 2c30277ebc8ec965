"""Options that say where a root key is to come from, for `init` and `server root`.

Rule: each is declared once, for all of these commands. A passphrase is typed or in a file, never an option.
What belongs to another provider is refused: whoever gives a passphrase does not want the root key in a file.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from strongroom.cli.exit import ExitCode, Stop

if TYPE_CHECKING:
    # Loaded when it is needed: every command would pay for it.
    from strongroom.model.secret import SecretBytes
    from strongroom.server.root.files import RootChoice

T = TypeVar("T")

Providers = Annotated[
    str,
    typer.Option(metavar="PROVIDER", help="file, passphrase, pkcs11, kmip or shares; docs/root-keys.md."),
]
PassphraseFile = Annotated[
    Path | None, typer.Option(metavar="F", help="File (or /dev/fd/N) with the passphrase; else it is asked.")
]
KitShares = Annotated[
    str | None,
    typer.Option(metavar="M/N", help="Make N files OUT.1, OUT.2 ... of it, of which M are needed."),
]


_BELONGS_TO: Final = {
    "passphrase_file": "passphrase",
    "shares": "shares",
    "shares_out": "shares",
    "pkcs11_module": "pkcs11",
    "pkcs11_token": "pkcs11",
    "pin_file": "pkcs11",
    "kmip_profile": "kmip",
}


@dataclass(frozen=True, kw_only=True)
class RootOptions:
    """What the providers need of a command line, each its own."""

    passphrase_file: PassphraseFile = None
    shares: Annotated[
        str | None, typer.Option(metavar="M/N", help="Shares that open, and shares that are made: 3/5.")
    ] = None
    shares_out: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Directory for the shares, a file each.")
    ] = None
    pkcs11_module: Annotated[
        Path | None, typer.Option(metavar="LIBRARY", help="The PKCS#11 library of the token.")
    ] = None
    pkcs11_token: Annotated[str | None, typer.Option(metavar="LABEL", help="The label of the token.")] = None
    pin_file: Annotated[Path | None, typer.Option(metavar="F", help="File with the PIN of the token.")] = None
    kmip_profile: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Profile of a client of the other key manager.")
    ] = None

    def choose(self, provider: str) -> "RootChoice":
        """Return the choice; raises Stop for one that cannot be, and asks for a passphrase that is needed."""
        from strongroom.server.root.files import RootChoice

        for name, owner in _BELONGS_TO.items():
            if owner != provider and getattr(self, name) is not None:
                option = f"--{name.replace('_', '-')}"
                raise Stop(f"{option} is for the provider {owner}, and not for {provider}", ExitCode.USAGE)
        options: dict[str, object] = {}
        match provider:
            case "file":
                pass
            case "passphrase":
                options["passphrase"] = new_passphrase(self.passphrase_file)
            case "shares":
                options["shares"] = _needed(self.shares, "--shares")
                _needed(self.shares_out, "--shares-out")
            case "pkcs11":
                options["module"] = str(_needed(self.pkcs11_module, "--pkcs11-module"))
                options["token"] = _needed(self.pkcs11_token, "--pkcs11-token")
                options["pin_file"] = str(_needed(self.pin_file, "--pin-file"))
            case "kmip":
                options["profile"] = str(_needed(self.kmip_profile, "--kmip-profile"))
            case other:
                raise Stop(
                    f"there is no root key provider {other!r}; look at docs/root-keys.md", ExitCode.USAGE
                )
        return RootChoice(provider=provider, options=options, shares_out=self.shares_out)


def with_root_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command each of RootOptions as an option, in the place of its parameter `root`."""
    options = [
        Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type)
        for field in fields(RootOptions)
    ]
    parameters: list[Parameter] = []
    for own in signature(command).parameters.values():
        parameters += options if own.name == "root" else [own.replace(kind=Parameter.KEYWORD_ONLY)]

    def run(**given: Any) -> None:
        chosen = RootOptions(**{option.name: given.pop(option.name) for option in options})
        command(root=chosen, **given)

    # This is what Typer makes options of.
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


def new_passphrase(file: Path | None) -> "SecretBytes":
    """Return a passphrase from a file or typed twice; raises OperatorError when there is nobody to ask."""
    from strongroom.server.root.credential import ask, read_passphrase

    if file is not None:
        return read_passphrase(file)
    return ask("New passphrase of the root key: ", twice=True)


def _needed(value: T | None, option: str) -> T:
    if value is None:
        raise Stop(f"{option} is missing; docs/root-keys.md says what each provider needs", ExitCode.USAGE)
    return value
