"""`strongroom audit`: what was done, by whom, and whether the record of it is whole.

Rule: options and printing; `strongroom/audit/` decides. `verify` needs no server, no data directory and no
key but the public one.
"""

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from strongroom.cli.administration import DataOption, administer, is_here, open_here
from strongroom.cli.exit import ExitCode, Stop
from strongroom.cli.output import Output, OutputOption, print_record, print_rows, printable

if TYPE_CHECKING:
    from strongroom.audit.keys import VerifyingKey
    from strongroom.server.data_directory import DataDirectory

app = typer.Typer(help="Show, export and verify the audit log.", rich_markup_mode=None, no_args_is_help=True)

LogOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        "--profile",
        metavar="DIR",
        help="The server's data directory. The log is read on that machine only, so a profile is refused.",
    ),
]
SinceOption = Annotated[str | None, typer.Option(metavar="DATE", help="Leave out what is older (UTC).")]


class Format(Enum):
    """The forms of an export."""

    JSONL = "jsonl"
    CEF = "cef"


@app.command()
def verify(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A copy of a data directory, or what `export` wrote.")
    ],
    key: Annotated[
        list[Path] | None,
        typer.Option(metavar="PUB", help="The public key, audit.pub; repeatable. [default: PATH/audit.pub]"),
    ] = None,
    anchor: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="What an anchor has kept; repeatable.")
    ] = None,
) -> None:
    """Tell whether an audit log is what was recorded.

    Works on any machine, without a server. Names the first record of each chain that was altered, deleted,
    moved, cut off or chained anew, and exits 1 then.
    """
    from strongroom.audit.evidence import Copy, Export, NoEvidence
    from strongroom.audit.verification import verify as judge

    if not path.exists():
        raise Stop(f"{path} does not exist", ExitCode.NOT_FOUND)
    keys = [_read_key(one) for one in key or _key_beside(path)]
    anchors = [line for file in anchor for line in _lines(file)] if anchor else None
    try:
        verdict = judge(Copy(path) if path.is_dir() else Export(path), keys, anchors)
    except NoEvidence as error:
        raise Stop(str(error)) from error
    except OSError as error:
        raise Stop(f"cannot read {error.filename}: {error.strerror}") from error
    print(
        f"{verdict.changes} changes, {verdict.reads} reads and refusals, {verdict.checkpoints} checkpoints,"
        f" {'with' if anchors is not None else 'without'} an anchor"
    )
    for remark in verdict.remarks:
        print(f"note: {printable(remark)}")
    if not key:
        print("note: the key came from the same place as the log; use the one that you keep elsewhere")
    for finding in verdict.findings:
        print(f"BAD {printable(str(finding))}")
    if not verdict.good:
        raise Stop(
            "the audit log is not what was recorded; the lines above name the first bad record of each chain"
        )
    print("good: nothing that can be verified here was altered, deleted, moved or cut off")


@app.command()
def export(
    data: LogOption = None,
    form: Annotated[
        Format, typer.Option("--format", help="jsonl can be verified; cef is for other programs.")
    ] = Format.JSONL,
    since: SinceOption = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where it goes. [default: stdout]")
    ] = None,
) -> None:
    """Write the audit log.

    Beside a live server, and complete up to this moment.
    """
    from strongroom.server.app import StrongroomAdapters
    from strongroom.server.audit_reading import export as write
    from strongroom.server.audit_reading import moment

    with _written(output) as file:
        permit = write(
            _open_log(data),
            StrongroomAdapters(),
            file,
            since=moment(since),
            cef=form is Format.CEF,
        )
    if permit.problem is not None:
        print(f"strongroom: {printable(permit.problem)}", file=sys.stderr)


@app.command()
def show(
    data: LogOption = None,
    client: Annotated[str | None, typer.Option(metavar="NAME", help="Only what this client did.")] = None,
    object_: Annotated[
        str | None, typer.Option("--object", metavar="ID", help="Only what touched this object.")
    ] = None,
    since: SinceOption = None,
    last: Annotated[int, typer.Option(metavar="N", min=1, help="How many, the newest.")] = 100,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what was done, by whom, and how it ended.

    In the order of time; of events in the same second, changes come first.
    """
    from strongroom.audit.rendering import parsed, row
    from strongroom.server.app import StrongroomAdapters
    from strongroom.server.audit_reading import events, moment
    from strongroom.server.errors import NotFound

    earliest = moment(since) or 0
    permit, every = events(_open_log(data), StrongroomAdapters())
    numbers = {number for number, name in permit.clients.items() if name == client}
    if client is not None and not numbers:
        raise NotFound(f"there is no client {client!r}; `strongroom client list` shows them")
    found = sorted(
        (
            said
            for said in map(parsed, every)
            if said.get("at", 0) >= earliest
            and (client is None or said.get("client") in numbers)
            and (object_ is None or _touches(said, object_))
        ),
        key=lambda said: int(said.get("at", 0)),
    )
    newest = deque(found, maxlen=last)
    if output is Output.JSON:
        print_rows(list(newest), columns={}, identifier="operation", output=output)
        return
    rows = [row(said, permit.clients) for said in newest]
    columns = {name: name for name in ("at", "who", "peer", "operation", "outcome", "objects")}
    print_rows(rows, columns=columns, identifier="operation", output=output)


@app.command()
def checkpoint(data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """Sign the end of the audit log as it is now."""
    made = administer(data, {"command": "audit.checkpoint"})
    assert isinstance(made, dict)
    print_record(made, unique_identifier=str(made["number"]), output=output)


def _open_log(where: Path | None) -> "DataDirectory":
    if where is None or not is_here(where):
        raise Stop(
            "the audit log is read on the machine of the server: give --data DIR there; from another machine,"
            " have a sink, or be sent what `audit export` writes",
            ExitCode.USAGE,
        )
    return open_here(where)


def _touches(said: object, identifier: str) -> bool:
    assert isinstance(said, dict)
    return identifier in said.get("objects", ()) or any(
        changed[0] == identifier for changed in said.get("changed", ())
    )


def _key_beside(path: Path) -> list[Path]:
    beside = path / "audit.pub"
    if not beside.is_file():
        raise Stop("there is no public key beside the log; give it: --key audit.pub", ExitCode.USAGE)
    return [beside]


def _read_key(path: Path) -> "VerifyingKey":
    from strongroom.audit.keys import NotAnAuditKey, VerifyingKey

    try:
        return VerifyingKey.read(path.read_bytes())
    except OSError as error:
        raise Stop(f"cannot read {path}: {error.strerror}", ExitCode.NOT_FOUND) from error
    except NotAnAuditKey as error:
        raise Stop(
            f"{path}: {error}; give the file audit.pub of the data directory", ExitCode.USAGE
        ) from error


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError as error:
        raise Stop(f"cannot read {path}: {error.strerror}", ExitCode.NOT_FOUND) from error


@contextmanager
def _written(path: Path | None) -> Iterator[IO[bytes]]:
    if path is None:
        yield sys.stdout.buffer
        return
    try:
        file = path.open("xb")
    except FileExistsError:
        raise Stop(f"{path} exists already; name another file") from None
    except OSError as error:
        raise Stop(f"cannot write {path}: {error.strerror}") from error
    try:
        with file:
            yield file
    except BaseException:
        # Half an export proves nothing, and would be in the way of the next one.
        path.unlink(missing_ok=True)
        raise
