"""The access rules in force, as one worker has them.

Rule: a copy of the store's, made whole again by `refresh`, and compiled for each client by `rights`. Rules
only add, so one that cannot be read counts for nothing, and the server goes on.
"""

from collections.abc import Mapping, Sequence

from strongroom.domain.clients import ClientRecord
from strongroom.domain.entries import EntryStore
from strongroom.domain.rights import Rights, compile_rights
from strongroom.domain.rules import REVISION, AccessRevision, AccessRule
from strongroom.domain.store_failures import DamagedEntry, TamperedRecord
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server.access.restrictions import Restrictions
from strongroom.server.logs import get_logger

log = get_logger()

_OF_THE_TENANT = 0
"""The owner of entries that are no client's."""


class RuleBook:
    """The rules of every tenant that has clients, and `restrictions`, None without any."""

    def __init__(self, store: EntryStore, restrictions: Restrictions | None = None) -> None:
        self._store = store
        self._restrictions = restrictions
        self._revision = -1
        self._restricted = 0
        self._rules: dict[int, Sequence[AccessRule]] = {}
        self._compiled: dict[int, Rights | None] = {}

    @property
    def rules(self) -> Mapping[int, Sequence[AccessRule]]:
        """Return the rules by tenant."""
        return self._rules

    async def refresh(self, tenants: set[int]) -> bool:
        """Follow the rules and restrictions, and tell whether they have changed. Raises StoreFailure.

        `tenants` are those whose rules are wanted.
        """
        restrictions = 0 if self._restrictions is None else self._restrictions.revision
        restricted = restrictions != self._restricted
        # Before the rules: when they change meanwhile, they are read once more the next time.
        revision = await self._read_revision()
        if revision == self._revision and tenants <= self._rules.keys():
            self._restricted = restrictions
            return restricted
        rules = {tenant: await self._of_tenant(tenant) for tenant in sorted(tenants)}
        changed = restricted or rules != self._rules
        self._rules, self._revision, self._restricted = rules, revision, restrictions
        return changed

    async def _read_revision(self) -> int:
        try:
            kept = await self._store.load_entry(AccessRevision, SYSTEM_TENANT, REVISION)
        except TamperedRecord:
            return -2  # as good as changed, once
        return 0 if kept is None else kept.generation

    async def _of_tenant(self, tenant: int) -> Sequence[AccessRule]:
        damaged: list[DamagedEntry] = []
        kept = await self._store.entries_of(AccessRule, tenant, _OF_THE_TENANT, damaged=damaged.append)
        for error in damaged:
            log.error("access_rules_refused", tenant=tenant, error=str(error), cure="restore a backup")
        return [one.value for one in kept]

    def rights(self, record: ClientRecord) -> Rights | None:
        """Return what the rules in force give to a client.

        The same object as before where they give the same, so that nothing that is remembered is lost.
        """
        restriction = None if self._restrictions is None else self._restrictions.of(record)
        made = compile_rights(record.client, record.groups, self._rules.get(record.tenant, ()), restriction)
        before = self._compiled.get(record.client)
        if made == before:
            return before
        self._compiled[record.client] = made
        return made
