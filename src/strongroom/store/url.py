"""Store URLs: which database, and where.

Rule: everything that a URL may say is read here. A password is refused, since URLs end up in logs and
listings.

    sqlite:///strongroom.db                     relative to the data directory
    sqlite:////var/lib/strongroom/keys.db       absolute
    postgresql://USER@HOST1,HOST2:5433/DB?target_session_attrs=read-write&passfile=database.password
"""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

DEFAULT_PORT: Final = 5432
TARGETS: Final = frozenset({"primary", "read-write"})
SSL_MODES: Final = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
FILES: Final = frozenset({"passfile", "sslrootcert", "sslcert", "sslkey", "sslcrl"})
OPTIONS: Final = FILES | {"target_session_attrs", "sslmode", "host"}


class StoreUrlError(ValueError):
    """The URL says something that cannot be done; the message names the cure."""


@dataclass(frozen=True, slots=True)
class SqliteUrl:
    """An SQLite database in a file of this machine."""

    path: Path


class Host(NamedTuple):
    """Where a database server listens; a name that begins with a slash is the directory of its socket."""

    name: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresUrl:
    """A PostgreSQL database. `hosts` are tried in turn; `dsn` has everything else but the password."""

    dsn: str
    hosts: tuple[Host, ...]


StoreUrl: TypeAlias = SqliteUrl | PostgresUrl


def parse(url: str, directory: Path) -> StoreUrl:
    """Return what `url` means; file names in it are relative to `directory`. Raises StoreUrlError."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        return _sqlite(rest, directory)
    if scheme in ("postgresql", "postgres"):
        return _postgres(rest, directory)
    raise StoreUrlError(
        f"the store is {scheme!r}; it must be sqlite:///FILE or postgresql://USER@HOST[,HOST]/DATABASE"
    )


def _sqlite(rest: str, directory: Path) -> SqliteUrl:
    path, _, options = rest.partition("?")
    if options:
        raise StoreUrlError("an SQLite store has no options; remove what follows the ?")
    if not path.startswith("/") or path == "/":
        raise StoreUrlError("an SQLite store is sqlite:///FILE (in the data directory) or sqlite:////PATH")
    return SqliteUrl(directory / unquote(path[1:]))


def _postgres(rest: str, directory: Path) -> PostgresUrl:
    parts = urlsplit(f"postgresql://{rest}")
    user, at, hosts = parts.netloc.rpartition("@")
    if ":" in user:
        raise StoreUrlError(
            "a password does not belong into the store URL; put it into a file with mode 0600 whose lines "
            "read HOST:PORT:DATABASE:USER:PASSWORD, and name the file with ?passfile=FILE"
        )
    database = unquote(parts.path[1:])
    if not at or not user or not database or "/" in database or parts.fragment:
        raise StoreUrlError("a PostgreSQL store is postgresql://USER@HOST[:PORT][,HOST[:PORT]]/DATABASE")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name, value in options.items():
        _check_option(name, value)
    for name in FILES & options.keys():
        options[name] = str(directory / options[name])
    if bool(hosts) == ("host" in options):
        raise StoreUrlError("the store URL needs a host: postgresql://USER@HOST[,HOST]/DATABASE")
    names = hosts or options.pop("host")
    # Reads must see what was acknowledged, and writes must be possible: never a standby.
    options.setdefault("target_session_attrs", "read-write")
    return PostgresUrl(
        dsn=f"postgresql://{user}@/{quote(database, safe='')}?{urlencode(options)}",
        hosts=tuple(_host(name) for name in names.split(",")),
    )


def _host(text: str) -> Host:
    name, port = text, ""
    if text.startswith("["):
        name, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif ":" in text:
        name, _, port = text.rpartition(":")
    if not name or not (port.isdecimal() or (not port and not text.endswith(":"))):
        raise StoreUrlError(f"{text!r} in the store URL is not HOST or HOST:PORT")
    return Host(unquote(name), int(port or DEFAULT_PORT))


def _check_option(name: str, value: str) -> None:
    if name in ("password", "sslpassword"):
        raise StoreUrlError("a password does not belong into the store URL; name a file with ?passfile=FILE")
    if name not in OPTIONS:
        nearest = difflib.get_close_matches(name, OPTIONS, n=1)
        hint = f"; did you mean {nearest[0]}?" if nearest else f"; there are {', '.join(sorted(OPTIONS))}"
        raise StoreUrlError(f"the store URL has an unknown option {name}{hint}")
    allowed = {"target_session_attrs": TARGETS, "sslmode": SSL_MODES}.get(name)
    if allowed is not None and value not in allowed:
        raise StoreUrlError(f"{name} in the store URL is {value!r}; it can be {', '.join(sorted(allowed))}")
