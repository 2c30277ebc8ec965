"""The operations that the server asks of a client: one file each, request and response, no handler.

Rule: importing this package imports them all. Who is sent what is decided in `engine/outbox.py`.
"""

from strongroom.operations.to_client import (  # noqa: F401 - declares them
    discover_versions,
    notify,
    put,
    query,
    set_endpoint_role,
)
