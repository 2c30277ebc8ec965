"""What the type checker knows of the client; `mypy --strict` proves it, nothing here is run."""

from typing import assert_type

from strongroom import AsyncClient, Client, KMIPError
from strongroom.client.attributes import KeyPair
from strongroom.client.compose import RawRequest, RawResponse
from strongroom.domain.operation import Response
from strongroom.model.attribute_list import Attributes
from strongroom.model.identifiers import UniqueIdentifier
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
    assert_type(client.query(), QueryResponse)
    assert_type(client.discover_versions(), list[Version])
    with client as entered:
        assert_type(entered, Client)


async def asynchronous(client: AsyncClient) -> None:
    assert_type(await client.call(ActivateRequest()), ActivateResponse)
    assert_type(await client.batch([GetRequest()]), list[Response | KMIPError])
    assert_type(await client.create_symmetric_key(), UniqueIdentifier)
    assert_type(await client.locate(), list[UniqueIdentifier])
    async with client as entered:
        assert_type(entered, AsyncClient)


def refused(client: Client) -> None:
    client.call(GetRequest(unique_identifier=5))  # type: ignore[arg-type]
    client.call(GetResponse)  # type: ignore[arg-type]
    client.call(LocateRequest(colour="red"))  # type: ignore[call-arg]
    client.call(GetRequest()).no_such_field  # type: ignore[attr-defined]  # noqa: B018
    Client("kms:5696")  # type: ignore[call-arg]
