"""A disk that takes data and then says that it could not keep them: fsync fails (faults 30).

Rule: the failure is real for the server; a library in front of the C library answers for the disk.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from strongroom import Client, testing
from strongroom.client.errors import ServerFailure
from tests.processes import kill_trees

pytestmark = pytest.mark.usefixtures("new_processes")

SHIM: Final = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int broken(void) {
    const char *flag = getenv("STRONGROOM_TEST_BROKEN_DISK");
    return flag != NULL && access(flag, F_OK) == 0;
}

int fsync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    if (broken()) { errno = EIO; return -1; }
    return real(fd);
}

int fdatasync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    if (broken()) { errno = EIO; return -1; }
    return real(fd);
}
"""


class Site:
    def __init__(self, server: testing.Server, flag: Path) -> None:
        self.server = server
        self.flag = flag


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("a C compiler is needed to put something in front of fsync")
    source, shim, flag = tmp_path / "shim.c", tmp_path / "shim.so", tmp_path / "broken"
    source.write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(shim))
    monkeypatch.setenv("STRONGROOM_TEST_BROKEN_DISK", str(flag))
    with testing.server(tmp_path / "site", workers=2) as server:
        yield Site(server, flag)


def test_what_the_disk_does_not_keep_is_refused_and_reads_go_on(site: Site) -> None:
    """faults 30: and changes go on without a restart when the disk is well again."""
    with Client.from_profile(site.server.profile) as client:
        early = client.create_symmetric_key(name="early")
        site.flag.touch()
        for number in range(3):
            with pytest.raises(ServerFailure, match="check the disk"):
                client.create_symmetric_key(name=f"refused {number}")
        assert len(client.get_material(early)) == 32
        assert client.find("early") == early
        process = site.server.process.pid
        site.flag.unlink()
        late = client.create_symmetric_key(name="late")
        assert sorted(client.locate()) == sorted([early, late])
        assert site.server.process.pid == process


def test_nothing_that_was_refused_appears_after_a_crash(site: Site) -> None:
    """faults 30: the database knows which of its pages were never safe."""
    with Client.from_profile(site.server.profile) as client:
        early = client.create_symmetric_key(name="early")
        site.flag.touch()
        with pytest.raises(ServerFailure):
            client.create_symmetric_key(name="refused")
        kill_trees([site.server.process.pid])
        site.server.kill()
        site.flag.unlink()
        site.server.start()
        assert client.locate() == [early]
        client.create_symmetric_key(name="refused")
