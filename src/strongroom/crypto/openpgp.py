"""PGP keys and PGP certificates (KMIP 1.4 §2.2.9 and §3.13-3.16, 2.1 §2.4).

Rule: they are read by pysequoia where that is installed (the extra `pgp`), in a process of its own, which can
be stopped (`openpgp_reader.py`); without it they are kept as they came. Nothing is changed or used: the
specification wants the material treated as opaque.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from strongroom.crypto.certificates.names import check_alternative_names
from strongroom.crypto.programs import NoAnswer, answer_of
from strongroom.domain.errors import InvalidField
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.structures import CertificateIdentifier, CertificateSubject
from strongroom.registry import DigitalSignatureAlgorithm as Signature
from strongroom.registry import Tag

INSTALLED: Final = find_spec("pysequoia") is not None

_READER: Final = Path(__file__).with_name("openpgp_reader.py")

_PATIENCE: Final = 20
"""Seconds until a reader that gets no processor time is given up."""

MAXIMUM: Final = 1024 * 1024
"""Bytes of the longest key that is read; one with many signatures of others has some hundred KiB."""

_FINGERPRINTS: Final[Mapping[int, int]] = {4: 40, 6: 64}
"""Hexadecimal digits of a fingerprint, by the versions of keys that the library reads."""

_SIGNATURES: Final[Mapping[tuple[str, str], Signature]] = {
    ("RSA", "MD5"): Signature.MD5_WITH_RSA_ENCRYPTION,
    ("RSA", "SHA1"): Signature.SHA_1_WITH_RSA_ENCRYPTION,
    ("RSA", "SHA224"): Signature.SHA_224_WITH_RSA_ENCRYPTION,
    ("RSA", "SHA256"): Signature.SHA_256_WITH_RSA_ENCRYPTION,
    ("RSA", "SHA384"): Signature.SHA_384_WITH_RSA_ENCRYPTION,
    ("RSA", "SHA512"): Signature.SHA_512_WITH_RSA_ENCRYPTION,
    ("RSA", "SHA3_256"): Signature.SHA3_256_WITH_RSA_ENCRYPTION,
    ("RSA", "SHA3_512"): Signature.SHA3_512_WITH_RSA_ENCRYPTION,
    ("DSA", "SHA1"): Signature.DSA_WITH_SHA_1,
    ("DSA", "SHA224"): Signature.DSA_WITH_SHA224,
    ("DSA", "SHA256"): Signature.DSA_WITH_SHA256,
    ("ECDSA", "SHA1"): Signature.ECDSA_WITH_SHA_1,
    ("ECDSA", "SHA224"): Signature.ECDSA_WITH_SHA224,
    ("ECDSA", "SHA256"): Signature.ECDSA_WITH_SHA256,
    ("ECDSA", "SHA384"): Signature.ECDSA_WITH_SHA384,
    ("ECDSA", "SHA512"): Signature.ECDSA_WITH_SHA512,
}
"""Key and hash, as the library calls them, that KMIP has one name for; others have no such attribute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    fingerprint: str
    user_ids: Sequence[str]
    issuers: Sequence[str]
    signatures: Sequence[Signature]


def examine_pgp_key(data: bytes, version: int) -> tuple[AttributeInstance, ...]:
    """Return the attributes of a PGP Key, binary or ASCII-armored; slow.

    Raises InvalidField for what is no such key. Versions that the library does not read (3) are let through.
    """
    if not INSTALLED or version not in _FINGERPRINTS:
        return ()
    found = _read(data)
    if len(found.fingerprint) != _FINGERPRINTS[version]:
        raise InvalidField("the PGP Key Version is not that of the key")
    return _signed_with(found)


def examine_pgp_certificate(data: bytes) -> tuple[AttributeInstance, ...]:
    """Return the attributes of a PGP certificate; slow.

    Raises InvalidField for what is none, ServerLimitExceeded for one with too many names.
    """
    if not INSTALLED:
        return ()
    found = _read(data)
    attributes = _signed_with(found)
    check_alternative_names(len(found.user_ids))
    if found.user_ids:
        # SPEC(KMIP 1.4 §3.14): the content of the first User ID packet.
        subject = CertificateSubject(
            certificate_subject_distinguished_name=found.user_ids[0],
            certificate_subject_alternative_name=tuple(found.user_ids[1:]),
        )
        attributes += (AttributeInstance(Tag.CERTIFICATE_SUBJECT, subject),)
    if found.issuers:
        # SPEC(KMIP 1.4 §3.13): the Key ID of the key issuing the signature; there is no serial number.
        identifier = CertificateIdentifier(issuer=found.issuers[0].upper())
        attributes += (AttributeInstance(Tag.CERTIFICATE_IDENTIFIER, identifier),)
    return attributes


def _signed_with(found: _Read) -> tuple[AttributeInstance, ...]:
    return tuple(AttributeInstance(Tag.DIGITAL_SIGNATURE_ALGORITHM, s) for s in found.signatures)


def _read(data: bytes) -> _Read:
    """Return what the first key tells; raises InvalidField for data that hold none."""
    if len(data) > MAXIMUM:
        raise InvalidField(f"the PGP material has {len(data)} bytes; at most {MAXIMUM} are read")
    try:
        read = answer_of(_READER, data, patience=_PATIENCE)
    except NoAnswer:
        raise InvalidField(
            "the PGP material cannot be read, or not in a reasonable time; send a binary or ASCII-armored key"
            " without signatures that nobody needs"
        ) from None
    found = json.loads(read)
    kind = "RSA" if found["algorithm"].startswith("RSA") else found["algorithm"]
    made = (_SIGNATURES.get((kind, hashing)) for hashing in found["hashes"])
    return _Read(
        fingerprint=found["fingerprint"],
        user_ids=found["user_ids"],
        issuers=found["issuers"],
        signatures=tuple(dict.fromkeys(s for s in made if s is not None)),
    )
