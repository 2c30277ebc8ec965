"""Connections of the server to the endpoints of clients, over TLS.

Rule: nothing is sent before the endpoint has proved whose it is. Without an authority of its own it has to
show the very key that the client is enrolled with, which no name in a certificate can stand in for; with one,
TLS checks authority and host name. The server shows its own certificate.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from strongroom.domain.identity import ClientIdentity
from strongroom.domain.outgoing import EndpointUnreachable, Exchange, Subscription
from strongroom.registry import Tag
from strongroom.registry.versions import parse_version
from strongroom.server.address import Address, parse_address
from strongroom.server.certificates.ca import UNREADABLE
from strongroom.server.clients.directory import Refusal, read_certificate
from strongroom.server.config import ClientSettings, Settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.listening.roles import ANSWER, ANSWERS
from strongroom.server.listening.tls import endpoint_context
from strongroom.wire.errors import DecodeError
from strongroom.wire.framing import Framer

CONNECT: Final = 5.0
"""Seconds that an endpoint has to accept."""

_CHUNK: Final = 1 << 16

FindPeer = Callable[[str], ClientIdentity | Refusal]
"""Whose public key has a fingerprint."""


def subscriptions(settings: Settings) -> Mapping[str, Subscription]:
    """Return what clients want to be told, by name."""
    return {
        name: Subscription(
            put=client.put == "on",
            notify=client.notify == "on",
            version=None if client.endpoint_version is None else parse_version(client.endpoint_version),
        )
        for name, client in settings.client.items()
        if client.endpoint is not None or "on" in (client.put, client.notify)
    }


class ClientEndpoints:
    """See `domain.outgoing.Endpoints`. `find` is set once the client records are read."""

    def __init__(self, settings: Settings, directory: DataDirectory) -> None:
        """Raises OperatorError for files that cannot be used."""
        self.find: FindPeer = lambda _: Refusal.UNKNOWN
        self._endpoints: dict[str, tuple[Address, ssl.SSLContext, ClientSettings]] = {}
        for name, client in settings.client.items():
            if client.endpoint is not None:
                context = endpoint_context(settings.tls, directory, client.endpoint_ca)
                self._endpoints[name] = (parse_address(client.endpoint), context, client)

    def open(self, client: ClientIdentity) -> AbstractAsyncContextManager[Exchange] | None:
        known = self._endpoints.get(client.name)
        if known is None:
            return None
        address, context, settings = known
        return self._open(client, address, context, pinned=settings.endpoint_ca is None)

    @asynccontextmanager
    async def _open(
        self, client: ClientIdentity, address: Address, context: ssl.SSLContext, *, pinned: bool
    ) -> AsyncIterator[Exchange]:
        try:
            async with asyncio.timeout(CONNECT):
                reader, writer = await asyncio.open_connection(
                    address.host, address.port, ssl=context, server_hostname=address.host
                )
        except (OSError, TimeoutError) as error:
            raise EndpointUnreachable(f"{address}: {error or 'does not accept in time'}") from error
        try:
            if pinned:
                self._require_key(client, writer)
            yield _Conversation(reader, writer)
        finally:
            writer.close()

    def _require_key(self, client: ClientIdentity, writer: asyncio.StreamWriter) -> None:
        """Return if the endpoint has shown the client's own key; raises EndpointUnreachable."""
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        try:
            shown = read_certificate(tls.getpeercert(binary_form=True) or b"")
        except UNREADABLE as error:
            raise EndpointUnreachable("the certificate of the endpoint cannot be read") from error
        found = self.find(shown.fingerprint)
        if isinstance(found, Refusal) or found.client != client.client:
            raise EndpointUnreachable(
                "the endpoint shows another key than the client's; let it use the client's certificate, or"
                " set client.NAME.endpoint_ca"
            )


class _Conversation:
    """See `domain.outgoing.Exchange`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._framer = Framer(ANSWERS, expects=Tag.RESPONSE_MESSAGE)

    async def __call__(self, message: bytes) -> bytes:
        try:
            async with asyncio.timeout(ANSWER):
                self._writer.write(message)
                await self._writer.drain()
                while (answer := self._framer.next_message()) is None:
                    data = await self._reader.read(_CHUNK)
                    if not data:
                        raise EndpointUnreachable("the endpoint hung up before it answered")
                    self._framer.feed(data)
                return answer
        except DecodeError as error:
            raise EndpointUnreachable(f"the endpoint sends no KMIP: {error}") from error
        except TimeoutError as error:
            raise EndpointUnreachable("the endpoint does not answer in time") from error
        except OSError as error:
            raise EndpointUnreachable(f"the connection was lost: {error}") from error
