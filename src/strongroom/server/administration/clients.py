"""`client`: who may connect.

Rule: the commands read their request and answer it; `server/clients.py` decides.
"""

from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key

from strongroom.domain.people import Role
from strongroom.server.administration.command import Administrator, command
from strongroom.server.ca import fingerprint, open_authority
from strongroom.server.clients import check_name, enrol, revoke, to_message
from strongroom.server.errors import OperatorError
from strongroom.server.messages import Message, optional_text, text, texts
from strongroom.server.naming import tenant_named


@command("client.list", roles={Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR})
async def list_(admin: Administrator, request: Message) -> object:
    return [to_message(record) for record in await admin.clients.clients()]


@command("client.enrol", roles={Role.ADMINISTRATOR}, spreads=True)
async def enrol_(admin: Administrator, request: Message) -> object:
    name = check_name(text(request, "name"))
    public_key = load_pem_public_key(text(request, "public_key").encode())
    # The certificate is made first: a record without one would block the name.
    authority = open_authority(admin.directory, admin.root_key)
    certificate = authority.client_certificate(public_key, name, admin.now)
    record = await enrol(
        admin.clients,
        name=name,
        fingerprint=fingerprint(public_key),
        groups=texts(request, "groups"),
        username=optional_text(request, "username"),
        password_hash=optional_text(request, "password_hash"),
        now=admin.now,
        tenant=await tenant_named(admin.store, optional_text(request, "tenant")),
    )
    return {
        "client": to_message(record),
        "certificate": certificate.public_bytes(Encoding.PEM).decode("ascii"),
        "ca": authority.certificate.public_bytes(Encoding.PEM).decode("ascii"),
        **admin.advertised,
    }


@command("client.revoke", roles={Role.ADMINISTRATOR}, spreads=True)
async def revoke_(admin: Administrator, request: Message) -> object:
    return to_message(await revoke(admin.clients, text(request, "name"), admin.now))


@command("client.ask", roles={Role.ADMINISTRATOR, Role.OPERATOR})
async def ask(admin: Administrator, request: Message) -> object:
    if admin.live is None:
        raise OperatorError("no server runs on this data directory, so nobody can ask; start it first")
    await admin.live.ask(request)
    return None
