"""Rules that map certificates of other authorities to clients (fault 16), and hostile names in them."""

import contextlib
import ipaddress
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from strongroom.domain.entries import Kept
from strongroom.domain.identity import ClientId
from strongroom.domain.mapping import CertificateRule
from strongroom.server.clients.mapping import (
    Ambiguous,
    MappingRules,
    TypedName,
    names_of,
    parse_san,
    parse_subject,
    rule_key,
)
from strongroom.server.clients.pending import shown
from strongroom.server.errors import InvalidOption
from tests.unit.server.authorities_made import OutsideAuthority
from tests.unit.server.conftest import NOW


def rule(authority: OutsideAuthority, name: TypedName, client: int) -> Kept[CertificateRule]:
    return Kept(
        tenant=0,
        key=rule_key(authority.certificate, name),
        owner=0,
        value=CertificateRule(
            client=client,
            issuer=authority.certificate.public_bytes(Encoding.DER),
            name_type=name.kind,
            name="whatever is shown",
        ),
        generation=1,
    )


def der(made: tuple[x509.Certificate, object]) -> bytes:
    return made[0].public_bytes(Encoding.DER)


@pytest.fixture(scope="module")
def ours() -> OutsideAuthority:
    return OutsideAuthority(now=NOW)


@pytest.fixture(scope="module")
def twin() -> OutsideAuthority:
    """Another authority with the same name."""
    return OutsideAuthority(now=NOW)


def test_a_name_is_a_client_whatever_its_key(ours: OutsideAuthority) -> None:
    rules = MappingRules([rule(ours, parse_san("dns:db1.example.org"), 5)])
    for _ in range(2):
        made = ours.issue("anything", sans=[x509.DNSName("db1.example.org")])
        assert rules.client(der(made)) == ClientId(5)
    assert rules.client(der(ours.issue("db1.example.org"))) is None


def test_the_same_name_of_two_authorities_is_two_principals(
    ours: OutsideAuthority, twin: OutsideAuthority
) -> None:
    """Fault 16: they even have the same name themselves."""
    name = parse_subject("CN=admin")
    assert MappingRules([rule(ours, name, 1)]).client(der(twin.issue("admin"))) is None
    both = MappingRules([rule(ours, name, 1), rule(twin, name, 2)])
    assert both.client(der(ours.issue("admin"))) == ClientId(1)
    assert both.client(der(twin.issue("admin"))) == ClientId(2)


@pytest.mark.parametrize(
    ("san", "kind"),
    [
        (x509.DNSName("x.example.org"), "dns:x.example.org"),
        (x509.RFC822Name("ops@example.org"), "email:ops@example.org"),
        (x509.UniformResourceIdentifier("spiffe://example.org/db"), "uri:spiffe://example.org/db"),
        (x509.IPAddress(ipaddress.ip_address("192.0.2.7")), "ip:192.0.2.7"),
        (x509.IPAddress(ipaddress.ip_address("2001:db8::7")), "ip:2001:DB8:0::7"),
    ],
)
def test_every_type_of_name_is_compared_as_that_type(
    ours: OutsideAuthority, san: x509.GeneralName, kind: str
) -> None:
    made = der(ours.issue("client", sans=[san]))
    assert MappingRules([rule(ours, parse_san(kind), 3)]).client(made) == ClientId(3)
    for other in ("dns:y", "email:y@y", "uri:y", "ip:192.0.2.8"):
        assert MappingRules([rule(ours, parse_san(other), 3)]).client(made) is None


@pytest.mark.parametrize(
    "name", ["*", "*.example.org", "DB1.example.org", "db1.example.org.", "db1.example.org\n", "admin"]
)
def test_what_only_resembles_a_name_is_not_it(ours: OutsideAuthority, name: str) -> None:
    rules = MappingRules([rule(ours, parse_san("dns:db1.example.org"), 5)])
    assert rules.client(der(ours.issue(name, sans=[x509.DNSName(name)]))) is None


def test_a_type_is_not_taken_for_another(ours: OutsideAuthority) -> None:
    rules = MappingRules([rule(ours, parse_san("dns:192.0.2.7"), 5)])
    address = x509.IPAddress(ipaddress.ip_address("192.0.2.7"))
    assert rules.client(der(ours.issue("c", sans=[address]))) is None


