"""Computes one thing with pqcrypto; a program of its own, started for each.

Rule: it imports nothing of Strongroom, so that it starts quickly. In come parts, each after its length (4
bytes): the task, the algorithm, and what the task needs; out goes the result.

The library keeps the interpreter for as long as it computes: up to two seconds for a signature, in which a
worker of the server would answer nobody.
"""

import importlib
import resource
import sys
from types import ModuleType

GENERATE, SIGN, VERIFY = b"generate", b"sign", b"verify"
"""Tasks: a fresh private key; the signature by a key (first part) of a message (second); whether by a key
(first part) a signature (second) is one of a message (third)."""

VALID, INVALID = b"valid", b"invalid"


def pack(*parts: bytes) -> bytes:
    """Return what `unpack` takes apart."""
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def unpack(packed: bytes) -> list[bytes]:
    """Return the parts."""
    parts = []
    while packed:
        end = 4 + int.from_bytes(packed[:4])
        parts.append(packed[4:end])
        packed = packed[end:]
    return parts


def compute(module: ModuleType, task: bytes, parts: list[bytes]) -> bytes:
    """Return the result of a task."""
    if task == GENERATE:
        private: bytes = module.keygen()[1]
        return private
    if task == SIGN:
        signature: bytes = module.sign(*parts)
        return signature
    key, signature, message = parts
    try:
        module.verify(key, message, signature)
    except ValueError:  # the base of what it says of a signature that is wrong, or has a wrong length
        return INVALID
    return VALID


def main() -> int:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    task, algorithm, *parts = unpack(sys.stdin.buffer.read())
    kind = "kem" if algorithm.startswith(b"ml_kem") else "sign"
    importlib.import_module(f"pqcrypto.{kind}")
    sys.stdout.buffer.write(compute(sys.modules[f"pqcrypto.{kind}.{algorithm.decode()}"], task, parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
