"""What the listeners show in TLS, for as long as a server runs.

Rule: a context is never changed. Whatever is new, a certificate that was due or a file that somebody
replaced, is in force with the next context, for workers that start with it. Nothing is remembered here: what
counts as shown is what the workers that run were given.
"""

import datetime as dt
import ssl
from collections.abc import Callable
from typing import NamedTuple

from strongroom.domain.ports import RootKeyError
from strongroom.server.certificates.authorities import former_names, open_server_authority, server_issuer
from strongroom.server.certificates.ca import issue_server_certificate, server_certificate_is_due
from strongroom.server.config import Settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError, for_the_operator
from strongroom.server.listening.tls import server_context, tls_files_state
from strongroom.server.logs import get_logger
from strongroom.server.ports import RootKeys
from strongroom.server.process import run_apart

log = get_logger()


class Shown(NamedTuple):
    """A context, and the state of the files that it was made of."""

    context: ssl.SSLContext
    files: object


class TlsRenewal:
    """Makes contexts. `leave` lets go, in a child, of what is the parent's alone."""

    def __init__(self, directory: DataDirectory, root_key: RootKeys, leave: Callable[[], None]) -> None:
        self._directory = directory
        self._root_key = root_key
        self._leave = leave

    def context(self, settings: Settings) -> Shown:
        """Return a fresh context, with new ticket keys and a server certificate that has time left.

        Raises OperatorError.
        """
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        own = settings.tls.certificate is None
        if own and server_certificate_is_due(
            self._directory,
            settings.hosts,
            now,
            issuer=server_issuer(self._directory),
            former=former_names(self._directory),
        ):
            self._issue_certificate(settings, now)
            log.info("server_certificate_issued", hosts=list(settings.hosts))
        # Before they are read: what is replaced meanwhile is seen as a change by the next look.
        files = tls_files_state(settings.tls, self._directory)
        return Shown(server_context(settings.tls, self._directory, settings.clients), files)

    def outdated(self, settings: Settings, shown: Shown) -> bool:
        """Tell whether a certificate, key or authority on disk is another one than in a context."""
        return tls_files_state(settings.tls, self._directory) != shown.files

    def _issue_certificate(self, settings: Settings, now: dt.datetime) -> None:
        def issue() -> None:
            try:
                authority = open_server_authority(self._directory, self._root_key)
            except RootKeyError as error:
                raise for_the_operator(error) from error
            issue_server_certificate(self._directory, authority, settings.hosts, now)

        if not (self._root_key.stays_elsewhere or self._root_key.changing):  # the older one may, too
            try:
                issue()
            except RootKeyError as error:
                raise OperatorError(f"no server certificate could be issued: {error}") from error
        elif not run_apart(issue, self._leave):
            # A session with a token would not survive the forks that are to come.
            raise OperatorError("no server certificate could be issued; the log says why")
