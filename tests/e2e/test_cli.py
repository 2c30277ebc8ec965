"""The commands against the real server: what they print, what they leave, how they exit."""

import json
import stat
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as files
from cryptography.hazmat.primitives.asymmetric import ec

from strongroom import testing
from strongroom.cli.exit import ExitCode
from tests.e2e.commands import Run


def shown(run: Run, what: str) -> dict[str, object]:
    record: dict[str, object] = json.loads(run("object", "show", what, "-o", "json").out)
    return record


def test_a_key_from_creation_to_destruction(run: Run, tmp_path: Path) -> None:
    key = run("key", "create", "--name", "life", "--group", "g1", "--attribute", "x-purpose=test").identifier
    record = shown(run, "life")
    assert record["Unique Identifier"] == key
    assert record["Cryptographic Usage Mask"] == ["Encrypt", "Decrypt"]
    assert record["Object Group"] == ["g1"]
    assert record["x-purpose"] == ["test"]
    assert run("key", "activate", "life").identifier == key
    assert run("key", "export", "life").out == "life.key\n"
    assert len((tmp_path / "life.key").read_bytes()) == 32
    assert stat.S_IMODE((tmp_path / "life.key").stat().st_mode) == 0o600
    replacement = run("key", "rotate", "life").identifier
    assert replacement != key
    assert shown(run, "life")["Unique Identifier"] == replacement
    assert "key revoke life" in run("key", "destroy", "life", code=ExitCode.FAILURE).error
    run("key", "revoke", "life", "--reason", "key compromise", "--compromised", "2026-01-01")
    assert shown(run, "life")["State"] == "Compromised"
    run("key", "destroy", "life")
    assert shown(run, replacement)["State"] == "Destroyed Compromised"
    run("key", "export", replacement, "--out", "-", code=ExitCode.NOT_FOUND)


def test_the_server_rotates_a_key_that_is_used_up(run: Run) -> None:
    """The name moves to a new key, and the old one goes on decrypting."""
    old = run("key", "create", "--name", "used", "--activate", "--rotate-after", "1", "-o", "id").identifier
    sealed = run("crypt", "encrypt", "used", stdin=b"attack at dawn").raw
    deadline = time.monotonic() + 60
    while run("locate", "--name", "used", "-o", "id").identifier == old:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert run("crypt", "decrypt", stdin=sealed).raw == b"attack at dawn"


def test_a_key_may_be_made_to_rotate_by_age(run: Run) -> None:
    run("key", "create", "--name", "aged", "--rotate-every", "90d")
    assert shown(run, "aged")["Rotate Interval"] == 7776000
    assert "3600" in run("key", "create", "--rotate-every", "3s", code=ExitCode.FAILURE).error


def test_an_existing_file_is_not_overwritten(run: Run, tmp_path: Path) -> None:
    run("key", "create", "--name", "kept")
    (tmp_path / "kept.key").write_text("mine")
    assert "--force" in run("key", "export", "kept", code=ExitCode.FAILURE).error
    assert (tmp_path / "kept.key").read_text() == "mine"
    run("key", "export", "kept", "--force")
    assert (tmp_path / "kept.key").read_text(encoding="latin-1") != "mine"


