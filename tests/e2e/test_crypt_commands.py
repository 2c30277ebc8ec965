"""The commands for signatures, derived, split and wrapped keys, certificates and moving objects."""

import hashlib
import json
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from strongroom import testing
from strongroom.cli.exit import ExitCode
from strongroom.client import parts
from strongroom.client.errors import OperationPending
from strongroom.client.sync import Client
from strongroom.registry import Operation
from tests.e2e.commands import Run

PLAIN = b"attack at dawn"


@pytest.fixture(autouse=True)
def plain(run: Run, tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(PLAIN)


def pair(run: Run, name: str, *words: str) -> None:
    run("key", "pair", "--name", name, "--activate", *words)


@pytest.mark.parametrize(
    "words",
    [
        ["--algorithm", "RSA", "--length", "2048"],
        ["--algorithm", "ECDSA", "--curve", "P-256"],
        ["--algorithm", "Ed25519"],
    ],
    ids=lambda words: words[1],
)
def test_a_file_is_signed_and_the_signature_is_checked(run: Run, tmp_path: Path, words: list[str]) -> None:
    name = words[1]
    pair(run, name, *words)
    run("crypt", "sign", name, "plain", "--out", "plain.sig")
    assert run("crypt", "verify", f"{name}.pub", "plain.sig", "plain").out == "valid\n"
    assert run("crypt", "verify", f"{name}.pub", "plain.sig", "-", stdin=PLAIN).out == "valid\n"
    wrong = run("crypt", "verify", f"{name}.pub", "plain.sig", "-", stdin=b"!", code=ExitCode.FAILURE)
    assert wrong.error == "strongroom: the signature is not valid\n"


def test_openssl_agrees_about_a_signature(run: Run, tmp_path: Path) -> None:
    pair(run, "openssl", "--algorithm", "RSA", "--length", "2048")
    run("crypt", "sign", "openssl", "plain", "--hash", "SHA-512", "--format", "raw", "--out", "raw.sig")
    run("key", "export", "openssl.pub", "--out", "pub.pem")
    done = subprocess.run(
        ["openssl", "dgst", "-sha512", "-verify", "pub.pem", "-signature", "raw.sig", "plain"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.stdout == b"Verified OK\n"
    run("crypt", "sign", "openssl", "plain", "--padding", "PSS", "--format", "base64", "--out", "pss.sig")
    words = ("--padding", "PSS", "--format", "base64")
    assert run("crypt", "verify", "openssl.pub", "pss.sig", "plain", *words).out == "valid\n"


@pytest.mark.parametrize(
    "words", [["--algorithm", "HMAC-SHA256", "--length", "256"], ["--algorithm", "AES"]], ids=lambda w: w[1]
)
def test_a_mac_is_made_and_checked_by_the_same_key(run: Run, words: list[str]) -> None:
    name = f"mac-{words[1]}"
    run("key", "create", "--name", name, "--activate", "--usage", "MAC Generate,MAC Verify", *words)
    made = run("crypt", "mac", name, "plain").out
    assert run("crypt", "mac", name, stdin=PLAIN).out == made
    assert run("crypt", "verify", name, "-", "plain", stdin=made.encode()).out == "valid\n"
    wrong = run("crypt", "verify", name, "-", "plain", stdin=bytes(16).hex().encode(), code=ExitCode.FAILURE)
    assert "is not valid" in wrong.error
    hmac = run("crypt", "mac", name, "plain", "--algorithm", "HMAC-SHA512").out
    assert len(hmac) == 129


def test_a_file_is_hashed(run: Run) -> None:
    assert run("crypt", "hash", "plain").out == f"{hashlib.sha256(PLAIN).hexdigest()}\n"
    assert run("crypt", "hash", "--hash", "sha3-256", stdin=b"").out == f"{hashlib.sha3_256().hexdigest()}\n"
    assert run("crypt", "hash", "nowhere", code=ExitCode.FAILURE).error == (
        "strongroom: cannot read nowhere: No such file or directory\n"
    )
    assert "did you mean" in run("crypt", "hash", "plain", "--hash", "sha-3", code=ExitCode.USAGE).error


def test_random_bytes_are_kept_like_a_secret(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(run("crypt", "random", "16").out) == 33
    assert run("crypt", "random", "16", "--out", "seed", "--format", "raw").out == ""
    assert len((tmp_path / "seed").read_bytes()) == 16
    assert stat.S_IMODE((tmp_path / "seed").stat().st_mode) == 0o600
    run("crypt", "random", "0", code=ExitCode.USAGE)


def test_stdin_is_one_thing_only(run: Run) -> None:
    run("crypt", "verify", "any", "-", "-", code=ExitCode.USAGE)


def test_what_is_no_signature_in_this_form_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"zz")
    assert "--format" in run("crypt", "verify", "any", "bad", "plain", code=ExitCode.FAILURE).error


def test_files_longer_than_a_message_are_encrypted(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART_SIZE", 1000)
    (tmp_path / "long").write_bytes(bytes(range(256)) * 20)
    run("key", "create", "--name", "long", "--activate")
    run("crypt", "encrypt", "long", "long", "--out", "sealed")
    run("crypt", "decrypt", "sealed", "--out", "opened")
    assert (tmp_path / "opened").read_bytes() == (tmp_path / "long").read_bytes()


def test_a_key_is_derived_as_others_derive_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "salt").write_bytes(b"salt")
    run("key", "import", "-", "--format", "raw", "--name", "base", "--usage", "derive key", "--activate",
        stdin=bytes(32))  # fmt: skip
    run("key", "derive", "base", "--name", "derived", "--length", "128", "--salt-file", "salt",
        "--data-file", "-", stdin=b"orders")  # fmt: skip
    expected = HKDF(SHA256(), 16, b"salt", b"orders").derive(bytes(32))
    assert run("key", "export", "derived", "--out", "-").raw == expected


def test_a_key_is_split_and_made_again(run: Run) -> None:
    run("key", "create", "--name", "whole")
    made = run("key", "split", "whole", "--parts", "3", "--threshold", "2", "-o", "id").out.splitlines()
    assert len(made) == 3
    assert run("key", "list").out.count("Split Key") >= 3
    run("key", "join", made[0], made[2], "--name", "again")
    assert run("key", "export", "again", "--out", "-").raw == run("key", "export", "whole", "--out", "-").raw
    run("key", "join", made[1], code=ExitCode.FAILURE)
    run("key", "split", "whole", "--parts", "2", "--threshold", "3", code=ExitCode.FAILURE)


def test_a_key_leaves_wrapped(run: Run) -> None:
    kek = bytes(range(32))
    run(
        "key",
        "import",
        "-",
        "--format",
        "raw",
        "--name",
        "kek",
        "--usage",
        "wrap key",
        "--activate",
        stdin=kek,
    )
    run("key", "create", "--name", "inner")
    wrapped = run("key", "export", "inner", "--wrap-with", "kek", "--out", "-").raw
    assert aes_key_unwrap(kek, wrapped) == run("key", "export", "inner", "--out", "-").raw
    pair(run, "wrapped", "--algorithm", "ECDSA", "--curve", "P-256")
    wrapped = run("key", "export", "wrapped", "--wrap-with", "kek", "--out", "-").raw
    der = run("key", "export", "wrapped", "--format", "der", "--out", "-").raw
    assert aes_key_unwrap_with_padding(kek, wrapped) == der
    words = (
        "--algorithm",
        "RSA",
        "--length",
        "2048",
        "--public-usage",
        "Wrap Key",
        "--private-usage",
        "Unwrap Key",
    )
    pair(run, "rsa", *words)
    wrapped = run("key", "export", "inner", "--wrap-with", "rsa.pub", "--out", "-").raw
    opener = load_pem_private_key(run("key", "export", "rsa", "--out", "-").raw, None)
    assert isinstance(opener, rsa.RSAPrivateKey)
    oaep = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
    assert opener.decrypt(wrapped, oaep) == run("key", "export", "inner", "--out", "-").raw
    run("key", "export", "inner", "--wrap-with", "kek", "--format", "pem", code=ExitCode.USAGE)
    run("key", "export", "inner", "--wrap-mode", "GCM", code=ExitCode.USAGE)
    run("key", "export", "inner", "--wrap-with", "nobody", code=ExitCode.NOT_FOUND)


def test_an_object_moves_to_another_client_with_its_attributes(
    run: Run, server: testing.Server, tmp_path: Path
) -> None:
    run("key", "create", "--name", "moving", "--attribute", "x-purpose=test")
    assert run("object", "export", "moving", "--out", "moved").out == "moved\n"
    assert stat.S_IMODE((tmp_path / "moved").stat().st_mode) == 0o600
    other = ["--profile", str(server.enrol("mover"))]
    made = run("object", "import", "moved", "--identifier", "moved-here", *other).identifier
    record = json.loads(run("object", "show", made, "-o", "json", *other).out)
    assert (record["Name"], record["x-purpose"]) == (["moving"], ["test"])
    here = run("key", "export", "moving", "--out", "-").raw
    assert run("key", "export", "moved-here", "--out", "-", *other).raw == here
    run("object", "import", "moved", "--identifier", "moved-here", *other, code=ExitCode.FAILURE)
    run("object", "import", "moved", "--identifier", "moved-here", "--replace", *other)


@pytest.mark.parametrize("damage", [b"{}", b"not JSON", b'{"format": "strongroom-object/1"}'])
def test_a_file_that_is_no_object_is_refused(run: Run, damage: bytes) -> None:
    assert "file" in run("object", "import", "-", stdin=damage, code=ExitCode.FAILURE).error


def test_certificates_are_issued_checked_and_renewed(run: Run, tmp_path: Path) -> None:
    pair(run, "root", "--algorithm", "ECDSA", "--curve", "P-256", "--private-usage", "Certificate Sign")
    words = ["--subject-cn", "Our root", "--authority", "--activate"]
    run("certificate", "certify", "root.pub", "--name", "root-cert", *words)
    pair(run, "web-key", "--algorithm", "ECDSA", "--curve", "P-256")
    words = ["--issuer", "root-cert", "--subject-cn", "www.example.org", "--activate"]
    first = run("certificate", "certify", "web-key.pub", "--name", "web-cert", *words).identifier
    assert run("certificate", "export", "web-cert").out == "web-cert.pem\n"
    issued = x509.load_pem_x509_certificate((tmp_path / "web-cert.pem").read_bytes())
    assert issued.subject.rfc4514_string() == "CN=www.example.org"
    assert run("certificate", "validate", "web-cert").out == "valid\n"
    assert run("certificate", "validate", "--file", "web-cert.pem").out == "valid\n"
    late = run("certificate", "validate", "web-cert", "--at", "2200-01-01", code=ExitCode.FAILURE)
    assert "the chain" in late.error
    renewed = run("certificate", "renew", "web-cert").identifier
    assert renewed != first
    assert run("locate", "--name", "web-cert", "-o", "id").identifier == renewed
    assert {first, renewed} <= set(run("certificate", "list", "-o", "id").out.splitlines())
    run("certificate", "revoke", first)
    run("certificate", "validate", first, code=ExitCode.FAILURE)
    assert "Certificate" in run("certificate", "show", renewed).out
    run("certificate", "certify", code=ExitCode.USAGE)
    run("certificate", "validate", code=ExitCode.USAGE)


def test_a_request_becomes_a_certificate(run: Run, tmp_path: Path) -> None:
    pair(run, "ca", "--algorithm", "ECDSA", "--curve", "P-256", "--private-usage", "Certificate Sign")
    run("certificate", "certify", "ca.pub", "--name", "ca-cert", "--authority", "--activate")
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", "key.pem", "-out", "req.pem", "-subj", "/CN=asked"],
        cwd=tmp_path, capture_output=True, check=True,
    )  # fmt: skip
    der = subprocess.run(
        ["openssl", "req", "-in", "req.pem", "-outform", "DER"], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    for number, (file, stdin) in enumerate((("req.pem", b""), ("-", der))):
        name = f"asked-{number}"
        run("certificate", "certify", "--request", file, "--issuer", "ca-cert", "--name", name, stdin=stdin)
        pem = run("certificate", "export", name, "--out", "-").raw
        assert x509.load_pem_x509_certificate(pem).subject.rfc4514_string() == "CN=asked"


def test_what_waits_for_approval_has_an_exit_code_of_its_own(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pending(self: Client, request: object) -> object:
        raise OperationPending(Operation.HASH, b"value")

    monkeypatch.setattr(Client, "call", pending)
    assert "pending" in run("crypt", "hash", "plain", code=ExitCode.PENDING_APPROVAL).error
