"""Schema versions: which there are, and whether this program can use one.

Rule: no database is touched here.
"""

from typing import Final

from strongroom.store.records import SchemaTooNew, SchemaTooOld, StoreGone

VERSIONS: Final = ("0001", "0002", "0003", "0004", "0005")
"""Every schema version that this program knows, oldest first: the files in `migrations/versions`."""

VERSION_TABLE: Final = "schema_version"
VERSION_QUERY: Final = "SELECT version_num FROM schema_version"
HOLDS_KEYS: Final = "SELECT EXISTS (SELECT 1 FROM store_keys)"


def is_newer(version: str | None) -> bool:
    """Tell whether `version` was made by a newer Strongroom than this one."""
    return version is not None and version not in VERSIONS


def check(version: str | None, database: str) -> None:
    """Return if this program can use a database of this version.

    Raises SchemaTooNew, SchemaTooOld, StoreGone.
    """
    check_there(version, database)
    if version == VERSIONS[-1]:
        return
    if is_newer(version):
        raise SchemaTooNew(
            f"{database} has schema version {version}, this Strongroom knows versions up to {VERSIONS[-1]}; "
            "run the newer Strongroom, or restore a backup that was made before the upgrade"
        )
    raise SchemaTooOld(
        f"{database} has schema version {version}, this Strongroom needs {VERSIONS[-1]}; "
        "run: strongroom store migrate DIR"
    )


def check_there(version: str | None, database: str) -> None:
    """Return if there is a store. Raises StoreGone: an empty one would answer that no key exists."""
    if version is None:
        raise StoreGone(
            f"{database} is gone or empty; put the store back where it was (is a disk not mounted, or the "
            "setting `store` another one?), or restore a backup: "
            "strongroom backup restore FILE --data NEWDIR --identity KIT"
        )
