"""Where a client's settings come from."""

from pathlib import Path

import pytest

from strongroom import AsyncClient, Client, KMIPError
from strongroom.client.address import Address, parse_address
from strongroom.client.errors import InvalidSettings
from strongroom.client.profile import find_profile, load_profile
from strongroom.registry import V1_4
from tests.unit.client.fake_server import Identity

MINIMAL = 'servers = ["kms.example.org:5696"]\ncert = "cert.pem"\nkey = "key.pem"\nca = "ca.pem"\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "profile.toml"
    path.write_text(text)
    return path


def test_files_are_relative_to_the_profile(tmp_path: Path) -> None:
    profile = load_profile(write(tmp_path, MINIMAL))
    assert profile.cert == tmp_path / "cert.pem"
    assert profile.servers == ("kms.example.org:5696",)
    assert profile.version is None


def test_everything_else_is_optional(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("open sesame\n")
    more = 'https = "kms:5697"\nversion = "1.4"\nusername = "alice"\npassword_file = "password"\n'
    profile = load_profile(write(tmp_path, MINIMAL + more))
    assert profile.version == V1_4
    assert profile.client_arguments()["password"] == "open sesame"
    assert "sesame" not in repr(profile)


@pytest.mark.parametrize(
    ("more", "transport", "encoding", "servers"),
    [
        ("", "tls", "ttlv", ("kms.example.org:5696",)),
        ('transport = "https"\n', "https", "ttlv", ("kms:5697",)),
        ('encoding = "json"\n', "https", "json", ("kms:5697",)),
        ('transport = "https"\nencoding = "xml"\n', "https", "xml", ("kms:5697",)),
    ],
)
def test_a_profile_says_how_messages_travel(
    tmp_path: Path, more: str, transport: str, encoding: str, servers: tuple[str, ...]
) -> None:
    profile = load_profile(write(tmp_path, MINIMAL + 'https = "kms:5697"\n' + more))
    arguments = profile.client_arguments()
    assert (arguments["transport"], arguments["encoding"]) == (transport, encoding)
    assert arguments["servers"] == servers


def test_a_profile_without_servers_for_tls_speaks_https(tmp_path: Path) -> None:
    text = MINIMAL.replace('["kms.example.org:5696"]', "[]") + 'https = ["one:5697", "two"]\npath = "/x"\n'
    arguments = load_profile(write(tmp_path, text)).client_arguments()
    assert arguments["transport"] == "https"
    assert arguments["servers"] == ("one:5697", "two")
    assert arguments["path"] == "/x"


def test_https_that_is_off_is_no_address(tmp_path: Path) -> None:
    profile = load_profile(write(tmp_path, MINIMAL + 'https = "off"\n'))
    assert profile.https == ()
    with pytest.raises(InvalidSettings, match="no https address"):
        profile.speaking(transport="https").client_arguments()


@pytest.mark.parametrize(
    ("wanted", "transport", "encoding"),
    [
        ({}, "https", "json"),
        ({"encoding": "xml"}, "https", "xml"),
        ({"encoding": "ttlv"}, "https", "ttlv"),
        ({"transport": "tls"}, "tls", "ttlv"),
        ({"transport": "https"}, "https", "json"),
    ],
)
def test_what_is_asked_for_goes_before_the_profile(
    tmp_path: Path, wanted: dict[str, str], transport: str, encoding: str
) -> None:
    profile = load_profile(write(tmp_path, MINIMAL + 'https = "kms:5697"\nencoding = "json"\n'))
    binding = profile.speaking(**wanted).binding
    assert (binding.transport, binding.encoding) == (transport, encoding)


def test_an_encoding_brings_its_transport(tmp_path: Path) -> None:
    profile = load_profile(write(tmp_path, MINIMAL + 'https = "kms:5697"\n'))
    assert profile.speaking(encoding="json").binding.transport == "https"


@pytest.mark.parametrize(
    ("server", "transport", "servers", "path"),
    [
        ("other:1", "tls", ("other:1",), "/kmip"),
        ("https://other:2", "https", ("other:2",), "/kmip"),
        ("https://other:2/", "https", ("other:2",), "/kmip"),
        ("https://other:2/a/b", "https", ("other:2",), "/a/b"),
    ],
)
def test_another_server_may_be_named_with_its_transport(
    tmp_path: Path, server: str, transport: str, servers: tuple[str, ...], path: str
) -> None:
    arguments = load_profile(write(tmp_path, MINIMAL)).at(server).client_arguments()
    assert arguments["transport"] == transport
    assert arguments["servers"] == servers
    assert arguments["path"] == path


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (MINIMAL + 'transport = "udp"\n', "transport 'udp' is none of tls, https"),
        (MINIMAL + 'encoding = "yaml"\n', "encoding 'yaml' is none of ttlv, json, xml"),
        (MINIMAL + 'transport = "tls"\nencoding = "xml"\n', "only spoken over HTTPS"),
        (MINIMAL + 'path = "kmip"\n', "no path of a URL"),
        (MINIMAL + 'path = "/k m"\n', "no path of a URL"),
        (MINIMAL + "https = [1]\n", "https is not a list of texts"),
        (MINIMAL.replace("servers", "server"), "no key 'server'; did you mean 'servers'?"),
        (MINIMAL.replace('ca = "ca.pem"\n', ""), "ca is missing"),
        (MINIMAL.replace('["kms.example.org:5696"]', "[]"), "the list of servers is empty"),
        (MINIMAL.replace('["kms.example.org:5696"]', "[5696]"), "servers is not a list of texts"),
        (MINIMAL.replace("kms.example.org:5696", "kms:port"), "write HOST:PORT"),
        (MINIMAL + "version = 1.4\n", "version is not a text"),
        (MINIMAL + 'version = "1.5"\n', "'1.5' is not a KMIP version"),
        (MINIMAL + 'https = "kms:0"\n', "write HOST:PORT"),
        (MINIMAL + 'password_file = "none"\n', "cannot read"),
        ("servers = [", "is not TOML"),
    ],
)
def test_a_wrong_profile_says_what_to_change(tmp_path: Path, text: str, complaint: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InvalidSettings) as caught:
        load_profile(path)
    assert str(path) in str(caught.value)
    assert complaint in str(caught.value)


