"""Printing lists: a table for people, JSON or bare identifiers for scripts.

Rule: results go to stdout and nothing else does. A table is plain text with aligned columns, so that it reads
the same on a terminal, in a file and in a bug report.
"""

import json
from collections.abc import Mapping, Sequence
from enum import Enum


class Output(Enum):
    """The forms of `-o`."""

    TABLE = "table"
    JSON = "json"
    ID = "id"


def print_rows(
    rows: Sequence[Mapping[str, object]], *, columns: Mapping[str, str], identifier: str, output: Output
) -> None:
    """Print rows: `columns` maps the heading of a table to a field, `identifier` is the field for `-o id`."""
    match output:
        case Output.JSON:
            print(json.dumps(list(rows), indent=2))
        case Output.ID:
            for row in rows:
                print(row[identifier])
        case Output.TABLE:
            print_table(list(columns), [[cell(row[field]) for field in columns.values()] for row in rows])


def print_table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Print aligned columns under upper-case headings."""
    everything = [[heading.upper() for heading in headings], *lines]
    widths = [max(len(line[column]) for line in everything) for column in range(len(headings))]
    for line in everything:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def cell(value: object) -> str:
    """Return how a value looks in a table; nothing is a dash."""
    if value is None or value in ("", [], ()):
        return "-"
    if isinstance(value, list | tuple):
        return ", ".join(str(entry) for entry in value)
    return str(value)
