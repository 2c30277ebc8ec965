"""Diffie-Hellman over finite fields, as the library has it.

Rule: names only. The library warns whoever touches them, since it will drop them one day; a key manager goes
on keeping the keys that are there, so the warning stops here.
"""

import warnings

from cryptography.utils import CryptographyDeprecationWarning

with warnings.catch_warnings():
    warnings.simplefilter("ignore", CryptographyDeprecationWarning)
    from cryptography.hazmat.primitives.asymmetric.dh import (
        DHParameterNumbers as DHParameterNumbers,
    )
    from cryptography.hazmat.primitives.asymmetric.dh import (
        DHPrivateKey as DHPrivateKey,
    )
    from cryptography.hazmat.primitives.asymmetric.dh import (
        DHPrivateNumbers as DHPrivateNumbers,
    )
    from cryptography.hazmat.primitives.asymmetric.dh import (
        DHPublicKey as DHPublicKey,
    )
    from cryptography.hazmat.primitives.asymmetric.dh import (
        DHPublicNumbers as DHPublicNumbers,
    )
