"""PostgreSQL 15 or newer: the bank on a server, any number of hosts at once.

Transactions that write are READ COMMITTED and hold what they read and write upon
(`settlement.store.holds`); transactions that read see one state of everything
(REPEATABLE READ, READ ONLY). What was committed survives a power cut: every connection
sets ``synchronous_commit`` on, whatever the server or the role has been told.

Where two transactions are in each other's way PostgreSQL undoes one of them
(deadlock_detected, serialization_failure): that is a `CollisionError`, and what was
marked with `settlement.store.collisions.repeated` is done again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import psycopg
import sqlalchemy as sa
from psycopg.types.numeric import IntLoader
from sqlalchemy import exc

from settlement.errors import (
    BankUnavailableError,
    CollisionError,
    LedgerError,
    StoreError,
)
from settlement.store.holds import hold_name
from settlement.store.migration import revision_in, stamp
from settlement.store.postgres_audit import PostgresTables
from settlement.store.postgres_tools import dump_books, load_books
from settlement.store.schema import metadata

if TYPE_CHECKING:
    from pathlib import Path

    from settlement.errors import SettlementError
    from settlement.store.driver import Counting

__all__ = ["PostgresDriver"]

_SERVER_VERSION_MIN: Final = 15
_CONNECT_TIMEOUT_S: Final = 10
_COLLISIONS: Final = frozenset({"40001", "40P01"})
"""serialization_failure, deadlock_detected."""
_NOT_NOW: Final = ("08", "25006", "40", "53", "55", "57", "58")
"""Connection lost, read-only, undone, out of something, locked, shutting down, I/O."""

_WRITES: Final = "raseed_writes"
_BY_INDEX: Final = (
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; "
    "SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off"
)


class PostgresDriver:
    """One database on a server."""

    def __init__(self, url: sa.URL, busy_timeout_ms: int) -> None:
        """Stand for the database at ``url``; a writer waits so long for another."""
        self._url = url
        self._busy_timeout_ms = busy_timeout_ms

    @property
    def shown(self) -> str:
        """See `Driver`."""
        bare = self._url.difference_update_query(["password"])
        return bare.render_as_string(hide_password=True)

    def engine(self) -> sa.Engine:
        """See `Driver`."""
        url = self._url
        if "connect_timeout" not in url.query:
            url = url.update_query_dict({"connect_timeout": str(_CONNECT_TIMEOUT_S)})
        # A connection that broke since its last use is replaced, not tried.
        engine = sa.create_engine(url, pool_pre_ping=True)
        sa.event.listen(engine, "connect", partial(_prepare, self._busy_timeout_ms))
        sa.event.listen(engine, "begin", _look_up_by_index)
        return engine

    def begin(self, engine: sa.Engine, *, write: bool) -> sa.Connection:
        """See `Driver`."""
        if write:
            return engine.connect().execution_options(
                isolation_level="READ COMMITTED", **{_WRITES: True}
            )
        return engine.connect().execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    def refuse_taken(self) -> None:
        """See `Driver`; only the server knows."""

    def refuse_missing(self) -> None:
        """See `Driver`; only the server knows."""

    def make(self, connection: sa.Connection) -> None:
        """See `Driver`."""
        self._refuse_unfit(connection)
        metadata.create_all(connection, checkfirst=False)
        stamp(connection)

    def _refuse_unfit(self, connection: sa.Connection) -> None:
        self._check_server(connection)
        if sa.inspect(connection).get_table_names():
            message = (
                f"{self.shown} holds tables already; a bank is never made over "
                "anything. Nothing was changed. Give an empty database"
            )
            raise StoreError(message)

    def revision(self, connection: sa.Connection) -> str:
        """See `Driver`."""
        found = revision_in(connection)
        if found is not None:
            return found
        if sa.inspect(connection).get_table_names():
            raise StoreError(f"{self.shown} is a database, but not a bank's")
        message = f"there is no bank at {self.shown}; make one with raseed-bank init"
        raise StoreError(message)

    def mark(self, connection: sa.Connection) -> None:
        """See `Driver`; its table of revisions is enough."""

    def hold_schema(self, connection: sa.Connection) -> None:
        """See `Driver`."""
        hold_name(connection, "schema")

    def refuse_read_only(self, connection: sa.Connection) -> None:
        """See `Driver`."""
        if _setting(connection, "transaction_read_only") != "off":
            message = f"{self.shown} takes no writes: it is a standby, or set so"
            raise BankUnavailableError(message)

    def copy_into(
        self, engine: sa.Engine, path: Path, count: Counting
    ) -> dict[str, int]:
        """See `Driver`; the copy is in pg_dump's custom format."""
        with self.begin(engine, write=False) as connection, connection.begin():
            exported = sa.select(sa.func.pg_export_snapshot())
            dump_books(self._url, path, connection.execute(exported).scalar_one())
            return count(connection)

    def load_from(self, path: Path) -> None:
        """Make the bank of such a copy in this database, which is empty.

        Raises:
            StoreError: it is not empty, of another kind than a bank needs, or the copy
                cannot be read. Nothing was changed.
            BankUnavailableError: the server cannot be reached.
        """
        engine = self.engine()
        try:
            with engine.connect() as connection:
                self._refuse_unfit(connection)
        except exc.DBAPIError as error:
            raise self.translated(error) from None
        finally:
            engine.dispose()
        load_books(self._url, path)

    def stored_tables(self, connection: sa.Connection) -> PostgresTables:
        """See `Driver`."""
        return PostgresTables(connection)

    def translated(self, error: exc.DBAPIError) -> SettlementError:
        """See `Driver`."""
        original = error.orig
        code, words = "", str(original)
        if isinstance(original, psycopg.Error):
            code = original.sqlstate or ""
            # Further lines would show the values of the row.
            words = original.diag.message_primary or words.splitlines()[0]
        if code.startswith("23"):
            return LedgerError(f"the ledger's rules forbid this: {words}")
        if code in _COLLISIONS:
            message = f"two transactions were in each other's way: {words}"
            return CollisionError(message)
        if code.startswith(_NOT_NOW) or not code:
            message = f"the bank's database cannot be used now: {words}"
            return BankUnavailableError(message)
        return StoreError(f"the bank's database is damaged: {words}")

    def _check_server(self, connection: sa.Connection) -> None:
        version, _ = divmod(int(_setting(connection, "server_version_num")), 10_000)
        if version < _SERVER_VERSION_MIN:
            message = (
                f"{self.shown} runs PostgreSQL {version}; a bank needs "
                f"{_SERVER_VERSION_MIN} or newer. Nothing was changed"
            )
            raise StoreError(message)
        encoding, order = connection.exec_driver_sql(
            "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database"
            " WHERE datname = current_database()"
        ).one()
        if encoding != "UTF8" or order not in {"C", "POSIX", "C.UTF-8", "C.utf8"}:
            message = (
                f"{self.shown} is in {encoding}, sorted by {order}; a bank is in UTF8 "
                "and sorted by C. Nothing was changed. Make the database so: createdb "
                "--encoding UTF8 --locale C --template template0 NAME"
            )
            raise StoreError(message)


def _setting(connection: sa.Connection, name: str) -> str:
    query = sa.select(sa.func.current_setting(name))
    return str(connection.execute(query).scalar_one())


def _prepare(busy_timeout_ms: int, connection: Any, _record: object) -> None:
    # Sums are NUMERIC there. All that is summed here are whole numbers.
    connection.adapters.register_loader("numeric", _WholeLoader)
    settings = {
        "synchronous_commit": "on",
        "lock_timeout": f"{busy_timeout_ms}ms",
        "jit": "off",
    }
    with connection.cursor() as cursor:
        for name, value in settings.items():
            cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
    connection.commit()


def _look_up_by_index(connection: sa.Connection) -> None:
    # The tables of a bank that has just begun are empty to the planner until they are
    # analysed: it would read them whole for each payment, and keep that plan.
    if connection.get_execution_options().get(_WRITES):
        connection.exec_driver_sql(_BY_INDEX)


class _WholeLoader(IntLoader):
    """A NUMERIC that is a whole number; anything else raises ValueError."""
