"""Every declaration, compared with the rule tables of the specification, version by version."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from strongroom.attributes.catalogue import THEMES, all_attributes, check_complete
from strongroom.attributes.declaration import (
    ALL_OBJECTS,
    CERTIFICATES,
    CLIENT,
    CREDENTIALS,
    CRYPTOGRAPHIC_OBJECTS,
    DELETE,
    EITHER,
    MODIFY,
    NOT_TEMPLATES,
    SERVER,
    SPLIT_KEYS,
    Attribute,
)
from strongroom.model.convert import decoder, encoder
from strongroom.model.forms import form_of
from strongroom.model.struct import StructMeta
from strongroom.registry import V1_4, VERSIONS, ObjectType, Operation, Tag, Version
from strongroom.registry.names import TAG_BY_NAME

ROOT = Path(__file__).parents[3]
TABLE: dict[str, Any] = json.loads((ROOT / "data" / "registry.json").read_text())["attributes"]

NOT_SUPPORTED = {
    "CertificateAttributes": "the heading of 24 attributes (KMIP 2.1 §4.6), which are declared each",
    "CustomAttribute": "1.x has the names x- and y-, 2.x vendor attributes: attributes/vendor.py",
}

VERSION_DIFFERENCES = {
    # The newest wording is declared; what older versions say besides, by column.
    ("CryptographicAlgorithm", "Applies to Object Types"): "1.x leaves out secret data and opaque objects",
    ("CryptographicLength", "Applies to Object Types"): "1.x leaves out secret data and opaque objects",
    ("CryptographicParameters", "Applies to Object Types"): "1.x leaves out secret data and opaque objects",
    ("CryptographicUsageMask", "Applies to Object Types"): "1.x leaves out opaque objects",
    ("ActivationDate", "Applies to Object Types"): "1.x leaves out opaque objects",
    ("DeactivationDate", "Applies to Object Types"): "1.x leaves out opaque objects",
    ("ProcessStartDate", "Applies to Object Types"): "1.x has it for symmetric keys only",
    ("ProtectStopDate", "Applies to Object Types"): "1.x has it for symmetric keys only",
    ("UsageLimits", "Applies to Object Types"): "1.x has them for keys only",
    ("State", "Applies to Object Types"): "1.4 errata 01 §2.3 takes the restriction back",
    ("LeaseTime", "Applies to Object Types"): "1.x leaves out opaque objects",
    ("Link", "Applies to Object Types"): "1.x leaves out opaque objects",
    ("Fresh", "Applies to Object Types"): "1.x leaves out opaque objects",
    ("Fresh", "SHALL always have a value"): "1.x says No; the server always gives it one",
    ("RandomNumberGenerator", "Applies to Object Types"): "1.x leaves out opaque objects",
    ("PKCS_12FriendlyName", "Applies to Object Types"): "1.4 leaves out opaque objects",
    ("KeyValueLocation", "Applies to Object Types"): "1.x leaves out public keys",
    ("KeyValuePresent", "Applies to Object Types"): "1.x leaves out public keys",
    ("CompromiseDate", "Applies to Object Types"): "the same objects, said longer",
    ("CompromiseOccurrenceDate", "Applies to Object Types"): "the same objects, said longer",
    ("RevocationReason", "Applies to Object Types"): "the same objects, said longer",
    ("DestroyDate", "Applies to Object Types"): "the same objects, said longer",
    ("Digest", "Applies to Object Types"): "the same objects, said longer",
    ("DigitalSignatureAlgorithm", "Applies to Object Types"): "1.1 leaves out PGP keys",
    ("CryptographicDomainParameters", "Applies to Object Types"): "the same keys; 2.x has no Templates",
}

WITH_TEMPLATES = {"LeaseTime": "the table of 1.x leaves them out, test case TC-312 of 1.2 shows one"}

DISTINGUISHED_NAME = (
    *("CN", "O", "OU", "Email", "C", "ST", "L"),
    *("UID", "SerialNumber", "Title", "DC", "DNQualifier"),
)

DEVIATIONS = {
    ("CredentialLink", "Multiple instances permitted"): "test case BL-M-19 of 3.0 repeats it",
    ("GroupLink", "Multiple instances permitted"): "a user belongs to any number of groups",
    ("JoinedSplitKeyPartsLink", "Multiple instances permitted"): "a joined key has several parts",
}

EARLIER = {
    # 1.4 §9.1.3.1 has the tags of the parts of distinguished names, and test case TC-CERTATTR-1 of 1.4 the
    # attributes; the rule table came with 2.0.
    **{f"CertificateSubject{part}": V1_4 for part in DISTINGUISHED_NAME},
    **{f"CertificateIssuer{part}": V1_4 for part in DISTINGUISHED_NAME},
}


def version_of(text: str) -> Version:
    major, minor = text.split(".")
    return next(v for v in VERSIONS if (v.major, v.minor) == (int(major), int(minor)))


def declaration(title: str) -> Attribute:
    return all_attributes()[Tag(TAG_BY_NAME[title])]


def says_yes(text: str | None) -> bool:
    return (text or "").startswith("Yes")


def setter_of(text: str) -> Any:
    if "Server" in text and "Client" in text:
        return EITHER
    return SERVER if text == "Server" else CLIENT


def types_of(text: str, *, templates: bool) -> frozenset[ObjectType]:
    """Return the object types of a table's cell; `templates`: a 1.x table names them, or all objects."""
    kinds = {
        "All Objects": NOT_TEMPLATES,
        "Certificates": CERTIFICATES,
        "X.509 Certificates": CERTIFICATES,
        "Certificates, PGP keys": CERTIFICATES | {ObjectType.PGP_KEY},
        "Public Keys, Private Keys": frozenset({ObjectType.PUBLIC_KEY, ObjectType.PRIVATE_KEY}),
        "Opaque Objects": frozenset({ObjectType.OPAQUE_OBJECT}),
        "Split Key": SPLIT_KEYS,
        "Cryptographic Objects": CRYPTOGRAPHIC_OBJECTS,
        "Credential Objects": CREDENTIALS,
    }
    return kinds[text] | ({ObjectType.TEMPLATE} if templates else set())


