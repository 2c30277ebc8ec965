"""The adapter for `strongroom.domain.pkcs12`: PKCS#12 containers.

Rule: what others made is opened in a process of its own, which can be stopped (`reader.py`); what
is made here needs none.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import PBES, serialize_key_and_certificates

from strongroom.crypto.containers import reader
from strongroom.crypto.keys.conversion import library_key
from strongroom.crypto.keys.material import with_material
from strongroom.crypto.pool import Pool
from strongroom.crypto.programs import NoAnswer, answer_of
from strongroom.domain.errors import InvalidField
from strongroom.domain.key_form_errors import KeyFormatTypeNotSupported
from strongroom.domain.pkcs12 import OpenedContainer
from strongroom.model.keys import KeyBlock, KeyMaterial, KeyValue
from strongroom.model.objects import PrivateKey
from strongroom.model.secret import SecretBytes
from strongroom.registry import KeyFormatType as Format

MAXIMUM_CONTAINER: Final = 256 * 1024
"""The longest container that is opened, in bytes: a key and a long chain are a tenth of that."""

ROUNDS: Final = 100_000
"""Rounds of PBKDF2 under the password of a container that is made here."""

_HELD: Final = (
    rsa.RSAPrivateKey,
    dsa.DSAPrivateKey,
    ec.EllipticCurvePrivateKey,
    ed25519.Ed25519PrivateKey,
    ed448.Ed448PrivateKey,
)
"""Kinds of keys that the library puts into a container."""

_PATIENCE: Final = 20
"""Seconds until a reader that gets no processor time is given up."""


class ContainerAdapter:
    """PKCS#12, there and back; see `strongroom.domain.pkcs12.Containers`."""

    _pool: Pool

    async def open_pkcs12(self, material: KeyMaterial, password: SecretBytes) -> OpenedContainer:
        """Return the key in a container and its name."""
        return await self._pool.run(open_container, material, password)

    async def make_pkcs12(
        self, value: PrivateKey, *, password: SecretBytes, friendly_name: str, certificates: Sequence[bytes]
    ) -> PrivateKey:
        """Return the key in a container with its certificate chain."""
        return await self._pool.run(make_container, value, password, friendly_name, certificates)


def open_container(material: KeyMaterial, password: SecretBytes) -> OpenedContainer:
    """Return what is in a container; slow. Raises InvalidField."""
    if not isinstance(material, SecretBytes) or len(material) > MAXIMUM_CONTAINER:
        raise InvalidField(f"a PKCS#12 container is a byte string of at most {MAXIMUM_CONTAINER} bytes")
    given = len(password).to_bytes(4) + password.reveal() + material.reveal()
    try:
        read = answer_of(Path(reader.__file__), given, patience=_PATIENCE)
    except NoAnswer:
        raise InvalidField("the PKCS#12 container does not open with the password of its link") from None
    end = 4 + int.from_bytes(read[:4])
    block = KeyBlock(key_format_type=Format.PKCS_8, key_value=KeyValue(key_material=SecretBytes(read[end:])))
    name = read[4:end].decode(errors="replace") or None
    return OpenedContainer(key=PrivateKey(key_block=block), friendly_name=name)


def make_container(
    value: PrivateKey, password: SecretBytes, friendly_name: str, certificates: Sequence[bytes]
) -> PrivateKey:
    """Return the key in a container; slow. Raises as the port says."""
    key = library_key(value)
    if not isinstance(key, _HELD):
        raise KeyFormatTypeNotSupported("a key of this kind cannot be given out as PKCS#12")
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(ROUNDS)
        .key_cert_algorithm(PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(SHA256())
        .build(password.reveal())
    )
    try:
        chain = [x509.load_der_x509_certificate(certificate) for certificate in certificates]
        own = chain[0] if chain else None
        made = serialize_key_and_certificates(friendly_name.encode(), key, own, chain[1:], encryption)
    except ValueError as error:
        raise InvalidField("the linked certificates do not fit the key, or are no certificates") from error
    # The container itself says what the key is.
    return value.replace(
        key_block=with_material(value.key_block, Format.PKCS_12, SecretBytes(made)).replace(
            cryptographic_algorithm=None, cryptographic_length=None
        )
    )
