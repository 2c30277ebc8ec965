"""Clients that write stories until the server dies.

Rule: whatever a server says counts. A success must be there afterwards, a refusal must have changed nothing;
only a request without an answer, or with one that says so, may have been carried out or not.
"""

import itertools
import random
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, NoReturn

from strongroom import Client
from strongroom.client.errors import KMIPError, OutcomeUnknown, ServerFailure, ServerUnreachable
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.create import CreateResponse
from strongroom.operations.re_key import ReKeyResponse
from strongroom.registry import BatchErrorContinuationOption
from tests.faults.compare import digest, explain
from tests.faults.story import Step, Story

STORIES_AT_ONCE: Final = 4
"""Of one client."""

TIMEOUT: Final = 20.0
MAYBE: Final = "look before you repeat it"
"""How the server says that it does not know itself whether a change was made."""


class ServerGone(Exception):
    """The server did not answer any more."""


class Load:
    """Some clients, each with stories of its own, over any number of lives of a server."""

    def __init__(self, profile: Path, *, clients: int, chance: random.Random) -> None:
        self.stories: list[Story] = []
        self.closing = False
        self.rounds = 0
        self.steps = 0
        """How many were answered since the start, or nearly: the clients do not wait for each other."""
        self.seen_dying = threading.Event()
        """Set before the server is killed: from then on it may fail."""
        self._authors = [
            _Author(
                self, number, Client.from_profile(profile, timeout=TIMEOUT), random.Random(chance.random())
            )
            for number in range(clients)
        ]
        self._pool = ThreadPoolExecutor(clients)
        self._running: list[Future[None]] = []

    def start(self) -> None:
        """Let every client work until its server is gone."""
        self.seen_dying.clear()
        self.steps = 0
        self.rounds += 1
        self._running = [self._pool.submit(author.write) for author in self._authors]

    def wait_for(self, steps: int, *, at_most: float) -> None:
        """Return when this many steps were done since the start, or nothing happens any more."""
        give_up = time.monotonic() + at_most
        while self.steps < steps and time.monotonic() < give_up:
            time.sleep(0.001)

    def join(self) -> None:
        """Return when every client has noticed; raises what any of them found wrong."""
        for running in self._running:
            running.result(TIMEOUT * 2)

    def close(self) -> None:
        """End the clients, also those that are still at work."""
        self.closing = True
        self.seen_dying.set()
        self._pool.shutdown()
        for author in self._authors:
            author.client.close()

    def touched(self) -> list[Story]:
        """Return the stories that were being written when the server was killed."""
        return [story for author in self._authors for story in author.take_touched()]


class _Author:
    """One client."""

    def __init__(self, load: Load, number: int, client: Client, chance: random.Random) -> None:
        self.client = client
        self._load = load
        self._chance = chance
        self._open: list[Story] = []
        self._touched: dict[int, Story] = {}
        self._names = (f"client{number}-key{count}" for count in itertools.count())

    def take_touched(self) -> list[Story]:
        touched, self._touched = list(self._touched.values()), {}
        return touched

    def write(self) -> None:
        """Go on with stories, and begin new ones, until the server is gone."""
        try:
            while not self._load.closing:
                story = self._story()
                step = story.next_step(self._chance)
                if step is None:
                    self._open.remove(story)
                else:
                    self._touched[id(story)] = story
                    self._do(story, step)
        except ServerGone:
            return

    def _story(self) -> Story:
        if len(self._open) < STORIES_AT_ONCE:
            names = tuple(itertools.islice(self._names, self._chance.choice((1, 2))))
            self._open.append(Story(names))
            self._load.stories.append(self._open[-1])
            return self._open[-1]
        return self._chance.choice(self._open)

    def _do(self, story: Story, step: Step) -> None:
        """Send one message and note what is known of it; raises ServerGone."""
        assert story.sent is None, "a story goes on before its last step was looked for"
        story.sent = step
        undo = BatchErrorContinuationOption.UNDO if len(step.requests) > 1 else None
        try:
            outcomes = self.client.batch(step.requests, on_error=undo)
        except (ServerUnreachable, OutcomeUnknown) as gone:
            self._gone(story, gone, done=None if isinstance(gone, OutcomeUnknown) else False)
        self._load.steps += 1
        failures = [outcome for outcome in outcomes if isinstance(outcome, KMIPError)]
        broken = [failure for failure in failures if isinstance(failure, ServerFailure)]
        if broken:
            self._gone(story, broken[-1], done=None if MAYBE in str(broken[-1]) else False)
        self._note(story, f"{step.what}: {failures[-1] if failures else 'done'}")
        assert len(failures) == (len(step.requests) if step.refused else 0), explain(story, "a wrong answer")
        if step.refused:
            story.sent = None
            return
        made = [o.unique_identifier for o in outcomes if isinstance(o, CreateResponse | ReKeyResponse)]
        for line, identifier in zip(step.makes, made, strict=True):
            story.identifiers[line].append(identifier)
        story.carried_out()
        if made and self._chance.random() < 0.5:
            self._read(story, made[-1])

    def _read(self, story: Story, identifier: UniqueIdentifier) -> None:
        try:
            story.materials[identifier] = digest(self.client.get(identifier))
        except (ServerUnreachable, ServerFailure) as gone:
            self._gone(story, gone, done=False)

    def _gone(self, story: Story, why: KMIPError, *, done: bool | None) -> NoReturn:
        if story.sent is not None:
            known = "not done" if done is False else "nobody knows"
            self._note(story, f"{story.sent.what}: {known} ({why})")
        assert self._load.seen_dying.is_set(), explain(story, "the server failed before it was killed")
        if done is False:
            story.sent = None
        raise ServerGone

    def _note(self, story: Story, what: str) -> None:
        story.history.append(f"round {self._load.rounds}: {what}")
