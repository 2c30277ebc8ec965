"""Users in the header of a request (KMIP 3.0 User and Credential objects, 2.1 §9.11).

Rule: users belong to a client, which has proved itself by its certificate; a user never makes another client
of the caller. A credential that names a user of the client must be that user's; whatever is wrong, the answer
is the same. Codes and time stamps are good once.
"""

import hmac
import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from strongroom.domain.audit import SUCCESS, AuditEvent
from strongroom.domain.credentials import CredentialChecks, CredentialUse, HashedLogin
from strongroom.domain.generation import Generation
from strongroom.domain.identity import ClientId, ClientIdentity
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.sight import own
from strongroom.domain.store import LostRace, ObjectQuery, ObjectStore
from strongroom.domain.turn import Pace
from strongroom.engine.batch import BatchMemory
from strongroom.engine.guesses import Guesses, wrong
from strongroom.engine.unit_of_work import UnitOfWork
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.messages import Device, HashedPassword, OneTimePassword, UsernameAndPassword
from strongroom.model.objects import (
    DeviceCredential,
    HashedPasswordCredential,
    ManagedObjectStruct,
    OTPCredential,
    PasswordCredential,
)
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Struct
from strongroom.model.structures import Name
from strongroom.registry import ObjectType, Operation, OTPAlgorithm, State, Tag

CLOCK_DRIFT: Final = timedelta(minutes=5)
"""How far the time stamp of a hashed password may be from our time."""

AUTHENTICATE: Final = "AUTHENTICATE"
"""The operation of an audit event that a credential was used which can be used once."""

_REMEMBERED: Final = 10_000
_USABLE: Final = frozenset({State.PRE_ACTIVE, State.ACTIVE})


class Login(NamedTuple):
    """Who a request comes from, and what goes into the header of the answer to prove who we are."""

    caller: ClientIdentity
    server_hashed_password: SecretBytes | None = None


class _Proof(NamedTuple):
    """The credentials of a user that fitted, and what goes back to prove who we are."""

    by: tuple[str, ...]
    answer: SecretBytes | None = None