ROWS = sorted(set(TABLE) - set(NOT_SUPPORTED))


def test_every_attribute_of_the_registry_is_declared_or_listed_with_a_reason() -> None:
    declared = set(all_attributes())
    assert {Tag(TAG_BY_NAME[title]) for title in ROWS} == declared
    assert set(NOT_SUPPORTED) <= set(TABLE)
    assert len(TABLE) == 128


def test_every_theme_of_the_folder_is_loaded() -> None:
    folder = ROOT / "src" / "strongroom" / "attributes"
    declaring = {p.stem for p in folder.glob("*.py") if "= attribute(\n" in p.read_text()}
    assert set(THEMES) == declaring - {"declaration"}
    check_complete()


@pytest.mark.parametrize("title", ROWS)
def test_versions_are_those_of_the_registry(title: str) -> None:
    row, attribute = TABLE[title], declaration(title)
    assert attribute.since == EARLIER.get(title, version_of(row["since"]))
    assert attribute.until == (None if row["until"] is None else version_of(row["until"]))
    assert attribute.name == row["spec_name"]


@pytest.mark.parametrize("title", ROWS)
def test_rules_are_those_of_the_newest_table(title: str) -> None:
    attribute, rules = declaration(title), TABLE[title]["variants"][-1]["rules"]
    declared = {
        "SHALL always have a value": attribute.always_has_value,
        "Initially set by": attribute.initially_set_by,
        "Modifiable by server": MODIFY in attribute.server_may,
        "Modifiable by client": MODIFY in attribute.client_may,
        "Deletable by client": DELETE in attribute.client_may,
        "Multiple instances permitted": attribute.multiple,
    }
    for column, value in declared.items():
        said = setter_of(rules[column]) if column == "Initially set by" else says_yes(rules[column])
        if (title, column) in DEVIATIONS:
            assert said != value, "the deviation is none any more"
        else:
            assert said == value, column


