"""Where a bank's database is: a path is a SQLite file, a URL a PostgreSQL server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy import exc

from settlement.errors import StoreError
from settlement.store.postgres_driver import PostgresDriver
from settlement.store.sqlite_driver import SQLiteDriver

if TYPE_CHECKING:
    from settlement.store.driver import Driver

__all__ = ["database_name", "driver_for", "load_copy", "without_password"]

_POSTGRES: Final = frozenset({"postgresql", "postgresql+psycopg"})


def driver_for(place: Path | str, busy_timeout_ms: int) -> Driver:
    """The driver of a place; nothing is opened.

    Args:
        place: a path, ``sqlite:///PATH`` or ``postgresql+psycopg://USER@HOST/NAME``.
        busy_timeout_ms: how long a writer waits for another one.

    Raises:
        StoreError: the URL is none, or names another kind of database.
    """
    if isinstance(place, Path) or "://" not in place:
        return SQLiteDriver(Path(place), busy_timeout_ms)
    url = _url(place)
    if url.drivername in _POSTGRES:
        return PostgresDriver(url.set(drivername="postgresql+psycopg"), busy_timeout_ms)
    if url.drivername == "sqlite" and url.database:
        return SQLiteDriver(Path(url.database), busy_timeout_ms)
    message = (
        f"a bank's database is a SQLite file or a PostgreSQL server, not "
        f"'{url.drivername}'. Give a path, or postgresql+psycopg://USER@HOST/NAME"
    )
    raise StoreError(message)


def load_copy(place: str, path: Path) -> None:
    """Make the bank of a server's copy (`BankStore.copy_into`) in an empty database.

    Raises:
        StoreError: ``place`` is no server, or its database is not empty, or the copy
            cannot be read. Nothing was changed.
        BankUnavailableError: the server cannot be reached.
    """
    driver = driver_for(place, busy_timeout_ms=0)
    if not isinstance(driver, PostgresDriver):
        raise StoreError(
            "the books in this backup are a PostgreSQL server's. Nothing was changed. "
            "Name an empty database: postgresql+psycopg://USER@HOST/NAME"
        )
    driver.load_from(path)


def without_password(place: str) -> tuple[str, bool]:
    """A place without its password, and whether it had one.

    Raises:
        StoreError: as `driver_for`.
    """
    if "://" not in place:
        return place, False
    url = _url(place)
    had = url.password is not None or "password" in url.query
    bare = sa.URL.create(
        url.drivername,
        username=url.username,
        host=url.host,
        port=url.port,
        database=url.database,
        query=url.query,
    )
    return bare.difference_update_query(["password"]).render_as_string(), had


def database_name(place: str) -> str:
    """The name of a database on its server.

    Raises:
        StoreError: as `driver_for`.
    """
    return _url(place).database or ""


def _url(place: str) -> sa.URL:
    try:
        return sa.make_url(place)
    except (exc.ArgumentError, ValueError):
        # Its words could show the password.
        message = (
            "the database's URL cannot be read. Its form is "
            "postgresql+psycopg://USER@HOST:PORT/NAME"
        )
        raise StoreError(message) from None