class Users:
    """The users of the store, as the header of a request names them."""

    def __init__(self, store: ObjectStore, checks: CredentialChecks, guesses: Guesses) -> None:
        self._store = store
        self._checks = checks
        self._guesses = guesses
        self._good: set[bytes] = set()
        self._key = secrets.token_bytes(32)

    async def log_in(self, caller: ClientIdentity, value: Struct, now: datetime) -> Login | None:
        """Return who the request comes from, None when the credential names no user of the client.

        Raises AuthenticationNotSuccessful, the same whatever is wrong.
        """
        user = await self._find(caller, value, now)
        if user is None:
            return None
        # By sequence, which is unique on the whole server, as identifiers are not.
        holder = f"user {user.sequence}"
        async with self._guesses.alone(holder), self._guesses.look(holder):
            proof = await self._check(caller, user, value, now)
            if proof is None or not _usable(user):
                raise wrong()
        return Login(replace(caller, user=user.unique_identifier, credentials=proof.by), proof.answer)

    async def _find(self, caller: ClientIdentity, value: Struct, now: datetime) -> ManagedObject | None:
        """Return the user that a credential names."""
        if isinstance(value, UsernameAndPassword | OneTimePassword | HashedPassword):
            return await self._only(
                caller, now, ObjectType.USER, AttributeInstance(Tag.NAME, Name(name_value=value.username))
            )
        if isinstance(value, Device):
            known = await self._all(caller, now, ObjectType.DEVICE_CREDENTIAL)
            fitting = [credential for credential in known if _same(credential.material, value)]
            pace = Pace()
            # Who has only one that may not be used now is told that it is wrong.
            for credential in sorted(fitting, key=_usable, reverse=True):
                await pace()
                link = AttributeInstance(Tag.CREDENTIAL_LINK, credential.unique_identifier)
                user = await self._only(caller, now, ObjectType.USER, link)
                if user is not None:
                    return user
        return None

    async def _check(
        self, caller: ClientIdentity, user: ManagedObject, value: Struct, now: datetime
    ) -> _Proof | None:
        """Return what fits of a user's credentials, None when nothing does."""
        credentials, by = await self._credentials(user, now), tuple[str, ...]()
        if isinstance(value, UsernameAndPassword | Device | OneTimePassword) and (
            isinstance(value, UsernameAndPassword) or value.password is not None
        ):
            fitting = await self._password(credentials, value.password)
            if fitting is None:
                return None
            by = (fitting.unique_identifier,)
        if isinstance(value, UsernameAndPassword):
            return _Proof(by)
        if isinstance(value, Device):
            device = next((obj for obj, material in credentials if _same(material, value)), None)
            return None if device is None else _Proof((*by, device.unique_identifier))
        for obj, material in credentials:
            answer, counter = None, None
            if isinstance(value, OneTimePassword) and isinstance(material, OTPCredential):
                last = await self._last(caller, obj)
                counter = self._checks.one_time_counter(material, value.one_time_password, last, now)
            elif isinstance(value, HashedPassword) and isinstance(material, HashedPasswordCredential):
                login = HashedLogin(
                    time_stamp=value.time_stamp,
                    hashing_algorithm=value.hashing_algorithm,
                    hashed_password=value.hashed_password,
                )
                if abs(value.time_stamp - now) <= CLOCK_DRIFT:
                    answer = self._checks.answer_hashed_password(material, login)
                if answer is not None:
                    counter = int(value.time_stamp.timestamp() * 1_000_000)
            if counter is not None and await self._use(caller, obj, counter, now):
                return _Proof((*by, obj.unique_identifier), answer)
        return None

    async def _password(
        self, credentials: list[tuple[ManagedObject, ManagedObjectStruct]], password: SecretBytes | None
    ) -> ManagedObject | None:
        """Return whose password it is of the credentials; a right one is remembered, as a keyed digest."""
        for obj, material in credentials:
            if not isinstance(material, PasswordCredential) or password is None:
                continue
            written = obj.generation.nonce if isinstance(obj.generation, Generation) else b""
            said = b"%d:%b:%b" % (obj.sequence, written, password.reveal())
            digest = hmac.digest(self._key, said, "sha256")
            if digest in self._good:
                return obj
            if await self._checks.password_fits(material, password):
                if len(self._good) >= _REMEMBERED:
                    self._good.clear()
                self._good.add(digest)
                return obj
        return None

    async def _credentials(
        self, user: ManagedObject, now: datetime
    ) -> list[tuple[ManagedObject, ManagedObjectStruct]]:
        """Return the credentials of a user that may be used, with what they consist of."""
        found, pace = [], Pace()
        for identifier in user.values(Tag.CREDENTIAL_LINK):
            await pace()
            stored = await self._store.load(user.tenant, str(identifier), own(ClientId(user.owner)))
            if stored is None or stored.owner != user.owner or stored.material is None:
                continue
            obj = stored.copy()
            obj.settle(now)
            if _usable(obj):
                found.append((obj, stored.material))
        return found

    async def _last(self, caller: ClientIdentity, obj: ManagedObject) -> int | None:
        kept = await self._store.load_entry(CredentialUse, caller.tenant, obj.unique_identifier)
        return None if kept is None else kept.value.usage_limits_count

    async def _use(self, caller: ClientIdentity, obj: ManagedObject, counter: int, now: datetime) -> bool:
        """Note that a counter was used; False when it, or a later one, was used before."""
        work = UnitOfWork(self._store, BatchMemory(), caller=caller, now=now)
        kept = await work.entries.get(CredentialUse, obj.unique_identifier)
        if kept is not None and kept.value.usage_limits_count >= counter:
            return False
        work.entries.put(obj.unique_identifier, CredentialUse(usage_limits_count=counter))
        if isinstance(obj.material, OTPCredential) and obj.material.otp_algorithm is OTPAlgorithm.HOTP:
            work.begin(Permission.NONE, Operation.LOGIN)
            shown = await work.get(obj.unique_identifier, permission=Permission.NONE)
            shown.set(Tag.OTP_COUNTER, counter.to_bytes(8))
        changes = work.changes()
        changes.events = [
            AuditEvent(
                at=now,
                client=caller.client,
                tenant=caller.tenant,
                peer="-",
                operation=AUTHENTICATE,
                outcome=SUCCESS,
                objects=(obj.unique_identifier,),
                acting=caller.acting,
            )
        ]
        try:
            await work.commit(changes)
        except LostRace:
            return False  # somebody else has just used it
        return True

    async def _only(
        self, caller: ClientIdentity, now: datetime, object_type: ObjectType, *filters: AttributeInstance
    ) -> ManagedObject | None:
        found = await self._all(caller, now, object_type, *filters)
        return found[0] if len(found) == 1 else None

    async def _all(
        self, caller: ClientIdentity, now: datetime, object_type: ObjectType, *filters: AttributeInstance
    ) -> list[ManagedObject]:
        """Return objects of the client, settled."""
        kind = AttributeInstance(Tag.OBJECT_TYPE, object_type)
        query = ObjectQuery(
            tenant=caller.tenant,
            sight=own(caller.client),
            now=now,
            filters=[kind, *filters],
            maximum=_REMEMBERED,
        )
        found, pace = [], Pace()
        for identifier in (await self._store.locate(query)).unique_identifiers:
            await pace()
            stored = await self._store.load(caller.tenant, identifier, own(caller.client))
            if stored is not None and stored.owner == caller.client and stored.object_type is object_type:
                obj = stored.copy()
                obj.settle(now)
                found.append(obj)
        return found


async def may_log_in(store: ObjectStore, caller: ClientIdentity, now: datetime) -> bool:
    """Tell whether the user of a caller, if it is one, may be used now, and still has its credentials.

    Raises StoreFailure.
    """
    if caller.user is None:
        return True
    user = await _in_use(store, caller, caller.user, now)
    if user is None or user.object_type is not ObjectType.USER:
        return False
    linked = set(map(str, user.values(Tag.CREDENTIAL_LINK)))
    for identifier in caller.credentials or ():
        if identifier not in linked or await _in_use(store, caller, identifier, now) is None:
            return False
    return True


async def _in_use(
    store: ObjectStore, caller: ClientIdentity, identifier: str, now: datetime
) -> ManagedObject | None:
    """Return an object of the caller that may be used now."""
    stored = await store.load(caller.tenant, identifier, own(caller.client))
    if stored is None or stored.owner != caller.client:
        return None
    obj = stored.copy()
    obj.settle(now)
    return obj if _usable(obj) else None


def _usable(obj: ManagedObject) -> bool:
    """Tell whether a user or credential may be used now: one that waits for its date may not."""
    if obj.archived or obj.destroyed or obj.state not in _USABLE:
        return False
    return obj.state is State.ACTIVE or obj.value(Tag.ACTIVATION_DATE) is None


def _same(credential: ManagedObjectStruct | None, given: Device) -> bool:
    """Tell whether it is the credential of a device, which says all that this says."""
    if not isinstance(credential, DeviceCredential):
        return False
    said = {f.name: getattr(credential, f.name) for f in type(credential).fields}
    return any(said.values()) and all(
        value is None or getattr(given, name) == value for name, value in said.items()
    )
