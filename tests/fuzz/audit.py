"""Coverage-guided fuzzing of what reads audit logs: segments, checkpoints, anchors, exports, places.

    pip install atheris
    PYTHONPATH=src python tests/fuzz/audit.py [-max_total_time=600] [CORPUS_DIRECTORY]

Whoever verifies a log reads what an attacker may have written. Any exception but the one that says so is a
finding.
"""

import contextlib
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["strongroom"]):
    from strongroom.audit.checkpoints import Anchor, Checkpoint, NotSigned
    from strongroom.audit.evidence import Export, NoEvidence
    from strongroom.audit.keys import SigningKey
    from strongroom.audit.rendering import parsed, row, to_cef
    from strongroom.audit.segments import Damage, Segment
    from strongroom.audit.verification import verify

KEY = SigningKey(SigningKey.new())
FILE = Path(tempfile.mkdtemp()) / "export"


def one_input(data: bytes) -> None:
    if not data:
        return
    choice, data = data[0] % 4, data[1:]
    if choice == 0:
        segment = Segment("reads-000-00000001.log", data)
        with contextlib.suppress(Damage):
            segment.read()
    elif choice == 1:
        for read in (Checkpoint.read, Anchor.read):
            with contextlib.suppress(NotSigned):
                read(data, [KEY.public])
    elif choice == 2:
        FILE.write_bytes(data)
        with contextlib.suppress(NoEvidence):
            verify(Export(FILE), [KEY.public], data.splitlines())
    else:
        line = to_cef(data)
        assert line.isascii()
        assert line.decode().isprintable()
        row(parsed(data), {})


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
