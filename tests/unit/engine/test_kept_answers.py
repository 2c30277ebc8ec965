"""Answers that wait for Poll and hold secrets of an object that is gone, or out of reach, by then."""

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from strongroom.domain.asynchronous import KeptAnswer, WaitingBatch
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.operation import Request
from strongroom.domain.permission import Permission
from strongroom.engine import backlog
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.decrypt import DecryptRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.export import ExportRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.modify_attribute import ModifyAttributeRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.operations.recover import RecoverRequest
from strongroom.registry import V2_1, V3_0, BlockCipherMode, ObjectType, PaddingMethod, ResultReason, Tag
from tests.expect import raw_key, revoke
from tests.kms import ALICE, BOB, TestKms, attribute, template
from tests.safeguards import lay_down
from tests.unit.engine.test_access import rule, with_rules
from tests.unit.engine.test_deletion_window import files, restore
from tests.unit.engine.test_later import FAILED, SUCCESS, do_all, poll, send

R = ResultReason


def encrypted(kms: TestKms, key: UniqueIdentifier) -> DecryptRequest:
    """Return the request that decrypts what the key has encrypted."""
    kms.call(ActivateRequest(unique_identifier=key))
    how = CryptographicParameters(
        block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5, random_iv=True
    )
    answer = kms.call(
        EncryptRequest(unique_identifier=key, data=SecretBytes(b"x"), cryptographic_parameters=how)
    )
    return DecryptRequest(
        unique_identifier=key,
        data=answer.data,
        iv_counter_nonce=answer.iv_counter_nonce,
        cryptographic_parameters=how,
    )


GIVING: list[Callable[[TestKms, UniqueIdentifier], Request[Any]]] = [
    lambda _, key: GetRequest(unique_identifier=key),
    lambda _, key: ExportRequest(unique_identifier=key),
]


def import_over(key: UniqueIdentifier) -> ImportRequest:
    return ImportRequest(
        unique_identifier=key,
        object_type=ObjectType.SYMMETRIC_KEY,
        replace_existing=True,
        attributes=template(),
        managed_object=raw_key(),
    )


ENDS: list[tuple[Callable[[UniqueIdentifier], Request[Any]], ResultReason]] = [
    (lambda key: DestroyRequest(unique_identifier=key), R.OBJECT_DESTROYED),
    (lambda key: ObliterateRequest(unique_identifier=key), R.OBJECT_NOT_FOUND),
    (import_over, R.OBJECT_DESTROYED),
]


def new_key(kms: TestKms) -> UniqueIdentifier:
    return kms.create_symmetric_key()


def kept(kms: TestKms, client: ClientIdentity = ALICE) -> int:
    """Return how many bytes of answers are in the store."""
    return sum(
        one.value.answered
        for one in kms.run(kms.repository.entries_of(WaitingBatch, client.tenant, client.client))
    )


def noted(kms: TestKms) -> int:
    far = kms.clock.now() + timedelta(days=99)
    return len(kms.run(kms.repository.due_entries(KeptAnswer, far, 100)))


@pytest.mark.parametrize("request_", GIVING, ids=["Get", "Export"])
@pytest.mark.parametrize(("end", "reason"), ENDS, ids=["Destroy", "Obliterate", "Import"])
def test_what_ends_an_object_takes_the_answers_with_its_material_away(
    kms: TestKms,
    request_: Callable[[TestKms, UniqueIdentifier], Request[Any]],
    end: Callable[[UniqueIdentifier], Request[Any]],
    reason: ResultReason,
) -> None:
    key = new_key(kms)
    (value,) = send(kms, request_(kms, key))
    do_all(kms)
    assert kept(kms)
    kms.call(end(key), version=V3_0)
    assert not kept(kms)
    answer = poll(kms, value)
    assert (answer.result_status, answer.result_reason, answer.response_payload) == (FAILED, reason, None)


def test_what_a_key_has_opened_goes_with_it(kms: TestKms) -> None:
    key = new_key(kms)
    (value,) = send(kms, encrypted(kms, key))
    do_all(kms)
    kms.call(revoke(key))
    kms.call(ObliterateRequest(unique_identifier=key), version=V3_0)
    assert not kept(kms)
    assert poll(kms, value).result_reason is R.OBJECT_NOT_FOUND


def test_the_files_of_the_database_keep_no_byte_of_an_answer_that_was_taken_away(kms: TestKms) -> None:
    key = new_key(kms)
    send(kms, GetRequest(unique_identifier=key))
    do_all(kms)
    with sqlite3.connect(kms.directory / "strongroom.db") as reader:
        (sealed,) = reader.execute("SELECT sealed FROM entries WHERE kind = 1").fetchone()
    reader.close()
    assert sealed in files(kms)
    kms.call(ObliterateRequest(unique_identifier=key), version=V3_0)
    kms.run(kms.dispatcher.transactions.guard.tidy(kms.clock.now()))
    assert sealed not in files(kms)


