"""The documents do not drift from what they describe."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
QUOTED = re.compile(r"<!-- (?P<file>\S+) -->\n```python\n(?P<code>.*?)```", re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^)#:]+)(?:#[^)]*)?\)")
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_quoted_code_stands_in_the_file_that_is_named_above_it(document: Path) -> None:
    for quote in QUOTED.finditer(document.read_text()):
        assert quote["code"] in (ROOT / quote["file"]).read_text(), quote["file"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_that_exist(document: Path) -> None:
    for link in LINK.finditer(document.read_text()):
        assert (document.parent / link["target"]).exists(), link["target"]
