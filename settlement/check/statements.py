"""Issued statements: none is missing, none was changed, and each says what was booked.

A statement is compared with the ledger as it was when it was issued: the entries of
its period up to its newest one.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from settlement.check.report import FindingCode
from settlement.errors import SettlementError
from settlement.ledger import AccountKind
from settlement.money import currency_by_number
from settlement.statement import check_statement
from settlement.statement_document import from_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settlement.check.report import CheckRun
    from settlement.ledger import Account
    from settlement.statement import Statement

__all__ = ["check_statements"]

_Booked = list[tuple[Any, Any]]
"""Entries of one account with its leg, in the order of booking."""


def check_statements(run: CheckRun) -> None:
    """Check every statement that was issued."""
    booked: dict[int, _Booked] = {}
    entries = {row.id: row for row in run.rows.raw["entry"]}
    for leg in sorted(run.rows.raw["leg"], key=lambda leg: (leg.entry_id, leg.number)):
        if leg.entry_id in entries:
            pair = (entries[leg.entry_id], leg)
            booked.setdefault(leg.account_id, []).append(pair)
    issued = run.rows.raw["statement"]
    run.find_gaps("statement", (row.number for row in issued))
    for row in issued:
        for problem in _problems(run, row, booked.get(row.account_id, [])):
            run.find(FindingCode.STATEMENT, f"statement {row.number}: {problem}")


def _problems(run: CheckRun, row: Any, booked: _Booked) -> Iterator[str]:
    try:
        made = from_document(row.document, row.digest)
    except SettlementError as error:
        yield str(error)
        return
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        yield "its document cannot be read"
        return
    yield from check_statement(made)
    account = run.rows.accounts.get(row.account_id)
    if account is None:
        yield "its account is gone"
        return
    yield from _head_problems(row, made, account)
    yield from _entry_problems(row, made, account, booked)


def _head_problems(row: Any, made: Statement, account: Account) -> Iterator[str]:
    owner = account.owner
    if account.kind is AccountKind.PURSE_FLOAT:
        owner = f"{owner[:6]}******{owner[-4:]}"
    newest = max((entry.entry_id for entry in made.entries), default=0)
    for name, stored, said in (
        ("number", row.number, made.number),
        ("account", account.kind, made.account_kind),
        ("owner", owner, made.owner),
        ("currency", currency_by_number(account.currency), made.currency),
        ("first day", row.first_day, made.first_day.isoformat()),
        ("last day", row.last_day, made.last_day.isoformat()),
        ("newest entry", row.last_entry_id, newest),
        ("time of issue", row.issued_at, made.issued_at),
    ):
        if stored != said:
            yield f"its {name} is not as issued"


def _entry_problems(
    row: Any, made: Statement, account: Account, booked: _Booked
) -> Iterator[str]:
    """Entries and opening balance against the ledger up to its newest entry."""
    start = datetime.combine(made.first_day, time.min, made.zone).astimezone(UTC)
    end = datetime.combine(made.last_day, time.min, made.zone).astimezone(UTC)
    end += timedelta(days=1)
    in_ledger = [
        (entry.id, entry.kind, entry.booked_at, entry.memo, *_sides(leg))
        for entry, leg in booked
        if entry.id <= row.last_entry_id and start <= entry.booked_at < end
    ]
    on_paper = [
        (
            entry.entry_id,
            entry.kind.value,
            entry.booked_at,
            entry.memo,
            entry.debit_minor,
            entry.credit_minor,
        )
        for entry in made.entries
    ]
    if in_ledger != on_paper:
        yield "its entries are not the ledger's"
    # What was booked later with an earlier time was not there when it was issued.
    openings = set()
    balance_minor = 0
    for entry, leg in booked:
        if entry.id > row.last_entry_id:
            openings.add(balance_minor)
        if entry.booked_at < start:
            balance_minor += account.kind.growth_minor(*_sides(leg))
    openings.add(balance_minor)
    if made.opening_minor not in openings:
        yield "its opening balance is not the ledger's"


def _sides(leg: Any) -> tuple[int, int]:
    return (leg.debit_minor, leg.credit_minor)
