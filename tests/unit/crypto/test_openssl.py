"""OpenSSL's own program as an independent reader and writer of every DER form."""

import shutil
import subprocess
from pathlib import Path

import pytest

from strongroom.crypto.cryptographer import Cryptographer
from strongroom.model.objects import PrivateKey, PublicKey
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import KeyCompressionType as Compression
from strongroom.registry import KeyFormatType as Format
from strongroom.registry import RecommendedCurve as Curve
from tests.unit.crypto.build import Pairs, der, material, private, public, spki, told

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the openssl program is not installed"
)


def openssl(*arguments: str, data: bytes) -> bytes:
    """Return what the program prints; fails the test when it fails."""
    done = subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("name", ["rsa", "p256", "p521", "secp256k1", "dsa", "ed25519", "x25519"])
def test_openssl_finds_the_same_public_key(key_files: Path, pairs: Pairs, name: str) -> None:
    made = openssl(
        "pkey", "-inform", "DER", "-pubout", "-outform", "DER", data=(key_files / f"{name}.der").read_bytes()
    )
    assert made == spki(pairs[name])


async def test_openssl_reads_our_pkcs_1(crypto: Cryptographer) -> None:
    private_block, public_block = await crypto.create_key_pair(Algorithm.RSA, 2048, None)
    mine, theirs = PrivateKey(key_block=private_block), PublicKey(key_block=public_block)
    openssl("rsa", "-inform", "DER", "-check", "-noout", data=material(mine))
    made = openssl("rsa", "-inform", "DER", "-RSAPublicKey_out", "-outform", "DER", data=material(mine))
    assert made == material(theirs)
    pkcs_8 = await crypto.convert(mine, Format.PKCS_8)
    assert isinstance(pkcs_8, PrivateKey)
    assert material(pkcs_8) == openssl(
        "pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-outform", "DER", data=material(mine)
    )


@pytest.mark.parametrize("curve", [Curve.P_224, Curve.P_256, Curve.P_384, Curve.P_521, Curve.SECP256K1])
async def test_openssl_reads_our_elliptic_pairs(crypto: Cryptographer, curve: Curve) -> None:
    private_block, public_block = await crypto.create_key_pair(Algorithm.EC, None, curve)
    mine = await crypto.convert(PrivateKey(key_block=private_block), Format.ECPRIVATEKEY)
    theirs = await crypto.convert(PublicKey(key_block=public_block), Format.X_509)
    assert isinstance(mine, PrivateKey)
    assert isinstance(theirs, PublicKey)
    made = openssl("ec", "-inform", "DER", "-pubout", "-outform", "DER", data=material(mine))
    assert made == material(theirs)
    openssl("ec", "-inform", "DER", "-check", "-noout", data=material(mine))


@pytest.mark.parametrize("name", ["p256", "p521"])
async def test_we_read_what_openssl_compresses(crypto: Cryptographer, pairs: Pairs, name: str) -> None:
    short = openssl(
        "ec",
        "-inform",
        "DER",
        "-conv_form",
        "compressed",
        "-pubout",
        "-outform",
        "DER",
        data=der(pairs[name]),
    )
    assert len(short) < len(spki(pairs[name]))
    value = public(Format.X_509, short)
    assert told(await crypto.examine(value)) == told(
        await crypto.examine(public(Format.X_509, spki(pairs[name])))
    )
    assert await crypto.convert(value, Format.X_509) is value
    whole = await crypto.convert(value, Format.X_509, compression=Compression.EC_PUBLIC_KEY_TYPE_UNCOMPRESSED)
    assert isinstance(whole, PublicKey)
    assert material(whole) == spki(pairs[name])


async def test_we_take_an_encrypted_key_of_openssl(crypto: Cryptographer, pairs: Pairs) -> None:
    sealed = openssl(
        "pkcs8", "-topk8", "-inform", "DER", "-outform", "DER", "-passout", "pass:x", data=der(pairs["p256"])
    )
    assert told(await crypto.examine(private(Format.PKCS_8, sealed))) == (None, None)


async def test_we_take_a_key_of_a_kind_that_the_library_lacks(crypto: Cryptographer) -> None:
    """Stored on the client's word: 256 bits on a curve of the specification that only OpenSSL has."""
    made = openssl("ecparam", "-name", "sect283k1", "-genkey", "-noout", "-outform", "DER", data=b"")
    facts = await crypto.examine(private(Format.ECPRIVATEKEY, made, algorithm=Algorithm.ECDSA, length=283))
    assert told(facts) == (Algorithm.ECDSA, 283)
