"""What leaves for other programs is one line of ASCII each, whatever an event says."""

import errno
import json
import os
import re
import socket
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.audit.outlets import OutletFailed, parse, syslog_message
from strongroom.audit.rendering import to_cef
from tests.unit.audit.test_read_log import event

FORGERY = 'x\nCEF:0|Strongroom|strongroom|9|Get|Get|1|act=Get\r\u2028\x1b[2J=|\\"'


@given(st.text(), st.text(), st.none() | st.text())
def test_an_event_in_cef_is_one_line(peer: str, operation: str, user: str | None) -> None:
    line = to_cef(event(1)._replace(peer=peer, operation=operation, user=user).encode())
    assert line.isascii()
    assert line.decode().isprintable()


def test_nothing_in_an_event_looks_like_a_field_of_cef() -> None:
    line = to_cef(event(1)._replace(user=FORGERY, operation=FORGERY).encode()).decode()
    assert line.startswith("CEF:0|Strongroom|strongroom|")
    *_, severity, extension = re.split(r"(?<!\\)(?:\\\\)*\|", line, maxsplit=7)
    assert severity == "3"
    fields = re.findall(r"(\w+)(?<!\\)=", extension)
    assert fields.count("act") == 1
    assert fields[:2] == ["rt", "suid"]


def test_what_is_no_event_is_told_as_such() -> None:
    assert b"UNREADABLE" in to_cef(b"\xff\n")


def test_a_syslog_message_is_as_rfc_5424_wants_it() -> None:
    message = syslog_message(event(1).encode()).decode()
    head = r"<109>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S+ strongroom \d+ audit - "
    found = re.match(head, message)
    assert found
    assert json.loads(message[found.end() :])["operation"] == "GET"


@pytest.mark.parametrize(
    "where",
    [
        "",
        "file",
        "file:",
        "file:relative",
        "tcp:host",
        "tcp:host:0",
        "udp:host:1",
        "syslog:host:x",
        "tls:host",
        "file+tls:host:1",
    ],
)
def test_a_place_that_cannot_be_is_refused(where: str) -> None:
    with pytest.raises(ValueError):
        parse(where)


def test_a_file_gets_lines_and_is_its_owners(tmp_path: Path) -> None:
    outlet = parse(f"file:{tmp_path}/out")
    outlet.send([b"one", b"two"])
    outlet.send([b"three"])
    assert (tmp_path / "out").read_bytes() == b"one\ntwo\nthree\n"
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600
    with pytest.raises(OutletFailed, match="No such file"):
        parse(f"file:{tmp_path}/none/out").send([b"one"])


def full_after(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the disk take so many bytes, and no more."""
    original, left = os.write, [count]

    def write(descriptor: int, content: bytes) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = original(descriptor, content[: left[0]])
        left[0] -= taken
        return taken

    monkeypatch.setattr(os, "write", write)


@pytest.mark.parametrize(("restarted", "readable"), [(False, True), (True, True), (False, False)])
def test_after_a_full_disk_the_next_line_is_one_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restarted: bool, readable: bool
) -> None:
    outlet = parse(f"file:{tmp_path}/out")
    outlet.send([b"one"])
    with monkeypatch.context() as patched:
        full_after(2, patched)
        with pytest.raises(OutletFailed, match="No space"):
            outlet.send([b"two"])
    if restarted:
        outlet = parse(f"file:{tmp_path}/out")
    if not readable:
        monkeypatch.setattr(Path, "open", lambda *_: (_ for _ in ()).throw(PermissionError("no")))
    outlet.send([b"two"])
    outlet.send([b"three"])
    monkeypatch.undo()
    assert (tmp_path / "out").read_bytes() == b"one\ntw\ntwo\nthree\n"


def test_syslog_over_tcp_counts_octets_and_comes_back_after_a_restart() -> None:
    received: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    hung_up = threading.Event()

    def serve() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                received.append(connection.recv(4096))
            hung_up.set()

    thread = threading.Thread(target=serve)
    thread.start()
    outlet = parse(f"syslog:127.0.0.1:{port}")
    outlet.send([b"one"])
    hung_up.wait()
    outlet.send([b"two"])
    thread.join()
    listener.close()
    for message, line in zip(received, (b"one", b"two"), strict=True):
        count, _, rest = message.partition(b" ")
        assert int(count) == len(rest)
        assert rest.endswith(b" audit - " + line)
    outlet.close()
    with pytest.raises(OutletFailed, match="refused"):
        outlet.send([b"three"])


def test_the_syslog_of_this_machine_gets_datagrams(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        parse(f"syslog:{path}").send([b"one", b"two"])
        assert listener.recv(4096).endswith(b"one")
        assert listener.recv(4096).endswith(b"two")
