"""Diffie-Hellman groups: which the library may look at, and for how long."""

import hashlib
import time

import pytest

from strongroom.crypto.cryptographer import Cryptographer
from strongroom.crypto.keys import groups
from strongroom.crypto.keys.encodings import dh_group
from strongroom.crypto.keys.finite_field import DHParameterNumbers
from strongroom.domain.errors import InvalidField
from strongroom.domain.key_form_errors import KeyFormatTypeNotSupported
from strongroom.model.keys import TransparentDHPrivateKey, TransparentDHPublicKey
from strongroom.model.objects import PrivateKey, PublicKey
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import KeyFormatType as Format
from tests.unit.crypto.build import material, private, public, told

MODP = {
    1536: "64fcc83ec403930bf18393dbc883ccaa1fbb08ac876f77f7aa99748ca945019b",
    2048: "d66436f79bbd6b2e38c0ffbd079be904d2641415e2e67140e09448be9a60890e",
    3072: "48cf8b092fbce4359d9871abf74f98e25b6163379eaa15cd9087e800c6d1c55c",
    4096: "4ee95187682bcb230ad26a95205f6920e84708f6251b3894329b09ec23919e33",
    6144: "d1bfe6d0925ce7e4da262b62861514a7755e35831e429f343e7b864848657efd",
    8192: "39ab4feab950a3128fb71accb9fc3965d857012e081998a85996e3ea8b3c3bcf",
}
"""RFC 3526; SHA-256 of each prime as OpenSSL has it."""

PSEUDOPRIME = 2**4423 - 1
"""A prime, so that no quick test ends the search; not one of a known group."""


@pytest.mark.parametrize("bits", MODP)
def test_the_groups_of_ike_are_known(bits: int) -> None:
    (known,) = (
        p for p in groups._known(bits) if hashlib.sha256(p.to_bytes(bits // 8)).hexdigest() == MODP[bits]
    )
    assert groups.may_be_loaded(known, 2, None)
    assert groups.may_be_loaded(known, 2, (known - 1) // 2)
    assert not groups.may_be_loaded(known, 3, None)
    assert not groups.may_be_loaded(known, 2, 7)
    assert not groups.may_be_loaded(known + 2, 2, None)


async def test_a_key_in_a_known_group_goes_through_every_format(crypto: Cryptographer) -> None:
    made = await crypto.create_key_pair(Algorithm.DH, 8192, None)
    mine, theirs = PrivateKey(key_block=made[0]), PublicKey(key_block=made[1])
    encoded = await crypto.convert(mine, Format.PKCS_8)
    assert await crypto.convert(encoded, Format.TRANSPARENT_DH_PRIVATE_KEY) == mine
    encoded = await crypto.convert(theirs, Format.X_509)
    assert isinstance(encoded, PublicKey)
    assert await crypto.convert(encoded, Format.TRANSPARENT_DH_PUBLIC_KEY) == theirs
    group = groups.group(8192)
    assert dh_group(material(encoded)) == DHParameterNumbers(group.p, 2, group.q)
    assert told(await crypto.examine(encoded)) == (Algorithm.DH, 8192)


async def test_a_key_in_an_unknown_group_is_kept_as_it_came(crypto: Cryptographer) -> None:
    """Whether P is prime takes the library half a minute to tell; nobody waits for that."""
    before = time.process_time()
    for value, wanted in (
        (
            private(Format.TRANSPARENT_DH_PRIVATE_KEY, TransparentDHPrivateKey(p=PSEUDOPRIME, g=2, x=12345)),
            Format.PKCS_8,
        ),
        (
            public(Format.TRANSPARENT_DH_PUBLIC_KEY, TransparentDHPublicKey(p=PSEUDOPRIME, g=2, y=12345)),
            Format.X_509,
        ),
    ):
        assert told(await crypto.examine(value)) == (Algorithm.DH, 4423)
        assert await crypto.convert(value, value.key_block.key_format_type) is value
        with pytest.raises(KeyFormatTypeNotSupported):
            await crypto.convert(value, wanted)
    assert time.process_time() - before < 1


def in_group(p: int, *, more: bytes = b"") -> tuple[bytes, bytes]:
    """Return a private and a public key of PKCS#3 as DER, with more behind the private number."""
    oid = tlv(6, bytes.fromhex("2a864886f70d010301"))
    algorithm = tlv(0x30, oid + tlv(0x30, integer(p) + integer(2)))
    number = integer(p // 3)
    return (
        tlv(0x30, integer(0) + algorithm + tlv(4, number) + more),
        tlv(0x30, algorithm + tlv(3, b"\0" + number)),
    )


def tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def integer(number: int) -> bytes:
    return tlv(2, number.to_bytes(number.bit_length() // 8 + 1))


async def test_an_encoded_key_in_an_unknown_group_does_not_get_to_the_library(crypto: Cryptographer) -> None:
    mine, theirs = in_group(PSEUDOPRIME)
    before = time.process_time()
    declared = (Algorithm.DH, 4423)
    for value in (
        private(Format.PKCS_8, mine, algorithm=Algorithm.DH, length=4423),
        public(Format.X_509, theirs, algorithm=Algorithm.DH, length=4423),
    ):
        assert told(await crypto.examine(value)) == declared
    with_attributes, _ = in_group(PSEUDOPRIME, more=tlv(0xA0, b""))
    with pytest.raises(InvalidField):
        await crypto.examine(private(Format.PKCS_8, with_attributes))
    assert time.process_time() - before < 1
