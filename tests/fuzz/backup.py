"""Coverage-guided fuzzing of the reader of backups, behind its encryption.

    pip install atheris
    PYTHONPATH=src python tests/fuzz/backup.py [-max_total_time=600] [CORPUS_DIRECTORY]

Any exception but ArchiveError is a finding, and so is a row that does not survive being written again. What
faces a stranger first is age, whose blocks are authenticated; a backup by somebody who knows a recipient is
what gets as far as this.
"""

import contextlib
import io
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["strongroom"]):
    from strongroom.model.secret import SecretBytes
    from strongroom.server.backup.archive import (
        MAGIC,
        ArchiveError,
        ArchiveReader,
        ArchiveWriter,
        Header,
        PartBegins,
        Rows,
        encode_row,
    )
    from strongroom.server.backup.parts import checked_name
    from strongroom.server.backup.secrets import pack, unpack
    from strongroom.server.errors import OperatorError


def one_input(data: bytes) -> None:
    if not data:
        return
    choice, data = data[0] % 3, data[1:]
    if choice == 0:
        with contextlib.suppress(ArchiveError):
            repr(unpack(data))
        return
    if choice == 1:
        name = data.decode("utf-8", "replace")
        with contextlib.suppress(OperatorError):
            checked = checked_name(name, f"[tls]\nclient_ca = '{name}'\n")
            assert ".." not in checked.split("/")
            assert not checked.startswith("/")
        return
    read(data)


def read(data: bytes) -> None:
    reader = ArchiveReader(io.BytesIO(MAGIC + data).read)
    with contextlib.suppress(ArchiveError):
        for event in reader.events():
            assert reader.where
            if isinstance(event, Rows):
                assert all(isinstance(encode_row(row), bytes) for row in event.rows)
            elif isinstance(event, Header | PartBegins):
                repr(event)


def seeds(folder: Path) -> None:
    """Write what to begin with: whole archives and secrets, behind the byte that picks their reader."""
    for rows in ([], [(1, "one", b"first"), (2, None, bytes(40))]):
        out = io.BytesIO()
        header = Header(
            backup="b", created_at="2026-01-01T00:00:00+00:00", server="1", schema="1", database="sqlite"
        )
        writer = ArchiveWriter(out.write, header)
        writer.begin(PartBegins("strongroom.toml", "file"))
        writer.data(b"hosts = []")
        writer.end()
        writer.begin(PartBegins("objects", "table", ("a", "b", "c"), ("a",)))
        writer.rows(rows)
        writer.end()
        writer.finish()
        writer.sign("00" * 8, bytes(64))
        (folder / f"archive{len(rows)}").write_bytes(b"\2" + out.getvalue().removeprefix(MAGIC))
    secret = SecretBytes(bytes(32))
    (folder / "secrets").write_bytes(b"\0" + pack({1: secret}, {"ca.key": secret}))
    (folder / "name").write_bytes(b"\1tls/ca.pem")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        seeds(Path(name))
        atheris.Setup([*sys.argv, name], one_input)
        atheris.Fuzz()
