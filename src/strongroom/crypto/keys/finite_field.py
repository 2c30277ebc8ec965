"""Diffie-Hellman over finite fields, as the library has it.

Rule: names only. The library warns whoever touches such a key, since it will drop them one day; a key manager
goes on keeping the keys that are there, so the warning stops here.
"""

import warnings

from cryptography.utils import CryptographyDeprecationWarning

warnings.filterwarnings("ignore", "Diffie-Hellman over finite fields", CryptographyDeprecationWarning)

from cryptography.hazmat.primitives.asymmetric.dh import (  # noqa: E402
    DHParameterNumbers as DHParameterNumbers,
)
from cryptography.hazmat.primitives.asymmetric.dh import (  # noqa: E402
    DHPrivateKey as DHPrivateKey,
)
from cryptography.hazmat.primitives.asymmetric.dh import (  # noqa: E402
    DHPrivateNumbers as DHPrivateNumbers,
)
from cryptography.hazmat.primitives.asymmetric.dh import (  # noqa: E402
    DHPublicKey as DHPublicKey,
)
from cryptography.hazmat.primitives.asymmetric.dh import (  # noqa: E402
    DHPublicNumbers as DHPublicNumbers,
)
