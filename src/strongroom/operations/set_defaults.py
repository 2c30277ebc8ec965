"""Set Defaults (KMIP 2.1 §6.1.53)."""

from strongroom.attributes.rules import accepted, require_requestable
from strongroom.attributes.vendor import rule_of
from strongroom.domain.access import require_everything
from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField, KmipError
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.factory import DefaultsInformation
from strongroom.procedures.factory import FactoryDefaults, check_size, key_of
from strongroom.registry import V2_1, ObjectType, Operation


class SetDefaultsResponse(Response):
    """Nothing."""


class SetDefaultsRequest(Request[SetDefaultsResponse]):
    defaults_information: DefaultsInformation | None = None  # None: there are to be none


@operation(Operation.SET_DEFAULTS, since=V2_1, needs=Permission.SET_DEFAULTS)
async def set_defaults(ctx: Context, request: SetDefaultsRequest) -> SetDefaultsResponse:
    wanted = request.defaults_information
    require_everything(ctx.caller, Operation.SET_DEFAULTS)
    before = await ctx.entries.get(FactoryDefaults, key_of(ctx.caller))
    if wanted is None or not wanted.object_defaults:
        if before is not None:
            ctx.entries.remove(before)
        return SetDefaultsResponse()
    for one in wanted.object_defaults:
        if not one.types:
            raise InvalidField("each Object Defaults names the Object Type, or Object Types, that it is for")
        for instance in one.attributes.attributes:
            _check(instance, one.types)
    kept = FactoryDefaults(defaults_information=wanted)
    check_size(kept)
    ctx.entries.put(key_of(ctx.caller), kept)
    return SetDefaultsResponse()


def _check(default: AttributeInstance, types: frozenset[ObjectType]) -> None:
    """Return if the requests that make objects of the types may say this; raises InvalidField."""
    try:
        rule = rule_of(default.key)
        require_requestable(default.key, rule)
        accepted(rule, default.value)
    except KmipError as error:
        raise InvalidField(f"a default cannot be used: {error.message}") from error
    if not types <= rule.applies_to:
        raise InvalidField("an attribute of the defaults does not apply to the Object Type they are for")
