"""Data and identifiers of earlier batch items (KMIP 2.1 §4.31, §4.58, §7.9), answers without them (§8.3)."""

import dataclasses
import hashlib
from typing import Any

import pytest

from strongroom.domain.operation import Request
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.convert import encoder
from strongroom.model.errors import NotInVersion
from strongroom.model.identifiers import BatchReference, UniqueIdentifier
from strongroom.model.messages import EPHEMERAL, RequestBatchItem
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, Link
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.create import CreateRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.get import GetRequest, GetResponse
from strongroom.operations.hash import HashRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.rng_retrieve import RNGRetrieveRequest
from strongroom.operations.set_attribute import SetAttributeRequest
from strongroom.operations.sign import SignRequest
from strongroom.registry import (
    V2_0,
    V2_1,
    V3_0,
    BatchErrorContinuationOption,
    BlockCipherMode,
    CryptographicAlgorithm,
    DataEnumeration,
    Ephemeral,
    HashingAlgorithm,
    LinkType,
    ObjectType,
    Operation,
    PaddingMethod,
    ResultReason,
    ResultStatus,
    Tag,
    UniqueIdentifierEnumeration,
    Version,
)
from strongroom.wire.item import Item
from tests.expect import MISSING, active_key, key, key_pair, values
from tests.kms import TestKms, attribute, request_message, template

SHA_256 = CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256)
CBC = CryptographicParameters(
    block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5, random_iv=True
)


def ephemeral(root: Item, position: int, item_type: int, value: Any) -> Item:
    """Return a request message whose batch item asks for less."""
    root[2][1 + position][2].insert(1, (int(Tag.EPHEMERAL), item_type, value))
    return root


def refer(root: Item, position: int, item_type: int, value: int) -> Item:
    """Return a request message whose batch item has a reference in the place of its Data."""
    payload = root[2][1 + position][2][-1][2]
    at = next(n for n, field in enumerate(payload) if field[0] == Tag.DATA)
    payload[at] = (int(Tag.DATA), item_type, value)
    return root


def fields(item: Item) -> dict[int, Any]:
    return {tag: value for tag, _, value in item[2]}


def answers(kms: TestKms, root: Item) -> list[dict[int, Any]]:
    """Return the fields of each payload; where there is none, those of the batch item."""
    items = [fields(item) for item in kms.send(root)[2][1:]]
    return [
        {tag: value for tag, _, value in item[Tag.RESPONSE_PAYLOAD]} if Tag.RESPONSE_PAYLOAD in item else item
        for item in items
    ]


def hashing(data: bytes = b"") -> HashRequest:
    return HashRequest(cryptographic_parameters=SHA_256, data=SecretBytes(data))


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@pytest.mark.parametrize("version", [V2_0, V2_1, V3_0], ids=str)
@pytest.mark.parametrize(
    ("item_type", "reference", "meant"),
    [
        (5, DataEnumeration.RNG_RETRIEVE, 0),
        (5, DataEnumeration.HASH, 1),
        (2, 0, 0),
        (2, 1, 1),
        (2, -1, 1),
        (2, -2, 0),
    ],
)
def test_data_may_be_those_of_an_earlier_item(
    kms: TestKms, version: Version, item_type: int, reference: int, meant: int
) -> None:
    requests: list[Request[Any]] = [RNGRetrieveRequest(data_length=32), hashing(b"abc"), hashing()]
    root = refer(request_message(*requests, version=version), 2, item_type, int(reference))
    *earlier, made = answers(kms, root)
    assert made[Tag.DATA] == sha256(earlier[meant][Tag.DATA])


def test_a_signature_is_the_data_of_sign(kms: TestKms) -> None:
    private, _ = key_pair(kms)
    kms.call(ActivateRequest(unique_identifier=private))
    sign = SignRequest(unique_identifier=private, cryptographic_parameters=SHA_256, data=SecretBytes(b"x"))
    root = request_message(sign, hashing(), version=V2_1)
    signed, made = answers(kms, refer(root, 1, 5, int(DataEnumeration.SIGN_SIGNATURE_DATA)))
    assert made[Tag.DATA] == sha256(signed[Tag.SIGNATURE_DATA])


@pytest.mark.parametrize(
    ("item_type", "reference"), [(5, int(DataEnumeration.ENCRYPT)), (2, 1), (2, -2), (5, 0x80000001), (5, 99)]
)
def test_data_that_nothing_gave_are_an_invalid_field(kms: TestKms, item_type: int, reference: int) -> None:
    root = request_message(hashing(b"abc"), hashing(), version=V2_1)
    _, refused = answers(kms, refer(root, 1, item_type, reference))
    assert refused[Tag.RESULT_REASON] == ResultReason.INVALID_FIELD


