"""`client.invite`: who may become a client, from another host.

Rule: the key of an invitation is made by whoever writes the token; here arrives its public half, and what is
kept is the fingerprint of that.
"""

from datetime import timedelta
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.mapping import Invitation
from strongroom.domain.people import Role
from strongroom.domain.store import Changes, LostRace
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server.address import OFF
from strongroom.server.administration.command import Administrator, command, tenant_it_names
from strongroom.server.admission import all_but_the_key, gives_rights
from strongroom.server.certificates.authorities import identity
from strongroom.server.certificates.ca import INVITATION, fingerprint, open_authority
from strongroom.server.certificates.requests import made_key
from strongroom.server.certificates.trust import server_anchor
from strongroom.server.clients.pending import removal
from strongroom.server.clients.records import check_name
from strongroom.server.errors import InvalidOption, NotFound, OperatorError
from strongroom.server.listening.joining import LONGEST_LIFETIME
from strongroom.server.messages import Message, integer, optional_text, text, texts
from strongroom.server.naming import tenant_named

LONGEST_QUEUE: Final = 1000
"""Invitations at once."""


@command(
    "client.invite",
    roles={Role.ADMINISTRATOR},
    spreads=True,
    approval=gives_rights,
    concerns=tenant_it_names,
    essence=all_but_the_key,
)
async def invite(admin: Administrator, request: Message) -> object:
    name = check_name(text(request, "name"))
    groups = tuple(sorted({check_name(group, "group") for group in texts(request, "groups")}))
    lifetime = timedelta(seconds=integer(request, "seconds"))
    if not timedelta() < lifetime <= LONGEST_LIFETIME:
        raise InvalidOption(f"an invitation is good for {LONGEST_LIFETIME.days} days at most")
    admin.check_ports()
    where = admin.advertised["https"]
    if where == OFF:
        raise OperatorError("clients join over HTTPS, which is off; set https in the configuration")
    key = made_key(text(request, "public_key"))
    if any(one.name == name and one.revoked_at is None for one in await admin.clients.clients()):
        raise OperatorError(f"client {name} is enrolled already; revoke it first, or use another name")
    if await admin.store.count_entries(Invitation, SYSTEM_TENANT, 0) >= LONGEST_QUEUE:
        raise OperatorError(f"there are {LONGEST_QUEUE} invitations already; withdraw some")
    authority = open_authority(admin.directory, admin.root_key)
    certificate = authority.client_certificate(key, INVITATION, admin.now, lifetime)
    tenant = await tenant_named(admin.store, optional_text(request, "tenant"))
    value = Invitation(name=name, tenant=tenant, groups=groups)
    after = Kept(tenant=SYSTEM_TENANT, key=fingerprint(key), owner=0, value=value, due=admin.now + lifetime)
    try:
        await admin.store.commit(
            Changes(entries=[EntryChange(Invitation, SYSTEM_TENANT, after.key, 0, after)])
        )
    except LostRace as error:
        raise OperatorError("this key was invited before; use a new one") from error
    anchor = server_anchor(admin.directory, admin.settings.tls)
    return {
        "certificate": certificate.public_bytes(Encoding.PEM).decode("ascii"),
        "authority": anchor.public_bytes(Encoding.PEM).decode("ascii"),
        "server_fingerprint": identity(anchor),
        "https": where,
        "ends_at": (admin.now + lifetime).isoformat(),
    }


@command("client.invitations", roles={Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR})
async def list_(admin: Administrator, request: Message) -> object:
    return [
        {
            "fingerprint": one.key,
            "name": one.value.name,
            "groups": list(one.value.groups),
            "ends_at": None if one.due is None else one.due.isoformat(),
            "ended": one.due is None or one.due <= admin.now,
        }
        for one in await admin.store.entries_of(Invitation, SYSTEM_TENANT, 0)
    ]


@command("client.withdraw", roles={Role.ADMINISTRATOR}, spreads=True)
async def withdraw(admin: Administrator, request: Message) -> object:
    """Withdraw every invitation for a name."""
    name = text(request, "name")
    found = [
        one for one in await admin.store.entries_of(Invitation, SYSTEM_TENANT, 0) if one.value.name == name
    ]
    if not found:
        raise NotFound(f"nobody is invited as {name}; list them: strongroom client invitations")
    try:
        await admin.store.commit(Changes(entries=[removal(one) for one in found]))
    except LostRace as error:
        raise OperatorError("somebody has just joined with it; look at strongroom client list") from error
    return None
