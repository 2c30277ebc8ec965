"""Play one case: fill in, send, receive, compare, step by step.

Rule: the first step that fails ends the case. A step is sent again only when the listing allows for
time to pass: a Poll that is still pending, a `[REPEAT]`, or a question whose answer a date changes.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from strongroom.conformance.cases import Case, Step
from strongroom.conformance.compare import Comparison, Difference, Exchange
from strongroom.conformance.connection import Channel, ServerFault, decode_answer
from strongroom.conformance.dates import all_refused, fixed_dates, moved_to
from strongroom.conformance.ledger import Ledger
from strongroom.conformance.messages import with_credentials
from strongroom.conformance.render import render, render_value
from strongroom.conformance.results import CaseResult, Failure, Outcome
from strongroom.conformance.target import Target
from strongroom.conformance.trees import child, children, find, leaves, operations
from strongroom.conformance.variables import Bindings, Unresolved, Variable
from strongroom.registry import Operation, ResultStatus, Tag
from strongroom.registry.names import TAGS, VALUES
from strongroom.wire import binary
from strongroom.wire.encodings import Encoding
from strongroom.wire.item import DATE_TIME, Item

_QUESTIONS: Final = frozenset(
    {
        Operation.LOCATE,
        Operation.CHECK,
        Operation.GET,
        Operation.GET_ATTRIBUTES,
        Operation.GET_ATTRIBUTE_LIST,
        Operation.POLL,
        Operation.QUERY,
    }
)
_QUESTIONS_OF_SERVERS: Final = frozenset({Operation.QUERY, Operation.DISCOVER_VERSIONS})
_ATTRIBUTE_LISTS: Final = (
    Tag.ATTRIBUTES,
    Tag.COMMON_ATTRIBUTES,
    Tag.PRIVATE_KEY_ATTRIBUTES,
    Tag.PUBLIC_KEY_ATTRIBUTES,
    Tag.NEW_ATTRIBUTE,
)
_FIRST_PAUSE: Final = 0.1  # seconds; doubled up to _LONGEST_PAUSE
_LONGEST_PAUSE: Final = 2.0
_AFTER_A_DATE: Final = 1.5  # seconds; dates have whole seconds


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How long to wait, by which clock, and how to write what a case does not say."""

    timeout: float = 30.0  # seconds for one answer
    longest_wait: float = 180.0  # seconds for a date to pass or a Poll to end
    tolerance: int = 60  # seconds that the server's clock may be off
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    encoding: Encoding | None = None  # over HTTPS; None is TTLV over TLS


@dataclass(frozen=True)
class Client:
    """One of the clients of a case."""

    target: Target
    channel: Channel


class Listener(Protocol):
    """The endpoint to which the server sends its own requests."""

    def hold(self) -> None:
        """Keep what arrives from now on for `receive`."""

    def release(self) -> None:
        """Answer what arrives from now on as any client does."""

    def receive(self, fits: Callable[[Item], bool]) -> bytes:
        """Return the next request of the server that fits, and answer the others; raises ServerFault."""

    def answer(self, message: bytes) -> None:
        """Answer the request that was received last; raises ServerFault."""


Prompt: TypeAlias = Callable[[Item], None]
"""Make the server ask its client what the request says; raises ServerFault."""


@dataclass
class Chain:
    """What cases that are played together share."""

    started: float
    ledger: Ledger = field(default_factory=Ledger)
    fixed_dates: frozenset[int] = frozenset()
    mentioned: frozenset[str] = frozenset()


