"""Data in parts: how they are cut, and what is said of each."""

import io

import pytest

from strongroom.client import parts as module
from strongroom.client.errors import ProtocolError
from strongroom.client.methods.encryption import Encryption
from strongroom.client.methods.signatures import Signatures
from strongroom.client.parts import Part, Source, parts
from strongroom.domain.operation import Request, Response
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters
from strongroom.operations.encrypt import EncryptRequest, EncryptResponse
from strongroom.operations.hash import HashRequest, HashResponse
from strongroom.registry import BlockCipherMode
from tests.unit.client.no_server import NoServer

GCM = CryptographicParameters(block_cipher_mode=BlockCipherMode.GCM, random_iv=True, tag_length=16)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART_SIZE", 4)


@pytest.mark.parametrize(
    ("source", "cut"),
    [
        (b"", [b""]),
        (b"more than a part", [b"more than a part"]),
        (SecretBytes(b"secret"), [b"secret"]),
        (io.BytesIO(b""), [b""]),
        (io.BytesIO(b"1234"), [b"1234"]),
        (io.BytesIO(b"12\n4567"), [b"12\n4", b"567"]),
        ([], [b""]),
        ([b"1", b"", b"23456789", b"0"], [b"1234", b"5678", b"90"]),
        (iter([b"12345678"]), [b"1234", b"5678"]),
    ],
)
def test_bytes_go_whole_and_everything_else_in_parts_of_one_size(source: Source, cut: list[bytes]) -> None:
    made = list(parts(source))
    assert [part.data for part in made] == cut
    assert [part.first for part in made] == [True] + [False] * (len(cut) - 1)
    assert [part.last for part in made] == [False] * (len(cut) - 1) + [True]


def test_a_file_is_read_no_further_than_the_next_part() -> None:
    file = io.BytesIO(b"0123456789abcdef")
    next(parts(file))
    assert file.tell() == 8


def test_a_part_that_is_all_of_it_has_no_indicators() -> None:
    assert set(Part(b"", first=True, last=True).fields(None).values()) == {None}


class Hashing(NoServer, Signatures):
    """A server that takes parts, or does not know of them."""

    def __init__(self, *values: bytes | None) -> None:
        self.values = list(values)
        self.seen: list[HashRequest] = []

    def call(self, request: Request[Response]) -> HashResponse:  # type: ignore[override]
        assert isinstance(request, HashRequest)
        self.seen.append(request)
        return HashResponse(data=b"digest", correlation_value=self.values.pop(0))


def test_parts_carry_the_value_of_the_answer_before() -> None:
    core = Hashing(b"one", b"two", None)
    assert core.hash(io.BytesIO(b"123456789")) == b"digest"
    said = [(r.correlation_value, r.init_indicator, r.final_indicator) for r in core.seen]
    assert said == [(None, True, None), (b"one", None, None), (b"two", None, True)]


def test_a_server_that_knows_no_parts_is_not_sent_the_second() -> None:
    """It has taken the first for all of the data, and its answer is not the one that was asked for."""
    core = Hashing(None)
    with pytest.raises(ProtocolError, match="knows no parts"):
        core.hash(io.BytesIO(b"123456789"))
    assert len(core.seen) == 1


class Encrypting(NoServer, Encryption):
    """A server that chooses another IV each time, and may keep some of what it made."""

    def __init__(self, *kept: str) -> None:
        self.kept = dict.fromkeys(kept)
        self.seen: list[EncryptRequest] = []

    def call(self, request: Request[Response]) -> EncryptResponse:  # type: ignore[override]
        assert isinstance(request, EncryptRequest)
        self.seen.append(request)
        made = f"{len(self.seen)}".encode()
        answer = EncryptResponse(
            unique_identifier=UniqueIdentifier("7d0b"),
            data=made,
            iv_counter_nonce=made,
            authenticated_encryption_tag=made,
        )
        return answer.replace(**self.kept)


def test_what_is_encrypted_again_has_the_iv_of_that_time() -> None:
    sealing = Encrypting().encrypt_parts("7d0b", b"data")
    for expected in (b"1", b"2"):
        assert list(sealing) == [expected]
        assert sealing.iv_counter_nonce == expected
        assert sealing.authenticated_encryption_tag == expected


@pytest.mark.parametrize(
    ("kept", "missing"), [("iv_counter_nonce", "IV"), ("authenticated_encryption_tag", "tag")]
)
def test_what_could_not_be_decrypted_is_not_taken_for_encrypted(kept: str, missing: str) -> None:
    sealing = Encrypting(kept).encrypt_parts("7d0b", b"data", cryptographic_parameters=GCM)
    with pytest.raises(ProtocolError, match=f"did not send the {missing}"):
        list(sealing)


def test_an_iv_is_missed_only_where_the_server_had_to_choose_one() -> None:
    ecb = CryptographicParameters(block_cipher_mode=BlockCipherMode.ECB, random_iv=True)
    for parameters in (None, CryptographicParameters(), ecb):
        core = Encrypting("iv_counter_nonce", "authenticated_encryption_tag")
        assert list(core.encrypt_parts("7d0b", b"data", cryptographic_parameters=parameters)) == [b"1"]
    own = Encrypting("iv_counter_nonce").encrypt_parts(
        "7d0b", b"data", cryptographic_parameters=GCM, iv_counter_nonce=b"own"
    )
    assert list(own) == [b"1"]


def test_what_does_not_do_all_that_a_shell_has_to_do_is_none() -> None:
    assert Signatures.__abstractmethods__ == {"call", "batch", "negotiate", "submit", "poll", "pause"}
    with pytest.raises(TypeError, match="abstract"):
        Signatures()  # type: ignore[abstract]
