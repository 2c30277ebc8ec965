"""What the engine makes of a store that somebody else has written to."""

import sqlite3
from pathlib import Path

import pytest

from strongroom.model.identifiers import NameReference
from strongroom.operations.get import GetRequest
from strongroom.registry import V3_0, ResultReason
from tests.kms import Refused, TestKms


def test_a_name_reference_is_not_led_to_another_object_by_an_edited_index(
    kms: TestKms, tmp_path: Path
) -> None:
    """The index is not sealed; the names in the record are."""
    right = kms.create_symmetric_key(name="right")
    wrong = kms.create_symmetric_key(name="wrong")
    get = GetRequest(unique_identifier=NameReference("right"))
    assert kms.call(get, version=V3_0).unique_identifier == right
    with sqlite3.connect(tmp_path / "strongroom.db") as database:
        sequences = dict(database.execute("SELECT unique_identifier, sequence FROM objects").fetchall())
        database.execute("DELETE FROM terms WHERE sequence = ?", (sequences[right],))
        for tenant, term in database.execute("SELECT DISTINCT tenant, term FROM terms").fetchall():
            renamed = (tenant, term.replace(b"wrong", b"right"), sequences[wrong])
            database.execute("INSERT OR IGNORE INTO terms VALUES (?, ?, ?)", renamed)
    database.close()
    with pytest.raises(Refused) as refused:
        kms.call(get, version=V3_0)
    assert refused.value.reason is ResultReason.OBJECT_NOT_FOUND
