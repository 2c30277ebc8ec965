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
from typing import Final, NamedTuple, TypeAlias

from strongroom.domain.clients import ClientRecord
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.rights import Restriction
from strongroom.server import cedar
from strongroom.server.errors import OperatorError
from strongroom.server.restrictions import question, require_cedar

LONGEST: Final = 256 << 10
"""Characters of policies that are tried."""

_PATIENCE: Final = 60
"""Seconds until a process that gets no processor time is given up."""

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
    asked = {"policies": policies, "questions": [question(*case) for case in different.values()]}
    loop = asyncio.get_running_loop()
    answers = await loop.run_in_executor(None, _ask, json.dumps(asked))
    return Trial(dict(zip(different, answers, strict=True)))


def _ask(asked: str) -> list[bool]:
    try:
        done = subprocess.run(  # noqa: S603 - our own program; what comes from outside is its input
            [sys.executable, "-I", str(Path(cedar.__file__))],
            input=asked,
            capture_output=True,
            check=True,
            text=True,
            timeout=_PATIENCE,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        raise OperatorError(
            "these Cedar policies are too much for the library that reads them: too many brackets or"
            " conditions in each other, or too long"
        ) from None
    said = json.loads(done.stdout)
    if "wrong" in said:
        raise OperatorError(f"these are no Cedar policies: {said['wrong']}")
    answers: list[bool] = said["answers"]
    return answers
