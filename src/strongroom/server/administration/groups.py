"""`client group`: which groups a client is in.

Rule: a group is a name that rules may grant something to; it exists as long as a client or a rule names it.
"""

import dataclasses

from strongroom.domain.acts import Act
from strongroom.domain.clients import ClientChanged
from strongroom.domain.people import Role
from strongroom.server.administration.command import Administrator, command
from strongroom.server.clients.records import check_name, to_message
from strongroom.server.errors import NotFound, OperatorError
from strongroom.server.kept import ATTEMPTS
from strongroom.server.messages import Message, text, texts
from strongroom.server.naming import client_named


@command("client.group", roles={Role.ADMINISTRATOR}, approval=Act.POLICY, spreads=True)
async def group(admin: Administrator, request: Message) -> object:
    name = text(request, "name")
    added = {check_name(one, "group") for one in texts(request, "add")}
    removed = set(texts(request, "remove"))
    for _ in range(ATTEMPTS):
        record = await client_named(admin.clients, name)
        missing = removed - set(record.groups)
        if missing:
            raise NotFound(f"client {name} is not in the group {', '.join(sorted(missing))}")
        groups = tuple(sorted((set(record.groups) | added) - removed))
        if groups == record.groups:
            return to_message(record)
        changed = dataclasses.replace(record, groups=groups)
        try:
            await admin.clients.put(changed)
        except ClientChanged:
            continue
        return to_message(changed)
    raise OperatorError(f"client {name} could not be changed: others keep changing it; try again")
