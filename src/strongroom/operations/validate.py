"""Validate (KMIP 1.0 §4.23, 1.x §4.24, 2.0 §6.1.51, 2.1 §6.1.57)."""

from datetime import datetime

from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidMessage
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.identifiers import ObjectReference
from strongroom.model.objects import Certificate
from strongroom.procedures.chains import MAXIMUM_CERTIFICATES, candidates
from strongroom.registry import V1_0, Operation, ValidityIndicator


class ValidateResponse(Response):
    validity_indicator: ValidityIndicator


class ValidateRequest(Request[ValidateResponse]):
    certificate: tuple[Certificate, ...] = ()
    unique_identifier: tuple[ObjectReference, ...] = ()
    validity_date: datetime | None = None


@operation(Operation.VALIDATE, since=V1_0, needs=Permission.VALIDATE)
async def validate(ctx: Context, request: ValidateRequest) -> ValidateResponse:
    given = len(request.certificate) + len(request.unique_identifier)
    if not 0 < given <= MAXIMUM_CERTIFICATES:
        raise InvalidMessage(f"a chain has between 1 and {MAXIMUM_CERTIFICATES} certificates")
    at = ctx.now if request.validity_date is None else request.validity_date
    chain = await candidates(ctx, request.certificate, request.unique_identifier, at)
    indicator = await ctx.crypto.validate(chain, at)
    return ValidateResponse(validity_indicator=indicator)
