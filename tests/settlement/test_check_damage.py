"""Whatever is damaged is a finding that names it; the check goes on with the rest."""
# ruff: noqa: S608  the names are the schema's own, the values this file's

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from settlement.check.bank import FindingCode, check_bank
from settlement.ledger import payee_account
from settlement.payment import PaymentKind
from settlement.statements import Statements
from settlement.store.schema import metadata

if TYPE_CHECKING:
    Desk = Any


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """A row in most tables."""
    purse = desk.loaded_purse(500_000)
    desk.customs.pay(purse, 1_000)
    header = desk.customs.close()
    desk.bank.begin_batch(header, desk.clock())
    desk.bank.take_payments(header, desk.customs.records, desk.clock())
    assert desk.bank.reconcile(header, desk.customs.totals(), desk.clock()).ack_mac
    day = desk.clock().date()
    account = payee_account(PaymentKind.FEES, "SOHAR", 512)
    Statements(desk.store, desk.clock).issue(account, day, day)
    desk.issuing.hotlist(purse.cid, reason="lost")
    return desk


def alter(desk: Desk, statement: str) -> None:
    with closing(sqlite3.connect(desk.path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(statement)
        connection.commit()


def damage(desk: Desk, table: str, statement: str) -> None:
    with closing(sqlite3.connect(desk.path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for name in ("update", "delete"):
            connection.execute(f"DROP TRIGGER {table}_no_{name}")
        connection.execute(statement)
        connection.commit()


def texts(desk: Desk, code: FindingCode) -> str:
    report = check_bank(desk.store, desk.keys)
    return "\n".join(one.text for one in report.findings if one.code is code)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DROP TRIGGER leg_sealed", "trigger leg_sealed is missing"),
        ("DROP INDEX leg_by_account", "index leg_by_account is missing"),
        ("DROP TABLE hotlist", "table hotlist is missing"),
        ("CREATE TABLE notes (text)", "table notes is not the bank's"),
        (
            "CREATE TRIGGER gift AFTER INSERT ON entry BEGIN SELECT 1; END",
            "trigger gift is not the bank's",
        ),
        ("ALTER TABLE purse ADD COLUMN extra", "table purse was changed"),
    ],
    ids=["trigger", "index", "table", "another table", "another trigger", "column"],
)
def test_tables_and_triggers_are_those_that_the_bank_makes(
    busy: Desk, statement: str, words: str
) -> None:
    alter(busy, statement)
    assert words in texts(busy, FindingCode.SCHEMA)


def test_a_trigger_that_does_nothing_any_more_is_named(busy: Desk) -> None:
    alter(busy, "DROP TRIGGER entry_balances")
    alter(
        busy,
        "CREATE TRIGGER entry_balances BEFORE INSERT ON entry BEGIN SELECT 1; END",
    )
    assert "trigger entry_balances was changed" in texts(busy, FindingCode.SCHEMA)


@pytest.mark.parametrize(
    ("table", "change", "words"),
    [
        ("record", "details = x'00FF'", "record row 1: details is stored as bytes"),
        ("record", "tx = x'00'", "record row 1: tx has 1 bytes, not 47"),
        ("record", "tx = zeroblob(47)", "record row 1 makes no sense"),
        ("record", "details = '{'", "record row 1 makes no sense"),
        ("record", "details = '[]'", "record row 1 makes no sense"),
        ("record", "decision = 'lost'", "record row 1 makes no sense"),
        ("record", "received_at = 'noon'", "received_at is no time"),
        ("record", "stan = -1", "stan is -1, which is never written"),
        ("record", "tac_verified = 2", "tac_verified is 2"),
        ("record", "details = CAST(x'FF' AS TEXT)", "record row 1 cannot be read"),
        ("leg", "debit_minor = 1.5 WHERE debit_minor = 1000", "stored as float"),
        ("account", "kind = 'piggy bank' WHERE id = 1", "account row 1 makes no sense"),
        ("account", "currency = 1 WHERE id = 1", "account row 1 makes no sense"),
        ("entry", "kind = 'gift' WHERE id = 1", "entry row 1 makes no sense"),
        ("purse", "expiry = 'never'", "purse row 1 makes no sense"),
        ("load", "rc = 'text'", "load row 1: rc is stored as str"),
        ("load_outcome", "outcome = 'lost'", "load row 1 makes no sense"),
        ("load_outcome", "balance_after_minor = NULL", "load row 1 makes no sense"),
        ("batch", "count = 99999999999", "count is 99999999999"),
        ("payment", "amount_minor = 0", "CHECK constraint failed"),
        ("statement", "document = x'7B'", "statement row 1: document is stored as"),
    ],
)
def test_a_damaged_column_is_a_finding(
    busy: Desk, table: str, change: str, words: str
) -> None:
    damage(busy, table, f"UPDATE {table} SET {change}")
    assert words in texts(busy, FindingCode.DATABASE)


@pytest.mark.parametrize("table", list(metadata.tables))
def test_rows_that_are_gone_never_stop_the_check(busy: Desk, table: str) -> None:
    damage(busy, table, f"DELETE FROM {table}")
    assert not check_bank(busy.store, busy.keys).ok


@pytest.mark.parametrize("table", list(metadata.tables))
@pytest.mark.parametrize("value", ["x'0001'", "'text'", "-7"])
def test_no_value_in_any_column_stops_the_check(
    busy: Desk, table: str, value: str
) -> None:
    for column in metadata.tables[table].columns:
        with closing(sqlite3.connect(busy.path)) as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            connection.execute(f"DROP TRIGGER IF EXISTS {table}_no_update")
            change = f"{column.name} = {value}"
            with suppress(sqlite3.IntegrityError):
                # A column that is the row number itself takes integers only.
                connection.execute(f"UPDATE OR IGNORE {table} SET {change}")
            connection.commit()
    assert not check_bank(busy.store, busy.keys).ok


def test_a_page_of_the_file_that_is_overwritten_is_a_finding(busy: Desk) -> None:
    with closing(sqlite3.connect(busy.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'record'"
        page = connection.execute(query).fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    with busy.path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)
    text = texts(busy, FindingCode.DATABASE)
    assert "table record cannot be read" in text
