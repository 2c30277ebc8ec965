"""Is an audit log what was recorded?

Rule: nothing but the evidence, the public key and anchors is needed, and nothing is believed that a signature
or a hash does not show. Each finding names the first record that is wrong.

A hash shows that a record was changed by somebody who did not compute the chain anew. Who did, is found by
checkpoints, which the key has signed; who cut the end together with its checkpoints, by an anchor elsewhere.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Final, NamedTuple

from strongroom.audit.checkpoints import NO_DIGEST, Anchor, Checkpoint, NotSigned, digest, is_unfinished
from strongroom.audit.evidence import Evidence
from strongroom.audit.keys import VerifyingKey
from strongroom.audit.segments import Damage, Previous, Segment, SegmentName, segment_name
from strongroom.domain.audit import ChainedEvent
from strongroom.domain.chain import Head, link

_WINDOW: Final = 1000
"""Records among which one that was moved is looked for."""


class Finding(NamedTuple):
    """Something that is not as it was recorded. `where` names chain and record: `change 17`."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class Verdict(NamedTuple):
    """What came out. `findings` are wrong; `remarks` say what could not be shown, or is worth knowing."""

    findings: list[Finding]
    remarks: list[str]
    changes: int
    reads: int
    checkpoints: int

    @property
    def good(self) -> bool:
        return not self.findings


def verify(
    evidence: Evidence, keys: Sequence[VerifyingKey], anchors: Iterable[bytes] | None = None
) -> Verdict:
    """Return what is wrong with an audit log. `anchors` are the lines of an anchor, None without one. Raises
    NoEvidence."""
    return _Verification(evidence, keys).run(anchors)


class _Signed(NamedTuple):
    """Something that a checkpoint or an anchor says of a chain."""

    head: Head
    by: str


class _Before(NamedTuple):
    """The segment before another: its end, and what is wrong with it as far as that is open."""

    name: SegmentName
    head: Head
    damage: Finding | None


