"""Streams over TLS: whichever worker a part comes to, the one that has the stream answers."""

from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest

from strongroom import Client, testing
from strongroom.client.errors import KMIPError, OperationFailed, OutcomeUnknown, ServerUnreachable
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters
from strongroom.operations.encrypt import EncryptRequest, EncryptResponse
from strongroom.registry import (
    BlockCipherMode,
    PaddingMethod,
    ResultReason,
)

PARTS = 12
CBC = CryptographicParameters(block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5)
IV = bytes(range(16))


def test_parts_may_come_by_any_connection(server: testing.Server) -> None:
    """Each connection is with one of the two workers; the kernel and the workers decide which."""
    with ExitStack() as stack:
        clients = [stack.enter_context(Client.from_profile(server.profile)) for _ in range(4)]
        key = clients[0].create_symmetric_key()
        clients[0].activate(key)
        data = bytes(range(10)) * PARTS
        whole = clients[0].encrypt(key, data, cryptographic_parameters=CBC, iv_counter_nonce=IV).data
        first = clients[0].call(
            EncryptRequest(
                unique_identifier=UniqueIdentifier(key),
                cryptographic_parameters=CBC,
                iv_counter_nonce=IV,
                init_indicator=True,
            )
        )
        sealed = first.data or b""
        for number in range(PARTS):
            request = EncryptRequest(
                unique_identifier=UniqueIdentifier(key),
                data=SecretBytes(data[number * 10 : number * 10 + 10]),
                correlation_value=first.correlation_value,
                final_indicator=number == PARTS - 1 or None,
            )
            sealed += clients[number % 4].call(request).data or b""
        assert sealed == whole
        for client in clients:
            with pytest.raises(OperationFailed) as caught:
                client.call(request)
            assert caught.value.reason in (
                ResultReason.INVALID_CORRELATION_VALUE,
                ResultReason.ITEM_NOT_FOUND,
            )


def part(key: str, data: bytes, correlation_value: bytes | None = None) -> EncryptRequest:
    return EncryptRequest(
        unique_identifier=UniqueIdentifier(key),
        cryptographic_parameters=None if correlation_value else CBC,
        iv_counter_nonce=None if correlation_value else IV,
        data=SecretBytes(data),
        init_indicator=None if correlation_value else True,
        correlation_value=correlation_value,
    )


def test_sigterm_ends_a_stream_and_whoever_goes_on_is_told(tmp_path: Path) -> None:
    """faults 39. The part that is under way is answered, or its connection ends."""
    with testing.server(tmp_path, workers=1) as server:
        with Client.from_profile(server.profile) as client:
            key = client.create_symmetric_key()
            client.activate(key)
            begun = client.call(part(key, bytes(64 << 10))).correlation_value
            assert begun is not None
            late: list[object] = []

            def go_on() -> None:
                try:
                    late.append(client.call(part(key, bytes(3 << 20), begun)))
                except KMIPError as error:
                    late.append(error)

            thread = Thread(target=go_on)
            thread.start()
            assert server.stop() == 0
            thread.join(10)
            (answer,) = late
            assert isinstance(answer, EncryptResponse | OutcomeUnknown | ServerUnreachable)
        server.start()
        with Client.from_profile(server.profile) as client:
            with pytest.raises(OperationFailed) as caught:
                client.call(part(key, bytes(16), begun))
            assert caught.value.reason in (
                ResultReason.INVALID_CORRELATION_VALUE,
                ResultReason.ITEM_NOT_FOUND,
            )


def test_the_sockets_between_workers_are_for_the_owner_alone(server: testing.Server) -> None:
    sockets = list(server.directory.glob("worker-*.sock"))
    assert len(sockets) == 2
    assert all(socket.stat().st_mode & 0o777 == 0o600 for socket in sockets)
