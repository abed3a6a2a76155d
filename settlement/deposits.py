"""Refundable guarantees: held when paid, then given back or kept, on order of customs.

A payment of the kind *deposits* lies on the deposits account of its office. Customs
orders what becomes of it: a refund, whole or in part, goes to the current account of
the card's holder; a forfeiture goes to the revenue account of the same office. An order
has a number, which its office gives once, so entering the same order again books
nothing more; the same number with anything else in it is refused. All orders together
never take more than is left: the rule is here for the words, and in the database's own
triggers for everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from settlement.errors import DepositError
from settlement.ledger import Account, AccountKind, EntryKind, Source
from settlement.money import Money, currency_by_number
from settlement.postings import deposit_order_entry
from settlement.store.collisions import repeated
from settlement.store.deposits import DepositOrderRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from settlement.store.books import BankStore, Books
    from settlement.store.deposits import DepositRow

__all__ = ["CustomsOrder", "Deposit", "DepositRef", "Deposits"]

_NOTHING_MOVED = "No money moved."


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositRef:
    """Which deposit is meant.

    Attributes:
        declaration: the declaration that was paid for.
        entry_id: the entry of the payment, where several were paid for it; else None.
    """

    declaration: str
    entry_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomsOrder:
    """What customs orders about one deposit.

    Attributes:
        number: customs' number of the order; its office gives it once.
        officer: who of customs signed it.
        action: `EntryKind.DEPOSIT_REFUND` or `EntryKind.DEPOSIT_FORFEITURE`.
        amount_minor: in minor units; None for all that is left.
    """

    number: str
    officer: str
    action: EntryKind
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """A deposit with everything that was ordered about it.

    Attributes:
        row: what was paid, what is left.
        orders: in the order of booking.
        account: where a refund goes.
        holder: whose account that is.
    """

    row: DepositRow
    orders: tuple[DepositOrderRow, ...]
    account: Account
    holder: str


class Deposits:
    """Deposits that this bank holds for customs. Threads may share it."""

    def __init__(self, store: BankStore, clock: Callable[[], datetime]) -> None:
        """Work on ``store`` by the time of ``clock``, which is aware."""
        self._store = store
        self._clock = clock

    def deposits(self, office: str | None = None) -> list[DepositRow]:
        """All deposits, of one office if wanted, in the order of posting."""
        with self._store.read() as books:
            return books.deposits.deposits(office)

    def deposit(self, ref: DepositRef) -> Deposit:
        """One deposit.

        Raises:
            DepositError: there is none, or several and no entry was named.
        """
        with self._store.read() as books:
            return _whole(books, _find(books, ref))

    @repeated
    def carry_out(
        self, ref: DepositRef, order: CustomsOrder, *, by: str
    ) -> tuple[Deposit, DepositOrderRow]:
        """Book an order of customs; the very same order again books nothing more.

        Args:
            ref: the deposit that the order names.
            order: what is ordered.
            by: who enters it at the bank.

        Returns:
            The deposit afterwards, and the order as it was booked.

        Raises:
            DepositError: there is no such deposit, too little of it is left, or the
                number of the order was used for something else. No money moved.
        """
        now = self._clock()
        with self._store.write() as books:
            books.holds.staff()
            found = _find(books, ref)
            booked = books.deposits.order(found.office, order.number)
            if booked is None:
                booked = _book(books, found, order, by, now)
            elif not _is_same(booked, found, order):
                raise DepositError(_told_otherwise(booked))
            return _whole(books, _again(books, found)), booked


def _find(books: Books, ref: DepositRef) -> DepositRow:
    entries = books.deposits.paid_for(ref.declaration)
    if ref.entry_id is not None:
        origin_id = books.origins.origin_of(ref.entry_id)
        entries = [entry_id for entry_id in entries if entry_id == origin_id]
    found = [
        row
        for entry_id in entries
        for row in books.deposits.of_entries(books.origins.entries_of(entry_id))
    ]
    if len(entries) == 1 and len(found) > 1:
        # A correction has moved it from one office to another.
        found = [row for row in found if row.left_minor] or found[-1:]
    if not found:
        named = "" if ref.entry_id is None else f" by entry {ref.entry_id}"
        raise DepositError(
            f"no deposit was paid for declaration {ref.declaration}{named}. "
            f"{_NOTHING_MOVED} All of them: raseed-bank deposit list"
        )
    if len(found) > 1:
        named = ", ".join(
            f"{row.origin_id} ({_money(row.left_minor, row.currency)} left)"
            for row in found
        )
        raise DepositError(
            f"several deposits were paid for declaration {ref.declaration}, by the "
            f"entries {named}. {_NOTHING_MOVED} Say which one with --entry"
        )
    return found[0]


def _again(books: Books, row: DepositRow) -> DepositRow:
    members = books.origins.entries_of(row.origin_id)
    return next(
        one for one in books.deposits.of_entries(members) if one.office == row.office
    )


def _whole(books: Books, row: DepositRow) -> Deposit:
    purse = books.cards.purse(row.cid)
    assert purse is not None, "the database keeps this reference"
    found = books.ledger.account(purse.account)
    assert found is not None, "likewise"
    return Deposit(
        row=row,
        orders=tuple(books.deposits.orders(row.origin_id)),
        account=purse.account,
        holder=found.name,
    )


def _book(
    books: Books, found: DepositRow, order: CustomsOrder, by: str, now: datetime
) -> DepositOrderRow:
    amount_minor = _amount_minor(found, order)
    row = DepositOrderRow(
        number=books.deposits.next_number(),
        office=found.office,
        order_number=order.number,
        action=order.action,
        cid=found.cid,
        otc=found.otc,
        origin_id=found.origin_id,
        amount_minor=amount_minor,
        currency=found.currency,
        whole=amount_minor == found.left_minor,
        officer=order.officer,
        noted_by=by,
        at=now,
    )
    books.deposits.add(row)
    books.ledger.post(
        deposit_order_entry(
            source=Source(
                kind=row.action, subject=row.office, number=row.number, cid=row.cid
            ),
            payee=_payee(books, row),
            amount_minor=row.amount_minor,
            order_number=row.order_number,
            declaration=found.declaration,
            booked_at=row.at,
        )
    )
    return row


def _amount_minor(found: DepositRow, order: CustomsOrder) -> int:
    wanted_minor = order.amount_minor or found.left_minor
    if found.left_minor <= 0:
        raise DepositError(
            f"nothing is left of the deposit of {found.declaration}: "
            f"{_money(found.paid_minor, found.currency)} was paid, "
            f"{_money(found.refunded_minor, found.currency)} given back, "
            f"{_money(found.forfeited_minor, found.currency)} kept. {_NOTHING_MOVED}"
        )
    if wanted_minor > found.left_minor:
        raise DepositError(
            f"only {_money(found.left_minor, found.currency)} is left of the deposit "
            f"of {found.declaration}, and the order says "
            f"{_money(wanted_minor, found.currency)}. {_NOTHING_MOVED} Ask customs for "
            "an order of what is left"
        )
    return wanted_minor


def _payee(books: Books, row: DepositOrderRow) -> Account:
    if row.action is EntryKind.DEPOSIT_REFUND:
        purse = books.cards.purse(row.cid)
        assert purse is not None, "the database keeps this reference"
        return purse.account
    return Account(kind=AccountKind.REVENUE, owner=row.office, currency=row.currency)


def _is_same(booked: DepositOrderRow, found: DepositRow, order: CustomsOrder) -> bool:
    """Whether an order says what was booked under its number."""
    same_amount = (
        booked.whole
        if order.amount_minor is None
        else booked.amount_minor == order.amount_minor
    )
    return same_amount and (booked.action, booked.origin_id, booked.officer) == (
        order.action,
        found.origin_id,
        order.officer,
    )


def _told_otherwise(booked: DepositOrderRow) -> str:
    return (
        f"order {booked.order_number} of {booked.office} was booked already on "
        f"{booked.at:%Y-%m-%d %H:%M} UTC, with other content: {booked.action} of "
        f"{_money(booked.amount_minor, booked.currency)} of the payment of entry "
        f"{booked.origin_id}, signed by {booked.officer}. {_NOTHING_MOVED} Compare the "
        "order with it; if this is another order, it has another number"
    )


def _money(amount_minor: int, currency: int) -> Money:
    return Money(amount_minor=amount_minor, currency=currency_by_number(currency))
