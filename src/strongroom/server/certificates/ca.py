"""The internal certificate authority: server and client certificates.

Rule: the authority's key exists in clear only inside an `Authority`, which lives as long as one command. On
disk it is sealed under a key that the root key wraps. Certificates pass the strictest verification in use
(the RFC 5280 profile as OpenSSL's X509_STRICT and Go check it).
"""

import datetime as dt
import hashlib
import ipaddress
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import InternalError, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from strongroom.domain.ports import RootKey
from strongroom.model.secret import SecretBytes
from strongroom.server.data_directory import DataDirectory, write_private, write_public
from strongroom.server.errors import OperatorError

AUTHORITY_LIFETIME: Final = dt.timedelta(days=20 * 365)
SERVER_LIFETIME: Final = dt.timedelta(days=397)
CLIENT_LIFETIME: Final = dt.timedelta(days=2 * 365)
SERVER_RENEWAL: Final = dt.timedelta(days=132)
"""A server certificate with less than this left is replaced when the server starts or turns over."""
INVITATION: Final = "Strongroom invitation"
INVITATION_SUBJECT: Final = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, INVITATION)])
UNREADABLE: Final = (
    ValueError,
    TypeError,
    InternalError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises for certificates and requests that it does not read: they share no class."""
_CLOCK_SKEW: Final = dt.timedelta(hours=1)

_SEALED_MAGIC: Final = b"STRONGROOM CA KEY 1\n"
_NONCE_SIZE: Final = 12
_TAG_SIZE: Final = 16


ClientKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
"""A key that is made here for a client."""


class Authority:
    """A CA that can sign. Holds its private key: do not keep it."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self._key = key

    def server_certificate(
        self, public_key: PublicKeyTypes, hosts: Sequence[str], now: dt.datetime
    ) -> x509.Certificate:
        """Return a certificate for the listener, with `hosts` (names and addresses) as its SANs."""
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        # The server is the client of its clients' endpoints, and shows them the same certificate.
        purposes = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
        builder = self._leaf("Strongroom server", public_key, *purposes)
        return self._sign(builder.add_extension(names, critical=False), now, SERVER_LIFETIME)

    @property
    def identity(self) -> str:
        """Return the fingerprint of the authority's key, which stands for it in records."""
        return fingerprint(self._key.public_key())

    def client_certificate(
        self,
        public_key: PublicKeyTypes,
        name: str,
        now: dt.datetime,
        lifetime: dt.timedelta = CLIENT_LIFETIME,
    ) -> x509.Certificate:
        """Return a certificate for an enrolled client; `name` (at most 64 characters) is its CN."""
        builder = self._leaf(name, public_key, ExtendedKeyUsageOID.CLIENT_AUTH)
        return self._sign(builder, now, lifetime)

    def revocation_list(
        self, revoked: Mapping[int, dt.datetime], now: dt.datetime, lifetime: dt.timedelta
    ) -> x509.CertificateRevocationList:
        """Return a CRL that names these serial numbers, with the time at which each was revoked."""
        issuer_key = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - _CLOCK_SKEW)
            .next_update(now + lifetime)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key), critical=False
            )
            # A number that grows with time needs nothing to be remembered.
            .add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
        )
        for serial, date in sorted(revoked.items()):
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(date)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self._key, hashes.SHA256())

    def _leaf(
        self, common_name: str, public_key: PublicKeyTypes, *purposes: x509.ObjectIdentifier
    ) -> x509.CertificateBuilder:
        issuer_key = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
            .issuer_name(self.certificate.subject)
            .public_key(public_key)  # type: ignore[arg-type]  # any key type; the builder refuses the rest
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)  # type: ignore[arg-type]
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key), critical=False
            )
        )

    def _sign(
        self, builder: x509.CertificateBuilder, now: dt.datetime, lifetime: dt.timedelta
    ) -> x509.Certificate:
        end = min(now + lifetime, self.certificate.not_valid_after_utc)
        return (
            builder.serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCK_SKEW)
            .not_valid_after(end)
            .sign(self._key, hashes.SHA256())
        )


def create_authority(directory: DataDirectory, root_key: RootKey, now: dt.datetime) -> Authority:
    """Make a CA and store it as the current one; its name is unique, so that trust stores can hold several.

    The key comes first: `authorities.py` keeps what it replaces, so that a crash between loses nothing.
    """
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Strongroom CA {secrets.token_hex(4)}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pkcs8 = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    write_private(directory.ca_key, seal_key(SecretBytes(pkcs8), root_key))
    write_public(directory.ca_certificate, certificate.public_bytes(Encoding.PEM))
    return Authority(certificate, key)


def open_authority(directory: DataDirectory, root_key: RootKey) -> Authority:
    """Return the current CA; raises OperatorError when a file is missing or they do not belong together."""
    try:
        return open_pair(directory.ca_certificate, directory.ca_key, root_key)
    except MismatchedPair:
        # A rotation was cut off between its two files; the pair that it was to replace is still there.
        known = fingerprint(read_certificate_file(directory.ca_certificate).public_key())
        if not directory.older_authority_key(known).exists():
            raise
        return open_pair(directory.ca_certificate, directory.older_authority_key(known), root_key)


