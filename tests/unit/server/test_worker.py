"""What a worker follows while it runs."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from strongroom.domain.ports import RootKeyError
from strongroom.domain.store import StoreFailure, TamperedRecord
from strongroom.server.worker import Worker


@pytest.mark.parametrize("part", ["root key", "requirements"])
@pytest.mark.parametrize("error", [TamperedRecord, StoreFailure, RootKeyError])
def test_who_was_revoked_is_shut_out_whatever_else_cannot_be_read(part: str, error: type[Exception]) -> None:
    """Somebody who can write the database could otherwise keep a revoked client in, by one edited entry."""
    done: list[str] = []

    def follow() -> None:
        if part == "root key":
            raise error("it was edited")

    async def refresh_requirements() -> None:
        if part == "requirements":
            raise error("it was edited")

    async def refresh_clients() -> bool:
        done.append("clients")
        return True

    worker = cast(Any, Worker.__new__(Worker))
    worker._plan = SimpleNamespace(root_key=SimpleNamespace(follow=follow))
    worker._application = SimpleNamespace(refresh=refresh_requirements)
    worker._directory = SimpleNamespace(refresh=refresh_clients)
    worker._listener = SimpleNamespace(recheck=lambda: done.append("connections"))
    asyncio.run(worker._try_to_refresh())
    assert done == ["clients", "connections"]
