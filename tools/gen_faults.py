"""Generate the table of fault cases in docs/security.md: what each is, and the tests that show it.

`python tools/gen_faults.py` collects `faults N` (`faults 3, 29`) from the docstrings of tests and of their
modules and writes the table; `--check` fails if it is not current. A case without a test fails both, unless
it is in PENDING, which only ever shrinks; one that is there although it has a test fails too.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "security.md"
TESTS = ROOT / "tests"
BEGIN: Final = "<!-- generated: fault cases -->"
END: Final = "<!-- end -->"

MOST: Final = 3
"""Tests of one file that are named one by one."""

PENDING: Final[frozenset[int]] = frozenset()
"""Cases whose tests are still to be written."""

CASES: Final[Mapping[str, Sequence[str]]] = {
    "Parser and transport": (
        "a header announces 4 GiB - 1 and nothing follows",
        "5,000 connections never finish the TLS handshake",
        "one byte a second inside a valid frame",
        "structures nested 10,000 deep",
        "lengths, padding, types and values that are not what they should be",
        "unknown tags, values and extensions",
        "batch counts that lie, and batches of 100,000 items",
        "two requests in one TLS record, one request over 50 records",
        "JSON and XML: entities, laughs, huge numbers, duplicate keys, depth, odd hex",
        "an answer longer than Maximum Response Size",
        "protocol versions 9.9, 1.5 and negative ones",
        "a time stamp far in the past or future",
    ),
    "Identity and authorisation": (
        "every operation by owner, grants, other client, other tenant, nobody",
        "Re-key, Re-certify, Derive, Import and Join on another's object",
        "attributes and states changed with the right to Encrypt only",
        "the same common name from two authorities",
        "a revoked certificate on a live connection",
        "a certificate that expires in mid-session",
        "Locate by everything, as a user of one tenant",
        "a wrapping key that is another's or may not wrap",
        "sensitive and non-extractable objects in clear",
    ),
    "Cryptography and life cycle": (
        "objects in the wrong state are used",
        "a date passes between two requests",
        "IVs of GCM: never twice, reuse refused, short tags refused",
        "padding errors of RSA and CBC",
        "a thousand streams at once, abandoned, stolen, ended twice",
        "RNG Seed with hostile data",
        "parts of split keys: too few, wrong, mixed",
    ),
    "Durability and concurrency": (
        "kill -9 at named points of Create, Re-key and Destroy",
        "disk full, read-only, failing fsync, locked for 30 s",
        "a lost answer, and the request sent again",
        "200 clients at random under a model",
        "two nodes: one dies in mid-request, one is paused and comes back",
        "PostgreSQL restarts and fails over under load",
        "upgrades of old schemas, interrupted, and downgrades",
    ),
    "Operations": (
        "unseal shares: wrong, repeated, old, too many",
        "a sealed server",
        "certificates replaced on disk, and a bad pair",
        "SIGTERM in a long answer and in a stream",
        "root key rotation killed in the middle, twice",
    ),
}
"""What is attacked, in the order of the cases."""

_NAMED: Final = re.compile(r"\bfaults?\s+((?:\d+)(?:\s*(?:,|and)\s*\d+)*)", re.IGNORECASE)


def numbers(docstring: str | None) -> set[int]:
    """Return the cases that a docstring names."""
    named = _NAMED.findall(docstring or "")
    return {int(number) for some in named for number in re.findall(r"\d+", some)}


def tests_in(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the cases that a file of tests names, each with the test; empty for what its module says."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for number in numbers(ast.get_docstring(tree)):
        yield number, ""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            for number in numbers(ast.get_docstring(node)):
                yield number, node.name


def collect(folder: Path) -> dict[int, list[str]]:
    """Return the tests of each case, as `file::test` from the root of the repository."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for file in sorted(folder.rglob("test_*.py")):
        for number, test in tests_in(file):
            name = str(file.relative_to(folder.parent))
            found[number].append(f"{name}::{test}" if test else name)
    return dict(found)


def problems(found: Mapping[int, Iterable[str]], pending: frozenset[int], cases: int) -> Iterator[str]:
    """Yield what is wrong: unknown cases, cases without a test, pending ones that have one."""
    for number in sorted(found.keys() - set(range(1, cases + 1))):
        yield f"there is no fault case {number}, but {', '.join(found[number])} names it"
    for number in range(1, cases + 1):
        if number not in found and number not in pending:
            yield f"fault case {number} has no test; say `faults {number}` in the docstring of one"
        elif number in found and number in pending:
            yield f"fault case {number} has a test now; take it out of PENDING in tools/gen_faults.py"


def named(tests: Sequence[str]) -> Iterator[str]:
    """Yield what stands in the table for the tests of a case: each, or the file that has many of them."""
    files: defaultdict[str, list[str]] = defaultdict(list)
    for test in tests:
        file, _, function = test.partition("::")
        files[file] += [function] if function else []
    for file, functions in files.items():
        if 0 < len(functions) <= MOST:
            yield from (f"`{file}::{function}`" for function in functions)
        else:
            yield f"`{file}` ({len(functions)} tests)" if functions else f"`{file}`"


def table(found: Mapping[int, Sequence[str]]) -> str:
    """Return the table in Markdown."""
    lines = ["<!-- GENERATED by tools/gen_faults.py; do not edit (CI runs --check). -->", ""]
    number = 0
    for theme, cases in CASES.items():
        lines += [f"### {theme}", "", "| case | what happens | shown by |", "| --- | --- | --- |"]
        for case in cases:
            number += 1
            tests = found.get(number, ())
            shown = "<br>".join(named(tests)) if tests else "missing"
            lines.append(f"| {number} | {case} | {shown} |")
        lines.append("")
    return "\n".join(lines)


def render(page: str, found: Mapping[int, Sequence[str]]) -> str:
    """Return the page with the table between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise SystemExit(f"{PAGE} has no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{table(found)}{END}{after}"


def main() -> int:
    found = collect(TESTS)
    wrong = list(problems(found, PENDING, sum(map(len, CASES.values()))))
    for problem in wrong:
        print(problem, file=sys.stderr)
    page = PAGE.read_text(encoding="utf-8")
    wanted = render(page, found)
    if "--check" not in sys.argv:
        PAGE.write_text(wanted, encoding="utf-8")
    elif page != wanted:
        wrong.append("stale")
        print(f"{PAGE.name} is not current; run tools/gen_faults.py", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