def test_data_of_an_item_that_failed_are_not_there(kms: TestKms) -> None:
    requests: list[Request[Any]] = [RNGRetrieveRequest(data_length=-1), hashing()]
    root = request_message(
        *requests, version=V2_1, batch_error_continuation_option=BatchErrorContinuationOption.CONTINUE
    )
    failed, refused = answers(kms, refer(root, 1, 2, 0))
    assert failed[Tag.RESULT_STATUS] == ResultStatus.OPERATION_FAILED
    assert refused[Tag.RESULT_REASON] == ResultReason.INVALID_FIELD


def test_data_of_an_item_that_failed_are_not_those_of_one_before(kms: TestKms) -> None:
    requests: list[Request[Any]] = [
        RNGRetrieveRequest(data_length=8),
        RNGRetrieveRequest(data_length=-1),
        hashing(),
    ]
    root = request_message(
        *requests, version=V2_1, batch_error_continuation_option=BatchErrorContinuationOption.CONTINUE
    )
    _, _, refused = answers(kms, refer(root, 2, 5, int(DataEnumeration.RNG_RETRIEVE)))
    assert refused[Tag.RESULT_REASON] == ResultReason.INVALID_FIELD


def test_a_reference_without_a_batch_is_an_invalid_message(kms: TestKms) -> None:
    (refused,) = answers(kms, refer(request_message(hashing(), version=V2_1), 0, 2, 0))
    assert refused[Tag.RESULT_REASON] == ResultReason.INVALID_MESSAGE


