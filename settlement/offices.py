"""Customs offices: named once, with three accounts each.

Terminals are bound to an office by its code. An office that a terminal names before
anybody has given it names gets its code for a name, so that no counter has to wait;
`Offices.add` gives it better ones later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from settlement.errors import IssuingError
from settlement.ledger import Account, payee_account
from settlement.money import currency_by_number
from settlement.payment import PaymentKind
from settlement.store.collisions import repeated
from settlement.store.offices import OfficeRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from settlement.store.books import BankStore, Books

__all__ = ["Offices", "require_office"]


class Offices:
    """The offices that this bank collects for. Threads may share it."""

    def __init__(self, store: BankStore, clock: Callable[[], datetime]) -> None:
        """Work on ``store`` by the time of ``clock``, which is aware."""
        self._store = store
        self._clock = clock

    @repeated
    def add(self, row: OfficeRow, *, by: str) -> OfficeRow:
        """Note an office and open its accounts, or give a known one these names.

        The same office with the same names again is nothing.

        Args:
            row: the office.
            by: who says so.

        Raises:
            IssuingError: the office is known with another currency.
        """
        now = self._clock()
        with self._store.write() as books:
            books.holds.staff()
            known = books.offices.office(row.code)
            _refuse_other_currency(known, row.code, row.currency)
            if known != row:
                books.offices.note(row, by, now)
            _open_accounts(books, row, now)
        return row

    def offices(self) -> list[OfficeRow]:
        """All offices, by code."""
        with self._store.read() as books:
            return books.offices.offices()


def require_office(books: Books, code: str, currency: int, now: datetime) -> None:
    """See to it that an office is known, with its accounts.

    Raises:
        IssuingError: it is known with another currency.
    """
    known = books.offices.office(code)
    _refuse_other_currency(known, code, currency)
    if known is None:
        known = OfficeRow(code=code, name=code, name_ar="", currency=currency)
        books.offices.note(known, "", now)
    _open_accounts(books, known, now)


def _open_accounts(books: Books, row: OfficeRow, now: datetime) -> None:
    for kind in PaymentKind:
        account = payee_account(kind, row.code, row.currency)
        books.ledger.open_account(account, f"{row.code} {kind}", now)
    books.ledger.open_account(Account.suspense(row.currency), "Suspense", now)


def _refuse_other_currency(known: OfficeRow | None, code: str, currency: int) -> None:
    if known is None or known.currency == currency:
        return
    raise IssuingError(
        f"office {code} collects {currency_by_number(known.currency)}, not "
        f"{currency_by_number(currency)}, and an office keeps its currency. Nothing "
        "was changed; use another code for the other currency"
    )
