"""The server under test, and who speaks to it.

Rule: a Target is what a client's profile says, nothing more; it opens no connection.
"""

import ssl
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from strongroom.client.address import Address, parse_address, parse_servers
from strongroom.client.profile import Profile, load_profile
from strongroom.client.tls import make_context
from strongroom.client.transport import HTTPS_PORT, Transport
from strongroom.wire.encodings import Encoding


@dataclass(frozen=True)
class Target:
    """One client's view of the server."""

    profile: Profile

    @cached_property
    def servers(self) -> tuple[Address, ...]:
        # A profile for HTTPS alone names none.
        return parse_servers(self.profile.servers) if self.profile.servers else ()

    @cached_property
    def https(self) -> Address | None:
        """Where KMIP over HTTPS is, None where the profile names no such place."""
        addresses = self.profile.https
        return parse_address(addresses[0], default_port=HTTPS_PORT) if addresses else None

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where the profile has the server play, for whoever reads the report."""
        return self.servers if self.encoding is None or self.https is None else (self.https,)

    @property
    def encoding(self) -> Encoding | None:
        """How the profile says that messages travel over HTTPS, None for TLS."""
        binding = self.profile.binding
        return binding.encoding if binding.transport is Transport.HTTPS else None

    def context(self) -> ssl.SSLContext:
        """Return the TLS parameters of a client; raises InvalidSettings."""
        profile = self.profile
        return make_context(cert=profile.cert, key=profile.key, ca=profile.ca)

    def server_context(self) -> ssl.SSLContext:
        """Return the TLS parameters of the endpoint that the server connects to."""
        profile = self.profile
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(profile.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(str(profile.cert), str(profile.key))
        return context


def load_target(path: Path) -> Target:
    """Read a `profile.toml`; raises InvalidSettings, which says what to change."""
    return Target(load_profile(path))
