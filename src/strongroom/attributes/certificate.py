"""What a certificate says (KMIP 1.4 §3.8-3.16, 2.1 §4.6-4.8, §4.22 and §4.61-4.63).

Rule: declarations only. Type and length are computed; the rest is read from the certificate when it is
registered, so that Locate finds it without parsing.
"""

from datetime import datetime
from typing import Final

from strongroom.attributes.declaration import CERTIFICATES, CERTIFICATION, NOTHING, SERVER, attribute
from strongroom.domain.objects import ManagedObject
from strongroom.model.objects import Certificate
from strongroom.model.structures import (
    CertificateIdentifier,
    CertificateIssuer,
    CertificateSubject,
    X509CertificateIdentifier,
    X509CertificateIssuer,
    X509CertificateSubject,
)
from strongroom.registry import (
    V1_0,
    V1_1,
    V1_4,
    V3_0,
    CertificateType,
    DigitalSignatureAlgorithm,
    ItemType,
    ObjectType,
    Tag,
)

SUBJECT_PARTS: Final = (
    Tag.CERTIFICATE_SUBJECT_CN,
    Tag.CERTIFICATE_SUBJECT_O,
    Tag.CERTIFICATE_SUBJECT_OU,
    Tag.CERTIFICATE_SUBJECT_EMAIL,
    Tag.CERTIFICATE_SUBJECT_C,
    Tag.CERTIFICATE_SUBJECT_ST,
    Tag.CERTIFICATE_SUBJECT_L,
    Tag.CERTIFICATE_SUBJECT_UID,
    Tag.CERTIFICATE_SUBJECT_SERIAL_NUMBER,
    Tag.CERTIFICATE_SUBJECT_TITLE,
    Tag.CERTIFICATE_SUBJECT_DC,
    Tag.CERTIFICATE_SUBJECT_DN_QUALIFIER,
)
ISSUER_PARTS: Final = (
    Tag.CERTIFICATE_ISSUER_CN,
    Tag.CERTIFICATE_ISSUER_O,
    Tag.CERTIFICATE_ISSUER_OU,
    Tag.CERTIFICATE_ISSUER_EMAIL,
    Tag.CERTIFICATE_ISSUER_C,
    Tag.CERTIFICATE_ISSUER_ST,
    Tag.CERTIFICATE_ISSUER_L,
    Tag.CERTIFICATE_ISSUER_UID,
    Tag.CERTIFICATE_ISSUER_SERIAL_NUMBER,
    Tag.CERTIFICATE_ISSUER_TITLE,
    Tag.CERTIFICATE_ISSUER_DC,
    Tag.CERTIFICATE_ISSUER_DN_QUALIFIER,
)

CERTIFICATE_CONTENTS: Final = frozenset(
    {
        Tag.CERTIFICATE_TYPE,
        Tag.CERTIFICATE_LENGTH,
        *SUBJECT_PARTS,
        *ISSUER_PARTS,
        Tag.CERTIFICATE_SUBJECT_DN,
        Tag.CERTIFICATE_ISSUER_DN,
        Tag.DIGITAL_SIGNATURE_ALGORITHM,
        Tag.X_509_CERTIFICATE_IDENTIFIER,
        Tag.X_509_CERTIFICATE_SUBJECT,
        Tag.X_509_CERTIFICATE_ISSUER,
        Tag.CERTIFICATE_IDENTIFIER,
        Tag.CERTIFICATE_SUBJECT,
        Tag.CERTIFICATE_ISSUER,
    }
)
"""Attributes that are read from a certificate: another certificate has others."""


def _certificate_type(obj: ManagedObject, now: datetime) -> CertificateType | None:
    if isinstance(obj.material, Certificate):
        return obj.material.certificate_type
    kept: CertificateType | None = obj.value(Tag.CERTIFICATE_TYPE)  # of one that was destroyed
    return kept


def _certificate_length(obj: ManagedObject, now: datetime) -> int | None:
    if isinstance(obj.material, Certificate):
        return len(obj.material.certificate_value)
    kept: int | None = obj.value(Tag.CERTIFICATE_LENGTH)  # of one that was destroyed
    return kept


