"""What is secret is nowhere but in answers that give it out (no secret in any log).

Rule: each operation that takes secrets gets known ones, once as it should and then in every way that is
refused. Afterwards they are looked for in the data directory, in the log, and in each error answer: as they
are, in hexadecimal, in base64, as a number and as Python prints them.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding as KeyEncoding
from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat

from strongroom import testing
from strongroom.domain.operation import Request, Response
from strongroom.model.attribute_list import TemplateAttributes
from strongroom.model.convert import decoder, encoder
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock, KeyValue, TransparentECPrivateKey, spell_out
from strongroom.model.messages import (
    Authentication,
    Credential,
    OneTimePassword,
    ResponseBatchItem,
    UsernameAndPassword,
)
from strongroom.model.objects import (
    HashedPasswordCredential,
    OTPCredential,
    PasswordCredential,
    PrivateKey,
    SplitKey,
)
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Struct
from strongroom.model.structures import CryptographicParameters, DerivationParameters
from strongroom.operations.catalogue import all_operations
from strongroom.operations.create import CreateRequest
from strongroom.operations.create_credential import CreateCredentialRequest
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.create_split_key import CreateSplitKeyRequest
from strongroom.operations.derive_key import DeriveKeyRequest
from strongroom.operations.discover_versions import DiscoverVersionsRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.hash import HashRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.mac import MACRequest
from strongroom.operations.pkcs_11 import PKCS11Request
from strongroom.operations.re_key import ReKeyRequest
from strongroom.operations.rng_seed import RNGSeedRequest
from strongroom.operations.sign import SignRequest
from strongroom.registry import (
    V2_1,
    V3_0,
    AsynchronousIndicator,
    BlockCipherMode,
    CredentialType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DerivationMethod,
    HashingAlgorithm,
    KeyFormatType,
    ObjectType,
    OTPAlgorithm,
    PaddingMethod,
    PKCS11Function,
    RecommendedCurve,
    ResultStatus,
    SplitKeyMethod,
    Tag,
    Version,
)
from strongroom.wire import binary
from strongroom.wire.encodings import CODECS, Encoding
from strongroom.wire.item import Item
from tests.e2e.conftest import endpoint, https
from tests.expect import mask, opaque, password, raw_key, registration
from tests.interop.endpoint import RawConnection
from tests.kms import attribute, request_message, template
from tests.pkcs11 import data, mechanism, ulong
from tests.pkcs11 import template as pkcs11_template

BYTE_STRING, TEXT_STRING, BIG_INTEGER, STRUCTURE = 8, 7, 4, 1
UNKNOWN_TAG: Final = 0x54AB01
EVERYTHING: Final = CryptographicUsageMask(0xFFF)
ECB = CryptographicParameters(block_cipher_mode=BlockCipherMode.ECB, padding_method=PaddingMethod.PKCS5)
SHA_256 = CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256)
HMAC = CryptographicParameters(cryptographic_algorithm=CryptographicAlgorithm.HMAC_SHA256)

_KNOWN: Final[dict[str, bytes]] = {}


def secret(name: str) -> bytes:
    """Return 32 bytes that are looked for afterwards."""
    return _KNOWN.setdefault(name, hashlib.sha256(f"a secret: {name}".encode()).digest())


def secret_text(name: str) -> bytes:
    """Return a password that is looked for afterwards."""
    return _KNOWN.setdefault(name, b"pass-" + hashlib.sha256(name.encode()).hexdigest()[:40].encode())


def forms(value: bytes) -> Iterator[bytes]:
    """Yield the ways in which a secret may be written, without ends that depend on what is around."""
    yield value
    yield value.hex().encode()
    yield value.hex().upper().encode()
    yield repr(value)[2:-1].encode()
    yield str(int.from_bytes(value, "big")).encode()
    yield hex(int.from_bytes(value, "big"))[2:].encode()
    for shift in range(3):
        inside = base64.b64encode(value[shift : shift + 27])
        yield inside
        yield inside.replace(b"+", b"-").replace(b"/", b"_")


def written_in(text: bytes) -> list[str]:
    """Return the names of the secrets that stand in a text."""
    return [name for name, value in _KNOWN.items() if any(form in text for form in forms(value))]


class Talk:
    """A connection; each answer that refuses is looked through."""

    def __init__(self, connection: RawConnection) -> None:
        self._connection = connection
        self.refused = 0

    def exchange(self, message: bytes) -> Item:
        answer = self._connection.exchange(message)
        root = binary.decode(answer)
        if self.refuses(root):
            self.refused += 1
            assert written_in(answer) == []
        return root

    @staticmethod
    def refuses(root: Item) -> bool:
        return any(
            field[0] == Tag.RESULT_STATUS and field[2] == ResultStatus.OPERATION_FAILED
            for child in root[2][1:]
            for field in child[2]
        )

    def call(self, request: Request[Any], *, version: Version = V2_1, **header: Any) -> Any:
        root = self.exchange(binary.encode(request_message(request, version=version, **header)))
        item = decoder(ResponseBatchItem, version)(root[2][1][2])
        assert item.result_status is ResultStatus.SUCCESS, item.result_message
        spec: type[Response] = _response_of(request)
        return decoder(spec, version)(item.response_payload or [])


def _response_of(request: Request[Any]) -> Any:
    return next(s.response for s in all_operations().values() if s.request is type(request))


def credential(value: Struct, kind: CredentialType) -> Authentication:
    return Authentication(
        credential=(Credential(credential_type=kind, credential_value=encoder(type(value), V3_0)(value)),)
    )


def ec_key() -> bytes:
    key = ec.derive_private_key(int.from_bytes(secret("scalar"), "big"), ec.SECP256R1())
    return key.private_bytes(KeyEncoding.DER, PrivateFormat.PKCS8, NoEncryption())


def private(key_format: KeyFormatType, material: Any) -> PrivateKey:
    return PrivateKey(
        key_block=KeyBlock(
            key_format_type=key_format,
            key_value=KeyValue(key_material=material),
            cryptographic_algorithm=CryptographicAlgorithm.ECDSA,
            cryptographic_length=256,
        )
    )


def aes(*more: Any) -> TemplateAttributes:
    return template(
        attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
        attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256),
        mask(EVERYTHING),
        *more,
    )


def requests(talk: Talk) -> Iterator[tuple[str, Version, Request[Any], dict[str, Any]]]:
    """Yield what is sent, as it should be; the last are parts of the header."""
    active = attribute(Tag.ACTIVATION_DATE, datetime(2020, 1, 1, tzinfo=UTC))
    key = talk.call(
        CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, attributes=aes(active))
    ).unique_identifier
    kept = talk.call(
        registration(ObjectType.SYMMETRIC_KEY, raw_key(secret("base")), mask(EVERYTHING), active)
    ).unique_identifier
    scalar = SecretBytes(ec_key())
    spelt = spell_out(
        TransparentECPrivateKey(
            recommended_curve=RecommendedCurve.P_256, d=int.from_bytes(secret("transparent"), "big")
        )
    )
    part = SplitKey(
        split_key_parts=3,
        key_part_identifier=1,
        split_key_threshold=2,
        split_key_method=SplitKeyMethod.POLYNOMIAL_SHARING_GF_2_8,
        key_block=raw_key(secret("share")).key_block,
    )
    for name, object_type, value in (
        ("symmetric", ObjectType.SYMMETRIC_KEY, raw_key(secret("symmetric"))),
        ("secret data", ObjectType.SECRET_DATA, password(secret("secret data"))),
        ("opaque", ObjectType.OPAQUE_OBJECT, opaque(secret("opaque"))),
        ("pkcs#8", ObjectType.PRIVATE_KEY, private(KeyFormatType.PKCS_8, scalar)),
        ("transparent", ObjectType.PRIVATE_KEY, private(KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY, spelt)),
        ("share", ObjectType.SPLIT_KEY, part),
    ):
        given = () if object_type is ObjectType.OPAQUE_OBJECT else (mask(CryptographicUsageMask.SIGN),)
        yield f"Register {name}", V2_1, registration(object_type, value, *given), {}
    waiting = registration(
        ObjectType.SYMMETRIC_KEY, raw_key(secret("waiting")), mask(CryptographicUsageMask.ENCRYPT)
    )
    yield "Register later", V2_1, waiting, {"asynchronous_indicator": AsynchronousIndicator.MANDATORY}
    imported = ImportRequest(
        unique_identifier=UniqueIdentifier("imported"),
        object_type=ObjectType.SYMMETRIC_KEY,
        replace_existing=True,
        managed_object=raw_key(secret("imported")),
    )
    yield "Import", V2_1, imported, {}
    for kind, made in (
        (CredentialType.PASSWORD, PasswordCredential(password=SecretBytes(secret_text("password")))),
        (
            CredentialType.ONE_TIME_PASSWORD,
            OTPCredential(otp_algorithm=OTPAlgorithm.TOTP, otp_seed=SecretBytes(secret("seed of codes"))),
        ),
        (
            CredentialType.HASHED_PASSWORD,
            HashedPasswordCredential(
                hashed_username_password=SecretBytes(secret("hash 1")),
                hashed_password_username=SecretBytes(secret("hash 2")),
            ),
        ),
    ):
        yield (
            f"Create Credential {kind.name}",
            V3_0,
            CreateCredentialRequest(credential_type=kind, managed_object=made),
            {},
        )
    plain = SecretBytes(secret("plaintext"))
    yield "Encrypt", V2_1, EncryptRequest(unique_identifier=key, data=plain, cryptographic_parameters=ECB), {}
    streamed = EncryptRequest(
        unique_identifier=key, data=plain, cryptographic_parameters=ECB, init_indicator=True
    )
    yield "Encrypt in parts", V2_1, streamed, {}
    digested = SecretBytes(secret("digested"))
    yield "Hash", V2_1, HashRequest(cryptographic_parameters=SHA_256, data=digested), {}
    yield "MAC", V2_1, MACRequest(unique_identifier=kept, cryptographic_parameters=HMAC, data=digested), {}
    yield "Sign", V2_1, SignRequest(unique_identifier=kept, data=digested), {}
    yield "RNG Seed", V2_1, RNGSeedRequest(data=SecretBytes(secret("seed"))), {}
    derived = DeriveKeyRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        unique_identifier=(kept,),
        derivation_method=DerivationMethod.HMAC,
        derivation_parameters=DerivationParameters(
            cryptographic_parameters=SHA_256, derivation_data=(SecretBytes(secret("derivation data")),)
        ),
        attributes=aes(),
    )
    yield "Derive Key", V2_1, derived, {}
    yield from pkcs11(talk)
    wrong = UsernameAndPassword(username="somebody", password=SecretBytes(secret_text("wrong password")))
    code = OneTimePassword(username="somebody", one_time_password=SecretBytes(secret_text("wrong code")))
    for login, how in (
        (wrong, CredentialType.USERNAME_AND_PASSWORD),
        (code, CredentialType.ONE_TIME_PASSWORD),
    ):
        yield (
            f"header {how.name}",
            V3_0,
            DiscoverVersionsRequest(),
            {"authentication": credential(login, how)},
        )


def pkcs11(talk: Talk) -> Iterator[tuple[str, Version, Request[Any], dict[str, Any]]]:
    """Yield calls of one application."""
    value: bytes | None = None

    def call(function: PKCS11Function, *parameters: bytes) -> PKCS11Request:
        return PKCS11Request(
            pkcs_11_function=function,
            correlation_value=value,
            pkcs_11_input_parameters=SecretBytes(b"".join(parameters)),
        )

    value = talk.call(call(PKCS11Function.C_INITIALIZE, b"\1")).correlation_value
    opened = talk.call(call(PKCS11Function.C_OPENSESSION, ulong(1), ulong(6))).pkcs_11_output_parameters
    session = opened.reveal()
    talk.call(call(PKCS11Function.C_DIGESTINIT, session, mechanism(0x250)))
    made = pkcs11_template((0x00, 4), (0x100, 0x10), (0x11, secret("pkcs#11 value")))
    for function, parameters in (
        (PKCS11Function.C_CREATEOBJECT, [session, made]),
        (PKCS11Function.C_LOGIN, [session, ulong(1), data(secret_text("pin"))]),
        (PKCS11Function.C_DIGESTUPDATE, [session, data(secret("pkcs#11 part"))]),
        (PKCS11Function.C_SEEDRANDOM, [session, data(secret("pkcs#11 seed"))]),
    ):
        yield function.name, V2_1, call(function, *parameters), {}


def spoilt(root: Item) -> Iterator[Item]:
    """Yield a message with each of its secrets where it does not belong, or in another form."""
    for path, (tag, item_type, value) in _leaves(root):
        raw = value if isinstance(value, bytes) else str(value).encode()
        if not written_in(raw):
            continue
        yield _with(root, path, [(tag, TEXT_STRING, raw.hex())])
        yield _with(root, path, [(tag, BYTE_STRING, raw)])
        yield _with(root, path, [(tag, BIG_INTEGER, int.from_bytes(raw, "big"))])
        yield _with(root, path, [(tag, STRUCTURE, [(tag, item_type, value)])])
        yield _with(root, path, [(tag, item_type, value)] * 2)
        yield _with(root, path, [(UNKNOWN_TAG, item_type, value), (tag, item_type, value)])
        yield _with(root, path, [(tag, item_type, value[: len(value) - 1])] if item_type in (7, 8) else [])
        for inside in range(2, len(path)):  # the secret in the place of what it is part of
            yield _with(root, path[:inside], [(tag, item_type, value)])


def _leaves(item: Item, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Item]]:
    for number, child in enumerate(item[2]):
        if child[1] == STRUCTURE:
            yield from _leaves(child, (*path, number))
        else:
            yield (*path, number), child


def _with(item: Item, path: Sequence[int], instead: list[Item]) -> Item:
    children, (place, *rest) = list(item[2]), path
    children[place : place + 1] = [_with(children[place], rest, instead)] if rest else instead
    return (item[0], item[1], children)


def broken_text(text: bytes) -> Iterator[bytes]:
    """Yield JSON or XML that goes wrong at a secret."""
    for value in _KNOWN.values():
        for form in forms(value):
            at = text.find(form)
            if at < 0:
                continue
            middle = at + len(form) // 2
            yield text[:middle]
            yield text[:middle] + b"zz" + text[middle:]
            yield text[:middle] + b'"<&\\u00' + text[middle:]
            yield text[:middle] + b"\xff" + text[middle:]
            yield text.replace(b"ByteString", b"Integer").replace(b"TextString", b"DateTime")
            yield text.replace(b"ByteString", b"Enumeration").replace(b"TextString", b"Boolean")
            break


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    with testing.server(tmp_path_factory.mktemp("server")) as server:
        yield server


def found_in(directory: Path, known: dict[str, bytes]) -> list[str]:
    """Return which secrets stand in which files."""
    found = []
    for file in directory.rglob("*"):
        if file.is_file() and not file.is_symlink():
            text = file.read_bytes()
            found += [
                f"{name} in {file.name}"
                for name, value in known.items()
                if any(form in text for form in forms(value))
            ]
    return found


def test_no_secret_is_in_the_data_directory_the_log_or_an_error_answer(server: testing.Server) -> None:
    with endpoint(server).connect() as connection, https(server) as web:
        talk = Talk(connection)
        for name, version, request, header in requests(talk):
            root = request_message(request, version=version, **header)
            message = binary.encode(root)
            assert written_in(message), f"{name} has no secret"
            answer = talk.exchange(message)
            assert not talk.refuses(answer) or name in REFUSED, (name, answer)
            for wrong in spoilt(root):
                talk.exchange(binary.encode(wrong))
            for encoding in (Encoding.JSON, Encoding.XML):
                codec = CODECS[encoding]
                for text in broken_text(codec.encode(root, version=version)):
                    reply = web.post(text, codec.media_type)
                    if b"Success" not in reply.body:
                        assert written_in(reply.body) == [], name
        assert talk.refused > 100
        made = materials(talk)
    assert found_in(server.directory, _KNOWN | made) == []
    log = server.log_text().encode()
    assert b"request_refused" in log
    assert [name for name, value in (_KNOWN | made).items() if any(f in log for f in forms(value))] == []


REFUSED = frozenset({"Sign"})
"""What is not done with these keys."""


def materials(talk: Talk) -> dict[str, bytes]:
    """Return keys that the server itself makes."""
    whole = talk.call(CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, attributes=aes())).unique_identifier
    pair = talk.call(
        CreateKeyPairRequest(
            common_attributes=template(
                attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.ED25519),
            ),
            private_key_attributes=template(mask(CryptographicUsageMask.SIGN)),
            public_key_attributes=template(mask(CryptographicUsageMask.VERIFY)),
        )
    ).private_key_unique_identifier
    parts = talk.call(
        CreateSplitKeyRequest(
            object_type=ObjectType.SPLIT_KEY,
            unique_identifier=whole,
            split_key_parts=3,
            split_key_threshold=2,
            split_key_method=SplitKeyMethod.POLYNOMIAL_SHARING_GF_2_8,
        )
    ).unique_identifier
    again = talk.call(ReKeyRequest(unique_identifier=whole)).unique_identifier
    found = {}
    for identifier in (whole, pair, *parts, again):
        block = talk.call(GetRequest(unique_identifier=identifier)).managed_object.key_block
        found[f"material of {identifier}"] = block.key_value.key_material.reveal()[-32:]
    return found


def test_the_search_finds_a_secret_in_every_form(tmp_path: Path) -> None:
    value = secret("to be found")
    for text in (
        value,
        value.hex().encode(),
        base64.b64encode(b"x" + value + b"y"),
        base64.urlsafe_b64encode(value),
        repr({"key": value}).encode(),
        str(int.from_bytes(value, "big")).encode(),
    ):
        (tmp_path / "file").write_bytes(b"before" + text + b"after")
        assert found_in(tmp_path, {"one": value}) == ["one in file"]
