"""Streams over TLS: whichever worker a part comes to, the one that has the stream answers."""

from contextlib import ExitStack

import pytest

from strongroom import Client, testing
from strongroom.client.errors import OperationFailed
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters
from strongroom.operations.encrypt import EncryptRequest
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


def test_the_sockets_between_workers_are_for_the_owner_alone(server: testing.Server) -> None:
    sockets = list(server.directory.glob("worker-*.sock"))
    assert len(sockets) == 2
    assert all(socket.stat().st_mode & 0o777 == 0o600 for socket in sockets)
