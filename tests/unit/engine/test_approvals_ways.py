"""Every way to the same end: PKCS#11, other formats, wrappings that conceal nothing, archives."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.registry import (
    V2_1,
    V3_0,
    CryptographicUsageMask,
    KeyFormatType,
    KeyWrapType,
    ObjectType,
    ResultReason,
    WrappingMethod,
)
from tests.expect import key_pair, register_opaque, register_password, registration, stored
from tests.kms import Refused, TestKms
from tests.pkcs11 import Application
from tests.safeguards import CAROL, lay_down, only_name, people, vote, waiting
from tests.wrapping import get_wrapped, specification, wrapping_key

VALUE = 0x11
EXTRACTABLE = (0x162, True)
NOT_SENSITIVE = (0x103, False)


@pytest.fixture
def kms(tmp_path: Path) -> Iterator[TestKms]:
    kms = TestKms(tmp_path)
    people(kms)
    yield kms
    kms.close()


def refused(call: Any, *given: Any, **named: Any) -> str:
    with pytest.raises(Refused) as refusal:
        call(*given, **named)
    assert refusal.value.reason is ResultReason.PERMISSION_DENIED
    return refusal.value.message


def test_pkcs_11_destroys_an_object_only_with_approval(kms: TestKms) -> None:
    app = Application(kms)
    handle = app.aes_key()
    lay_down(kms, destroy=1)
    assert "approve" in refused(app.call, "C_DESTROYOBJECT", app.session, handle)
    (kept,) = waiting(kms)
    assert not stored(kms, kept.value.objects[0]).destroyed
    vote(kms, only_name(kms), "carol", CAROL)
    app.call("C_DESTROYOBJECT", app.session, handle)
    assert stored(kms, kept.value.objects[0]).destroyed


def test_pkcs_11_shows_the_value_of_a_key_only_with_approval(kms: TestKms) -> None:
    app = Application(kms)
    handle = app.aes_key(EXTRACTABLE, NOT_SENSITIVE)
    lay_down(kms, export=1)
    assert "approve" in refused(app.show, handle, VALUE)
    vote(kms, only_name(kms), "carol", CAROL)
    assert len(app.show(handle, VALUE)[0]) == 32
    refused(app.show, handle, VALUE)


def test_secrets_of_every_type_are_keys_here_and_public_ones_are_not(kms: TestKms) -> None:
    private, public = key_pair(kms)
    secret = [private, register_password(kms), register_opaque(kms)]
    lay_down(kms, export=1)
    for key in secret:
        refused(kms.call, GetRequest(unique_identifier=key))
    kms.call(GetRequest(unique_identifier=public))
    assert len(waiting(kms)) == len(secret)


@pytest.mark.parametrize("key_format", [KeyFormatType.PKCS_8, KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY])
def test_another_format_is_in_the_clear_too(kms: TestKms, key_format: KeyFormatType) -> None:
    private, _ = key_pair(kms)
    lay_down(kms, export=1)
    refused(kms.call, GetRequest(unique_identifier=private, key_format_type=key_format))


def test_a_wrapping_that_only_authenticates_conceals_nothing(kms: TestKms) -> None:
    key, mac = kms.create_symmetric_key(), mac_key(kms)
    lay_down(kms, export=1)
    wanted = specification(None, method=WrappingMethod.MAC_SIGN, mac_key=mac)
    refused(kms.call, GetRequest(unique_identifier=key, key_wrapping_specification=wanted), version=V2_1)


def mac_key(kms: TestKms) -> UniqueIdentifier:
    return wrapping_key(kms, usage=CryptographicUsageMask.MAC_GENERATE)


def test_a_key_that_came_wrapped_goes_out_unwrapped_only_with_approval(kms: TestKms) -> None:
    wrapper = wrapping_key(kms)
    other = kms.create_symmetric_key(length=128)
    value = get_wrapped(kms, UniqueIdentifier(other), specification(wrapper), version=V2_1)
    key = kms.call(registration(ObjectType.SYMMETRIC_KEY, value), version=V2_1).unique_identifier
    lay_down(kms, export=1)
    kms.call(GetRequest(unique_identifier=key), version=V2_1)
    refused(
        kms.call,
        GetRequest(unique_identifier=key, key_wrap_type=KeyWrapType.NOT_WRAPPED),
        version=V2_1,
    )


def test_an_archived_object_is_obliterated_only_with_approval(kms: TestKms) -> None:
    key = kms.create_symmetric_key()
    kms.call(ArchiveRequest(unique_identifier=key))
    lay_down(kms, destroy=1)
    refused(kms.call, ObliterateRequest(unique_identifier=key), version=V3_0)
