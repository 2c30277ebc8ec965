"""Waiting for another process that changes root keys.

Rule: a worker waits in a thread, and changes something in its event loop when nobody else does. Its other
requests go on meanwhile, and two of its own changes never meet.
"""

import asyncio

from strongroom.server.ports import RootKeys


async def wait_for_others(root_key: RootKeys) -> None:
    """Return when no other process changes root keys. Raises RootKeyError when one does not finish."""
    await asyncio.get_running_loop().run_in_executor(None, root_key.wait_for_others)
