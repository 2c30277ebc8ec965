"""`client.pending`: certificates that wait for a decision, and `client.map`: rules that decide beforehand.

Rule: the administrator types the name of the client; what stands in a certificate decides nothing.
"""

import hashlib
import secrets
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.domain.acts import Act
from strongroom.domain.clients import NO_KEY, ClientRecord
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.identity import TenantId
from strongroom.domain.mapping import MAX_DER, CertificateRule
from strongroom.domain.people import Role
from strongroom.domain.store import Changes, LostRace
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server.administration.command import Administrator, command, tenant_it_names
from strongroom.server.admission import gives_rights
from strongroom.server.approving import essence_of
from strongroom.server.certificates.authorities import identity
from strongroom.server.certificates.ca import UNREADABLE
from strongroom.server.certificates.revocation import issuer_of
from strongroom.server.clients.mapping import TypedName, parse_san, parse_subject, rule_key
from strongroom.server.clients.pending import find, queue, removal, shown, to_message
from strongroom.server.clients.records import check_name, enrol, in_force, known_certificate
from strongroom.server.clients.records import to_message as client_message
from strongroom.server.errors import InvalidOption, NotFound, OperatorError
from strongroom.server.listening.tls import client_authorities
from strongroom.server.messages import Message, optional_text, text, texts
from strongroom.server.naming import tenant_named


@command("client.pending", roles={Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR})
async def list_(admin: Administrator, request: Message) -> object:
    waiting = sorted(await queue(admin.store), key=lambda one: one.value.last_seen, reverse=True)
    return [to_message(one) for one in waiting]


_OF_THE_CERTIFICATE: Final = ("fingerprint", "subject", "issuer", "serial", "ends_at", "names")


async def _certificate(admin: Administrator, request: Message) -> Message:
    """Return which certificate it is: whole, however few characters of its fingerprint somebody has typed."""
    kept = await find(admin.store, text(request, "fingerprint"))
    said = to_message(kept)
    return {name: said[name] for name in _OF_THE_CERTIFICATE} | {
        "sha256": hashlib.sha256(kept.value.certificate).hexdigest()
    }


def _all_but_the_fingerprint(request: Message) -> Message:
    return {name: value for name, value in essence_of(request).items() if name != "fingerprint"}


@command(
    "client.accept",
    roles={Role.ADMINISTRATOR},
    spreads=True,
    approval=gives_rights,
    concerns=tenant_it_names,
    essence=_all_but_the_fingerprint,
    facts=_certificate,
)
async def accept(admin: Administrator, request: Message) -> object:
    """Enrol the key of a certificate that waits, under a name that the administrator chooses."""
    kept = await find(admin.store, text(admin.facts, "fingerprint"))
    if hashlib.sha256(kept.value.certificate).hexdigest() != text(admin.facts, "sha256"):
        raise OperatorError(
            "it came again just now, with another certificate; look again: client pending list"
        )
    name = check_name(text(request, "name"))
    try:
        certificate = x509.load_der_x509_certificate(kept.value.certificate)
        issuer = issuer_of(certificate, client_authorities(admin.settings.tls, admin.directory))
    except UNREADABLE as error:
        raise OperatorError("this certificate cannot be read; reject it") from error

    async def decided() -> list[EntryChange]:
        return [removal(await find(admin.store, kept.key))]

    record = await enrol(
        admin.clients,
        name=name,
        fingerprint=kept.key,
        groups=texts(request, "groups"),
        username=None,
        password_hash=None,
        now=admin.now,
        certificate=known_certificate(certificate, issuer),
        tenant=await tenant_named(admin.store, optional_text(request, "tenant")),
        together_with=decided,
    )
    return client_message(record)


@command("client.reject", roles={Role.ADMINISTRATOR})
async def reject(admin: Administrator, request: Message) -> object:
    kept = await find(admin.store, text(request, "fingerprint"))
    try:
        await admin.store.commit(Changes(entries=[removal(kept)]))
    except LostRace as error:
        raise OperatorError("it came again just now; try again") from error
    return to_message(kept)


