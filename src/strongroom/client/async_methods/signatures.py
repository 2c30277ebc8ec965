"""Sign, Signature Verify, MAC, MAC Verify, Hash and random bytes on the server.

Rule: data that is a file or an iterable goes in as many messages as it needs; for more than one that takes
KMIP 1.3. What does not verify is an exception: nobody takes it for good by forgetting to look.
"""

from typing import Any, TypeVar

from strongroom.client.async_methods.core import AsyncCore
from strongroom.client.errors import ProtocolError, VerificationFailed
from strongroom.client.material import secret
from strongroom.client.parts import Source, parts
from strongroom.domain.operation import Request, Response
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Int32
from strongroom.model.structures import CryptographicParameters
from strongroom.operations.hash import HashRequest
from strongroom.operations.mac import MACRequest
from strongroom.operations.mac_verify import MACVerifyRequest
from strongroom.operations.rng_retrieve import RNGRetrieveRequest
from strongroom.operations.sign import SignRequest
from strongroom.operations.signature_verify import SignatureVerifyRequest
from strongroom.registry import HashingAlgorithm, ValidityIndicator

R = TypeVar("R", bound=Response)


class AsyncSignatures(AsyncCore):
    """Signatures, MACs and hashes of data of any length."""

    async def sign(
        self,
        unique_identifier: str,
        data: Source | None = None,
        *,
        digested_data: bytes | None = None,
        cryptographic_parameters: CryptographicParameters | None = None,
    ) -> bytes:
        """Return the signature of data, or of a digest that you made (KMIP 1.2, of a digest 1.4)."""
        request = SignRequest(
            unique_identifier=UniqueIdentifier(unique_identifier),
            cryptographic_parameters=cryptographic_parameters,
            digested_data=None if digested_data is None else secret(digested_data),
        )
        return _there((await self._over(request, data)).signature_data)

    async def signature_verify(
        self,
        unique_identifier: str,
        data: Source | None = None,
        *,
        signature_data: bytes,
        digested_data: bytes | None = None,
        cryptographic_parameters: CryptographicParameters | None = None,
    ) -> None:
        """Return if the signature is one of the data by this key; raises VerificationFailed."""
        request = SignatureVerifyRequest(
            unique_identifier=UniqueIdentifier(unique_identifier),
            cryptographic_parameters=cryptographic_parameters,
            digested_data=None if digested_data is None else secret(digested_data),
        )
        answer = await self._over(request, data, signature_data=signature_data)
        require_valid(answer.validity_indicator, "the signature")

    async def mac(
        self,
        unique_identifier: str,
        data: Source,
        *,
        cryptographic_parameters: CryptographicParameters | None = None,
    ) -> bytes:
        """Return the MAC of data (KMIP 1.2)."""
        request = MACRequest(
            unique_identifier=UniqueIdentifier(unique_identifier),
            cryptographic_parameters=cryptographic_parameters,
        )
        return _there((await self._over(request, data)).mac_data)

    async def mac_verify(
        self,
        unique_identifier: str,
        data: Source,
        *,
        mac_data: bytes,
        cryptographic_parameters: CryptographicParameters | None = None,
    ) -> None:
        """Return if it is the MAC of the data; raises VerificationFailed."""
        request = MACVerifyRequest(
            unique_identifier=UniqueIdentifier(unique_identifier),
            cryptographic_parameters=cryptographic_parameters,
        )
        answer = await self._over(request, data, mac_data=mac_data)
        require_valid(answer.validity_indicator, "the MAC")

    async def hash(
        self, data: Source, *, hashing_algorithm: HashingAlgorithm = HashingAlgorithm.SHA_256
    ) -> bytes:
        """Return the hash of data (KMIP 1.2)."""
        request = HashRequest(
            cryptographic_parameters=CryptographicParameters(hashing_algorithm=hashing_algorithm)
        )
        return _there((await self._over(request, data)).data)

    async def random_bytes(self, data_length: int) -> SecretBytes:
        """Return so many random bytes of the server (RNG Retrieve, KMIP 1.2)."""
        return (await self.call(RNGRetrieveRequest(data_length=Int32(data_length)))).data

    async def _over(self, request: Request[R], data: Source | None, **last: Any) -> R:
        """Return the answer to a request over all of the data; `last` are fields for the last message."""
        if data is None:
            return await self.call(request.replace(**last))
        correlation_value: bytes | None = None
        for part in parts(data):
            asked = request.replace(
                data=SecretBytes(part.data),
                **part.fields(correlation_value),
                **(last if part.last else {}),
            )
            answer: Any = await self.call(asked)
            correlation_value = answer.correlation_value
        result: R = answer
        return result


def _there(made: bytes | None) -> bytes:
    if made is None:
        raise ProtocolError("the server did not send the result")
    return made


def require_valid(found: ValidityIndicator | None, what: str) -> None:
    """Return if the server calls it valid; raises VerificationFailed."""
    if found is not ValidityIndicator.VALID:
        raise VerificationFailed(what, found)
