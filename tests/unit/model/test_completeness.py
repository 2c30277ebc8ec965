"""Every structure of the registry against its declaration, version by version."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.model.convert import tag_name
from strongroom.model.keys import TRANSPARENT
from strongroom.model.struct import Field, Struct, StructMeta
from strongroom.operations.catalogue import all_operations
from strongroom.registry import VERSIONS, KeyFormatType, Version
from strongroom.registry.names import VALUES

all_operations()  # some structures are declared beside the operation that has them

REGISTRY: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "data" / "registry.json").read_text(encoding="utf-8")
)["structures"]

# Names of the registry whose class is called otherwise.
ALIASES = {
    "CredentialValue:AttestationCredential": "Attestation",
    "CredentialValue:DeviceCredential": "Device",
    "CredentialValue:HashedPasswordCredential": "HashedPassword",
    "CredentialValue:OneTimePasswordCredential": "OneTimePassword",
    "CredentialValue:Ticket": "TicketCredential",
    "CredentialValue:UsernameAndPasswordCredential": "UsernameAndPassword",
}
# Lists of attributes and whole messages, which are no Structs; their own tests look at them.
NOT_STRUCTS = {
    "Attribute",
    "AttributeReference",
    "Attributes",
    "CommonAttributes",
    "CommonTemplateAttribute",
    "CurrentAttribute",
    "NewAttribute",
    "PrivateKeyAttributes",
    "PrivateKeyTemplateAttribute",
    "PublicKeyAttributes",
    "PublicKeyTemplateAttribute",
    "RequestMessage",
    "ResponseMessage",
    "TemplateAttribute",
}
# Where a field of ours stands for several of the table's, or has its older name in older versions.
CALLED = {
    "AlternativeFailoverEndpoints": "AlternateFailoverEndpoints",
    "Attribute": "Attributes",
    "Timestamp": "TimeStamp",
}
DIFFERENT = {
    ("ObjectDefaults", "2.1"): "the table has Object Type or Object Types in one place",
    ("ServerInformation", "2.0"): "Vendor-Specific is whatever a vendor puts there; we put nothing",
    ("ServerInformation", "2.1"): "the same",
}


def every_struct(cls: type[Struct] = Struct) -> Iterator[StructMeta]:
    for sub in cls.__subclasses__():
        yield sub
        yield from every_struct(sub)


BY_NAME = {cls.__name__.lower(): cls for cls in every_struct()}


def variants() -> list[Any]:
    return [
        pytest.param(name, variant, version, id=f"{name}-{variant.get('variant') or ''}-{version}")
        for name, entry in REGISTRY.items()
        if name not in NOT_STRUCTS
        for variant in entry["variants"]
        for version in VERSIONS
        if str(version) in variant["versions"]
    ]


def class_of(name: str, variant: str | None) -> StructMeta:
    if variant is not None and name == "KeyMaterial":
        number = next(n for n, entry in VALUES["KeyFormatType"].items() if entry.name == variant)
        return TRANSPARENT[KeyFormatType(number)]
    called = ALIASES.get(f"{name}:{variant}", name)
    return BY_NAME[called.lower().replace("_", "")]


def wire_name(field: Field) -> str:
    assert field.tag is not None
    return tag_name(field.tag)


@pytest.mark.parametrize(("name", "variant", "version"), variants())
def test_fields_are_those_of_the_table_in_its_order(
    name: str, variant: dict[str, Any], version: Version
) -> None:
    ours = [wire_name(f) for f in class_of(name, variant.get("variant")).fields if f.in_version(version)]
    theirs = [CALLED.get(f["name"], f["name"]) for f in variant["fields"]]
    if (name, str(version)) in DIFFERENT:
        assert ours != theirs, "the exception is not needed any more"
        return
    assert ours == theirs
