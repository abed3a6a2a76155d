"""A statement as CSV (RFC 4180), for spreadsheets and for customs' own programs.

UTF-8 with a byte order mark, without which spreadsheets take Arabic for Latin. Amounts
are plain decimal numbers with the currency's decimals and without grouping. A text that
a spreadsheet would take for a formula gets an apostrophe before it.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from settlement.money import Currency, format_amount

if TYPE_CHECKING:
    from datetime import datetime, timezone

    from settlement.statement import PaymentOnStatement, Statement, StatementEntry

__all__ = ["COLUMNS", "statement_csv"]

COLUMNS: Final = (
    "statement",
    "entry",
    "booked_at",
    "paid_at",
    "type",
    "declaration",
    "kind",
    "lines",
    "card",
    "terminal",
    "clerk",
    "request",
    "reference",
    "authorisation",
    "debit",
    "credit",
    "balance",
    "currency",
    "status",
)
_NO_PAYMENT: Final = ("",) * 9
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def statement_csv(statement: Statement) -> bytes:
    """The whole statement: opening balance, one row for each entry, closing balance."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    first, last = statement.first_day.isoformat(), statement.last_day.isoformat()
    writer.writerow(
        _balance_row(statement, "opening balance", first, statement.opening_minor)
    )
    for entry in statement.entries:
        writer.writerow(_entry_row(statement, entry))
    writer.writerow(
        _balance_row(statement, "closing balance", last, statement.closing_minor)
    )
    return text.getvalue().encode("utf-8-sig")


def _balance_row(
    statement: Statement, what: str, day: str, balance_minor: int
) -> tuple[str, ...]:
    currency = statement.currency
    balance = _plain(balance_minor, currency)
    return (
        str(statement.number),
        "",
        day,
        "",
        what,
        *_NO_PAYMENT,
        "",
        "",
        balance,
        currency.code,
        "",
    )


def _entry_row(statement: Statement, entry: StatementEntry) -> tuple[str, ...]:
    payment, currency = entry.payment, statement.currency
    paid_at = _local(payment.paid_at, statement.zone) if payment else ""
    facts = _payment_cells(payment, currency) if payment else _NO_PAYMENT
    return (
        str(statement.number),
        str(entry.position),
        _local(entry.booked_at, statement.zone),
        paid_at,
        entry.kind.value,
        *(_safe(cell) for cell in facts),
        _plain(entry.debit_minor, currency) if entry.debit_minor else "",
        _plain(entry.credit_minor, currency) if entry.credit_minor else "",
        _plain(entry.balance_minor, currency),
        currency.code,
        "in suspense" if payment and payment.held else "booked",
    )


def _payment_cells(payment: PaymentOnStatement, currency: Currency) -> tuple[str, ...]:
    lines = "; ".join(
        f"{line_class} {_plain(amount_minor, currency)}"
        for line_class, amount_minor in payment.lines
    )
    return (
        payment.declaration,
        payment.kind.value if payment.kind else "",
        lines,
        payment.masked_card,
        payment.terminal_id,
        payment.clerk,
        payment.request_number,
        payment.reference,
        payment.authorisation,
    )


def _plain(amount_minor: int, currency: Currency) -> str:
    return format_amount(amount_minor, currency).replace(",", "")


def _local(moment: datetime, zone: timezone) -> str:
    return moment.astimezone(zone).isoformat(sep=" ", timespec="seconds")


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
