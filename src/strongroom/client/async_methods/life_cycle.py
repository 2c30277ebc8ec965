"""The states of an object."""

from datetime import datetime

from strongroom.client.async_methods.core import AsyncCore
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.structures import RevocationReason
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.deactivate import DeactivateRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.operations.revoke import RevokeRequest
from strongroom.registry import V3_0, RevocationReasonCode


class AsyncLifeCycle(AsyncCore):
    """The states of an object."""

    async def activate(self, unique_identifier: str) -> None:
        """Make a Pre-Active object Active."""
        await self.call(ActivateRequest(unique_identifier=UniqueIdentifier(unique_identifier)))

    async def revoke(
        self,
        unique_identifier: str,
        *,
        revocation_reason_code: RevocationReasonCode = RevocationReasonCode.UNSPECIFIED,
        revocation_message: str | None = None,
        compromise_occurrence_date: datetime | None = None,
    ) -> None:
        """Deactivate an object; with Key Compromise or CA Compromise as the reason, call it compromised."""
        reason = RevocationReason(
            revocation_reason_code=revocation_reason_code, revocation_message=revocation_message
        )
        await self.call(
            RevokeRequest(
                unique_identifier=UniqueIdentifier(unique_identifier),
                revocation_reason=reason,
                compromise_occurrence_date=compromise_occurrence_date,
            )
        )

    async def destroy(self, unique_identifier: str) -> None:
        """Delete the material of an object for good."""
        await self.call(DestroyRequest(unique_identifier=UniqueIdentifier(unique_identifier)))

    async def deactivate(self, unique_identifier: str, *, deactivation_date: datetime | None = None) -> None:
        """Deactivate an object, now or at a date.

        KMIP 3.0 and later; a version before has Revoke for it, and the date as an attribute.
        """
        identifier = UniqueIdentifier(unique_identifier)
        if deactivation_date is None and await self.negotiate() < V3_0:
            await self.revoke(identifier, revocation_reason_code=RevocationReasonCode.CESSATION_OF_OPERATION)
            return
        await self.call(DeactivateRequest(unique_identifier=identifier, deactivation_date=deactivation_date))

    async def obliterate(self, unique_identifier: str) -> None:
        """Delete a destroyed object with all that is known of it (KMIP 3.0 and later)."""
        await self.call(ObliterateRequest(unique_identifier=UniqueIdentifier(unique_identifier)))
