"""The eager driver: a coroutine started by hand goes on in a task as if it had always been there."""

import asyncio
import gc
import warnings
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any

import pytest
import uvloop

from strongroom.server.listening.eager import resume


class PythonTask(asyncio.tasks._PyTask):  # type: ignore[name-defined,misc]
    """The task of the standard library that is written in Python."""


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["C task", "Python task"])
def python_task(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "Python task")


Run = Callable[[Callable[[], Coroutine[Any, Any, Any]]], Any]


@pytest.fixture
def run(loop_name: str, python_task: bool) -> Run:
    """Run a coroutine function on the chosen loop with the chosen kind of task."""

    def runner(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        with asyncio.Runner(loop_factory=LOOPS[loop_name]) as made:
            if python_task:
                made.get_loop().set_task_factory(
                    lambda loop, coro, **rest: PythonTask(coro, loop=loop, **rest)
                )
            return made.run(main())

    return runner


def start(coro: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Do what the protocol does with a coroutine that waits."""
    return asyncio.get_running_loop().create_task(resume(coro, coro.send(None)))


def python_future() -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = asyncio.futures._PyFuture(loop=asyncio.get_running_loop())  # type: ignore[attr-defined]
    return future


@pytest.mark.parametrize("make", [lambda: asyncio.get_running_loop().create_future(), python_future])
def test_a_future_is_awaited_and_its_result_delivered(
    run: Run, make: Callable[[], asyncio.Future[Any]]
) -> None:
    async def main() -> None:
        future = make()

        async def work() -> str:
            return f"got {await future}"

        task = start(work())
        await asyncio.sleep(0)
        assert not task.done()
        future.set_result("it")
        assert await task == "got it"

    run(main)


def test_a_future_that_is_done_before_the_task_starts_is_delivered(run: Run) -> None:
    async def main() -> None:
        future = asyncio.get_running_loop().create_future()

        async def work() -> object:
            return await future

        task = start(work())
        future.set_result(7)
        assert await task == 7

    run(main)


def test_it_may_wait_many_times_and_bare_yields_count(run: Run) -> None:
    async def main() -> None:
        async def work() -> int:
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
            await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0.001))
            return await asyncio.get_running_loop().run_in_executor(None, lambda: 42)

        assert await start(work()) == 42

    run(main)


def test_an_error_of_the_future_arrives_inside(run: Run) -> None:
    async def main() -> None:
        future = asyncio.get_running_loop().create_future()

        async def work() -> str:
            try:
                await future
            except LookupError as error:
                return f"handled {error}"
            return "no error"

        task = start(work())
        future.set_exception(LookupError("it"))
        assert await task == "handled it"

    run(main)


def test_an_error_of_the_coroutine_comes_out_of_the_task(run: Run) -> None:
    async def main() -> None:
        async def work() -> None:
            await asyncio.sleep(0)
            raise LookupError("out")

        with pytest.raises(LookupError, match="out"):
            await start(work())

    run(main)


def test_cancelling_the_task_cancels_inside_and_finally_runs(run: Run) -> None:
    async def main() -> None:
        cleaned = []

        async def work() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0)
                cleaned.append(True)

        task = start(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cleaned

    run(main)


def test_a_coroutine_may_catch_its_cancellation(run: Run) -> None:
    async def main() -> None:
        async def work() -> str:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return "survived"
            return "slept"

        task = start(work())
        await asyncio.sleep(0)
        task.cancel()
        assert await task == "survived"

    run(main)


def test_a_timeout_works_after_the_first_wait(run: Run) -> None:
    async def main() -> None:
        async def work() -> str:
            await asyncio.sleep(0)
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.sleep(60)
            except TimeoutError:
                return "in time"
            return "late"

        assert await start(work()) == "in time"

    run(main)


def test_a_timeout_before_the_first_wait_is_refused_and_not_ignored(run: Run) -> None:
    async def main() -> None:
        async def work() -> None:
            async with asyncio.timeout(1):
                await asyncio.sleep(0)

        done = asyncio.get_running_loop().create_future()

        def callback() -> None:
            with pytest.raises(RuntimeError, match="inside a task"):
                work().send(None)
            done.set_result(None)

        asyncio.get_running_loop().call_soon(callback)
        await done

    run(main)


def test_a_task_that_is_dropped_closes_the_coroutine() -> None:
    closed = []

    @coroutine
    def forever() -> Generator[None, None, None]:
        try:
            yield
        finally:
            closed.append(True)

    async def work() -> None:
        await forever()

    started = work()
    rest = resume(started, started.send(None))
    rest.send(None)
    rest.close()
    assert closed


def test_nothing_is_left_behind(run: Run) -> None:
    async def main() -> None:
        async def work() -> None:
            await asyncio.sleep(0)

        for _ in range(100):
            await start(work())

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(main)
        gc.collect()
