"""Printing results: a table for people, JSON or bare identifiers for scripts.

Rule: results go to stdout and nothing else does. A table is plain text with aligned columns, so that it reads
the same on a terminal, in a file and in a bug report. Text of others cannot move the cursor of a terminal.
"""

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Annotated

import typer


class Output(Enum):
    """The forms of `-o`."""

    TABLE = "table"
    JSON = "json"
    ID = "id"


OutputOption = Annotated[Output, typer.Option("-o", "--output", help="How to print the result.")]


def print_rows(
    rows: Sequence[Mapping[str, object]], *, columns: Mapping[str, str], identifier: str, output: Output
) -> None:
    """Print rows: `columns` maps the heading of a table to a field, `identifier` is the field for `-o id`."""
    match output:
        case Output.JSON:
            print(json.dumps(list(rows), indent=2))
        case Output.ID:
            for row in rows:
                print(cell(row[identifier]))
        case Output.TABLE:
            print_table(list(columns), [[cell(row[field]) for field in columns.values()] for row in rows])


def print_record(record: Mapping[str, object], *, unique_identifier: str, output: Output) -> None:
    """Print what is known of one object, a line for each field."""
    match output:
        case Output.JSON:
            print(json.dumps(record, indent=2))
        case Output.ID:
            print(printable(unique_identifier))
        case Output.TABLE:
            width = max(map(len, record), default=0)
            for name, value in record.items():
                print(f"{printable(name).ljust(width)}  {cell(value)}")


def print_identifier(unique_identifier: str, output: Output) -> None:
    """Print what a command made or worked on."""
    if output is Output.JSON:
        print(json.dumps({"unique_identifier": unique_identifier}))
    else:
        print(printable(unique_identifier))


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
        return ", ".join(cell(entry) for entry in value)
    if isinstance(value, Mapping):
        return " ".join(f"{name}={cell(entry)}" for name, entry in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(str(value))


def printable(text: str) -> str:
    """Return text on one line, with what a terminal might obey written as an escape."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
