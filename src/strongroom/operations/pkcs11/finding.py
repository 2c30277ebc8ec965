"""Searching for objects.

Rule: a search is done with Locate when it begins; what it found waits in the session.
"""

from itertools import product

from strongroom.model.attribute_list import (
    AttributeInstance,
    Attributes,
    RawValue,
    TemplateAttributes,
)
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.structures import Name
from strongroom.operations.locate import LocateRequest
from strongroom.operations.pkcs11.attributes import (
    CLASSES,
    ID,
    KEY_TYPES,
    LABEL,
    Template,
    labelled,
    template_of,
    text,
    uses,
)
from strongroom.operations.pkcs11.constants import CKA, CKO
from strongroom.operations.pkcs11.failure import Failure
from strongroom.operations.pkcs11.functions import Call, do, function
from strongroom.operations.pkcs11.state import MAXIMUM_HANDLES
from strongroom.registry import (
    CryptographicUsageMask,
    ItemType,
    Tag,
)
from strongroom.registry import PKCS11Function as Function
from strongroom.registry import PKCS11ReturnCode as Code


@function(Function.C_FINDOBJECTSINIT)
async def find_objects_init(call: Call) -> None:
    session = call.session()
    template = template_of(call.input.template())
    call.input.end()
    if session.found is not None:
        raise Failure(Code.CKR_OPERATION_ACTIVE)
    found: dict[UniqueIdentifier, None] = {}
    for filters in _searches(template):
        request = LocateRequest(
            maximum_items=MAXIMUM_HANDLES, attributes=TemplateAttributes(attributes=Attributes(filters))
        )
        found.update(dict.fromkeys((await do(call, request)).unique_identifier))
    mine = {identifier for s in call.state.sessions.values() for identifier in s.objects}
    token = template.values.get(CKA.TOKEN)
    session.found = [
        call.state.handle_of(identifier)
        for identifier in found
        if token is None or token is (identifier not in mine)
    ]


def _searches(template: Template) -> list[list[AttributeInstance]]:
    """Return the filters of the Locate requests that together find what a template describes.

    What no object has, or nothing can be searched by, finds nothing.
    """
    template.take(CKA.TOKEN)
    cls, key_type, label = (template.take(a) for a in (CKA.CLASS, CKA.KEY_TYPE, CKA.LABEL))
    common: list[AttributeInstance] = []
    for attribute, tag in ((CKA.SENSITIVE, Tag.SENSITIVE), (CKA.EXTRACTABLE, Tag.EXTRACTABLE)):
        value = template.take(attribute)
        if value is not None:
            common.append(AttributeInstance(tag, value))
    identifier, unique = template.take(CKA.ID), template.take(CKA.UNIQUE_ID)
    if identifier is not None:
        common.append(AttributeInstance(ID, RawValue(ItemType.BYTE_STRING, identifier)))
    mask = CryptographicUsageMask(0)
    for flag, bit in uses(CKO(cls) if cls in list(CKO) else CKO.PUBLIC_KEY).items():
        wanted = template.take(CKA(flag))
        if wanted is False:
            return []
        mask |= bit if wanted else CryptographicUsageMask(0)
    if mask:
        common.append(AttributeInstance(Tag.CRYPTOGRAPHIC_USAGE_MASK, mask))
    if template.take(CKA.PRIVATE, True) is False:
        return []
    try:
        template.end()
        labels = _labels(label)
        if unique is not None:
            common.append(AttributeInstance(Tag.UNIQUE_IDENTIFIER, text(unique)))
    except Failure:
        return []
    types = [[AttributeInstance(Tag.OBJECT_TYPE, t)] for t, known in CLASSES.items() if cls in (None, known)]
    algorithms: list[list[AttributeInstance]] = (
        [[]]
        if key_type is None
        else [
            [AttributeInstance(Tag.CRYPTOGRAPHIC_ALGORITHM, a)]
            for a, known in KEY_TYPES.items()
            if known == key_type
        ]
    )
    return [[*t, *a, *lab, *common] for t, a, lab in product(types, algorithms, labels)]


def _labels(label: bytes | None) -> list[list[AttributeInstance]]:
    """Return the ways in which an object may have a label."""
    if label is None:
        return [[]]
    value = labelled(label)
    return [
        [AttributeInstance(LABEL, value)],
        [AttributeInstance(Tag.NAME, Name(name_value=str(value.value)))],
    ]


@function(Function.C_FINDOBJECTS)
async def find_objects(call: Call) -> None:
    session = call.session()
    most = call.input.ulong()
    call.input.end()
    if session.found is None:
        raise Failure(Code.CKR_OPERATION_NOT_INITIALIZED)
    given, session.found = session.found[:most], session.found[most:]
    call.output.numbers(tuple(given))


@function(Function.C_FINDOBJECTSFINAL)
async def find_objects_final(call: Call) -> None:
    session = call.session()
    call.input.end()
    if session.found is None:
        raise Failure(Code.CKR_OPERATION_NOT_INITIALIZED)
    session.found = None
