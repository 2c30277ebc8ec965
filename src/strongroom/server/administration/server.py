"""`server.status` for people on other machines.

Rule: the supervisor says how the server is, at the administration socket; whoever is on the machine asks it
there.
"""

import asyncio

from strongroom.domain.people import Role
from strongroom.server.admin import call_server
from strongroom.server.administration.command import Administrator, command
from strongroom.server.errors import OperatorError
from strongroom.server.messages import Message


@command("server.status", roles={Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR})
async def status(admin: Administrator, request: Message) -> object:
    """Say how the server is: its workers, its root key, and what is wrong."""
    if admin.caller is None:
        # The supervisor waits for the worker that would ask it.
        raise OperatorError(f"ask the server itself: strongroom server status --data {admin.directory.path}")
    return await asyncio.to_thread(call_server, admin.directory, {"command": "status"})
