"""Everything must match but what the profiles free; each freedom has its limit beside it."""

from collections.abc import Callable

import pytest

from strongroom.conformance.compare import Comparison, Difference, Exchange
from strongroom.conformance.dates import all_refused
from strongroom.conformance.ledger import Ledger
from strongroom.conformance.template import parse_message
from strongroom.conformance.variables import Bindings, Variable
from strongroom.registry import V1_0, V1_4, V2_0, Tag, Version
from strongroom.wire.item import Item
from tests.unit.conformance.samples import ANSWER_HEADER, answer, identifier, refusal, request

NOW = 1_700_000_000
STAMPED = ANSWER_HEADER.replace("$NOW", "2023-11-14T22:13:20+00:00")


class Bench:
    """Compares one answer with its listing, after the exchanges of `before`."""

    def __init__(self, *, version: Version = V1_4) -> None:
        self.ledger = Ledger()
        self.bindings = Bindings()
        self.version = version
        self.used: list[str] = []
        self.fixed_dates: frozenset[int] = frozenset()
        self.mentioned: frozenset[str] = frozenset()

    def before(self, asked: str, answered: str) -> None:
        response = parse_message(answered.encode())
        self.ledger.observe(parse_message(asked.encode()), response)
        self.bindings.learn(response)

    def differs(self, listing: str, answered: str, asked: str | None = None) -> Difference | None:
        sent = parse_message(asked.encode()) if asked is not None else None
        return self.differs_as_items(parse_message(listing.encode()), parse_message(answered.encode()), sent)

    def differs_as_items(self, listing: Item, answered: Item, sent: Item | None = None) -> Difference | None:
        exchange = Exchange(
            version=self.version,
            request=sent,
            earliest=NOW - 60,
            latest=NOW + 60,
            fixed_dates=self.fixed_dates,
            mentioned=self.mentioned,
        )
        comparison = Comparison(exchange, self.bindings, self.ledger)
        found = comparison.run(listing, answered)
        self.used = comparison.used
        return found


@pytest.fixture
def bench() -> Bench:
    return Bench()


def registered(identifier_text: str, algorithm: str = "AES") -> tuple[str, str]:
    """An exchange that registers a key: its material is the client's."""
    key = (
        '<SymmetricKey><KeyBlock><KeyFormatType type="Enumeration" value="Raw"/>'
        '<KeyValue><KeyMaterial type="ByteString" value="00"/></KeyValue>'
        f'<CryptographicAlgorithm type="Enumeration" value="{algorithm}"/></KeyBlock></SymmetricKey>'
    )
    return request("Register", key), answer("Register", identifier(identifier_text), header=STAMPED)


def attribute(name: str, value: str, kind: str = "TextString", index: int | None = None) -> str:
    at = f'<AttributeIndex type="Integer" value="{index}"/>' if index is not None else ""
    return (
        f'<Attribute><AttributeName type="TextString" value="{name}"/>{at}'
        f'<AttributeValue type="{kind}" value="{value}"/></Attribute>'
    )


def got(material: str, identifier_text: str = "key-1") -> str:
    return (
        '<ObjectType type="Enumeration" value="SymmetricKey"/>'
        + identifier(identifier_text)
        + '<SymmetricKey><KeyBlock><KeyFormatType type="Enumeration" value="Raw"/>'
        f'<KeyValue><KeyMaterial type="ByteString" value="{material}"/></KeyValue>'
        "</KeyBlock></SymmetricKey>"
    )


def listed(operation: str, *payload: str) -> str:
    return answer(operation, "".join(payload))


def received(operation: str, *payload: str) -> str:
    return answer(operation, "".join(payload), header=STAMPED)


def test_the_listing_itself_conforms(bench: Bench) -> None:
    assert bench.differs(listed("Get", got("00ff")), received("Get", got("00ff"))) is None


