"""The public OASIS test cases, where they are at hand: each message means the same in every encoding."""

import os
import re
from pathlib import Path

import pytest

from strongroom.registry.versions import VERSIONS, Version
from strongroom.wire import binary, json, xml

FOLDER = Path(os.environ.get("STRONGROOM_VECTORS") or Path(__file__).parents[4] / "shared" / "kmip" / "oasis")

# A name that no version defines, in the one case that prints it.
MISPRINTS = {"NotAuthorized": "PermissionDenied"}


def plausible(value: str) -> str:
    """Return a value for a variable that fits every type in which the cases use it."""
    if re.fullmatch(r"\$NOW([+-]\d+)?", value):
        return "2024-05-06T07:08:09+00:00"
    return "00112233445566778899aabbccddeeff" if value.startswith("$") else MISPRINTS.get(value, value)


@pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no test cases in {FOLDER}; STRONGROOM_VECTORS names another"
)
@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_every_message_of_the_test_cases_survives_every_encoding(version: Version) -> None:
    files = sorted((FOLDER / f"v{version}").rglob("*.xml"))
    assert files
    for file in files:
        messages = xml.messages(file.read_bytes())
        assert messages, file.name
        for message in messages:
            item = xml.decode(message.data, substitute=plausible)
            assert binary.decode(binary.encode(item)) == item, file.name
            assert xml.decode(xml.encode(item, version=version)) == item, file.name
            assert json.decode(json.encode(item, version=version)) == item, file.name
