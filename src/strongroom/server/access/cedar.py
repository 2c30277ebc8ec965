"""Cedar policies, read and asked; also a program of its own that tries some out.

Rule: it imports nothing of Strongroom, so that the program starts quickly. In comes JSON, `policies` and
`questions`; out goes JSON, an answer for each and the number of policies, or `wrong`, what is wrong.

Policies that are in force are the word of whoever owns the data directory. Those that are only tried may come
from a person elsewhere, and the library does not survive everything that can be written (some thousand
brackets in each other end the process). Only a process of its own can be lost.
"""

import json
import resource
import sys
from typing import TYPE_CHECKING, Any, Final, TypedDict

if TYPE_CHECKING:
    import cedarpy

_EVERYTHING: Final = "permit(principal, action, resource);"
"""Without it, Cedar forbids everything; with it, a file says only what is forbidden."""

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


def _tried(policies: "cedarpy.PolicySet", question: Question) -> bool:
    try:
        return permits(policies, question)
    except Exception:  # noqa: BLE001 - the edge to a library; what it cannot answer is a no
        return False


def main() -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked = json.load(sys.stdin)
    try:
        policies = read(asked["policies"])
    except ValueError as error:
        answer: dict[str, object] = {"wrong": str(error)}
    else:
        answers = [_tried(policies, question) for question in asked["questions"]]
        answer = {"answers": answers, "policies": len(policies) - 1}
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
