"""Load a folder of OASIS test cases.

Rule: a file becomes a Case or an Unreadable with its reason; nothing is dropped. A case is a list of
steps in the order in which they are played, and says which of its messages the server sends.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from strongroom.conformance.template import parse_message
from strongroom.conformance.trees import child, children, operations, success
from strongroom.registry import Operation, Tag, Version
from strongroom.registry.versions import VERSIONS
from strongroom.wire import xml
from strongroom.wire.encodings import Encoding
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import Item

_TIME: Final = re.compile(r"#\s*TIME\s+(\d+)")
_CLIENT: Final = re.compile(r"#\s*\[Client-([A-Z])\]")
_FROM_SERVER: Final = re.compile(r"#\s*\[Server-to-Client\]")
_REPEAT: Final = re.compile(r"#\s*\[REPEAT\]")
_SUFFIX: Final = re.compile(r"-(\d)(\d)\Z")
_FAMILY: Final = re.compile(r"(TC)-|(.+?)-[MO]-")
_NUMBER: Final = re.compile(r"(.*?)-?(\d+)\Z")

# The profiles of KMIP Additional Message Encodings 1.0; JSON and XML have no transport but HTTPS.
_ENCODINGS: Final = {
    "MSGENC-HTTPS": Encoding.TTLV,
    "MSGENC-JSON": Encoding.JSON,
    "MSGENC-XML": Encoding.XML,
}

SERVER_OPERATIONS: Final = frozenset({Operation.PUT, Operation.NOTIFY})
FIRST_CLIENT: Final = "A"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One request and the response to expect; leaves may hold variables."""

    time: int | None  # of the comment `# TIME n`: a label, not seconds
    client: str  # "A" is the first profile, any other letter the second
    from_server: bool
    repeat: bool
    request: Item
    response: Item


@dataclass(frozen=True, kw_only=True)
class Case:
    """One test case of one version."""

    name: str  # SKLC-M-1-10
    title: str  # SKLC-M-1
    family: str  # SKLC
    version: Version
    group: str  # mandatory, optional, testcases
    path: Path
    steps: tuple[Step, ...]

    @property
    def encoding(self) -> Encoding | None:
        """How its messages travel over HTTPS, None for a case that any transport will do for."""
        return _ENCODINGS.get(self.family)

    @property
    def clients(self) -> frozenset[str]:
        return frozenset(step.client for step in self.steps)

    @property
    def has_server_messages(self) -> bool:
        return any(step.from_server for step in self.steps)

    @property
    def continues(self) -> bool:
        """Whether the case works on an object that an earlier case has left behind."""
        return _first_sight(self.steps) in _LOOKING

    @property
    def order(self) -> tuple[str, int, str]:
        """Sort key that puts TL-M-2 before TL-M-10, and a set-up first."""
        series, number = split_title(self.title)
        return (series.replace("-SETUP", ""), -1 if "-SETUP" in series else number, self.title)


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """A file that holds no case that can be played, and why."""

    name: str
    path: Path
    reason: str


def load(folder: Path) -> tuple[list[Case], list[Unreadable]]:
    """Return the cases under `folder` (`vX.Y/{mandatory,optional,testcases}/NAME.xml`), in order of play."""
    cases: list[Case] = []
    unreadable: list[Unreadable] = []
    for path in sorted(folder.rglob("*.xml")):
        try:
            cases.append(load_case(path))
        except (DecodeError, ValueError, OSError) as exc:
            unreadable.append(Unreadable(name=path.stem, path=path, reason=str(exc)))
    cases.sort(key=lambda case: (case.version, case.order))
    return cases, unreadable


def load_case(path: Path) -> Case:
    """Read one file; raises DecodeError, ValueError or OSError."""
    name = path.stem
    title = _SUFFIX.sub("", name)
    steps = tuple(_steps(path.read_bytes(), server_only="-S2C-" in f"{title}-"))
    if not steps:
        raise ValueError("it holds no messages")
    return Case(
        name=name,
        title=title,
        family=family_in_name(name),
        version=_version(name, steps[0].request),
        group=path.parent.name,
        path=path,
        steps=steps,
    )


def family_in_name(name: str) -> str:
    """Return the profile that a case's name begins with (SKLC in `SKLC-M-1-10`)."""
    title = _SUFFIX.sub("", name)
    found = _FAMILY.match(title)
    return next(filter(None, found.groups())) if found else title


def version_in_name(name: str) -> Version | None:
    """Return the version that a case's name ends with (`SKLC-M-1-10`), None when it ends with none."""
    suffix = _SUFFIX.search(name)
    version = Version(int(suffix[1]), int(suffix[2])) if suffix else None
    return version if version in VERSIONS else None


def split_title(title: str) -> tuple[str, int]:
    """Return the series and the number of a case (`TL-M`, 2); the number is 0 where there is none."""
    found = _NUMBER.match(title)
    return (found[1], int(found[2])) if found else (title, 0)