def test_the_first_difference_is_named_with_its_place_and_both_values(bench: Bench) -> None:
    found = bench.differs(
        listed("GetAttributes", identifier("key-1"), attribute("State", "Active", "Enumeration")),
        received("GetAttributes", identifier("key-1"), attribute("State", "PreActive", "Enumeration")),
    )
    assert str(found) == (
        "ResponseMessage.BatchItem.ResponsePayload.Attribute[State].AttributeValue:"
        " expected Active, received PreActive"
    )


def test_a_failure_is_not_a_success(bench: Bench) -> None:
    found = bench.differs(listed("Get", got("00")), refusal("Get", "ItemNotFound").replace("$NOW", STAMP))
    assert found is not None
    assert found.path == "ResponseMessage.BatchItem.ResultStatus"


STAMP = "2023-11-14T22:13:20+00:00"


def test_the_result_reason_is_part_of_the_answer(bench: Bench) -> None:
    found = bench.differs(
        refusal("Get", "PermissionDenied"), refusal("Get", "ItemNotFound").replace("$NOW", STAMP)
    )
    assert found is not None
    assert (found.expected, found.actual) == ("PermissionDenied", "ItemNotFound")


def test_the_item_type_is_part_of_the_answer(bench: Bench) -> None:
    found = bench.differs(
        listed("GetAttributes", attribute("x-a", "1", "Integer")),
        received("GetAttributes", attribute("x-a", "1", "LongInteger")),
    )
    assert found is not None


def test_fields_stand_in_the_order_of_the_specification(bench: Bench) -> None:
    kind = '<ObjectType type="Enumeration" value="SymmetricKey"/>'
    found = bench.differs(listed("Create", kind, identifier("k")), received("Create", identifier("k"), kind))
    assert found is not None


# Variables


def test_the_first_answer_binds_a_variable_and_the_next_must_repeat_it(bench: Bench) -> None:
    assert bench.differs(listed("Get", identifier()), received("Get", identifier("key-1"))) is None
    assert bench.bindings.bound(Variable("UNIQUE_IDENTIFIER_0")) == "key-1"
    assert bench.differs(listed("Get", identifier()), received("Get", identifier("key-2"))) is not None


def test_two_variables_never_stand_for_one_object(bench: Bench) -> None:
    assert bench.differs(listed("Create", identifier()), received("Create", identifier("key-1"))) is None
    second = listed("Create", identifier("$UNIQUE_IDENTIFIER_1"))
    assert bench.differs(second, received("Create", identifier("key-1"))) is not None
    assert bench.differs(second, received("Create", identifier("key-2"))) is None


def test_a_failed_attempt_binds_nothing(bench: Bench) -> None:
    """A Locate answer is paired in any order; a wrong pair must leave no trace."""
    bench.bindings.bind(Variable("UNIQUE_IDENTIFIER_1"), "key-1")
    listing = listed("Locate", identifier("$UNIQUE_IDENTIFIER_0"), identifier("$UNIQUE_IDENTIFIER_1"))
    assert bench.differs(listing, received("Locate", identifier("key-1"), identifier("key-2"))) is None
    assert bench.bindings.bound(Variable("UNIQUE_IDENTIFIER_0")) == "key-2"


@pytest.mark.parametrize(("shift", "conforms"), [(0, True), (59, True), (61, False), (-61, False)])
def test_now_in_a_listing_is_about_the_time_of_the_exchange(shift: int, conforms: bool) -> None:
    bench = Bench()
    listing = parse_message(listed("GetAttributes", attribute("Initial Date", "$NOW", "DateTime")).encode())
    answered = bench.bindings.fill(listing, now=NOW + shift)
    assert (bench.differs_as_items(listing, answered) is None) is conforms


# What may vary, and what may not


def test_key_material_of_the_server_s_own_key_may_vary(bench: Bench) -> None:
    assert bench.differs(listed("Get", got("00ff")), received("Get", got("11ee"))) is None
    assert "key material made by the server" in bench.used


def test_but_not_its_length(bench: Bench) -> None:
    assert bench.differs(listed("Get", got("00ff")), received("Get", got("11"))) is not None


def test_registered_key_material_must_come_back(bench: Bench) -> None:
    bench.before(*registered("key-1"))
    assert bench.differs(listed("Get", got("00ff")), received("Get", got("11ee"))) is not None


