"""Restrictions that are not in force, tried on cases.

Rule: whoever wrote them need not be trusted with this process, so another one reads them (`cedar.py`). A case
that was not tried is a no.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from strongroom.domain.clients import ClientRecord
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.rights import Restriction
from strongroom.server.access import cedar
from strongroom.server.access.restrictions import question, require_cedar
from strongroom.server.errors import OperatorError

LONGEST: Final = 256 << 10
"""Characters of policies that are tried."""

_PATIENCE: Final = 60
"""Seconds until a process that gets no processor time is given up."""

_SHORT_PATIENCE: Final = 15
"""The same where a whole server waits, for policies that are only read."""

_Key: TypeAlias = tuple[int, Permission, int, str]


class Case(NamedTuple):
    """Whether a client has a permission on an object."""

    record: ClientRecord
    permission: Permission
    obj: ManagedObject

    @property
    def key(self) -> _Key:
        return self.record.client, self.permission, self.obj.tenant, str(self.obj.unique_identifier)


@dataclass(frozen=True, slots=True)
class _OfClient:
    """See `domain.rights.Restriction`."""

    record: ClientRecord
    answers: Mapping[_Key, bool]

    def permits(self, permission: Permission, obj: ManagedObject) -> bool:
        return self.answers.get(Case(self.record, permission, obj).key, False)


class Trial:
    """What policies say of the cases that they were tried on."""

    def __init__(self, answers: Mapping[_Key, bool]) -> None:
        self._answers = answers

    def of(self, record: ClientRecord) -> Restriction:
        """Return what would bind a client."""
        return _OfClient(record, self._answers)


async def attempt(policies: str, cases: Sequence[Case]) -> Trial:
    """Try Cedar policies; raises OperatorError for those that cannot be read."""
    if len(policies) > LONGEST:
        raise OperatorError(f"at most {LONGEST} characters of Cedar policies are tried")
    require_cedar("to try Cedar policies")
    different = {case.key: case for case in cases}
    questions = [question(*case) for case in different.values()]
    loop = asyncio.get_running_loop()
    said = await loop.run_in_executor(None, _ask, policies, questions, _PATIENCE)
    return Trial(dict(zip(different, said["answers"], strict=True)))


def count_policies(policies: str) -> int:
    """Return how many Cedar policies are in a text; raises OperatorError for what cannot be read."""
    return int(_ask(policies, [], _SHORT_PATIENCE)["policies"])


def _ask(policies: str, questions: Sequence[cedar.Question], patience: float) -> dict[str, Any]:
    asked = {"policies": policies, "actions": [one.value for one in Permission], "questions": questions}
    try:
        done = subprocess.run(  # noqa: S603 - our own program; what comes from outside is its input
            [sys.executable, "-I", str(Path(cedar.__file__))],
            input=json.dumps(asked),
            capture_output=True,
            check=True,
            text=True,
            timeout=patience,
        )
    except OSError as error:
        raise OperatorError(f"no process can be started to read Cedar policies: {error.strerror}") from error
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        raise OperatorError(
            "these Cedar policies are too much for the library that reads them: too many brackets or"
            " conditions in each other, or too long"
        ) from None
    said: dict[str, Any] = json.loads(done.stdout)
    if "wrong" in said:
        raise OperatorError(f"these are no Cedar policies: {said['wrong']}")
    if "unknown" in said:
        raise OperatorError(
            f"these Cedar policies would not apply, since there is no {', '.join(said['unknown'])}; "
            "docs/access.md lists what can be named"
        )
    return said
