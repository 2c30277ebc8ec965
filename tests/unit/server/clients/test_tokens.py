"""Join tokens, and certificate requests: what a stranger hands us as text."""

import base64
import contextlib
import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given
from hypothesis import strategies as st

from strongroom.server.certificates.ca import Authority, fingerprint, new_key
from strongroom.server.certificates.requests import requested_key
from strongroom.server.clients.tokens import LONGEST, PREFIX, Token, make_token, read_token
from strongroom.server.errors import InvalidOption, OperatorError
from tests.unit.server.conftest import NOW


@pytest.fixture
def token(authority: Authority) -> Token:
    key = new_key()
    certificate = authority.client_certificate(key.public_key(), "guest", NOW, dt.timedelta(hours=1))
    return Token(key, certificate, authority.certificate, "kms.example.org:5697")


def test_a_token_comes_back_whole(token: Token) -> None:
    read = read_token(make_token(token))
    assert read.key.private_numbers() == token.key.private_numbers()
    assert read[1:] == token[1:]


def test_a_token_is_one_line_that_a_terminal_takes(token: Token) -> None:
    text = make_token(token)
    assert text.isascii()
    assert not set(text) & set(" \n\t")
    assert len(text) < 4096


def test_line_breaks_of_a_mail_program_do_no_harm(token: Token) -> None:
    text = make_token(token)
    broken = "\r\n".join(text[i : i + 60] for i in range(0, len(text), 60)) + "\n"
    assert read_token(broken)[1:] == token[1:]


def test_every_cut_and_every_changed_character_is_noticed(token: Token) -> None:
    text = make_token(token)
    for end in range(0, len(text), 7):
        with pytest.raises(InvalidOption):
            read_token(text[:end])
    for place in range(len(PREFIX), len(text), 11):
        other = "A" if text[place] != "A" else "B"
        with pytest.raises(InvalidOption) as caught:
            read_token(text[:place] + other + text[place + 1 :])
        assert text[-20:] not in str(caught.value)


def test_an_error_and_a_repr_show_nothing_of_the_key(token: Token) -> None:
    text = make_token(token)
    with pytest.raises(InvalidOption) as caught:
        read_token(text[:-1])
    assert caught.value.__cause__ is None
    assert text[20:40] not in str(caught.value)
    number = token.key.private_numbers().private_value
    assert str(number) not in repr(token)


def sealed(content: bytes) -> str:
    """Return content as a token with a check that fits."""
    import hashlib

    whole = content + hashlib.sha256(content).digest()[:4]
    return PREFIX + base64.urlsafe_b64encode(whole).decode().rstrip("=")


@pytest.mark.parametrize("server", ["kms.example.org:5697\x1b[2J", "a\nb:1", "a" * 301])
def test_a_token_that_leads_to_no_address_is_refused(token: Token, server: str) -> None:
    with pytest.raises(InvalidOption):
        read_token(make_token(token._replace(server=server)))


def test_a_token_is_refused_whose_parts_do_not_belong_together(token: Token) -> None:
    text = make_token(token)
    encoded = text.removeprefix(PREFIX)
    content = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))[:-4]
    assert read_token(sealed(content))[1:] == token[1:]
    for other in (make_token(token._replace(key=new_key())), sealed(content + b"more")):
        with pytest.raises(InvalidOption):
            read_token(other)


def test_what_is_longer_than_any_token_is_not_taken_apart(token: Token) -> None:
    text = make_token(token)
    with pytest.raises(InvalidOption, match="no join token"):
        read_token(text + "A" * LONGEST)
    with pytest.raises(InvalidOption, match="no join token"):
        read_token(text.removeprefix(PREFIX))


@given(st.binary(max_size=600))
def test_any_content_under_a_good_check_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(InvalidOption):
        read_token(sealed(content))


@given(st.text(max_size=300))
def test_any_text_is_refused_in_words(text: str) -> None:
    for candidate in (text, PREFIX + text):
        with pytest.raises(InvalidOption):
            read_token(candidate)


def request(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "*")])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


def test_a_request_gives_its_key_and_nothing_else() -> None:
    for key in (new_key(), ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)):
        assert fingerprint(requested_key(request(key))) == fingerprint(key.public_key())


def test_a_request_that_its_key_has_not_signed_is_refused() -> None:
    broken = bytearray(request(new_key()))
    broken[-1] ^= 1
    with pytest.raises(OperatorError, match="not signed by its own key"):
        requested_key(bytes(broken))


def test_a_short_key_is_refused() -> None:
    with pytest.raises(OperatorError, match="2048 bits"):
        requested_key(request(rsa.generate_private_key(65537, 1024)))


def test_a_long_request_is_refused_before_it_is_read() -> None:
    with pytest.raises(OperatorError, match="bytes at most"):
        requested_key(b"0" * 100_000)


_REQUEST = request(new_key())


@given(st.integers(0, len(_REQUEST) - 1), st.integers(1, 255))
@example(_REQUEST.index(b"\x02\x01\x00") + 2, 1)  # a version that there is not
def test_a_request_with_one_changed_byte_never_gives_another_key(place: int, change: int) -> None:
    changed = bytearray(_REQUEST)
    changed[place] ^= change
    with contextlib.suppress(OperatorError):
        assert fingerprint(requested_key(bytes(changed))) == fingerprint(requested_key(_REQUEST))


@given(st.binary(max_size=400))
def test_any_bytes_are_a_request_or_refused_in_words(content: bytes) -> None:
    with pytest.raises(OperatorError):
        requested_key(content)
