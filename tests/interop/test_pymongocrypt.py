"""libmongocrypt, the library inside every MongoDB driver, with its `kmip` key provider.

Rule: the library builds every request and judges every answer; we only carry the bytes, as a driver
does, one TLS connection for each message. No MongoDB is involved: the key vault is a dictionary.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import bson
import pytest
from pymongocrypt.mongocrypt import MongoCryptKmsContext
from pymongocrypt.options import MongoCryptOptions
from pymongocrypt.synchronous.explicit_encrypter import ExplicitEncrypter
from pymongocrypt.synchronous.state_machine import MongoCryptCallback

from tests.interop.endpoint import Endpoint

DETERMINISTIC = "AEAD_AES_256_CBC_HMAC_SHA_512-Deterministic"


class Driver(MongoCryptCallback):  # type: ignore[misc]  # the library is untyped
    """What a driver does for libmongocrypt: carry KMIP messages, keep the key vault."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.vault: dict[bytes, bytes] = {}
        self.messages = 0

    def kms_request(self, kms_context: MongoCryptKmsContext) -> None:
        """Send one message on a connection of its own and feed the library what it asks for."""
        self.messages += 1
        with self.endpoint.connect() as connection:
            connection.stream.sendall(kms_context.message)
            while kms_context.bytes_needed > 0:
                kms_context.feed(connection.stream.recv(kms_context.bytes_needed))

    def insert_data_key(self, data_key: bytes) -> bytes:
        identifier: bytes = bson.decode(data_key)["_id"]
        self.vault[bytes(identifier)] = data_key
        return identifier

    def fetch_keys(self, filter: bytes) -> Iterator[bytes]:
        wanted = bson.decode(filter)["$or"][0]["_id"]["$in"]
        return (self.vault[bytes(identifier)] for identifier in wanted)

    def bson_encode(self, doc: Mapping[str, Any]) -> bytes:
        return bson.encode(doc)

    def collection_info(self, database: str, filter: bytes) -> bytes:
        raise AssertionError("explicit encryption asks for no collection")

    def mark_command(self, database: str, cmd: bytes) -> bytes:
        raise AssertionError("explicit encryption marks no command")

    def close(self) -> None:
        """Nothing is kept open."""


def encrypter(driver: Driver) -> ExplicitEncrypter:
    """Return a new library handle: it has no key in memory that another one fetched."""
    address = f"{driver.endpoint.host}:{driver.endpoint.port}"
    return ExplicitEncrypter(driver, MongoCryptOptions({"kmip": {"endpoint": address}}))


@pytest.fixture
def driver(endpoint: Endpoint) -> Driver:
    return Driver(endpoint)


def data_key(driver: Driver, **master_key: object) -> bytes:
    identifier: bytes = encrypter(driver).create_data_key("kmip", master_key)
    return identifier


def master_key_of(driver: Driver, identifier: bytes) -> Mapping[str, Any]:
    document: Mapping[str, Any] = bson.decode(driver.vault[bytes(identifier)])["masterKey"]
    return document


def round_trip(driver: Driver, identifier: bytes) -> None:
    """Encrypt with one library handle and decrypt with another, each asking the server anew."""
    value = bson.encode({"v": "457-55-5462"})
    sealed = encrypter(driver).encrypt(value, DETERMINISTIC, key_id=bytes(identifier))
    assert sealed != value
    assert encrypter(driver).decrypt(sealed) == value


def test_default_mode_registers_activates_and_gets_its_master_key(driver: Driver) -> None:
    identifier = data_key(driver)
    assert driver.messages == 3
    assert master_key_of(driver, identifier)["keyId"]
    round_trip(driver, identifier)


def test_default_mode_uses_a_master_key_that_exists(driver: Driver) -> None:
    first = data_key(driver)
    driver.messages = 0
    second = data_key(driver, keyId=master_key_of(driver, first)["keyId"])
    assert driver.messages == 1
    assert master_key_of(driver, second)["keyId"] == master_key_of(driver, first)["keyId"]
    round_trip(driver, second)


def test_delegated_mode_leaves_the_master_key_on_the_server(driver: Driver) -> None:
    identifier = data_key(driver, delegated=True)
    assert driver.messages == 3
    assert master_key_of(driver, identifier)["delegated"] is True
    round_trip(driver, identifier)
