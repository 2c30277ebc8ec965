"""Searches for one Name after the other.

Rule: two Locates of a client that differ in nothing but one Name look for it in the same way. When one was
done, its handler may have left how another Name is sought (`Context.sought`). The next one is not read again;
it is sought where every search is (`Searches`), with the rights that the caller has now, and recorded. What
goes wrong, or turns out to be different, is left to the way that every request can go.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from strongroom.domain import turn
from strongroom.domain.audit import AuditEvent, AuditLog, Repeated
from strongroom.domain.context import Seek
from strongroom.domain.identity import ClientIdentity, Connection
from strongroom.domain.permission import Permission
from strongroom.domain.rights import Rights
from strongroom.domain.store import Found
from strongroom.engine.answers import Answers
from strongroom.engine.memory import AnswerMemory, Basis, RememberedAnswer
from strongroom.engine.namesakes import Namesake, Namesakes
from strongroom.engine.searches import Searches, Wanted
from strongroom.engine.services import Services
from strongroom.model.attribute_list import AttributeInstance
from strongroom.operations.locate import LocateResponse
from strongroom.registry import Tag, Version
from strongroom.wire import binary

_IDENTIFIER: Final = frozenset({int(Tag.UNIQUE_IDENTIFIER)})

_FORMS: Final = 16
"""Forms of answers with one object: nearly all identifiers are of one length."""

_FEW: Final = 16
"""Objects found at most; where names are shared by more, each search is done in full."""


class Example(NamedTuple):
    """A search that was done. `encode` makes the batch item of a response, `event` is what was recorded."""

    seek: Seek
    permission: Permission
    access: Rights | None
    version: Version
    encode: Callable[[LocateResponse], bytes]
    event: AuditEvent


class _Known:
    """A search, and what its answers and their records are made of."""

    __slots__ = ("_forms", "_records", "example")

    def __init__(self, example: Example) -> None:
        self.example = example
        self._records: dict[int, Repeated] = {}
        self._forms: dict[tuple[int | None, int], tuple[bytes, bytes]] = {}

    def record(self, count: int, audit: AuditLog) -> Repeated:
        """Return the record of an answer with so many objects."""
        known = self._records.get(count)
        if known is None:
            known = self._records[count] = audit.repeated(self.example.event._replace(found=count))
        return known

    def encode(self, response: LocateResponse) -> bytes:
        """Return the batch item of a response; with one object, it is another one's with its identifier."""
        found = response.unique_identifier
        if len(found) != 1:
            return self.example.encode(response)
        identifier: bytes = found[0].encode()
        form = self._forms.get((response.located_items, len(identifier)))
        if form is not None:
            return b"".join((form[0], identifier, form[1]))
        encoded = self.example.encode(response)
        places = binary.texts(encoded, _IDENTIFIER)
        if len(places) == 1 and len(self._forms) < _FORMS:
            ((start, stop),) = places
            self._forms[response.located_items, len(identifier)] = encoded[:start], encoded[stop:]
        return encoded


class NamedSearches:
    """Remembers how names are sought; safe to use from one event loop."""

    __slots__ = ("_answers", "_known", "_services")

    def __init__(self, services: Services, answers: AnswerMemory) -> None:
        self._services = services
        self._answers = answers
        self._known = Namesakes[_Known](enabled=bool(services.remembered_answers))

    def find(self, caller: ClientIdentity, message: bytes) -> Namesake[_Known] | None:
        """Return the search that this client has asked for with other names."""
        return self._known.find(caller, message)

    def keep(self, caller: ClientIdentity, message: bytes, name: str, example: Example) -> None:
        """Remember a search that was done for at least the second time."""
        self._known.keep(caller, message, name, _Known(example))

    def clear(self) -> None:
        """Drop all of them."""
        self._known.clear()

    async def again(self, found: Namesake[_Known], message: bytes, connection: Connection) -> bytes | None:
        """Return the response to a message that `find` has found; None: it has to be done in full."""
        known, services, caller = found.known, self._services, connection.client
        example = known.example
        if caller.access is not example.access or caller.rights is not None or found.name is None:
            return None
        turn.client.set(caller.client)
        now, cleared = services.clock.now(), self._answers.cleared
        searches = Searches(services.store, caller, now)
        try:
            response = await example.seek(partial(_locate, searches, example.permission), found.name)
            count = len(response.unique_identifier)
            if count > _FEW:
                return None
            item, record = known.encode(response), known.record(count, services.audit)
            services.audit.record_again(record, now, connection.peer)
        except Exception:  # noqa: BLE001 - done in full, the request says what is wrong
            return None
        if searches.lasting and self._answers.cleared == cleared:
            basis = Basis(example.permission, example.access, (), searches.version, now, None)
            self._answers.keep(caller, message, RememberedAnswer(example.version, item, record, basis))
        return Answers(example.version, now).frame(item)


async def _locate(
    searches: Searches,
    permission: Permission,
    filters: Sequence[AttributeInstance],
    *,
    storage: int,
    maximum: int | None,
    oldest_first: bool,
) -> Found:
    wanted = Wanted(filters, storage, permission, maximum, oldest_first=oldest_first)
    return await searches.find(wanted, {}, None)