def test_what_is_restored_is_asked_for_again(kms: TestKms) -> None:
    lay_down(kms, window=timedelta(days=7))
    key = new_key(kms)
    (value,) = send(kms, GetRequest(unique_identifier=key))
    do_all(kms)
    kms.call(DestroyRequest(unique_identifier=key))
    assert poll(kms, value).result_reason is R.OBJECT_DESTROYED
    restore(kms, key)
    assert poll(kms, value).result_reason is R.OBJECT_DESTROYED
    kms.call(GetRequest(unique_identifier=key))


def test_who_may_not_have_it_any_more_is_not_given_it(kms: TestKms) -> None:
    key = new_key(kms)
    allowed = kms.clients[BOB.client] = with_rules(BOB, rule(Permission.GET))
    (value,) = send(kms, GetRequest(unique_identifier=key), caller=allowed)
    do_all(kms)
    assert poll(kms, value, caller=BOB).result_reason is R.OBJECT_NOT_FOUND
    assert poll(kms, value, caller=allowed).result_status is SUCCESS


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (attribute(Tag.SENSITIVE, value=True), R.SENSITIVE),
        (attribute(Tag.EXTRACTABLE, value=False), R.NOT_EXTRACTABLE),
    ],
    ids=["Sensitive", "Extractable"],
)
def test_what_may_not_leave_the_server_any_more_is_not_given(
    kms: TestKms, now: AttributeInstance, reason: ResultReason
) -> None:
    key = new_key(kms)
    (value,) = send(kms, GetRequest(unique_identifier=key))
    do_all(kms)
    kms.call(ModifyAttributeRequest(unique_identifier=key, new_attribute=now), version=V2_1)
    assert poll(kms, value).result_reason is reason


def test_what_was_archived_is_fetched_when_it_is_back(kms: TestKms) -> None:
    key = new_key(kms)
    (value,) = send(kms, GetRequest(unique_identifier=key))
    do_all(kms)
    kms.call(ArchiveRequest(unique_identifier=key))
    assert poll(kms, value).result_reason is R.OBJECT_ARCHIVED
    kms.call(RecoverRequest(unique_identifier=key))
    assert poll(kms, value).result_status is SUCCESS


def test_an_answer_without_secrets_outlives_its_object(kms: TestKms) -> None:
    key = new_key(kms)
    (value,) = send(kms, GetAttributesRequest(unique_identifier=key))
    do_all(kms)
    kms.call(DestroyRequest(unique_identifier=key))
    assert poll(kms, value).result_status is SUCCESS


def test_what_one_request_asks_for_before_it_destroys_is_given(kms: TestKms) -> None:
    key = new_key(kms)
    values = send(kms, GetRequest(unique_identifier=key), DestroyRequest(unique_identifier=key))
    do_all(kms)
    assert [poll(kms, value).result_status for value in values] == [SUCCESS, SUCCESS]


def test_answers_that_were_taken_away_are_none_of_those_that_a_client_may_have(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "MOST", 1)
    key = new_key(kms)
    send(kms, GetRequest(unique_identifier=key))
    do_all(kms)
    kms.call(DestroyRequest(unique_identifier=key))
    send(kms, GetRequest(unique_identifier=key))


def test_answers_that_were_taken_away_are_kept_up_to_a_limit(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks what waits has them all in memory. The newest stay."""
    monkeypatch.setattr(backlog, "MOST", 2)
    values = []
    for _ in range(5):
        key = new_key(kms)
        values += send(kms, GetRequest(unique_identifier=key))
        do_all(kms)
        kms.call(DestroyRequest(unique_identifier=key))
    waiting = kms.run(kms.repository.entries_of(WaitingBatch, ALICE.tenant, ALICE.client))
    assert len(waiting) == 3  # the limit, and what was taken away since
    assert poll(kms, values[0]).result_reason is R.INVALID_ASYNCHRONOUS_CORRELATION_VALUE
    assert poll(kms, values[-1]).result_reason is R.OBJECT_DESTROYED


def test_nothing_is_noted_of_answers_that_were_fetched_or_forgotten(kms: TestKms) -> None:
    key = new_key(kms)
    fetched, _ = send(kms, GetRequest(unique_identifier=key), GetRequest(unique_identifier=key))
    do_all(kms)
    assert noted(kms) == 2
    assert poll(kms, fetched).result_status is SUCCESS
    assert noted(kms) == 1
    kms.clock.pass_time(seconds=(backlog.RETENTION + timedelta(seconds=1)).total_seconds())
    kms.run(kms.dispatcher.transactions.backlog.tidy(kms.clock.now()))
    assert not noted(kms)


def test_a_damaged_answer_keeps_no_object_alive(kms: TestKms) -> None:
    key = new_key(kms)
    (value,) = send(kms, GetRequest(unique_identifier=key))
    do_all(kms)
    with sqlite3.connect(kms.directory / "strongroom.db") as editor:
        editor.execute("UPDATE entries SET sealed = zeroblob(40) WHERE kind = 73")
    editor.close()
    kms.call(DestroyRequest(unique_identifier=key))
    answer = poll(kms, value)
    assert (answer.result_status, answer.response_payload) == (FAILED, None)
