"""Every declared operation against the tables of the specification, version by version."""

import json
from pathlib import Path
from typing import Any

import pytest

from strongroom.model.attribute_shapes import AttributeReferenceShape, AttributesShape, SingleAttributeShape
from strongroom.model.convert import tag_name
from strongroom.model.objects import ObjectShape
from strongroom.model.struct import Field, Implied, StructMeta
from strongroom.operations.catalogue import all_operations, all_operations_of_clients
from strongroom.operations.not_supported import NOT_SUPPORTED
from strongroom.registry import V2_0, VERSIONS, Operation, Version
from strongroom.registry.names import VALUES
from strongroom.registry.versions import parse_version

REGISTRY: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "data" / "registry.json").read_text(encoding="utf-8")
)["operations"]

# Where the tables and the text disagree, or where we know better; each with the reason.
DIFFERENT = {
    ("CreateSplitKey", "response", "1.2"): "test cases of 1.2 have no Object Type, nor has 1.3",
    ("JoinSplitKey", "response", "1.2"): "test cases of 1.2 have no Object Type, nor has 1.3",
    (
        "Query_ServerToClient",
        "request",
        "1.3",
    ): "the tables are those of Discover Versions; the text is right",
    ("Query_ServerToClient", "response", "1.3"): "as the request",
    ("Query_ServerToClient", "request", "1.4"): "as in 1.3",
    ("Query_ServerToClient", "response", "1.4"): "as in 1.3",
}
EARLIER = {
    "DiscoverVersions_ServerToClient": (
        {"1.3", "1.4"},
        "test cases of 1.3 and 1.4 have it; the text has not",
    ),
}
TO_CLIENT = "server-to-client"


def wire_name(field: Field, version: Version) -> str | None:
    """Return the element name of a field in a version; None for 'any managed object'."""
    match field.marker:
        case ObjectShape():
            return None
        case AttributesShape(wrapper=wrapper, older=older):
            if version >= V2_0:
                return tag_name(wrapper)
            return "Attribute" if older is None else tag_name(older)
        case SingleAttributeShape(wrapper=wrapper):
            return tag_name(wrapper) if version >= V2_0 else "Attribute"
        case AttributeReferenceShape():
            return "AttributeReference" if version >= V2_0 else "AttributeName"
    assert field.tag is not None
    return tag_name(field.tag)


def variants() -> list[Any]:
    return [
        pytest.param(name, variant, version, id=f"{name}-{version}")
        for name, entry in REGISTRY.items()
        if name not in NOT_SUPPORTED
        for variant in entry["variants"]
        for version in variant["versions"]
    ]


def spec_of(name: str) -> Any:
    if REGISTRY[name]["direction"] == TO_CLIENT:
        return all_operations_of_clients()[Operation(int(REGISTRY[name]["operation_value"], 16))]
    code = next(v for v, e in VALUES["Operation"].items() if e.name == name)
    return all_operations()[Operation(code)]


@pytest.mark.parametrize(("name", "variant", "version"), variants())
def test_payload_fields_are_those_of_the_table_in_its_order(
    name: str, variant: dict[str, Any], version: str
) -> None:
    spec, at = spec_of(name), parse_version(version)
    for side, cls in (("request", spec.request), ("response", spec.response)):
        if (name, side, version) in DIFFERENT:
            continue
        ours = fields(cls, at)
        table = variant.get("message", []) if side == "request" else []  # of Put and Notify
        wanted = [None if f["name"] == "AllObjects" else f["name"] for f in variant.get(side, table)]
        assert ours == wanted, f"{name} {side} {version}"


def fields(cls: StructMeta, version: Version) -> list[str | None]:
    return [
        wire_name(f, version)
        for f in cls.fields
        if f.in_version(version) and not isinstance(f.marker, Implied)
    ]


@pytest.mark.parametrize("name", [n for n in REGISTRY if n not in NOT_SUPPORTED])
def test_an_operation_exists_in_the_versions_that_define_it(name: str) -> None:
    spec, entry = spec_of(name), REGISTRY[name]
    defined = {v for variant in entry["variants"] for v in variant["versions"]}
    defined |= EARLIER[name][0] if name in EARLIER else set()
    assert {str(v) for v in VERSIONS if spec.in_version(v)} == defined


def test_every_operation_has_a_file_or_a_reason() -> None:
    done = {VALUES["Operation"][code].name for code in all_operations()}
    for code in all_operations_of_clients():
        name = VALUES["Operation"][code].name
        done.add(name if REGISTRY.get(name, {}).get("direction") == TO_CLIENT else f"{name}_ServerToClient")
    assert done.isdisjoint(NOT_SUPPORTED)
    assert done | set(NOT_SUPPORTED) == set(REGISTRY)
