"""A client that signs as fast as it is answered, until its standard input is closed.

Run as `python -m bench.signer PORT CA CERT KEY ALGORITHM`; it prints a line once it has begun.
"""

import os
import select
import sys

from strongroom import Client
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import V3_0, CryptographicAlgorithm, HashingAlgorithm, PaddingMethod

RSA_LENGTH = 3072
RSA_PARAMETERS = CryptographicParameters(
    padding_method=PaddingMethod.PSS, hashing_algorithm=HashingAlgorithm.SHA_256
)
DATA_SIZE = 64


def main() -> None:
    port, ca, cert, key, name = sys.argv[1:]
    algorithm = CryptographicAlgorithm[name]
    is_rsa = algorithm is CryptographicAlgorithm.RSA
    # No earlier version has ML-DSA.
    with Client(f"127.0.0.1:{port}", ca=ca, cert=cert, key=key, version=V3_0) as client:
        pair = client.create_key_pair(
            cryptographic_algorithm=algorithm, cryptographic_length=RSA_LENGTH if is_rsa else None
        )
        signing_key = pair.private_key_unique_identifier
        client.activate(signing_key)
        print("signing", flush=True)
        while not select.select([sys.stdin], [], [], 0)[0]:
            client.sign(
                signing_key,
                os.urandom(DATA_SIZE),
                cryptographic_parameters=RSA_PARAMETERS if is_rsa else None,
            )


if __name__ == "__main__":
    main()
