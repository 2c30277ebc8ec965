"""A client that asks for as much as it can: `python -m tests.faults.noise PROFILE WAY HOST PORT`.

Rule: it is another process and has the processor only when nobody else wants it (SCHED_IDLE), so that what it
costs the machine is not taken for what it costs the server. It prints a line once it is at it, and goes on
until it is killed.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from strongroom.domain.operation import Request
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import SecretData
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, DerivationParameters, Name
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.create import CreateRequest
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.derive_key import DeriveKeyRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.register import RegisterRequest
from strongroom.registry import (
    V2_1,
    AsynchronousIndicator,
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DerivationMethod,
    KeyFormatType,
    ObjectType,
    PaddingMethod,
    ProtectionStorageMask,
    SecretDataType,
    Tag,
)
from strongroom.wire import binary
from strongroom.wire.item import Item
from tests.interop.endpoint import Endpoint
from tests.kms import attribute, request_message, template
from tests.over_tls import OverTls

AES: Final = (
    attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
    attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256),
    attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.ENCRYPT),
)
MANY_KEYS: Final = 1500


def message(*requests: Request[Any], **header: Any) -> bytes:
    return binary.encode(request_message(*requests, version=V2_1, **header))


def create(*more: AttributeInstance) -> CreateRequest:
    return CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, attributes=template(*AES, *more))


def batch(request: Request[Any], count: int) -> bytes:
    root: Item = request_message(request, version=V2_1, batch_count=count)
    return binary.encode((root[0], root[1], [root[2][0], *root[2][1:] * count]))


class Noise:
    """What is sent, over how many connections, and how much of it before the first answer."""

    def __init__(self, data: bytes, *, connections: int, ahead: int = 1) -> None:
        self.data = data
        self.connections = connections
        self.ahead = ahead


def pipelines(client: OverTls) -> Noise:
    key = client.call(create(), version=V2_1).unique_identifier
    return Noise(message(GetRequest(unique_identifier=key)), connections=40, ahead=50)


def connections(client: OverTls) -> Noise:
    key = client.call(create(), version=V2_1).unique_identifier
    return Noise(message(GetRequest(unique_identifier=key)), connections=150)


def batches(client: OverTls) -> Noise:
    key = client.call(create(), version=V2_1).unique_identifier
    return Noise(batch(GetRequest(unique_identifier=key), 1000), connections=8)


def long_messages(client: OverTls) -> Noise:
    names = [attribute(Tag.NAME, Name(name_value=f"n{number}")) for number in range(4500)]
    return Noise(message(create(*names)), connections=8)


def bodies(client: OverTls) -> Noise:
    key = client.call(create(), version=V2_1).unique_identifier
    client.call(ActivateRequest(unique_identifier=key), version=V2_1)
    parameters = CryptographicParameters(
        block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5, random_iv=True
    )
    request = EncryptRequest(
        unique_identifier=key, cryptographic_parameters=parameters, data=SecretBytes(bytes(2 << 20))
    )
    return Noise(message(request), connections=6)


def key_pairs(client: OverTls) -> Noise:
    request = CreateKeyPairRequest(
        common_attributes=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.RSA),
            attribute(Tag.CRYPTOGRAPHIC_LENGTH, 4096),
        ),
        private_key_attributes=template(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.SIGN)),
        public_key_attributes=template(
            attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.VERIFY)
        ),
    )
    return Noise(message(request), connections=16)


def derivations(client: OverTls) -> Noise:
    secret = SecretData(
        secret_data_type=SecretDataType.SEED,
        key_block=KeyBlock(
            key_format_type=KeyFormatType.RAW, key_value=KeyValue(key_material=SecretBytes(b"password"))
        ),
    )
    mask = attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.DERIVE_KEY)
    base = client.call(
        RegisterRequest(object_type=ObjectType.SECRET_DATA, managed_object=secret, attributes=template(mask)),
        version=V2_1,
    ).unique_identifier
    client.call(ActivateRequest(unique_identifier=base), version=V2_1)
    request = DeriveKeyRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        unique_identifier=(base,),
        derivation_method=DerivationMethod.PBKDF2,
        derivation_parameters=DerivationParameters(salt=b"salt" * 4, iteration_count=2_000_000),
        attributes=template(*AES),
    )
    return Noise(message(request), connections=16)


def searches(client: OverTls) -> Noise:
    for _ in range(MANY_KEYS // 500):
        client.send(binary.decode(batch(create(), 500)))
    everywhere = attribute(Tag.PROTECTION_STORAGE_MASK, ProtectionStorageMask.SOFTWARE)
    return Noise(message(LocateRequest(attributes=template(everywhere))), connections=16)


def creations(client: OverTls) -> Noise:
    return Noise(message(create()), connections=64)


def waiting(client: OverTls) -> Noise:
    later = AsynchronousIndicator.MANDATORY
    return Noise(message(create(), asynchronous_indicator=later), connections=16)


WAYS: Final[Mapping[str, Callable[[OverTls], Noise]]] = {
    way.__name__: way
    for way in (
        pipelines,
        connections,
        batches,
        long_messages,
        bodies,
        key_pairs,
        derivations,
        searches,
        creations,
        waiting,
    )
}


async def make(noise: Noise, where: Endpoint) -> None:
    """Ask and throw the answers away, for ever."""
    context = where.context()
    few, there = asyncio.Semaphore(8), asyncio.Barrier(noise.connections + 1)

    async def one() -> None:
        async with few:
            reader, writer = await asyncio.open_connection(
                where.host, where.port, ssl=context, server_hostname=where.host
            )
        await there.wait()
        writer.write(noise.data * noise.ahead)
        while True:
            head = await reader.readexactly(8)
            await reader.readexactly(int.from_bytes(head[4:], "big"))
            writer.write(noise.data)

    tasks = [asyncio.ensure_future(one()) for _ in range(noise.connections)]
    await there.wait()
    print("at it", flush=True)
    await asyncio.gather(*tasks)


def main() -> None:
    profile, way, host, port = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    client = OverTls(profile)
    noise = WAYS[way](client)
    client.close()
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    asyncio.run(make(noise, Endpoint(host, port, profile.parent)))


if __name__ == "__main__":
    main()
