"""Configuration: strict, and helpful when it refuses."""

import re
from pathlib import Path
from typing import Any

import pytest

from strongroom.server.config import (
    Settings,
    beside,
    load_settings,
    override,
    parse_settings,
    render_toml,
    throw_away,
)
from strongroom.server.errors import InvalidOption, OperatorError


def test_an_empty_file_gives_the_documented_defaults() -> None:
    settings = parse_settings({})
    assert settings.listen == "127.0.0.1:5696"
    assert settings.https == "127.0.0.1:5697"
    assert settings.hosts == ("localhost", "127.0.0.1", "::1")
    assert settings.limits.message_size == 4 * 1024 * 1024
    assert settings.connections.per_client == 2000
    assert settings.policy.legacy == "off"


@pytest.mark.parametrize(
    ("values", "unknown", "nearest"),
    [
        ({"lisen": "x"}, "lisen", "listen"),
        ({"deadlines": {"idel": 3}}, "deadlines.idel", "deadlines.idle"),
        ({"client": {"web": {"pasword": "optional"}}}, "client.web.pasword", "client.web.password"),
        ({"message_size": 4096}, "message_size", "limits.message_size"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_the_nearest(
    values: dict[str, Any], unknown: str, nearest: str
) -> None:
    with pytest.raises(OperatorError, match=re.escape(f"unknown key '{unknown}'; did you mean '{nearest}'")):
        parse_settings(values)


def test_an_unknown_key_without_a_neighbour_is_still_an_error() -> None:
    with pytest.raises(OperatorError, match=r"unknown key 'zzz'$"):
        parse_settings({"zzz": 1})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"https": "on"}, "HOST:PORT"),
        ({"listen": "::1:5696"}, "brackets"),
        ({"listen": "localhost"}, "HOST:PORT"),
        ({"listen": "localhost:70000"}, "0 to 65535"),
        ({"hosts": ["two words"]}, "neither a host name nor an IP address"),
        ({"hosts": []}, "hosts: "),
        ({"store": "postgresql://me:secret@db/keys"}, "password does not belong in the URL"),
        ({"deadlines": {"idle": 0}}, "deadlines.idle: "),
        ({"policy": {"legacy": "yes"}}, "policy.legacy: "),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_key_and_reason(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(OperatorError, match=message):
        parse_settings(values)


def test_an_option_that_cannot_be_is_refused_once_by_its_own_name() -> None:
    with pytest.raises(InvalidOption) as caught:
        override(parse_settings({}), {"hosts": ["two words"]})
    assert str(caught.value) == "--host: 'two words' is neither a host name nor an IP address"


def test_a_password_in_the_url_is_not_repeated_in_the_error() -> None:
    with pytest.raises(OperatorError) as caught:
        parse_settings({"store": "postgresql://me:hunter2@db/keys"})
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_toml_is_refused_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "strongroom.toml"
    file.write_text("listen = \n")
    with pytest.raises(OperatorError, match=r"not valid TOML: .*line 1"):
        load_settings(file)


def test_what_init_writes_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "strongroom.toml"
    values = {
        "listen": "[::1]:0",
        "hosts": ["kms.example", "10.0.0.1"],
        "store": "sqlite:///a b.db",
        "limits": {"depth": 40},
    }
    file.write_text(render_toml(values, "comment"))
    assert load_settings(file) == Settings.model_validate(values)


@pytest.mark.parametrize(
    ("listen", "https"),
    [
        ("127.0.0.1:5696", "127.0.0.1:5697"),
        ("0.0.0.0:15696", "0.0.0.0:5697"),
        ("[::1]:5696", "[::1]:5697"),
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("off", "127.0.0.1:5697"),
    ],
)
def test_https_listens_on_the_host_of_kmip_unless_told_otherwise(listen: str, https: str) -> None:
    assert beside(listen) == https


@pytest.mark.parametrize(
    ("options", "configured", "https"),
    [
        ({"listen": "127.0.0.1:0"}, "0.0.0.0:5697", "0.0.0.0:0"),
        ({"listen": "127.0.0.1:0"}, "off", None),
        ({"listen": "127.0.0.1:0", "https": "off"}, "127.0.0.1:5697", "off"),
        ({"listen": "127.0.0.1:15696"}, "127.0.0.1:5697", None),
        ({"listen": "off"}, "127.0.0.1:5697", None),
        ({"listen": "nonsense"}, "127.0.0.1:5697", None),
        ({}, "127.0.0.1:5697", None),
    ],
)
def test_a_free_port_for_kmip_means_one_for_https(
    options: dict[str, str], configured: str, https: str | None
) -> None:
    """Two throw-away servers on one machine must not meet on the configured port."""
    assert throw_away(options, parse_settings({"https": configured})).get("https") == https
