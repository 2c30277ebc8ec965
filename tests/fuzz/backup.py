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

import atheris

with atheris.instrument_imports(include=["strongroom"]):
    from strongroom.server.backup.archive import (
        ArchiveError,
        ArchiveReader,
        Header,
        PartBegins,
        Rows,
        encode_row,
    )
    from strongroom.server.backup.parts import checked_name
    from strongroom.server.backup.secrets import unpack
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
    reader = ArchiveReader(io.BytesIO(b"STRONGROOM BACKUP\n" + data).read)
    with contextlib.suppress(ArchiveError):
        for event in reader.events():
            assert reader.where
            if isinstance(event, Rows):
                assert all(isinstance(encode_row(row), bytes) for row in event.rows)
            elif isinstance(event, Header | PartBegins):
                repr(event)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
