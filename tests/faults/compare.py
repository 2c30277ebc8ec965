"""The comparison of stories with what a server shows of them.

Rule: Locate, Get Attributes and Get must tell the same story, and it is the one before the last step or the
one after it. What nobody knew is known afterwards.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from strongroom import Client
from strongroom.client.attributes import template
from strongroom.client.errors import ObjectDestroyed
from strongroom.client.material import bytes_of
from strongroom.domain.operation import Request, Response
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import ManagedObjectStruct
from strongroom.operations.get import GetRequest, GetResponse
from strongroom.operations.get_attributes import GetAttributesRequest, GetAttributesResponse
from strongroom.operations.locate import LocateRequest, LocateResponse
from strongroom.registry import BatchErrorContinuationOption, State, StorageStatusMask, Tag
from tests.faults.story import Key, Story, World

BATCH: Final = 50
EVERYWHERE: Final = StorageStatusMask.ON_LINE_STORAGE | StorageStatusMask.DESTROYED_STORAGE

R = TypeVar("R", bound=Response)


def compare(stories: Sequence[Story], client: Client) -> None:
    """Hold stories beside what the server shows; raises AssertionError with the history of the wrong one."""
    names = [name for story in stories for name in story.names]
    holders = dict(zip(names, _locate(client, [("name", name) for name in names], EVERYWHERE), strict=True))
    live = dict(zip(names, _locate(client, [("name", name) for name in names], None), strict=True))
    for story in stories:
        for name, identifiers in zip(story.names, story.identifiers, strict=True):
            identifiers += sorted(holders[name] - set(identifiers))
    keys = _attributes(client, stories)
    for story in stories:
        shown = _shown(story, keys)
        _settle(story, shown)
        for name, identifiers, line in zip(story.names, story.identifiers, shown, strict=True):
            named = {one: key for one, key in zip(identifiers, line, strict=True) if name in key.names}
            assert holders[name] == named.keys(), explain(story, f"Locate finds {holders[name]}", shown)
            unspent = {one for one, key in named.items() if key.state is not State.DESTROYED}
            assert live[name] == unspent, explain(story, f"Locate finds {live[name]} that live", shown)
    _compare_groups(client, stories)
    _compare_material(client, stories)


def explain(story: Story, wrong: str, shown: World | None = None) -> str:
    """Return everything that is known of a story."""
    lines = [wrong, f"names: {story.names}", f"identifiers: {story.identifiers}", "history:"]
    lines += [f"  {number}. {entry}" for number, entry in enumerate(story.history, 1)]
    lines.append(f"acknowledged: {story.world}")
    if story.sent is not None:
        lines.append(f"nobody knows: {story.sent.after}")
    if shown is not None:
        lines.append(f"shown:        {shown}")
    return "\n".join(lines)


def digest(managed_object: ManagedObjectStruct) -> bytes:
    """Return what may be kept and compared of an object."""
    return hashlib.sha256(bytes_of(managed_object).reveal()).digest()


def _settle(story: Story, shown: World) -> None:
    """Take `shown` for what happened, if it can have happened."""
    if story.sent is None:
        assert shown == story.world, explain(story, "an acknowledged change is lost, or one too many", shown)
        return
    assert shown in (story.world, story.sent.after), explain(story, "a step was done by half", shown)
    if shown == story.sent.after and not story.sent.refused:
        story.history.append("  found to be done")
        story.carried_out()
    else:
        story.history.append("  found not to be done")
        story.sent = None


def _shown(story: Story, keys: dict[str, Key]) -> World:
    """Return the story as it is; its keys know by identifier what others call by position."""
    return tuple(tuple(keys[one] for one in identifiers) for identifiers in story.identifiers)


def _attributes(client: Client, stories: Sequence[Story]) -> dict[str, Key]:
    """Return each key of the stories as Get Attributes shows it."""
    wanted = (Tag.STATE, Tag.NAME, Tag.OBJECT_GROUP, Tag.LINK)
    lines = [identifiers for story in stories for identifiers in story.identifiers]
    requests = [
        GetAttributesRequest(unique_identifier=UniqueIdentifier(one), attribute_reference=wanted)
        for line in lines
        for one in line
    ]
    answers = iter(_ask(client, requests, GetAttributesResponse))
    keys = {}
    for line in lines:
        for one in line:
            given = next(answers).attributes.attributes
            values = {tag: [a.value for a in given if a.key is tag] for tag in wanted}
            targets = [(link.link_type, link.linked_object_identifier) for link in values[Tag.LINK]]
            keys[one] = Key(
                state=values[Tag.STATE][0],
                names=frozenset(name.name_value for name in values[Tag.NAME]),
                groups=frozenset(values[Tag.OBJECT_GROUP]),
                links=frozenset((kind, line.index(at) if at in line else -1) for kind, at in targets),
            )
    return keys


def _compare_groups(client: Client, stories: Sequence[Story]) -> None:
    """Compare the newest group of each story with what Locate finds by it."""
    expected: list[tuple[Story, str, set[str]]] = []
    for story in stories:
        members: dict[str, set[str]] = {}
        for line, identifiers in zip(story.world, story.identifiers, strict=True):
            for key, one in zip(line, identifiers, strict=True):
                for group in key.groups:
                    members.setdefault(group, set()).add(one)
        if members:
            newest = max(members)
            expected.append((story, newest, members[newest]))
    found = _locate(client, [("object_group", group) for _, group, _ in expected], EVERYWHERE)
    for (story, group, members_of_it), located in zip(expected, found, strict=True):
        assert located == members_of_it, explain(story, f"Locate finds {located} by group {group}")


def _compare_material(client: Client, stories: Sequence[Story]) -> None:
    """Get every key: it opens, it is what it was, and once destroyed it is gone."""
    wanted = [
        (story, one, key)
        for story in stories
        for line, identifiers in zip(story.world, story.identifiers, strict=True)
        for one, key in zip(identifiers, line, strict=True)
    ]
    requests = [GetRequest(unique_identifier=UniqueIdentifier(one)) for _, one, _ in wanted]
    for (story, one, key), answer in zip(wanted, _outcomes(client, requests), strict=True):
        if key.state is State.DESTROYED:
            assert isinstance(answer, ObjectDestroyed), explain(story, f"Get of {one}: {answer}")
            continue
        assert isinstance(answer, GetResponse), explain(story, f"Get of {one}: {answer}")
        material = digest(answer.managed_object)
        assert story.materials.setdefault(one, material) == material, explain(story, f"{one} is another key")


def _locate(
    client: Client, conditions: Sequence[tuple[str, str]], where: StorageStatusMask | None
) -> list[set[str]]:
    """Return what is found under each condition, an attribute's field name and its value."""
    requests = [
        LocateRequest(storage_status_mask=where, attributes=template(**{name: value}))  # type: ignore[arg-type]
        for name, value in conditions
    ]
    return [set(answer.unique_identifier) for answer in _ask(client, requests, LocateResponse)]


def _ask(client: Client, requests: Sequence[Request[R]], kind: type[R]) -> list[R]:
    """Return the answers to requests that must not fail."""
    answers = _outcomes(client, requests)
    assert all(isinstance(answer, kind) for answer in answers), answers
    return answers


def _outcomes(client: Client, requests: Sequence[Request[Any]]) -> list[Any]:
    """Return an answer or a failure for each request."""
    outcomes: list[Any] = []
    for start in range(0, len(requests), BATCH):
        some = requests[start : start + BATCH]
        outcomes += client.batch(some, on_error=BatchErrorContinuationOption.CONTINUE)
    return outcomes
