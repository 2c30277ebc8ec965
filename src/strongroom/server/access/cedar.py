"""Cedar policies, read and asked; also a program of its own that tries some out.

Rule: it imports nothing of Strongroom, so that the program starts quickly. In comes JSON, `policies`, the
`actions` that there are, and `questions`; out goes JSON, an answer for each and the number of policies, or
`wrong`, what is wrong, or `unknown`, what they name that is never asked about.

Policies that are in force are the word of whoever owns the data directory. Those that are only tried may come
from a person elsewhere, and the library does not survive everything that can be written (some thousand
brackets in each other end the process). Only a process of its own can be lost.
"""

import json
import resource
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypedDict

if TYPE_CHECKING:
    import cedarpy

_EVERYTHING: Final = "permit(principal, action, resource);"
"""Without it, Cedar forbids everything; with it, a file says only what is forbidden."""

_TYPES: Final = frozenset({"Client", "ClientGroup", "Action", "Object", "ObjectGroup"})

CPU_SECONDS: Final = 10
"""To answer a question takes a quarter of a millisecond."""

MEMORY: Final = 1 << 30
"""Bytes of address space."""


class Question(TypedDict):
    """Whether a client has a permission on an object, in Cedar's words. `entities` is JSON."""

    request: dict[str, Any]
    entities: str


def read(text: str) -> "cedarpy.PolicySet":
    """Return the policies of a file, which can only forbid; raises ValueError."""
    import cedarpy

    return cedarpy.PolicySet.from_str(f"{text}\n{_EVERYTHING}")


def permits(policies: "cedarpy.PolicySet", question: Question) -> bool:
    """Return the answer; may raise whatever the library raises, which is a no."""
    import cedarpy

    result = cedarpy.is_authorized(question["request"], policies, question["entities"])
    # SPEC(Cedar): a policy that cannot be evaluated is skipped, also one that forbids.
    return bool(result.allowed) and not result.diagnostics.errors


def unknown(text: str, actions: Sequence[str]) -> list[str]:
    """Return what a file names that is of no type here, or no action.

    Such a policy seems to forbid, and never applies.
    """
    import cedarpy

    found: set[str] = set()
    left: list[Any] = [json.loads(cedarpy.policies_to_json_str(text))]
    while left:
        match left.pop():
            case {"type": str(kind), "id": str(name)}:
                if kind not in _TYPES or (kind == "Action" and name not in actions):
                    found.add(f"{kind}::{json.dumps(name)}")
            case {"entity_type": str(kind), **rest}:
                if kind not in _TYPES:
                    found.add(kind)
                left += rest.values()
            case dict() as several:
                # What annotations say is the writer's own.
                left += (value for key, value in several.items() if key != "annotations")
            case list() as several:
                left += several
    return sorted(found)


def _tried(policies: "cedarpy.PolicySet", question: Question) -> bool:
    try:
        return permits(policies, question)
    except Exception:  # noqa: BLE001 - the edge to a library; what it cannot answer is a no
        return False


def main() -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    json.dump(_answer(json.load(sys.stdin)), sys.stdout)
    return 0


def _answer(asked: dict[str, Any]) -> dict[str, object]:
    try:
        policies = read(asked["policies"])
        strange = unknown(asked["policies"], asked["actions"])
    except ValueError as error:
        return {"wrong": str(error)}
    if strange:
        return {"unknown": strange}
    answers = [_tried(policies, question) for question in asked["questions"]]
    return {"answers": answers, "policies": len(policies) - 1}


if __name__ == "__main__":
    sys.exit(main())