def test_the_data_that_a_batch_keeps_are_bounded(kms: TestKms, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are kept although the answer leaves them out, so its size does not bound them."""
    services = kms.dispatcher._services
    small = dataclasses.replace(services.limits, message_size=2**14)
    for part in (kms.dispatcher, kms.dispatcher.transactions):
        monkeypatch.setattr(part, "_services", dataclasses.replace(services, limits=small))
    many = [RNGRetrieveRequest(data_length=2**13)] * 10
    root = request_message(*many, version=V2_1)
    for position in range(10):
        ephemeral(root, position, 6, True)
    *given, refused = answers(kms, root)
    assert len(given) == 8
    assert refused[Tag.RESULT_REASON] == ResultReason.RESPONSE_TOO_LARGE


@pytest.mark.parametrize(("number", "meant"), [(0, 0), (1, 1), (2, 1), (-1, 1), (-2, 1), (-3, 0)])
def test_a_number_counts_the_identifiers_in_the_answer(kms: TestKms, number: int, meant: int) -> None:
    """KMIP 2.1 §4.58: the nth Unique Identifier in the response, backwards when negative."""
    made = [key(kms), key(kms)]
    requests = [GetRequest(unique_identifier=made[0]), GetRequest(unique_identifier=made[1])]
    *_, found = kms.batch(
        *requests,
        GetRequest(unique_identifier=made[1]),
        GetRequest(unique_identifier=BatchReference(number)),
        version=V2_1,
    )
    assert isinstance(found, GetResponse)
    assert found.unique_identifier == made[meant]


def leads_to(root: Item, item_type: int, reference: int) -> Item:
    """Return a request message in which each link to MISSING has a reference in its place."""

    def replace(items: list[Item]) -> None:
        for at, (tag, kind, inside) in enumerate(items):
            if kind == 1:
                replace(inside)
            elif inside == MISSING:
                items[at] = (tag, item_type, reference)

    replace(root[2])
    return root


LINK = attribute(Tag.LINK, Link(link_type=LinkType.PARENT_LINK, linked_object_identifier=MISSING))
"""To be replaced: see `leads_to`."""


def create(*more: AttributeInstance) -> CreateRequest:
    return CreateRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        attributes=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
            attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128),
            *more,
        ),
    )


def parent_of(kms: TestKms, identifier: UniqueIdentifier) -> str:
    (link,) = values(kms, identifier, Tag.LINK)
    return str(link.linked_object_identifier)


@pytest.mark.parametrize("version", [V2_0, V2_1, V3_0], ids=str)
@pytest.mark.parametrize(
    ("item_type", "reference"),
    [
        (5, UniqueIdentifierEnumeration.CREATE),
        (5, UniqueIdentifierEnumeration.ID_PLACEHOLDER),
        (2, 0),
        (2, -1),
    ],
    ids=["Create", "ID Placeholder", "first", "last"],
)
def test_a_link_may_lead_to_what_an_earlier_item_made(
    kms: TestKms, version: Version, item_type: int, reference: int
) -> None:
    """KMIP 2.1 §4.31, table 90: text, enumeration or number; in 3.0, so may the attribute of each link."""
    root = leads_to(request_message(create(), create(LINK), version=version), item_type, int(reference))
    parent, child = answers(kms, root)
    assert parent_of(kms, child[Tag.UNIQUE_IDENTIFIER]) == parent[Tag.UNIQUE_IDENTIFIER]


@pytest.mark.parametrize("change", [AddAttributeRequest, SetAttributeRequest], ids=lambda one: one.__name__)
@pytest.mark.parametrize("option", [None, BatchErrorContinuationOption.UNDO], ids=["stop", "undo"])
def test_a_link_that_is_added_may_lead_there_too(
    kms: TestKms, change: Any, option: BatchErrorContinuationOption | None
) -> None:
    child = key(kms)
    link = change(unique_identifier=child, new_attribute=LINK)
    root = request_message(create(), link, version=V2_1, batch_error_continuation_option=option)
    parent, _ = answers(kms, leads_to(root, 5, int(UniqueIdentifierEnumeration.ID_PLACEHOLDER)))
    assert parent_of(kms, child) == parent[Tag.UNIQUE_IDENTIFIER]


def test_a_search_by_a_link_may_be_for_what_an_earlier_item_made(kms: TestKms) -> None:
    parent = key(kms)
    to_it = LINK._replace(value=LINK.value.replace(linked_object_identifier=parent))
    child = key(kms, to_it)
    requests: list[Request[Any]] = [
        GetRequest(unique_identifier=parent),
        LocateRequest(attributes=template(LINK)),
    ]
    _, found = answers(kms, leads_to(request_message(*requests, version=V2_1), 2, 0))
    assert found[Tag.UNIQUE_IDENTIFIER] == child


@pytest.mark.parametrize(
    ("item_type", "reference", "reason"),
    [
        (5, UniqueIdentifierEnumeration.REGISTER, ResultReason.OBJECT_NOT_FOUND),
        (2, 1, ResultReason.INVALID_FIELD),
        (5, 99, ResultReason.INVALID_FIELD),
        (5, 0x80000001, ResultReason.INVALID_FIELD),
    ],
)
def test_a_link_to_what_nothing_made_is_refused(
    kms: TestKms, item_type: int, reference: int, reason: ResultReason
) -> None:
    root = request_message(create(), create(LINK), version=V2_1)
    _, refused = answers(kms, leads_to(root, item_type, int(reference)))
    assert refused[Tag.RESULT_REASON] == reason


def test_the_answer_leaves_the_data_out(kms: TestKms) -> None:
    """KMIP 2.1 §8.3: the Data output of the operation is not returned to the client."""
    made = active_key(kms)
    encrypt = EncryptRequest(unique_identifier=made, cryptographic_parameters=CBC, data=SecretBytes(b"abc"))
    for version, item_type, value in ((V2_0, 6, True), (V2_1, 6, True), (V3_0, 5, int(Ephemeral.DATA))):
        root = ephemeral(request_message(encrypt, version=version), 0, item_type, value)
        (answer,) = answers(kms, root)
        assert set(answer) == {Tag.UNIQUE_IDENTIFIER, Tag.IV_COUNTER_NONCE}
    (answer,) = answers(kms, ephemeral(request_message(encrypt, version=V2_1), 0, 6, False))
    assert Tag.DATA in answer


def test_data_that_are_left_out_are_there_for_later_items(kms: TestKms) -> None:
    root = request_message(hashing(b"abc"), hashing(), version=V2_1)
    first, second = answers(kms, ephemeral(refer(root, 1, 2, -1), 0, 6, True))
    assert Tag.DATA not in first
    assert second[Tag.DATA] == sha256(sha256(b"abc"))


def test_the_answer_leaves_out_identifiers_or_everything(kms: TestKms) -> None:
    made = key(kms)
    get = GetRequest(unique_identifier=made)
    for value, left in (
        (Ephemeral.UNIQUE_IDENTIFIER, {Tag.OBJECT_TYPE, Tag.SYMMETRIC_KEY}),
        (Ephemeral.EMPTY, set()),
    ):
        (answer,) = answers(kms, ephemeral(request_message(get, version=V3_0), 0, 5, int(value)))
        assert set(answer) == left


def test_an_unknown_ephemeral_is_answered_in_the_place_of_its_item(kms: TestKms) -> None:
    made = key(kms)
    get = GetRequest(unique_identifier=made)
    root = ephemeral(request_message(get, get, version=V3_0), 1, 5, 9)
    answer, refused = answers(kms, root)
    assert answer[Tag.UNIQUE_IDENTIFIER] == made
    assert refused[Tag.RESULT_REASON] == ResultReason.INVALID_FIELD
    assert "BatchItem[1].Ephemeral" in refused[Tag.RESULT_MESSAGE]


def test_2_1_can_say_only_that_it_wants_no_data() -> None:
    encode = encoder(RequestBatchItem, V2_1)
    item = RequestBatchItem(operation=Operation.GET, ephemeral=Ephemeral.DATA)
    assert (Tag.EPHEMERAL, 6, True) in encode(item)
    with pytest.raises(NotInVersion):
        encode(item.replace(ephemeral=Ephemeral.EMPTY))
    assert EPHEMERAL.read(6, False) is None
