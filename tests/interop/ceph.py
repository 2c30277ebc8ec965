"""A Ceph of one monitor, one OSD in memory and one RADOS Gateway, which fetches its keys over KMIP.

Debian: `apt-get install ceph-mon ceph-osd radosgw`. Where they are not installed, the tests that need them
say so and are skipped.
"""

import base64
import contextlib
import hmac
import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Final

import pytest

from tests.interop.endpoint import TIMEOUT_SECONDS

OSD_TIMEOUT_SECONDS: Final = 60.0
AGAIN: Final = 'until "$@"; do sleep 0.2; done'

_PROGRAMS: Final = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
_BUCKET_POOL: Final = "default.rgw.buckets.data"
_ACCESS, _SECRET = "access", "secret"
_CONFIGURATION: Final = """\
[global]
fsid = {fsid}
mon host = [v1:{monitor}]
ms bind msgr2 = false
public addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
osd objectstore = memstore
memstore device bytes = 268435456
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data = {folder}/mon
osd data = {folder}/osd
run dir = {folder}
admin socket = {folder}/$name.asok
pid file = {folder}/$name.pid
log file = {folder}/$name.log
crash dir = {folder}
keyring = {folder}/none
[client.rgw]
rgw frontends = beast endpoint={gateway}
rgw crypt require ssl = false
"""


class Ceph:
    """A running Ceph; its gateway is spoken to as S3 clients do."""

    def __init__(self, folder: Path, gateway: str) -> None:
        self._folder = folder
        self._gateway = gateway

    def command(self, *command: str) -> bytes:
        """Run a program of Ceph to its end and return what it printed."""
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=_environment(self._folder),
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout

    def s3(self, method: str, path: str, body: bytes = b"", **amz: str) -> tuple[int, bytes]:
        """Send a signed request (version 2 of the signature); `amz` are x-amz- headers."""
        date = formatdate(usegmt=True)
        extra = {f"x-amz-{name.replace('_', '-')}": value for name, value in amz.items()}
        signed = "".join(f"{name}:{extra[name]}\n" for name in sorted(extra))
        text = f"{method}\n\n\n{date}\n{signed}{path}".encode()
        signature = base64.b64encode(hmac.digest(_SECRET.encode(), text, "sha1")).decode()
        headers = {"Date": date, "Authorization": f"AWS {_ACCESS}:{signature}", **extra}
        return self._exchange(method, path, body, headers)

    def stored(self) -> bytes:
        """Return what the OSD holds of the data of all buckets."""
        names = self.command("rados", "-p", _BUCKET_POOL, "ls").decode().split()
        return b"".join(self.command("rados", "-p", _BUCKET_POOL, "get", name, "-") for name in names)

    def _exchange(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        host, _, port = self._gateway.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def wait_for_osd(self) -> None:
        """Return when data can be kept."""
        give_up = time.monotonic() + OSD_TIMEOUT_SECONDS
        while b" 1 up" not in self.command("ceph", "osd", "stat"):
            assert time.monotonic() < give_up, "the OSD does not start"
            time.sleep(0.2)

    def wait(self) -> None:
        """Return when the gateway answers."""
        give_up = time.monotonic() + TIMEOUT_SECONDS
        while True:
            try:
                self._exchange("GET", "/", b"", {})
            except OSError:
                assert time.monotonic() < give_up, "the gateway does not start"
                time.sleep(0.05)
            else:
                return


@contextmanager
def ceph(folder: Path, pasted: Sequence[str]) -> Iterator[Ceph]:
    """Run a Ceph until the block ends; skips where none is installed.

    `pasted` are lines that an administrator gives to a shell before the gateway starts.
    """
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(
            f"{', '.join(missing)}: not installed (Debian: apt-get install ceph-mon ceph-osd radosgw)"
        )
    monitor, gateway = _free_address(), _free_address()
    fsid = str(uuid.uuid4())
    (folder / "ceph.conf").write_text(
        _CONFIGURATION.format(fsid=fsid, monitor=monitor, gateway=gateway, folder=folder)
    )
    for name in ("mon", "osd"):
        (folder / name).mkdir()
    running = Ceph(folder, gateway)
    with ExitStack() as stack:
        try:
            _come_up(stack, running, folder, monitor=monitor, fsid=fsid)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"Ceph itself does not come up here: {error}")
        # From here on it is about what we print, and how its gateway likes it.
        for line in pasted:
            running.command("sh", "-c", line)
        stack.enter_context(_process(folder, "radosgw", "-n", "client.rgw"))
        running.wait()
        yield running


def _come_up(stack: ExitStack, running: Ceph, folder: Path, *, monitor: str, fsid: str) -> None:
    """Start a Ceph that keeps data, and has a user; nothing in it knows of a key manager yet."""
    running.command("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v1:{monitor}]", "monmap")
    running.command("ceph-mon", "-i", "a", "--mkfs", "--monmap", "monmap")
    stack.enter_context(_process(folder, "ceph-mon", "-i", "a"))
    osd = str(uuid.uuid4())
    running.command("ceph", "osd", "new", osd)
    running.command("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
    # Now and then it asks the monitor before it knows which cluster that is of, and ends.
    stack.enter_context(_process(folder, "sh", "-c", AGAIN, "-", "ceph-osd", "-i", "0"))
    running.wait_for_osd()
    user = ("--uid", "user", "--display-name", "user", "--access-key", _ACCESS, "--secret-key", _SECRET)
    running.command("radosgw-admin", "-n", "client.rgw", "user", "create", *user)


@contextmanager
def _process(folder: Path, *command: str) -> Iterator[None]:
    """Run a part of Ceph in the foreground until the block ends."""
    with (folder / f"{command[0]}.out").open("wb") as output:
        process = subprocess.Popen(
            [*command, "-c", "ceph.conf", "-f"],
            cwd=folder,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "CEPH_CONF": str(folder / "ceph.conf")}


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return f"127.0.0.1:{unused.getsockname()[1]}"
