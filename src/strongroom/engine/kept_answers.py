"""Answers that wait for Poll and hold secrets of an object: its material, or what only that can open.

Rule: what ends an object, or puts another in its place, takes them away in the same commit. Only what one
request asks for in one go, to give out and then to destroy, is kept for it.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from strongroom.domain.asynchronous import GivenOut, KeptAnswer, WaitingBatch, answer_key
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.objects import ManagedObject
from strongroom.domain.store import Changes, LostRace, ObjectStore
from strongroom.domain.store_failures import TamperedRecord
from strongroom.engine.due import each_due
from strongroom.engine.effects import ENDS, Effect
from strongroom.engine.entries import forget
from strongroom.engine.run import Run
from strongroom.engine.unit_of_work import UnitOfWork
from strongroom.model.secret import SecretBytes
from strongroom.registry import Tag

_PAGE: Final = 100


class KeptAnswers:
    """Which answers hold secrets of which object."""

    def __init__(
        self, store: ObjectStore, retention: timedelta, on_failure: Callable[[BaseException], None]
    ) -> None:
        self._store = store
        self._retention = retention
        self._on_failure = on_failure

    def note(self, work: UnitOfWork, batch: str, position: int) -> tuple[GivenOut, ...]:
        """Write down, among the changes of a unit of work, whose secrets its answer holds."""
        given = tuple(
            GivenOut(
                unique_identifier=obj.unique_identifier,
                sequence=obj.sequence,
                permission=permission.value,
                sensitive=bool(obj.value(Tag.SENSITIVE)),
            )
            for obj, permission in work.given()
            if obj.material is not None
        )
        for one in given:
            work.entries.put(
                answer_key(batch, position, one),
                KeptAnswer(batch=batch, position=position),
                due=work.now.replace(microsecond=0) + self._retention,
                owner=one.sequence,
            )
        return given

    async def withdraw(self, run: Run, work: UnitOfWork, effects: Sequence[Effect]) -> None:
        """Take away, with what a unit of work does, the answers with secrets of what it ends."""
        own = None if run.awaited is None else run.awaited.key
        for effect in effects:
            if effect.kind in ENDS:
                for kept in await self._of(effect.before):
                    try:
                        await _withdraw(work, kept.value, effect.before, own)
                    except TamperedRecord as damaged:  # nobody can poll it either
                        self._on_failure(damaged)

    async def _of(self, obj: ManagedObject) -> Sequence[Kept[KeptAnswer]]:
        try:
            return await self._store.entries_of(KeptAnswer, obj.tenant, obj.sequence)
        except TamperedRecord as damaged:  # Poll looks at the object, too
            self._on_failure(damaged)
            return ()

    async def tidy(self, now: datetime) -> None:
        """Forget what was written down of answers that are not kept any more. Raises StoreFailure."""
        await each_due(self._store, KeptAnswer, now, _PAGE, lambda kept: self._look(kept, now))

    async def _look(self, kept: Kept[KeptAnswer], now: datetime) -> None:
        batch = await self._store.load_entry(WaitingBatch, kept.tenant, kept.value.batch)
        if batch is None or batch.value.items[kept.value.position].answer is None:
            await forget(self._store, kept)
            return
        later = replace(kept, due=now.replace(microsecond=0) + self._retention)
        change = EntryChange(KeptAnswer, kept.tenant, kept.key, kept.generation, later)
        with contextlib.suppress(LostRace):  # another worker was first
            await self._store.commit(Changes(entries=[change]))


async def _withdraw(work: UnitOfWork, kept: KeptAnswer, obj: ManagedObject, own: str | None) -> None:
    batch = await work.entries.get(WaitingBatch, kept.batch)
    if batch is None:
        return
    item = batch.value.items[kept.position]
    if kept.batch == own:
        item = item.replace(
            given=tuple(one for one in item.given if one.unique_identifier != obj.unique_identifier)
        )
    elif item.answer is not None:
        item = item.replace(answer=SecretBytes(b""))
    work.entries.put(batch.key, batch.value.with_item(kept.position, item), due=batch.due)
