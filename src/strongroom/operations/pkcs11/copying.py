"""C_CopyObject.

Rule: a copy is what Get gives out, registered again; what Get does not give out is not copied.
"""

from typing import Final

from strongroom.model.attribute_list import AttributeInstance, Attributes, TemplateAttributes
from strongroom.operations.get import GetRequest
from strongroom.operations.pkcs11.attributes import ID, LABEL, Shown, Template, changed, template_of
from strongroom.operations.pkcs11.failure import GONE
from strongroom.operations.pkcs11.functions import Call, do, function
from strongroom.operations.pkcs11.objects import taken_in, writable
from strongroom.operations.pkcs11.reading import shown
from strongroom.operations.register import RegisterRequest
from strongroom.registry import KeyWrapType, Tag
from strongroom.registry import PKCS11Function as Function

_COPIED: Final = (Tag.CRYPTOGRAPHIC_USAGE_MASK, Tag.CRYPTOGRAPHIC_PARAMETERS, LABEL, ID)


@function(Function.C_COPYOBJECT)
async def copy_object(call: Call) -> None:
    session = call.session()
    identifier = call.object()
    template = template_of(call.input.template())
    call.input.end()
    lasting = writable(session, template)
    original = await shown(call, identifier)
    got = GetRequest(unique_identifier=identifier, key_wrap_type=KeyWrapType.NOT_WRAPPED)
    response = await do(call, got, codes=GONE)
    request = RegisterRequest(
        object_type=response.object_type,
        managed_object=response.managed_object,
        attributes=TemplateAttributes(attributes=Attributes(_given(call, original, template))),
    )
    made = await do(call, request)
    call.output.ulong(taken_in(call, session, made.unique_identifier, lasting=lasting))


def _given(call: Call, original: Shown, template: Template) -> list[AttributeInstance]:
    """Return the attributes of the copy: those of the original, less what the template says anew."""
    new = changed(template)
    said = {attribute.key for attribute in new}
    kept = [
        AttributeInstance(key, original.first(key))
        for key in _COPIED
        if key not in said and original.first(key) is not None
    ]
    if original.first(Tag.ACTIVATION_DATE) is not None:
        kept.append(AttributeInstance(Tag.ACTIVATION_DATE, call.ctx.now))
    return kept + new
