"""`client`: who may connect.

Rule: the commands read their request and answer it; `server/clients/records.py` decides. Whatever ends in a
new key makes the certificate first: a record without one would block the name.
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.domain.acts import Act
from strongroom.domain.clients import ClientRecord
from strongroom.domain.entries import EntryChange
from strongroom.domain.identity import TenantId
from strongroom.domain.people import Role, person_of
from strongroom.domain.provisioning import LinkCredential
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server.administration.command import Administrator, command, tenant_it_names
from strongroom.server.admission import all_but_the_key, gives_rights
from strongroom.server.certificates.ca import CLIENT_LIFETIME, Authority, fingerprint, open_authority
from strongroom.server.certificates.requests import made_key, requested_key, unusable
from strongroom.server.certificates.trust import trusted_by_clients
from strongroom.server.clients.records import (
    certify_again,
    check_name,
    enrol,
    enrolled_already,
    in_force,
    known_certificate,
    renew,
    revoke,
    to_message,
)
from strongroom.server.errors import OperatorError
from strongroom.server.messages import Message, optional_text, text, texts
from strongroom.server.naming import tenant_named


@command("client.list", roles={Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR})
async def list_(admin: Administrator, request: Message) -> object:
    records = sorted(await admin.clients.clients(), key=lambda one: (one.enrolled_at, one.name))
    return [to_message(record) for record in records]


async def _key_it_brings(admin: Administrator, request: Message) -> Message:
    """Return the fingerprint of the key in a certificate request, where there is one."""
    csr = optional_text(request, "csr")
    return {} if csr is None else {"fingerprint": fingerprint(requested_key(csr.encode()))}


@command(
    "client.enrol",
    roles={Role.ADMINISTRATOR},
    spreads=True,
    approval=gives_rights,
    concerns=tenant_it_names,
    essence=all_but_the_key,
    facts=_key_it_brings,
)
async def enrol_(admin: Administrator, request: Message) -> object:
    """Let in a new client. One that was enrolled just so, and is in force, gets a certificate once more: the
    first may never have arrived. It is good no longer than that one, and the password stays."""
    name = check_name(text(request, "name"))
    public_key = _public_key(request)
    known, groups = fingerprint(public_key), texts(request, "groups")
    username = optional_text(request, "username")
    tenant = await tenant_named(admin.store, optional_text(request, "tenant"))
    before = await enrolled_already(
        admin.clients, name=name, fingerprint=known, groups=groups, username=username, tenant=tenant
    )
    if before is not None:
        authority, certificate = _certificate(admin, public_key, name, since=before.enrolled_at)
        if certificate.not_valid_after_utc > admin.now:
            issued = known_certificate(certificate, authority.certificate)
            return _granted(admin, await certify_again(admin.clients, before, issued), certificate)
    authority, certificate = _certificate(admin, public_key, name, since=admin.now)
    record = await enrol(
        admin.clients,
        name=name,
        fingerprint=known,
        groups=groups,
        username=username,
        password_hash=optional_text(request, "password_hash"),
        now=admin.now,
        tenant=tenant,
        certificate=known_certificate(certificate, authority.certificate),
    )
    return _granted(admin, record, certificate)


async def _concerned(admin: Administrator, request: Message) -> TenantId:
    """Return the client's tenant, of a client that a person administers or votes with the whole server."""
    record = await in_force(admin.clients, text(request, "name"))
    person = await person_of(admin.store, record.client)
    return record.tenant if person is None else SYSTEM_TENANT


# Whoever has the new key is the client, with all that it may do.
@command(
    "client.renew",
    roles={Role.ADMINISTRATOR},
    spreads=True,
    approval=Act.POLICY,
    concerns=_concerned,
    essence=all_but_the_key,
    facts=_key_it_brings,
)
async def renew_(admin: Administrator, request: Message) -> object:
    """A new key and certificate for a client; the old ones are good until their end, or end `now`.

    Where they end, a credential that was withdrawn (see Re-Provision) is one of the past.
    """
    record = await in_force(admin.clients, text(request, "name"))
    public_key = _public_key(request)
    authority, certificate = _certificate(admin, public_key, record.name, since=admin.now)
    until = None if request.get("now") is True else record.ends_at or admin.now + CLIENT_LIFETIME

    async def old_is_forgotten() -> Sequence[EntryChange]:
        key = str(int(record.client))
        kept = await admin.store.load_entry(LinkCredential, record.tenant, key) if until is None else None
        return () if kept is None else [EntryChange(LinkCredential, kept.tenant, key, kept.generation, None)]

    changed = await renew(
        admin.clients,
        record.name,
        known_certificate(certificate, authority.certificate),
        old_until=until,
        together_with=old_is_forgotten,
    )
    return _granted(admin, changed, certificate)


@command("client.revoke", roles={Role.ADMINISTRATOR}, spreads=True)
async def revoke_(admin: Administrator, request: Message) -> object:
    return to_message(await revoke(admin.clients, text(request, "name"), admin.now))


@command("client.ask", roles={Role.ADMINISTRATOR, Role.OPERATOR})
async def ask(admin: Administrator, request: Message) -> object:
    if admin.live is None:
        raise OperatorError("no server runs on this data directory, so nobody can ask; start it first")
    await admin.live.ask(request)
    return None


def _public_key(request: Message) -> PublicKeyTypes:
    """Return the key of a certificate request or, where this program made the key itself, the key alone."""
    csr = optional_text(request, "csr")
    if csr is not None:
        return requested_key(csr.encode())
    key = made_key(text(request, "public_key"))
    problem = unusable(key)
    if problem is not None:
        raise OperatorError(problem)
    return key


def _certificate(
    admin: Administrator, public_key: PublicKeyTypes, name: str, *, since: datetime
) -> tuple[Authority, x509.Certificate]:
    admin.check_ports()
    authority = open_authority(admin.directory, admin.root_key)
    return authority, authority.client_certificate(public_key, name, since)


def _granted(admin: Administrator, record: ClientRecord, certificate: x509.Certificate) -> Message:
    """Return what a client gets."""
    return {
        "client": to_message(record),
        "certificate": certificate.public_bytes(Encoding.PEM).decode("ascii"),
        "ca": trusted_by_clients(admin.directory, admin.settings.tls).decode("ascii"),
        **admin.advertised,
    }
