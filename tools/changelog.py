"""Assemble the changelog from the fragments in `changes/`.

Each change that a user can see adds `changes/<issue>.<kind>.md`: one sentence in the user's words.
`python tools/changelog.py` prints what is not released yet, `--release VERSION DATE` moves it to the
top of CHANGELOG.md and removes the fragments, `--check` fails if a fragment is malformed.
"""

import argparse
import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
FRAGMENTS = ROOT / "changes"
CHANGELOG = ROOT / "CHANGELOG.md"
KINDS = {
    "added": "Added",
    "changed": "Changed",
    "deprecated": "Deprecated",
    "removed": "Removed",
    "fixed": "Fixed",
    "security": "Security",
}
NAME = re.compile(rf"(?P<issue>\d+)(?:-(?P<part>[a-z0-9-]+))?\.(?P<kind>{'|'.join(KINDS)})\.md")


class Fragment(NamedTuple):
    """One sentence about one change; several of a kind in one issue are told apart by `part`."""

    kind: str
    issue: int
    part: str
    text: str


def read(path: Path) -> Fragment:
    """Return the fragment in `path`, or raise ValueError that says what is wrong with it."""
    matched = NAME.fullmatch(path.name)
    if matched is None:
        raise ValueError(
            f"{path.name}: the name must be <issue>[-<part>].<kind>.md, kind one of {', '.join(KINDS)}"
        )
    text = " ".join(path.read_text().split())
    if not text.endswith("."):
        raise ValueError(f"{path.name}: write one sentence that ends with a full stop")
    return Fragment(matched["kind"], int(matched["issue"]), matched["part"] or "", text)


def fragment_files() -> list[Path]:
    return [path for path in sorted(FRAGMENTS.iterdir()) if path.name != "README.md"]


def render(fragments: list[Fragment]) -> str:
    """Return the sections, in the order of KINDS and by issue in each."""
    sections = []
    for kind, title in KINDS.items():
        lines = [f"- {f.text} (#{f.issue})" for f in sorted(fragments) if f.kind == kind]
        if lines:
            sections.append(f"### {title}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(sections)


def release(version: str, date: str, body: str) -> None:
    """Put `body` at the top of the changelog under `version`, and remove the fragments."""
    title = "# Changelog\n"
    older = CHANGELOG.read_text().removeprefix(title) if CHANGELOG.exists() else ""
    CHANGELOG.write_text(f"{title}\n## {version} ({date})\n\n{body}{older}")
    for path in fragment_files():
        path.unlink()


def main() -> int:
    parser = argparse.ArgumentParser(description="Assemble the changelog from its fragments.")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="only say whether the fragments are well formed")
    choice.add_argument("--release", nargs=2, metavar=("VERSION", "DATE"), help="write CHANGELOG.md")
    arguments = parser.parse_args()
    try:
        fragments = [read(path) for path in fragment_files()]
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.check:
        return 0
    body = render(fragments)
    if arguments.release:
        version, date = arguments.release
        release(version, date, body)
    else:
        print(body, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
