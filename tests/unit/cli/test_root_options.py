"""Options that say where a root key is to come from."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from strongroom.cli.exit import ExitCode, Stop
from strongroom.cli.root_options import RootOptions
from strongroom.server.errors import InvalidOption
from strongroom.server.root.credential import ask

GIVEN: dict[str, Any] = {
    "passphrase_file": Path("F"),
    "shares": "2/3",
    "shares_out": Path("OUT"),
    "pkcs11_module": Path("LIBRARY"),
    "pkcs11_token": "LABEL",
    "pin_file": Path("F"),
    "kmip_profile": Path("FILE"),
}


@pytest.mark.parametrize("name", [field.name for field in fields(RootOptions)])
def test_an_option_of_another_provider_is_refused(name: str) -> None:
    """A root key in a file would open without what was given."""
    with pytest.raises(Stop, match=f"--{name.replace('_', '-')} is for the provider") as caught:
        RootOptions(**{name: GIVEN[name]}).choose("file")
    assert caught.value.code is ExitCode.USAGE


def test_options_of_the_provider_itself_are_taken() -> None:
    choice = RootOptions(shares="2/3", shares_out=Path("OUT")).choose("shares")
    assert choice.options == {"shares": "2/3"}


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came from a pipe instead would be shown, or be somebody else's."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(InvalidOption, match="no terminal"):
        ask("Passphrase of the root key: ")
    with pytest.raises(InvalidOption, match="--passphrase-file"):
        RootOptions().choose("passphrase")
