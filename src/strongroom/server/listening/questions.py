"""Questions of the administrator to a client: what it speaks, and what it can do.

Rule: a question waits for the client as any message does; its answer is kept and logged when it comes.
"""

from strongroom.domain.identity import ClientIdentity
from strongroom.domain.outgoing import Outgoing
from strongroom.engine.outbox import protocol_of
from strongroom.operations.to_client.query import QUERY
from strongroom.registry import Operation, QueryFunction
from strongroom.registry.names import VALUES
from strongroom.registry.versions import parse_version
from strongroom.server.clients.directory import ClientDirectory
from strongroom.server.errors import InvalidOption, NotFound
from strongroom.server.messages import Message, text, texts


def read_question(request: Message, directory: ClientDirectory) -> tuple[ClientIdentity, Outgoing]:
    """Return who is asked what; raises OperatorError and BrokenMessage.

    No function means Discover Versions.
    """
    name = text(request, "name")
    client = next((one for one in directory.all_in_force() if one.name == name), None)
    if client is None:
        raise NotFound(f"there is no client {name}; list them: strongroom client list")
    try:
        version = parse_version(text(request, "version"))
    except ValueError as error:
        raise InvalidOption(f"--version: {error}") from error
    if not QUERY.in_version(version):
        raise InvalidOption(f"--version: servers ask clients in KMIP {QUERY.since} to {QUERY.until}")
    functions = tuple(map(_function, texts(request, "functions")))
    question = Outgoing(
        operation=Operation.QUERY if functions else Operation.DISCOVER_VERSIONS,
        protocol_version=protocol_of(version),
        query_function=functions,
    )
    return client, question


def _function(name: str) -> QueryFunction:
    for number, entry in VALUES["QueryFunction"].items():
        if entry.name == name:
            return QueryFunction(number)
    known = ", ".join(entry.name for entry in VALUES["QueryFunction"].values())
    raise InvalidOption(f"--function: there is no Query Function {name}; there are {known}")