def encrypted(data: str, iv: str = "", subject: str = "key-1") -> str:
    nonce = f'<IVCounterNonce type="ByteString" value="{iv}"/>' if iv else ""
    return identifier(subject) + f'<Data type="ByteString" value="{data}"/>' + nonce


def test_output_under_the_server_s_own_key_may_vary(bench: Bench) -> None:
    assert bench.differs(listed("Encrypt", encrypted("00")), received("Encrypt", encrypted("11"))) is None


def test_output_under_a_registered_key_is_known(bench: Bench) -> None:
    bench.before(*registered("key-1"))
    found = bench.differs(
        listed("Encrypt", encrypted("00")), received("Encrypt", encrypted("11")), request("Encrypt")
    )
    assert found is not None


def test_unless_the_server_chose_the_initialisation_vector(bench: Bench) -> None:
    bench.before(*registered("key-1"))
    found = bench.differs(
        listed("Encrypt", encrypted("00", iv="aa")),
        received("Encrypt", encrypted("11", iv="bb")),
        request("Encrypt"),
    )
    assert found is None


def test_or_the_signature_is_randomised(bench: Bench) -> None:
    bench.before(*registered("key-1", algorithm="ECDSA"))
    signed = identifier("key-1") + '<SignatureData type="ByteString" value="{}"/>'
    found = bench.differs(
        listed("Sign", signed.format("00")), received("Sign", signed.format("11")), request("Sign")
    )
    assert found is None


def test_what_the_server_encrypted_itself_it_must_decrypt(bench: Bench) -> None:
    """CS-BC-M-3: the printed ciphertext is replaced by the received one, so the plaintext is known."""
    bench.before(request("Encrypt"), received("Encrypt", encrypted("aaaa")))
    asked = request("Decrypt", encrypted("aaaa"))
    listing = listed("Decrypt", encrypted("0102"))
    assert bench.differs(listing, received("Decrypt", encrypted("ffff")), asked) is not None
    assert bench.differs(listing, received("Decrypt", encrypted("0102")), asked) is None


def test_the_output_of_hash_is_known(bench: Bench) -> None:
    """It has no key, so nothing in it is the server's choice."""
    hashed = '<Data type="ByteString" value="{}"/>'
    listing = listed("Hash", hashed.format("00"))
    assert bench.differs(listing, received("Hash", hashed.format("11")), request("Hash")) is not None


@pytest.mark.parametrize(("data", "conforms"), [("1111", True), ("11", False)])
def test_random_numbers_are_free_but_not_how_many(bench: Bench, data: str, conforms: bool) -> None:
    random = '<Data type="ByteString" value="{}"/>'
    found = bench.differs(
        listed("RNGRetrieve", random.format("0000")),
        received("RNGRetrieve", random.format(data)),
        request("RNGRetrieve"),
    )
    assert (found is None) is conforms


SEED = request("RNGSeed", '<Data type="ByteString" value="00112233"/>')


def seeded(used: int, wrap: Callable[..., str] = listed) -> str:
    return wrap("RNGSeed", f'<DataLength type="Integer" value="{used}"/>')


def not_seeded(reason: str) -> str:
    """Return an answer that refuses the seed."""
    payload = seeded(0, received)
    head, rest = payload.split('<ResultStatus type="Enumeration" value="Success"/>')
    refusal = (
        '<ResultStatus type="Enumeration" value="OperationFailed"/>'
        f'<ResultReason type="Enumeration" value="{reason}"/>'
    )
    return head + refusal + rest[rest.index("</BatchItem>") :]


@pytest.mark.parametrize(("used", "conforms"), [(0, True), (4, True), (5, False), (-1, False)])
def test_how_much_of_a_seed_is_used_is_free(bench: Bench, used: int, conforms: bool) -> None:
    """CS-RNG-O-2 and -3 print two numbers for one request; no server can use more than it got."""
    found = bench.differs(seeded(2), seeded(used, received), SEED)
    assert (found is None) is conforms


