"""Import (KMIP 1.4 §4.41, 2.x §6.1.25)."""

from typing import Annotated

from strongroom.domain.context import Context
from strongroom.domain.credentials import prepare
from strongroom.domain.errors import InvalidField, PermissionDenied
from strongroom.domain.lifecycle import DESTROYED_STATES
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.provisioning import LinkCredential
from strongroom.model.attribute_list import TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.identifiers import MAXIMUM_BYTES, MAXIMUM_LENGTH, UniqueIdentifier
from strongroom.model.objects import OBJECT_TYPES, WITHOUT_MATERIAL, ManagedObjectStruct, ObjectShape
from strongroom.model.struct import RequiredSince, Since
from strongroom.procedures.creation import embedded, first, stateful
from strongroom.procedures.importing import restore
from strongroom.procedures.unwrapping import examined, unwrap
from strongroom.procedures.wrapping import is_wrapped
from strongroom.registry import (
    V1_4,
    V2_0,
    CryptographicAlgorithm,
    KeyWrapType,
    ObjectType,
    Operation,
    State,
    Tag,
)


class ImportResponse(Response):
    unique_identifier: UniqueIdentifier


class ImportRequest(Request[ImportResponse]):
    """`managed_object` is None for a User, a Group, and what was destroyed before it was exported."""

    unique_identifier: UniqueIdentifier
    object_type: Annotated[ObjectType | None, Since(V2_0), RequiredSince(V2_0)] = None
    replace_existing: bool | None = None
    key_wrap_type: KeyWrapType | None = None
    attributes: Annotated[TemplateAttributes, AttributesShape(Tag.ATTRIBUTES, None, always=True)] = (
        TemplateAttributes()
    )
    managed_object: Annotated[ManagedObjectStruct | None, ObjectShape()] = None


@operation(Operation.IMPORT, since=V1_4, needs=Permission.IMPORT)
async def import_(ctx: Context, request: ImportRequest) -> ImportResponse:
    _check_identifier(request.unique_identifier)
    value, given = request.managed_object, list(request.attributes.attributes)
    object_type, state = _object_type(request), _state(request)
    obj = await ctx.objects.adopt(
        request.unique_identifier,
        object_type,
        state=state,
        replace=bool(request.replace_existing),
    )
    await _require_no_credential(ctx, obj)
    unwrapping = is_wrapped(value) and request.key_wrap_type is KeyWrapType.NOT_WRAPPED
    if value is not None and unwrapping:
        value = await unwrap(ctx, value)
    facts = None
    if value is not None:
        given += embedded(value, given)
        algorithm, length = first(given, Tag.CRYPTOGRAPHIC_ALGORITHM), first(given, Tag.CRYPTOGRAPHIC_LENGTH)
        facts = await examined(
            ctx,
            value,
            algorithm=algorithm if isinstance(algorithm, CryptographicAlgorithm) else None,
            length=length if isinstance(length, int) else None,
            unwrapped=unwrapping,
        )
    obj.material = None if value is None else await prepare(ctx.crypto, value)
    await restore(ctx, obj, given, facts)
    ctx.objects.place(obj.unique_identifier)
    return ImportResponse(unique_identifier=obj.unique_identifier)


async def _require_no_credential(ctx: Context, obj: ManagedObject) -> None:
    """Return unless a client's credential has the identifier: one that was revoked would be good again."""
    kept = await ctx.entries.get(LinkCredential, str(obj.owner))
    if kept is not None and kept.value.certificate == obj.unique_identifier:
        raise PermissionDenied(
            "the object with this Unique Identifier stands for a client's credential, which only Re-Provision"
            " replaces; import under another"
        )


def _check_identifier(unique_identifier: UniqueIdentifier) -> None:
    """Return if an object may have this identifier: one can ask for it, every store can hold it, and it
    stands in logs and on terminals."""
    if not unique_identifier or not unique_identifier.isprintable():
        raise InvalidField("a Unique Identifier has at least one character, and only such as can be printed")
    if len(unique_identifier) > MAXIMUM_LENGTH or len(unique_identifier.encode()) > MAXIMUM_BYTES:
        raise InvalidField(
            f"a Unique Identifier has at most {MAXIMUM_LENGTH} characters, and {MAXIMUM_BYTES} bytes in UTF-8"
        )


def _object_type(request: ImportRequest) -> ObjectType:
    """Return the type of the object; 1.4 says it only by the object itself, or in the attributes."""
    value = request.managed_object
    given = first(request.attributes.attributes, Tag.OBJECT_TYPE)
    said = [t for t in (request.object_type, given) if t is not None]
    if value is not None:
        said.append(OBJECT_TYPES[type(value)])
    if not said or not isinstance(said[0], ObjectType):
        raise InvalidField("Import needs the object itself, and its Object Type")
    if any(t is not said[0] for t in said):
        raise InvalidField("the Object Type is not that of the object in the request")
    return said[0]


def _state(request: ImportRequest) -> State | None:
    """Return the State to start from; raises InvalidField for an object that cannot be in it."""
    object_type = _object_type(request)
    given = first(request.attributes.attributes, Tag.STATE)
    state = stateful(object_type) if given is None else given
    if state is not None and (not isinstance(state, State) or stateful(object_type) is None):
        raise InvalidField("an object of this type cannot be in this State")
    if object_type in WITHOUT_MATERIAL:
        return state
    if (request.managed_object is None) is not (state in DESTROYED_STATES):
        raise InvalidField("Import needs the object itself, unless its State says that it was destroyed")
    return state