class StepFailed(Exception):
    """A step did not go as the listing says."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class Player:
    """Plays one case once."""

    def __init__(
        self,
        case: Case,
        *,
        clients: Mapping[str, Client],
        chain: Chain,
        settings: Settings,
        listener: Listener | None = None,
        prompt: Prompt | None = None,
    ) -> None:
        self._prompt = prompt
        self._case = moved_to(case, int(settings.clock()))
        self._clients = clients
        self._chain = chain
        self._settings = settings
        self._listener = listener
        self._bindings = Bindings()
        self._variations: list[str] = []
        self._dates: set[int] = set()  # in the future when a request set them

    def play(self) -> CaseResult:
        """Return what came of it."""
        started = self._settings.clock()
        failure: Failure | None = None
        listener = self._listener if self._case.has_server_messages else None
        if listener is not None:
            listener.hold()
        try:
            for number, step in enumerate(self._case.steps, start=1):
                self._step(number, step)
        except StepFailed as exc:
            failure = exc.failure
        finally:
            if listener is not None:
                listener.release()
        return CaseResult(
            name=self._case.name,
            title=self._case.title,
            family=self._case.family,
            version=self._case.version,
            group=self._case.group,
            outcome=Outcome.PASSED if failure is None else Outcome.FAILED,
            steps=len(self._case.steps),
            seconds=self._settings.clock() - started,
            failure=failure,
            variations=tuple(dict.fromkeys(self._variations)),
            notes=tuple(self._bindings.notes),
        )

    def _step(self, number: int, step: Step) -> None:
        if step.from_server:
            self._answer_server(number, step)
            return
        if not all_refused(step.response):  # what is refused fixes nothing
            self._chain.fixed_dates |= fixed_dates(step.request)
        self._chain.mentioned |= _attributes_set(step.request)
        self._ask(number, step)

    def _ask(self, number: int, step: Step) -> None:
        pause = _FIRST_PAUSE
        give_up = self._settings.clock() + self._settings.longest_wait
        while True:
            now = int(self._settings.clock())
            request = self._filled(number, step, step.request, now)
            self._dates |= {date for date in _dates(request) if date > now}
            data, answer = self._send(number, step, request)
            self._chain.ledger.observe(request, answer)
            before = dict(self._bindings.values)
            difference = self._compare(step.response, answer, request)
            if difference is None:
                self._bindings.learn(answer)
                return
            wait = self._worth_waiting(step, request, answer, pause)
            if wait is None or self._settings.clock() + wait > give_up:
                reason = f"{difference}{_complaint(answer)}"
                raise StepFailed(
                    self._failure(number, step, reason, request=request, answer=answer, data=data)
                )
            self._bindings.values = before
            self._settings.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _filled(self, number: int, step: Step, template: Item, now: int) -> Item:
        try:
            return self._bindings.fill(template, now=now)
        except Unresolved as exc:
            raise StepFailed(self._failure(number, step, str(exc), request=template)) from exc

    def _send(self, number: int, step: Step, request: Item) -> tuple[bytes, Item]:
        """Send the request with the client's credentials, which no report ever shows."""
        data = b""
        client = self._clients[step.client]
        try:
            data = client.channel.exchange(binary.encode(with_credentials(request, client.target)))
            return data, decode_answer(data)
        except ServerFault as exc:
            raise StepFailed(
                self._failure(number, step, str(exc), request=request, data=exc.received or data)
            ) from exc

    def _compare(self, expected: Item, actual: Item, request: Item | None) -> Difference | None:
        tolerance = self._settings.tolerance
        exchange = Exchange(
            version=self._case.version,
            request=request,
            earliest=int(self._chain.started) - tolerance,
            latest=int(self._settings.clock()) + tolerance,
            fixed_dates=self._chain.fixed_dates,
            mentioned=self._chain.mentioned,
        )
        comparison = Comparison(exchange, self._bindings, self._chain.ledger)
        difference = comparison.run(expected, actual)
        self._variations += comparison.used
        return difference

    def _worth_waiting(self, step: Step, request: Item, answer: Item, pause: float) -> float | None:
        """Return the seconds after which the same request may be answered as expected."""
        asked = set(operations(request))
        if Operation.POLL in asked and ResultStatus.OPERATION_PENDING in _statuses(answer):
            return pause
        if not asked <= _QUESTIONS:
            return None
        now = self._settings.clock()
        coming = [date for date in self._dates if date + _AFTER_A_DATE > now]
        if coming:
            return min(coming) + _AFTER_A_DATE - now
        return pause if step.repeat else None

    def _answer_server(self, number: int, step: Step) -> None:
        """Play the client's part when the server asks."""
        if self._listener is None:
            raise StepFailed(self._failure(number, step, "no endpoint is open for the server's messages"))
        data = b""
        try:
            if self._prompt is not None and _QUESTIONS_OF_SERVERS & set(operations(step.request)):
                self._prompt(step.request)
            data = self._listener.receive(lambda asked: self._concerns(step, asked))
            asked = decode_answer(data)
            difference = self._compare(step.request, asked, None)
            if difference is not None:
                raise StepFailed(self._failure(number, step, str(difference), answer=asked, data=data))
            self._bindings.learn(asked)
            response = self._filled(number, step, step.response, int(self._settings.clock()))
            self._listener.answer(binary.encode(response))
        except ServerFault as exc:
            raise StepFailed(self._failure(number, step, str(exc), data=exc.received or data)) from exc

    def _concerns(self, step: Step, asked: Item) -> bool:
        """Tell whether a request of the server is the one of a step, or of something that came before."""
        expected = [found[2] for found in find(step.request, Tag.UNIQUE_IDENTIFIER)][:1]
        wanted = [
            self._bindings.values.get(one.name, one) if isinstance(one, Variable) else one for one in expected
        ]
        named = [found[2] for found in find(asked, Tag.UNIQUE_IDENTIFIER)][:1]
        known = not any(isinstance(one, Variable) for one in wanted)
        return operations(asked) == operations(step.request) and (named == wanted or not known)

    def _failure(
        self,
        number: int,
        step: Step,
        reason: str,
        *,
        request: Item | None = None,
        answer: Item | None = None,
        data: bytes = b"",
    ) -> Failure:
        return Failure(
            step=number,
            time=step.time,
            operations=_operation_names(step),
            reason=reason,
            expected=render(step.request if step.from_server else step.response),
            request=render(request) if request is not None else "",
            request_bytes=_encoded(request),
            answer=render(answer) if answer is not None else None,
            answer_bytes=data,
        )