class MismatchedPair(OperatorError):
    """A key is not that of its certificate."""


def read_certificate_file(file: Path) -> x509.Certificate:
    """Return the certificate in a PEM file; raises OperatorError."""
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except OSError as error:
        raise OperatorError(f"cannot read {file}: {error.strerror}; restore it from a backup") from error
    except ValueError as error:
        raise OperatorError(f"{file} is no certificate; restore it from a backup") from error


def open_pair(certificate_file: Path, key_file: Path, root_key: RootKey) -> Authority:
    """Return the CA in two files; raises OperatorError, MismatchedPair and RootKeyError."""
    certificate = read_certificate_file(certificate_file)
    try:
        sealed = key_file.read_bytes()
    except OSError as error:
        raise OperatorError(
            f"cannot read {error.filename}: {error.strerror}; restore it from a backup"
        ) from error
    key = load_der_private_key(open_key(sealed, root_key, str(key_file)).reveal(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise MismatchedPair(f"{key_file} is not the key of {certificate_file}; restore both from one backup")
    return Authority(certificate, key)


def issue_server_certificate(
    directory: DataDirectory, authority: Authority, hosts: Sequence[str], now: dt.datetime
) -> None:
    """Write a fresh server certificate and key. The key comes first: a crash between leaves a pair that is
    refused, never one that is used."""
    key = new_key()
    certificate = authority.server_certificate(key.public_key(), hosts, now)
    write_private(directory.server_key, private_pem(key))
    write_public(directory.server_certificate, certificate.public_bytes(Encoding.PEM))


def server_certificate_is_due(
    directory: DataDirectory,
    hosts: Sequence[str],
    now: dt.datetime,
    *,
    issuer: x509.Certificate | None = None,
    former: Sequence[x509.Name] = (),
) -> bool:
    """Tell whether the server certificate needs replacing: over soon, not begun, missing, for other hosts.

    `issuer` is the authority that it should be of, None for the current one; those called `former` were ours
    too. One that yet another authority has issued is its owner's business.
    """
    try:
        authority = issuer or x509.load_pem_x509_certificate(directory.ca_certificate.read_bytes())
        certificate = x509.load_pem_x509_certificate(directory.server_certificate.read_bytes())
        if certificate.issuer != authority.subject:
            return certificate.issuer in former
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except FileNotFoundError:
        return True
    except (OSError, ValueError, x509.ExtensionNotFound):
        # Whatever it is, it is not ours to overwrite; loading it says what is wrong.
        return False
    wanted = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    # One made by an older release cannot be shown to the endpoints of clients.
    fits = names == wanted and ExtendedKeyUsageOID.CLIENT_AUTH in purposes
    # One that has not begun yet was made by a clock that was ahead; no client takes it.
    begun = certificate.not_valid_before_utc <= now
    return certificate.not_valid_after_utc - now < SERVER_RENEWAL or not (fits and begun)


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a fresh P-256 key: the curve that every KMIP client takes and that handshakes are fastest on."""
    return ec.generate_private_key(ec.SECP256R1())


def private_pem(key: ClientKey) -> bytes:
    """Return the key as PKCS#8 in PEM, in clear: for a file of mode 0600 only."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def fingerprint(public_key: PublicKeyTypes) -> str:
    """Return what a client is found by: the SHA-256 of its public key (SPKI in DER), in hex."""
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def seal_key(key: SecretBytes, root_key: RootKey) -> bytes:
    """Return the content of `ca.key`: magic, size of the wrapped key, that key, nonce, AES-256-GCM."""
    sealing_key = SecretBytes(os.urandom(32))
    wrapped = root_key.wrap(sealing_key)
    head = _SEALED_MAGIC + len(wrapped).to_bytes(2, "big") + wrapped
    nonce = os.urandom(_NONCE_SIZE)
    return head + nonce + AESGCM(sealing_key.reveal()).encrypt(nonce, key.reveal(), head)


def open_key(sealed: bytes, root_key: RootKey, name: str) -> SecretBytes:
    """Return what `seal_key` was given; raises OperatorError or RootKeyError when it is damaged."""
    wrapped = wrapped_key(sealed, name)
    end = len(_SEALED_MAGIC) + 2 + len(wrapped)
    head, nonce, ciphertext = sealed[:end], sealed[end : end + _NONCE_SIZE], sealed[end + _NONCE_SIZE :]
    sealing_key = root_key.unwrap(wrapped)
    try:
        return SecretBytes(AESGCM(sealing_key.reveal()).decrypt(nonce, ciphertext, head))
    except InvalidTag as error:
        raise OperatorError(f"{name} is damaged; restore it from a backup") from error


def wrapped_key(sealed: bytes, name: str) -> bytes:
    """Return the wrapped key in what `seal_key` gave; raises OperatorError when it is damaged."""
    start = len(_SEALED_MAGIC) + 2
    end = start + int.from_bytes(sealed[len(_SEALED_MAGIC) : start], "big")
    if not sealed.startswith(_SEALED_MAGIC) or len(sealed) < end + _NONCE_SIZE + _TAG_SIZE:
        raise OperatorError(f"{name} is damaged; restore it from a backup")
    return sealed[start:end]


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
