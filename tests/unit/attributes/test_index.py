"""The index finds what the filters mean: never less, and not more unless the plan says so."""

from datetime import timedelta
from typing import Any

from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st

from strongroom.attributes.conditions import effective_state
from strongroom.attributes.index import ORDERED, Plan, changed_terms, filter_terms, terms
from strongroom.attributes.rules import matches
from strongroom.domain.objects import ManagedObject
from strongroom.model.attribute_list import AttributeInstance, RawValue, VendorAttribute
from strongroom.model.objects import Certificate
from strongroom.model.struct import StructMeta
from strongroom.model.structures import (
    AlternativeName,
    ApplicationSpecificInformation,
    CertificateSubject,
    CryptographicParameters,
    Digest,
    Link,
    Name,
    UsageLimits,
)
from strongroom.registry import (
    AlternativeNameType,
    BlockCipherMode,
    CertificateType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    HashingAlgorithm,
    ItemType,
    KeyFormatType,
    LinkType,
    NameType,
    NISTKeyType,
    ObjectType,
    PaddingMethod,
    ProtectionStorageMask,
    State,
    Tag,
    UsageLimitsUnit,
)
from strongroom.store import records
from tests.unit.attributes.objects import NOW, aes_key, aes_material, blank, custom, given, name

TEXT = st.sampled_from(["a", "b", "", "é", "a" * 64, "a" * 65, "a" * 64 + "b"])
BYTES = TEXT.map(str.encode)
DATE = st.integers(-2, 2).map(lambda hours: NOW + timedelta(hours=hours))
BOOL = st.booleans()

RAW = st.one_of(
    st.builds(RawValue, st.just(ItemType.TEXT_STRING), TEXT),
    st.builds(RawValue, st.just(ItemType.BYTE_STRING), BYTES),
    st.builds(RawValue, st.sampled_from([2, 3, 4, 5, 9, 10, 17]), st.integers(-2, 2)),
    st.builds(RawValue, st.just(ItemType.BIG_INTEGER), st.sampled_from([2**70, -(2**70)])),
    st.builds(RawValue, st.just(ItemType.BOOLEAN), BOOL),
    st.builds(
        RawValue,
        st.just(ItemType.STRUCTURE),
        st.lists(st.sampled_from([(0x540001, 7, "a"), (0x540002, 2, 1)]), max_size=2),
    ),
)


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


