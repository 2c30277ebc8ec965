"""What a certificate says beside names and dates (RFC 5280 §4.2): decided here, and nowhere else.

Rule: of a request, alternative names, Key Usage and Extended Key Usage are copied; what makes an authority is
granted, never copied. An unknown extension that a request calls critical is refused, any other left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey, MLKEM1024PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.x448 import X448PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from strongroom.crypto.certificates.names import MAXIMUM_NAMES
from strongroom.domain.errors import InvalidCSR, PermissionDenied
from strongroom.registry import CryptographicUsageMask as Mask

E = TypeVar("E", bound=x509.ExtensionType)

_USAGES: Final[Mapping[str, Mask]] = {
    "digital_signature": Mask.SIGN | Mask.VERIFY,
    "content_commitment": Mask.CONTENT_COMMITMENT_NON_REPUDIATION,
    "key_encipherment": Mask.WRAP_KEY | Mask.UNWRAP_KEY,
    "data_encipherment": Mask.ENCRYPT | Mask.DECRYPT,
    "key_agreement": Mask.KEY_AGREEMENT,
    "key_cert_sign": Mask.CERTIFICATE_SIGN,
    "crl_sign": Mask.CRL_SIGN,
}
"""Bits of Key Usage (RFC 5280 §4.2.1.3) and the Cryptographic Usage Mask bits that ask for them."""

_OF_PUBLIC_KEYS: Final[Mapping[str, Mask]] = {
    "digital_signature": Mask.VERIFY,
    "content_commitment": Mask.CONTENT_COMMITMENT_NON_REPUDIATION,
    "key_encipherment": Mask.WRAP_KEY,
    "data_encipherment": Mask.ENCRYPT,
    "key_agreement": Mask.KEY_AGREEMENT,
    "key_cert_sign": Mask.CERTIFICATE_SIGN,
    "crl_sign": Mask.CRL_SIGN,
}
"""The bit that a certificate's own mask gets for each."""

_AUTHORITY: Final = frozenset({"key_cert_sign", "crl_sign"})
_SIGNING: Final = _AUTHORITY | {"digital_signature", "content_commitment"}

_COPIED: Final = (
    x509.SubjectAlternativeName,
    x509.KeyUsage,
    x509.ExtendedKeyUsage,
    x509.BasicConstraints,
    x509.SubjectKeyIdentifier,
)
"""What is understood of a request; its key identifier is worked out anew."""

