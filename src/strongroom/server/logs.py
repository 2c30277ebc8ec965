"""Logs of the server: one event a line on stderr.

Rule: an event is a constant name with fields, and no field holds a secret. On a terminal the lines are for
people, otherwise each is a JSON object. Tracebacks show no local variables, since those may hold keys.
"""

import contextlib
import sys
from collections.abc import Sequence
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

INFO = 20
DEBUG = 10


def configure_logs(*, debug: bool = False) -> None:
    """Send events to stderr; `debug` adds the ones that only a developer wants."""
    shared: Sequence[Processor] = (
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    )
    if sys.stderr.isatty():
        rendered: Sequence[Processor] = (
            escape,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        )
    else:
        rendered = (structlog.processors.format_exc_info, structlog.processors.JSONRenderer())
    structlog.configure(
        processors=[*shared, *rendered],
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _Log(sys.stderr))),
        wrapper_class=structlog.make_filtering_bound_logger(DEBUG if debug else INFO),
        cache_logger_on_first_use=True,
    )


class _Log:
    """A stream that takes what it can: where the log is full or gone, the server goes on all the same."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: it was closed
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: it was closed
            self._stream.flush()


def escape(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Write control characters as text: what a client sends must not command the terminal."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[name] = ascii(value)
    return event


def get_logger(**fields: Any) -> FilteringBoundLogger:
    """Return a logger whose events carry `fields`."""
    return cast(FilteringBoundLogger, structlog.get_logger(**fields))
