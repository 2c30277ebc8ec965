"""Ceph's RADOS Gateway itself, with libkmip inside: it encrypts objects with keys that it fetches by name."""

from collections.abc import Callable, Iterator

import pytest
from kmip.core.enums import CryptographicAlgorithm, KMIPVersion
from kmip.pie.client import ProxyKmipClient

from tests.interop.ceph import KEY_PREFIX, Ceph, ceph
from tests.interop.endpoint import Endpoint

Namer = Callable[[str], str]
SECRET = b"nobody else reads this "
OK, NOT_FOUND = 200, 404


@pytest.fixture(scope="module")
def gateway(endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ceph]:
    with ceph(tmp_path_factory.mktemp("ceph"), endpoint) as running:
        assert running.s3("PUT", "/bucket") == (OK, b"")
        yield running


@pytest.fixture
def operator(endpoint: Endpoint) -> Iterator[ProxyKmipClient]:
    """Who makes the keys that the gateway uses."""
    with ProxyKmipClient(
        hostname=endpoint.host,
        port=endpoint.port,
        cert=endpoint.cert,
        key=endpoint.key,
        ca=endpoint.ca,
        ssl_version="PROTOCOL_TLSv1_2",
        kmip_version=KMIPVersion.KMIP_1_4,
    ) as client:
        yield client


def put(gateway: Ceph, path: str, content: bytes, key: str) -> tuple[int, bytes]:
    """Store an object, encrypted with a key of the key manager."""
    return gateway.s3(
        "PUT",
        path,
        content,
        server_side_encryption="aws:kms",
        server_side_encryption_aws_kms_key_id=key,
    )


def test_objects_are_encrypted_with_a_key_of_the_key_manager(
    gateway: Ceph, operator: ProxyKmipClient, fresh_name: Namer
) -> None:
    name, content = fresh_name("bucket"), SECRET * 10_000
    key = operator.create(CryptographicAlgorithm.AES, 256, name=KEY_PREFIX + name)
    assert put(gateway, "/bucket/one", content, name) == (OK, b"")
    assert gateway.s3("GET", "/bucket/one") == (OK, content)
    stored = gateway.stored()
    assert len(stored) >= len(content)
    assert SECRET not in stored

    operator.destroy(key)
    status, said = gateway.s3("GET", "/bucket/one")
    assert status != OK
    assert SECRET not in said


def test_a_key_that_nobody_has_made_is_not_found(gateway: Ceph, fresh_name: Namer) -> None:
    status, said = put(gateway, "/bucket/two", SECRET, fresh_name("nobody"))
    assert status == NOT_FOUND
    assert b"Failed to retrieve the actual key" in said
