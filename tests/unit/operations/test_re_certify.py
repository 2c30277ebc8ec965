"""Re-certify: the same key, a new certificate, and what moves from the old one to the new."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.certify import CertifyRequest
from strongroom.operations.get import GetRequest, GetResponse
from strongroom.operations.re_certify import ReCertifyRequest
from strongroom.registry import (
    V1_0,
    V2_0,
    V2_1,
    V3_0,
    VERSIONS,
    CertificateRequestType,
    CertificateType,
    LinkType,
    ObjectType,
    ResultReason,
    State,
    Tag,
    Version,
)
from tests.certificates import (
    KEY,
    USE,
    Authority,
    authority,
    csr,
    issued_by,
    leaf,
    load,
    name_of,
    pair,
    request_object,
    self_signed,
    subject,
)
from tests.expect import (
    MISSING,
    assert_refused,
    key,
    named,
    refusal,
    registration,
    revoke,
    state_of,
    value,
    values,
)
from tests.kms import BOB, TestKms, attribute, template

DENIED = ResultReason.PERMISSION_DENIED
FIELD = ResultReason.INVALID_FIELD


@pytest.fixture
def root(kms: TestKms) -> Authority:
    return authority(kms)


def renewed(kms: TestKms, old: UniqueIdentifier, version: Version = V2_1, **fields: Any) -> UniqueIdentifier:
    request = ReCertifyRequest(unique_identifier=old, **fields)
    return kms.call(request, version=version).unique_identifier


def links(kms: TestKms, identifier: str) -> set[tuple[LinkType, str]]:
    return {(ln.link_type, ln.linked_object_identifier) for ln in values(kms, identifier, Tag.LINK)}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_certificate_is_renewed_in_every_version(kms: TestKms, root: Authority, version: Version) -> None:
    old = leaf(kms, root)
    kms.clock.pass_time(days=5)
    new = renewed(kms, old, version)
    before, after = load(kms, old), load(kms, new)
    assert after.public_key() == before.public_key()
    assert after.subject == before.subject
    assert after.serial_number != before.serial_number
    assert after.not_valid_before_utc == kms.clock.now()
    after.verify_directly_issued_by(load(kms, root.certificate))


def test_links_are_those_of_the_text(kms: TestKms, root: Authority) -> None:
    """KMIP 2.1 §6.1.45: Replacement, Replaced, and the public key's Certificate Link is changed."""
    keys = pair(kms)
    request = CertifyRequest(unique_identifier=keys.public, attributes=template(issued_by(root)))
    other, old = (kms.call(request).unique_identifier for _ in range(2))
    new = renewed(kms, old)
    assert (LinkType.REPLACEMENT_OBJECT_LINK, new) in links(kms, old)
    assert links(kms, new) == {
        (LinkType.REPLACED_OBJECT_LINK, old),
        (LinkType.PUBLIC_KEY_LINK, keys.public),
        (LinkType.CERTIFICATE_LINK, root.certificate),
    }
    assert links(kms, keys.public) == {
        (LinkType.PRIVATE_KEY_LINK, keys.private),
        (LinkType.CERTIFICATE_LINK, other),
        (LinkType.CERTIFICATE_LINK, new),
    }


def test_the_length_is_that_of_the_new_certificate(kms: TestKms, root: Authority) -> None:
    longer = template(subject("a name that is longer than the one before"), issued_by(root))
    new = renewed(kms, leaf(kms, root), attributes=longer)
    assert value(kms, new, Tag.CERTIFICATE_LENGTH) == len(load(kms, new).public_bytes(Encoding.DER))


def test_names_move_and_what_the_old_certificate_went_through_stays(kms: TestKms, root: Authority) -> None:
    """KMIP 2.1 table 299."""
    old = leaf(kms, root, named("web"))
    kms.call(ActivateRequest(unique_identifier=old))
    kms.call(revoke(old))
    kms.clock.pass_time(hours=1)
    new = renewed(kms, old)
    assert [n.name_value for n in values(kms, new, Tag.NAME)] == ["web"]
    assert values(kms, old, Tag.NAME) == []
    for tag in (
        Tag.REVOCATION_REASON,
        Tag.DESTROY_DATE,
        Tag.ORIGINAL_CREATION_DATE,
        Tag.RANDOM_NUMBER_GENERATOR,
    ):
        assert values(kms, new, tag) == []
    assert value(kms, new, Tag.INITIAL_DATE) == kms.clock.now()
    assert value(kms, new, Tag.LAST_CHANGE_DATE) == kms.clock.now()
    assert value(kms, new, Tag.DIGEST) != value(kms, old, Tag.DIGEST)
    assert value(kms, new, Tag.CERTIFICATE_LENGTH) is not None
    assert value(kms, new, Tag.X_509_CERTIFICATE_IDENTIFIER) != value(
        kms, old, Tag.X_509_CERTIFICATE_IDENTIFIER
    )
    assert len(values(kms, new, Tag.CERTIFICATE_SUBJECT_CN)) == 1


