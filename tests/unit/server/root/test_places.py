"""Everything that the root key wraps is found again when it is replaced."""

import ast
import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Thread

import pytest

import strongroom
from strongroom.rootkey.recovery import Identity
from strongroom.rootkey.stored import StoredKeyring
from strongroom.server.certificates import authorities
from strongroom.server.certificates.ca import Authority, create_authority, open_authority
from strongroom.server.data_directory import DataDirectory, write_private
from strongroom.server.root import places as server_places
from strongroom.server.root.change import rewrap, stale_keys
from strongroom.server.root.places import SealedFiles, places
from strongroom.store.records import ChangeSet, StoreKeyRow
from strongroom.store.sealing import StoreKeys
from strongroom.store.sqlite import InlineSqliteBackend
from strongroom.store.store_keys import StoredStoreKeys
from tests.unit.rootkey.conftest import begin, new, opened, place
from tests.unit.server.conftest import NOW

SOURCES = Path(strongroom.__file__).parent

WRAPPING = {
    "server/certificates/ca.py": "the key of the authority: places.SealedFiles",
    "store/sealing.py": "store keys: store_keys.StoredStoreKeys",
    "store/store_keys.py": "the place of the store keys itself",
    "rootkey/stored.py": "the handover, which goes when it is over",
    "rootkey/recovering.py": "a root key that takes over with the kit",
    "server/backup/unpack.py": "store keys of a backup, on their way into a new store",
}
"""Who calls `wrap` of a root key, and which place goes through what it made."""


def test_whoever_wraps_under_the_root_key_has_a_place() -> None:
    """Add a place to `server/root/places.py`, then the module here."""
    found = {
        str(path.relative_to(SOURCES))
        for path in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "wrap"
        and _is_root_key(node.func.value)
    }
    assert found == set(WRAPPING)


def _is_root_key(of: ast.expr) -> bool:
    """Tell by the name: `root_key.wrap`, `self._root_key.wrap`, and what the root keys call themselves."""
    words = ast.unparse(of)
    return words.endswith("root_key") or words in ("super()", "self.new")


def test_the_key_of_the_authority_is_wrapped_again(
    directory: DataDirectory, authority: Authority, tmp_path: Path
) -> None:
    """The fixture has it under the root key of `tmp_path`."""
    root_key = opened(tmp_path, new("file"))
    place = SealedFiles(directory)
    second = new("file", 2)
    root_key.adopt(root_key.prepare(second.described, second.secret))
    asyncio.run(place.rewrap(root_key))
    assert all(map(root_key.is_current, asyncio.run(place.wrapped())))
    root_key.complete(root_key.state)
    assert open_authority(directory, root_key).certificate == authority.certificate


def test_every_place_is_gone_through_and_what_is_left_is_counted(
    directory: DataDirectory, authority: Authority, tmp_path: Path
) -> None:
    root_key = opened(tmp_path, new("file"))

    async def story() -> None:
        backend = InlineSqliteBackend(None)
        await backend.start()
        keys = StoreKeys(root_key)
        rows = [keys.create(int(NOW.timestamp()) + number).row for number in range(130)]
        await backend.commit(ChangeSet(store_keys=rows))
        where = places(StoredStoreKeys(backend), directory)
        second = new("file", 2)
        root_key.adopt(root_key.prepare(second.described, second.secret))
        assert {name: len(stale) for name, stale in await stale_keys(root_key, where)} == {
            "store keys": 130,
            "files": 1,
        }
        before = {row.store_key: root_key.unwrap(row.wrapped) for row in rows}
        assert await rewrap(root_key, where) == 0
        after: list[StoreKeyRow] = await backend.store_keys()
        assert {row.store_key: root_key.unwrap(row.wrapped) for row in after} == before
        await backend.close()

    asyncio.run(story())


def test_a_key_that_is_on_its_way_is_waited_for_and_nothing_hangs_with_who_puts_it_there(
    directory: DataDirectory, authority: Authority, tmp_path: Path
) -> None:
    """It may be wrapped by the older root key, and nothing would find it there once that is gone."""
    root_key = opened(tmp_path, new("file"))
    place = SealedFiles(directory)
    assert asyncio.run(place.is_lasting(root_key))
    second = new("file", 2)
    root_key.adopt(root_key.prepare(second.described, second.secret))
    with directory.alone():
        asyncio.run(place.rewrap(root_key))
        assert not all(map(root_key.is_current, asyncio.run(place.wrapped())))
    asyncio.run(place.rewrap(root_key))
    with directory.alone():
        assert not asyncio.run(place.is_lasting(root_key))
    assert asyncio.run(place.is_lasting(root_key))


@pytest.mark.parametrize("what", ["the kit", "the authority", "an authority that goes"])
def test_what_comes_while_a_file_is_wrapped_again_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A command of another worker: what it has done it has said."""
    kit = Identity.generate().recipient.text
    root_key = begin(tmp_path, new("file"), recipient=Identity.generate().recipient.text)
    directory = DataDirectory(tmp_path)
    first = create_authority(directory, root_key, NOW)
    authorities.rotate(directory, root_key, NOW)
    second = new("file", 2)
    root_key.adopt(root_key.prepare(second.described, second.secret))

    def act() -> None:
        match what:
            case "the kit":
                StoredKeyring(place(tmp_path)).set_recovery(kit)
            case "the authority":
                authorities.rotate(directory, StoredKeyring(place(tmp_path)), NOW)
            case _:
                authorities.retire(directory, first.certificate)

    command = Thread(target=act)

    def write(path: Path, content: bytes) -> None:
        if command.ident is None and path.name == _ABOUT[what](directory, first):
            command.start()
            command.join(0.5)
        write_private(path, content)

    monkeypatch.setattr(server_places, "write_private", write)
    asyncio.run(SealedFiles(directory).rewrap(root_key))
    command.join()
    root_key.follow()
    if what == "the kit":
        assert root_key.recovery == kit
    assert len(authorities.open_all(directory, root_key)) == {"the authority": 3, "the kit": 2}.get(what, 1)
    assert directory.older_authority_key(first.identity).exists() == (what != "an authority that goes")


_ABOUT: Mapping[str, Callable[[DataDirectory, Authority], str]] = {
    "the kit": lambda directory, _: directory.recovery.name,
    "the authority": lambda directory, _: directory.ca_key.name,
    "an authority that goes": lambda directory, first: directory.older_authority_key(first.identity).name,
}
