"""Entries balance before they reach the database, and once there nothing moves."""

from __future__ import annotations

import contextlib
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from settlement.audit_head import AuditHead
from settlement.errors import LedgerError
from settlement.ledger import (
    Account,
    AccountKind,
    Entry,
    EntryKind,
    Leg,
    Source,
    opening_deposit_entry,
    payee_account,
    payment_entry,
)
from settlement.payment import PaymentKind
from settlement.store.triggers import APPEND_ONLY_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Desk = Any

AT = datetime(2025, 11, 22, 10, 15, tzinfo=UTC)
CUSTOMER = Account.customer("1", 512)
CLEARING = Account.clearing(512)
SOURCE = Source(kind=EntryKind.CORRECTION, subject="x", number=1)


@pytest.fixture
def posted(desk: Desk) -> Desk:
    """A load, a payment, an open record that it settles, and a collected batch."""
    purse = desk.loaded_purse()
    item = desk.customs.begin(purse, 70)
    desk.customs.pay(purse, 1234)
    head = AuditHead(journal=bytes(8), entries=1, digest=bytes(32))
    desk.send(item, head=head)
    return desk


@pytest.fixture
def raw(posted: Desk) -> Iterator[sqlite3.Connection]:
    """The same database as any other program would open it."""
    with closing(sqlite3.connect(posted.path)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection


@pytest.mark.parametrize(
    "legs",
    [
        (Leg(account=CUSTOMER, debit_minor=5), Leg(account=CLEARING, credit_minor=4)),
        (Leg(account=CUSTOMER, debit_minor=5),),
        (Leg(account=CUSTOMER, debit_minor=4), Leg(account=CLEARING, credit_minor=4)),
        (),
    ],
    ids=["sides differ", "one side", "not the amount", "nothing"],
)
def test_an_entry_that_does_not_balance_cannot_be_made(legs: tuple[Leg, ...]) -> None:
    with pytest.raises(LedgerError, match="balance"):
        Entry(source=SOURCE, currency=512, amount_minor=5, legs=legs, booked_at=AT)


def test_an_entry_of_two_currencies_cannot_be_made() -> None:
    other = Account.customer("1", 784)
    legs = (Leg(account=CUSTOMER, debit_minor=5), Leg(account=other, credit_minor=5))
    with pytest.raises(LedgerError, match="currency"):
        Entry(source=SOURCE, currency=512, amount_minor=5, legs=legs, booked_at=AT)


@pytest.mark.parametrize(
    ("debit", "credit"), [(0, 0), (1, 1), (-1, 0), (0, -1)], ids=str
)
def test_a_leg_has_exactly_one_positive_side(debit: int, credit: int) -> None:
    with pytest.raises(LedgerError):
        Leg(account=CUSTOMER, debit_minor=debit, credit_minor=credit)


def test_an_entry_is_booked_at_a_time_with_its_zone() -> None:
    naive = AT.replace(tzinfo=None)
    with pytest.raises(LedgerError, match="zone"):
        opening_deposit_entry(
            account=CUSTOMER, number=1, amount_minor=1, booked_at=naive
        )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (PaymentKind.FEES, AccountKind.REVENUE),
        (PaymentKind.DEPOSITS, AccountKind.DEPOSITS),
        (PaymentKind.PURCHASE, AccountKind.MERCHANT),
    ],
    ids=["fees", "deposits", "purchase"],
)
def test_each_kind_of_payment_has_its_own_account(
    kind: PaymentKind, expected: AccountKind
) -> None:
    assert payee_account(kind, "SOHAR", 512).kind is expected


def test_no_repr_shows_a_card_number() -> None:
    cid = bytes.fromhex("64 00 00 12 34 56 00 01")
    entry = payment_entry(
        cid=cid,
        otc=1,
        payee=payee_account(PaymentKind.FEES, "SOHAR", 512),
        amount_minor=1,
        booked_at=AT,
    )
    assert cid.hex().upper() not in repr(entry)


def test_an_event_is_booked_once(posted: Desk) -> None:
    again = payment_entry(
        cid=bytes.fromhex("64 00 00 00 00 00 00 01"),
        otc=1,
        payee=payee_account(PaymentKind.FEES, "SOHAR", 512),
        amount_minor=1234,
        booked_at=AT,
    )
    with pytest.raises(LedgerError, match="already"), posted.store.write() as books:
        books.ledger.post(again)


def test_an_entry_needs_open_accounts(posted: Desk) -> None:
    stranger = Account.customer("none", 512)
    entry = opening_deposit_entry(
        account=stranger, number=1, amount_minor=1, booked_at=AT
    )
    with pytest.raises(LedgerError, match="not open"), posted.store.write() as books:
        books.ledger.post(entry)