def test_without_offset_the_dates_are_copied(kms: TestKms, root: Authority) -> None:
    start, end = kms.clock.now(), kms.clock.now() + timedelta(days=60)
    old = leaf(kms, root, attribute(Tag.ACTIVATION_DATE, start), attribute(Tag.DEACTIVATION_DATE, end))
    kms.clock.pass_time(days=10)
    new = renewed(kms, old)
    assert (value(kms, new, Tag.ACTIVATION_DATE), value(kms, new, Tag.DEACTIVATION_DATE)) == (start, end)
    assert state_of(kms, new) is State.ACTIVE
    assert load(kms, new).not_valid_before_utc == kms.clock.now()
    assert load(kms, new).not_valid_after_utc == end


def test_an_offset_moves_the_dates(kms: TestKms, root: Authority) -> None:
    """KMIP 2.1 table 298."""
    start, end = kms.clock.now(), kms.clock.now() + timedelta(days=60)
    old = leaf(kms, root, attribute(Tag.ACTIVATION_DATE, start), attribute(Tag.DEACTIVATION_DATE, end))
    kms.clock.pass_time(days=50)
    new = renewed(kms, old, offset=86400)
    activation = kms.clock.now() + timedelta(days=1)
    assert value(kms, new, Tag.ACTIVATION_DATE) == activation
    assert value(kms, new, Tag.DEACTIVATION_DATE) == activation + timedelta(days=60)
    certificate = load(kms, new)
    assert certificate.not_valid_before_utc == activation
    assert certificate.not_valid_after_utc == activation + timedelta(days=60)
    assert state_of(kms, new) is State.PRE_ACTIVE


def test_an_offset_beside_dates_is_an_invalid_message(kms: TestKms, root: Authority) -> None:
    request = ReCertifyRequest(
        unique_identifier=leaf(kms, root),
        offset=0,  # type: ignore[arg-type]
        attributes=template(attribute(Tag.ACTIVATION_DATE, kms.clock.now())),
    )
    assert_refused(kms, request, ResultReason.INVALID_MESSAGE, ResultReason.INVALID_MESSAGE)


def test_an_offset_from_a_missing_activation_date_is_refused(kms: TestKms, root: Authority) -> None:
    end = kms.clock.now() + timedelta(days=60)
    old = leaf(kms, root, attribute(Tag.DEACTIVATION_DATE, end))
    assert_refused(kms, ReCertifyRequest(unique_identifier=old, offset=0), FIELD, FIELD)  # type: ignore[arg-type]


def test_extensions_are_those_of_the_old_certificate(kms: TestKms, root: Authority) -> None:
    below = authority(kms, "Below", below=root)
    before, after = load(kms, below.certificate), load(kms, renewed(kms, below.certificate))
    for kind in (
        x509.BasicConstraints,
        x509.KeyUsage,
        x509.SubjectKeyIdentifier,
        x509.AuthorityKeyIdentifier,
    ):
        assert before.extensions.get_extension_for_class(kind) == after.extensions.get_extension_for_class(
            kind
        )


def test_a_root_renews_itself(kms: TestKms, root: Authority) -> None:
    certificate = load(kms, renewed(kms, root.certificate))
    certificate.verify_directly_issued_by(certificate)
    assert certificate.subject == name_of("Root")


def test_a_certificate_from_outside_is_renewed_by_the_issuer_that_is_named(
    kms: TestKms, root: Authority
) -> None:
    """It has no Public Key object; the key is the one in the certificate."""
    bought = self_signed("bought", ca=False, issuer=("elsewhere", ec.generate_private_key(ec.SECP256R1())))
    old = kms.call(registration(ObjectType.CERTIFICATE, bought)).unique_identifier
    assert_refused(kms, ReCertifyRequest(unique_identifier=old), DENIED, DENIED)
    new = load(kms, renewed(kms, old, attributes=template(issued_by(root))))
    assert new.issuer == name_of("Root")
    assert new.public_key() == KEY.public_key()


