"""Run a coroutine at once, and give it a task only when it has to wait.

Rule: this file knows asyncio and nothing else. Most requests never wait, and a task for each would cost more
than the answer.

A coroutine is started with `send(None)`. When it returns, its value arrives in StopIteration and no task was
made. When it waits, `send` has given what it waits for, and `resume` continues it inside a task:

    try:
        waits_for = coroutine.send(None)
    except StopIteration as done:
        return done.value
    task = loop.create_task(resume(coroutine, waits_for))

Until it waits for the first time, the coroutine runs in the context of the caller, where there is no current
task: `asyncio.timeout` and `asyncio.TaskGroup` raise there, and a ContextVar token of that part cannot be
reset later.
"""

from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def resume(started: Coroutine[Any, Any, T], waits_for: object) -> T:
    """Continue a coroutine that was started by hand and waits for `waits_for`; return its value."""
    return await _resume(started, waits_for)


@coroutine
def _resume(started: Coroutine[Any, Any, T], waits_for: object) -> Generator[object, Any, T]:
    # A future that is awaited is yielded with a mark that the task takes off when it sees it. Nobody has
    # taken it off yet: handing the future on is all that is needed, for futures written in C and in Python.
    try:
        while True:
            try:
                value = yield waits_for
            except GeneratorExit:
                started.close()
                raise
            except BaseException as error:  # noqa: BLE001
                waits_for = None  # a future that failed: its error would hold this frame, and the frame it
                waits_for = started.throw(error)
            else:
                waits_for = started.send(value)
    except StopIteration as done:
        result: T = done.value
        return result