# Each declaration keeps the rows of the rule table.
# fmt: off
CERTIFICATE_TYPE = attribute(
    Tag.CERTIFICATE_TYPE, CertificateType, since=V1_0, spec="1.4 §3.8, 2.1 §4.7",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=CERTIFICATES,
    implicitly_set_by=CERTIFICATION,
    requestable=True, computed=_certificate_type,
)

CERTIFICATE_LENGTH = attribute(
    Tag.CERTIFICATE_LENGTH, int, marker=ItemType.INTEGER, since=V1_1, spec="1.4 §3.9, 2.1 §4.8",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=CERTIFICATES,
    implicitly_set_by=CERTIFICATION,
    requestable=True, computed=_certificate_length,
)

DIGITAL_SIGNATURE_ALGORITHM = attribute(
    Tag.DIGITAL_SIGNATURE_ALGORITHM, DigitalSignatureAlgorithm, since=V1_1, spec="1.4 §3.16, 2.1 §4.22",
    always_has_value=True, initially_set_by=SERVER, multiple=True,
    server_may=NOTHING, client_may=NOTHING,
    applies_to=frozenset({ObjectType.CERTIFICATE, ObjectType.PGP_KEY}),
    implicitly_set_by=CERTIFICATION,
    requestable=True,
)

X_509_CERTIFICATE_IDENTIFIER = attribute(
    Tag.X_509_CERTIFICATE_IDENTIFIER, X509CertificateIdentifier, since=V1_1, spec="1.4 §3.10, 2.1 §4.61",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=CERTIFICATES,
    implicitly_set_by=CERTIFICATION,
)

X_509_CERTIFICATE_SUBJECT = attribute(
    Tag.X_509_CERTIFICATE_SUBJECT, X509CertificateSubject, since=V1_1, spec="1.4 §3.11, 2.1 §4.63",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=CERTIFICATES,
    implicitly_set_by=CERTIFICATION,
)

X_509_CERTIFICATE_ISSUER = attribute(
    Tag.X_509_CERTIFICATE_ISSUER, X509CertificateIssuer, since=V1_1, spec="1.4 §3.12, 2.1 §4.62",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=CERTIFICATES,
    implicitly_set_by=CERTIFICATION,
)

CERTIFICATE_IDENTIFIER = attribute(
    Tag.CERTIFICATE_IDENTIFIER, CertificateIdentifier, since=V1_0, until=V1_4, spec="1.4 §3.13",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=CERTIFICATES,
    implicitly_set_by=CERTIFICATION,
)

CERTIFICATE_SUBJECT = attribute(
    Tag.CERTIFICATE_SUBJECT, CertificateSubject, since=V1_0, until=V1_4, spec="1.4 §3.14",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=CERTIFICATES,
    implicitly_set_by=CERTIFICATION,
)

CERTIFICATE_ISSUER = attribute(
    Tag.CERTIFICATE_ISSUER, CertificateIssuer, since=V1_0, until=V1_4, spec="1.4 §3.15",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=CERTIFICATES,
    implicitly_set_by=CERTIFICATION,
)

# SPEC(KMIP 2.1 §4.6): "Certificate Attributes" is the heading of these; on the wire each is an attribute.
# INTEROP(OASIS TC-CERTATTR-1 1.4): the parts are attributes from 1.4 on, which has their tags (§9.1.3.1) but
# no chapter on them.
for _part, _since in (
    *((part, V1_4) for part in SUBJECT_PARTS),
    (Tag.CERTIFICATE_SUBJECT_DN, V3_0),
    *((part, V1_4) for part in ISSUER_PARTS),
    (Tag.CERTIFICATE_ISSUER_DN, V3_0),
):
    attribute(
        _part, str, since=_since, spec="2.1 §4.6",
        always_has_value=False, initially_set_by=SERVER, multiple=True,
        server_may=NOTHING, client_may=NOTHING, applies_to=CERTIFICATES,
        implicitly_set_by=CERTIFICATION,
    )
