"""Random sequences of operations against a small model of the specification (KMIP 2.1 §4.57 and §6.1, 3.0).

Rule: the model is written from the text, not from the server: states and dates, nothing else. Whatever a
client does in whatever order, server and model answer the same; so does a server that was started again.
"""

import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from strongroom.domain.operation import Request
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.deactivate import DeactivateRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.export import ExportRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.operations.recover import RecoverRequest
from strongroom.registry import (
    V2_1,
    V3_0,
    ObjectType,
    ResultReason,
    RevocationReasonCode,
    State,
    StorageStatusMask,
    Tag,
    Version,
)
from tests.expect import EVERY_USE, mask, raw_key, revoke, value
from tests.kms import Refused, TestKms, attribute, template

ON_LINE, ARCHIVED, DESTROYED = (
    StorageStatusMask.ON_LINE_STORAGE,
    StorageStatusMask.ARCHIVAL_STORAGE,
    StorageStatusMask.DESTROYED_STORAGE,
)
GONE = (State.DESTROYED, State.DESTROYED_COMPROMISED)


@dataclass
class Model:
    """What the specification says of one object."""

    identifier: UniqueIdentifier
    number: int
    activation: datetime | None
    deactivation: datetime | None
    state: State = State.PRE_ACTIVE
    archived: bool = False
    fresh: bool = True
    obliterated: bool = False

    def settle(self, now: datetime) -> None:
        """Transitions 4 and 6: a date is reached."""
        if self.state is State.PRE_ACTIVE and self.activation is not None and self.activation <= now:
            self.state = State.ACTIVE
        if self.state is State.ACTIVE and self.deactivation is not None and self.deactivation <= now:
            self.state = State.DEACTIVATED

    def unavailable(self, *, destroyed: bool = False) -> ResultReason | None:
        """Return why no operation reaches the object; `destroyed`: this one makes sense on what is left."""
        if self.obliterated:
            return ResultReason.OBJECT_NOT_FOUND
        if self.state in GONE and not destroyed:
            return ResultReason.OBJECT_DESTROYED
        if self.archived:
            return ResultReason.OBJECT_ARCHIVED
        return None

    @property
    def storage(self) -> StorageStatusMask:
        if self.state in GONE:
            return DESTROYED
        return ARCHIVED if self.archived else ON_LINE


@cache
def empty_store() -> tempfile.TemporaryDirectory[str]:
    """Return a store to copy, which is quicker than to make one; it goes when the process ends."""
    directory = tempfile.TemporaryDirectory(prefix="strongroom-test-")
    TestKms(Path(directory.name)).close()
    return directory


