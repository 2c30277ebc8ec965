"""A conversation with a server that is a list of answers."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from strongroom.client.conversation import Flow, Outgoing

T = TypeVar("T")


def talk(flow: Flow[T], answers: Iterable[bytes]) -> tuple[T, list[Outgoing]]:
    """Return what the flow came to, and what it sent; every answer is used."""
    sent: list[Outgoing] = []
    left = iter(answers)
    try:
        outgoing = next(flow)
        while True:
            sent.append(outgoing)
            outgoing = flow.send(next(left))
    except StopIteration as done:
        assert next(left, None) is None, "an answer was not asked for"
        result: T = done.value
        return result, sent


def result_of(flow: Flow[T], *answers: bytes) -> T:
    return talk(flow, answers)[0]


def sent_by(make: Callable[[], Flow[T]]) -> bytes:
    """Return the first message of a flow."""
    return next(make()).message
