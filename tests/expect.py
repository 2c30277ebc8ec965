"""What tests of operations say often: make this object, read that attribute, expect this refusal.

Rule: every refusal is also compared with the error tables of the specification (`data/registry.json`): a
Result Reason that the tables do not allow fails the test, whatever the test itself expects.
"""

import json
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

from strongroom.domain.identity import DEFAULT_TENANT, ClientIdentity
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import OperationSpec, Request
from strongroom.model.attribute_list import AttributeInstance, AttributeKey
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import ManagedObjectStruct, OpaqueObject, SecretData, SymmetricKey, Template
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import Name, RevocationReason
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.catalogue import all_operations
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.register import RegisterRequest
from strongroom.operations.revoke import RevokeRequest
from strongroom.registry import (
    V1_4,
    V2_0,
    V2_1,
    V3_0,
    VERSIONS,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    ObjectType,
    OpaqueDataType,
    ResultReason,
    RevocationReasonCode,
    SecretDataType,
    State,
    Tag,
    Version,
)
from strongroom.registry.names import VALUES
from tests.kms import ALICE, Refused, TestKms, attribute, template

AES_128 = bytes(range(16))
MISSING = UniqueIdentifier("00000000-0000-0000-0000-000000000000")
EVERY_USE = CryptographicUsageMask.ENCRYPT | CryptographicUsageMask.DECRYPT

_TABLES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "registry.json").read_text(encoding="utf-8")
)["error_table"]

# Reasons of the message as a whole, which the tables of 1.x do not repeat; and what 2.1 §11.49, the text
# of the Result Reasons themselves, gives to whatever operation meets such an object.
_ALWAYS_IN_1_X = frozenset(
    {"OperationNotSupported", "InvalidMessage", "InvalidField", "PermissionDenied", "ResponseTooLarge"}
)
_ALWAYS_IN_2_X = frozenset({"ObjectArchived", "ObjectDestroyed"})


@cache
def allowed_reasons(operation: str, version: Version) -> frozenset[str]:
    """Return the reasons that the error table of a version has for an operation; 3.0 has no tables."""
    table = _TABLES[str(version)].get(operation)
    if isinstance(table, list) and table and "result_reasons" in table[0]:
        table = table[0]
    always = _ALWAYS_IN_2_X if version >= V2_0 else _ALWAYS_IN_1_X
    if table is None:
        raise LookupError(f"{operation} has no error table in {version}")
    if isinstance(table, dict):
        return frozenset(table["result_reasons"]) | always
    return frozenset(row["result_reason_name"] for row in table if row["result_reason_name"]) | always


def spec_of(request: Request[Any]) -> OperationSpec:
    """Return the operation that a request belongs to."""
    return next(s for s in all_operations().values() if s.request is type(request))


def refusal(
    kms: TestKms, request: Request[Any], *, version: Version = V1_4, caller: ClientIdentity = ALICE
) -> Refused:
    """Return how the server refuses the request; fails if it does not."""
    (result,) = kms.batch(request, version=version, caller=caller)
    assert isinstance(result, Refused), f"{version}: not refused"
    return result


def assert_refused(
    kms: TestKms,
    request: Request[Any],
    oldest: ResultReason,
    newest: ResultReason,
    *,
    since: Version | None = None,
    caller: ClientIdentity = ALICE,
    outside_table: bool = False,
    draft: ResultReason | None = None,
) -> None:
    """Expect one reason from the oldest version that can say the request, another from 2.1 and 3.0.

    `since`: the request uses a field that is younger than the operation.
    `outside_table`: the error table has no line for the case; the test says why the reason is right.
    `draft`: the reason in 3.0, where its cases show another than 2.1 has.
    """
    spec = spec_of(request)
    name = VALUES["Operation"][spec.operation].name
    versions = [v for v in VERSIONS if spec.in_version(v) and (since is None or v >= since)]
    expected = {versions[0]: oldest} | {v: newest for v in (V2_1, V3_0) if v in versions[1:]}
    if draft is not None:
        expected[V3_0] = draft
    if versions[0] >= V2_0:
        assert oldest is newest
    for version, reason in expected.items():
        got = refusal(kms, request, version=version, caller=caller).reason
        assert got is reason, f"KMIP {version}: {got!r}"
        if version < V3_0 and name in _TABLES[str(version)] and not outside_table:
            allowed = allowed_reasons(name, version)
            entry = VALUES["ResultReason"][reason]
            assert entry.name in allowed, f"KMIP {version} does not allow {entry.name} for {name}"


def stored(kms: TestKms, identifier: str) -> ManagedObject:
    """Return an object as it lies in the store."""
    obj = kms.run(kms.repository.load(DEFAULT_TENANT, identifier))
    assert obj is not None
    return obj


def values(kms: TestKms, identifier: str, key: AttributeKey, *, version: Version = V2_1) -> list[Any]:
    """Return the values of an attribute as Get Attributes gives them."""
    request = GetAttributesRequest(unique_identifier=UniqueIdentifier(identifier), attribute_reference=(key,))
    return [a.value for a in kms.call(request, version=version).attributes.attributes]


def value(kms: TestKms, identifier: str, key: AttributeKey, *, version: Version = V2_1) -> Any:
    """Return the only value of an attribute, None when there is none."""
    found = values(kms, identifier, key, version=version)
    assert len(found) <= 1
    return found[0] if found else None