@pytest.mark.parametrize(("reason", "conforms"), [("PermissionDenied", True), ("GeneralFailure", False)])
def test_a_server_may_refuse_seeds_and_say_why(bench: Bench, reason: str, conforms: bool) -> None:
    """CS-RNG-O-4 prints Permission Denied."""
    assert (bench.differs(seeded(2), not_seeded(reason), SEED) is None) is conforms
    printed = not_seeded("PermissionDenied")
    assert bench.differs(printed, seeded(4, received), SEED) is None
    assert bench.differs(printed, seeded(5, received), SEED) is not None


def test_only_seeds_are_free(bench: Bench) -> None:
    refused = not_seeded("PermissionDenied").replace("RNGSeed", "Get")
    assert bench.differs(listed("Get", got("00ff")), refused, request("Get")) is not None


def pad(key_value: str = "", algorithm: str = "OneTimePad") -> str:
    """Return Secret Data; without a Key Value the server does not hold it."""
    stated = attribute("Cryptographic Algorithm", algorithm, "Enumeration")
    return (
        f"<TemplateAttribute>{stated}</TemplateAttribute>"
        '<SecretData><KeyBlock><KeyFormatType type="Enumeration" value="Opaque"/>'
        f"{key_value}</KeyBlock></SecretData>"
    )


def given_out(key_value: str = "") -> str:
    return (
        f'{identifier("pad-1")}<SecretData><KeyBlock><KeyFormatType type="Enumeration" value="Opaque"/>'
        f"{key_value}</KeyBlock></SecretData>"
    )


PAD = '<KeyValue><KeyMaterial type="ByteString" value="00"/></KeyValue>'
DENIED = refusal("Get", "PermissionDenied")
GET_PAD = request("Get", identifier("pad-1"))


@pytest.mark.parametrize(
    ("registered_as", "conforms"),
    [(pad(), True), (pad(PAD), False), (pad(algorithm="AES"), False)],
    ids=["elsewhere", "on the server", "no pad"],
)
def test_a_pad_that_is_elsewhere_may_be_given_out_without_itself_or_denied(
    bench: Bench, registered_as: str, conforms: bool
) -> None:
    """TC-OTP-3 and TC-OTP-4 print the two answers to one request."""
    bench.before(request("Register", registered_as), answer("Register", identifier("pad-1"), header=STAMPED))
    stamped_denial = DENIED.replace("$NOW", STAMP)
    assert (bench.differs(DENIED, received("Get", given_out()), GET_PAD) is None) is conforms
    assert (bench.differs(listed("Get", given_out()), stamped_denial, GET_PAD) is None) is conforms


def test_no_other_answer_about_a_pad_is_free(bench: Bench) -> None:
    bench.before(request("Register", pad()), answer("Register", identifier("pad-1"), header=STAMPED))
    other = refusal("Get", "GeneralFailure").replace("$NOW", STAMP)
    assert bench.differs(DENIED, other, GET_PAD) is not None
    assert bench.differs(DENIED, received("Get", given_out(PAD)), GET_PAD) is not None


@pytest.mark.parametrize(("key_format", "conforms"), [("PKCS_12", True), ("Raw", False)])
def test_one_variable_may_stand_for_a_whole_container(bench: Bench, key_format: str, conforms: bool) -> None:
    """TC-PKCS12-1 of 1.4 prints a Key Value of type Byte String."""
    bench.before(*registered("key-1"))
    shape = received("Get", got("00")).replace('"Raw"', f'"{key_format}"')
    printed = shape.replace(PAD, '<KeyValue type="ByteString" value="$KEY_VALUE"/>')
    assert (bench.differs(printed, shape) is None) is conforms


@pytest.mark.parametrize(
    ("given", "conforms"),
    [
        ('<Certificate><CertificateValue type="ByteString" value="00"/></Certificate>', True),
        (pad(PAD), False),
    ],
    ids=["certificate", "key block"],
)
def test_the_server_chooses_the_key_format_type_of_what_has_no_key_block(
    bench: Bench, given: str, conforms: bool
) -> None:
    """TC-CERTATTR-1 of 2.0 prints Raw for a certificate, table 81 of the specification X.509."""
    bench.before(request("Register", given), answer("Register", identifier("key-1"), header=STAMPED))
    listing, answered = (
        wrap("GetAttributes", identifier("key-1"), attribute("Key Format Type", name, "Enumeration"))
        for wrap, name in ((listed, "Raw"), (received, "X_509"))
    )
    asked = request("GetAttributes", identifier("key-1"))
    assert (bench.differs(listing, answered, asked) is None) is conforms


