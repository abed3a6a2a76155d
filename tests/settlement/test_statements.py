"""Statements: complete, numbered, and the same for ever once issued."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pypdf import PdfReader

from settlement.errors import StatementError
from settlement.ledger import Account, payee_account
from settlement.payment import LineClass, PaymentKind, PaymentLine
from settlement.statement import BankIdentity, Statement, check_statement
from settlement.statement_csv import COLUMNS, statement_csv
from settlement.statement_pdf import statement_pdf
from settlement.statements import Statements

if TYPE_CHECKING:
    from pathlib import Path

    Desk = Any
    Purse = Any

DATABASES = ("sqlite", "postgresql")

CID = bytes.fromhex("64 00 00 00 00 00 00 01")
REVENUE = payee_account(PaymentKind.FEES, "SOHAR", 512)
DAY = date(2025, 11, 22)
BANK = BankIdentity(name="Sohar Savings", arabic_name="بنك صحار", address="Port Road")


def collect(desk: Desk) -> None:
    header = desk.customs.close()
    desk.bank.begin_batch(header, desk.clock())
    desk.bank.take_payments(header, desk.customs.records, desk.clock())
    desk.bank.reconcile(header, desk.customs.totals(), desk.clock())
    desk.customs.next_batch()


@pytest.fixture
def statements(desk: Desk) -> Statements:
    return Statements(desk.store, desk.clock, bank=BANK)


@pytest.fixture
def purse(desk: Desk) -> Purse:
    """Two payments on the first day, one of them with lines."""
    purse = desk.loaded_purse()
    desk.customs.pay(purse, 1_000, declaration="بيان-0001")
    paid = desk.customs.pay(purse, 2_500, declaration="=2+5 DEC")
    lines = (
        PaymentLine(line_class=LineClass.CUSTOMS_DUTY, amount_minor=2_000),
        PaymentLine(line_class=LineClass.FINES, amount_minor=500),
    )
    details = replace(paid.details, lines=lines, request_number="REQ-7")
    desk.customs.records[-1] = replace(paid, details=details)
    collect(desk)
    return purse


def test_a_statement_has_one_entry_for_each_payment_with_its_details(
    statements: Statements, purse: Purse
) -> None:
    made = statements.issue(REVENUE, DAY, DAY)
    assert (made.number, made.opening_minor, made.closing_minor) == (1, 0, 3_500)
    assert (made.debits_minor, made.credits_minor) == (0, 3_500)
    first, second = made.entries
    assert first.payment
    assert second.payment
    assert first.payment.declaration == "بيان-0001"
    assert second.payment.lines == (
        (LineClass.CUSTOMS_DUTY, 2_000),
        (LineClass.FINES, 500),
    )
    assert second.payment.masked_card == "640000******0001"
    assert second.payment.reference == "000700001002"
    assert len(second.payment.authorisation) == 6
    assert (second.payment.terminal_id, second.payment.clerk) == ("T0000007", "7")
    assert second.balance_minor == 3_500


def test_a_statement_begins_where_the_one_before_ended(
    desk: Desk, statements: Statements, purse: Purse
) -> None:
    first = statements.issue(REVENUE, DAY, DAY)
    desk.clock.advance(days=1)
    desk.customs.pay(purse, 40, at=desk.clock())
    collect(desk)
    next_day = DAY + timedelta(days=1)
    second = statements.issue(REVENUE, next_day, next_day)
    both = statements.issue(REVENUE, DAY, next_day)
    assert second.opening_minor == first.closing_minor == 3_500
    assert second.closing_minor == both.closing_minor == 3_540
    assert [entry.position for entry in both.entries] == [1, 2, 3]
    assert (first.number, second.number, both.number) == (1, 2, 3)


def test_a_day_ends_at_the_banks_midnight(
    desk: Desk, statements: Statements, purse: Purse
) -> None:
    desk.clock.now = datetime(2025, 11, 22, 20, 0, tzinfo=UTC)
    desk.customs.pay(purse, 40, at=desk.clock())
    collect(desk)
    assert len(statements.issue(REVENUE, DAY, DAY).entries) == 2
    next_day = DAY + timedelta(days=1)
    assert len(statements.issue(REVENUE, next_day, next_day).entries) == 1


def test_asking_again_gives_the_statement_that_was_issued(
    desk: Desk, statements: Statements, purse: Purse
) -> None:
    first = statements.issue(REVENUE, DAY, DAY)
    desk.clock.advance(hours=1)
    again = statements.issue(REVENUE, DAY, DAY)
    assert again == first == statements.get(1)
    assert again.digest == first.digest


def test_further_entries_give_a_new_number_and_leave_the_old_one(
    desk: Desk, statements: Statements, purse: Purse
) -> None:
    first = statements.issue(REVENUE, DAY, DAY)
    desk.customs.pay(purse, 40)
    collect(desk)
    second = statements.issue(REVENUE, DAY, DAY)
    assert (second.number, len(second.entries)) == (2, 3)
    assert statements.get(1) == first


def test_an_account_without_movement_has_an_empty_statement(
    statements: Statements, purse: Purse
) -> None:
    account = payee_account(PaymentKind.PURCHASE, "SOHAR", 512)
    made = statements.issue(account, DAY, DAY)
    assert (made.opening_minor, made.closing_minor, made.entries) == (0, 0, ())


def test_a_customers_statement_masks_the_card_that_was_loaded(
    desk: Desk, statements: Statements, purse: Purse
) -> None:
    made = statements.issue(desk.account(), DAY, DAY)
    deposit, load = made.entries
    assert (deposit.credit_minor, load.debit_minor) == (5_000_000, 500_000)
    assert load.memo == "card 640000******0001"
    assert made.closing_minor == desk.balance(desk.account())


def test_the_clearing_account_grows_by_debits(
    statements: Statements, purse: Purse
) -> None:
    made = statements.issue(Account.clearing(512), DAY, DAY)
    assert made.closing_minor == 5_000_000
    assert check_statement(made) == []


def test_arithmetic_that_is_wrong_is_noticed(
    statements: Statements, purse: Purse
) -> None:
    made = statements.issue(REVENUE, DAY, DAY)
    assert check_statement(made) == []
    assert check_statement(replace(made, closing_minor=1)) == [
        "the closing balance is not opening plus entries"
    ]
    entry = replace(made.entries[0], credit_minor=999)
    problems = check_statement(replace(made, entries=(entry, *made.entries[1:])))
    assert len(problems) == 3


def test_a_changed_document_is_not_shown(
    desk: Desk, statements: Statements, purse: Purse
) -> None:
    statements.issue(REVENUE, DAY, DAY)
    desk.tamper("UPDATE statement SET document = document || ' '")
    with pytest.raises(StatementError, match="changed"):
        statements.get(1)


def test_what_is_not_there_is_a_plain_error(statements: Statements) -> None:
    nowhere = payee_account(PaymentKind.FEES, "NOWHERE", 512)
    with pytest.raises(StatementError, match="NOWHERE"):
        statements.issue(nowhere, DAY, DAY)
    with pytest.raises(StatementError, match="before it begins"):
        statements.issue(REVENUE, DAY, DAY - timedelta(days=1))
    with pytest.raises(StatementError, match="number 5"):
        statements.get(5)


def read_csv(made: Statement) -> list[dict[str, str]]:
    text = statement_csv(made).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_the_csv_has_a_row_for_each_entry_between_the_balances(
    statements: Statements, purse: Purse
) -> None:
    rows = read_csv(statements.issue(REVENUE, DAY, DAY))
    assert tuple(rows[0]) == COLUMNS
    assert [row["type"] for row in rows] == [
        "opening balance",
        "payment",
        "payment",
        "closing balance",
    ]
    assert [row["balance"] for row in rows] == ["0.000", "1.000", "3.500", "3.500"]
    assert rows[1]["declaration"] == "بيان-0001"
    assert rows[2]["lines"] == "customs duty 2.000; fines 0.500"
    assert rows[2]["paid_at"] == "2025-11-22 14:15:00+04:00"
    assert {row["currency"] for row in rows} == {"OMR"}


def test_no_cell_of_the_csv_is_taken_for_a_formula(
    statements: Statements, purse: Purse
) -> None:
    rows = read_csv(statements.issue(REVENUE, DAY, DAY))
    assert rows[2]["declaration"] == "'=2+5 DEC"


def test_the_csv_opens_with_a_byte_order_mark_and_ends_lines_as_rfc_4180(
    statements: Statements, purse: Purse
) -> None:
    content = statement_csv(statements.issue(REVENUE, DAY, DAY))
    assert content.startswith("\ufeffstatement,".encode())
    assert content.count(b"\r\n") == content.count(b"\n") == 5


def pages_of(content: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]


def test_the_pdf_says_everything_that_the_statement_says(
    statements: Statements, purse: Purse
) -> None:
    made = statements.issue(REVENUE, DAY, DAY)
    (page,) = pages_of(statement_pdf(made))
    for text in (
        "Sohar Savings",
        "Port Road",
        "SOHAR",
        "22.11.2025",
        "Opening balance",
        "3.500 OMR",
        "=2+5 DEC",
        "customs duty 2.000 · fines 0.500",
        "640000******0001",
        "T0000007",
        "000700001002",
        made.digest.hex(),
        "Page 1 of",
    ):
        assert text in page
    assert "6400000000000001" not in page


def test_a_declaration_is_never_cut_and_invisible_characters_turn_nothing(
    statements: Statements, purse: Purse
) -> None:
    made = statements.issue(REVENUE, DAY, DAY)
    payment = made.entries[0].payment
    assert payment
    wide = replace(payment, declaration="W" * 48)
    bank = replace(BANK, name="Bank of " + "Wide Names " * 9, address="12\u202e500")
    entry = replace(made.entries[0], payment=wide)
    (page,) = pages_of(
        statement_pdf(replace(made, bank=bank, entries=(entry, *made.entries[1:])))
    )
    assert "W" * 48 in page
    assert "12500" in page


def test_a_long_statement_is_paginated_with_its_head_on_every_page(
    desk: Desk, statements: Statements, purse: Purse
) -> None:
    for number in range(40):
        desk.customs.pay(purse, 10 + number, at=desk.clock())
    collect(desk)
    pages = pages_of(statement_pdf(statements.issue(REVENUE, DAY, DAY)))
    assert len(pages) == 3
    assert all("Declaration, kind" in page for page in pages)
    assert "Closing balance" in pages[-1]
    assert "42 entries" in pages[-1]


def test_the_same_statement_is_always_the_same_file(
    desk: Desk, statements: Statements, purse: Purse
) -> None:
    first = statement_pdf(statements.issue(REVENUE, DAY, DAY))
    desk.clock.advance(days=9)
    assert statement_pdf(statements.get(1)) == first


def test_a_missing_font_is_a_plain_error(
    statements: Statements, purse: Purse, tmp_path: Path
) -> None:
    made = statements.issue(REVENUE, DAY, DAY)
    with pytest.raises(StatementError, match="fonts-dejavu-core"):
        statement_pdf(made, tmp_path)
