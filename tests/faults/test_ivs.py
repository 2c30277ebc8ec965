"""IVs of GCM: those that are made here never come twice, those that are given not either where that is
refused (faults 24)."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from strongroom.domain.context import Policy
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.decrypt import DecryptRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.registry import V1_4, V2_1, BlockCipherMode, CryptographicUsageMask, ResultReason
from tests.kms import Refused, TestKms
from tests.nodes import Nodes, nodes, postgres_server

__all__ = ["nodes", "postgres_server"]

GCM: Final = CryptographicParameters(block_cipher_mode=BlockCipherMode.GCM, random_iv=True)
GIVEN: Final = GCM.replace(random_iv=None)
REFUSE: Final = Policy(iv_reuse=False)


def key(kms: TestKms) -> str:
    mask = CryptographicUsageMask.ENCRYPT | CryptographicUsageMask.DECRYPT
    identifier = kms.create_symmetric_key(mask=mask)
    kms.call(ActivateRequest(unique_identifier=identifier))
    return identifier


def encryption(identifier: str, iv: bytes | None = None, **more: object) -> EncryptRequest:
    return EncryptRequest(
        unique_identifier=identifier,
        cryptographic_parameters=GCM if iv is None else GIVEN,
        data=SecretBytes(b"data"),
        iv_counter_nonce=iv,
        **more,
    )


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[TestKms]:
    kms = TestKms(tmp_path, policy=REFUSE)
    yield kms
    kms.close()


@pytest.mark.parametrize("many", [4_000, pytest.param(1_000_000, marks=pytest.mark.long)])
@pytest.mark.timeout(3600)
def test_an_iv_that_is_made_here_never_comes_twice(tmp_path: Path, many: int) -> None:
    """faults 24: also across a restart."""
    seen: set[bytes] = set()
    identifier = None
    for _ in range(2):
        kms = TestKms(tmp_path)
        identifier = identifier or key(kms)
        request = encryption(identifier)
        for _ in range(many // 2):
            iv = kms.call(request, version=V2_1).iv_counter_nonce
            assert iv is not None
            assert len(iv) == 12
            seen.add(iv)
        kms.close()
    assert len(seen) == many


@pytest.mark.postgres
def test_two_nodes_never_make_the_same_iv(nodes: Nodes) -> None:
    """faults 24."""
    identifier, seen = key(nodes.one), set()
    for _ in range(500):
        for node in nodes:
            seen.add(node.call(encryption(identifier), version=V2_1).iv_counter_nonce)
    assert len(seen) == 1000


def test_a_given_iv_is_refused_the_second_time_where_the_policy_says_so(strict: TestKms) -> None:
    """faults 24."""
    identifier, iv = key(strict), os.urandom(12)
    strict.call(encryption(identifier, iv))
    for version in (V1_4, V2_1):
        with pytest.raises(Refused, match="has encrypted with this IV") as refused:
            strict.call(encryption(identifier, iv), version=version)
    assert refused.value.reason is ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS
    strict.call(encryption(key(strict), iv))
    strict.call(encryption(identifier, os.urandom(12)))


def test_an_iv_that_was_made_here_is_refused_when_it_is_given(strict: TestKms) -> None:
    """faults 24: else who sees a ciphertext could have another made with its IV."""
    identifier = key(strict)
    iv = strict.call(encryption(identifier), version=V2_1).iv_counter_nonce
    with pytest.raises(Refused, match="has encrypted with this IV"):
        strict.call(encryption(identifier, iv))


def test_a_stream_takes_no_used_iv_either(strict: TestKms) -> None:
    """faults 24."""
    identifier, iv = key(strict), os.urandom(12)
    strict.call(encryption(identifier, iv, init_indicator=True))
    for more in ({}, {"init_indicator": True}):
        with pytest.raises(Refused, match="has encrypted with this IV"):
            strict.call(encryption(identifier, iv, **more))


def test_used_ivs_are_known_after_a_restart(tmp_path: Path) -> None:
    """faults 24."""
    before = TestKms(tmp_path, policy=REFUSE)
    identifier, iv = key(before), os.urandom(12)
    before.call(encryption(identifier, iv))
    before.close()
    after = TestKms(tmp_path, policy=REFUSE)
    with pytest.raises(Refused):
        after.call(encryption(identifier, iv))
    after.close()


@pytest.mark.postgres
def test_of_two_nodes_one_encrypts_with_an_iv(nodes: Nodes) -> None:
    """faults 24: at the same moment."""
    for node in nodes:
        node._settings = (REFUSE, *node._settings[1:])
        node.dispatcher = node._dispatcher()
    identifier, iv = key(nodes.one), os.urandom(12)

    async def once(node: TestKms) -> bool:
        from strongroom.domain.identity import Connection
        from strongroom.wire import binary
        from tests.kms import ALICE, request_message

        message = binary.encode(request_message(encryption(identifier, iv), version=V2_1))
        answer = await node.dispatcher.handle(message, Connection(client=ALICE, peer=""))
        return b"has encrypted with this IV" not in answer

    assert sorted(nodes.at_once(*(once(node) for node in nodes))) == [False, True]


def test_where_the_policy_allows_it_an_iv_may_come_again(tmp_path: Path) -> None:
    kms = TestKms(tmp_path)
    identifier, iv = key(kms), os.urandom(12)
    assert kms.call(encryption(identifier, iv)) == kms.call(encryption(identifier, iv))
    kms.close()


@pytest.mark.parametrize("length", [4, 8, 11])
def test_a_short_tag_is_neither_made_nor_taken(strict: TestKms, length: int) -> None:
    """faults 24: four bytes are guessed, and each guess tells more of the key."""
    identifier, iv = key(strict), os.urandom(12)
    short = GIVEN.replace(tag_length=length)
    with pytest.raises(Refused, match=f"a tag of {length} bytes"):
        strict.call(encryption(identifier, iv).replace(cryptographic_parameters=short), version=V2_1)
    made = strict.call(encryption(identifier, iv), version=V2_1)
    assert made.authenticated_encryption_tag is not None
    for parameters in (GIVEN, short):
        with pytest.raises(Refused):
            strict.call(
                DecryptRequest(
                    unique_identifier=identifier,
                    cryptographic_parameters=parameters,
                    data=made.data,
                    iv_counter_nonce=iv,
                    authenticated_encryption_tag=made.authenticated_encryption_tag[:length],
                ),
                version=V2_1,
            )
