"""A database that was put back to an earlier day, under a server as its users run it."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from strongroom import Client, KMIPError, testing
from tests.e2e.conftest import eventually


def create(server: testing.Server) -> str:
    with Client.from_profile(server.profile) as client:
        return client.create_symmetric_key()


def readable(server: testing.Server, identifier: str) -> bool:
    with Client.from_profile(server.profile) as client:
        return client.get(identifier) is not None


def put_back(data: Path, kept: Path, *names: str) -> None:
    """Replace the database, and what else is named, by what was kept of it."""
    for name in ("strongroom.db", *names):
        target = data / name
        if target.is_dir():
            shutil.rmtree(target)
            shutil.copytree(kept / name, target)
        else:
            shutil.copy2(kept / name, target)
    for name in ("strongroom.db-wal", "strongroom.db-shm"):
        (data / name).unlink(missing_ok=True)


@pytest.mark.parametrize("anchored", [False, True], ids=["checkpoints", "anchor"])
def test_a_database_that_was_put_back_is_only_read_until_somebody_accepts_it(
    tmp_path: Path, anchored: bool
) -> None:
    """Issue: an old copy of the whole database is noticed against an anchor outside it."""
    anchor = tmp_path / "elsewhere" / "anchor"
    anchor.parent.mkdir()
    settings = {"audit": {"anchors": [f"file:{anchor}"]}} if anchored else {}
    with testing.server(tmp_path, workers=1, settings=settings) as server:
        old = create(server)
        server.stop()
        kept = tmp_path / "kept"
        shutil.copytree(server.directory, kept)
        server.start()
        create(server)
        server.stop()
        # Whoever puts back the audit log, too, is told by what stands elsewhere.
        put_back(server.directory, kept, *(["audit"] if anchored else []))
        server.start()
        server.wait_for_log("store_rolled_back")
        assert readable(server, old)
        with pytest.raises(KMIPError, match="store is older"):
            create(server)
        assert "store is older" in server.run("server", "status", "--data", str(server.directory))
        server.stop()
        server.start()
        with pytest.raises(KMIPError, match="store is older"):
            create(server)
        assert "accepted" in server.run("store", "accept", "--data", str(server.directory))
        new = create(server)
        server.stop()
        server.start()
        assert readable(server, new)
        create(server)


def test_a_chain_that_is_rewritten_under_a_running_server_is_not_signed_for(tmp_path: Path) -> None:
    """Whoever can write the database could otherwise have the next checkpoint vouch for it."""
    with testing.server(tmp_path, workers=2, settings={"audit": {"checkpoint": 1}}) as server:
        create(server)
        data = str(server.directory)
        server.run("audit", "checkpoint", "--data", data)
        with closing(sqlite3.connect(server.directory / "strongroom.db", timeout=10)) as database, database:
            database.execute("UPDATE audit SET hash = zeroblob(32)")
        server.wait_for_log("store_rolled_back")
        eventually(lambda: refused(server))


def test_a_chain_that_is_rewritten_is_not_signed_for_because_somebody_asks(tmp_path: Path) -> None:
    """Whoever reads or exports the log asks for a checkpoint, too; before the next look of the server."""
    with testing.server(tmp_path, settings={"audit": {"checkpoint": 3600}}) as server:
        create(server)
        data = str(server.directory)
        server.run("audit", "checkpoint", "--data", data)
        with closing(sqlite3.connect(server.directory / "strongroom.db", timeout=10)) as database, database:
            database.execute("UPDATE audit SET hash = zeroblob(32)")
        for words in (["checkpoint"], ["export", "--output", str(tmp_path / "export")]):
            asked = server.try_run("audit", *words, "--data", data)
            assert asked.returncode
            assert "nothing is signed for while the store is older" in asked.stderr
        server.stop()
        server.start()
        server.wait_for_log("store_rolled_back")


def refused(server: testing.Server) -> bool:
    """Tell whether every worker refuses changes."""
    for _ in range(6):
        try:
            create(server)
        except KMIPError:
            continue
        return False
    return True


def test_a_store_that_is_whole_is_verified_at_the_start_and_when_asked(tmp_path: Path) -> None:
    with testing.server(tmp_path, workers=2) as server:
        create(server)
        data = str(server.directory)
        eventually(lambda: "doubts: 0" in server.run("store", "doubts", "--data", data))
        server.wait_for_log("store_verified")
        assert "store doubts" in server.run("store", "verify", "--data", data)
        eventually(lambda: server.log_text().count("store_verified") >= 2)
        assert "store_doubted" not in server.log_text()
