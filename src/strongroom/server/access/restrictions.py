"""`policy.cedar`: what an administrator forbids beyond ownership and rules, in the language Cedar.

Rule: it can only take away. It is asked after a yes, and whatever is not clearly permitted (a policy that
cannot be evaluated, an answer that is no decision) is a no. Nothing here reads the file, which is done once
for all processes of a server (`restrictions_file.py`).

A policy knows: `Client::"NAME"`, in `ClientGroup::"GROUP"`s, with `number` and `tenant`;
`Action::"PERMISSION"`; `Object::"ID"`, in `ObjectGroup::"GROUP"`s, with `owner` and `tenant` (numbers),
`type`, `policy`, and, where the object has them, `state`, `algorithm`, `length`, `sensitive`, `extractable`.
"""

import importlib.util
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from strongroom.domain.clients import ClientRecord
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.rights import Restriction
from strongroom.registry import Tag
from strongroom.server.access import cedar
from strongroom.server.errors import OperatorError
from strongroom.server.logs import get_logger

if TYPE_CHECKING:
    import cedarpy

log = get_logger()

_REMEMBERED: Final = 4096
"""Decisions that are remembered for each client; to evaluate one takes a quarter of a millisecond."""


class Restrictions:
    """What policies say, as one process has them; `text` is None without any. Nothing is loaded then.

    `revision` is another number with each text.
    """

    def __init__(self, text: str | None) -> None:
        """Raises OperatorError."""
        self.revision = 0
        self._policies = None if text is None else _read(text)
        self._made: dict[int, ForClient] = {}

    def adopt(self, text: str) -> None:
        """Enforce another text from now on; raises OperatorError, and then the one before stays."""
        self._policies = _read(text)
        self._made.clear()
        self.revision += 1

    def of(self, record: ClientRecord) -> Restriction | None:
        """Return what binds a client, None without policies; the same object as long as nothing changes."""
        if self._policies is None:
            return None
        made = self._made.get(record.client)
        if made is None or made.record != record:
            made = self._made[record.client] = ForClient(self._policies, record)
        return made


def _read(text: str) -> "cedarpy.PolicySet":
    require_cedar("for the restrictions in policy.cedar")
    try:
        return cedar.read(text)
    except ValueError as error:
        raise OperatorError(f"the restrictions are no Cedar policies: {error}") from error


class ForClient:
    """The restrictions of one client; see `domain.rights.Restriction`."""

    def __init__(self, policies: "cedarpy.PolicySet", record: ClientRecord) -> None:
        self.record = record
        self._policies = policies
        self._known: dict[tuple[Permission, int, int, int | None], bool] = {}

    def permits(self, permission: Permission, obj: ManagedObject) -> bool:
        # A working copy has the generation of what it was made from, and may differ from it.
        key = None if obj.changed else (permission, obj.sequence, obj.generation, obj.state)
        known = None if key is None else self._known.get(key)
        if known is None:
            known = self._evaluate(permission, obj)
            if key is not None:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[key] = known
        return known

    def _evaluate(self, permission: Permission, obj: ManagedObject) -> bool:
        try:
            return cedar.permits(self._policies, question(self.record, permission, obj))
        except Exception as error:
            # The edge to a library: whatever goes wrong over there, nobody gets more than they should.
            log.exception("restriction_not_evaluated", error=type(error).__name__)
            return False


def require_cedar(what_for: str) -> None:
    """Return if policies can be read here; raises OperatorError."""
    if importlib.util.find_spec("cedarpy") is None:
        raise OperatorError(f"the package cedarpy is needed {what_for}: pip install 'strongroom[cedar]'")


def question(record: ClientRecord, permission: Permission, obj: ManagedObject) -> cedar.Question:
    """Return what policies are asked, and all that they know of client and object."""
    client = _entity(
        "Client",
        record.name,
        {"number": int(record.client), "tenant": int(record.tenant)},
        [("ClientGroup", group) for group in record.groups],
    )
    request = {
        "principal": client["uid"],
        "action": {"type": "Action", "id": permission.value},
        "resource": {"type": "Object", "id": str(obj.unique_identifier)},
        "context": {},
    }
    return cedar.Question(request=request, entities=json.dumps([client, _described(obj)]))


def _entity(
    kind: str, name: str, attributes: Mapping[str, object], parents: list[tuple[str, str]]
) -> dict[str, Any]:
    return {
        "uid": {"type": kind, "id": name},
        "attrs": attributes,
        "parents": [{"type": of, "id": parent} for of, parent in parents],
    }


_FACTS: Final = {
    "algorithm": Tag.CRYPTOGRAPHIC_ALGORITHM,
    "length": Tag.CRYPTOGRAPHIC_LENGTH,
    "sensitive": Tag.SENSITIVE,
    "extractable": Tag.EXTRACTABLE,
}


def _described(obj: ManagedObject) -> dict[str, Any]:
    """Return an object as policies know it."""
    facts: dict[str, object] = {
        "owner": obj.owner,
        "tenant": obj.tenant,
        "type": obj.object_type.name,
        "policy": obj.value(Tag.OPERATION_POLICY_NAME) or "default",
    }
    if obj.state is not None:
        facts["state"] = obj.state.name
    for name, tag in _FACTS.items():
        value = obj.value(tag)
        if value is not None:
            facts[name] = getattr(value, "name", value)
    groups = [("ObjectGroup", str(group)) for group in obj.values(Tag.OBJECT_GROUP)]
    return _entity("Object", str(obj.unique_identifier), facts, groups)
