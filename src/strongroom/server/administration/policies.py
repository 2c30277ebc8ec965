"""`policy`: operation policies of KMIP 1.x, by name.

Rule: here is only which names there are. What a policy allows is said by rules on `policy:NAME`.
"""

from strongroom.domain.acts import Act
from strongroom.domain.entries import EntryChange
from strongroom.domain.objects import ARCHIVED, DESTROYED, ON_LINE
from strongroom.domain.people import Role
from strongroom.domain.rules import BUILT_IN_POLICIES, AccessRule, NamedPolicy, On
from strongroom.domain.store import ObjectQuery
from strongroom.model.attribute_list import AttributeInstance
from strongroom.registry import Tag
from strongroom.server.administration.command import Administrator, command, tenant_it_names
from strongroom.server.clients.records import check_name
from strongroom.server.errors import NotFound, OperatorError
from strongroom.server.kept import OF_THE_TENANT, decided, drop, put
from strongroom.server.messages import Message, optional_text, text
from strongroom.server.naming import tenant_named


@command("policy.create", roles={Role.ADMINISTRATOR}, approval=Act.POLICY, concerns=tenant_it_names)
async def create(admin: Administrator, request: Message) -> object:
    name, store = check_name(text(request, "name"), "policy name"), admin.store
    tenant = await tenant_named(store, optional_text(request, "tenant"))
    policy = NamedPolicy(description=optional_text(request, "description") or "")

    async def decide() -> tuple[list[EntryChange], None]:
        if name in BUILT_IN_POLICIES or await store.load_entry(NamedPolicy, tenant, name) is not None:
            raise OperatorError(f"there is a policy {name} already")
        return [put(NamedPolicy, tenant, name, policy, None)], None

    await decided(store, decide)
    return {"name": name, "description": policy.description}


@command("policy.list", roles={Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR})
async def list_(admin: Administrator, request: Message) -> object:
    tenant = await tenant_named(admin.store, optional_text(request, "tenant"))
    built_in = [
        {"name": "default", "description": "the owner alone (built in)"},
        {"name": "public", "description": "what rules on policy:public say; without one, the owner alone"},
    ]
    made = await admin.store.entries_of(NamedPolicy, tenant, OF_THE_TENANT)
    return built_in + [{"name": one.key, "description": one.value.description} for one in made]


@command("policy.remove", roles={Role.ADMINISTRATOR}, approval=Act.POLICY, concerns=tenant_it_names)
async def remove(admin: Administrator, request: Message) -> object:
    name, store = text(request, "name"), admin.store
    tenant = await tenant_named(store, optional_text(request, "tenant"))

    async def decide() -> tuple[list[EntryChange], None]:
        kept = await store.load_entry(NamedPolicy, tenant, name)
        if kept is None:
            raise NotFound(f"there is no policy {name} that could be removed")
        rules = await store.entries_of(AccessRule, tenant, OF_THE_TENANT)
        if any(r.value.on == On.POLICY.value and r.value.on_name == name for r in rules):
            raise OperatorError(
                f"rules are about the policy {name}; remove them first (strongroom grant list)"
            )
        users = await store.locate(
            ObjectQuery(
                tenant=tenant,
                sight=None,
                now=admin.now,
                filters=[AttributeInstance(Tag.OPERATION_POLICY_NAME, name)],
                storage=ON_LINE | ARCHIVED | DESTROYED,
                maximum=1,
            )
        )
        if users.unique_identifiers:
            raise OperatorError(f"objects have the policy {name}, so it stays; remove its rules instead")
        return [drop(kept)], None

    await decided(store, decide)
    return None
