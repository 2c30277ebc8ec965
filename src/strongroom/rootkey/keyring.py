"""The root keys of one process: the newest wraps, each unwraps what is its own.

Rule: everything that is wrapped is wrapped here, so that nothing can lack its generation or, where there is a
recovery kit, the copy for it.
"""

from collections.abc import Iterable

from strongroom.domain.ports import WrongRootKey
from strongroom.model.secret import SecretBytes
from strongroom.rootkey.envelope import associated_data, pack, parse
from strongroom.rootkey.recovery import Recipient
from strongroom.rootkey.roots import KEY_SIZE, Root


class Keyring:
    """See `domain.ports.RootKey`. `recovery` is whom the recovery kit belongs to, None without a kit."""

    def __init__(self, roots: Iterable[Root], recovery: Recipient | None = None) -> None:
        self._roots = {root.id: root for root in roots}
        self._recovery = recovery

    @property
    def _newest(self) -> Root:
        return max(self._roots.values(), key=lambda root: root.generation)

    @property
    def _wrapping(self) -> Root:
        return self._newest

    def wrap(self, key: SecretBytes) -> bytes:
        return self._wrap_for(key, self._proven())

    def prove_recovery(self) -> str | None:
        """Return whom the recovery kit belongs to, after making sure that the root key says so, too.

        Raises RootKeyError for a recipient that somebody has changed.
        """
        proven = self._proven()
        return None if proven is None else proven.text

    def _proven(self) -> Recipient | None:
        """Return whom the recovery kit belongs to, so that no doubt is left. Raises RootKeyError."""
        return self._recovery

    def _wrap_for(self, key: SecretBytes, recipient: Recipient | None) -> bytes:
        if len(key) != KEY_SIZE:
            raise ValueError(f"a key under the root key has {KEY_SIZE} bytes, not {len(key)}")
        root = self._wrapping
        recovery = None if recipient is None else recipient.seal(key)
        associated = associated_data(root.generation, root.id, recovery)
        return pack(root.generation, root.id, root.seal(key, associated), recovery)

    def unwrap(self, wrapped: bytes) -> SecretBytes:
        envelope = parse(wrapped)
        root = self._roots.get(envelope.root_id)
        if root is None:
            raise WrongRootKey(
                f"a key was wrapped by another root key (generation {envelope.generation}, "
                f"{envelope.root_id.hex()}); put that root key back in place, or recover with the kit"
            )
        return root.open(envelope.sealed, envelope.associated)

    def is_current(self, wrapped: bytes) -> bool:
        envelope = parse(wrapped)
        # One that was made for an earlier kit is as good as none: nobody may have that kit any more. Without
        # any, what was made for one is left alone: the file that names the kit may only be lost.
        tag = None if envelope.recovery is None else envelope.recovery.tag
        for_the_kit = self._recovery is None or tag == self._recovery.tag
        return envelope.root_id == self._newest.id and for_the_kit

    def holds(self, wrapped: bytes) -> bool:
        """Tell whether the root key that `wrapped` was made by is here."""
        return parse(wrapped).root_id in self._roots

    def generation_of(self, wrapped: bytes) -> int:
        return parse(wrapped).generation
