"""Bringing a bank's database to the tables that this version works with.

A new bank is made with all of them. An older one has a revision, which it keeps in the
table ``schema_revision`` (a SQLite file of format 4 has none: it is revision 0001), and
goes through the revisions after it in one transaction: all of them, or nothing. Two
migrations never run at once. Nothing is backed up here; that is the operator's, before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy import exc

from settlement.errors import StoreError
from settlement.store.migrations.head import HEAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alembic.config import Config

    from settlement.store.driver import Driver

__all__ = [
    "VERSION_TABLE",
    "Migration",
    "Step",
    "check_revision",
    "migrate",
    "revision_in",
    "stamp",
    "upgrade",
]

VERSION_TABLE: Final = "schema_revision"


@dataclass(frozen=True, slots=True)
class Step:
    """One revision.

    Attributes:
        revision: its name.
        what: the first line of its file.
    """

    revision: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What a migration did, or would do.

    Attributes:
        place: the database, as people may see it.
        before: its revision before.
        after: its revision after.
        steps: what lies between, in order; empty when there is nothing to do.
    """

    place: str
    before: str
    after: str
    steps: tuple[Step, ...]


def migrate(driver: Driver, *, only_plan: bool = False) -> Migration:
    """Bring a bank to the newest revision, whole or not at all.

    Args:
        driver: of its database.
        only_plan: say what there is to do and do nothing.

    Raises:
        StoreError: there is no bank, it is newer than this program, or a row does not
            keep to what a revision demands. Nothing was changed.
        BankUnavailableError: the database is in use, or does not answer; nothing was
            changed.
    """
    driver.refuse_missing()
    engine = driver.engine()
    try:
        with (
            driver.begin(engine, write=not only_plan) as connection,
            connection.begin(),
        ):
            if not only_plan:
                driver.hold_schema(connection)
            before = driver.revision(connection)
            steps = _steps_after(driver, before)
            if steps and not only_plan:
                upgrade(connection, before)
                driver.mark(connection)
    except ValueError as error:
        message = f"{driver.shown} cannot be migrated: {error}. Nothing was changed"
        raise StoreError(message) from None
    except exc.DBAPIError as error:
        raise driver.translated(error) from None
    finally:
        engine.dispose()
    return Migration(place=driver.shown, before=before, after=HEAD, steps=tuple(steps))


def check_revision(driver: Driver, revision: str) -> None:
    """Whether a database has the tables that this version works with.

    Raises:
        StoreError: it has not; its words say what to do.
    """
    if revision == HEAD:
        return
    _steps_after(driver, revision)
    message = (
        f"{driver.shown} is of revision {revision}; this program works with {HEAD}. "
        "Nothing was changed. Back it up, then run raseed-bank migrate"
    )
    raise StoreError(message)


def revision_in(connection: sa.Connection) -> str | None:
    """What the table of revisions says; None when there is none."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608  our own name
    rows = [str(row[0]) for row in found]
    return rows[0] if len(rows) == 1 else ", ".join(rows)


def stamp(connection: sa.Connection, revision: str = HEAD) -> None:
    """Note which revision a database has, in one that has none yet."""
    table = _version_table()
    table.create(connection, checkfirst=False)
    connection.execute(sa.insert(table).values(version_num=revision))


def upgrade(connection: sa.Connection, before: str | None) -> None:
    """Run all revisions after ``before`` in the transaction of ``connection``.

    Args:
        connection: the open transaction.
        before: the revision that is there; None for an empty database.
    """
    # Only this takes Alembic; no other command waits for its loading.
    from alembic import command  # noqa: PLC0415 - as above

    if before is not None and revision_in(connection) is None:
        stamp(connection, before)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def _config() -> Config:
    from alembic import config as alembic_config  # noqa: PLC0415 - as in `upgrade`

    config = alembic_config.Config()
    folder = Path(__file__).with_name("migrations")
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _steps_after(driver: Driver, revision: str) -> Sequence[Step]:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - as in `upgrade`

    scripts = ScriptDirectory.from_config(_config())
    steps: list[Step] = []
    for script in scripts.walk_revisions():
        if script.revision == revision:
            return steps[::-1]
        steps.append(Step(script.revision, script.doc))
    message = (
        f"{driver.shown} is of revision {revision}, which this program does not know: "
        "a newer one made it. Nothing was changed. Use that version of Raseed"
    )
    raise StoreError(message)


def _version_table() -> sa.Table:
    """As Alembic makes it."""
    return sa.Table(
        VERSION_TABLE,
        sa.MetaData(),
        sa.Column("version_num", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
    )
