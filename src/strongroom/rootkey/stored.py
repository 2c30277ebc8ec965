"""The root keys of a data directory: which there are, which are open, and how one takes over from another.

Rule: `root.json` says which root keys are needed, and changes only in this file, whole, under a lock. A root
key leaves it when nothing is wrapped by it any more and not before, so whatever is killed in between can be
finished by whoever comes next.

    one key          everything is wrapped by it
    two keys         the newer one wraps; the older one still opens what is not wrapped again yet
    more keys        this node was away for more than one change: the newest wraps, each of the others opens
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final

from strongroom.domain.ports import RootKeyError, RootKeySealed, RootKeyUnavailable, WrongRootKey
from strongroom.model.secret import SecretBytes
from strongroom.rootkey import file, passphrase, shares
from strongroom.rootkey.envelope import Envelope, parse
from strongroom.rootkey.keyring import Keyring
from strongroom.rootkey.opening import open_root
from strongroom.rootkey.parent import Parent
from strongroom.rootkey.place import FILE, KMIP, PASSPHRASE, PATIENCE, PKCS11, SHARES, Place
from strongroom.rootkey.record import RootRecord
from strongroom.rootkey.recovery import CURE, Claim, Recipient, prove_claim, write_claim
from strongroom.rootkey.roots import Root, SoftwareRoot

UNREADABLE: Final = "unreadable"
"""Whom the recovery kit belongs to where what is written cannot be read."""


class StoredKeyring(Keyring):
    """The root keys of a data directory; see `server.ports.RootKeys`. Raises RootKeyError.

    What nobody has to be asked for is opened at once.
    """

    def __init__(self, place: Place) -> None:
        super().__init__(())
        self._place = place
        self._parent = Parent()
        self._records: list[RootRecord] = []
        self._collections: dict[bytes, shares.Collection] = {}
        self._seen: object = None
        self._claim: Claim | RootKeyError | None = None
        self._is_proven = False
        self._closed = False
        self._refused: RootKeyError | None = None
        self._read()
        if self._refused is not None and not any(record.provider == PASSPHRASE for record in self._opened):
            raise self._refused

    # What it is

    @property
    def sealed(self) -> bool:
        """Tell whether a root key that is needed is not open."""
        return self._closed or bool(self._missing)

    @property
    def left_behind(self) -> bool:
        """Tell whether this process has missed a root key that one has which is forked now."""
        missed = self.sealed and not (self._closed or self._parent.is_this)
        return missed and self._parent.has(self._records[-1].id)

    @property
    def state(self) -> object:
        """Return which root keys there are, to be compared with a later state."""
        return tuple(record.id for record in self._records)

    @property
    def changing(self) -> bool:
        """Tell whether one root key is taking over from another."""
        return len(self._records) > 1

    @property
    def generation(self) -> int:
        return self._records[-1].generation

    @property
    def provider(self) -> str:
        return self._records[-1].provider

    @property
    def stays_elsewhere(self) -> bool:
        """Tell whether using the newest root key takes a token or another server."""
        return self.provider in (PKCS11, KMIP)

    @property
    def waiting(self) -> bool:
        """Tell whether the newest does not wrap yet, so that other nodes can take it first."""
        wraps_from = self._records[-1].wraps_from
        return self.changing and wraps_from is not None and time.time() < wraps_from

    @property
    def _wrapping(self) -> Root:
        return self._roots[self._records[-2 if self.waiting else -1].id]

    @property
    def announced_at(self) -> int:
        """Return when the newest root key came here, in seconds."""
        return self._records[-1].created_at

    @property
    def recovery(self) -> str | None:
        """Return whom the recovery kit belongs to, as it is written, None when there is none."""
        if isinstance(self._claim, RootKeyError):
            return UNREADABLE
        return None if self._recovery is None else self._recovery.text

    @property
    def recovery_number(self) -> int:
        """Return which of the kits of all servers this is, as it is written; the newest has the highest."""
        return self._claim.number if isinstance(self._claim, Claim) else 0

    @property
    def wants_passphrase(self) -> bool:
        """Tell whether a passphrase would help."""
        return any(record.provider == PASSPHRASE for record in self._missing)

    @property
    def collected(self) -> tuple[int, int] | None:
        """Return how many shares were brought and how many are needed, None when none are wanted."""
        for record in self._missing:
            collection = self._collections.get(record.id)
            if collection is not None:
                return collection.brought, collection.needed
        return None

    def described(self) -> list[dict[str, object]]:
        """Return what may be said of each root key, oldest first."""
        return [
            {
                "generation": record.generation,
                "id": record.id.hex(),
                "provider": record.provider,
                "created_at": record.created_at,
                "open": record.id in self._roots and not self._closed,
            }
            for record in self._records
        ]

    @property
    def _missing(self) -> list[RootRecord]:
        return [record for record in self._records if record.id not in self._roots]

    @property
    def _opened(self) -> list[RootRecord]:
        return [record for record in self._records if record.id in self._roots]

    # Wrapping

    def wrap(self, key: SecretBytes) -> bytes:
        self._check_open()
        return super().wrap(key)

    def _proven(self) -> Recipient | None:
        while self._claim is not None and not self._is_proven:
            claim = self._claim
            if isinstance(claim, RootKeyError):
                raise RootKeyError(str(claim)) from claim
            if claim.wrapped is None:
                self._seal_older(claim)
                continue
            prove_claim(claim, self.unwrap, str(self._place.recovery))
            self._is_proven = claim is self._claim  # else another one was written meanwhile
        return self._recovery

    def _seal_older(self, claim: Claim) -> None:
        """Seal what an older release has written. Raises RootKeyError if nothing vouches for it.

        Only with the root key can somebody have wrapped a key for a kit.
        """
        if not any(self._vouches(wrapped, claim.recipient) for wrapped in self._place.witnesses()):
            raise RootKeyError(
                f"{self._place.recovery} has no seal, and nothing is wrapped for this recipient, so it was"
                f" changed: {CURE}"
            )
        with self._editing():
            if claim is self._claim:
                self._write_recovery(claim.recipient, claim.number)

    def _vouches(self, wrapped: bytes, recipient: Recipient) -> bool:
        try:
            envelope = parse(wrapped)
            if envelope.recovery is None or envelope.recovery.tag != recipient.tag:
                return False
            self.unwrap(wrapped)
        except (RootKeySealed, RootKeyUnavailable):
            raise
        except RootKeyError:
            return False
        return True

    def unwrap(self, wrapped: bytes) -> SecretBytes:
        self._check_open()
        try:
            return super().unwrap(wrapped)
        except WrongRootKey:
            # Another process may have made it the newest a moment ago.
            if not self.follow():
                raise
        return super().unwrap(wrapped)

    def _check_open(self) -> None:
        if self.sealed:
            raise RootKeySealed("the server is sealed; open it: strongroom server unseal --data DIR")

    # Opening and closing

    def follow(self) -> bool:
        """Take over what other processes have changed; tell whether anything was. Raises RootKeyError."""
        if self._closed or self._place.look() == self._seen:
            return False
        self._read()
        return True

    def give_passphrase(self, given: SecretBytes) -> None:
        """Open what a passphrase opens, and what that hands on. Raises RootKeyError when it opens nothing."""
        wanting = [record for record in self._missing if record.provider == PASSPHRASE]
        if not wanting:
            raise RootKeyError("no root key waits for a passphrase; look at: strongroom server status")
        refused: RootKeyError | None = None
        for record in wanting:
            try:
                root = SoftwareRoot(passphrase.open_(record.parameters, given), record.generation)
                self._accept(record, root)
            except RootKeyError as error:  # while one takes over, each may have a passphrase of its own
                refused = error
        if refused is not None and all(record in self._missing for record in wanting):
            raise refused
        self._open_others()

    def give_share(self, text: str) -> None:
        """Take one share; the last one that is needed opens. Raises RootKeyError."""
        one = shares.read(text)
        wanting = [
            (record, self._collections[record.id]) for record in self._missing if record.provider == SHARES
        ]
        if not wanting:
            raise RootKeyError("no root key waits for shares; look at: strongroom server status")
        record, collection = next((pair for pair in wanting if pair[1].belongs(one)), wanting[0])
        collection.add(one)
        secret = collection.secret()
        if secret is not None:
            self._accept(record, SoftwareRoot(secret, record.generation))
            self._open_others()

    def give_root(self, secret: SecretBytes) -> None:
        """Open with a root key itself, which was made or recovered a moment ago. Raises RootKeyError."""
        for record in self._missing:
            root = SoftwareRoot(secret, record.generation)
            if root.id == record.id:
                self._accept(record, root)
        self._open_others()

    def close(self) -> None:
        """Forget every root key that is open, and every share, until `reopen`."""
        self._roots = {}
        self._closed = True
        self._parent.show(None)
        for collection in self._collections.values():
            collection.forget()

    def reopen(self) -> None:
        """Open again what nobody has to be asked for. Raises RootKeyError."""
        self._closed = False
        self._read()

    def _read(self) -> None:
        seen, claim, records = self._place.look(), self._place.claim(), self._place.records()
        known, roots = self._roots, dict[bytes, Root]()
        for record in records:
            root = known.get(record.id) or self._handed_over(record, {**known, **roots}) or self._open(record)
            if root is not None:
                roots[record.id] = _checked(record, root)
            elif record.provider == SHARES:
                self._collections.setdefault(record.id, shares.Collection(record.id.hex(), record.parameters))
        # At no moment is one missing that is open: other threads may be using them.
        self._roots = {**known, **roots}
        self._records = records
        self._roots = roots
        self._claim, self._is_proven = claim, False
        self._recovery = claim.recipient if isinstance(claim, Claim) else None
        self._open_others()
        # What cannot be read may be readable again without another sign.
        self._seen = None if isinstance(claim, RootKeyError) else seen

    def _open(self, record: RootRecord) -> Root | None:
        """Return the root key of a record, None when somebody has to bring what opens it."""
        try:
            return open_root(record, self._place)
        except RootKeyError as error:
            if record.provider != PASSPHRASE:
                raise
            # The passphrase that is known is that of an older root key, say.
            self._refused = error
            return None

    def _handed_over(self, record: RootRecord, known: Mapping[bytes, Root]) -> Root | None:
        """Return the root key of a record that one which is open has wrapped; None without one."""
        if record.handover is None:
            return None
        envelope = parse(record.handover)
        older = known.get(envelope.root_id)
        if older is None:
            return None
        return SoftwareRoot(self._use(older, envelope), record.generation)

    def _use(self, root: Root, envelope: Envelope) -> SecretBytes:
        def use() -> SecretBytes:
            return root.open(envelope.sealed, envelope.associated)

        apart = self._place.apart
        if apart is None or not self._parent.is_this or isinstance(root, SoftwareRoot):
            return use()
        return apart(use)

    def _open_others(self) -> None:
        """Open what those that are open have been given to hand on, and show what is open."""
        for record in self._missing:
            root = self._handed_over(record, self._roots)
            if root is not None:
                self._accept(record, root)
        newest = self._records[-1].id
        self._parent.show(newest if newest in self._roots else None)

    def _accept(self, record: RootRecord, root: Root) -> None:
        self._roots[record.id] = _checked(record, root)

    # One takes over from another

    def prepare(
        self, described: object, secret: SecretBytes | None, *, wraps_from: int | None = None
    ) -> dict[str, object]:
        """Return what every node needs to `adopt` a new root key. Nothing has changed yet.

        `described` is its record, `secret` the key, None for one that stays elsewhere. `wraps_from` is when
        it begins to wrap, in seconds, None for at once. Raises RootKeyError.
        """
        record = replace(
            RootRecord.from_json(described), created_at=int(time.time()), wraps_from=wraps_from, handover=None
        )
        self.follow()
        self._check_open()
        if self.changing:
            raise RootKeyError("a root key is being replaced already; wait until that is finished")
        if record.generation != self.generation + 1:
            raise RootKeyError("another root key came first; try again")
        if secret is not None:
            if SoftwareRoot(secret, record.generation).id != record.id:
                raise RootKeyError("the new root key is not the one of its record")
            # By the old one: what has that may follow, and nothing else.
            record = replace(record, handover=super().wrap(secret))
        elif record.provider not in (PKCS11, KMIP):
            raise RootKeyError("the new root key is missing")
        return record.to_json()

    def adopt(self, described: object) -> bool:
        """Take a new root key beside the one there is, from what `prepare` gave, here or on another node.

        Tells whether there was anything to do. Raises RootKeyError.
        """
        # From now on the other processes here have to hear of it, whenever it was made; and others have as
        # long as whoever announced it gave them, whatever time it is there.
        record, now = RootRecord.from_json(described), int(time.time())
        given = None if record.wraps_from is None else record.wraps_from - record.created_at
        record = replace(record, created_at=now, wraps_from=None if given is None else now + given)
        with self._editing():
            self._check_open()
            if record.generation <= self.generation:
                return False
            root = self._handed_over(record, self._roots)
            if record.handover is not None and root is None:
                raise WrongRootKey(
                    "a root key was announced by a server whose root key is another one; stop this server,"
                    " and copy root.json and root.key from one that has it"
                )
            self._keep(record, root.secret if isinstance(root, SoftwareRoot) else None)
            # All of them: while this one was away, the others may have done with any but the newest.
            self._place.write_records([*self._records, record])
            return True

    @property
    def prepared(self) -> dict[str, object]:
        """Return the newest root key as `prepare` gave it; while it takes over, others can `adopt` it."""
        return self._records[-1].to_json()

    def complete(self, judged: object) -> bool:
        """Let go of every root key but the newest: nothing is wrapped by them any more, the caller knows.

        `judged` is the `state` that was found so. When it is another one by now, a newer key has come, with
        everything still to be wrapped by it: nothing is done, and False returned. Also tidies up after a run
        that was killed. Raises RootKeyError, also while processes are forked that could not have the newest.
        """
        with self._editing():
            if self.state != judged:
                return False
            newest = self._records[-1]
            if self.changing:
                self._check_parent_has(newest)
                self._place.write_records([newest.settled()])
            # Last, since it takes away what the record named until now.
            if newest.provider == FILE:
                with suppress(FileNotFoundError):
                    self._place.next_key_file(newest.generation).replace(self._place.key_file)
            self._place.clear_up(self._records[-1])
            return True

    def _check_parent_has(self, newest: RootRecord) -> None:
        if not (self._parent.is_this or self._parent.has(newest.id)):
            raise RootKeyError(
                "the older root key is kept, since the supervisor has not taken over the newer one; look at:"
                " strongroom server status"
            )

    def set_recovery(self, recipient: str, number: int = 0) -> None:
        """Wrap for the kit of this recipient from now on, unless a later one is here. Raises RootKeyError."""
        with self._editing():
            self._check_open()
            if number == 0 or number >= self.recovery_number:
                self._write_recovery(Recipient(recipient), number)

    def _write_recovery(self, recipient: Recipient, number: int) -> None:
        content = write_claim(recipient, number, lambda key: self._wrap_for(key, recipient))
        self._place.write(self._place.recovery, content)

    def _keep(self, record: RootRecord, secret: SecretBytes | None) -> None:
        """Put the key file of a new root key where it belongs."""
        if record.provider == FILE:
            if secret is None:
                raise RootKeyError("the new root key for the file is missing")
            path = self._place.next_key_file(record.generation)
            # One that was left behind by an attempt that was killed before anything knew of it.
            path.unlink(missing_ok=True)
            file.create(path, secret)

    def wait_for_others(self) -> None:
        """Return when no other process changes root keys; slow. Raises RootKeyError when one does not finish.

        Whoever changes something in an event loop has this done in a thread before.
        """
        with self._place.locked(patience=PATIENCE):
            return

    @contextmanager
    def _editing(self) -> Iterator[None]:
        """Hold the lock, see the newest state, and follow what was changed."""
        with self._place.locked():
            self.follow()
            yield
            self.follow()


def _checked(record: RootRecord, root: Root) -> Root:
    """Return a root key if it is the one of its record. Raises WrongRootKey."""
    if root.id != record.id:
        raise WrongRootKey(
            f"this opens root key {root.id.hex()}, the data needs {record.id.hex()} "
            f"(generation {record.generation})"
        )
    return root
