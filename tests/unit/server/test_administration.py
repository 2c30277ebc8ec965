"""Administration commands: found by name, declared once, and read with care."""

from pathlib import Path

import pytest

from strongroom.domain.people import Role
from strongroom.server.administration.command import (
    Administrator,
    Caller,
    command,
    commands,
    find,
    perform,
)
from strongroom.server.config import parse_settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError
from strongroom.server.messages import BrokenMessage, Message
from tests.kms import TestKms
from tests.unit.server.conftest import NOW
from tests.unit.server.test_clients import Store


def administrator(kms: TestKms, caller: Caller | None = None) -> Administrator:
    return Administrator(
        clients=Store(),
        store=kms.repository,
        directory=DataDirectory(kms.directory),
        settings=parse_settings({}),
        root_key=kms.root_key,
        now=NOW,
        live=None,
        caller=caller,
    )


def test_every_command_is_a_noun_and_a_verb_and_needs_a_role() -> None:
    assert commands()
    for name, declared in commands().items():
        noun, _, verb = name.partition(".")
        assert noun, name
        assert verb, name
        assert declared.roles, name


def test_no_command_is_declared_twice() -> None:
    async def again(admin: Administrator, request: Message) -> object:
        return None

    with pytest.raises(TypeError, match="twice"):
        command("client.list", roles={Role.OPERATOR})(again)


def test_an_unknown_command_is_named() -> None:
    with pytest.raises(OperatorError, match=r"'client\.dance'"):
        find({"command": "client.dance"})


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"command": 3},
        {"command": "client.enrol", "name": "x"},
        {"command": "client.revoke", "name": None},
    ],
)
def test_a_request_with_missing_or_wrong_fields_is_refused(
    request_: dict[str, object], tmp_path: Path
) -> None:
    kms = TestKms(tmp_path)
    try:
        with pytest.raises(BrokenMessage):
            kms.run(perform(administrator(kms), request_))
    finally:
        kms.close()
