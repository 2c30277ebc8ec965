"""A judge is as good as what it catches: one changed value or type in one answer must fail the case.

The server of these tests answers as the listing prints it, but for one item.
"""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from strongroom.client.profile import Profile
from strongroom.conformance.cases import Case, load
from strongroom.conformance.player import Chain, Client, Player, Settings
from strongroom.conformance.render import tag_name
from strongroom.conformance.results import Outcome
from strongroom.conformance.target import Target
from strongroom.conformance.trees import operations
from strongroom.conformance.variables import UnknownName, Variable
from strongroom.registry import Operation, Tag
from strongroom.wire import binary
from strongroom.wire.item import BOOLEAN, BYTE_STRING, STRUCTURE, TEXT_STRING, Item
from tests import oasis
from tests.unit.conformance.listing_server import ListingServer

TARGET = Target(
    Profile(servers=("localhost:5696",), cert=Path("cert.pem"), key=Path("key.pem"), ca=Path("ca.pem"))
)
# Free by themselves, or free under an object that the server made.
FREE = frozenset(
    {
        Tag.TIME_STAMP,
        Tag.RESULT_MESSAGE,
        Tag.SERVER_CORRELATION_VALUE,
        Tag.VENDOR_IDENTIFICATION,
        Tag.KEY_FORMAT_TYPE,
        Tag.KEY_MATERIAL,
        Tag.HASHING_ALGORITHM,
        Tag.DIGEST_VALUE,
        Tag.DATA,
        Tag.DATA_LENGTH,  # of a seed: how much of it was used
        Tag.SIGNATURE_DATA,
        Tag.MAC_DATA,
        Tag.IV_COUNTER_NONCE,
        Tag.AUTHENTICATED_ENCRYPTION_TAG,
        Tag.CERTIFICATE_VALUE,
        Tag.PKCS_11_OUTPUT_PARAMETERS,
        Tag.UNIQUE_IDENTIFIER,
    }
)
# Whatever they hold describes the server.
FREE_STRUCTURES = frozenset(
    {
        Tag.KEY_MATERIAL,
        Tag.RANDOM_NUMBER_GENERATOR,
        Tag.RNG_PARAMETERS,
        Tag.CAPABILITY_INFORMATION,
        Tag.PROFILE_INFORMATION,
        Tag.EXTENSION_INFORMATION,
    }
)
FREE_ATTRIBUTES = ("Random Number Generator", "Digest")


Change = Callable[[Item], Item]


class Liar(ListingServer):
    """Changes one item of one answer."""

    def __init__(self, case: Case, step: int, place: tuple[int, ...], change: Change) -> None:
        super().__init__(case)
        self._left = step
        self._place = place
        self._change = change

    def exchange(self, message: bytes) -> bytes:
        answer = super().exchange(message)
        self._left -= 1
        if self._left != -1:
            return answer
        return binary.encode(changed(binary.decode(answer), self._place, self._change))


def changed(item: Item, place: tuple[int, ...], change: Change) -> Item:
    if not place:
        return change(item)
    tag, kind, value = item
    inner = list(value)
    inner[place[0]] = changed(inner[place[0]], place[1:], change)
    return (tag, kind, inner)


def of_another_value(item: Item) -> Item:
    tag, kind, value = item
    return (tag, kind, other(kind, value))


def of_another_type(item: Item) -> Item:
    tag, kind, _ = item
    return (tag, BOOLEAN, True) if kind == STRUCTURE else (tag, STRUCTURE, [])


def of_another_leaf_type(item: Item) -> Item:
    tag, kind, _ = item
    return (tag, TEXT_STRING, "x") if kind == BOOLEAN else (tag, BOOLEAN, True)


def other(kind: int, value: Any) -> Any:
    if kind == BOOLEAN:
        return not value
    if kind == BYTE_STRING:
        return bytes([value[0] ^ 1]) + value[1:] if value else b"x"
    return value + 1 if isinstance(value, int) else f"{value}x"


def fixed_leaves(item: Item, place: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """Return the places of the leaves that a listing fixes."""
    tag, kind, value = item
    if kind != STRUCTURE:
        is_fixed = tag not in FREE and not isinstance(value, Variable | UnknownName)
        return [place] if is_fixed and "Date" not in tag_name(tag) else []
    names = {inner[2] for inner in value if inner[0] == Tag.ATTRIBUTE_NAME and inner[1] == TEXT_STRING}
    if tag in FREE_STRUCTURES or any(name in FREE_ATTRIBUTES or "Date" in name for name in names):
        return []
    return [found for n, inner in enumerate(value) for found in fixed_leaves(inner, (*place, n))]


def passes(case: Case, server: ListingServer) -> bool:
    clients = dict.fromkeys({"A", *case.clients}, Client(TARGET, server))
    settings = Settings(longest_wait=0)
    result = Player(case, clients=clients, chain=Chain(settings.clock()), settings=settings).play()
    return result.outcome is Outcome.PASSED


def test_a_changed_value_is_caught_in_every_oasis_case() -> None:
    """But in a list of Query that no profile requires the server to report."""
    missed = []
    for case in load(oasis.folder())[0]:
        if case.has_server_messages:
            continue
        chance = random.Random(case.name)
        step = chance.randrange(len(case.steps))
        response = case.steps[step].response
        place = chance.choice(fixed_leaves(response))
        listed = leaf_at(response, place)[0] in (
            Tag.OPERATION,
            Tag.OBJECT_TYPE,
        ) and Operation.QUERY in operations(response)
        if not listed and passes(case, Liar(case, step, place, of_another_value)):
            missed.append((case.name, step, place))
    assert missed == []


def all_places(item: Item, place: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """Return every place below the message, but those of material: bytes, or a Structure."""
    tag, kind, value = item
    if tag in (Tag.KEY_VALUE, Tag.KEY_MATERIAL):
        return []
    if kind != STRUCTURE:
        return [place]
    return [place, *(found for n, inner in enumerate(value) for found in all_places(inner, (*place, n)))]


@pytest.mark.parametrize("change", [of_another_type, of_another_leaf_type])
def test_a_changed_type_is_caught_in_every_oasis_case(change: Change) -> None:
    """Also where the value is free, and inside of what describes the server."""
    missed = []
    for case in load(oasis.folder())[0]:
        if case.has_server_messages:
            continue
        chance = random.Random(case.name)
        step = chance.randrange(len(case.steps))
        place = chance.choice(all_places(case.steps[step].response))
        if passes(case, Liar(case, step, place, change)):
            missed.append((case.name, step, place))
    assert missed == []


def leaf_at(item: Item, place: tuple[int, ...]) -> Item:
    for number in place:
        item = item[2][number]
    return item
