"""Reads one PGP key or certificate; a program of its own, started for each.

Rule: it imports nothing of Strongroom, so that it starts quickly. In comes the material; out goes, in JSON,
what the first key tells.

Whoever makes a key chooses how many signatures the library tries on how many names, and it keeps the
interpreter for as long as that lasts. Only a process can be stopped.
"""

import json
import resource
import sys
from collections.abc import Iterable
from typing import Any

from pysequoia import Cert
from pysequoia.packet import PacketPile

CPU_SECONDS = 2
"""A key of a mebibyte with the signatures of five thousand others takes an eighth of a second."""

MEMORY = 1 << 29
"""Bytes of address space: a key of a mebibyte takes a quarter."""

NOT_READ = 3


def confine() -> None:
    """Give this process so much time and memory, and no dump of it should it die."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> int:
    confine()
    data = sys.stdin.buffer.read()
    try:
        keys = Cert.split_bytes(data)
        packets: list[Any] = list(PacketPile.from_bytes(data))
    except BaseException:  # noqa: BLE001 - a panic of the library is no Exception
        return NOT_READ
    if not keys:
        return NOT_READ
    primary = packets[0]
    own = [p for p in packets if p.hash_algorithm is not None and p.issuer_key_id == primary.key_id]
    found = {
        "fingerprint": keys[0].fingerprint,
        "algorithm": _name(primary.key_algorithm),
        "user_ids": _once(p.user_id for p in packets if p.user_id),
        "issuers": _once(p.issuer_key_id for p in packets if p.issuer_key_id),
        "hashes": _once(_name(p.hash_algorithm) for p in own),
    }
    sys.stdout.write(json.dumps(found))
    return 0


def _name(value: object) -> str:
    """Return the name of a member of one of the library's enumerations, which cannot be hashed."""
    return str(value).rpartition(".")[2]


def _once(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


if __name__ == "__main__":
    sys.exit(main())