_COPIED_NAMES: Final = (x509.DNSName, x509.RFC822Name, x509.IPAddress, x509.UniformResourceIdentifier)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What a certificate is for. `path_length` counts only for an authority; None has no limit."""

    usages: frozenset[str]
    extended: Sequence[x509.ObjectIdentifier] = ()
    authority: bool = False
    path_length: int | None = None

    @property
    def mask(self) -> Mask:
        """Return the Cryptographic Usage Mask that says the same."""
        mask = Mask(0)
        for usage in self.usages:
            mask |= _OF_PUBLIC_KEYS[usage]
        return mask


def find(extensions: x509.Extensions, kind: type[E]) -> E | None:
    """Return an extension, None when there is none of the kind."""
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def purpose(
    key: CertificatePublicKeyTypes,
    *,
    requested: x509.Extensions | None,
    mask: Mask | None,
    previous: x509.Extensions | None,
    issuer: x509.Extensions | None,
) -> Purpose:
    """Return what the certificate is for.

    Raises InvalidCSR for a request that wants to be an authority when nothing else says so, PermissionDenied
    when the issuer may not have authorities below it.
    """
    usages = _named_by(requested)
    if not usages and mask is not None:
        usages = frozenset(name for name, bits in _USAGES.items() if int.__and__(mask, bits))
    if not usages:
        usages = _named_by(previous)
    granted = bool(mask is not None and int.__and__(mask, Mask.CERTIFICATE_SIGN)) or _is_authority(previous)
    able, usual = _abilities(key)
    if granted and not able >= _AUTHORITY:
        raise PermissionDenied("a key of this kind cannot sign, so it cannot be that of an authority")
    if granted:
        usages |= _AUTHORITY
    elif _is_authority(requested) or "key_cert_sign" in usages:
        raise InvalidCSR(
            "the request is for a certification authority; say so with Certificate Sign in the Cryptographic"
            " Usage Mask of the request's attributes"
        )
    extended = _extended(requested) or _extended(previous)
    return Purpose(
        usages=(usages & able) or usual,
        extended=extended,
        authority=granted,
        path_length=_remaining(issuer) if granted else None,
    )


def alternative_names(requested: x509.Extensions | None) -> list[x509.GeneralName]:
    """Return the names that a request wants beside its subject; raises InvalidCSR for kinds not copied."""
    wanted = None if requested is None else find(requested, x509.SubjectAlternativeName)
    names = [] if wanted is None else list(wanted)
    if len(names) > MAXIMUM_NAMES:
        raise InvalidCSR(f"a certificate has at most {MAXIMUM_NAMES} alternative names here")
    if not all(isinstance(name, _COPIED_NAMES) for name in names):
        raise InvalidCSR("of alternative names, only e-mail, DNS and IP addresses and URIs are certified")
    return names


def check_requested(requested: x509.Extensions) -> None:
    """Raise InvalidCSR for a critical extension that is not understood."""
    for extension in requested:
        if extension.critical and not isinstance(extension.value, _COPIED):
            raise InvalidCSR(f"the critical extension {extension.oid.dotted_string} cannot be certified")


def extensions(
    key: CertificatePublicKeyTypes,
    made_for: Purpose,
    *,
    names: Sequence[x509.GeneralName],
    nameless: bool,
    issuer_key: CertificatePublicKeyTypes,
    issuer: x509.Extensions | None,
) -> Iterator[tuple[x509.ExtensionType, bool]]:
    """Yield the extensions of a certificate, each with whether it is critical."""
    yield x509.BasicConstraints(ca=made_for.authority, path_length=made_for.path_length), True
    wanted = {name: name in made_for.usages for name in _USAGES}
    yield x509.KeyUsage(**wanted, encipher_only=False, decipher_only=False), True
    if made_for.extended:
        yield x509.ExtendedKeyUsage(made_for.extended), False
    yield x509.SubjectKeyIdentifier.from_public_key(key), False
    identifier = None if issuer is None else find(issuer, x509.SubjectKeyIdentifier)
    if identifier is None:
        # A key that signs nothing is certified by somebody else, so an issuer's key is always one that signs.
        yield x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), False  # type: ignore[arg-type]
    else:
        yield x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False
    if names:
        yield x509.SubjectAlternativeName(names), nameless


def _named_by(extensions: x509.Extensions | None) -> frozenset[str]:
    usage = None if extensions is None else find(extensions, x509.KeyUsage)
    return frozenset() if usage is None else frozenset(name for name in _USAGES if getattr(usage, name))


def _is_authority(extensions: x509.Extensions | None) -> bool:
    constraints = None if extensions is None else find(extensions, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def _extended(extensions: x509.Extensions | None) -> list[x509.ObjectIdentifier]:
    usage = None if extensions is None else find(extensions, x509.ExtendedKeyUsage)
    return [] if usage is None else list(usage)


def _remaining(issuer: x509.Extensions | None) -> int | None:
    """Return the path length of an authority below the issuer."""
    constraints = None if issuer is None else find(issuer, x509.BasicConstraints)
    if constraints is None or constraints.path_length is None:
        return None
    if constraints.path_length == 0:
        raise PermissionDenied("the issuing certificate allows no authorities below it (path length 0)")
    return constraints.path_length - 1


def _abilities(key: CertificatePublicKeyTypes) -> tuple[frozenset[str], frozenset[str]]:
    """Return what a kind of key can be used for, and what it usually is (RFC 8410, 8813, 9881, 9935)."""
    match key:
        case RSAPublicKey():
            return frozenset(_USAGES) - {"key_agreement"}, frozenset(
                {"digital_signature", "key_encipherment"}
            )
        case EllipticCurvePublicKey():
            return _SIGNING | {"key_agreement"}, frozenset({"digital_signature"})
        case X25519PublicKey() | X448PublicKey():
            return frozenset({"key_agreement"}), frozenset({"key_agreement"})
        case MLKEM768PublicKey() | MLKEM1024PublicKey():
            return frozenset({"key_encipherment"}), frozenset({"key_encipherment"})
        case _:
            return _SIGNING, frozenset({"digital_signature"})
