"""What came of a run.

Rule: plain records that every report is made from; nothing here talks to a server or formats a page.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from strongroom.registry import Version


class Outcome(Enum):
    """What came of one case."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_PLAYED = "not played"  # the reason is in the result; it is never a pass


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The first step that failed."""

    step: int  # from 1
    time: int | None  # the listing's `# TIME n`
    operations: str
    reason: str  # where and how the answer differs, or what came instead of one
    expected: str  # the listing's response as a tree
    request: str  # as sent, but for the credentials of the profile
    answer: str | None  # as received; None when it was no message
    answer_bytes: bytes
    request_bytes: bytes = b""  # none when the server asked, or the request could not be filled in


@dataclass(frozen=True, kw_only=True)
class CaseResult:
    """One case."""

    name: str
    title: str
    family: str
    version: Version | None  # None when neither the file nor its name tells one
    group: str
    outcome: Outcome
    steps: int
    seconds: float
    reason: str | None = None  # why it was not played
    failure: Failure | None = None
    variations: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Run:
    """All cases of a run against one server."""

    target: str
    vectors: str
    started: float  # seconds since 1970
    results: Sequence[CaseResult]

    def count(self, outcome: Outcome) -> int:
        return sum(result.outcome is outcome for result in self.results)

    @property
    def conforms(self) -> bool:
        """Whether every case was played and passed."""
        return all(result.outcome is Outcome.PASSED for result in self.results)


@dataclass
class Tally:
    """Cases of one profile and version."""

    counts: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def passed(self) -> int:
        return self.counts[Outcome.PASSED]


def tallies(results: Iterable[CaseResult]) -> dict[str, dict[Version, Tally]]:
    """Return the counts by family and version, both in order."""
    table: dict[str, dict[Version, Tally]] = {}
    for result in results:
        if result.version is None:
            continue
        row = table.setdefault(result.family, {})
        row.setdefault(result.version, Tally()).counts[result.outcome] += 1
    return dict(sorted(table.items()))


def versions(results: Iterable[CaseResult]) -> list[Version]:
    """Return the versions of the cases, oldest first."""
    return sorted({result.version for result in results if result.version is not None})
