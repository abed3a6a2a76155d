"""The books as they stood at a moment: a trial balance, the history of an account.

Nothing here is stored: both are computed from the legs, up to and with the moment that
was asked for, by the bank's own time of booking.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from settlement.store.books import Books
    from settlement.store.history import HistoryRow
    from settlement.store.ledger import AccountRow

__all__ = [
    "AccountHistory",
    "CurrencyTotal",
    "HistoryLine",
    "TrialBalance",
    "account_history",
    "trial_balance",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyTotal:
    """All debits and all credits of one currency, in minor units."""

    currency: int
    debit_minor: int
    credit_minor: int

    @property
    def is_equal(self) -> bool:
        """Whether both sides are the same."""
        return self.debit_minor == self.credit_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBalance:
    """Every account with its sums, and the sums of all.

    Attributes:
        at: up to when, included; None for all that is booked.
        accounts: by kind and owner.
        totals: by currency.
        newest_entry: the highest number of an entry in it; 0 for none.
        written_late: entries in it that were written after one of a later time.
    """

    at: datetime | None
    accounts: tuple[AccountRow, ...]
    totals: tuple[CurrencyTotal, ...]
    newest_entry: int
    written_late: int

    @property
    def is_equal(self) -> bool:
        """Whether debits are credits in every currency."""
        return all(total.is_equal for total in self.totals)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLine:
    """A leg, and the account's balance after it in minor units."""

    row: HistoryRow
    balance_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountHistory:
    """What was booked on an account in a period.

    Attributes:
        account: the account, with its sums as they are now.
        start: from when on; None for the beginning.
        end: up to when, included; None for now.
        opening_minor: balance before ``start``.
        lines: in the order of booking time, then of their numbers.
        debit_minor: sum of the debits shown.
        credit_minor: sum of the credits shown.
        closing_minor: balance after the last one.
        written_late: entries up to ``end`` that were written after one of a later time.
    """

    account: AccountRow
    start: datetime | None
    end: datetime | None
    opening_minor: int
    lines: tuple[HistoryLine, ...]
    debit_minor: int
    credit_minor: int
    closing_minor: int
    written_late: int


def trial_balance(books: Books, at: datetime | None = None) -> TrialBalance:
    """Sum every account up to a moment, which is included; None for now."""
    accounts = books.history.balances(at)
    currencies = sorted({row.account.currency for row in accounts})
    return TrialBalance(
        at=at,
        accounts=tuple(accounts),
        totals=tuple(_total(accounts, currency) for currency in currencies),
        newest_entry=books.history.newest_entry(at),
        written_late=0 if at is None else books.history.written_late(at),
    )


def account_history(
    books: Books,
    row: AccountRow,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> AccountHistory:
    """What was booked on an account from ``start`` up to ``end``, both included."""
    kind = row.account.kind
    opening_minor = 0
    if start is not None:
        opening_minor = kind.growth_minor(*books.history.sums_before(row.id, start))
    balance_minor = opening_minor
    lines = []
    for leg in books.history.movements(row.id, start=start, end=end):
        balance_minor += kind.growth_minor(leg.debit_minor, leg.credit_minor)
        lines.append(HistoryLine(row=leg, balance_minor=balance_minor))
    return AccountHistory(
        account=row,
        start=start,
        end=end,
        opening_minor=opening_minor,
        lines=tuple(lines),
        debit_minor=sum(line.row.debit_minor for line in lines),
        credit_minor=sum(line.row.credit_minor for line in lines),
        closing_minor=balance_minor,
        written_late=0 if end is None else books.history.written_late(end),
    )


def _total(accounts: list[AccountRow], currency: int) -> CurrencyTotal:
    own = [row for row in accounts if row.account.currency == currency]
    return CurrencyTotal(
        currency=currency,
        debit_minor=sum(row.debit_minor for row in own),
        credit_minor=sum(row.credit_minor for row in own),
    )
