"""What a run has made on the server, as far as its answers tell.

Rule: only successful batch items count. From here come two decisions: whose key material the server
chose (and may differ from the listing), and what is left to clean up.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from strongroom.conformance.trees import child, children, find, success
from strongroom.registry import Operation, Tag
from strongroom.wire.item import IDENTIFIER, REFERENCE, TEXT_STRING, Item

_MADE_BY_SERVER: Final = frozenset(
    {
        Operation.CREATE,
        Operation.CREATE_KEY_PAIR,
        Operation.RE_KEY,
        Operation.RE_KEY_KEY_PAIR,
        Operation.CERTIFY,
        Operation.RE_CERTIFY,
        Operation.CREATE_SPLIT_KEY,
        Operation.CREATE_USER,
        Operation.CREATE_GROUP,
        Operation.CREATE_CREDENTIAL,
    }
)
_GIVEN_BY_CLIENT: Final = frozenset({Operation.REGISTER, Operation.IMPORT})
_MADE_FROM_OTHERS: Final = frozenset({Operation.DERIVE_KEY, Operation.JOIN_SPLIT_KEY})
_GONE: Final = frozenset({Operation.DESTROY, Operation.OBLITERATE})
IDENTIFIERS: Final = (
    Tag.UNIQUE_IDENTIFIER,
    Tag.PRIVATE_KEY_UNIQUE_IDENTIFIER,
    Tag.PUBLIC_KEY_UNIQUE_IDENTIFIER,
)
_TEXTS: Final = frozenset({TEXT_STRING, IDENTIFIER, REFERENCE})


@dataclass
class Made:
    """One object that the run made.

    `whole_by_server` is of the key that its shares join to. `format_given`: the client said in a Key Block
    which Key Format Type its object has. `value_given`: it gave the Key Value, too.
    """

    identifier: Item  # as the server wrote it, tag UniqueIdentifier
    by_server: bool
    whole_by_server: bool
    algorithm: int | None
    paddings: frozenset[int]
    format_given: bool
    value_given: bool
    alive: bool = True


@dataclass
class Ledger:
    """The objects of one chain of cases."""

    made: dict[str, Made] = field(default_factory=dict)

    def by_server(self, identifier: str) -> bool:
        """Tell whether the server chose the object's key material; so it is for one the run did not make."""
        found = self.made.get(identifier)
        return found is None or found.by_server

    def algorithm(self, identifier: str) -> int | None:
        """Return the algorithm the client stated for an object, None when unknown."""
        found = self.made.get(identifier)
        return found.algorithm if found else None

    def paddings(self, identifier: str) -> frozenset[int]:
        """Return the padding methods in the object's own Cryptographic Parameters."""
        found = self.made.get(identifier)
        return found.paddings if found else frozenset()

    def format_given(self, identifier: str) -> bool:
        """Tell whether the client stated the Key Format Type; so it is for an object the run did not make."""
        found = self.made.get(identifier)
        return found is None or found.format_given

    def elsewhere(self, identifier: str) -> bool:
        """Tell whether the client registered a Key Block whose Key Value is not on the server."""
        found = self.made.get(identifier)
        return found is not None and found.format_given and not found.value_given

    def alive(self) -> Iterator[Made]:
        """Yield what is left, the newest first."""
        yield from reversed([made for made in self.made.values() if made.alive])

    def observe(self, request: Item, response: Item) -> None:
        """Record what the batch items of an exchange made and destroyed."""
        requests = children(request, Tag.BATCH_ITEM)
        for position, answer in enumerate(children(response, Tag.BATCH_ITEM)):
            operation, payload = child(answer, Tag.OPERATION), child(answer, Tag.RESPONSE_PAYLOAD)
            if operation is None or payload is None or not success(answer):
                continue
            asked = child(requests[position], Tag.REQUEST_PAYLOAD) if position < len(requests) else None
            self._record(operation[2], asked, payload)

    def _record(self, operation: int, asked: Item | None, payload: Item) -> None:
        identifiers = [item for item in payload[2] if item[0] in IDENTIFIERS]
        if operation in _GONE:
            for item in identifiers or _named(asked):
                if item[2] in self.made:
                    self.made[item[2]].alive = False
            return
        if operation in _GIVEN_BY_CLIENT:
            by_server = whole_by_server = False
        elif operation in _MADE_BY_SERVER:
            by_server = True
            whole_by_server = self._whole_by_server(_named(asked))
        elif operation in _MADE_FROM_OTHERS:
            sources = _named(asked)
            by_server = whole_by_server = (
                self._whole_by_server(sources)
                if operation == Operation.JOIN_SPLIT_KEY
                else any(self.by_server(item[2]) for item in sources)
            )
        else:
            return
        for _, kind, value in identifiers:
            item = (Tag.UNIQUE_IDENTIFIER, kind, value)
            self.made[str(value)] = Made(
                item,
                by_server,
                whole_by_server,
                _algorithm(asked),
                _paddings(asked),
                format_given=_holds(asked, Tag.KEY_BLOCK),
                value_given=_holds(asked, Tag.KEY_VALUE),
            )

    def _whole_by_server(self, sources: list[Item]) -> bool:
        """Tell whether the server chose the secret behind these objects (a new one when there are none)."""
        known = [self.made[item[2]] for item in sources if item[2] in self.made]
        if not sources:
            return True
        return not known or any(made.whole_by_server for made in known)


def _named(payload: Item | None) -> list[Item]:
    if payload is None:
        return []
    return [item for item in payload[2] if item[0] == Tag.UNIQUE_IDENTIFIER and item[1] in _TEXTS]


def _holds(payload: Item | None, tag: int) -> bool:
    return payload is not None and any(True for _ in find(payload, tag))


def _paddings(payload: Item | None) -> frozenset[int]:
    if payload is None:
        return frozenset()
    return frozenset(item[2] for item in find(payload, Tag.PADDING_METHOD))


def _algorithm(payload: Item | None) -> int | None:
    """Return the algorithm in a key block or attribute of a request, whichever dialect it is in."""
    if payload is None:
        return None
    plain = next(find(payload, Tag.CRYPTOGRAPHIC_ALGORITHM), None)
    if plain is not None:
        return int(plain[2])
    for attribute in find(payload, Tag.ATTRIBUTE):
        name, value = child(attribute, Tag.ATTRIBUTE_NAME), child(attribute, Tag.ATTRIBUTE_VALUE)
        if name and value and name[2] == "Cryptographic Algorithm":
            return int(value[2])
    return None
