"""Requests that are sent again because their answer was lost: done once, answered twice.

Rule: a client that is set so may name its requests (Client Correlation Value, KMIP 1.4 and later) and repeat
one whose answer it did not get. What an item changed and what it answered are written in one commit, so that
after a crash there are both or neither. A name that is used for something else is refused: answering it with
what was asked before would be worse than doing nothing.

An answer is given again without asking anew what the caller may do. So it is only to whom it was given, user
and ticket included, and none is kept that gives out what somebody has to be allowed to read each time.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Final

from strongroom.domain.entries import Entry, Kept
from strongroom.domain.errors import InvalidField
from strongroom.domain.operation import OperationSpec
from strongroom.domain.permission import Permission
from strongroom.domain.store import ObjectStore
from strongroom.engine.due import each_due
from strongroom.engine.entries import forget
from strongroom.engine.references import Told, named, told_in
from strongroom.engine.request import BatchItem
from strongroom.engine.run import Run
from strongroom.engine.unit_of_work import UnitOfWork
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Own
from strongroom.registry import Operation, Tag
from strongroom.wire import binary
from strongroom.wire.item import STRUCTURE, Item
from strongroom.wire.limits import OWN

LARGEST_ANSWER: Final = 64 * 1024
"""Bytes of an answer that is kept; what a change answers is a few identifiers."""

_PAGE: Final = 32

_KEPT: Final = frozenset(
    {
        Permission.ACTIVATE,
        Permission.ALLOCATE_USAGE,
        Permission.ARCHIVE,
        Permission.CERTIFY,
        Permission.CHANGE_ATTRIBUTES,
        Permission.CREATE,
        Permission.DERIVE_KEY,
        Permission.DESTROY,
        Permission.ENCRYPT,
        Permission.IMPORT,
        Permission.JOIN,
        Permission.LEASE,
        Permission.MAC,
        Permission.MANAGE_USERS,
        Permission.OBLITERATE,
        Permission.REGISTER,
        Permission.REVOKE,
        Permission.RE_KEY,
        Permission.SET_CONSTRAINTS,
        Permission.SET_DEFAULTS,
        Permission.SIGN,
        Permission.SPLIT,
    }
)
"""What the operations need whose answers are kept. The others change something by the way (a counter, an
approval that is used up) and are done again."""


class DoneRequest(Entry, kind=70, passing=True):
    """A batch item that changed something, by the name of its request and its place in it.

    `identifiers` and `data` are what it told the items after it, where the answer leaves something out
    (Ephemeral).
    """

    request_digest: Annotated[bytes, Own(1)]
    answer: Annotated[SecretBytes, Own(2)]
    placeholder: Annotated[str | None, Own(3)] = None
    made: Annotated[tuple[str, ...], Own(4)] = ()
    identifiers: Annotated[tuple[str, ...], Own(5)] = ()
    data: Annotated[SecretBytes | None, Own(6)] = None

    def told(self, item: BatchItem, answer: Item) -> Told:
        """Return what the item told, so that the others count what they count: another object else."""
        if item.ephemeral is None:
            return told_in(answer)
        return Told(item.operation or 0, tuple(map(UniqueIdentifier, self.identifiers)), self.data)


class Repeats:
    """What was done under a name, for the clients in `clients`, for as long as that says."""

    def __init__(self, store: ObjectStore, clients: Mapping[str, timedelta]) -> None:
        self._store = store
        self._clients = clients

    def knows(self, run: Run) -> bool:
        """Tell whether the request has a name, and a client that may repeat it."""
        return run.correlation is not None and run.connection.client.name in self._clients

    async def begun(self, run: Run, work: UnitOfWork) -> bool:
        """Tell whether any item of the request was done before."""
        for item in run.request.items:
            if await work.entries.get(DoneRequest, _key(run, item)) is not None:
                return True
        return False

    async def again(self, run: Run, item: BatchItem, work: UnitOfWork) -> Item | None:
        """Return the answer of an item that was done before, None for a new one; raises InvalidField.

        What later items may refer to is known to `work` as it was then.
        """
        kept = await work.entries.get(DoneRequest, _key(run, item))
        if kept is None:
            return None
        done = _checked(kept, _digest(run, item))
        if done.placeholder is not None:
            work.place(UniqueIdentifier(done.placeholder))
        answer: Item = binary.decode(done.answer.reveal(), OWN)
        work.told = done.told(item, answer)
        made = [UniqueIdentifier(one) for one in done.made]
        work.made = named(Operation(item.operation or 0), made)
        return answer

    def note(self, run: Run, item: BatchItem, spec: OperationSpec, work: UnitOfWork, answer: Item) -> bool:
        """Have the answer to an item kept together with what the item changes; False where none is kept."""
        if spec.needs not in _KEPT and not (spec.operation is Operation.PKCS_11 and not work.given()):
            return False
        encoded = binary.encode(answer)
        withheld = None if item.ephemeral is None else work.told
        data = None if withheld is None else withheld.data
        if len(encoded) + len(data or b"") > LARGEST_ANSWER:
            return False
        placed = work.placed
        done = DoneRequest(
            request_digest=_digest(run, item),
            answer=SecretBytes(encoded),
            placeholder=placed,
            made=tuple(work.made.values()),
            identifiers=() if withheld is None else withheld.identifiers,
            data=data,
        )
        due = run.now + self._clients[run.connection.client.name]
        work.entries.put(_key(run, item), done, due=due)
        return True

    async def tidy(self, now: datetime) -> None:
        """Forget what is too long ago to be repeated. Raises StoreFailure."""
        await each_due(self._store, DoneRequest, now, _PAGE, partial(forget, self._store))


def _checked(kept: Kept[DoneRequest], digest: bytes) -> DoneRequest:
    if kept.value.request_digest != digest:
        raise used_for_something_else()
    return kept.value


def used_for_something_else() -> InvalidField:
    """Return the answer to a name that another request had."""
    return InvalidField(
        "another request with this Client Correlation Value was done before; give each its own"
    )


def _key(run: Run, item: BatchItem) -> str:
    """Return the key of an item: of one caller, one name and one place in the batch."""
    assert run.correlation is not None
    caller = run.connection.client
    place = next(number for number, one in enumerate(run.request.items) if one is item)
    name = hashlib.sha256(run.correlation.client.encode()).hexdigest()
    if caller.rights is not None or caller.user is not None:
        # A ticket of Login is the client's own: the next one is as good for what was done with it.
        ticket = None if caller.rights is None else caller.ticket
        who = repr((caller.acting, ticket, caller.user))
        # Apart from the name, whose sender could write there who they would like to be.
        name += f"-{hashlib.sha256(who.encode()).hexdigest()}"
    return f"{caller.client}-{name}-{place}"


def _digest(run: Run, item: BatchItem) -> bytes:
    """Return what is the same when, and only when, an item is sent again."""
    identifier = item.unique_batch_item_id or b""
    payload = binary.encode((int(Tag.REQUEST_PAYLOAD), STRUCTURE, item.payload or []))
    head = f"{run.request.version} {item.operation} {run.request.undo} {len(identifier)} ".encode()
    if item.ephemeral is not None:
        head += f"{item.ephemeral} ".encode()
    return hashlib.sha256(head + identifier + payload).digest()
