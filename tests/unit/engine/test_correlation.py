"""Correlation values (KMIP 1.4 §6.18-6.19)."""

import os
import sqlite3
from typing import Any

import pytest

from strongroom.engine.correlation import LENGTH, Correlation, CorrelationValues
from strongroom.operations.get import GetRequest
from strongroom.registry import V1_3, V1_4, VERSIONS, ResultReason, Tag, Version
from strongroom.wire.item import Item
from tests.expect import MISSING, key
from tests.kms import TestKms, request_message


def header(answer: Item) -> dict[int, Any]:
    return {tag: value for tag, _, value in answer[2][0][2]}


def ask(kms: TestKms, version: Version = V1_4, **fields: Any) -> Item:
    return kms.send(request_message(GetRequest(unique_identifier=MISSING), version=version, **fields))


def refusals(kms: TestKms, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    events: list[Any] = []
    monkeypatch.setattr(kms.dispatcher._failures, "_on_event", events.append)
    return events


@pytest.mark.parametrize("version", [v for v in VERSIONS if v >= V1_4], ids=str)
def test_a_request_with_a_name_gets_ours_too(kms: TestKms, version: Version) -> None:
    given = header(ask(kms, version, client_correlation_value="step 1"))
    assert given[Tag.CLIENT_CORRELATION_VALUE] == "step 1"
    assert len(given[Tag.SERVER_CORRELATION_VALUE]) == LENGTH


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_a_request_without_a_name_gets_none(kms: TestKms, version: Version) -> None:
    """PyKMIP up to 0.10, for one, reads no answer that has a Server Correlation Value."""
    assert Tag.SERVER_CORRELATION_VALUE not in header(ask(kms, version))


def test_1_3_has_no_correlation_values(kms: TestKms) -> None:
    given = header(ask(kms, V1_3, client_correlation_value="step 1"))
    assert not {Tag.CLIENT_CORRELATION_VALUE, Tag.SERVER_CORRELATION_VALUE} & set(given)


def test_no_two_requests_have_the_same_name(kms: TestKms) -> None:
    names = {
        header(ask(kms, client_correlation_value="the same"))[Tag.SERVER_CORRELATION_VALUE] for _ in range(20)
    }
    assert len(names) == 20


def test_a_forked_worker_draws_a_prefix_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    values = CorrelationValues()
    before = values()
    monkeypatch.setattr(os, "getpid", lambda: 1)
    after = values()
    assert before.partition("-")[0] != after.partition("-")[0]
    assert before.partition("-")[2] == after.partition("-")[2] == "00000001"


def test_a_refusal_is_logged_with_both_names(kms: TestKms, monkeypatch: pytest.MonkeyPatch) -> None:
    events = refusals(kms, monkeypatch)
    given = header(ask(kms, client_correlation_value="x" * 1000))
    ask(kms)
    assert events[0].correlation == ("x" * 256, given[Tag.SERVER_CORRELATION_VALUE])
    assert events[0].outcome == ResultReason.OBJECT_NOT_FOUND.name
    assert events[1].correlation is None


def test_a_change_is_recorded_with_both_names(kms: TestKms) -> None:
    from strongroom.operations.activate import ActivateRequest

    request = ActivateRequest(unique_identifier=key(kms))
    answer = kms.send(request_message(request, version=V1_4, client_correlation_value="step 2"))
    ours = header(answer)[Tag.SERVER_CORRELATION_VALUE]
    with sqlite3.connect(kms.directory / "strongroom.db") as database:
        dump = "\n".join(database.iterdump())
    assert b'"client_correlation":"step 2"'.hex() in dump.lower() or '"client_correlation":"step 2"' in dump
    assert ours in dump or ours.encode().hex() in dump.lower()


def test_a_client_may_give_its_request_any_name() -> None:
    assert Correlation("\x1b[2J" * 1000, "s").logged == (("\x1b[2J" * 1000)[:256], "s")