def test_a_request_renews_with_another_subject(kms: TestKms, root: Authority) -> None:
    certified = CertifyRequest(
        certificate_request_type=CertificateRequestType.PKCS_10,
        certificate_request_value=csr(),
        attributes=template(issued_by(root)),
    )
    old = kms.call(certified, version=V2_1).unique_identifier
    by_value = {
        "certificate_request_type": CertificateRequestType.PKCS_10,
        "certificate_request": csr(common_name="newer"),
        "certificate_request_value": csr(common_name="newer"),
    }
    assert load(kms, renewed(kms, old, V1_0, **by_value)).subject == name_of("newer")
    stored = kms.call(request_object(csr(common_name="stored")), version=V2_0).unique_identifier
    by_object = renewed(kms, old, V2_0, certificate_request_unique_identifier=stored)
    assert load(kms, by_object).subject == name_of("stored")
    assert load(kms, renewed(kms, old, attributes=template(subject("attribute")))).subject == name_of(
        "attribute"
    )


def test_the_new_certificate_is_linked_to_the_request_that_it_was_made_from(
    kms: TestKms, root: Authority
) -> None:
    first, second = (kms.call(request_object(csr()), version=V2_1).unique_identifier for _ in range(2))
    certified = CertifyRequest(unique_identifier=first, attributes=template(issued_by(root)))
    made = kms.call(certified, version=V2_1).unique_identifier
    by_value = {
        "certificate_request_type": CertificateRequestType.PKCS_10,
        "certificate_request_value": csr(),
    }
    expected: tuple[tuple[dict[str, Any], UniqueIdentifier | None], ...] = (
        ({}, first),
        ({"certificate_request_unique_identifier": second}, second),
        (by_value, None),
    )
    for given, request in expected:
        made = renewed(kms, made, **given)
        assert value(kms, made, Tag.CERTIFICATE_REQUEST_LINK, version=V3_0) == request


def test_a_request_of_another_key_is_refused(kms: TestKms, root: Authority) -> None:
    """KMIP 2.1 §6.1.45: renewed for the same key pair."""
    request = ReCertifyRequest(
        unique_identifier=leaf(kms, root),
        certificate_request_type=CertificateRequestType.PKCS_10,
        certificate_request=csr(),
        certificate_request_value=csr(),
    )
    assert_refused(kms, request, FIELD, ResultReason.INVALID_CSR)


def test_the_new_certificate_is_the_id_placeholder_of_what_follows(kms: TestKms, root: Authority) -> None:
    old = leaf(kms, root)
    _, got = kms.batch(ReCertifyRequest(unique_identifier=old), GetRequest())
    assert isinstance(got, GetResponse)
    assert (LinkType.REPLACEMENT_OBJECT_LINK, got.unique_identifier) in links(kms, old)


def test_only_certificates_are_renewed(kms: TestKms, root: Authority) -> None:
    for identifier in (key(kms), root.public, root.private):
        request = ReCertifyRequest(unique_identifier=identifier)
        assert_refused(kms, request, DENIED, ResultReason.INVALID_OBJECT_TYPE)


def test_an_unknown_certificate_and_another_clients_are_not_found(kms: TestKms, root: Authority) -> None:
    item, gone = ResultReason.ITEM_NOT_FOUND, ResultReason.OBJECT_NOT_FOUND
    assert_refused(kms, ReCertifyRequest(unique_identifier=MISSING), item, gone)
    assert_refused(kms, ReCertifyRequest(unique_identifier=root.certificate), item, gone, caller=BOB)


def test_an_archived_certificate_is_not_renewed(kms: TestKms, root: Authority) -> None:
    old = leaf(kms, root)
    kms.call(ArchiveRequest(unique_identifier=old))
    reason = ResultReason.OBJECT_ARCHIVED
    assert_refused(kms, ReCertifyRequest(unique_identifier=old), reason, reason)


def test_a_retired_issuer_renews_nothing(kms: TestKms, root: Authority) -> None:
    old = leaf(kms, root)
    kms.call(revoke(root.certificate))
    assert_refused(kms, ReCertifyRequest(unique_identifier=old), DENIED, DENIED)


def test_pgp_certificates_are_not_renewed(kms: TestKms, root: Authority) -> None:
    wanted = attribute(Tag.CERTIFICATE_TYPE, CertificateType.PGP)
    request = ReCertifyRequest(unique_identifier=leaf(kms, root), attributes=template(wanted))
    assert refusal(kms, request, version=V2_1).reason is ResultReason.FEATURE_NOT_SUPPORTED


def test_a_key_that_may_not_sign_renews_nothing(kms: TestKms) -> None:
    own = pair(kms, usage=USE.SIGN)
    old = kms.call(CertifyRequest(unique_identifier=own.public)).unique_identifier
    kms.call(revoke(own.private))
    assert_refused(kms, ReCertifyRequest(unique_identifier=old), DENIED, DENIED)
