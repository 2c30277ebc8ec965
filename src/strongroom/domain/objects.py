"""A managed object as handlers see it.

Rule: one neutral object, whatever version made it. A handler changes its own copy; the unit of work commits
what was changed. Which changes are allowed is not decided here but in `strongroom.attributes`.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from strongroom.domain.lifecycle import DESTROYED_STATES, Event, after, state_at
from strongroom.model.attribute_list import AttributeInstance, AttributeKey
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import ManagedObjectStruct
from strongroom.registry import ObjectType, State, Tag

ON_LINE: Final = 1
ARCHIVED: Final = 2
DESTROYED: Final = 4
"""Where an object is: the bits of Storage Status Mask."""

STATELESS: Final = frozenset({ObjectType.TEMPLATE})
"""Object types without a State (1.x: Templates and Opaque Objects; 2.x gives every object one)."""

AttributeMap = dict[AttributeKey, tuple[AttributeInstance, ...]]


class ManagedObject:
    """One object: identity, life cycle, attributes and material.

    `state` holds at the time of the request that loaded the object. `generation` says which write it came
    from (`domain.generation`), and is 0 until it is stored.
    `changed` says that a commit writes the object, `essential` that an answer depends on it, `removed` that
    the commit takes it out of the store, `revealed` that its material leaves the server unconcealed.
    `material` is None once destroyed, `as_registered` is what a client sent if the material was unwrapped
    from it. `attributes` has every stored attribute, instances in index order; attributes that follow from
    the rest (Unique Identifier, Object Type, State) are not in it.
    """

    __slots__ = (
        "_owns_attributes",
        "archived",
        "as_registered",
        "attributes",
        "changed",
        "essential",
        "generation",
        "material",
        "object_type",
        "owner",
        "removed",
        "revealed",
        "sequence",
        "state",
        "tenant",
        "unique_identifier",
    )

    def __init__(
        self,
        *,
        unique_identifier: UniqueIdentifier,
        object_type: ObjectType,
        tenant: int,
        owner: int,
        sequence: int,
        state: State | None,
        generation: int = 0,
        archived: bool = False,
        attributes: AttributeMap | None = None,
        material: ManagedObjectStruct | None = None,
        as_registered: ManagedObjectStruct | None = None,
    ) -> None:
        self.unique_identifier = unique_identifier
        self.object_type = object_type
        self.tenant = tenant
        self.owner = owner
        self.sequence = sequence
        self.state = state
        self.generation = generation
        self.archived = archived
        self.attributes: AttributeMap = {} if attributes is None else attributes
        self.material = material
        self.as_registered = as_registered
        self.changed = self.essential = self.removed = self.revealed = False
        self._owns_attributes = attributes is None

    def copy(self) -> "ManagedObject":
        """Return a working copy; the attribute map is shared until one of the two changes it."""
        self._owns_attributes = False
        other = ManagedObject.__new__(ManagedObject)
        other.unique_identifier = self.unique_identifier
        other.object_type = self.object_type
        other.tenant = self.tenant
        other.owner = self.owner
        other.sequence = self.sequence
        other.state = self.state
        other.generation = self.generation
        other.archived = self.archived
        other.attributes = self.attributes
        other.material = self.material
        other.as_registered = None if self.material is None else self.as_registered
        other.changed = other.essential = other.removed = other.revealed = False
        other._owns_attributes = False
        return other

    def snapshot(self) -> "ManagedObject":
        """Return a copy that also knows what was changed so far."""
        other = self.copy()
        self._owns_attributes = False  # from now on both share them
        other.changed, other.essential, other.removed = self.changed, self.essential, self.removed
        other.revealed = self.revealed
        return other

    def settle(self, now: datetime) -> None:
        """Let the dates act that have passed; not a change, since it is worked out anew at each use."""
        self.state = self._state_at(now)

    def as_of(self, now: datetime) -> "ManagedObject":
        """Return the object as the dates have it by then: itself where they change nothing."""
        state = self._state_at(now)
        if state is self.state:
            return self
        settled = self.snapshot()
        settled.state = state
        return settled

    def _state_at(self, now: datetime) -> State | None:
        if self.state is None or self.state > State.ACTIVE:
            return self.state
        return state_at(
            self.state,
            now,
            activation_date=self.value(Tag.ACTIVATION_DATE),
            deactivation_date=self.value(Tag.DEACTIVATION_DATE),
        )

    @property
    def destroyed(self) -> bool:
        """Tell whether the material is gone for good."""
        if self.state is None:  # a Template has no State
            return self.value(Tag.DESTROY_DATE) is not None
        return self.state in DESTROYED_STATES

    @property
    def storage(self) -> int:
        """Return the bit of Storage Status Mask that fits."""
        if self.destroyed:
            return DESTROYED
        return ARCHIVED if self.archived else ON_LINE

    def value(self, key: AttributeKey) -> Any:
        """Return the (first) value of a stored attribute, None when there is none."""
        instances = self.attributes.get(key)
        return instances[0].value if instances else None

    def values(self, key: AttributeKey) -> Iterator[Any]:
        """Yield every value of a stored attribute."""
        return (instance.value for instance in self.attributes.get(key, ()))

    def set(self, key: AttributeKey, value: Any) -> None:
        """Give a single-valued attribute this value; None removes it."""
        self.put(key, () if value is None else (AttributeInstance(key, value),))

    def add(self, key: AttributeKey, value: Any) -> AttributeInstance:
        """Add an instance under the next free index (KMIP 1.4 §2.1.1) and return it."""
        before = self.attributes.get(key, ())
        index = max((i.index or 0 for i in before), default=-1) + 1
        instance = AttributeInstance(key, value, index)
        self.put(key, (*before, instance))
        return instance

    def put(self, key: AttributeKey, instances: tuple[AttributeInstance, ...]) -> None:
        """Replace all instances of an attribute."""
        if not self._owns_attributes:
            self.attributes = dict(self.attributes)
            self._owns_attributes = True
        if instances:
            self.attributes[key] = instances
        else:
            self.attributes.pop(key, None)
        self.changed = self.essential = True

    def take_over(self, key: AttributeKey, other: "ManagedObject") -> None:
        """Get the values that another object has, under indices that start with 0 (KMIP 1.4 §2.1.1)."""
        instances = other.attributes.get(key, ())
        if any((instance.index or 0) != number for number, instance in enumerate(instances)):
            instances = tuple(one._replace(index=number) for number, one in enumerate(instances))
        self.put(key, instances)

    def note(self, key: AttributeKey, value: Any) -> None:
        """Set an attribute by the way: the request succeeds also when the store cannot write."""
        essential = self.essential
        self.set(key, value)
        self.essential = essential

    def remove(self) -> None:
        """Take the object out of the store for good, with its attributes and names."""
        self.material = None
        self.changed = self.essential = self.removed = True

    def apply(self, event: Event) -> None:
        """Move along the life cycle; raises WrongKeyLifecycleState. Dates are the caller's to set."""
        if self.state is not None:
            self.state = after(self.state, event)
            self.changed = self.essential = True

    def __repr__(self) -> str:
        return f"ManagedObject({self.unique_identifier}, {self.object_type.name}, {self.state})"
