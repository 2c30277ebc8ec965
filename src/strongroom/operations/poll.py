"""Poll (KMIP 1.4 §4.28, 2.1 §6.1.38)."""

from typing import Annotated

from strongroom.domain.asynchronous import find
from strongroom.domain.context import Context
from strongroom.domain.errors import ObjectDestroyed
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Tagged
from strongroom.model.structures import ProtocolVersion
from strongroom.procedures.retrieval import check_free
from strongroom.registry import V1_0, Operation, Tag


class PollResponse(Response):
    """Nothing of its own: the operation that was asked for is still pending."""


class PolledResponse(PollResponse):
    """The answer of the operation that was asked for, given out as it is.

    `batch_item` is the TTLV of a batch item in `protocol_version`.
    """

    protocol_version: ProtocolVersion
    batch_item: Annotated[SecretBytes, Tagged(Tag.BATCH_ITEM)]


class PollRequest(Request[PollResponse]):
    asynchronous_correlation_value: bytes


@operation(Operation.POLL, since=V1_0, needs=Permission.NONE, deferrable=False)
async def poll(ctx: Context, request: PollRequest) -> PollResponse:
    waiting = await find(ctx, request.asynchronous_correlation_value)
    answer = waiting.item.answer
    if answer is None:
        return PollResponse()
    for one in waiting.item.given:
        # Raises what the operation itself would be refused with by now.
        permission = Permission(one.permission)
        obj = await ctx.objects.get(UniqueIdentifier(one.unique_identifier), permission=permission)
        if permission is not Permission.DECRYPT:
            check_free(obj, concealed=one.sensitive)
    if waiting.item.withdrawn:
        raise ObjectDestroyed(
            "the object was destroyed or replaced before this was fetched; ask for it again"
        )
    await waiting.obtain(ctx)
    return PolledResponse(protocol_version=waiting.batch.value.protocol_version, batch_item=answer)