def test_a_value_that_varied_is_remembered_for_the_next_request(bench: Bench) -> None:
    bench.differs(listed("Encrypt", encrypted("00")), received("Encrypt", encrypted("11")))
    assert bench.bindings.replaced == {b"\x00": b"\x11"}


def test_a_date_that_no_request_fixed_may_vary(bench: Bench) -> None:
    dates = [attribute("Initial Date", f"20{year}-01-10T23:33:21+00:00", "DateTime") for year in (13, 24)]
    assert bench.differs(listed("GetAttributes", dates[0]), received("GetAttributes", dates[1])) is None


def test_but_not_its_type(bench: Bench) -> None:
    initial = attribute("Initial Date", "2012-04-27T08:12:22+00:00", "DateTime")
    said = attribute("Initial Date", "2012-04-27", "TextString")
    found = bench.differs(listed("GetAttributes", initial), received("GetAttributes", said))
    assert found is not None
    assert "received '2012-04-27' as TEXT_STRING" in str(found)


def test_a_date_that_a_request_fixed_may_not(bench: Bench) -> None:
    dates = [attribute("Activation Date", f"20{year}-01-10T23:33:21+00:00", "DateTime") for year in (13, 24)]
    bench.fixed_dates = frozenset({1357860801})
    assert bench.differs(listed("GetAttributes", dates[0]), received("GetAttributes", dates[1])) is not None


def test_a_custom_date_is_the_client_s(bench: Bench) -> None:
    dates = [attribute("x-when", f"20{year}-01-10T23:33:21+00:00", "DateTime") for year in (13, 24)]
    assert bench.differs(listed("GetAttributes", dates[0]), received("GetAttributes", dates[1])) is not None


def digest(algorithm: str, value: str) -> str:
    return (
        '<Attribute><AttributeName type="TextString" value="Digest"/><AttributeValue>'
        f'<HashingAlgorithm type="Enumeration" value="{algorithm}"/>'
        f'<DigestValue type="ByteString" value="{value}"/></AttributeValue></Attribute>'
    )


@pytest.mark.parametrize(
    ("algorithm", "value", "conforms"),
    [("SHA_256", "00", True), ("SHA_256", "11", False), ("SHA_512", "11", True)],
)
def test_the_digest_of_a_registered_key_is_known_for_its_algorithm(
    bench: Bench, algorithm: str, value: str, conforms: bool
) -> None:
    bench.before(*registered("key-1"))
    found = bench.differs(
        listed("GetAttributes", identifier("key-1"), digest("SHA_256", "00")),
        received("GetAttributes", identifier("key-1"), digest(algorithm, value)),
    )
    assert (found is None) is conforms


def test_attributes_come_in_any_order(bench: Bench) -> None:
    name, state = attribute("Contact Information", "Joe"), attribute("State", "Active", "Enumeration")
    assert bench.differs(listed("GetAttributes", name, state), received("GetAttributes", state, name)) is None


def test_an_attribute_of_the_listing_may_not_be_missing(bench: Bench) -> None:
    found = bench.differs(listed("GetAttributes", attribute("x-a", "1")), received("GetAttributes"))
    assert found is not None
    assert found.actual == "nothing"


def test_additional_attributes_are_permitted_when_all_were_asked_for(bench: Bench) -> None:
    extra = attribute("x-more", "1")
    asked = request("GetAttributes", identifier("key-1"))
    assert bench.differs(listed("GetAttributes"), received("GetAttributes", extra), asked) is None