def test_material_goes_to_stdout_only_where_nobody_watches(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("key", "create", "--name", "watched")
    assert len(run("key", "export", "watched", "--out", "-").raw) == 32
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert "--force-stdout" in run("key", "export", "watched", "--out", "-", code=ExitCode.USAGE).error
    assert len(run("key", "export", "watched", "--out", "-", "--format", "hex", "--force-stdout").out) == 65


def test_a_name_that_looks_like_a_path_stays_in_the_directory(run: Run, tmp_path: Path) -> None:
    run("key", "create", "--name", "../up/../../key")
    assert run("key", "export", "../up/../../key").out == "_up_.._.._key.key\n"
    assert (tmp_path / "_up_.._.._key.key").exists()


def test_an_identifier_goes_before_a_name(run: Run) -> None:
    """Whoever names an object like the identifier of another does not take its place."""
    first = run("key", "create").identifier
    run("key", "create", "--name", first)
    assert shown(run, first)["Unique Identifier"] == first


def test_an_ambiguous_name_is_refused_with_the_identifiers(run: Run) -> None:
    made = [run("key", "create", "--name", "Symmetric Key").identifier for _ in range(2)]
    error = run("key", "activate", "Symmetric Key", code=ExitCode.FAILURE).error
    assert all(identifier in error for identifier in made)


def test_a_key_pair_is_exported_as_pem_and_der(run: Run, tmp_path: Path) -> None:
    made = json.loads(
        run("key", "pair", "--name", "web", "--algorithm", "EC", "--curve", "P-256", "-o", "json").out
    )
    assert [one["object_type"] for one in made] == ["Private Key", "Public Key"]
    run("key", "export", "web")
    run("key", "export", "web.pub", "--format", "der", "--out", "web.der")
    private = files.load_pem_private_key((tmp_path / "web.pem").read_bytes(), None)
    public = files.load_der_public_key((tmp_path / "web.der").read_bytes())
    assert private.public_key() == public
    replacement = run("key", "rotate", "web").identifier
    assert replacement != made[0]["unique_identifier"]
    assert "rotate the private key" in run("key", "rotate", "web.pub", code=ExitCode.USAGE).error


def test_an_imported_key_comes_back_as_it_was(run: Run, tmp_path: Path) -> None:
    pem = ec.generate_private_key(ec.SECP384R1()).private_bytes(
        files.Encoding.PEM, files.PrivateFormat.PKCS8, files.NoEncryption()
    )
    run("key", "import", "-", "--name", "ours", stdin=pem)
    assert shown(run, "ours")["Cryptographic Length"] == 384
    assert run("key", "export", "ours", "--out", "-").raw == pem
    run("key", "import", "-", "--format", "hex", "--name", "raw", stdin=b"00" * 16)
    assert run("key", "export", "raw", "--out", "-").raw == bytes(16)


def test_secrets_and_opaque_objects_are_kept_as_they_are(run: Run) -> None:
    run("object", "register", "secret-data", "-", "--name", "pw", stdin=b"open sesame\n")
    run("object", "register", "opaque-object", "-", "--name", "blob", stdin=bytes(range(9)))
    assert run("key", "export", "pw", "--out", "-").raw == b"open sesame\n"
    assert run("key", "export", "blob", "--out", "-").raw == bytes(range(9))
    assert "sesame" not in run("object", "show", "pw").out
    run("object", "register", "symmetric-key", "-", stdin=b"x", code=ExitCode.USAGE)
    run("object", "destroy", "pw", "--yes")


def test_files_are_encrypted_and_decrypted(run: Run, tmp_path: Path) -> None:
    run("key", "create", "--name", "files", "--activate")
    (tmp_path / "plain").write_bytes(b"attack at dawn")
    run("crypt", "encrypt", "files", "plain", "--out", "sealed", "--additional-data", "letter 7")
    assert b"attack" not in (tmp_path / "sealed").read_bytes()
    assert run("crypt", "decrypt", "sealed", "--additional-data", "letter 7").raw == b"attack at dawn"
    run("crypt", "decrypt", "sealed", "--additional-data", "letter 8", code=ExitCode.FAILURE)
    piped = run("crypt", "encrypt", "files", "--mode", "CBC", stdin=b"attack at noon").raw
    assert run("crypt", "decrypt", "--key", "files", stdin=piped).raw == b"attack at noon"
    run("crypt", "decrypt", stdin=b"attack at dusk", code=ExitCode.FAILURE)


def test_attributes_are_read_and_changed(run: Run) -> None:
    run("key", "create", "--name", "tagged", "--group", "red")
    assert run("attr", "get", "tagged", "State").out == "State  Pre-Active\n"
    run("attr", "add", "tagged", "Object Group", "blue")
    run("attr", "modify", "tagged", "Object Group", "green", "--from", "blue")
    run("attr", "delete", "tagged", "Object Group", "--value", "red")
    run("attr", "set", "tagged", "x-size", "7", "--type", "integer")
    record = json.loads(run("attr", "get", "tagged", "object-group", "x-size", "-o", "json").out)
    assert record == {"Object Group": ["green"], "x-size": [7]}
    assert "x-size" in run("attr", "list", "tagged").out.splitlines()
    run("attr", "get", "tagged", "Description", code=ExitCode.NOT_FOUND)
    run("attr", "set", "tagged", "State", "Active", code=ExitCode.FAILURE)
    run("attr", "set", "tagged", "Colour", "red", code=ExitCode.USAGE)


def test_objects_are_found_by_what_they_are(run: Run) -> None:
    wanted = run(
        "key", "create", "--name", "needle", "--length", "192", "--group", "hay",
        "--attribute", "x-rank=3", "--attribute", "Activation Date=2031-05-01",
    ).identifier  # fmt: skip
    run("key", "create", "--length", "192", "--usage", "wrap key")
    for filters in (
        ["--name", "needle"],
        ["--group", "hay", "--length", "192"],
        ["--type", "symmetric key", "--algorithm", "aes", "--usage", "encrypt", "--length", "192"],
        ["--attribute", "x-rank=3"],
        ["--attribute", "Activation Date=2031-01-01..2031-12-31"],
        ["--state", "pre-active", "--group", "hay", "--storage", "on-line storage", "--maximum", "1"],
    ):
        assert run("locate", *filters, "-o", "id").identifier == wanted, filters
    assert run("locate", "--attribute", "Activation Date=2032-01-01..2032-12-31", "-o", "id").out == ""
    assert run("locate", "--group", "hay", "--offset", "1", "-o", "id").out == ""
    assert "did you mean AES?" in run("locate", "--algorithm", "AESS", code=ExitCode.USAGE).error


def test_lists_show_what_there_is(run: Run) -> None:
    key = run("key", "create", "--name", "listed").identifier
    run("object", "register", "opaque-object", "-", "--name", "other", stdin=b"x")
    assert key in run("key", "list", "-o", "id").out.splitlines()
    rows = {row["unique_identifier"]: row for row in json.loads(run("object", "list", "-o", "json").out)}
    assert rows[key]["name"] == ["listed"]
    assert rows[key]["state"] == "Pre-Active"
    assert "other" not in run("key", "list").out
    assert "other" in run("object", "list", "--type", "opaque object").out


def test_the_server_is_asked_what_it_does(run: Run) -> None:
    assert run("server", "versions", "-o", "id").out.splitlines()[-1] == "1.0"
    told = json.loads(run("server", "query", "-o", "json").out)
    assert "Create Key Pair" in told["operation"]
    assert told["protocol_version"] == "2.1"


def test_exit_codes_tell_what_happened(run: Run, server: testing.Server, tmp_path: Path) -> None:
    run("key", "show", "nobody", code=ExitCode.NOT_FOUND)
    run("key", "list", "--server", "127.0.0.1:1", code=ExitCode.UNREACHABLE)
    run("key", "list", "--server", "nonsense:x", code=ExitCode.USAGE)
    run("key", "list", "--profile", str(tmp_path / "none"), code=ExitCode.USAGE)
    run("key", "create", "--length", "many", code=ExitCode.USAGE)
    run("key", "create", "--name", "twice")
    run("key", "create", "--name", "twice", code=ExitCode.FAILURE)
    profile = server.enrol("denied", username="alice", password="open sesame")
    (profile.parent / "profile.toml").write_text(profile.read_text().replace('"alice"', '"mallory"'))
    run("key", "list", "--profile", str(profile), code=ExitCode.DENIED)
    run("init", "other", "--store", "mysql://db", code=ExitCode.USAGE)
    run(
        *("init", "other", "--root-key", "shares", "--shares", "9/3", "--shares-out", "shares"),
        code=ExitCode.USAGE,
    )
    assert not (tmp_path / "other").exists()


def test_a_store_of_another_data_directory_is_not_begun_anew(
    run: Run, server: testing.Server, tmp_path: Path
) -> None:
    run("key", "create")
    store = f"sqlite:///{server.directory / 'strongroom.db'}"
    refused = run("init", "other", "--store", store, code=ExitCode.FAILURE)
    assert "belongs to another data directory" in refused.error
    assert not (tmp_path / "other").exists()


def test_a_store_that_nobody_has_served_yet_is_not_begun_anew_either(run: Run, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'strongroom.db'}"
    run("init", "one", "--store", store)
    refused = run("init", "two", "--store", store, code=ExitCode.FAILURE)
    assert "belongs to another data directory" in refused.error
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("grant", "add", "--to", "ops", "--permission", "get", "--on", "everything"),
        ("grant", "add", "--to", "everyone", "--permission", "get", "--on", "all"),
        ("grant", "add", "--to", "everyone", "--permission", "read", "--on", "everything"),
        ("person", "add", "Ann", "--role", "king", "--client", testing.CLIENT),
        ("tenant", "create", "two words"),
        ("tenant", "limit", "default", "--set", "wishes=3"),
        ("tenant", "limit", "default", "--set", "objects=99999999999999999999"),
        ("client", "ask", testing.CLIENT, "--version", "9.9"),
        ("client", "ask", testing.CLIENT, "--function", "QueryWishes"),
        ("client", "enrol", "a/b", "--out", "there"),
        ("client", "invite", "late", "--valid", "31d"),
        ("client", "pending", "reject", "00"),
        ("hold", "add", "--reason", "neither an object nor a group"),
        ("approval", "require", "sing=2", "--tenant", "default"),
        ("safeguard", "set", "default", "--deletion-window", "9999d"),
        ("server", "ca", "retire", "00"),
    ],
    ids=" ".join,
)
def test_a_value_that_the_server_finds_wrong_is_wrong_usage(
    run: Run, server: testing.Server, words: tuple[str, ...]
) -> None:
    run(*words, "--data", str(server.directory), code=ExitCode.USAGE)


