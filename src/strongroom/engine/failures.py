"""From what was raised to what the client is told.

Rule: the client gets a Result Reason and a sentence; what only the operator should know goes to the log.
"""

from collections.abc import Callable
from datetime import datetime

from strongroom.domain.attribute_errors import NonUniqueNameAttribute
from strongroom.domain.audit import AuditEvent, AuditLog, AuditUnavailable
from strongroom.domain.errors import (
    FeatureNotSupported,
    InvalidField,
    InvalidMessage,
    KmipError,
    ServerFailure,
)
from strongroom.domain.identity import Connection
from strongroom.domain.store import NameInUse
from strongroom.domain.store_failures import StoreFailure, TamperedRecord
from strongroom.domain.turn import Pace
from strongroom.engine.answers import Answers
from strongroom.engine.correlation import Correlation
from strongroom.engine.request import BatchItem
from strongroom.model.errors import NotInVersion, UnknownField, UnknownValue
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.registry import Tag, Version
from strongroom.registry.names import VALUES
from strongroom.wire import binary
from strongroom.wire.encodings import Encoder
from strongroom.wire.errors import DecodeError, EncodeError
from strongroom.wire.item import Item


class Failures:
    """Explains and records failures in `audit`.

    `on_event` hears of every refusal, too, and `on_failure` of what is our fault.
    """

    def __init__(
        self,
        audit: AuditLog,
        on_event: Callable[[AuditEvent], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._audit = audit
        self._on_event = on_event
        self._on_failure = on_failure

    def explain(self, exc: Exception, version: Version, position: int, message: bytes | None) -> KmipError:
        """Return what the client is told of the failure of a batch item."""
        match exc:
            case KmipError():
                return exc
            case DecodeError():
                return _locate(exc, position, message)
            case NotInVersion():
                return FeatureNotSupported(f"{exc}, so KMIP {version} cannot say it")
            case NameInUse():
                return NonUniqueNameAttribute(
                    "another object of yours has this Name; names are unique per owner"
                )
            case StoreFailure():
                self._on_failure(exc)
                return ServerFailure(str(exc))
            case AuditUnavailable():  # the audit log has told the operator, once
                return ServerFailure(str(exc))
            case TamperedRecord():
                self._on_failure(exc)
                return ServerFailure("the stored record of this object is damaged; tell the administrator")
            case _:
                self._on_failure(exc)
                return ServerFailure("the server failed on this request; its log says why")

    async def sayable(
        self, response: Item, version: Version, encode: Encoder, connection: Connection, now: datetime
    ) -> Item:
        """Return a response with a failure in the place of each batch item that an encoding cannot say.

        What is done is done, but only what a client has stored can hold such a text: it was a read.
        """
        tag, kind, (header, *items) = response
        answers, pace = Answers(version, now), Pace()
        for position, item in enumerate(items):
            await pace()
            try:
                encode(item, version=version)
            except EncodeError as error:
                told = ServerFailure(f"{error}; ask for it in TTLV")
                items[position] = answers.instead(item, self.record(None, told, connection, now, None))
        return tag, kind, [header, *items]

    def record(
        self,
        item: BatchItem | None,
        error: KmipError,
        connection: Connection,
        now: datetime,
        correlation: Correlation | None,
    ) -> KmipError:
        """Record a request, or an operation of one, that was refused; return what the client is told.

        That is the refusal, unless it could not be recorded.
        """
        entry = VALUES["Operation"].get(0 if item is None else item.operation or 0)
        event = AuditEvent(
            at=now,
            client=connection.client.client,
            tenant=connection.client.tenant,
            peer=connection.peer,
            operation="Request" if entry is None else entry.name,
            outcome=error.reason.name,
            objects=_asked(item),
            acting=connection.client.acting,
            user=connection.client.user,
            correlation=None if correlation is None else correlation.logged,
        )
        self._on_event(event)
        try:
            self._audit.record(event)
        except AuditUnavailable as unavailable:
            return ServerFailure(str(unavailable))
        return error


def _asked(item: BatchItem | None) -> tuple[UniqueIdentifier, ...]:
    """Return the identifier that a request names, whether there is such an object or not."""
    for tag, _, value in (item and item.payload) or ():
        if tag == Tag.UNIQUE_IDENTIFIER and isinstance(value, str):
            return (UniqueIdentifier(value),)
    return ()


def _locate(error: DecodeError, position: int, message: bytes | None) -> KmipError:
    """Return the answer to a payload that cannot be read, with path and byte offset."""
    if not error.path or error.path[0][0] != "RequestMessage":
        error.path = (
            ("RequestMessage", None),
            ("BatchItem", position),
            ("RequestPayload", None),
            *error.path,
        )
    if error.at is None and message is not None:
        error.at = binary.offset_of(message, error.path)
    if isinstance(error, UnknownField | UnknownValue):
        return InvalidField(str(error))
    return InvalidMessage(str(error))
