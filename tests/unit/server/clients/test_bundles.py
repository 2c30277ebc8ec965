"""Product bundles: each is written, and read back with the tools that a product would use."""

import json
import re
import ssl
import stat
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs12

from strongroom.server.address import Address
from strongroom.server.certificates.ca import Authority, private_pem
from strongroom.server.clients.bundles import find_product, product_names, write_bundle
from strongroom.server.errors import InvalidOption
from tests.unit.server.conftest import NOW

SERVER = Address("kms.example.org", 5696)
PAGE = Path(__file__).parents[4] / "docs" / "products.md"


@pytest.fixture
def enrolled(tmp_path: Path, authority: Authority) -> Callable[[str], Path]:
    """Give a function that writes the bundle of a product and returns its directory."""

    def enrol(name: str, *, with_key: bool = True) -> Path:
        product = find_product(name)
        out = tmp_path / name
        out.mkdir(mode=0o700)
        key = product.new_key()
        certificate = authority.client_certificate(key.public_key(), "db1", NOW)
        (out / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        (out / "ca.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
        if with_key:
            (out / "key.pem").write_bytes(private_pem(key))
            (out / "key.pem").chmod(0o600)
        told = write_bundle(product, out, client="db1", server=SERVER)
        assert (out / "README.txt").read_text() == told
        return out

    return enrol


def openssl(*words: str, cwd: Path) -> str:
    done = subprocess.run(["openssl", *words], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", product_names())
def test_every_bundle_is_complete_and_private(enrolled: Callable[[str], Path], name: str) -> None:
    out = enrolled(name)
    told = (out / "README.txt").read_text()
    written = [told, *(file.read_text() for file in out.rglob("*") if file.suffix in (".cnf", ".ora"))]
    assert any("kms.example.org" in text for text in written)
    assert any("5696" in text for text in written)
    assert not re.search(r"\$[a-z_]+(?<!\$keyid)", told.replace("$keyid", ""))
    assert "PRIVATE KEY" not in told
    key = load_pem_private_key((out / "key.pem").read_bytes(), None)
    secret = private_pem(key)  # type: ignore[arg-type]
    body = b"".join(secret.splitlines()[1:-1])
    for file in out.rglob("*"):
        if file.is_dir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o700
            continue
        content = file.read_bytes()
        holds = b"PRIVATE KEY" in content or body[:60] in content.replace(b"\n", b"")
        private = holds or file.suffix in (".p12", ".pfx", ".password", ".yaml")
        assert stat.S_IMODE(file.stat().st_mode) == (0o600 if private else 0o644), file
    # TLS takes the pair, and the authority vouches for it.
    context = ssl.create_default_context(cafile=str(out / "ca.pem"))
    context.load_cert_chain(out / "cert.pem", out / "key.pem")
    openssl("verify", "-purpose", "sslclient", "-x509_strict", "-CAfile", "ca.pem", "cert.pem", cwd=out)


def test_mongodb_has_certificate_and_key_in_one_file(enrolled: Callable[[str], Path]) -> None:
    out = enrolled("mongodb")
    ssl.create_default_context().load_cert_chain(out / "mongodb.pem")
    assert (
        openssl("pkey", "-in", "mongodb.pem", "-pubout", cwd=out)
        == openssl("x509", "-in", "mongodb.pem", "-noout", "-pubkey", cwd=out)
    )  # fmt: skip


@pytest.mark.parametrize(("name", "file"), [("veeam", "client.pfx"), ("appliance", "client.p12")])
def test_a_container_opens_with_the_password_beside_it(
    enrolled: Callable[[str], Path], name: str, file: str
) -> None:
    out = enrolled(name)
    password = (out / f"{file}.password").read_text().strip()
    assert len(password) >= 32
    listing = openssl("pkcs12", "-in", file, "-passin", f"pass:{password}", "-info", "-nodes", cwd=out)
    assert "BEGIN PRIVATE KEY" in listing
    assert listing.count("BEGIN CERTIFICATE") == 2
    read = pkcs12.load_pkcs12((out / file).read_bytes(), password.encode())
    assert read.cert is not None
    assert read.cert.friendly_name == b"db1"
    with pytest.raises(ValueError):
        pkcs12.load_pkcs12((out / file).read_bytes(), b"wrong")


def test_veeam_gets_the_authority_in_der(enrolled: Callable[[str], Path]) -> None:
    out = enrolled("veeam")
    assert "Strongroom CA" in openssl(
        "x509", "-inform", "DER", "-in", "ca.crt", "-noout", "-subject", cwd=out
    )


def test_mysql_has_the_directory_of_its_plugin(enrolled: Callable[[str], Path]) -> None:
    folder = enrolled("mysql") / "strongroom-okv"
    assert sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()) == [
        "okvclient.ora", "ssl/CA.pem", "ssl/cert.pem", "ssl/key.pem",
    ]  # fmt: skip
    assert (folder / "okvclient.ora").read_text().splitlines() == [
        "SERVER=kms.example.org:5696", "STANDBY_SERVER=kms.example.org:5696",
    ]  # fmt: skip
    ssl.create_default_context(cafile=str(folder / "ssl/CA.pem")).load_cert_chain(
        folder / "ssl/cert.pem", folder / "ssl/key.pem"
    )


def test_percona_reads_its_configuration_as_json(enrolled: Callable[[str], Path]) -> None:
    out = enrolled("percona-mysql")
    settings = json.loads((out / "component_keyring_kmip.cnf").read_text())
    assert settings["server_addr"] == "kms.example.org"
    assert settings["server_port"] == "5696"
    ssl.create_default_context(cafile=settings["server_ca"]).load_cert_chain(
        settings["client_ca"], settings["client_key"]
    )


def test_kubernetes_gets_a_secret(enrolled: Callable[[str], Path]) -> None:
    import base64

    out = enrolled("kubernetes-ceph")
    lines = (out / "strongroom-kmip.yaml").read_text().splitlines()
    data = dict(line.strip().split(": ") for line in lines[lines.index("data:") + 1 :])
    for name, file in (("CA_CERT", "ca"), ("CLIENT_CERT", "cert"), ("CLIENT_KEY", "key")):
        assert base64.b64decode(data[name]) == (out / f"{file}.pem").read_bytes()


def test_pykmip_reads_its_configuration(enrolled: Callable[[str], Path]) -> None:
    from kmip.core.config_helper import ConfigHelper

    helper = ConfigHelper(str(enrolled("pykmip") / "pykmip.conf"))
    assert helper.get_valid_value(None, "client", "host", "") == "kms.example.org"
    assert helper.get_valid_value(None, "client", "cert_reqs", "") == "CERT_REQUIRED"
    assert Path(helper.get_valid_value(None, "client", "keyfile", "")).exists()


def test_without_the_key_what_needs_it_is_left_out_and_named(enrolled: Callable[..., Path]) -> None:
    out = enrolled("mongodb", with_key=False)
    assert not (out / "mongodb.pem").exists()
    assert "Not written, since the key is not here: mongodb.pem" in (out / "README.txt").read_text()


def test_an_unknown_product_is_answered_with_the_list() -> None:
    with pytest.raises(InvalidOption, match="mongodb"):
        find_product("../mongodb")


def test_the_page_names_every_product_and_no_other() -> None:
    rows = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert [row.strip(" `") for row in rows[1:]] == list(product_names())


def test_every_product_file_is_understood() -> None:
    folder = Path(__file__).parents[4] / "src" / "strongroom" / "server" / "clients" / "products"
    for file in folder.glob("*.toml"):
        assert tomllib.loads(file.read_text())["title"] == find_product(file.stem).title
