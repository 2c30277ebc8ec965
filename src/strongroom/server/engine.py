"""The dispatcher of one worker, wired to its adapters.

Rule: the one place that knows which adapter stands behind which port.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TypeAlias

import structlog

from strongroom.crypto.cryptographer import Cryptographer
from strongroom.crypto.pool import Pool
from strongroom.domain.audit import AuditEvent, AuditLog, NoAuditLog
from strongroom.domain.clock import Clock, SystemClock
from strongroom.domain.context import Policy, ServerFacts
from strongroom.domain.errors import KmipError
from strongroom.domain.identity import DEFAULT_TENANT, ClientId, ClientIdentity, TenantId
from strongroom.domain.outgoing import OutgoingQueue, Subscription
from strongroom.domain.provisioning import Provisioning
from strongroom.domain.store import ObjectStore
from strongroom.domain.store_failures import TamperedRecord
from strongroom.engine.dispatch import Dispatcher
from strongroom.engine.guesses import Guesses, Tally
from strongroom.engine.neighbours import Neighbours
from strongroom.engine.quotas import NO_QUOTAS, QuotaLimits
from strongroom.engine.services import Services
from strongroom.engine.streams import StreamLimits, StreamTable
from strongroom.engine.transactions import Transactions
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.structures import ProfileInformation, ProfileVersion, ServerInformation
from strongroom.operations.catalogue import all_operations
from strongroom.registry import ProfileName
from strongroom.scheduler.rotation import Rotations
from strongroom.server.address import Address
from strongroom.server.guesses import GuessMemory, SharedTally
from strongroom.server.http import PATH
from strongroom.server.profiles import ALWAYS, OVER_HTTPS
from strongroom.version import VERSION
from strongroom.wire.limits import DEFAULT_LIMITS, Limits

log = structlog.get_logger()

Claim: TypeAlias = tuple[ProfileName, tuple[int, int] | None]


class LoggedMessages:
    """Client messages (Log, Interop) go to the server's log, marked as the client's words."""

    def message(self, caller: ClientIdentity, text: str) -> None:
        log.info("client_message", client=caller.name, text=text)


def check_password(password_hash: str, password: bytes) -> bool:
    """Tell whether a password fits its Argon2id hash; slow on purpose."""
    from argon2 import PasswordHasher
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        return PasswordHasher().verify(password_hash, password)
    except (Argon2Error, InvalidHashError):
        return False


def server_facts(https: Address | None = None) -> ServerFacts:
    """Return what Query says of this server; `https` is where clients reach KMIP over HTTPS."""
    return ServerFacts(
        profiles=(*_profiles(ALWAYS, None), *(() if https is None else _profiles(OVER_HTTPS, https))),
        vendor=f"Strongroom {VERSION}",
        information=ServerInformation(
            server_name="strongroom", server_version=VERSION, product_name="Strongroom"
        ),
    )


def _profiles(claims: Iterable[Claim], where: Address | None) -> Iterator[ProfileInformation]:
    for name, version in claims:
        yield ProfileInformation(
            profile_name=name,
            profile_version=None
            if version is None
            else ProfileVersion(profile_version_major=version[0], profile_version_minor=version[1]),
            server_uri=None if where is None else f"https://{where}{PATH}",
            server_port=None if where is None else where.port,
        )


def make_dispatcher(
    store: ObjectStore,
    policy: Policy,
    clients: Callable[[ClientId], ClientIdentity | None],
    *,
    limits: Limits = DEFAULT_LIMITS,
    streams: StreamLimits | None = None,
    quotas: QuotaLimits | None = None,
    neighbours: Neighbours | None = None,
    clock: Clock | None = None,
    https: Address | None = None,
    subscriptions: Mapping[str, Subscription] | None = None,
    outgoing: OutgoingQueue | None = None,
    provisioning: Provisioning | None = None,
    audit: AuditLog | None = None,
    tally: Tally | None = None,
    remembered_for: timedelta = timedelta(minutes=5),
) -> Dispatcher:
    """Return the dispatcher over a store.

    `clients` says who may connect, `clock` None is the machine's, `https` is where clients reach the other
    listener. `subscriptions` are what clients want to be told, by name, `outgoing` who tells them, and
    `provisioning` who makes new credentials. `audit` is where reads and refusals are recorded; None is
    nowhere, which only a test may want. `tally` counts wrong credentials with the other workers; None is for
    a worker that is alone. `remembered_for` is how long answers may be remembered, with the keys in them.
    """
    clock = clock or SystemClock()
    return Dispatcher(
        Services(
            store=store,
            crypto=Cryptographer(),
            clock=clock,
            policy=policy,
            client_log=LoggedMessages(),
            server=server_facts(https),
            check_password=check_password,
            guesses=Guesses(tally or SharedTally(GuessMemory(1), 0), clock),
            on_ignored_credential=_ignored_credential,
            clients=clients,
            operations={int(code): spec for code, spec in all_operations().items()},
            audit=audit or NoAuditLog(),
            on_event=_log_refusal,
            on_failure=_log_failure,
            streams=StreamTable(streams or StreamLimits(), prefix=neighbours.name if neighbours else b""),
            neighbours=neighbours,
            subscriptions=subscriptions or {},
            outgoing=outgoing,
            provisioning=provisioning,
            limits=limits,
            quotas=quotas or NO_QUOTAS,
            aside=Pool(threads=1, waiting=64),
            remembered_for=remembered_for,
        )
    )


def make_rotations(
    store: ObjectStore,
    transactions: Transactions,
    tenants: Callable[[], Collection[TenantId]] = lambda: (DEFAULT_TENANT,),
) -> Rotations:
    """Return the job that rotates the objects of a store; `tenants` are those that there are."""
    operations = {int(code): spec for code, spec in all_operations().items()}
    return Rotations(
        store,
        transactions,
        operations,
        tenants=tenants,
        on_rotation=_log_rotation,
        on_failure=_log_failed_rotation,
    )


def _log_rotation(identifier: UniqueIdentifier) -> None:
    log.info("object_rotated", unique_identifier=identifier)


def _log_failed_rotation(identifier: UniqueIdentifier, exc: BaseException) -> None:
    known = isinstance(exc, KmipError | TamperedRecord)
    log.error(
        "rotation_failed",
        unique_identifier=identifier,
        error=str(exc) or type(exc).__name__,
        exc_info=None if known else exc,
    )


def _ignored_credential(caller: ClientIdentity) -> None:
    log.warning("credential_ignored", client=caller.name, cure="enrol the client with --username to check it")


def _log_refusal(event: AuditEvent) -> None:
    if event.outcome != "success":
        log.info(
            "request_refused",
            client=event.client,
            peer=event.peer,
            operation=event.operation,
            outcome=event.outcome,
            **_names(event),
        )


def _names(event: AuditEvent) -> dict[str, str]:
    """Return what the request is called, where it has a name."""
    if event.correlation is None:
        return {}
    client, server = event.correlation
    return {"client_correlation": client, "server_correlation": server}


def _log_failure(exc: BaseException) -> None:
    log.error("request_failed", error=type(exc).__name__, exc_info=exc)