def state_of(kms: TestKms, identifier: str) -> State | None:
    found: State | None = value(kms, identifier, Tag.STATE)
    return found


def named(name: str) -> AttributeInstance:
    return attribute(Tag.NAME, Name(name_value=name))


def mask(bits: CryptographicUsageMask) -> AttributeInstance:
    return attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, bits)


def later(kms: TestKms, **span: float) -> datetime:
    """Return the time that far from the clock of the server."""
    return kms.clock.now() + timedelta(**span)


def key(kms: TestKms, *attributes: AttributeInstance, **given: Any) -> UniqueIdentifier:
    """Return a new AES key, Pre-Active unless a date says otherwise."""
    return kms.create_symmetric_key(*attributes, **given)


def active_key(kms: TestKms, *attributes: AttributeInstance, **given: Any) -> UniqueIdentifier:
    made = key(kms, *attributes, **given)
    kms.call(ActivateRequest(unique_identifier=made))
    return made


def key_in(kms: TestKms, state: State) -> UniqueIdentifier:
    """Return a key that was brought to a state by operations."""
    made = key(kms)
    if state in (State.ACTIVE, State.DEACTIVATED):
        kms.call(ActivateRequest(unique_identifier=made))
    if state is State.DEACTIVATED:
        kms.call(revoke(made))
    if state in (State.COMPROMISED, State.DESTROYED_COMPROMISED):
        kms.call(revoke(made, RevocationReasonCode.KEY_COMPROMISE))
    if state in (State.DESTROYED, State.DESTROYED_COMPROMISED):
        kms.call(DestroyRequest(unique_identifier=made))
    assert state_of(kms, made) is state
    return made


def archived_key(kms: TestKms) -> UniqueIdentifier:
    made = key(kms)
    kms.call(ArchiveRequest(unique_identifier=made))
    return made


def revoke(
    identifier: UniqueIdentifier, code: RevocationReasonCode = RevocationReasonCode.CESSATION_OF_OPERATION
) -> RevokeRequest:
    return RevokeRequest(
        unique_identifier=identifier, revocation_reason=RevocationReason(revocation_reason_code=code)
    )


def raw_key(material: bytes = AES_128, **block: Any) -> SymmetricKey:
    """Return an AES key as Register takes it."""
    block.setdefault("cryptographic_algorithm", CryptographicAlgorithm.AES)
    block.setdefault("cryptographic_length", len(material) * 8)
    return SymmetricKey(
        key_block=KeyBlock(
            key_format_type=KeyFormatType.RAW,
            key_value=KeyValue(key_material=SecretBytes(material)),
            **block,
        )
    )


def password(text: bytes = b"a secret") -> SecretData:
    """Return Secret Data as Register takes it."""
    return SecretData(
        secret_data_type=SecretDataType.PASSWORD,
        key_block=KeyBlock(
            key_format_type=KeyFormatType.OPAQUE,
            key_value=KeyValue(key_material=SecretBytes(text)),
        ),
    )


def opaque(data: bytes = b"anything") -> OpaqueObject:
    """Return an Opaque Object as Register takes it; the only Opaque Data Type is a vendor's."""
    return OpaqueObject(
        opaque_data_type=cast(OpaqueDataType, 0x80000001), opaque_data_value=SecretBytes(data)
    )


def registration(
    object_type: ObjectType, managed_object: ManagedObjectStruct, *attributes: AttributeInstance
) -> RegisterRequest:
    return RegisterRequest(
        object_type=object_type, managed_object=managed_object, attributes=template(*attributes)
    )


def register_key(
    kms: TestKms,
    *attributes: AttributeInstance,
    material: bytes = AES_128,
    usage: CryptographicUsageMask = EVERY_USE,
) -> UniqueIdentifier:
    """Return the identifier of an AES key with this material."""
    request = registration(ObjectType.SYMMETRIC_KEY, raw_key(material), mask(usage), *attributes)
    return kms.call(request).unique_identifier


def register_opaque(kms: TestKms) -> UniqueIdentifier:
    return kms.call(registration(ObjectType.OPAQUE_OBJECT, opaque())).unique_identifier


def register_password(kms: TestKms) -> UniqueIdentifier:
    request = registration(ObjectType.SECRET_DATA, password(), mask(CryptographicUsageMask.VERIFY))
    return kms.call(request).unique_identifier


def register_template(
    kms: TestKms, name: str, *attributes: AttributeInstance, caller: ClientIdentity = ALICE
) -> UniqueIdentifier:
    """Return the identifier of a Template that prescribes the attributes (1.x)."""
    request = registration(ObjectType.TEMPLATE, Template(attributes=template(*attributes)), named(name))
    return kms.call(request, caller=caller).unique_identifier


def key_pair(kms: TestKms, *common: AttributeInstance) -> tuple[UniqueIdentifier, UniqueIdentifier]:
    """Return a new (private, public) pair of EC keys, which are quick to make."""
    made = kms.call(pair_request(*common))
    return made.private_key_unique_identifier, made.public_key_unique_identifier


def pair_request(*common: AttributeInstance) -> CreateKeyPairRequest:
    return CreateKeyPairRequest(
        common_attributes=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.ECDSA),
            attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256),
            *common,
        ),
        private_key_attributes=template(mask(CryptographicUsageMask.SIGN)),
        public_key_attributes=template(mask(CryptographicUsageMask.VERIFY)),
    )
