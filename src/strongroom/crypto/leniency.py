"""What is accepted although the specification says otherwise, because a product in the field sends it.

Rule: every tolerance of this package is a named constant here, with the product and the reason. Each is
logged once per process, when it is first made use of.
"""

from typing import Final, NamedTuple

import structlog

_log = structlog.get_logger()


class Leniency(NamedTuple):
    """One tolerance; `product` is who needs it."""

    name: str
    product: str
    reason: str


IV_LENGTH_IN_BYTES: Final = Leniency(
    "iv-length-in-bytes",
    "ovh/kmip-go and what is built on it (OpenBao auto-unseal)",
    "sends IV Length 12 with GCM and means bytes, where KMIP 1.4 §3.6 counts bits",
)


class Leniencies:
    """Which tolerances this process has made use of."""

    def __init__(self) -> None:
        self._used: set[Leniency] = set()

    @property
    def names(self) -> frozenset[str]:
        """The names of the tolerances made use of so far."""
        return frozenset(leniency.name for leniency in self._used)

    def use(self, leniency: Leniency) -> None:
        """Note that a request was accepted by this tolerance."""
        if leniency not in self._used:
            self._used.add(leniency)
            _log.warning("leniency_used", **leniency._asdict())
