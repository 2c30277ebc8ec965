"""What slow cryptography does to the requests beside it, and what much data costs.

Rule: like `scale.py`, each line compares Strongroom with itself or with what is physically needed.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench import table
from bench.load import Load, Server

SIGNERS = 4
SIGNED_WITH = {"RSA": "RSA-3072", "ML_DSA_65": "ML-DSA-65"}
MOST_DELAY_US = 20_000
MEBIBYTE = 1 << 20
MOST_OVER_CIPHER_AND_ECHO = 1.6


@contextmanager
def signers(server: Server, algorithm: str) -> Iterator[None]:
    """Have clients sign at `server` as fast as they can, each a process with a connection of its own."""
    client = server.client
    command = [sys.executable, "-m", "bench.signer", str(server.port)]
    command += [str(client.ca), str(client.cert), str(client.key), algorithm]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(SIGNERS)
    ]
    try:
        for one in running:
            if one.stdout is None or not one.stdout.readline():
                raise RuntimeError(f"a client that signs with {algorithm} has failed")
        yield
    finally:
        for one in running:
            one.communicate()


def signing(load: Load, server: Server, *, rounds: int) -> int:
    """Print what signing on other connections does to a Get; return how many requests failed."""
    failures = 0
    for algorithm, name in SIGNED_WITH.items():
        alone, beside = [], []
        for _ in range(rounds):
            alone.append(load.measure(server, "get", connections=1))
            with signers(server, algorithm):
                beside.append(load.measure(server, "get", connections=1))
        without, burdened = table.combined(alone), table.combined(beside)
        failures += without.errors + burdened.errors
        title = f"Get, p99: {name} signing on {SIGNERS} connections beside it"
        print(table.delay(title, without.p99_us, burdened.p99_us, MOST_DELAY_US), flush=True)
    return failures


def much_data(load: Load, server: Server, echo: Server, *, rounds: int) -> int:
    """Print what 1 MiB costs beside its cipher and an echo; return how many requests failed."""
    size = ("--bytes", str(MEBIBYTE))
    frames = ("--req", str(MEBIBYTE), "--resp", str(MEBIBYTE))
    encrypt, decrypt, bare = [], [], []
    for _ in range(rounds):
        encrypt.append(load.measure(server, "encrypt", connections=1, options=size))
        decrypt.append(load.measure(server, "decrypt", connections=1, options=size))
        bare.append(load.measure(echo, "echo", connections=1, options=frames))
    echoed = table.combined(bare).cpu_us
    failures = 0
    for name, runs, cipher in (
        ("Encrypt", encrypt, encryption_us()),
        ("Decrypt", decrypt, decryption_us()),
    ):
        total = table.combined(runs)
        failures += total.errors
        title = f"{name} 1 MiB, CPU: against AES-GCM and a TLS echo of it"
        print(
            table.comparison(title, "us", cipher + echoed, total.cpu_us, MOST_OVER_CIPHER_AND_ECHO),
            flush=True,
        )
    return failures


def encryption_us() -> float:
    """Return what the library takes to encrypt 1 MiB, the least of many times."""
    cipher, nonce, data = AESGCM(bytes(32)), bytes(12), bytes(MEBIBYTE)
    return _least_us(lambda: cipher.encrypt(nonce, data, None))


def decryption_us() -> float:
    """Return what the library takes to decrypt 1 MiB, the least of many times."""
    cipher, nonce = AESGCM(bytes(32)), bytes(12)
    sealed = cipher.encrypt(nonce, bytes(MEBIBYTE), None)
    return _least_us(lambda: cipher.decrypt(nonce, sealed, None))


def _least_us(call: Callable[[], bytes]) -> float:
    times = []
    for _ in range(50):
        before = time.process_time()
        call()
        times.append(time.process_time() - before)
    return min(times) * 1e6
