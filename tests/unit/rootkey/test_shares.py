"""Secrets in shares (faults 28 and 36)."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.domain.ports import RootKeyError
from strongroom.model.secret import SecretBytes
from strongroom.rootkey.shares import (
    RECOVERY,
    ROOT,
    Collection,
    Share,
    Split,
    WrongShare,
    join,
    parameters,
    read,
    split_up,
)

SECRET = SecretBytes(bytes(range(32)))
SET = "0011223344556677"
THREE_OF_FIVE = Split(3, 5)


def shares(split: Split = THREE_OF_FIVE, *, set_id: str = SET, secret: SecretBytes = SECRET) -> list[Share]:
    return split_up(secret, split, kind=ROOT, set_id=set_id)


def collection(given_out: list[Share]) -> Collection:
    return Collection(SET, parameters(given_out))


def text(share: Share) -> str:
    return share.text.reveal().decode()


@pytest.mark.parametrize("split", [Split(2, 2), Split(2, 3), Split(3, 5), Split(16, 16)])
def test_any_m_shares_give_the_secret(split: Split) -> None:
    made = shares(split)
    for chosen in itertools.islice(itertools.combinations(made, split.threshold), 20):
        assert join(chosen) == SECRET


@given(secret=st.binary(min_size=32, max_size=80), seed=st.randoms())
def test_secrets_of_any_length_and_their_texts_round_trip(secret: bytes, seed: Any) -> None:
    made = split_up(SecretBytes(secret), Split(2, 4), kind=RECOVERY, set_id=SET)
    chosen = [read(text(share)) for share in seed.sample(made, 2)]
    assert join(chosen).reveal() == secret


def test_fewer_than_m_shares_are_compatible_with_every_secret() -> None:
    """They say nothing: for any two shares and any secret there is a third share that leads to it."""
    two = shares()[:2]
    for other in (bytes(32), b"\xff" * 32):
        points = {0: other, 1: two[0].data.reveal(), 2: two[1].data.reveal()}
        third = _at(3, points)
        forged = Share(ROOT, SET, Split(3, 5), 3, SecretBytes(third))
        assert join([*two, forged]).reveal() == other


def _at(place: int, points: dict[int, bytes]) -> bytes:
    from strongroom.domain.galois import Bytes
    from strongroom.domain.sharing import Interpolation

    values = {x: int.from_bytes(value, "big") for x, value in points.items()}
    return Interpolation(Bytes(32, 0x11B), values).at(place).to_bytes(32, "big")


def test_too_few_shares_are_refused() -> None:
    with pytest.raises(WrongShare, match="3 different shares are needed, here are 2"):
        join(shares()[:2])


def test_the_same_share_twice_does_not_count_twice() -> None:
    one, two, *_ = shares()
    with pytest.raises(WrongShare, match="here are 2"):
        join([one, two, two])


def test_shares_of_two_secrets_are_not_mixed() -> None:
    with pytest.raises(WrongShare, match="different secrets"):
        join([*shares()[:2], shares(set_id="ffffffffffffffff")[2]])


def test_an_altered_share_is_found_when_there_is_one_more_than_needed() -> None:
    one, two, three, four, _ = shares()
    altered = four._replace(data=SecretBytes(bytes(32)))
    with pytest.raises(WrongShare, match="altered"):
        join([one, two, three, altered])


@pytest.mark.parametrize("position", range(0, 104, 3))
def test_a_typing_error_is_found_wherever_it_is(position: int) -> None:
    line = text(shares()[0])
    changed = line[:position] + ("x" if line[position] != "x" else "y") + line[position + 1 :]
    with pytest.raises(WrongShare, match="no share, or a character"):
        read(changed)


@pytest.mark.parametrize(
    "line",
    ["", ":", "strongroom-share-1", "a:b:c:d:e:f:g", "x" * 2000, "strongroom-share-1:root:00:2-of-3:0::"],
)
def test_what_is_no_share_is_refused(line: str) -> None:
    with pytest.raises(WrongShare):
        read(line)


@pytest.mark.parametrize("line", ["1/3", "4/3", "2/17", "2", "a/b", "2/3/4", "-2/3", "", "2/٣"])
def test_a_split_that_cannot_be_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        Split.parse(line)


def test_progress_is_counted_and_the_last_share_opens() -> None:
    made = shares()
    brought = collection(made)
    for number, share in enumerate(made[:3]):
        assert (brought.brought, brought.needed) == (number, 3)
        assert brought.secret() is None
        brought.add(read(text(share)))
    assert brought.secret() == SECRET
    assert brought.brought == 0, "they are not kept longer than needed"


def test_a_share_that_was_brought_already_is_refused() -> None:
    made = shares()
    brought = collection(made)
    brought.add(made[1])
    with pytest.raises(WrongShare, match="share 2 has been brought already"):
        brought.add(made[1])
    assert brought.brought == 1


def test_a_share_of_an_older_root_key_is_refused() -> None:
    brought = collection(shares())
    with pytest.raises(WrongShare, match="another root key, an older one perhaps"):
        brought.add(shares(set_id="ffffffffffffffff")[0])


def test_a_forged_share_is_refused_by_itself_and_leaves_the_others() -> None:
    made = shares()
    brought = collection(made)
    brought.add(made[0])
    forged = Share(ROOT, SET, Split(3, 5), 2, SecretBytes(bytes(32)))
    for wrong in (forged, made[1]._replace(number=3), made[1]._replace(split=Split(2, 5))):
        with pytest.raises(WrongShare, match="given out"):
            brought.add(wrong)
    for share in made[1:3]:
        brought.add(share)
    assert brought.secret() == SECRET


def test_a_share_beyond_those_that_were_given_out_is_refused() -> None:
    with pytest.raises(WrongShare, match="given out"):
        collection(shares()).add(shares(Split(3, 9))[7])


def test_a_share_of_a_recovery_kit_does_not_unseal() -> None:
    kit = split_up(SECRET, Split(3, 5), kind=RECOVERY, set_id=SET)
    with pytest.raises(WrongShare):
        collection(shares()).add(kit[0])


def test_shares_are_forgotten() -> None:
    made = shares()
    brought = collection(made)
    brought.add(made[0])
    brought.forget()
    brought.add(made[0])
    assert brought.brought == 1


def test_neither_a_share_nor_an_error_shows_the_data() -> None:
    share = shares()[0]
    secret = share.data.reveal()
    shown = f"{share!r} {share!s}"
    with pytest.raises(WrongShare) as caught:
        collection(shares()).add(share)
    shown += str(caught.value)
    assert secret.hex() not in shown
    assert text(share).split(":")[5] not in shown


def test_a_damaged_record_is_refused() -> None:
    with pytest.raises(RootKeyError, match=r"root\.json"):
        Collection(SET, {"threshold": "many"})
