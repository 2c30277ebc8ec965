"""IVs of GCM: those that are made here never come twice, those that are given not either where that is
refused (faults 24)."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from strongroom.domain.context import Policy
from strongroom.domain.doubts import Doubt
from strongroom.domain.operation import Request
from strongroom.engine import used_ivs
from strongroom.engine.answers import joined
from strongroom.engine.used_ivs import forget_ivs
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, RevocationReason
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.decrypt import DecryptRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.export import ExportRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.operations.revoke import RevokeRequest
from strongroom.registry import (
    V1_4,
    V2_1,
    V3_0,
    BlockCipherMode,
    CryptographicUsageMask,
    ObjectType,
    ResultReason,
    RevocationReasonCode,
    Tag,
)
from strongroom.store.sealing import StoreKeys
from strongroom.store.snapshot import take_snapshot
from strongroom.store.verification import verify
from tests.kms import Refused, TestKms, attribute, template
from tests.nodes import Nodes, nodes, postgres_server
from tests.safeguards import lay_down
from tests.wrapping import specification

__all__ = ["nodes", "postgres_server"]

GCM: Final = CryptographicParameters(block_cipher_mode=BlockCipherMode.GCM, random_iv=True)
GIVEN: Final = GCM.replace(random_iv=None)
ENCRYPT: Final = CryptographicUsageMask.ENCRYPT
REFUSE: Final = Policy(iv_reuse=False)


def key(kms: TestKms) -> UniqueIdentifier:
    mask = ENCRYPT | CryptographicUsageMask.DECRYPT
    identifier = kms.create_symmetric_key(mask=mask)
    kms.call(ActivateRequest(unique_identifier=identifier))
    return identifier


def encryption(identifier: UniqueIdentifier, iv: bytes | None = None, **more: Any) -> EncryptRequest:
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


@pytest.mark.parametrize("taken", [GetRequest, ExportRequest])
def test_an_iv_that_a_key_was_wrapped_with_is_refused_when_it_is_given(
    strict: TestKms, taken: type[GetRequest] | type[ExportRequest]
) -> None:
    """faults 24: else what is encrypted with it would show the wrapped key."""
    wrapping = strict.create_symmetric_key(mask=ENCRYPT | CryptographicUsageMask.WRAP_KEY)
    strict.call(ActivateRequest(unique_identifier=wrapping))
    for _ in range(2):  # one that is made here is fresh each time
        wanted = specification(wrapping, GIVEN, encoding=None)
        request: Request[Any] = taken(unique_identifier=key(strict), key_wrapping_specification=wanted)
        answer = strict.call(request)
        data = answer.managed_object.key_block.key_wrapping_data
        with pytest.raises(Refused, match="has encrypted with this IV"):
            strict.call(encryption(wrapping, data.iv_counter_nonce))


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


def used(kms: TestKms) -> int:
    """Return how many IVs are written down, after the server had time to forget some."""
    kms.clock.pass_time(seconds=1)
    kms.run(kms.dispatcher.transactions.guard.tidy(kms.clock.now()))
    kms.clock.pass_time(seconds=1)
    kms.run(forget_ivs(kms.repository, kms.clock.now()))
    kms.run(forget_ivs(kms.repository, kms.clock.now()))
    with closing(sqlite3.connect(kms.directory / "strongroom.db")) as database:
        ((number,),) = database.execute("SELECT count(*) FROM entries WHERE kind IN (71, 72)")
    return int(number)


def end(kms: TestKms, identifier: UniqueIdentifier) -> None:
    reason = RevocationReason(revocation_reason_code=RevocationReasonCode.CESSATION_OF_OPERATION)
    kms.call(RevokeRequest(unique_identifier=identifier, revocation_reason=reason))


def destroy(kms: TestKms, identifier: UniqueIdentifier) -> None:
    end(kms, identifier)
    kms.call(DestroyRequest(unique_identifier=identifier))


def doubts(kms: TestKms) -> list[Doubt]:
    async def look() -> list[Doubt]:
        keys = StoreKeys(kms.root_key)
        keys.load(await kms.backend.store_keys())
        async with take_snapshot(kms.url) as snapshot:
            return [doubt async for doubt in verify(snapshot, keys)]

    return kms.run(look())


def test_what_a_destroyed_key_has_used_is_forgotten_and_nothing_else(strict: TestKms) -> None:
    gone, other, iv = key(strict), key(strict), os.urandom(12)
    for identifier in (gone, other):
        strict.call(encryption(identifier, iv))
        strict.call(encryption(identifier))
    assert used(strict) == 4
    destroy(strict, gone)
    assert used(strict) == 2
    with pytest.raises(Refused, match="has encrypted with this IV"):
        strict.call(encryption(other, iv))
    assert doubts(strict) == []


def test_an_obliterated_key_leaves_no_ivs_whether_it_was_destroyed_before_or_not(strict: TestKms) -> None:
    for before in (destroy, end):
        identifier = key(strict)
        strict.call(encryption(identifier))
        before(strict, identifier)
        request = ObliterateRequest(unique_identifier=UniqueIdentifier(identifier))
        strict.call(request, version=V3_0)
        assert used(strict) == 0
    assert doubts(strict) == []


def test_a_key_that_can_be_restored_has_used_its_ivs_all_the_same(strict: TestKms) -> None:
    lay_down(strict, window=timedelta(days=7))
    identifier, iv = key(strict), os.urandom(12)
    strict.call(encryption(identifier, iv))
    destroy(strict, identifier)
    assert used(strict) == 1
    strict.clock.pass_time(seconds=8 * 86_400)
    assert used(strict) == 0
    assert doubts(strict) == []


def test_ivs_are_forgotten_so_many_at_a_time(strict: TestKms, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key may have used a million, and others are served meanwhile."""
    monkeypatch.setattr(used_ivs, "AT_ONCE", 2)
    identifier = key(strict)
    for _ in range(7):
        strict.call(encryption(identifier))
    destroy(strict, identifier)
    assert [used(strict) for _ in range(3)] == [4, 1, 0]
    assert doubts(strict) == []


def test_a_key_that_takes_the_place_of_a_destroyed_one_keeps_its_ivs(strict: TestKms) -> None:
    """Import under the same identifier, before what was there is forgotten."""
    identifier, first, iv = key(strict), os.urandom(12), os.urandom(12)
    strict.call(encryption(identifier, first))
    exported = strict.call(GetRequest(unique_identifier=UniqueIdentifier(identifier))).managed_object
    destroy(strict, identifier)
    mask = CryptographicUsageMask.ENCRYPT
    strict.call(
        ImportRequest(
            unique_identifier=UniqueIdentifier(identifier),
            object_type=ObjectType.SYMMETRIC_KEY,
            replace_existing=True,
            attributes=template(
                attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, mask),
                attribute(Tag.ACTIVATION_DATE, strict.clock.now()),
            ),
            managed_object=exported,
        ),
        version=V2_1,
    )
    strict.call(encryption(identifier, iv))
    assert used(strict) == 2
    for known in (first, iv):
        with pytest.raises(Refused, match="has encrypted with this IV"):
            strict.call(encryption(identifier, known))


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
        answer = joined(await node.dispatcher.handle(message, Connection(client=ALICE, peer="")))
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
