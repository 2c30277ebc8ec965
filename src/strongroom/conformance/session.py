"""A whole run, from options to reports.

Rule: everything that can be wrong with the options is found before the first message is sent; every
refusal is one line that says what to change.
"""

import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Final

from strongroom.client.address import Address, parse_address
from strongroom.client.errors import InvalidSettings
from strongroom.client.profile import find_profile
from strongroom.conformance.cases import Case, Unreadable, load, version_in_name, with_predecessors
from strongroom.conformance.connection import HttpsChannel, ServerFault, TlsChannel
from strongroom.conformance.endpoint import Endpoint
from strongroom.conformance.player import Settings
from strongroom.conformance.report import BadReport, check_path, result_text, summary_text, write
from strongroom.conformance.results import CaseResult, Run
from strongroom.conformance.runner import Bench, run
from strongroom.conformance.target import Target, load_target
from strongroom.conformance.trees import find
from strongroom.registry import Tag, Version
from strongroom.registry.names import VALUES
from strongroom.registry.versions import parse_version
from strongroom.wire.encodings import Encoding
from strongroom.wire.item import Item

_PROMPT: Final = 30.0


class InvalidOptions(ValueError):
    """The options cannot be used; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user asks for. Times are in seconds."""

    vectors: Path
    profiles: Sequence[Path] = ()  # none: the default profile
    versions: Sequence[str] = ()  # none: all
    cases: Sequence[str] = ()  # patterns of names; none: all
    reports: Sequence[Path] = ()
    endpoint: str | None = None
    prompt: str | None = None  # a command that makes the server ask its client
    timeout: float = 30.0
    wait: float = 180.0
    encoding: Encoding | None = None  # of every case, over HTTPS; None leaves it to the case
    verbose: bool = False


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """Options that have been checked."""

    targets: Sequence[Target]
    cases: Sequence[Case]
    unreadable: Sequence[Unreadable]
    endpoint: Address | None


@dataclass(frozen=True)
class _Selection:
    """Which cases are asked for."""

    versions: Sequence[Version]
    patterns: Sequence[str]

    def holds(self, name: str, version: Version | None) -> bool:
        """Tell whether a case is asked for; one whose version is not known fits any."""
        return (not self.versions or version is None or version in self.versions) and (
            not self.patterns or any(fnmatchcase(name, pattern) for pattern in self.patterns)
        )


def play(options: Options, say: Callable[[str], None]) -> Run:
    """Play what is asked for, `say` what comes of it, write the reports, return the result.

    Raises InvalidOptions before anything was sent, ServerFault if no server can be reached at all, and
    BadReport if a report cannot be written in the end.
    """
    plan = _plan(options)
    _reach(plan.targets[0], options)
    listener = (
        Endpoint(plan.targets[0], plan.endpoint, timeout=options.timeout)
        if plan.endpoint is not None
        else None
    )

    def show(result: CaseResult) -> None:
        text = result_text(result, verbose=options.verbose)
        if text is not None:
            say(text)

    try:
        done = run(
            plan.cases,
            plan.unreadable,
            Bench(
                first=plan.targets[0],
                second=plan.targets[1] if len(plan.targets) > 1 else None,
                settings=Settings(
                    timeout=options.timeout, longest_wait=options.wait, encoding=options.encoding
                ),
                listener=listener,
                prompt=None if options.prompt is None else partial(prompt, shlex.split(options.prompt)),
            ),
            vectors=str(options.vectors),
            on_result=show,
        )
    finally:
        if listener is not None:
            listener.close()
    say(summary_text(done))
    for path in options.reports:
        write(done, path)
    return done


def prompt(command: Sequence[str], request: Item) -> None:
    """Run the command that makes the server ask its client what a request says; raises ServerFault.

    It is given `--version V`, and `--function F` for each Query Function; with none, it is Discover Versions.
    """
    versions = [[leaf[2] for leaf in found[2]] for found in find(request, Tag.PROTOCOL_VERSION)]
    arguments = ["--version", ".".join(map(str, versions[0]))]
    for found in find(request, Tag.QUERY_FUNCTION):
        arguments += ["--function", VALUES["QueryFunction"][found[2]].name]
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command
            [*command, *arguments], capture_output=True, text=True, timeout=_PROMPT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise ServerFault(f"the prompt command cannot be run: {exc}") from exc
    if done.returncode:
        raise ServerFault(f"the prompt command failed: {done.stderr.strip()}")


def _plan(options: Options) -> _Plan:
    try:
        profiles = options.profiles or [find_profile()]
        targets = [load_target(path) for path in profiles]
        for target in targets:
            target.context()
        selection = _Selection([parse_version(text) for text in options.versions], options.cases)
        endpoint = parse_address(options.endpoint) if options.endpoint is not None else None
        for path in options.reports:
            check_path(path)
    except (InvalidSettings, BadReport, ValueError) as exc:
        raise InvalidOptions(str(exc)) from exc
    if len(targets) > 2:
        raise InvalidOptions("at most two profiles can be given")
    for target in targets:
        if (options.encoding or target.encoding) is not None and target.https is None:
            raise InvalidOptions("messages are to travel over HTTPS, and a profile names no https address")
    if not options.vectors.is_dir():
        raise InvalidOptions(f"there is no folder {options.vectors}")
    cases, unreadable = load(options.vectors)
    fitting = [case for case in cases if selection.holds(case.name, case.version)]
    bad = [entry for entry in unreadable if selection.holds(entry.name, version_in_name(entry.name))]
    if not fitting and not bad:
        raise InvalidOptions(f"no case in {options.vectors} fits the options")
    return _Plan(
        targets=targets,
        cases=with_predecessors(fitting, cases),
        unreadable=bad,
        endpoint=endpoint,
    )


def _reach(target: Target, options: Options) -> None:
    """Raise ServerFault if no server answers at all, before every case says so."""
    channel = (
        HttpsChannel(target, target.https, timeout=options.timeout)
        if (options.encoding or target.encoding) is not None and target.https is not None
        else TlsChannel(target, timeout=options.timeout)
    )
    try:
        channel.connect()
    finally:
        channel.close()
