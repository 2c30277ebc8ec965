"""`audit`: checkpoints, and the right to read the log.

Rule: a reader asks first, so that it is recorded who has read; the log itself is read by the process that
shows it.
"""

import asyncio

from strongroom.audit.checkpoints import Checkpoint
from strongroom.audit.keeper import CheckpointFailed
from strongroom.domain.people import Role
from strongroom.server.administration.command import Administrator, command
from strongroom.server.administration.store import missed
from strongroom.server.auditing import make_keeper, open_audit_folder
from strongroom.server.errors import OperatorError
from strongroom.server.messages import Message
from strongroom.server.standing import reason


@command("audit.checkpoint", roles={Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR})
async def checkpoint_(admin: Administrator, request: Message) -> object:
    checkpoint, problem = await _checkpoint(admin)
    if problem is not None:
        raise OperatorError(problem)
    return {
        "number": checkpoint.number,
        "node": checkpoint.node,
        "at": checkpoint.at,
        "changes": checkpoint.changes.position,
        "head": checkpoint.changes.hash.hex(),
        "segments": len(checkpoint.reads),
    }


@command("audit.read", roles={Role.ADMINISTRATOR, Role.AUDITOR})
async def read(admin: Administrator, request: Message) -> object:
    """Tell what a reader needs: the numbers of clients, and a log that is signed up to now."""
    checkpoint, problem = await _checkpoint(admin)
    return {
        "clients": {str(record.client): record.name for record in await admin.clients.clients()},
        "node": checkpoint.node,
        "problem": problem,
    }


async def _checkpoint(admin: Administrator) -> tuple[Checkpoint, str | None]:
    """Make a checkpoint if there is news; return the last, and why it is not anchored, None when it is."""
    if admin.store.read_only is not None:
        raise OperatorError(f"nothing is signed for while {admin.store.read_only}")
    keeper = make_keeper(
        admin.settings.audit, admin.directory, admin.root_key, open_audit_folder(admin.directory)
    )
    chain = admin.store.chain
    try:
        seen = await asyncio.to_thread(keeper.last)
        # After that, as always: whoever rewrites the chain in the database must not have it signed for.
        if behind := await missed(admin):
            raise OperatorError(f"nothing is signed for while {reason(behind[0])}")
        await chain.extend()
        head, now = await chain.head(), int(admin.now.timestamp())
        made = await asyncio.to_thread(keeper.make, head, now, "command", seen=seen)
        last = made or keeper.last()
    except CheckpointFailed as error:
        raise OperatorError(str(error)) from error
    if last is None:
        raise OperatorError("nothing was recorded yet")
    try:
        await asyncio.to_thread(keeper.anchor)
    except CheckpointFailed as error:
        return last, str(error)
    return last, None