def _encoded(request: Item | None) -> bytes:
    """Return a request as it was sent, nothing for one whose variables are open."""
    if request is None or any(isinstance(value, Variable) for _, _, value in leaves(request)):
        return b""
    return binary.encode(request)


def _dates(message: Item) -> set[int]:
    return {value for _, kind, value in leaves(message) if kind == DATE_TIME}


def _attributes_set(request: Item) -> frozenset[str]:
    """Return the 1.x names of the attributes that a request gives values for."""
    named = {
        str(name[2])
        for attribute in find(request, Tag.ATTRIBUTE)
        for name in children(attribute, Tag.ATTRIBUTE_NAME)
    }
    for tag in _ATTRIBUTE_LISTS:
        for listed in find(request, tag):
            named |= {TAGS[item[0]].spec_name for item in listed[2] if item[0] in TAGS}
    return frozenset(named)


def _statuses(message: Item) -> set[int]:
    found = (child(batch_item, Tag.RESULT_STATUS) for batch_item in children(message, Tag.BATCH_ITEM))
    return {item[2] for item in found if item is not None}


def _complaint(answer: Item) -> str:
    """Return what the server says of the first batch item that it failed; it may explain a difference."""
    for batch_item in children(answer, Tag.BATCH_ITEM):
        reason, message = child(batch_item, Tag.RESULT_REASON), child(batch_item, Tag.RESULT_MESSAGE)
        if reason is not None:
            said = f": {render_value(message)}" if message is not None else ""
            return f" (the server answers {render_value(reason)}{said})"
    return ""


def _operation_names(step: Step) -> str:
    names = VALUES["Operation"]
    return ", ".join(
        names[number].spec_name if number is not None and number in names else "(none)"
        for number in operations(step.request)
    )
