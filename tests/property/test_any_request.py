"""Random but well-formed requests of every operation in every version, in a row over one store.

Rule: nothing is said of what a request should do, only of what holds whatever is asked: the server never
fails, each answer can be read in its version, a refusal changes nothing, and the verifier finds nothing
afterwards. A request is made from the declaration of its operation, so that a new one is asked for, too.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from enum import IntEnum, IntFlag
from pathlib import Path
from random import Random
from typing import Any, get_args

import pytest

from strongroom.attributes.catalogue import all_attributes
from strongroom.domain.doubts import Doubt
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.operation import OperationSpec
from strongroom.model.attribute_list import (
    AttributeInstance,
    AttributeKey,
    RawValue,
    TemplateAttributes,
    VendorAttribute,
)
from strongroom.model.convert import decoder
from strongroom.model.errors import NotInVersion
from strongroom.model.identifiers import LinkedIdentifier, UniqueIdentifier
from strongroom.model.messages import ResponseBatchItem
from strongroom.model.objects import ManagedObjectStruct
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import OWN_TAGS, Field, Implied, Seconds, StructMeta
from strongroom.operations.catalogue import all_operations
from strongroom.operations.destroy import DestroyRequest
from strongroom.registry import (
    VERSIONS,
    CryptographicAlgorithm,
    ItemType,
    ObjectType,
    Operation,
    ResultStatus,
    State,
    Tag,
    Version,
)
from strongroom.registry.names import defined_tags
from strongroom.store.sealing import StoreKeys
from strongroom.store.snapshot import take_snapshot
from strongroom.store.verification import verify
from strongroom.wire.item import Item
from tests.certificates import authority
from tests.expect import (
    EVERY_USE,
    key_in,
    key_pair,
    mask,
    opaque,
    password,
    raw_key,
    register_opaque,
    revoke,
)
from tests.kms import ALICE, BOB, TestKms, attribute, request_message, template

REQUESTS = 900
TEXTS = ("", "a", "é☎", "x" * 300, "two words")
BYTES = (b"", b"\0", bytes(16), bytes(range(32)))
NUMBERS = (0, 1, 2, 3, 16, 128, 256, -1, 2**31 - 1)
AES = (
    attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
    attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128),
    mask(EVERY_USE),
)
LEFT_OUT = (Operation.CREATE_KEY_PAIR, Operation.RE_KEY_KEY_PAIR, Operation.SET_CONSTRAINTS)
"""RSA keys of random lengths take their time; constraints would forbid most of what follows."""


class Someone:
    """Makes up requests; `known` are the objects that they may be about."""

    def __init__(self, seed: int, kms: TestKms) -> None:
        self.random, self.kms = Random(seed), kms
        self.known: list[UniqueIdentifier] = [UniqueIdentifier("nobody's")]

    def ask(self, spec: OperationSpec, version: Version, caller: ClientIdentity) -> ResultStatus:
        """Return how the request is answered; fails when the server does, or says what it cannot say."""
        message = request_message(self._structure(spec.request), version=version)
        answer = self.kms.send(message, caller)
        item: ResponseBatchItem = decoder(ResponseBatchItem, version)(answer[2][1][2])
        assert "the server failed" not in (item.result_message or "")
        assert tags(answer) <= defined_tags(version)
        if item.result_status is ResultStatus.SUCCESS:
            payload = decoder(spec.response, version)(item.response_payload or [])
            made = getattr(payload, "unique_identifier", None)
            if isinstance(made, str) and made not in self.known:
                self.known.append(UniqueIdentifier(made))
        return item.result_status

    def _structure(self, cls: StructMeta) -> Any:
        given = {f.name: self._field(f) for f in cls.fields if f.required or self.random.random() < 0.4}
        return cls(**given)

    def _field(self, field: Field) -> Any:
        if isinstance(field.marker, Implied):
            return False
        if field.repeated:
            return tuple(self._value(field.kind) for _ in range(self.random.randrange(3)))
        return self._value(field.kind)

    def _value(self, kind: Any) -> Any:
        choose = self.random.choice
        if kind is ManagedObjectStruct:
            return choose([raw_key(), raw_key(bytes(32)), password(), opaque()])
        if isinstance(kind, StructMeta):
            return self._structure(kind)
        if kind is ObjectType:
            return choose([*[ObjectType.SYMMETRIC_KEY] * 30, *ObjectType])
        if isinstance(kind, type) and issubclass(kind, IntEnum | IntFlag):
            return choose(list(kind) or [0x80000001])
        if kind in (UniqueIdentifier, LinkedIdentifier) or UniqueIdentifier in get_args(kind):
            return choose(self.known)
        if kind is AttributeInstance:
            return self._attribute()
        if kind is TemplateAttributes:
            some = [self._attribute() for _ in range(choose([0, 0, 1, 2]))]
            return template(*choose([AES, AES, ()]), *some)
        if Tag in get_args(kind):
            return choose([*all_attributes(), VendorAttribute("x", "a")])
        if datetime in (kind, *get_args(kind)):
            return self.kms.clock.now() + timedelta(hours=choose([-1000, -1, 0, 1, 1000]))
        simple: dict[Any, Any] = {
            bool: (True, False),
            int: NUMBERS,
            str: TEXTS,
            bytes: BYTES,
            Seconds: (0, 1, 2**32 - 1),
            SecretBytes: [SecretBytes(value) for value in BYTES],
            RawValue: (RawValue(2, 1), RawValue(7, "a"), RawValue(9, 0)),
        }
        return choose(simple[kind] if kind in simple else list(get_args(kind)[0]))

    def _attribute(self) -> AttributeInstance:
        keys: list[AttributeKey] = [*all_attributes(), VendorAttribute("x", "a")]
        tag = self.random.choice(keys)
        kind = RawValue if isinstance(tag, VendorAttribute) else all_attributes()[tag].kind
        return AttributeInstance(tag, self._value(kind))


def rows(kms: TestKms) -> list[Any]:
    """Return what clients have in the store."""
    with closing(sqlite3.connect(kms.directory / "strongroom.db")) as database:
        tables = ("objects", "names", "terms", "clients")
        return [database.execute(f"SELECT * FROM {table}").fetchall() for table in tables]


def doubts(kms: TestKms) -> list[Doubt]:
    async def look() -> list[Doubt]:
        keys = StoreKeys(kms.root_key)
        keys.load(await kms.backend.store_keys())
        async with take_snapshot(kms.url) as snapshot:
            return [doubt async for doubt in verify(snapshot, keys)]

    return kms.run(look())


def tags(item: Item) -> set[int]:
    """Return the tags in an answer, those of vendors aside."""
    tag, kind, value = item
    own = {tag} if tag < OWN_TAGS else set[int]()
    return own.union(*map(tags, value)) if kind == ItemType.STRUCTURE else own


@pytest.fixture
def kms(tmp_path: Path) -> Iterator[TestKms]:
    made = TestKms(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("seed", range(2))
def test_whatever_is_asked_the_server_keeps_its_promises(kms: TestKms, seed: int) -> None:
    someone = Someone(seed, kms)
    issuer, gone = authority(kms), authority(kms, "gone")
    kms.call(revoke(gone.certificate))
    kms.call(DestroyRequest(unique_identifier=gone.certificate))
    someone.known += [*issuer, *gone, *key_pair(kms), register_opaque(kms)]
    someone.known += [key_in(kms, state) for state in State]
    specs = [spec for spec in all_operations().values() if spec.operation not in LEFT_OUT]
    for _ in range(REQUESTS):
        version, spec = someone.random.choice(VERSIONS), someone.random.choice(specs)
        caller = someone.random.choice([ALICE, ALICE, BOB])
        if not spec.in_version(version):
            continue
        before = rows(kms)
        try:
            status = someone.ask(spec, version, caller)
        except NotInVersion:
            continue  # the version cannot say the request
        if status is not ResultStatus.SUCCESS:
            assert rows(kms) == before
        kms.clock.pass_time(minutes=someone.random.choice([0, 0, 1, 600]))
    assert doubts(kms) == []
