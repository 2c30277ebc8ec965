"""What the type checker knows of the client; `mypy --strict` proves it, nothing here is run."""

from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from typing import assert_type

from strongroom import AsyncClient, Client, KMIPError
from strongroom.client.async_methods.later import AsyncLater
from strongroom.client.attributes import KeyPair
from strongroom.client.compose import RawRequest, RawResponse
from strongroom.client.methods.encryption import EncryptedParts
from strongroom.client.methods.later import Later
from strongroom.domain.operation import Response
from strongroom.model.attribute_list import Attributes
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.messages import Ticket
from strongroom.model.objects import ManagedObjectStruct
from strongroom.model.secret import SecretBytes
from strongroom.operations.activate import ActivateRequest, ActivateResponse
from strongroom.operations.encrypt import EncryptResponse
from strongroom.operations.get import GetRequest, GetResponse
from strongroom.operations.locate import LocateRequest, LocateResponse
from strongroom.operations.query import QueryResponse
from strongroom.registry import Operation, Version


def blocking(client: Client) -> None:
    assert_type(client.call(GetRequest(unique_identifier=UniqueIdentifier("k"))), GetResponse)
    assert_type(client.call(GetRequest()).managed_object, ManagedObjectStruct)
    assert_type(client.call(LocateRequest()), LocateResponse)
    assert_type(client.call(RawRequest(operation=Operation.SIGN, request_payload=[])), RawResponse)
    assert_type(client.batch([GetRequest(), ActivateRequest()]), list[Response | KMIPError])
    assert_type(client.create_symmetric_key(name="k"), UniqueIdentifier)
    assert_type(client.create_key_pair(), KeyPair)
    assert_type(client.get("k"), ManagedObjectStruct)
    assert_type(client.get_material("k"), SecretBytes)
    assert_type(client.get_attributes("k"), Attributes)
    assert_type(client.locate(name="k"), list[UniqueIdentifier])
    assert_type(client.encrypt("k", b""), EncryptResponse)
    assert_type(client.decrypt("k", b""), SecretBytes)
    assert_type(client.encrypt_parts("k", [b""]), EncryptedParts)
    assert_type(client.decrypt_parts("k", [b""]), Iterator[SecretBytes])
    assert_type(client.sign("k", b""), bytes)
    assert_type(client.hash(BytesIO()), bytes)
    assert_type(client.random_bytes(8), SecretBytes)
    assert_type(
        client.create_split_key("k", split_key_parts=3, split_key_threshold=2), list[UniqueIdentifier]
    )
    assert_type(client.import_(client.export("k")), UniqueIdentifier)
    assert_type(client.login(), Ticket)
    assert_type(client.later(GetRequest()), Later[GetResponse])
    assert_type(client.later(GetRequest()).poll(), GetResponse | None)
    assert_type(client.later(GetRequest()).wait(), GetResponse)
    assert_type(client.query(), QueryResponse)
    assert_type(client.discover_versions(), list[Version])
    with client as entered:
        assert_type(entered, Client)


async def asynchronous(client: AsyncClient) -> None:
    assert_type(await client.call(ActivateRequest()), ActivateResponse)
    assert_type(await client.batch([GetRequest()]), list[Response | KMIPError])
    assert_type(await client.create_symmetric_key(), UniqueIdentifier)
    assert_type(await client.locate(), list[UniqueIdentifier])
    assert_type(client.decrypt_parts("k", [b""]), AsyncIterator[SecretBytes])
    assert_type(await client.later(GetRequest()), AsyncLater[GetResponse])
    assert_type(await (await client.later(GetRequest())).wait(), GetResponse)
    async with client as entered:
        assert_type(entered, AsyncClient)


def refused(client: Client) -> None:
    client.call(GetRequest(unique_identifier=5))  # type: ignore[arg-type]
    client.call(GetResponse)  # type: ignore[arg-type]
    client.hash("text")  # type: ignore[arg-type]
    client.call(LocateRequest(colour="red"))  # type: ignore[call-arg]
    client.call(GetRequest()).no_such_field  # type: ignore[attr-defined]  # noqa: B018
    Client("kms:5696")  # type: ignore[call-arg]
