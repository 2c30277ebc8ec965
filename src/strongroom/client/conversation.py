"""What is said to a server, and how its answers are understood, without a socket.

Rule: no I/O and no clock. Each exchange is a generator that yields what to send and is sent the bytes that
came back; `sync.py` and `asynchronous.py` drive it.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from strongroom.client.answers import Answer, outcomes, parse
from strongroom.client.compose import Credentials, RawRequest, compose, spec_of, write
from strongroom.client.errors import (
    InvalidRequest,
    KMIPError,
    OperationFailed,
    OperationPending,
    ProtocolError,
    VersionNotSupported,
)
from strongroom.domain.operation import Request, Response
from strongroom.operations.discover_versions import DiscoverVersionsRequest, DiscoverVersionsResponse
from strongroom.operations.get import GetRequest
from strongroom.operations.poll import PollRequest
from strongroom.registry import (
    V1_0,
    V1_1,
    V2_0,
    V3_0,
    VERSIONS,
    AsynchronousIndicator,
    BatchErrorContinuationOption,
    KeyFormatType,
    Operation,
    ResultReason,
    Version,
)
from strongroom.wire.encodings import CODECS, Codec, Encoding

T = TypeVar("T")
R = TypeVar("R", bound=Response)

DRAFTS: Final = frozenset({V3_0})
"""Versions that are not agreed on unless nothing else is common: what they say may still change."""

REPEATABLE: Final = frozenset(
    {
        Operation.CHECK,
        Operation.DECRYPT,
        Operation.DISCOVER_VERSIONS,
        Operation.GET,
        Operation.GET_ATTRIBUTES,
        Operation.GET_ATTRIBUTE_LIST,
        Operation.GET_CONSTRAINTS,
        Operation.HASH,
        Operation.LOCATE,
        Operation.MAC_VERIFY,
        Operation.OBTAIN_LEASE,
        Operation.PING,
        Operation.QUERY,
        Operation.SIGNATURE_VERIFY,
        Operation.VALIDATE,
    }
)
"""Operations that may be sent again when their answer was lost; what is not here is never repeated.

Encrypt, Sign and MAC are not: each counts against the Usage Limits of its key. Which requests of those here
are repeated is told by `_harmless`.
"""


_NOT_KNOWN: Final = frozenset(
    {
        ResultReason.FEATURE_NOT_SUPPORTED,
        ResultReason.INVALID_FIELD,
        ResultReason.INVALID_MESSAGE,
        ResultReason.OPERATION_NOT_SUPPORTED,
        ResultReason.UNKNOWN_ENUMERATION,
        ResultReason.UNSUPPORTED_PROTOCOL_VERSION,
    }
)
"""How a server says that it does not know Discover Versions. Any other failure says nothing of versions."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for the server. `repeatable`: sent twice it does no more than sent once."""

    message: bytes
    repeatable: bool


Flow: TypeAlias = Generator[Outgoing, bytes, T]


