"""What is written down of each root key, in `root.json`: everything but what opens it.

Rule: no secret in clear stands in a record. Without the file there is one root key, generation 1, in
`root.key`.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from strongroom.domain.ports import RootKeyError

_VERSION: Final = 1


@dataclass(frozen=True, kw_only=True)
class RootRecord:
    """One root key. `parameters` are its provider's, as JSON has them; `created_at` is when it came to this
    data directory, in seconds.

    While the older one is replaced by it, `handover` is the root key itself, wrapped by the older one, so
    that whoever has that one follows; None otherwise, and for a key that cannot leave its place. `wraps_from`
    is when it begins to wrap, in seconds: other nodes are to have it by then. None is at once.
    """

    generation: int
    id: bytes
    provider: str
    created_at: int
    parameters: Mapping[str, Any]
    handover: bytes | None = None
    wraps_from: int | None = None

    def settled(self) -> "RootRecord":
        """Return the record as it is when nothing is left of the older one."""
        return replace(self, handover=None, wraps_from=None)

    def to_json(self) -> dict[str, object]:
        """Return what JSON can hold."""
        return {
            "generation": self.generation,
            "id": self.id.hex(),
            "provider": self.provider,
            "created_at": self.created_at,
            **({} if self.handover is None else {"handover": base64.b64encode(self.handover).decode()}),
            **({} if self.wraps_from is None else {"wraps_from": self.wraps_from}),
            "parameters": dict(self.parameters),
        }

    @classmethod
    def from_json(cls, value: object) -> "RootRecord":
        """Return the record of what `to_json` gave. Raises RootKeyError."""
        try:
            assert isinstance(value, dict)
            handover, wraps_from = value.get("handover"), value.get("wraps_from")
            record = cls(
                generation=int(value["generation"]),
                id=bytes.fromhex(value["id"]),
                provider=str(value["provider"]),
                created_at=int(value["created_at"]),
                parameters=dict(value["parameters"]),
                handover=None if handover is None else base64.b64decode(handover, validate=True),
                wraps_from=None if wraps_from is None else int(wraps_from),
            )
        except (AssertionError, KeyError, ValueError, TypeError, binascii.Error) as error:
            raise RootKeyError("a record of a root key cannot be read") from error
        if not 0 < record.generation < 2**32:
            raise RootKeyError("a record of a root key cannot be read: its generation is out of range")
        return record


def to_file(records: Sequence[RootRecord]) -> bytes:
    """Return the content of `root.json`."""
    book = {"version": _VERSION, "root_keys": [record.to_json() for record in records]}
    return json.dumps(book, indent=2).encode() + b"\n"


def from_file(content: bytes, name: str) -> list[RootRecord]:
    """Return the records in `root.json`, oldest first. Raises RootKeyError."""
    try:
        book = json.loads(content)
        known = book["version"] == _VERSION
        records = [RootRecord.from_json(value) for value in book["root_keys"]] if known else []
    except (ValueError, KeyError, TypeError, RootKeyError) as error:
        raise RootKeyError(f"{name} is damaged; restore it from its backup") from error
    if not known:
        raise RootKeyError(f"{name} was written by a newer Strongroom; run that one")
    generations = [record.generation for record in records]
    if not records or generations != sorted(set(generations)):
        raise RootKeyError(f"{name} is damaged; restore it from its backup")
    return records
