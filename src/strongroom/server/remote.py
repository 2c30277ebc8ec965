"""Administration by people from their own machines: `POST /admin` on the HTTPS listener.

Rule: the certificate says which client, the client whose it is, and their roles which commands: nothing else
does. Whoever is nobody, or lacks the role, is denied before the server says what it knows. What a command
does is the same code as on the administration socket (`administration/command.py`).

A request is one JSON object with the name of the command and its arguments; the answer is one with `result`,
or with `error` and `kind`, as between our own processes (`errors.py`).
"""

import json
from collections.abc import Awaitable, Callable
from typing import Final

from strongroom.domain.identity import Connection
from strongroom.domain.people import Role, person_of, roles_of
from strongroom.domain.ports import RootKeyError
from strongroom.domain.store import Changes
from strongroom.domain.store_failures import StoreFailure, TamperedRecord
from strongroom.server.administration.command import Administrator, Caller, Command, find, perform
from strongroom.server.errors import Denied, OperatorError, to_answer
from strongroom.server.logs import get_logger
from strongroom.server.messages import BrokenMessage, Message, encode
from strongroom.server.recording import BY_USER, act, failed

LONGEST_REQUEST: Final = 1 << 20
"""Bytes of a request: a policy is far shorter, and reading it holds up the event loop."""

_RESERVED: Final = frozenset({"ask", "id", BY_USER})

log = get_logger()


class RemoteAdministration:
    """Answers administration requests of one worker.

    `surroundings` gives what a command works with; `spread` has every worker follow what one has changed.
    """

    def __init__(
        self,
        surroundings: Callable[[Caller | None], Administrator],
        spread: Callable[[], Awaitable[None]],
    ) -> None:
        self._surroundings = surroundings
        self._spread = spread

    async def answer(self, body: bytes, connection: Connection) -> bytes:
        """Return the answer to a request, in JSON; raises only CancelledError."""
        request: Message = {}
        try:
            caller = await self._caller(connection)
            request = read(body)
            declared = find(request)
            require_right(caller, declared)
        except Denied as error:
            return encode(await self._denied(connection, request.get("command"), error))
        except (OperatorError, BrokenMessage, StoreFailure, TamperedRecord) as error:
            return encode(to_answer(error))
        try:
            try:
                result = await perform(self._surroundings(caller), _own(request))
            finally:
                # Also what failed may be in the store.
                if declared.spreads:
                    await self._spread()
        except (OperatorError, BrokenMessage, StoreFailure, TamperedRecord, RootKeyError) as error:
            return encode(to_answer(error))
        except Exception:
            # A mistake in a command must not take the connection down.
            log.exception("admin_command_failed", command=declared.name)
            return encode({"error": "the server could not do it; its log says why"})
        return encode({"result": result})

    async def _denied(self, connection: Connection, command: object, error: Denied) -> Message:
        """Record a denial and return the answer to it; one that a command makes is recorded with it."""
        log.warning(
            "administration_denied",
            client=connection.client.name,
            peer=connection.peer,
            command=command,
            error=str(error),
        )
        admin = self._surroundings(None)
        name = command if isinstance(command, str) else "unread"
        event = failed(act({"command": name}, admin.now, by=f"client:{connection.client.name}"), error)
        event = event._replace(client=connection.client.client, peer=connection.peer)
        try:
            await admin.store.commit(Changes(events=[event]))
        except StoreFailure as failure:
            log.error("denial_not_recorded", error=str(failure))
        return to_answer(error)

    async def _caller(self, connection: Connection) -> Caller:
        """Return who asks; raises Denied for a client that is nobody's."""
        client = connection.client
        if client.username is not None and not client.password_optional:
            # The credential travels in a KMIP header, and there is none here: half of what was demanded at
            # the enrolment is not enough.
            raise Denied(
                f"client {client.name} was enrolled with a user name, which cannot be checked here; "
                "administer with a client that was enrolled without one"
            )
        store = self._surroundings(None).store
        person = await person_of(store, client.client)
        if person is None:
            raise Denied(
                f"client {client.name} belongs to no person, so it may not administer; "
                "an administrator gives it to one"
            )
        roles = await roles_of(store, client.client)
        return Caller(person=person.key, roles=roles, client=client, peer=connection.peer)


def require_right(caller: Caller, command: Command) -> None:
    """Return if the person may give the command from elsewhere; raises Denied."""
    if command.roles.isdisjoint(caller.roles):
        needed = " or ".join(role.value for role in Role if role in command.roles)
        raise Denied(f"{command.name} is for the role {needed}, which {caller.person} does not have")
    if command.local:
        raise Denied(f"{command.name} is done on the machine of the server: give it --data DIR there")


def _own(request: Message) -> Message:
    """Return a request without what only our own processes may say."""
    return {field: value for field, value in request.items() if field not in _RESERVED}


def read(body: bytes) -> Message:
    """Return the request in a body; raises BrokenMessage."""
    try:
        message = json.loads(body, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise BrokenMessage("the request is no JSON that can be read") from error
    if not isinstance(message, dict):
        raise BrokenMessage("the request is no JSON object")
    return message


def _unique(pairs: list[tuple[str, object]]) -> Message:
    message = dict(pairs)
    if len(message) != len(pairs):
        raise ValueError("a name stands twice")
    return message