@pytest.mark.parametrize(
    ("place", "said"),
    [("there", "exists already"), ("there/none", "cannot write"), ("none/it", "cannot write")],
)
def test_what_is_written_once_takes_the_place_of_nothing(
    run: Run, server: testing.Server, place: str, said: str
) -> None:
    run("crypt", "random", "4", "--out", "there")
    data = ("--data", str(server.directory))
    assert said in run("audit", "export", "-o", place, *data, code=ExitCode.FAILURE).error
    assert said in run("client", "invite", "placed", "--out", place, *data, code=ExitCode.FAILURE).error
    assert len(Path("there").read_text().strip()) == 8
    for _ in range(2):
        run("client", "invite", "placed", "--out", "token", *data)


def test_an_export_that_fails_leaves_no_file(run: Run, server: testing.Server) -> None:
    export = ("audit", "export", "-o", "half", "--data", str(server.directory))
    run(*export, "--since", "some day", code=ExitCode.USAGE)
    assert not Path("half").exists()
    run(*export)
    assert Path("half").exists()


def test_a_name_cannot_move_the_cursor_of_a_terminal(run: Run) -> None:
    run("key", "create", "--name", "\x1b[2Jgone")
    assert "\\x1b[2Jgone" in run("key", "list").out
    assert "\x1b" not in run("key", "list").out
    assert "\x1b" not in run("key", "create", "--name", "\x1b[2Jgone", code=ExitCode.FAILURE).error


def test_a_command_works_as_a_process_of_its_own(server: testing.Server) -> None:
    done = server.try_run("key", "create", "--profile", str(server.profile), "-o", "json")
    assert done.returncode == ExitCode.OK
    assert set(json.loads(done.stdout)) == {"unique_identifier"}
    done = server.try_run("key", "show", "nobody", "--profile", str(server.profile))
    assert (done.returncode, done.stdout) == (ExitCode.NOT_FOUND, "")
    assert "Traceback" not in done.stderr


def test_a_store_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    server = testing.Server(tmp_path)
    server.run("init", str(server.directory))
    (server.directory / "strongroom.db").unlink()
    done = server.try_run("store", "migrate", str(server.directory))
    assert done.returncode == ExitCode.FAILURE
    assert "strongroom backup restore" in done.stderr
    assert not (server.directory / "strongroom.db").exists()


def test_the_store_is_migrated_only_without_a_server(tmp_path: Path) -> None:
    with testing.server(tmp_path / "own") as server:
        running = server.try_run("store", "migrate", str(server.directory))
        assert running.returncode == ExitCode.FAILURE
        assert "in use" in running.stderr
        server.stop()
        assert server.try_run("store", "migrate", str(server.directory)).returncode == ExitCode.OK
        server.start()