# Whoever has such a certificate is the client, with all that it may do.
@command("client.map", roles={Role.ADMINISTRATOR}, spreads=True, approval=Act.POLICY)
async def map_(admin: Administrator, request: Message) -> object:
    """Let a client in by a name that an authority vouches for; the client is made if there is none."""
    name = check_name(text(request, "name"))
    issuer = _issuer(text(request, "issuer"))
    typed, said = _typed(request)
    kept_rules = await admin.store.entries_of(CertificateRule, SYSTEM_TENANT, 0)
    key = rule_key(issuer, typed)
    if any(one.key == key for one in kept_rules):
        raise OperatorError("there is a rule for this name of this authority; remove it first: client unmap")
    record = await _client(admin, name, await tenant_named(admin.store, optional_text(request, "tenant")))
    value = CertificateRule(
        client=record.client, issuer=issuer.public_bytes(Encoding.DER), name_type=typed.kind, name=said
    )
    after = Kept(tenant=SYSTEM_TENANT, key=key, owner=0, value=value)
    try:
        await admin.store.commit(
            Changes(entries=[EntryChange(CertificateRule, SYSTEM_TENANT, key, 0, after)])
        )
    except LostRace as error:
        raise OperatorError("somebody else has just made this rule; look at client rules") from error
    return _rule(after, {record.client: record.name})


@command("client.rules", roles={Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR})
async def rules(admin: Administrator, request: Message) -> object:
    names = {int(one.client): one.name for one in await admin.clients.clients()}
    return [_rule(one, names) for one in await admin.store.entries_of(CertificateRule, SYSTEM_TENANT, 0)]


@command("client.unmap", roles={Role.ADMINISTRATOR}, spreads=True)
async def unmap(admin: Administrator, request: Message) -> object:
    """Remove a rule; without a name of the certificate, all rules of the client."""
    record = await in_force(admin.clients, text(request, "name"))
    found = [
        one
        for one in await admin.store.entries_of(CertificateRule, SYSTEM_TENANT, 0)
        if one.value.client == record.client
    ]
    if optional_text(request, "san") is not None or optional_text(request, "subject") is not None:
        typed, _ = _typed(request)
        found = [one for one in found if one.key == rule_key(_stored_issuer(one), typed)]
    if not found:
        raise NotFound(f"there is no such rule for {record.name}; list them: strongroom client rules")
    try:
        await admin.store.commit(Changes(entries=[removal(one) for one in found]))
    except LostRace as error:
        raise OperatorError("the rules have just changed; try again") from error
    return None


def _typed(request: Message) -> tuple[TypedName, str]:
    """Return the name that a rule is about, in its compared form and as it was typed."""
    san, subject = optional_text(request, "san"), optional_text(request, "subject")
    if (san is None) == (subject is None):
        raise InvalidOption("say either --san or --subject")
    if san is not None:
        typed = parse_san(san)
        return typed, typed.value
    assert subject is not None
    return parse_subject(subject), subject


def _issuer(pem: str) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except UNREADABLE as error:
        raise InvalidOption("--issuer is no certificate in PEM that can be read") from error
    except x509.ExtensionNotFound:
        authority = False
    if not authority:
        raise InvalidOption("--issuer is no certificate of an authority (Basic Constraints)")
    if len(certificate.public_bytes(Encoding.DER)) > MAX_DER:
        raise InvalidOption(f"--issuer has more than {MAX_DER} bytes")
    return certificate


def _stored_issuer(rule: Kept[CertificateRule]) -> x509.Certificate:
    return x509.load_der_x509_certificate(rule.value.issuer)


async def _client(admin: Administrator, name: str, tenant: TenantId) -> ClientRecord:
    """Return the client of this name, made now if there is none: then it has no key of its own."""
    try:
        return await in_force(admin.clients, name)
    except NotFound:
        return await enrol(
            admin.clients,
            name=name,
            fingerprint=NO_KEY + secrets.token_hex(16),
            groups=(),
            username=None,
            password_hash=None,
            now=admin.now,
            tenant=tenant,
        )


def _rule(rule: Kept[CertificateRule], names: dict[int, str]) -> Message:
    issuer = _stored_issuer(rule)
    return {
        "client": names.get(rule.value.client, str(rule.value.client)),
        "type": rule.value.name_type,
        "name": rule.value.name,
        "issuer": shown(issuer.subject),
        "issuer_key": identity(issuer),
    }