@dataclass(frozen=True)
class Series:
    """Cases that are played together; `before` is of an older version and played for what it makes."""

    cases: list[Case]
    before: tuple[Case, ...] = ()


def chains(cases: Sequence[Case]) -> list[Series]:
    """Group cases of one version that must be played together, in order.

    A case that works on objects it did not make follows the case before it in its series that left
    some (TL-M-3 reads the key that TL-M-2 made). Where its version has none, an older version's is
    played first (TC-OTP-1 of 1.4 finds what TC-OTP-SETUP-2 of 1.3 registers).
    """
    found: list[Series] = []
    for position, case in enumerate(cases):
        last = found[-1] if found else None
        if not case.continues or last is None:
            found.append(Series([case]))
        elif _leads_to(last, case):
            last.cases.append(case)
        else:
            found.append(Series([case], _left_by_an_older(case, cases[:position])))
    return found


def with_predecessors(fitting: Sequence[Case], cases: Sequence[Case]) -> list[Case]:
    """Return the cases that fit, and those that must be played before them."""
    wanted = {case.name for case in fitting}
    for series in chains(cases):
        names = [case.name for case in series.cases]
        last = max((place for place, name in enumerate(names) if name in wanted), default=None)
        if last is not None:
            wanted |= {case.name for case in series.before} | set(names[:last])
    return [case for case in cases if case.name in wanted]


def _leads_to(series: Series, case: Case) -> bool:
    last = series.cases[-1]
    return (last.version, last.order[0]) == (case.version, case.order[0]) and any(
        map(_leaves_objects, (*series.before, *series.cases))
    )


def _left_by_an_older(case: Case, older: Sequence[Case]) -> tuple[Case, ...]:
    """Return the cases of the series that leave objects, of the nearest version that has such."""
    leaving = [earlier for earlier in older if earlier.order[0] == case.order[0] and _leaves_objects(earlier)]
    return tuple(earlier for earlier in leaving if earlier.version == leaving[-1].version)


def _steps(document: bytes, *, server_only: bool) -> Iterator[Step]:
    """Yield the steps; a run of requests before a run of responses is paired by operation."""
    waiting: list[Step] = []
    for notes, data in xml.messages(document):
        message = parse_message(data)
        if message[0] == Tag.REQUEST_MESSAGE:
            waiting.append(_half_step(message, notes, server_only=server_only))
        else:
            step = waiting.pop(_answered(waiting, message))
            yield replace(step, response=message)
    if waiting:
        raise ValueError(f"{len(waiting)} request(s) at the end have no response")


def _half_step(request: Item, notes: str, *, server_only: bool) -> Step:
    time = _TIME.search(notes)
    client = _CLIENT.search(notes)
    from_server = (
        server_only
        or _FROM_SERVER.search(notes) is not None
        or bool(SERVER_OPERATIONS & set(operations(request)))
    )
    return Step(
        time=int(time[1]) if time else None,
        client=client[1] if client else FIRST_CLIENT,
        from_server=from_server,
        repeat=_REPEAT.search(notes) is not None,
        request=request,
        response=request,
    )


def _answered(waiting: Sequence[Step], response: Item) -> int:
    if not waiting:
        raise ValueError("a response comes before its request")
    wanted = operations(response)
    for position, step in enumerate(waiting):
        if operations(step.request) == wanted:
            return position
    return 0


def _version(name: str, request: Item) -> Version:
    named = version_in_name(name)
    if named is not None:
        return named
    header = child(request, Tag.REQUEST_HEADER)
    printed = child(header, Tag.PROTOCOL_VERSION) if header else None
    if printed is None:
        raise ValueError("neither the name nor the first request tells the version")
    major, minor = (leaf[2] for leaf in printed[2])
    return Version(major, minor)


_MAKING: Final = frozenset(
    {Operation.CREATE, Operation.REGISTER, Operation.CREATE_KEY_PAIR, Operation.IMPORT}
)
_LOOKING: Final = frozenset({Operation.LOCATE, Operation.GET_ATTRIBUTES, Operation.GET})


def _first_sight(steps: Sequence[Step]) -> int | None:
    """Return the operation whose response is the first to name an object."""
    for step in steps:
        for batch_item in children(step.response, Tag.BATCH_ITEM):
            payload, operation = child(batch_item, Tag.RESPONSE_PAYLOAD), child(batch_item, Tag.OPERATION)
            if payload and operation and any(child(payload, tag) for tag in _IDENTIFIERS):
                return int(operation[2])
    return None


_IDENTIFIERS: Final = (Tag.UNIQUE_IDENTIFIER, Tag.PRIVATE_KEY_UNIQUE_IDENTIFIER)


def _leaves_objects(case: Case) -> bool:
    """Tell whether the case makes more objects than it destroys."""
    made = destroyed = 0
    for step in case.steps:
        for batch_item in children(step.response, Tag.BATCH_ITEM):
            operation = child(batch_item, Tag.OPERATION)
            if operation is None or not success(batch_item):
                continue
            made += operation[2] in _MAKING
            destroyed += operation[2] == Operation.DESTROY
    return made > destroyed