STORED: dict[Any, st.SearchStrategy[Any]] = {
    Tag.NAME: st.builds(Name, name_value=TEXT, name_type=st.sampled_from(NameType)),
    Tag.ALTERNATIVE_NAME: st.builds(
        AlternativeName,
        alternative_name_value=TEXT,
        alternative_name_type=st.sampled_from(AlternativeNameType),
    ),
    Tag.APPLICATION_SPECIFIC_INFORMATION: st.builds(
        ApplicationSpecificInformation, application_namespace=TEXT, application_data=optional(TEXT)
    ),
    Tag.LINK: st.builds(
        Link,
        link_type=st.sampled_from([LinkType.NEXT_LINK, LinkType.PARENT_LINK]),
        linked_object_identifier=TEXT,
    ),
    Tag.CRYPTOGRAPHIC_PARAMETERS: st.builds(
        CryptographicParameters,
        block_cipher_mode=optional(st.sampled_from([BlockCipherMode.CBC, BlockCipherMode.GCM])),
        padding_method=optional(st.sampled_from([PaddingMethod.NONE, PaddingMethod.PKCS5])),
        random_iv=optional(BOOL),
        tag_length=optional(st.integers(0, 1)),
    ),
    Tag.DIGEST: st.builds(
        Digest,
        hashing_algorithm=st.sampled_from([HashingAlgorithm.SHA_1, HashingAlgorithm.SHA_256]),
        digest_value=optional(BYTES),
        key_format_type=optional(st.sampled_from([KeyFormatType.RAW, KeyFormatType.PKCS_8])),
    ),
    Tag.CERTIFICATE_SUBJECT: st.builds(
        CertificateSubject,
        certificate_subject_distinguished_name=TEXT,
        certificate_subject_alternative_name=st.lists(TEXT, max_size=2).map(tuple),
    ),
    Tag.USAGE_LIMITS: st.builds(
        UsageLimits,
        usage_limits_total=st.integers(0, 3),
        usage_limits_count=st.integers(0, 3),
        usage_limits_unit=st.sampled_from(UsageLimitsUnit),
    ),
    Tag.CRYPTOGRAPHIC_ALGORITHM: st.sampled_from([CryptographicAlgorithm.AES, CryptographicAlgorithm.RSA]),
    Tag.CRYPTOGRAPHIC_LENGTH: st.sampled_from([128, 256]),
    Tag.CRYPTOGRAPHIC_USAGE_MASK: st.integers(0, 7).map(CryptographicUsageMask),
    Tag.ACTIVATION_DATE: DATE,
    Tag.DEACTIVATION_DATE: DATE,
    Tag.ORIGINAL_CREATION_DATE: DATE,
    Tag.LAST_CHANGE_DATE: DATE,
    Tag.FRESH: BOOL,
    Tag.SENSITIVE: BOOL,
    Tag.EXTRACTABLE: BOOL,
    Tag.LEASE_TIME: st.integers(0, 1),
    Tag.NIST_KEY_TYPE: st.sampled_from(list(NISTKeyType)[:2]),
    Tag.OBJECT_GROUP: TEXT,
    Tag.CREDENTIAL_LINK: TEXT,
    Tag.COMMENT: TEXT,
    # What computed attributes are made of when the material does not tell.
    Tag.SHORT_UNIQUE_IDENTIFIER: BYTES,
    Tag.CERTIFICATE_TYPE: st.sampled_from(CertificateType),
    Tag.CERTIFICATE_LENGTH: st.integers(1, 2),
    VendorAttribute("x", "a"): RAW,
    VendorAttribute("x", "b" * 70): RAW,
    VendorAttribute("vendor", "a"): RAW,
}
COMPUTED: dict[Any, st.SearchStrategy[Any]] = {
    Tag.OBJECT_TYPE: st.sampled_from(
        [ObjectType.SYMMETRIC_KEY, ObjectType.SECRET_DATA, ObjectType.CERTIFICATE]
    ),
    Tag.STATE: st.sampled_from(State),
    Tag.UNIQUE_IDENTIFIER: st.sampled_from([aes_key().unique_identifier, "other"]),
    Tag.KEY_FORMAT_TYPE: st.sampled_from([KeyFormatType.RAW, KeyFormatType.PKCS_1]),
    Tag.KEY_VALUE_PRESENT: BOOL,
    Tag.PROTECTION_STORAGE_MASK: st.integers(0, 3).map(ProtectionStorageMask),
    Tag.NEXT_LINK: TEXT,
    Tag.KEY_BLOCK: st.just(1),
    VendorAttribute("", "Colour"): RAW,
}
MULTIPLE = (
    Tag.NAME, Tag.ALTERNATIVE_NAME, Tag.APPLICATION_SPECIFIC_INFORMATION, Tag.LINK, Tag.DIGEST,
    Tag.CRYPTOGRAPHIC_PARAMETERS, Tag.NIST_KEY_TYPE, Tag.OBJECT_GROUP, Tag.CREDENTIAL_LINK,
)  # fmt: skip


@st.composite
def objects(draw: st.DrawFn) -> ManagedObject:
    """Any attributes, whether or not a client might set them."""
    obj = blank(
        draw(COMPUTED[Tag.OBJECT_TYPE]),
        state=draw(st.sampled_from([None, *State])),
        material=draw(st.sampled_from([None, aes_material()])),
    )
    for key in draw(st.sets(st.sampled_from(list(STORED)), max_size=8)):
        multiple = key in MULTIPLE or isinstance(key, VendorAttribute)
        for value in draw(st.lists(STORED[key], min_size=1, max_size=3 if multiple else 1)):
            obj.add(key, value)
    return obj


@st.composite
def filters(draw: st.DrawFn, obj: ManagedObject) -> list[AttributeInstance]:
    """Some from the object, so that they match; some not; structures with fields left out."""
    chosen: list[AttributeInstance] = []
    pool = STORED | COMPUTED
    for _ in range(draw(st.integers(0, 3))):
        present = [i for instances in obj.attributes.values() for i in instances]
        if bool(present) and draw(BOOL):
            key, value, _ = draw(st.sampled_from(present))
        else:
            key = draw(st.sampled_from(list(pool)))
            value = draw(pool[key])
        for one in [value, *draw(st.lists(pool[key], max_size=1))]:
            chosen.append(AttributeInstance(key, draw(parts(one))))
    return chosen


@st.composite
def parts(draw: st.DrawFn, value: Any) -> Any:
    """Leave out some fields of a structure, as a decoded filter has them."""
    if not isinstance(type(value), StructMeta):
        return value
    left_out = {f.name: () if f.repeated else None for f in type(value).fields if draw(BOOL)}
    return value.replace(**left_out)


