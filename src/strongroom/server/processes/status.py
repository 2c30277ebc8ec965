"""How a server is: what `strongroom server status` shows.

Rule: it looks and asks, and changes nothing. A worker that does not say how it is counts as a problem.
"""

import datetime as dt
import os
from typing import Final

from strongroom.server.address import OFF, Listening
from strongroom.server.certificates.expiry import certificates_of_the_server
from strongroom.server.config import Settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.messages import Message
from strongroom.server.ports import RootKeys
from strongroom.server.processes.control import ask_all
from strongroom.server.processes.crew import Crew
from strongroom.server.processes.pulses import NOTED_SILENCE
from strongroom.version import VERSION

HEALTH_TIMEOUT: Final = 1.0
"""Seconds for the workers to say how they are."""


def server_status(
    directory: DataDirectory,
    settings: Settings,
    root_key: RootKeys,
    crew: Crew,
    *,
    sealed: bool,
    refused_attempts: int,
    restrictions: str | None,
    listening: Listening,
    started_at: dt.datetime,
    root_key_problem: str | None,
) -> Message:
    """Return the record; `refused_attempts` to unseal, since the last that succeeded; what is wrong with the
    file of the `restrictions`, None when all is well; `root_key_problem` is why no worker could start with
    the root key."""
    now = dt.datetime.now(dt.UTC)
    problems = {} if sealed else _problems(crew)
    if restrictions is not None:
        problems["restrictions"] = f"the ones before are in force: {restrictions}"
    if not sealed and root_key_problem is not None:
        problems["root key"] = root_key_problem
    return {
        "version": VERSION,
        "sealed": sealed,
        "health": "sealed" if sealed else _health(crew, problems),
        "problems": problems,
        "provider": root_key.provider,
        "root_key_generation": root_key.generation,
        "root_key_changing": root_key.changing,
        "recovery": root_key.recovery or "missing",
        "unsealing": _unsealing(root_key),
        "refused_attempts": refused_attempts,
        "store": settings.store,
        "uptime": int((now - started_at).total_seconds()),
        "pid": os.getpid(),
        "kmip": str(listening.kmip or OFF),
        "https": str(listening.https or OFF),
        "advertised": settings.told_to_clients(*listening),
        "started_at": started_at.isoformat(timespec="seconds"),
        "generation": crew.generation,
        "certificates": certificates_of_the_server(directory, settings, now),
        "workers": [
            {
                "pid": worker.pid,
                "generation": worker.generation,
                "state": worker.state.value,
                "connections": crew.numbers.live[worker.row],
            }
            for worker in crew.workers
        ],
    }


def _health(crew: Crew, problems: Message) -> str:
    return "ok" if len(crew.serving) >= crew.slots and not problems else "degraded"


def _problems(crew: Crew) -> Message:
    """Return what is wrong, by what it is wrong with; empty when all is well."""
    answers = ask_all(crew.serving, {"ask": "status"}, HEALTH_TIMEOUT)
    problems: Message = {}
    if crew.writer.silence >= NOTED_SILENCE:
        problems["writer"] = (
            f"it has done nothing for {crew.writer.silence} s; nothing can be changed meanwhile"
        )
    for worker in crew.serving:
        result = answers.get(worker, {}).get("result")
        told = result.get("health") if isinstance(result, dict) else {"workers": "one does not answer"}
        problems |= told if isinstance(told, dict) else {}
    return problems


def _unsealing(root_key: RootKeys) -> str | None:
    """Return what an unseal waits for, None when nothing is missing."""
    if not root_key.sealed:
        return None
    collected = root_key.collected
    if collected is not None:
        return f"{collected[0]} of {collected[1]} shares"
    return "passphrase" if root_key.wants_passphrase else None
