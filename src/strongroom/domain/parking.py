"""Material of destroyed objects, parked until the deletion window ends.

Rule: for whoever uses keys a parked object is destroyed. Its material is in an entry, sealed as such, so that
no edit of the database makes a living object of it; only `object restore` does, and the end of the window,
or Obliterate, removes it for good.
"""

from datetime import datetime
from typing import Annotated

from strongroom.domain.entries import Entry
from strongroom.domain.objects import ManagedObject
from strongroom.model.objects import ManagedObjectStruct, decode_object, encode_object
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Int32, Own
from strongroom.registry import State, Tag
from strongroom.wire import binary
from strongroom.wire.limits import OWN


class Parked(Entry, kind=42):
    """What an object was before it was destroyed; kept under its identifier, due at the end of the window.

    Material is TTLV in the storage form, None where there was none.
    """

    state: Annotated[Int32 | None, Own(1)] = None
    material: Annotated[SecretBytes | None, Own(2)] = None
    as_registered: Annotated[SecretBytes | None, Own(3)] = None
    destroyed_at: Annotated[datetime, Own(4)]


def park(before: ManagedObject, now: datetime) -> Parked:
    """Return what is kept of an object that is being destroyed; `before` is how it was, settled."""
    return Parked(
        state=None if before.state is None else int(before.state),
        material=_encoded(before.material),
        as_registered=_encoded(before.as_registered),
        destroyed_at=now,
    )


def restored(destroyed: ManagedObject, parked: Parked) -> ManagedObject:
    """Return the object as it was, to be committed.

    What became known since stays: a key that was marked as compromised after it was destroyed comes back as
    a compromised one.
    """
    obj = destroyed.copy()
    obj.state = None if parked.state is None else State(parked.state)
    if destroyed.state is State.DESTROYED_COMPROMISED:
        obj.state = State.COMPROMISED
    obj.material = _decoded(parked.material)
    obj.as_registered = _decoded(parked.as_registered)
    obj.set(Tag.DESTROY_DATE, None)
    return obj


def _encoded(form: ManagedObjectStruct | None) -> SecretBytes | None:
    return None if form is None else SecretBytes(binary.encode(encode_object(form, None)))


def _decoded(stored: SecretBytes | None) -> ManagedObjectStruct | None:
    return None if stored is None else decode_object(binary.decode(stored.reveal(), OWN), None)