def test_a_subject_is_compared_whole_and_in_order(ours: OutsideAuthority) -> None:
    def subject(*parts: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])

    rules = MappingRules([rule(ours, parse_subject("CN=db1,O=Example"), 5)])
    organisation, name = (NameOID.ORGANIZATION_NAME, "Example"), (NameOID.COMMON_NAME, "db1")
    assert rules.client(der(ours.issue(subject(organisation, name)))) == ClientId(5)
    for other in (
        subject(name),
        subject(name, organisation),
        subject(organisation, name, name),
        subject(organisation, name, (NameOID.ORGANIZATIONAL_UNIT_NAME, "x")),
        subject(organisation, (NameOID.COMMON_NAME, "DB1")),
        subject(organisation, (NameOID.COMMON_NAME, "db1 ")),
        subject((NameOID.COMMON_NAME, "db1,O=Example")),
        x509.Name(
            [x509.RelativeDistinguishedName([x509.NameAttribute(*organisation), x509.NameAttribute(*name)])]
        ),
    ):
        assert rules.client(der(ours.issue(other))) is None


def test_a_certificate_that_fits_two_clients_is_nobody(ours: OutsideAuthority) -> None:
    rules = MappingRules([rule(ours, parse_san("dns:a"), 1), rule(ours, parse_san("dns:b"), 2)])
    with pytest.raises(Ambiguous):
        rules.client(der(ours.issue("c", sans=[x509.DNSName("a"), x509.DNSName("b")])))
    same = MappingRules([rule(ours, parse_san("dns:a"), 1), rule(ours, parse_san("dns:b"), 1)])
    assert same.client(der(ours.issue("c", sans=[x509.DNSName("a"), x509.DNSName("b")]))) == ClientId(1)


@pytest.mark.parametrize(
    "text",
    ["", "dns:", "db1", "dns:*.example.org", "dns:a b", "dns:bücher.example", "dns:a\n", "ip:1.2.3",
     "ip:10.0.0.0/8", "other:x", "DNS:x", "subject:CN=x", "dns:" + "x" * 2000],
)  # fmt: skip
def test_names_that_could_be_mistaken_are_refused(text: str) -> None:
    with pytest.raises(InvalidOption):
        parse_san(text)


@pytest.mark.parametrize("text", ["", "db1", "CN=", "CN", "XX=1", "CN=x,", "CN=\\ZZ", "CN=" + "x" * 2000])
def test_what_is_no_subject_is_refused_in_words(text: str) -> None:
    with pytest.raises(InvalidOption) as refused:
        parse_subject(text)
    assert ": ;" not in str(refused.value)


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_refused_in_words(text: str) -> None:
    for parse in (parse_san, parse_subject):
        with contextlib.suppress(InvalidOption):
            assert parse(text).value


HOSTILE = [  # and whatever else resembles a name
    "*",
    "admin",
    "a\nb",
    "a\x1b[2Jb",
    "\u0430dmin",
    "a,O=b",
    "a+b",
    'x"\\',
    "\u202eadmin",
    "root\x00",
    "é",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_shown_escaped_and_never_as_another(ours: OutsideAuthority, name: str) -> None:
    made, _ = ours.issue(name)
    text = shown(made.subject)
    assert text.isascii()
    assert text.isprintable()
    assert text.startswith("CN=")
    plain = name.isascii() and name.isprintable() and not set(name) & set(",+\\")
    assert (text == f"CN={name}") is plain


def test_no_two_hostile_names_are_shown_or_compared_alike(ours: OutsideAuthority) -> None:
    made = [ours.issue(name)[0] for name in HOSTILE]
    assert len({shown(one.subject) for one in made}) == len(HOSTILE)
    assert len({names_of(one.public_bytes(Encoding.DER)) for one in made}) == len(HOSTILE)


def test_a_name_twice_is_not_the_name_once(ours: OutsideAuthority) -> None:
    once, twice = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "admin")] * count) for count in (1, 2))
    assert names_of(der(ours.issue(once))) != names_of(der(ours.issue(twice)))
    assert shown(twice) == "CN=admin,CN=admin"


def test_a_certificate_with_names_that_nobody_reads_is_no_client(ours: OutsideAuthority) -> None:
    """An X.400 address among the names: rules go by none of them then, and the listener goes on."""
    rules = MappingRules([rule(ours, parse_subject("CN=odd"), 5)])
    made, key = ours.issue("odd")
    builder: Any = x509.CertificateBuilder(
        made.issuer, made.subject, key.public_key(), 1, made.not_valid_before_utc, made.not_valid_after_utc
    )
    names = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, bytes.fromhex("3004a3023000"))
    odd = builder.add_extension(names, critical=False).sign(ours.key, hashes.SHA256())
    assert rules.client(odd.public_bytes(Encoding.DER)) is None
