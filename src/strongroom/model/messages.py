"""Request and response messages (KMIP 1.x §6, 2.x §8).

Rule: payloads stay Items here, since only the operation knows their structure; the engine decodes each in the
place of its batch item, so that a bad one fails alone.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from strongroom.model.convert import FieldShape, ValueShape, decoder, repeated, tag_name, under, wrong_type
from strongroom.model.errors import NotInVersion, UnknownValue
from strongroom.model.forms import Decoder, Encoder, EnumerationForm
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Field, Int32, Since, Struct, Until
from strongroom.model.structures import Nonce, ProtocolVersion
from strongroom.registry import (
    V1_2,
    V1_4,
    V2_0,
    V2_1,
    AsynchronousIndicator,
    AttestationType,
    BatchErrorContinuationOption,
    CredentialType,
    Ephemeral,
    HashingAlgorithm,
    ItemType,
    Operation,
    ResultReason,
    ResultStatus,
    TicketType,
    Version,
)
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import Item


class RawShape(FieldShape):
    """A structure kept as Items."""

    def tags(self, field: Field) -> frozenset[int]:
        return frozenset({int(field.tag or 0)})

    def absorber(self, field: Field, version: Version | None) -> Callable[[int, int, Any, Any], Any]:
        def absorb(tag: int, item_type: int, value: Any, before: Any) -> Any:
            if before is not None:
                raise repeated(tag_name(tag))
            if item_type != 1:
                raise wrong_type(tag_name(tag), (1,), item_type)
            return value

        return absorb

    def emitter(self, field: Field, version: Version | None) -> Callable[[Any, list[Item]], None]:
        tag = int(field.tag or 0)
        return lambda value, out: out.append((tag, 1, value))


class BooleanOrEnumeration(EnumerationForm):
    """A Boolean of older versions that became an enumeration; `yes` and `no` are what the Boolean meant."""

    item_types = (int(ItemType.BOOLEAN), int(ItemType.ENUMERATION))

    def __init__(self, cls: type[Any], *, yes: Any, no: Any, boolean_until: Version) -> None:
        super().__init__(cls)
        self.yes, self.no, self.boolean_until = yes, no, boolean_until

    def decoder(self, version: Version | None) -> Decoder:
        decode = super().decoder(version)

        def read(item_type: int, value: Any) -> Any:
            if item_type == 6:
                return self.yes if value else self.no
            return decode(item_type, value)

        return read

    def encoder(self, version: Version | None) -> Encoder:
        if version is not None and version <= self.boolean_until:
            return lambda value: (6, value is self.yes)
        return super().encoder(version)


class UsernameAndPassword(Struct):
    username: str
    password: Annotated[SecretBytes | None, ItemType.TEXT_STRING] = None


class Device(Struct):
    device_serial_number: str | None = None
    password: Annotated[SecretBytes | None, ItemType.TEXT_STRING] = None
    device_identifier: str | None = None
    network_identifier: str | None = None
    machine_identifier: str | None = None
    media_identifier: str | None = None


class Attestation(Struct):
    nonce: Nonce
    attestation_type: AttestationType
    attestation_measurement: bytes | None = None
    attestation_assertion: bytes | None = None


class OneTimePassword(Struct):
    username: str
    password: Annotated[SecretBytes | None, ItemType.TEXT_STRING] = None
    one_time_password: Annotated[SecretBytes, ItemType.TEXT_STRING]


class HashedPassword(Struct):
    username: str
    time_stamp: Annotated[datetime, ItemType.DATE_TIME_EXTENDED]
    hashing_algorithm: HashingAlgorithm | None = None
    hashed_password: SecretBytes


class Ticket(Struct):
    ticket_type: TicketType
    ticket_value: SecretBytes


class TicketCredential(Struct):
    ticket: Ticket


CREDENTIALS: Final[Mapping[CredentialType, type[Struct]]] = {
    CredentialType.USERNAME_AND_PASSWORD: UsernameAndPassword,
    CredentialType.DEVICE: Device,
    CredentialType.ATTESTATION: Attestation,
    CredentialType.ONE_TIME_PASSWORD: OneTimePassword,
    CredentialType.HASHED_PASSWORD: HashedPassword,
    CredentialType.TICKET: TicketCredential,
}


class Credential(Struct):
    """A credential; `read()` gives the value its structure, which depends on the type."""

    credential_type: CredentialType
    credential_value: Annotated[Any, RawShape()]

    def read(self) -> Struct | None:
        """Return the credential value; None for a type that only a vendor knows. Raises DecodeError."""
        cls = CREDENTIALS.get(self.credential_type)
        if cls is None:
            return None
        try:
            value: Struct = decoder(cls, None)(self.credential_value)
            return value
        except DecodeError as error:
            raise under(error, "CredentialValue", None) from None

    def __repr__(self) -> str:
        return f"Credential({self.credential_type!r})"


class Authentication(Struct):
    credential: tuple[Credential, ...] = ()


_ASYNCHRONOUS: Final = BooleanOrEnumeration(
    AsynchronousIndicator,
    yes=AsynchronousIndicator.OPTIONAL,
    no=AsynchronousIndicator.PROHIBITED,
    boolean_until=V1_4,
)


class EphemeralForm(EnumerationForm):
    """What is not to be answered: of 2.x whether the Data are, of 3.0 one thing of three."""

    item_types = (int(ItemType.BOOLEAN), int(ItemType.ENUMERATION))

    def __init__(self) -> None:
        super().__init__(Ephemeral)
        self._member = super().decoder(None)

    def read(self, item_type: int, value: Any) -> Ephemeral | None:
        """Return what is to be withheld; raises UnknownValue for a number that 3.0 does not define."""
        if item_type == ItemType.BOOLEAN:
            return Ephemeral.DATA if value else None
        member = self._member(item_type, value)
        if not isinstance(member, Ephemeral):
            raise UnknownValue(f"0x{value:08X} is no Ephemeral")
        return member

    def decoder(self, version: Version | None) -> Decoder:
        return self.read

    def encoder(self, version: Version | None) -> Encoder:
        if version is None or version > V2_1:
            return super().encoder(version)

        def encode(value: int) -> tuple[int, bool]:
            if value != Ephemeral.DATA:
                raise NotInVersion(f"Ephemeral {Ephemeral(value).name} is from another version")
            return int(ItemType.BOOLEAN), True

        return encode


EPHEMERAL: Final = EphemeralForm()


class RequestHeader(Struct):
    protocol_version: ProtocolVersion
    maximum_response_size: Int32 | None = None
    client_correlation_value: Annotated[str | None, Since(V1_4)] = None
    server_correlation_value: Annotated[str | None, Since(V1_4)] = None
    asynchronous_indicator: Annotated[AsynchronousIndicator | None, ValueShape(_ASYNCHRONOUS)] = None
    attestation_capable_indicator: Annotated[bool | None, Since(V1_2)] = None
    attestation_type: Annotated[tuple[AttestationType, ...], Since(V1_2)] = ()
    authentication: Authentication | None = None
    batch_error_continuation_option: BatchErrorContinuationOption | None = None
    batch_order_option: Annotated[bool | None, Until(V2_1)] = None
    time_stamp: datetime | None = None
    batch_count: Annotated[Int32 | None, Until(V2_1)] = None


class ResponseHeader(Struct):
    protocol_version: ProtocolVersion
    time_stamp: datetime
    nonce: Annotated[Nonce | None, Since(V1_2)] = None
    server_hashed_password: Annotated[bytes | None, Since(V2_0)] = None
    attestation_type: Annotated[tuple[AttestationType, ...], Since(V1_2)] = ()
    client_correlation_value: Annotated[str | None, Since(V1_4)] = None
    server_correlation_value: Annotated[str | None, Since(V1_4)] = None
    batch_count: Annotated[Int32 | None, Until(V2_1)] = None


class MessageExtension(Struct):
    vendor_identification: str
    criticality_indicator: bool
    vendor_extension: Annotated[list[Item] | None, RawShape()] = None


class RequestBatchItem(Struct):
    operation: Operation
    ephemeral: Annotated[Ephemeral | None, Since(V2_0), ValueShape(EPHEMERAL)] = None
    unique_batch_item_id: Annotated[bytes | None, Until(V2_1)] = None
    request_payload: Annotated[list[Item] | None, RawShape()] = None
    message_extension: tuple[MessageExtension, ...] = ()


class ResponseBatchItem(Struct):
    operation: Operation | None = None
    unique_batch_item_id: Annotated[bytes | None, Until(V2_1)] = None
    result_status: ResultStatus
    result_reason: ResultReason | None = None
    result_message: str | None = None
    asynchronous_correlation_value: bytes | None = None
    response_payload: Annotated[list[Item] | None, RawShape()] = None
    message_extension: tuple[MessageExtension, ...] = ()
