"""What is remembered of a request that was done, so that the next one like it is done with less work.

Rule: only what stands alone in its message, and says the same each time. Where it is kept, and on what
condition it is used, says the file of each kind: answers (`memory.py`), computations, creations, and searches
for names (`named.py`).
"""

from strongroom.domain.audit import AuditEvent
from strongroom.domain.context import Sought
from strongroom.engine.answers import Answers
from strongroom.engine.computations import Computation, Computations, Example
from strongroom.engine.creations import Creations
from strongroom.engine.memory import AnswerMemory, Basis, RememberedAnswer, repeatable, true_until
from strongroom.engine.named import Example as SearchExample
from strongroom.engine.named import NamedSearches
from strongroom.engine.namesakes import stands_alone
from strongroom.engine.plans import Plans
from strongroom.engine.request import BatchItem
from strongroom.engine.run import Run
from strongroom.engine.services import Services
from strongroom.engine.slices import encode_long, is_long
from strongroom.engine.unit_of_work import UnitOfWork
from strongroom.operations.locate import LocateResponse
from strongroom.wire import binary
from strongroom.wire.item import Item


class Remembering:
    """Hands what was done to the memories that may want it."""

    def __init__(
        self,
        services: Services,
        plans: Plans,
        answers: AnswerMemory,
        computations: Computations,
        creations: Creations,
        searches: NamedSearches,
    ) -> None:
        self._services = services
        self._plans = plans
        self._answers = answers
        self._computations = computations
        self._creations = creations
        self._searches = searches

    @property
    def cleared(self) -> int:
        """Return how often everything was forgotten."""
        return self._answers.cleared

    def made(self, run: Run, work: UnitOfWork) -> None:
        """Remember how another object of the same kind is made, if that was all that the message asked for.

        The object is stored: what fails here is nothing that the client has to know.
        """
        if work.another is None or run.message is None or len(run.request.items) > 1:
            return
        try:
            self._creations.keep(run.connection.client, run.message, run.request, work.another)
        except Exception as failure:  # noqa: BLE001
            self._services.on_failure(failure)

    async def read(
        self,
        run: Run,
        item: BatchItem,
        work: UnitOfWork,
        result: Item,
        event: AuditEvent | None,
        cleared: int,
    ) -> None:
        """Remember what has changed nothing, and how it is recorded.

        Nothing is remembered if everything was forgotten since it was `cleared` times: it may have been done
        by other rules.
        """
        message, spec = run.message, self._services.operations[item.operation or 0]
        if not (spec.repeatable or work.computed) or message is None or len(run.request.items) > 1:
            return
        if not repeatable(run.request.header) or work.entries.asked:
            return
        if work.sought is not None and event is not None:
            self._sought(run, item, work.sought, message, event)
        sources = work.sources()
        if not work.searches.lasting or not all(map(self._services.store.keeps, sources)):
            return
        caller, version = run.connection.client, run.request.version
        basis = Basis(
            spec.needs, caller.access, sources, work.searches.version, run.now, true_until(sources, run.now)
        )
        record = None if event is None else self._services.audit.repeated(event)
        encoded = b""
        if spec.repeatable:
            encoded = await encode_long(result) if is_long([result]) else binary.encode(result)
        if self._answers.cleared != cleared:
            return
        if spec.repeatable:
            self._answers.keep(caller, message, RememberedAnswer(version, encoded, record, basis))
        elif work.computed is not None and _stands_for_others(run, item):
            again, response = work.computed
            example = Example(spec, item.payload or [], response, result)
            self._computations.keep(caller, message, example, Computation(again, version, record, basis))

    def _sought(self, run: Run, item: BatchItem, sought: Sought, message: bytes, event: AuditEvent) -> None:
        """Remember how other names are sought, if that was all that the message asked for."""
        caller, version = run.connection.client, run.request.version
        if caller.ticket is not None or not stands_alone(run.request, item):
            return
        plan, answers = self._plans.find(item.operation, version), Answers(version, run.now)

        def encode(response: LocateResponse) -> bytes:
            return binary.encode(answers.success(plan.spec.operation, None, plan.encode(response)))

        example = SearchExample(sought.seek, plan.spec.needs, caller.access, version, encode, event)
        self._searches.keep(caller, message, sought.name, example)


def _stands_for_others(run: Run, item: BatchItem) -> bool:
    """Tell whether a request may be followed by more of its kind, each with an answer like its own."""
    return run.room is None and item.unique_batch_item_id is None and item.ephemeral is None