@pytest.mark.parametrize("title", ROWS)
def test_object_types_are_those_of_the_newest_table_and_of_templates_in_1_x(title: str) -> None:
    variants = TABLE[title]["variants"]
    column = "Applies to Object Types"
    older = [v["rules"][column] for v in variants if v["versions"][0].startswith("1.")]
    templates = any(text == "All Objects" or "Templates" in text for text in older[-1:])
    templates = templates or title in WITH_TEMPLATES
    assert declaration(title).applies_to == types_of(variants[-1]["rules"][column], templates=templates)


@pytest.mark.parametrize("title", ROWS)
def test_a_difference_between_versions_is_listed_with_a_reason(title: str) -> None:
    variants = [v["rules"] for v in TABLE[title]["variants"]]
    columns = {
        column
        for column in variants[-1]
        if column not in ("When implicitly set", "Initially set by", "Modifiable by client")
        if any(normal(rules[column], column) != normal(variants[-1][column], column) for rules in variants)
    }
    assert columns == {column for other, column in VERSION_DIFFERENCES if other == title}


def normal(text: str | None, column: str) -> object:
    if column == "Applies to Object Types":
        parts = (part.strip() for part in (text or "").replace(" ,", ",").split(","))
        return {part for part in parts if part != "Templates"}
    return says_yes(text)


def test_what_is_set_implicitly_is_set_by_the_operations_of_the_newest_table() -> None:
    prose = {"During Register operation", "Never", "N/A", "Join Key"}
    for title in ROWS:
        text = TABLE[title]["variants"][-1]["rules"].get("When implicitly set") or ""
        said = set()
        for part in text.replace("Activate Certify", "Activate, Certify").split(","):
            for words in part.replace("Revoke Certify", "Revoke, Certify").split(","):
                member = words.strip().upper().replace(" ", "_").replace("-", "_")
                if member in Operation.__members__:
                    said.add(Operation[member])
                else:
                    assert words.strip() in prose or words.strip()[:4] in ("", "When"), words
        assert declaration(title).implicitly_set_by == said, title


@pytest.mark.parametrize("title", ROWS)
def test_every_attribute_has_a_form_on_the_wire_in_every_version(title: str) -> None:
    attribute = declaration(title)
    for version in (None, *VERSIONS):
        if isinstance(attribute.kind, StructMeta):
            decoder(attribute.kind, version, partial=True)
            encoder(attribute.kind, version)
        else:
            form_of(attribute.kind, attribute.marker).encoder(version)


def test_the_item_type_is_that_of_the_registry() -> None:
    names = {1: "Structure", 2: "Integer", 3: "LongInteger", 5: "Enumeration", 6: "Boolean", 7: "TextString",
             8: "ByteString", 9: "DateTime", 10: "Interval"}  # fmt: skip
    for title in ROWS:
        said, attribute = TABLE[title]["type"], declaration(title)
        if said is None:
            continue
        structure = isinstance(attribute.kind, StructMeta)
        item_type = 1 if structure else form_of(attribute.kind, attribute.marker).item_types[0]
        assert names[item_type] == said, title


def test_no_attribute_that_always_has_a_value_can_be_deleted() -> None:
    """KMIP 2.1 §6.1.13: attributes that are always REQUIRED to have a value SHALL never be deleted."""
    assert not [a.name for a in all_attributes().values() if a.always_has_value and DELETE in a.client_may]


def test_conditions_belong_to_attributes_that_a_client_may_change() -> None:
    for attribute in all_attributes().values():
        assert attribute.modifiable_while is None or MODIFY in attribute.client_may
        assert attribute.deletable_while is None or DELETE in attribute.client_may
        assert attribute.applies_to <= ALL_OBJECTS


@pytest.mark.parametrize("first", ["attributes.rotation", "operations.create", "procedures.creation"])
def test_the_order_of_attributes_does_not_depend_on_what_is_imported_first(first: str) -> None:
    program = (
        f"import strongroom.{first}\n"
        "from strongroom.attributes.declaration import declared\n"
        "print(*(tag.name for tag in declared()))"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert printed.stdout.split() == [tag.name for tag in all_attributes()]
    assert printed.stdout.startswith("UNIQUE_IDENTIFIER SHORT_UNIQUE_IDENTIFIER ")