class Conversation:
    """One client's side; `version` is None until it is agreed on, and again once a server refuses it."""

    def __init__(
        self,
        *,
        version: Version | None = None,
        credentials: Credentials | None = None,
        codec: Codec = CODECS[Encoding.TTLV],
    ) -> None:
        self.version = version
        self._agreed = version is None
        self._codec = codec
        self._credentials = credentials
        self._understood = False  # the server has shown that it knows `version`

    def call(self, request: Request[R]) -> Flow[R]:
        """Ask for one thing; raises KMIPError when it is refused."""
        (outcome,) = yield from self.batch([request])
        if isinstance(outcome, KMIPError):
            raise outcome
        # The answer was decoded as the class that the request declares.
        return outcome  # type: ignore[return-value]

    def batch(
        self,
        requests: Sequence[Request[Any]],
        *,
        on_error: BatchErrorContinuationOption | None = None,
    ) -> Flow[list[Response | KMIPError]]:
        """Ask for several things in one message; returns an outcome for each, and raises for the message."""
        return (yield from self._ask(requests, on_error=on_error))

    def submit(self, request: Request[R]) -> Flow[R | OperationPending]:
        """Ask for one thing and accept to wait: returns the answer, or that it is pending.

        Raises KMIPError when it is refused.
        """
        if isinstance(request, RawRequest):
            raise InvalidRequest("what Poll gives back could not be read for a RawRequest; use call()")
        (outcome,) = yield from self._ask([request], asynchronous=AsynchronousIndicator.OPTIONAL)
        return _awaited(outcome, request)

    def poll(self, request: Request[R], pending: OperationPending) -> Flow[R | OperationPending]:
        """Ask what became of a request that was pending; raises what it failed with."""
        value = pending.asynchronous_correlation_value
        if value is None:
            raise ProtocolError("the server will answer later, and did not say how to ask it")
        (outcome,) = yield from self._ask([PollRequest(asynchronous_correlation_value=value)])
        if isinstance(outcome, OperationPending):
            return pending  # its Correlation Value stays, whether the server repeats it or not
        return _awaited(outcome, request)

    def _ask(
        self,
        requests: Sequence[Request[Any]],
        *,
        on_error: BatchErrorContinuationOption | None = None,
        asynchronous: AsynchronousIndicator | None = None,
    ) -> Flow[list[Response | KMIPError]]:
        version = yield from self.negotiate()
        root, asked = compose(
            requests, version, credentials=self._credentials, on_error=on_error, asynchronous=asynchronous
        )
        message = write(root, version, self._codec)
        answer = parse((yield Outgoing(message, _repeatable(requests))), self._codec)
        self._check_version(answer, version)
        return outcomes(answer, asked, version)

    def negotiate(self) -> Flow[Version]:
        """Return the version, after asking for it if it is not known yet."""
        if self.version is None:
            self.version = yield from self._agree()
            self._understood = True
        return self.version

    def _agree(self) -> Flow[Version]:
        # The first version that has the operation is understood by every later server. Tickets came later.
        with_ticket = self._credentials is not None and self._credentials.ticket is not None
        asking = V2_0 if with_ticket else V1_1
        root, asked = compose([DiscoverVersionsRequest()], asking, credentials=self._credentials)
        message = write(root, asking, self._codec)
        answer = parse((yield Outgoing(message, repeatable=True)), self._codec)
        try:
            (outcome,) = outcomes(answer, asked, asking)
            if isinstance(outcome, KMIPError):
                raise outcome
        except OperationFailed as exc:
            if exc.reason not in _NOT_KNOWN:
                raise
            # A server that does not know the operation still tells a version that it speaks: its answer's.
            return answer.version if answer.version in VERSIONS and answer.version != asking else V1_0
        # The answer was decoded as the class that the request declares.
        return _newest_common(outcome)  # type: ignore[arg-type]

    def _check_version(self, answer: Answer, version: Version) -> None:
        """Raise VersionNotSupported when the server refuses the whole message for its version.

        Before 2.0 no Result Reason says so: the message is invalid, and the answer in another version.
        """
        self._understood = self._understood or answer.version == version
        reason, other = answer.items[0].result_reason, answer.version not in (None, version)
        unsupported = reason == ResultReason.UNSUPPORTED_PROTOCOL_VERSION
        invalid = reason == ResultReason.INVALID_MESSAGE and other
        if self._agreed and (unsupported or invalid):
            # It may be another server of the list than the one that it was agreed on with.
            self.version = None
        if unsupported or (invalid and not self._understood):
            instead = f"; it answers in {answer.version}" if other else ""
            cure = "ask again" if self._agreed else "leave `version` out"
            raise VersionNotSupported(
                f"the server does not speak KMIP {version}{instead}; {cure} to let both agree"
            )


def _repeatable(requests: Sequence[Request[Any]]) -> bool:
    return all(
        not isinstance(request, RawRequest)
        and spec_of(type(request)).operation in REPEATABLE
        and _harmless(request)
        for request in requests
    )


def _harmless(request: Request[Any]) -> bool:
    """Tell whether a request of a repeatable operation does no more when it is done twice.

    What Get wraps, or puts into a container, counts against the Usage Limits of the key that does. A later
    part of some data would be in the data twice.
    """
    if isinstance(request, GetRequest):
        in_container = request.key_format_type is KeyFormatType.PKCS_12
        return request.key_wrapping_specification is None and not in_container
    return getattr(request, "correlation_value", None) is None


def _awaited(outcome: Response | KMIPError, request: Request[R]) -> R | OperationPending:
    if isinstance(outcome, OperationPending):
        return outcome
    if isinstance(outcome, KMIPError):
        raise outcome
    if not isinstance(outcome, spec_of(type(request)).response):
        raise ProtocolError(f"what Poll gave back is no answer to {type(request).__name__}")
    # The declaration names the response that belongs to the request.
    return outcome  # type: ignore[return-value]


def _newest_common(found: DiscoverVersionsResponse) -> Version:
    offered = {Version(v.protocol_version_major, v.protocol_version_minor) for v in found.protocol_version}
    common = offered & set(VERSIONS)
    if not common:
        theirs = ", ".join(map(str, sorted(offered, reverse=True))) or "none"
        raise VersionNotSupported(
            f"no version in common: the server speaks {theirs}, this client {VERSIONS[0]} to {VERSIONS[-1]}"
        )
    return max(common - DRAFTS or common)
