"""Opens one PKCS#12 container; a program of its own, started for each.

Rule: it imports nothing of Strongroom, so that it starts quickly. In comes a length (4 bytes), that many
bytes of password, and the container; out goes the name of the key, its length before it, and the PKCS#8 key.

Whoever makes a container chooses how many rounds of hashing it takes to open it, and the library keeps the
interpreter for as long as that lasts. Only a process can be stopped.
"""

import resource
import sys

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

CPU_SECONDS = 2
"""Ten million rounds of SHA-256 are one second; OpenSSL writes 2048, Java 10,000."""

MEMORY = 1 << 29
"""Bytes of address space: a container may ask for scrypt with any amount, and what is used is a tenth."""

NOT_OPENED = 3


def confine() -> None:
    """Give this process so much time and memory, and no dump of it should it die."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> int:
    confine()
    request = sys.stdin.buffer.read()
    end = 4 + int.from_bytes(request[:4])
    try:
        opened = load_pkcs12(request[end:], request[4:end])
    except (ValueError, UnsupportedAlgorithm, InternalError):
        return NOT_OPENED
    if opened.key is None:
        return NOT_OPENED
    name = (opened.cert.friendly_name if opened.cert is not None else None) or b""
    key = opened.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    sys.stdout.buffer.write(len(name).to_bytes(4) + name + key)
    return 0


if __name__ == "__main__":
    sys.exit(main())
