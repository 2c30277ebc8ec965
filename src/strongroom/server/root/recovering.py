"""`server root recover`: from a recovery kit and the data to a server that starts again.

Rule: wiring only, like `server/app.py`: it knows the adapters. No server runs meanwhile.
"""

from collections.abc import Sequence
from dataclasses import replace

from strongroom.model.secret import SecretBytes
from strongroom.rootkey import kit, recovering
from strongroom.rootkey.place import Place
from strongroom.rootkey.record import RootRecord
from strongroom.server.data_directory import DataDirectory
from strongroom.server.messages import Message
from strongroom.server.ports import Adapters
from strongroom.server.root.files import RootChoice, remove
from strongroom.server.root.places import places
from strongroom.store.records import Backend
from strongroom.store.store_keys import StoredStoreKeys


async def recover(
    backend: Backend,
    place: Place,
    directory: DataDirectory,
    files: Sequence[SecretBytes],
    choice: RootChoice,
    adapters: Adapters,
) -> Message:
    """Put everything under a new root key, and return what it is. `backend` is started.

    Raises RootKeyError, StoreFailure and OperatorError.
    """
    identity = kit.read(files)
    # The recipient is that of the kit, whatever is written down: somebody may have changed it.
    where = places(StoredStoreKeys(backend), directory, without=[directory.recovery.name])
    wrapped = [blob for one in where for blob in await one.wrapped()]
    recovering.check(identity, wrapped)
    generation = recovering.next_generation(place, wrapped)
    new, kept = choice.make(adapters, generation=generation)
    record = RootRecord.from_json(new.described)
    try:
        root_key = recovering.Recovering(
            identity, replace(place, passphrase=lambda: None), record, new.secret
        )
    except BaseException:
        if not recovering.knows(place, record):
            remove(kept)
        raise
    for one in where:
        await one.rewrap(root_key)
    root_key.new.complete(root_key.new.state)
    return {
        "generation": generation,
        "provider": choice.provider,
        "recovery": root_key.new.recovery,
        "recovered": len(wrapped),
    }