def test_the_argument_beats_the_variable_beats_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("STRONGROOM_PROFILE", raising=False)
    with pytest.raises(InvalidSettings, match="strongroom dev"):
        find_profile()
    (tmp_path / "strongroom").mkdir()
    (tmp_path / "strongroom" / "default").write_text("/by/default.toml\n")
    assert find_profile() == Path("/by/default.toml")
    monkeypatch.setenv("STRONGROOM_PROFILE", "/by/variable.toml")
    assert find_profile() == Path("/by/variable.toml")
    assert find_profile("/by/argument.toml") == Path("/by/argument.toml")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("kms:5696", Address("kms", 5696)),
        ("kms", Address("kms", 5696)),
        ("[::1]:1234", Address("::1", 1234)),
        ("[::1]", Address("::1", 5696)),
        ("[fe80::1%eth0]", Address("fe80::1%eth0", 5696)),
        ("kms.example.org.", Address("kms.example.org.", 5696)),
        ("schlüssel.example.org", Address("schlüssel.example.org", 5696)),
    ],
)
def test_an_address_is_a_host_and_perhaps_a_port(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", ":5696", "kms:", "kms:0", "kms:65536", "kms:x", "kms:²", "::1:5696"),
        *(".example.org", "kms..example.org", f"{'k' * 64}.example.org", "kms\0:5696"),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidSettings):
        parse_address(text)


@pytest.mark.parametrize("cls", [Client, AsyncClient])
def test_both_clients_start_from_a_profile(
    cls: type[Client] | type[AsyncClient], tmp_path: Path, identity: Identity
) -> None:
    lines = [f'{name} = "{path}"' for name, path in identity.files.items()]
    path = write(tmp_path, "\n".join(['servers = "kms:5696"', 'version = "1.4"', *lines]))
    assert isinstance(cls.from_profile(path), cls)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"cert": "none.pem"}, "cannot read none.pem, the cert file"),
        ({"cert": __file__}, "are not a certificate and its unencrypted private key"),
        ({"ca": __file__}, "the ca file, holds no certificate"),
        ({"version": "1.7"}, "'1.7' is not a KMIP version"),
        ({"version": (9, 9)}, "is not a KMIP version"),
        ({"password": "p"}, "a password is given and no username"),
        ({"servers": []}, "the list of servers is empty"),
    ],
)
def test_wrong_settings_are_a_kmip_error(
    changed: dict[str, object], complaint: str, identity: Identity
) -> None:
    settings = {"servers": "kms:5696", **identity.files, **changed}
    with pytest.raises(KMIPError, match=complaint):
        Client(**settings)


def test_an_encrypted_private_key_is_refused_without_a_question(identity: Identity, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(identity.files["key"].read_bytes(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(InvalidSettings, match="unencrypted"):
        Client("kms:5696", **{**identity.files, "key": locked})
