"""`POST /join`: whoever holds an invitation becomes a client, once.

Rule: this is all that an invitation's certificate may do; its connections are given this handler and never
see the engine (`http.py`). The invitation goes in the commit that makes the client, so a token is good once,
however many try at the same moment.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.domain.audit import Recording
from strongroom.domain.clients import ClientStore
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.identity import Connection, TenantId
from strongroom.domain.mapping import Invitation
from strongroom.domain.ports import RootKey, RootKeyError
from strongroom.domain.store import ObjectStore
from strongroom.domain.store_failures import StoreFailure, TamperedRecord
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server.address import parse_listening
from strongroom.server.certificates.authorities import identity
from strongroom.server.certificates.ca import Authority, fingerprint, open_authority
from strongroom.server.certificates.requests import requested_key
from strongroom.server.certificates.trust import trusted_by_clients
from strongroom.server.clients.directory import InvitedGuest
from strongroom.server.clients.pending import removal
from strongroom.server.clients.records import enrol, known_certificate
from strongroom.server.config import Settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import NotFound, OperatorError
from strongroom.server.listening.http_framing import TEXT, HttpRequest, HttpResponse
from strongroom.server.logs import get_logger
from strongroom.server.recording import act

log = get_logger()

PATH: Final = "/join"
JSON: Final = "application/json"
LONGEST: Final = 64 << 10
"""Bytes of a request to join."""

LIFETIME: Final = timedelta(hours=24)
"""How long an invitation is good that says nothing else."""

LONGEST_LIFETIME: Final = timedelta(days=30)


class JoinHandler:
    """Answers the guests of one worker. `spread` makes a new client be in force in every worker."""

    def __init__(
        self,
        clients: ClientStore,
        store: ObjectStore,
        directory: DataDirectory,
        settings: Settings,
        root_key: RootKey,
        spread: Callable[[], Awaitable[None]],
    ) -> None:
        self._clients = clients
        self._store = store
        self._directory = directory
        self._settings = settings
        self._root_key = root_key
        self._spread = spread
        self._turn = asyncio.Lock()

    async def handle(self, request: HttpRequest, connection: Connection) -> bytes:
        """Return the bytes of the response; raises only CancelledError."""
        now = datetime.now(UTC).replace(microsecond=0)
        try:
            response = await self._answer(request, connection, now)
        except OperatorError as error:
            status = HTTPStatus.NOT_FOUND if isinstance(error, NotFound) else HTTPStatus.BAD_REQUEST
            log.warning("join_refused", peer=connection.peer, error=str(error))
            response = HttpResponse(status, TEXT, f"{error}\n".encode())
        except (StoreFailure, TamperedRecord, RootKeyError) as error:
            log.error("join_failed", peer=connection.peer, error=str(error))
            sentence = b"the server cannot do it now; its log says why\n"
            response = HttpResponse(HTTPStatus.SERVICE_UNAVAILABLE, TEXT, sentence)
        return request.respond(response, formatdate(now.timestamp(), usegmt=True))

    async def _answer(self, request: HttpRequest, connection: Connection, now: datetime) -> HttpResponse:
        guest = connection.client
        if not isinstance(guest, InvitedGuest):
            raise OperatorError("this is for invitations only")
        if _path(request.target) != PATH or request.method != "POST":
            raise OperatorError(f"an invitation is good for POST {PATH} only")
        key = requested_key(_request_in(request.body))
        if fingerprint(key) == guest.invitation:
            raise OperatorError("the key of the token cannot be that of the client; make another one")
        async with self._turn:  # opening the authority is dear, and nobody has to join at once
            answer = await self._join(guest, key, now, connection.peer)
        log.info("client_joined", client=answer["name"], peer=connection.peer)
        await self._spread()
        return HttpResponse(HTTPStatus.OK, JSON, json.dumps(answer).encode())

    async def _join(
        self, guest: InvitedGuest, key: CertificatePublicKeyTypes, now: datetime, peer: str
    ) -> dict[str, str]:
        invitation = await self._invitation(guest, now)
        name = invitation.value.name
        authority = await asyncio.get_running_loop().run_in_executor(None, self._open)
        certificate = authority.client_certificate(key, name, now)

        async def spent() -> Sequence[EntryChange]:
            return [removal(await self._invitation(guest, now))]

        recording = Recording(
            act(
                {"command": "client.join", "name": name, "fingerprint": guest.invitation},
                now,
                by=f"invitation:{guest.invitation[:16]}",
                peer=peer,
            )
        )
        await enrol(
            self._clients.recording(recording),
            name=name,
            fingerprint=fingerprint(key),
            groups=invitation.value.groups,
            username=None,
            password_hash=None,
            now=now,
            certificate=known_certificate(certificate, authority.certificate),
            tenant=TenantId(invitation.value.tenant),
            together_with=spent,
        )
        settings = self._settings
        return {
            "name": name,
            "certificate": certificate.public_bytes(Encoding.PEM).decode("ascii"),
            "ca": trusted_by_clients(self._directory, settings.tls).decode("ascii"),
            "authority": identity(authority.certificate),
            **settings.told_to_clients(parse_listening(settings.listen), parse_listening(settings.https)),
        }

    async def _invitation(self, guest: InvitedGuest, now: datetime) -> Kept[Invitation]:
        found = await self._store.load_entry(Invitation, SYSTEM_TENANT, guest.invitation)
        if found is None or found.due is None or found.due <= now:
            raise NotFound("the invitation was used, has ended or was withdrawn; ask for another one")
        return found

    def _open(self) -> Authority:
        return open_authority(self._directory, self._root_key)


def _path(target: str) -> str:
    try:
        return urlsplit(target).path
    except ValueError:
        return ""


def _request_in(body: bytes) -> bytes:
    """Return the certificate request in a request to join; raises OperatorError."""
    if len(body) > LONGEST:
        raise OperatorError(f"a request to join has {LONGEST} bytes at most")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise OperatorError("a request to join is a JSON object") from error
    csr = content.get("csr") if isinstance(content, dict) else None
    if not isinstance(csr, str):
        raise OperatorError('a request to join is {"csr": "a certificate request in PEM"}')
    return csr.encode(errors="replace")  # half a surrogate pair is in no request that can be read
