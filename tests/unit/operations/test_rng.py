"""RNG Retrieve and RNG Seed (KMIP 1.2 §4.35-4.36, 2.1 §6.1.49-6.1.50)."""

from pathlib import Path

import pytest

from strongroom.domain.context import Policy
from strongroom.domain.randomness import Seeding
from strongroom.model.secret import SecretBytes
from strongroom.operations.rng_retrieve import RNGRetrieveRequest
from strongroom.operations.rng_seed import RNGSeedRequest
from strongroom.registry import ResultReason
from tests.expect import assert_refused
from tests.kms import TestKms

SEED = RNGSeedRequest(data=SecretBytes(bytes(32)))


@pytest.mark.parametrize("length", [1, 32, 100_000])
def test_so_many_bytes_come_as_are_asked_for(kms: TestKms, length: int) -> None:
    assert len(kms.call(RNGRetrieveRequest(data_length=length)).data) == length


def test_no_bytes_come_twice(kms: TestKms) -> None:
    seen = {kms.call(RNGRetrieveRequest(data_length=16)).data.reveal() for _ in range(50)}
    assert len(seen) == 50


@pytest.mark.parametrize("length", [-1, 0, (1 << 20) + 1])
def test_a_length_that_is_none_is_refused(kms: TestKms, length: int) -> None:
    reason = ResultReason.INVALID_FIELD
    assert_refused(kms, RNGRetrieveRequest(data_length=length), reason, reason)


@pytest.mark.parametrize(("policy", "used"), [(Seeding.MIX, 32), (Seeding.IGNORE, 0)])
def test_the_policy_says_how_much_of_a_seed_is_used(tmp_path: Path, policy: Seeding, used: int) -> None:
    """KMIP 2.1 §6.1.50: the server may ignore the seed, and say so with zero."""
    kms = TestKms(tmp_path, policy=Policy(rng_seed=policy))
    assert kms.call(SEED).data_length == used
    kms.close()


def test_a_policy_may_refuse_every_seed(tmp_path: Path) -> None:
    kms = TestKms(tmp_path, policy=Policy(rng_seed=Seeding.REFUSE))
    reason = ResultReason.PERMISSION_DENIED
    assert_refused(kms, SEED, reason, reason)
    kms.close()


def test_the_same_seed_does_not_give_the_same_bytes(kms: TestKms) -> None:
    """faults 27. Hostile seeds do not lower the randomness of what follows."""
    seen = set()
    for _ in range(20):
        kms.call(SEED)
        seen.add(kms.call(RNGRetrieveRequest(data_length=16)).data.reveal())
    assert len(seen) == 20


def test_only_the_head_of_a_long_seed_is_used(kms: TestKms) -> None:
    assert kms.call(RNGSeedRequest(data=SecretBytes(bytes(100_000)))).data_length == 512