def is_found(obj: ManagedObject, plan: Plan) -> bool:
    """Do what SQL does with a plan."""
    have = terms(obj)
    mask = int(obj.value(Tag.CRYPTOGRAPHIC_USAGE_MASK) or 0)
    return (
        plan.object_type in (None, obj.object_type)
        and plan.state in (None, effective_state(obj, NOW))
        and plan.unique_identifier in (None, obj.unique_identifier)
        and mask & plan.usage_mask == plan.usage_mask
        and have.issuperset(plan.terms)
        and all(any(low <= term <= high for term in have) for low, high in plan.ranges)
    )


@settings(max_examples=600, deadline=None)
@forall(data=st.data())
def test_the_index_agrees_with_the_meaning_of_the_filters(data: st.DataObject) -> None:
    obj = data.draw(objects())
    wanted = data.draw(filters(obj))
    plan = filter_terms(wanted)
    if matches(obj, wanted, NOW):
        assert plan is not None
        assert is_found(obj, plan)
    elif plan is not None and not plan.examined:
        assert not is_found(obj, plan)


@settings(max_examples=200, deadline=None)
@forall(old=objects(), data=st.data())
def test_changed_terms_lead_from_the_old_terms_to_the_new(old: ManagedObject, data: st.DataObject) -> None:
    new = old.copy()
    for key in data.draw(st.sets(st.sampled_from([*old.attributes, Tag.COMMENT]))):
        new.set(key, data.draw(optional(STORED[key])))
    new.material = data.draw(st.sampled_from([old.material, None]))
    added, removed = changed_terms(old, new)
    assert (terms(old) - removed) | added == terms(new)
    assert not added & terms(old)


def test_a_certificate_that_is_destroyed_is_found_by_what_it_was() -> None:
    value = Certificate(certificate_type=CertificateType.X_509, certificate_value=bytes(5))
    old = blank(ObjectType.CERTIFICATE, state=State.DEACTIVATED, material=value)
    old.set(Tag.CERTIFICATE_TYPE, CertificateType.X_509)
    old.set(Tag.CERTIFICATE_LENGTH, 5)
    new = old.copy()
    new.material = None
    added, removed = changed_terms(old, new)
    assert (terms(old) - removed) | added == terms(new)
    plan = filter_terms([given(Tag.CERTIFICATE_LENGTH, 5)])
    assert plan is not None
    assert is_found(new, plan)


def test_a_plain_key_with_a_name_has_at_most_twelve_terms() -> None:
    key = aes_key(
        original_creation_date=NOW, last_change_date=NOW, activation_date=NOW, fresh=True, lease_time=3600
    )
    key.set(Tag.DIGEST, Digest(hashing_algorithm=HashingAlgorithm.SHA_256, digest_value=bytes(32)))
    key.add(Tag.NAME, name("a").value)
    assert len(terms(key)) <= 12


def test_a_name_is_found_by_one_term() -> None:
    plan = filter_terms([name("a")])
    assert plan is not None
    assert plan == Plan(terms=plan.terms)
    assert len(plan.terms) == 1


def test_a_long_value_makes_a_short_term() -> None:
    key = blank()
    key.add(VendorAttribute("x" * 500, "y" * 500), RawValue(ItemType.TEXT_STRING, "z" * 5000))
    key.set(Tag.COMMENT, "c" * 5000)
    assert max(map(len, terms(key))) <= records.MAX_TERM // 4


def test_dates_and_nothing_else_are_ordered_terms() -> None:
    assert ORDERED == records.ORDERED
    key = blank()
    key.set(Tag.ACTIVATION_DATE, NOW)
    key.set(Tag.COMMENT, "c")
    key.add(VendorAttribute("x", "d"), RawValue(ItemType.DATE_TIME, -5))
    rest = custom("t", "v")
    key.add(rest.key, rest.value)
    ordered = [term for term in terms(key) if term[0] >= ORDERED]
    assert len(ordered) == 2
    assert len(terms(key)) == 5  # and the comment, the text, the Short Unique Identifier


def test_terms_of_dates_sort_as_the_dates_do() -> None:
    plan = filter_terms(
        [given(Tag.INITIAL_DATE, NOW), given(Tag.INITIAL_DATE, NOW - timedelta(days=365 * 100))]
    )
    assert plan is not None
    ((low, high),) = plan.ranges
    assert low < high


def test_two_columns_that_contradict_each_other_find_nothing() -> None:
    assert filter_terms([given(Tag.STATE, State.ACTIVE), given(Tag.STATE, State.PRE_ACTIVE)]) is None


def test_an_unknown_attribute_finds_nothing() -> None:
    assert filter_terms([given(Tag.KEY_BLOCK, 1)]) is None
