"""Older books become what this version makes, whole or not at all."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from settlement.check.bank import check_bank
from settlement.errors import BankUnavailableError, StoreError
from settlement.issuing import Issuing
from settlement.store import migration
from settlement.store.books import BankStore
from settlement.store.migration import VERSION_TABLE, migrate, stamp, upgrade
from settlement.store.migrations import draft
from settlement.store.migrations.head import HEAD
from settlement.store.migrations.scripts import VERSIONS
from settlement.store.place import driver_for
from settlement.store.schema import metadata
from tests.databases import raw_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settlement.keystore import MasterKeyStore
    from tests.databases import Place

BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
POSTGRES = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
FORMAT_4 = Path(__file__).parent.parent / "vectors" / "bank-format-4.sql"
"""A bank that the version before revisions made: all kinds of rows, one statement."""


@pytest.fixture
def older(tmp_path: Path) -> Path:
    path = tmp_path / "bank.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(FORMAT_4.read_text("utf-8"))
    return path


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall()
        return {
            table: connection.execute(f'SELECT * FROM "{table}"').fetchall()  # noqa: S608  our own names
            for (table,) in tables
        }


@pytest.fixture
def migrated(empty_place: Place) -> Iterator[sa.Engine]:
    """An empty database in which every revision was run, one after the other."""
    driver = driver_for(empty_place, 10_000)
    engine = driver.engine()
    with driver.begin(engine, write=True) as connection, connection.begin():
        upgrade(connection, None)
        driver.mark(connection)
    yield engine
    engine.dispose()


def test_the_revisions_are_one_line_and_end_at_the_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [HEAD]
    revisions = [script.revision for script in scripts.walk_revisions()][::-1]
    assert revisions == [f"{number:04}" for number in range(1, len(revisions) + 1)]
    assert not any(script.is_branch_point for script in scripts.walk_revisions())


@BOTH
def test_the_revisions_make_what_the_schema_says(
    migrated: sa.Engine, empty_place: Place
) -> None:
    with BankStore.open(empty_place) as store, store.audit() as stored:
        assert stored.schema_problems() == []
        assert stored.integrity_problems() == []


@BOTH
def test_alembic_finds_nothing_to_add(migrated: sa.Engine) -> None:
    options = {"version_table": VERSION_TABLE, "compare_type": True}
    with migrated.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_nothing_is_left_to_be_drafted() -> None:
    """A table or rule without a revision shows here; `draft` writes it."""
    assert draft.drafted_sqlite() == ([], [])
    assert draft.drafted_postgres() == ([], [])


def test_a_new_table_is_drafted_for_both_databases() -> None:
    table = sa.Table("trial", metadata, sa.Column("id", sa.String, primary_key=True))
    try:
        for drafted in (draft.drafted_sqlite(), draft.drafted_postgres()):
            [statement] = drafted[0]
            assert statement.startswith("CREATE TABLE trial (")
    finally:
        metadata.remove(table)


def test_a_changed_table_is_named_and_not_drafted() -> None:
    column: sa.Column[str] = sa.Column("trial", sa.String)
    table = metadata.tables["hotlist"]
    table.append_column(column)
    try:
        assert draft.drafted_sqlite() == ([], ["hotlist"])
        assert draft.drafted_postgres() == ([], ["hotlist"])
    finally:
        table._columns.remove(column)


def test_books_of_format_4_are_refused_until_they_are_migrated(older: Path) -> None:
    before = older.read_bytes()
    with pytest.raises(StoreError, match=r"0001; .* Back it up, then run raseed-bank"):
        BankStore.open(older)
    assert older.read_bytes() == before


def test_books_of_format_4_keep_every_row(
    older: Path, paper_keys: MasterKeyStore
) -> None:
    before = rows(older)
    done = migrate(driver_for(older, 10_000))
    assert (done.before, done.after) == ("0001", HEAD)
    assert [step.revision for step in done.steps][-1] == HEAD
    after = rows(older)
    assert {table: after[table] for table in before} == before
    assert sum(map(len, before.values())) > 40
    with BankStore.open(older) as store:
        report = check_bank(store, paper_keys)
        assert report.findings == ()
        assert (report.payments, report.tacs_verified) == (3, 3)


def test_migrated_books_go_on(older: Path, paper_keys: MasterKeyStore) -> None:
    migrate(driver_for(older, 10_000))
    with BankStore.open(older) as store:
        with store.read() as books:
            [customer, *_] = [
                row for row in books.ledger.accounts() if row.account.kind == "customer"
            ]
            at = books.batches.incidents()[0].at
        issuing = Issuing(store, paper_keys, lambda: at)
        owner, currency = customer.account.owner, customer.account.currency
        issuing.deposit(number=owner, currency=currency, amount_minor=5)
        assert check_bank(store, paper_keys).findings == ()


def test_a_plan_changes_nothing(older: Path) -> None:
    before = older.read_bytes()
    done = migrate(driver_for(older, 10_000), only_plan=True)
    assert (done.before, len(done.steps)) == ("0001", int(HEAD) - 1)
    assert older.read_bytes() == before


def test_a_row_that_a_revision_cannot_take_stops_all_of_it(older: Path) -> None:
    with closing(sqlite3.connect(older)) as connection:
        connection.execute("DROP TRIGGER hotlist_no_update")
        connection.execute("UPDATE hotlist SET cid = x'01'")
        connection.commit()
    before = rows(older)
    with pytest.raises(StoreError, match=r"hotlist has a row .* Nothing was changed"):
        migrate(driver_for(older, 10_000))
    assert rows(older) == before
    with closing(sqlite3.connect(older)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (4,)
        tables = "SELECT count(*) FROM sqlite_master WHERE name = 'schema_revision'"
        assert connection.execute(tables).fetchone() == (0,)


@BOTH
def test_migrating_again_finds_nothing_to_do(
    migrated: sa.Engine, empty_place: Place
) -> None:
    done = migrate(driver_for(empty_place, 10_000))
    assert (done.before, done.after, done.steps) == (HEAD, HEAD, ())


@BOTH
def test_books_of_a_newer_version_are_refused(
    migrated: sa.Engine, empty_place: Place
) -> None:
    with raw_connection(empty_place) as raw:
        raw.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")  # noqa: S608  our own name
        raw.commit()
    for refused in (
        lambda: BankStore.open(empty_place),
        lambda: migrate(driver_for(empty_place, 10_000)),
    ):
        with pytest.raises(StoreError, match=r"9999, .* a newer one made it\. Nothing"):
            refused()


def test_a_format_without_revisions_is_refused(older: Path) -> None:
    with closing(sqlite3.connect(older)) as connection:
        connection.execute("PRAGMA user_version = 3")
    for refused in (
        lambda: BankStore.open(older),
        lambda: migrate(driver_for(older, 10_000)),
    ):
        with pytest.raises(StoreError, match=r"format 3; .* Nothing was changed"):
            refused()


def test_a_migration_waits_for_one_that_writes(older: Path) -> None:
    with closing(sqlite3.connect(older, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BankUnavailableError, match="locked"):
            migrate(driver_for(older, 1))
    assert migrate(driver_for(older, 10_000)).before == "0001"


@POSTGRES
def test_two_migrations_at_once_do_it_once(
    empty_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one waits for the first, and then finds nothing to do."""
    driver = driver_for(empty_place, 60_000)
    engine = driver.engine()
    with engine.begin() as connection:
        stamp(connection, "0001")
    engine.dispose()
    inside, go_on = threading.Event(), threading.Event()
    runs: list[str | None] = []

    def slow(connection: sa.Connection, before: str | None) -> None:
        runs.append(before)
        inside.set()
        assert go_on.wait(60)
        statement = f"UPDATE {VERSION_TABLE} SET version_num = '{HEAD}'"  # noqa: S608  our own name
        connection.exec_driver_sql(statement)

    monkeypatch.setattr(migration, "upgrade", slow)
    done: list[tuple[str, int]] = []

    def run() -> None:
        made = migrate(driver_for(empty_place, 60_000))
        done.append((made.before, len(made.steps)))

    first = threading.Thread(target=run)
    first.start()
    assert inside.wait(60)
    second = threading.Thread(target=run)
    second.start()
    go_on.set()
    first.join()
    second.join()
    assert runs == ["0001"]
    assert sorted(done) == [("0001", int(HEAD) - 1), (HEAD, 0)]


def test_a_file_that_is_no_bank_is_not_migrated(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    shutil.copy(Path(__file__), path)
    with pytest.raises(StoreError, match="not a database"):
        migrate(driver_for(path, 1))
    with pytest.raises(StoreError, match="no bank at"):
        migrate(driver_for(tmp_path / "none.sqlite", 1))
