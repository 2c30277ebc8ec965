"""Store URLs (design.md, C3)."""

from pathlib import Path

import pytest

from strongroom.store.url import Host, PostgresUrl, SqliteUrl, StoreUrlError, parse

DIRECTORY = Path("/data")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///strongroom.db", "/data/strongroom.db"),
        ("sqlite:///sub/a%20b.db", "/data/sub/a b.db"),
        ("sqlite:////var/keys.db", "/var/keys.db"),
    ],
)
def test_an_sqlite_file_is_relative_to_the_data_directory(url: str, path: str) -> None:
    assert parse(url, DIRECTORY) == SqliteUrl(Path(path))


def test_hosts_are_tried_in_their_order() -> None:
    url = parse("postgresql://kms@one,two:5433,[::1]:5434/keys?target_session_attrs=read-write", DIRECTORY)
    assert isinstance(url, PostgresUrl)
    assert url.hosts == (Host("one", 5432), Host("two", 5433), Host("::1", 5434))


def test_a_standby_is_never_asked() -> None:
    url = parse("postgresql://kms@one/keys", DIRECTORY)
    assert isinstance(url, PostgresUrl)
    assert "target_session_attrs=read-write" in url.dsn


def test_a_password_file_is_relative_to_the_data_directory() -> None:
    url = parse("postgresql://kms@one/keys?passfile=pg.pass", DIRECTORY)
    assert isinstance(url, PostgresUrl)
    assert "passfile=%2Fdata%2Fpg.pass" in url.dsn


def test_a_socket_directory_is_a_host() -> None:
    url = parse("postgresql://kms@/keys?host=/run/postgresql", DIRECTORY)
    assert isinstance(url, PostgresUrl)
    assert url.hosts == (Host("/run/postgresql", 5432),)


@pytest.mark.parametrize(
    ("url", "cure"),
    [
        ("postgresql://kms:hunter2@one/keys", "passfile=FILE"),
        ("postgresql://kms@one/keys?password=hunter2", "passfile=FILE"),
        ("postgresql://kms@one/keys?pasfile=x", "did you mean passfile"),
        ("postgresql://kms@one/keys?zzz=x", "there are host"),
        ("postgresql://kms@one/keys?target_session_attrs=any", "primary, read-write"),
        ("postgresql://kms@one/keys?sslmode=on", "verify-full"),
        ("postgresql://one/keys", "postgresql://USER@HOST"),
        ("postgresql://kms@one", "postgresql://USER@HOST"),
        ("postgresql://kms@/keys", "needs a host"),
        ("postgresql://kms@one,/keys", "is not HOST or HOST:PORT"),
        ("postgresql://kms@one:x/keys", "is not HOST or HOST:PORT"),
        ("sqlite://strongroom.db", "sqlite:///FILE"),
        ("sqlite:///", "sqlite:///FILE"),
        ("sqlite:///a.db?mode=ro", "remove what follows"),
        ("mysql://kms@one/keys", "sqlite:///FILE or postgresql://"),
        ("strongroom.db", "sqlite:///FILE or postgresql://"),
    ],
)
def test_a_url_that_cannot_be_used_names_the_cure(url: str, cure: str) -> None:
    with pytest.raises(StoreUrlError) as caught:
        parse(url, DIRECTORY)
    assert cure in str(caught.value)
    assert "hunter2" not in str(caught.value)