class LifeCycle(RuleBasedStateMachine):
    """A client that does anything, and the model beside it."""

    objects = Bundle("objects")

    @initialize()
    def start(self) -> None:
        self.directory = tempfile.TemporaryDirectory(prefix="strongroom-test-")
        self.data = Path(self.directory.name) / "data"
        shutil.copytree(empty_store().name, self.data)
        self.kms = TestKms(self.data)
        self.models: list[Model] = []
        self.number = 0

    def teardown(self) -> None:
        if hasattr(self, "kms"):
            self.kms.close()
            self.directory.cleanup()

    def agree(self, request: Request[Any], expected: ResultReason | None, *, version: Version = V2_1) -> None:
        """Send the request; the answer is success exactly if the model says so, else its reason."""
        (answer,) = self.kms.batch(request, version=version)
        assert (answer.reason if isinstance(answer, Refused) else None) is expected

    @rule(
        target=objects,
        activation=st.none() | st.integers(-1, 3),
        lasting=st.none() | st.integers(0, 3),
    )
    def create(self, activation: int | None, lasting: int | None) -> Model:
        now = self.kms.clock.now()
        start = None if activation is None else now + timedelta(days=activation)
        end = None if lasting is None else (start or now) + timedelta(days=lasting)
        dates = [
            attribute(tag, date)
            for tag, date in ((Tag.ACTIVATION_DATE, start), (Tag.DEACTIVATION_DATE, end))
            if date is not None
        ]
        self.number += 1
        made = Model(self.kms.create_symmetric_key(*dates), self.number, start, end)
        made.settle(now)
        self.models.append(made)
        return made

    @rule(model=objects)
    def activate(self, model: Model) -> None:
        expected = model.unavailable()
        if expected is None and model.state is not State.PRE_ACTIVE:
            expected = ResultReason.WRONG_KEY_LIFECYCLE_STATE
        self.agree(ActivateRequest(unique_identifier=model.identifier), expected)
        if expected is None:
            model.state, model.activation = State.ACTIVE, self.kms.clock.now()
            model.settle(self.kms.clock.now())

    @rule(model=objects)
    def deactivate(self, model: Model) -> None:
        expected = model.unavailable(destroyed=True)
        if expected is None and model.state is not State.ACTIVE:
            expected = ResultReason.WRONG_KEY_LIFECYCLE_STATE
        self.agree(revoke(model.identifier, RevocationReasonCode.SUPERSEDED), expected)
        if expected is None:
            model.state, model.deactivation = State.DEACTIVATED, self.kms.clock.now()

    @rule(model=objects)
    def compromise(self, model: Model) -> None:
        expected = model.unavailable(destroyed=True)
        after = State.DESTROYED_COMPROMISED if model.state is State.DESTROYED else State.COMPROMISED
        if expected is None and model.state in (State.COMPROMISED, State.DESTROYED_COMPROMISED):
            expected = ResultReason.WRONG_KEY_LIFECYCLE_STATE
        self.agree(revoke(model.identifier, RevocationReasonCode.KEY_COMPROMISE), expected)
        if expected is None:
            model.state = after

    @rule(model=objects)
    def destroy(self, model: Model) -> None:
        expected = model.unavailable()
        if expected is None and model.state is State.ACTIVE:
            expected = ResultReason.WRONG_KEY_LIFECYCLE_STATE
        self.agree(DestroyRequest(unique_identifier=model.identifier), expected)
        if expected is None:
            compromised = model.state is State.COMPROMISED
            model.state = State.DESTROYED_COMPROMISED if compromised else State.DESTROYED

    @rule(model=objects)
    def deactivate_now(self, model: Model) -> None:
        """KMIP 3.0 has an operation of its own."""
        expected = model.unavailable()
        if expected is None and model.state is not State.ACTIVE:
            expected = ResultReason.WRONG_KEY_LIFECYCLE_STATE
        self.agree(DeactivateRequest(unique_identifier=model.identifier), expected, version=V3_0)
        if expected is None:
            model.state, model.deactivation = State.DEACTIVATED, self.kms.clock.now()

    @rule(model=objects)
    def obliterate(self, model: Model) -> None:
        """KMIP 3.0: nothing is left, archived and destroyed objects included; what is Active is in use."""
        expected = None
        if model.obliterated:
            expected = ResultReason.OBJECT_NOT_FOUND
        elif model.state is State.ACTIVE:
            expected = ResultReason.WRONG_KEY_LIFECYCLE_STATE
        self.agree(ObliterateRequest(unique_identifier=model.identifier), expected, version=V3_0)
        if expected is None:
            model.obliterated = True
            self.models.remove(model)

    @rule(model=objects)
    def export(self, model: Model) -> None:
        """Of a destroyed object the attributes are left; nothing gets older by being exported."""
        self.agree(ExportRequest(unique_identifier=model.identifier), model.unavailable(destroyed=True))

    @rule(model=objects, replace=st.booleans())
    def import_again(self, model: Model, replace: bool) -> None:
        """An identifier is taken until its object is obliterated, or is to be replaced."""
        expected = None
        if not model.obliterated and not replace:
            expected = ResultReason.OBJECT_ALREADY_EXISTS
        request = ImportRequest(
            unique_identifier=model.identifier,
            object_type=ObjectType.SYMMETRIC_KEY,
            replace_existing=replace,
            attributes=template(mask(EVERY_USE)),
            managed_object=raw_key(),
        )
        self.agree(request, expected)
        if expected is None:
            if model.obliterated:  # it is new; one that replaces another has its place among the rest
                self.models.append(model)
                model.number = self.number = self.number + 1
            model.activation = model.deactivation = None
            model.state, model.archived, model.fresh, model.obliterated = State.PRE_ACTIVE, False, True, False

    @rule(model=objects)
    def archive(self, model: Model) -> None:
        expected = model.unavailable()
        self.agree(ArchiveRequest(unique_identifier=model.identifier), expected)
        if expected is None:
            model.archived = True

    @rule(model=objects)
    def recover(self, model: Model) -> None:
        expected = model.unavailable()
        if expected is ResultReason.OBJECT_ARCHIVED:
            expected = None
        self.agree(RecoverRequest(unique_identifier=model.identifier), expected)
        if expected is None:
            model.archived = False

    @rule(model=objects)
    def get(self, model: Model) -> None:
        expected = model.unavailable()
        self.agree(GetRequest(unique_identifier=model.identifier), expected)
        if expected is None:
            model.fresh = False

    @rule(model=objects)
    def look(self, model: Model) -> None:
        if model.obliterated:
            self.agree(
                GetAttributesRequest(unique_identifier=model.identifier), ResultReason.OBJECT_NOT_FOUND
            )
            return
        assert value(self.kms, model.identifier, Tag.STATE) is model.state
        assert value(self.kms, model.identifier, Tag.FRESH) is model.fresh
        assert value(self.kms, model.identifier, Tag.ACTIVATION_DATE) == model.activation
        assert value(self.kms, model.identifier, Tag.DEACTIVATION_DATE) == model.deactivation

    @rule(
        storage=st.sampled_from([ON_LINE, ARCHIVED, DESTROYED, ON_LINE | ARCHIVED | DESTROYED]),
        state=st.none() | st.sampled_from(State),
        maximum=st.none() | st.integers(0, 3),
        offset=st.integers(0, 2),
    )
    def locate(
        self, storage: StorageStatusMask, state: State | None, maximum: int | None, offset: int
    ) -> None:
        filters = [] if state is None else [attribute(Tag.STATE, state)]
        request = LocateRequest(
            attributes=template(*filters),
            storage_status_mask=storage,
            maximum_items=maximum,
            offset_items=offset,
        )
        expected = [
            m.identifier
            for m in sorted(self.models, key=lambda m: m.number, reverse=True)
            if m.storage & storage and state in (None, m.state)
        ]
        end = None if maximum is None else offset + maximum
        found = self.kms.call(request, version=V2_1).unique_identifier
        assert list(found) == expected[offset:end]

    @rule(hours=st.sampled_from([1, 23, 24, 48]))
    def time_passes(self, hours: int) -> None:
        self.kms.clock.pass_time(hours=hours)
        for model in self.models:
            model.settle(self.kms.clock.now())

    @rule()
    def restart(self) -> None:
        clock = self.kms.clock
        self.kms.close()
        self.kms = TestKms(self.data, clock=clock)

    @invariant()
    def nothing_is_lost(self) -> None:
        if getattr(self, "models", None):
            everywhere = LocateRequest(storage_status_mask=ON_LINE | ARCHIVED | DESTROYED)
            found = self.kms.call(everywhere, version=V2_1).unique_identifier
            assert len(found) == len(self.models)


LifeCycle.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLifeCycle = LifeCycle.TestCase
