"""Ports to the outside that are too small for a file of their own.

Rule: each port is a Protocol whose docstring is the contract; adapters implement it, `server/app.py` picks
one.
"""

from typing import Protocol

from strongroom.model.secret import SecretBytes


class RootKeyError(Exception):
    """The root key cannot be used; the message says why and names the cure. Final: no start."""


class WrongRootKey(RootKeyError):
    """`wrapped` was made by another root key; where there are several, try the next."""


class RootKeyUnavailable(RootKeyError):
    """The root key cannot be reached now (a token is out, a server is down); another try may succeed."""


class RootKeySealed(RootKeyError):
    """Somebody has to bring what opens the root key: a passphrase, shares."""


class RootKey(Protocol):
    """The key above all others: it wraps store keys and the like, and nothing else.

    While it is being replaced, there are several of them: each opens what it has wrapped, the newest wraps.
    """

    def wrap(self, key: SecretBytes) -> bytes:
        """Return `key` (32 bytes) sealed, together with what tells this root key from another.

        Where there is a recovery kit, it can open it too. Raises RootKeyUnavailable.
        """

    def unwrap(self, wrapped: bytes) -> SecretBytes:
        """Return the key that `wrap` was given.

        Raises WrongRootKey if `wrapped` was made by another root key (try the next one); RootKeyUnavailable,
        to be tried again; RootKeyError, final, when it is damaged.
        """

    def is_current(self, wrapped: bytes) -> bool:
        """Tell whether `wrapped` is what `wrap` would make today: by the newest root key, for today's kit.

        Raises RootKeyError when it is damaged.
        """

    def generation_of(self, wrapped: bytes) -> int:
        """Return the number of the root key that `wrapped` was made by; each new root key has the next one.

        It may be one that is not here. Raises RootKeyError when it is damaged.
        """


class WrappedKeys(Protocol):
    """A place where keys lie that the root key has wrapped.

    Every such place is listed in `server/root/places.py`: what is missing there is lost when the root key is
    replaced.
    """

    @property
    def name(self) -> str:
        """Return what it is, for a person."""

    async def wrapped(self) -> list[bytes]:
        """Return what lies there, wrapped. Raises StoreFailure."""

    async def rewrap(self, root_key: RootKey) -> None:
        """Wrap again whatever is not current. Each key can be opened at every moment, and a run that is
        killed is finished by the next.

        Raises StoreFailure and RootKeyError.
        """

    async def is_lasting(self, root_key: RootKey) -> bool:
        """Tell whether whatever lies there is current, and stays so: also where another database server takes
        over at this moment.

        Raises StoreFailure where that cannot be told.
        """