class _Verification:
    def __init__(self, evidence: Evidence, keys: Sequence[VerifyingKey]) -> None:
        self._evidence = evidence
        self._keys = keys
        self._findings: list[Finding] = []
        self._remarks: list[str] = []
        self._checkpoints: dict[int, tuple[str, Checkpoint]] = {}
        self._anchors: list[Anchor] = []
        self._reads = 0

    def run(self, anchors: Iterable[bytes] | None) -> Verdict:
        self._read_checkpoints()
        if anchors is not None:
            self._read_anchors(anchors)
        changes = self._verify_changes()
        self._verify_segments()
        return Verdict(self._findings, self._remarks, changes, self._reads, len(self._checkpoints))

    def _wrong(self, where: str, what: str) -> None:
        self._findings.append(Finding(where, what))

    # Checkpoints and anchors

    def _read_checkpoints(self) -> None:
        before, expected = NO_DIGEST, 1
        for line in self._evidence.checkpoints():
            try:
                checkpoint = Checkpoint.read(line, self._keys)
            except NotSigned as error:
                self._wrong(f"checkpoint {expected}", f"{error}; it was altered, or is not of this log")
                before, expected = digest(line), expected + 1
                continue
            if checkpoint.number != expected:
                self._wrong(
                    f"checkpoint {expected}", f"it is missing; number {checkpoint.number} stands in its place"
                )
            elif checkpoint.previous != before:
                self._wrong(f"checkpoint {expected}", "it does not follow from the one before it")
            before, expected = digest(line), checkpoint.number + 1
            self._checkpoints[checkpoint.number] = before, checkpoint
        if not self._checkpoints:
            self._remarks.append("there is no checkpoint: nothing is signed, so a chain made anew would pass")

    def _read_anchors(self, lines: Iterable[bytes]) -> None:
        newer = 0
        for number, line in enumerate(lines, 1):
            if b'"anchor":' not in line:
                continue  # others write there, too
            try:
                anchor = Anchor.read(line.strip(), self._keys)
            except NotSigned as error:
                if is_unfinished(line.strip()):
                    self._remarks.append(f"anchor line {number} was never finished")
                    continue
                self._wrong(f"anchor line {number}", f"{error}; it was altered, or is not of this log")
                continue
            taken = self._evidence.taken
            if taken is not None and anchor.at > taken:
                newer += 1
                continue
            self._anchors.append(anchor)
            node = next(iter(self._checkpoints.values()), (None, None))[1]
            if node is not None and node.node != anchor.node:
                continue  # of another node on the same store: its end of the chain counts all the same
            held = self._checkpoints.get(anchor.number)
            if held is None:
                self._wrong(
                    f"checkpoint {anchor.number}", f"it is missing, but was anchored at {_time(anchor.at)}"
                )
            elif held[0] != anchor.checkpoint:
                self._wrong(f"checkpoint {anchor.number}", "it is not the one that was anchored")
        if newer:
            said = _time(self._evidence.taken or 0)
            self._remarks.append(
                f"{newer} anchored checkpoints are newer than this export, which is of {said}"
            )
        elif not self._anchors:
            self._wrong("anchor", "there is no line of this log in it")

    # Changes

    def _signed_changes(self) -> dict[int, list[_Signed]]:
        signed: dict[int, list[_Signed]] = {}
        for _, checkpoint in self._checkpoints.values():
            signed.setdefault(checkpoint.changes.position, []).append(
                _Signed(checkpoint.changes, f"checkpoint {checkpoint.number}")
            )
        for anchor in self._anchors:
            signed.setdefault(anchor.changes.position, []).append(
                _Signed(anchor.changes, f"the anchor of checkpoint {anchor.number}")
            )
        return signed

    def _verify_changes(self) -> int:
        """Return how many records there are."""
        signed = self._signed_changes()
        start = self._evidence.start
        head, count, bad = start, 0, False
        self._compare_changes(signed, head, bad)
        rows = _Ahead(self._evidence.changes())
        for row in rows:
            if row.position <= head.position:
                self._wrong(f"change {row.position}", "its place in the chain is taken by another record")
                continue
            count += 1
            if row.position != head.position + 1:
                last = f" to {row.position - 1}" if row.position > head.position + 2 else ""
                self._wrong(f"change {head.position + 1}", f"it is missing{last}; it was deleted")
                bad = True
            elif link(head.hash, row.event) != row.hash:
                self._wrong(f"change {row.position}", _explain(head, row, rows.ahead()))
                bad = True
            # What follows is held against what is there, so that each record is blamed for itself alone.
            head = Head(row.position, row.hash)
            bad = self._compare_changes(signed, head, bad)
        beyond = [one for position, some in signed.items() if position > head.position for one in some]
        if beyond:
            most = max(beyond, key=lambda one: one.head.position)
            said = f"{most.by} has signed {most.head.position} records, {head.position} are there"
            self._wrong(f"change {head.position + 1}", f"the end was cut: {said}")
        unsigned = head.position - max((p for p in signed if p <= head.position), default=0)
        if unsigned and signed:
            self._remarks.append(f"the last {unsigned} changes are not signed by a checkpoint yet")
        unchained = self._evidence.unchained()
        if unchained:
            self._remarks.append(f"{unchained} events had no place in the chain yet when the copy was made")
        return count

    def _compare_changes(self, signed: Mapping[int, list[_Signed]], head: Head, bad: bool) -> bool:
        """Hold the chain against what was signed of it here; return whether it is known to be bad."""
        for one in signed.get(head.position, ()):
            if one.head.hash != head.hash and not bad:
                before = max((p for p in signed if p < head.position), default=0)
                self._wrong(
                    f"change {before + 1}",
                    f"the chain was made anew from here or later: {one.by} has signed another record"
                    f" {head.position}",
                )
                bad = True
        return bad

    # Reads

    def _verify_segments(self) -> None:
        signed, removed = self._signed_reads()
        before: dict[int, _Before] = {}
        seen: set[SegmentName] = set()
        for name in self._evidence.segments():
            segment = Segment(str(name), self._evidence.segment(name))
            if not segment.begun:
                continue
            seen.add(name)
            held = before.get(name.row)
            damage = self._verify_segment(name, segment, signed.get(name, {}), held, removed)
            before[name.row] = _Before(name, segment.head, damage)
        for one in before.values():
            self._blame(one)
        for name, ends in sorted(signed.items()):
            if name not in seen and name not in removed and max(ends):
                by = ends[max(ends)].by
                self._wrong(f"segment {name}", f"it is missing, though {by} has signed {max(ends)} records")

    def _blame(self, before: _Before) -> None:
        if before.damage is not None and before.damage not in self._findings:
            self._findings.append(before.damage)

    def _signed_reads(self) -> tuple[dict[SegmentName, dict[int, _Signed]], set[SegmentName]]:
        signed: dict[SegmentName, dict[int, _Signed]] = {}
        removed: set[SegmentName] = set()
        for _, checkpoint in self._checkpoints.values():
            for end in checkpoint.reads:
                name = segment_name(end.name)
                if name is not None:
                    known = signed.setdefault(name, {})
                    known.setdefault(end.head.position, _Signed(end.head, f"checkpoint {checkpoint.number}"))
            removed.update(name for text in checkpoint.removed if (name := segment_name(text)) is not None)
        return signed, removed

    def _verify_segment(
        self,
        name: SegmentName,
        segment: Segment,
        signed: Mapping[int, _Signed],
        before: _Before | None,
        removed: set[SegmentName],
    ) -> Finding | None:
        """Return what is wrong unless the next segment explains it, None when nothing is."""
        try:
            segment.read_header()
            bad = self._verify_header(name, segment, before, removed)
            bad = self._compare_reads(name, signed, segment.head, bad)
            for _ in segment.records():
                self._reads += 1
                bad = self._compare_reads(name, signed, segment.head, bad)
        except Damage as damage:
            where = f"segment {name} record {damage.record}" if damage.record else f"segment {name}"
            found = Finding(where, f"{damage}: it was altered, deleted or moved")
            if not damage.record or max(signed, default=0) >= damage.record:
                self._findings.append(found)
            return found
        if segment.torn:
            self._remarks.append(f"segment {name} ends in a record that was never finished, nor answered")
        most, there = max(signed, default=0), segment.head.position
        if most > there:
            by = signed[most].by
            self._wrong(
                f"segment {name} record {there + 1}",
                f"the end was cut: {by} has signed {most} records, {there} are there",
            )
        return None

    def _verify_header(
        self, name: SegmentName, segment: Segment, before: _Before | None, removed: set[SegmentName]
    ) -> bool:
        """Hold the header of a segment against the segment before it; return whether it is bad."""
        facts, previous = segment.facts, Segment.previous(segment.facts)
        if SegmentName(facts["row"], facts["number"]) != name:
            self._wrong(f"segment {name}", "its header names another segment")
            return True
        if before is None:
            if previous is not None and segment_name(previous.name) not in removed:
                self._wrong(f"segment {previous.name}", f"it is missing, though {name} follows from it")
            elif previous is None and name.number != 1:
                self._wrong(f"segment {name}", "it says that it is the first of its row, and is not")
            return False
        if before.damage is not None:
            if before.damage in self._findings:
                return False
            if facts["damaged"] and previous == Previous(str(before.name), before.head):
                self._remarks.append(
                    f"segment {before.name} cannot be read behind record {before.head.position}; so it was"
                    " already when the server started again (a power cut leaves this)"
                )
            else:
                self._blame(before)
            return False
        return self._verify_previous(name, previous, before.name, before.head)

    def _verify_previous(
        self, name: SegmentName, previous: Previous | None, held: SegmentName, head: Head
    ) -> bool:
        if previous is None or previous.name != str(held):
            missing = "another one" if previous is None else previous.name
            self._wrong(f"segment {name}", f"it follows from {missing}, but stands behind {held}")
        elif previous.head.position > head.position:
            self._wrong(
                f"segment {held} record {head.position + 1}",
                f"the end was cut: {name} says that there were {previous.head.position} records",
            )
        elif previous.head != head:
            self._wrong(f"segment {held}", f"it was made anew, or goes on where {name} says that it ended")
        else:
            return False
        return True

    def _compare_reads(self, name: SegmentName, signed: Mapping[int, _Signed], head: Head, bad: bool) -> bool:
        one = signed.get(head.position)
        if one is None or one.head.hash == head.hash or bad:
            return bad
        before = max((p for p in signed if p < head.position), default=0)
        self._wrong(
            f"segment {name} record {before + 1}",
            f"the chain was made anew from here or later: {one.by} has signed another record {head.position}",
        )
        return True


class _Ahead:
    """Records one after the other, with a look at those that follow."""

    def __init__(self, rows: Iterator[ChainedEvent]) -> None:
        self._rows = rows
        self._held: list[ChainedEvent] = []

    def __iter__(self) -> Iterator[ChainedEvent]:
        while True:
            if self._held:
                yield self._held.pop(0)
            else:
                row = next(self._rows, None)
                if row is None:
                    return
                yield row

    def ahead(self) -> list[ChainedEvent]:
        self._held += islice(self._rows, max(0, _WINDOW - len(self._held)))
        return self._held


def _explain(before: Head, row: ChainedEvent, ahead: Sequence[ChainedEvent]) -> str:
    for other in ahead:
        if link(before.hash, other.event) in (row.hash, other.hash):
            return f"it was moved: the record that belongs here stands at {other.position}"
    return "it was altered, or stands in the place of another one"


def _time(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"
