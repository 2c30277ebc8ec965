"""What the supervisor has its workers do: administration commands, and taking over what one of them changed.

Rule: blocking, one thing at a time. A change is in force in every worker when this returns; a worker that
does not take it over is killed, and the next one starts with it. One that is starting may take long, and
takes it over before it serves. The older root key is not let go of while the supervisor has not taken over
the newer one: workers that start have it from here, and nobody else.
"""

from typing import Final

from strongroom.domain.ports import RootKeyError
from strongroom.server.admin import result_of
from strongroom.server.administration.command import find
from strongroom.server.errors import OperatorError, Unreachable
from strongroom.server.logs import get_logger
from strongroom.server.messages import Message
from strongroom.server.ports import RootKeys
from strongroom.server.processes.control import State, WorkerHandle
from strongroom.server.processes.crew import Crew
from strongroom.server.recording import BY_USER

log = get_logger()

ANSWER_TIMEOUT: Final = 5.0
"""Seconds for a worker to answer."""

LETS_GO: Final = "root.finish"
"""The command after which nothing leads from the older root key to the newer one."""


class Delegation:
    """Speaks to the workers of a server about what is administered."""

    def __init__(self, crew: Crew, root_key: RootKeys) -> None:
        self._crew = crew
        self._root_key = root_key
        self._not_followed: str | None = None

    @property
    def problem(self) -> str | None:
        """Return why no worker could start with the root key, None when one could."""
        if self._root_key.sealed:
            return "it is not open for workers that start; open it: strongroom server unseal --data DIR"
        return self._not_followed

    def do(self, request: Message) -> object:
        """Have one worker do a command, and all of them follow; raises OperatorError."""
        command = find(request)
        if command.name == LETS_GO:
            self.follow_root_key()
            if self.problem is not None:
                raise OperatorError(
                    f"the older root key is kept, since the supervisor needs it: {self.problem}"
                )
        answer = self._crew.ask_one({**request, "ask": "administer"}, ANSWER_TIMEOUT)
        if answer is None:
            # It was told: one that was stopped for a while does it then.
            raise Unreachable("no worker answers; one may still do it: look before you repeat the command")
        try:
            return result_of(answer)
        finally:
            # Also what failed may be in the store: the writer that was to say so may have died.
            if command.spreads:
                self._spread()

    def record(self, request: Message, command: str, **fields: int) -> None:
        """Have a worker write it into the audit log; it is done all the same when that fails."""
        try:
            self.do({"command": command, BY_USER: request.get(BY_USER), **fields})
        except OperatorError as error:
            log.error("not_recorded", command=command, error=str(error))

    def changed(self) -> list[WorkerHandle]:
        """Return the workers that have changed client records."""
        return [worker for worker in self._crew.workers if worker.changes]

    def follow(self) -> None:
        """Have every worker take over what some have changed, then tell those."""
        changed = [(worker, worker.changes) for worker in self.changed()]
        if not changed:
            return
        for worker, _ in changed:
            worker.changes = []
        self._spread()
        for worker, numbers in changed:
            for number in filter(None, numbers):
                worker.tell({"ask": "spread", "number": number})

    def follow_root_key(self) -> None:
        """Take over a root key that another process has changed; `problem` says why not."""
        before, self._not_followed = self._not_followed, None
        try:
            self._root_key.follow()
        except RootKeyError as error:
            self._not_followed = str(error)
            if self._not_followed != before:
                log.error("root_key_not_followed", error=str(error))

    def restrict(self, policies: str) -> None:
        """Have every worker enforce other restrictions."""
        self._have_all({"ask": "restrict", "text": policies}, "restrictions")

    def _spread(self) -> None:
        self.follow_root_key()
        self._have_all({"ask": "refresh"}, "clients")

    def _have_all(self, request: Message, changed: str) -> None:
        workers = []
        for worker in self._crew.workers:
            if worker.state is State.STARTING:
                worker.tell(request)  # it does that before it serves, however long that takes, or ends
            else:
                workers.append(worker)
        answers = self._crew.ask(workers, request, ANSWER_TIMEOUT)
        for worker in workers:
            if worker.state is State.RETIRING and worker.hung_up:
                continue  # it was on its way out, and is gone
            if "error" in answers.get(worker, {"error": "no answer"}):
                log.error(
                    "worker_killed", pid=worker.pid, reason=f"it did not take over a change of {changed}"
                )
                self._crew.replace(worker)