@pytest.mark.parametrize(("name", "conforms"), [("x-more", True), ("x-other", False)])
def test_but_only_those_asked_for_when_some_were(bench: Bench, name: str, conforms: bool) -> None:
    asked = request("GetAttributes", '<AttributeName type="TextString" value="x-more"/>')
    found = bench.differs(listed("GetAttributes"), received("GetAttributes", attribute(name, "1")), asked)
    assert (found is None) is conforms


def test_saying_an_attribute_twice_is_no_addition(bench: Bench) -> None:
    state = attribute("State", "Active", "Enumeration")
    asked = request("GetAttributes")
    found = bench.differs(listed("GetAttributes", state), received("GetAttributes", state, state), asked)
    assert found is not None


@pytest.mark.parametrize(
    ("version", "index", "conforms"), [(V1_4, 0, True), (V1_4, 1, False), (V1_0, 0, False)]
)
def test_attribute_index_zero_may_be_said_or_not_since_1_1(
    version: Version, index: int, conforms: bool
) -> None:
    bench = Bench(version=version)
    listing = listed("AddAttribute", attribute("x-a", "1"))
    found = bench.differs(listing, received("AddAttribute", attribute("x-a", "1", index=index)))
    assert (found is None) is conforms


def named(element: str, *names: str) -> str:
    return "".join(f'<{element} type="Enumeration" value="{name}"/>' for name in names)


@pytest.mark.parametrize(
    ("reported", "conforms"),
    [
        (("Query", "Locate", "Get", "RNGSeed"), True),  # another order
        (("Locate", "Query", "Get"), True),  # without one that no profile requires
        (("Locate", "Query", "Get", "RNGSeed", "Hash"), True),  # with one more
        (("Query", "Get", "RNGSeed"), False),  # without Locate, which the Baseline Server has
    ],
)
def test_query_may_report_more_and_must_report_what_profiles_require(
    bench: Bench, reported: tuple[str, ...], conforms: bool
) -> None:
    listing = listed("Query", named("Operation", "Query", "Locate", "Get", "RNGSeed"))
    assert (bench.differs(listing, received("Query", named("Operation", *reported))) is None) is conforms


def test_query_need_not_report_what_the_version_does_not_have(bench: Bench) -> None:
    """SUITEB_192-M-1-20 prints Template, which KMIP 2.0 has no more."""
    listing = listed("Query", named("ObjectType", "Template"))
    assert bench.differs(listing, received("Query")) is not None
    bench.version = V2_0
    assert bench.differs(listing, received("Query")) is None


@pytest.mark.parametrize(("mentioned", "conforms"), [((), True), (("Object Group",), False)])
def test_an_object_group_that_no_request_named_may_be_left_out(
    bench: Bench, mentioned: tuple[str, ...], conforms: bool
) -> None:
    """SKFF-O-6-11 lists an Object Group that the listing's server added by itself."""
    bench.mentioned = frozenset(mentioned)
    listing = listed("GetAttributeList", '<AttributeName type="TextString" value="Object Group"/>')
    assert (bench.differs(listing, received("GetAttributeList")) is None) is conforms


def test_the_length_of_a_granted_lease_is_the_server_s_but_not_the_attribute(bench: Bench) -> None:
    lease = '<LeaseTime type="Interval" value="{}"/>'
    found = bench.differs(
        listed("ObtainLease", lease.format(16)), received("ObtainLease", lease.format(3600))
    )
    assert found is None
    attributes = [attribute("Lease Time", str(seconds), "Interval") for seconds in (16, 3600)]
    found = bench.differs(listed("GetAttributes", attributes[0]), received("GetAttributes", attributes[1]))
    assert found is not None


@pytest.mark.parametrize(
    "reported", ["", '<VendorIdentification type="TextString" value="us"/>'], ids=["none", "another"]
)
def test_vendor_identification_is_the_server_s_own(bench: Bench, reported: str) -> None:
    listing = listed("Query", '<VendorIdentification type="TextString" value="them"/>')
    assert bench.differs(listing, received("Query", reported)) is None