@pytest.mark.parametrize("table", APPEND_ONLY_TABLES)
@pytest.mark.parametrize("operation", ["update", "delete"])
def test_no_row_is_ever_changed_or_deleted(
    raw: sqlite3.Connection, table: str, operation: str
) -> None:
    columns = raw.execute("SELECT name FROM pragma_table_info(?)", (table,))
    (column,) = columns.fetchone()
    statement = {
        "update": f"UPDATE {table} SET {column} = {column}",  # noqa: S608  our own names
        "delete": f"DELETE FROM {table}",  # noqa: S608  our own names
    }[operation]
    trigger = raw.execute(
        "SELECT sql FROM sqlite_master WHERE name = ?", (f"{table}_no_{operation}",)
    ).fetchone()
    assert trigger is not None
    with contextlib.suppress(StopIteration):
        next(raw.execute(f"SELECT 1 FROM {table}"))  # noqa: S608  our own names
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            raw.execute(statement)


def test_every_table_is_append_only(raw: sqlite3.Connection) -> None:
    tables = raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    assert {name for (name,) in tables} == set(APPEND_ONLY_TABLES)


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        (
            "INSERT OR REPLACE INTO leg SELECT entry_id, number, account_id,"
            " debit_minor + 1, 0 FROM leg WHERE debit_minor > 0 LIMIT 1",
            "complete",
        ),
        (
            "INSERT INTO leg SELECT entry_id, 3, account_id, 5, 0 FROM leg LIMIT 1",
            "complete",
        ),
        (
            "INSERT OR REPLACE INTO entry SELECT id, 'correction', subject, number,"
            " cid, currency, amount_minor, booked_at, memo FROM entry LIMIT 1",
            "append-only",
        ),
        (
            "INSERT OR REPLACE INTO open_resolution SELECT mid, tsn, 'load', 0, NULL,"
            " NULL, NULL, NULL, NULL, at FROM open_resolution",
            "append-only",
        ),
        (
            "INSERT OR REPLACE INTO incident_closed SELECT incident_id, 'x', at"
            " FROM incident_closed",
            "append-only",
        ),
        (
            "INSERT OR REPLACE INTO audit_head SELECT terminal_id, serial, mid, batch,"
            " journal, 2, digest, received_at FROM audit_head",
            "append-only",
        ),
        (
            "INSERT INTO entry VALUES (999, 'correction', 'x', 1, NULL, 512, 5,"
            " '2025', '')",
            "balance",
        ),
        (
            "INSERT INTO payment SELECT cid, otc + 1, mid, tsn + 1, terminal_id, batch,"
            " stan, amount_minor, currency, balance_after_minor,"
            " cumulative_debit_minor, tac, evidence, paid_at FROM payment",
            "verified TAC",
        ),
        (
            "INSERT INTO record SELECT terminal_id, mid, batch, stan + 1, sequence,"
            " content, evidence, tx, cid, otc, amount_minor, kv, alg,"
            " balance_after_minor, cumulative_debit_minor, tac, details, 0, 'posted',"
            " reason, received_at FROM record",
            "paid_on_the_tac",
        ),
    ],
    ids=[
        "change a posted leg by replacing it",
        "add a leg to a complete entry",
        "replace an entry",
        "replace what became of an open record",
        "replace why an incident was closed",
        "replace an audit head",
        "an entry without legs",
        "a payment without its record",
        "a record posted without a verified TAC",
    ],
)
def test_the_database_refuses(
    raw: sqlite3.Connection, statement: str, rule: str
) -> None:
    with pytest.raises(sqlite3.IntegrityError, match=rule):
        raw.execute(statement)


def test_legs_without_an_entry_do_not_survive_the_commit(
    raw: sqlite3.Connection,
) -> None:
    raw.execute("INSERT INTO leg VALUES (999, 1, 1, 5, 0)")
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        raw.commit()


def test_a_payment_of_an_unverified_tac_cannot_be_posted(
    raw: sqlite3.Connection,
) -> None:
    raw.execute(
        "INSERT INTO record SELECT terminal_id, mid, batch, stan + 1, sequence + 1,"
        " content, evidence, tx, cid, otc + 1, amount_minor, kv, alg,"
        " balance_after_minor, cumulative_debit_minor, tac, details, 0, 'suspended',"
        " reason, received_at FROM record"
    )
    with pytest.raises(sqlite3.IntegrityError, match="verified TAC"):
        raw.execute(
            "INSERT INTO payment SELECT cid, otc + 1, mid, tsn + 1, terminal_id, batch,"
            " stan + 1, amount_minor, currency, balance_after_minor,"
            " cumulative_debit_minor, tac, evidence, paid_at FROM payment"
        )


def test_a_payment_entry_must_debit_the_float_of_its_own_purse(
    raw: sqlite3.Connection,
) -> None:
    raw.execute("INSERT INTO leg VALUES (999, 1, 1, 1234, 0), (999, 2, 2, 0, 1234)")
    with pytest.raises(sqlite3.IntegrityError, match="own purse"):
        raw.execute(
            "INSERT INTO entry SELECT 999, 'payment', hex(cid), otc, cid, 512,"
            " 1234, '2025', '' FROM payment"
        )