def test_server_information_must_be_there_whatever_it_says(bench: Bench) -> None:
    listing = listed("Query", "<ServerInformation/>")
    filled = '<ServerInformation><ServerName type="TextString" value="us"/></ServerInformation>'
    assert bench.differs(listing, received("Query", filled)) is None
    assert bench.differs(listing, received("Query")) is not None


def test_locate_finds_exactly_what_the_listing_finds(bench: Bench) -> None:
    found = bench.differs(
        listed("Locate", identifier()), received("Locate", identifier("one"), identifier("two"))
    )
    assert found is not None


def protocol(minor: int) -> str:
    return (
        '<ProtocolVersion><ProtocolVersionMajor type="Integer" value="1"/>'
        f'<ProtocolVersionMinor type="Integer" value="{minor}"/></ProtocolVersion>'
    )


@pytest.mark.parametrize(("asked", "conforms"), [("", True), (protocol(0), False)])
def test_more_versions_may_be_discovered_unless_the_client_listed_some(
    bench: Bench, asked: str, conforms: bool
) -> None:
    found = bench.differs(
        listed("DiscoverVersions", protocol(0)),
        received("DiscoverVersions", protocol(1), protocol(0)),
        request("DiscoverVersions", asked),
    )
    assert (found is None) is conforms


def with_message(text: str) -> Callable[[str], str]:
    element = f'<ResultMessage type="TextString" value="{text}"/>' if text else ""
    return lambda message: message.replace("</BatchItem>", f"{element}</BatchItem>")


@pytest.mark.parametrize("said", ["", "DENIED", "another text"])
def test_the_result_message_is_free(bench: Bench, said: str) -> None:
    listing = with_message("DENIED")(refusal("Get", "ItemNotFound"))
    answered = with_message(said)(refusal("Get", "ItemNotFound").replace("$NOW", STAMP))
    assert bench.differs(listing, answered) is None


@pytest.mark.parametrize("value", ["", "A-1"])
def test_correlation_values_in_the_header_are_free(bench: Bench, value: str) -> None:
    element = f'<ServerCorrelationValue type="TextString" value="{value}"/>' if value else ""
    answered = received("Activate").replace("<BatchCount", f"{element}<BatchCount")
    assert bench.differs(listed("Activate"), answered) is None


def test_other_fields_of_the_header_are_not(bench: Bench) -> None:
    answered = received("Activate").replace(
        "<BatchCount", '<BatchOrderOption type="Boolean" value="true"/><BatchCount'
    )
    assert bench.differs(listed("Activate"), answered) is not None


@pytest.mark.parametrize(("minor", "conforms"), [("4", True), ("2", False)])
def test_the_server_asks_as_printed_or_in_the_version_of_the_case(
    bench: Bench, minor: str, conforms: bool
) -> None:
    """TC-NP-2 of 1.2 prints 1.0 above what the server sends."""
    asked = {number: request("Notify").replace('value="4"', f'value="{number}"') for number in ("0", minor)}
    assert bench.differs(asked["0"], asked["0"]) is None
    assert (bench.differs(asked["0"], asked[minor]) is None) is conforms


def test_an_answer_in_another_version_differs(bench: Bench) -> None:
    answered = received("Activate").replace(
        'Minor type="Integer" value="4"', 'Minor type="Integer" value="3"'
    )
    found = bench.differs(listed("Activate"), answered)
    assert found is not None
    assert found.path.endswith("ProtocolVersionMinor")


def test_one_answer_to_two_batch_items_differs(bench: Bench) -> None:
    listing = listed("Activate").replace("</BatchItem>", "</BatchItem><BatchItem/>")
    assert bench.differs(listing, received("Activate")) is not None


def test_what_is_refused_fixes_no_date() -> None:
    """OASIS TC-IMPEXP-3: the dates of an Import that fails are not those of the object."""
    refused = (Tag.RESPONSE_MESSAGE, 1, [(Tag.BATCH_ITEM, 1, [(Tag.RESULT_STATUS, 5, 1)])])
    done = (Tag.RESPONSE_MESSAGE, 1, [(Tag.BATCH_ITEM, 1, [(Tag.RESULT_STATUS, 5, 0)])])
    assert all_refused(refused)
    assert not all_refused(done)
