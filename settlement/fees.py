"""What the bank charges its customers: a tariff, and fees by that tariff.

Two fees are charged by themselves, in the transaction of what they are for: of a card
when it is registered, of a load when it is authorised. So neither happens without the
other, and a customer's account must cover both. The fee of a load that the card gives
up for ever goes back with it. Any other fee is charged by a person, with a reference.

As long as the tariff says nothing, or zero, nothing is charged.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING

from settlement.errors import FeeError
from settlement.ledger import Account
from settlement.money import Money, currency_by_number
from settlement.postings import fee_entry, fee_reversal_entry
from settlement.store.collisions import repeated
from settlement.store.fees import FeeRow, TariffRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from settlement.store.books import BankStore, Books
    from settlement.store.cards import LoadRow, PurseRow

__all__ = [
    "FeeCode",
    "Fees",
    "charge_issue",
    "charge_load",
    "fee_minor",
    "reverse_load",
]

_NOTHING_MOVED = "No money moved."
_SYSTEM = ""
"""Who charges what is charged by itself."""


@unique
class FeeCode(StrEnum):
    """What the bank charges for; the values are stored."""

    CARD_ISSUE = "card issue"
    LOAD = "load"
    CARD_REPLACEMENT = "card replacement"
    PIN_RESET = "PIN reset"
    STATEMENT_COPY = "statement copy"
    OTHER = "other service"

    @property
    def is_automatic(self) -> bool:
        """Whether it is charged by what it is for, and never by hand."""
        return self in {FeeCode.CARD_ISSUE, FeeCode.LOAD}


class Fees:
    """The bank's tariff and its fees. Threads may share it."""

    def __init__(self, store: BankStore, clock: Callable[[], datetime]) -> None:
        """Work on ``store`` by the time of ``clock``, which is aware."""
        self._store = store
        self._clock = clock

    @repeated
    def set_tariff(
        self, code: FeeCode, currency: int, amount_minor: int, *, by: str
    ) -> TariffRow:
        """Say what is charged from now on; the same again is nothing.

        Args:
            code: what for.
            currency: ISO 4217 number.
            amount_minor: in minor units; 0 to charge nothing any more.
            by: who says so.
        """
        now = self._clock()
        with self._store.write() as books:
            books.holds.staff()
            known = books.fees.tariff(code, currency)
            if known is not None and known.amount_minor == amount_minor:
                return known
            row = TariffRow(
                code=code,
                currency=currency,
                serial=1 if known is None else known.serial + 1,
                amount_minor=amount_minor,
                noted_by=by,
                at=now,
            )
            books.fees.set_tariff(row)
        return row

    def tariffs(self) -> list[TariffRow]:
        """Every line that the tariff ever had, by code, currency and time."""
        with self._store.read() as books:
            return books.fees.tariffs()

    def fees(self) -> list[FeeRow]:
        """Everything that was charged, in the order of booking."""
        with self._store.read() as books:
            return books.fees.fees()

    @repeated
    def charge(
        self, code: FeeCode, account: Account, *, reference: str, by: str
    ) -> FeeRow:
        """Charge a fee that a person asked for; the same reference again is nothing.

        Args:
            code: what for.
            account: the customer's account.
            reference: what was done, such as the number of the customer's order.
            by: who charges it.

        Raises:
            FeeError: it is charged by itself, the tariff has no such fee, the account
                does not cover it, or the reference was charged to another account.
        """
        if code.is_automatic:
            raise FeeError(
                f"the {code} fee is charged by itself, with what it is for. "
                f"{_NOTHING_MOVED}"
            )
        now = self._clock()
        with self._store.write() as books:
            books.holds.staff()
            # A load of another host would spend what is counted on here.
            books.holds.accounts([account])
            known = books.fees.fee(code, reference, 0)
            if known is not None:
                if known.account != account:
                    raise FeeError(
                        f"the {code} fee of '{reference}' was charged to account "
                        f"{known.account.owner} already. {_NOTHING_MOVED}"
                    )
                return known
            if books.ledger.account_id(account) is None:
                raise FeeError(f"there is no account {account.owner}. {_NOTHING_MOVED}")
            charged = _charge(books, code, account, (reference, 0), by, now)
            if charged is None:
                currency = currency_by_number(account.currency)
                raise FeeError(
                    f"the tariff has no {code} fee in {currency}. {_NOTHING_MOVED} Set "
                    "it: raseed-bank tariff set"
                )
            return charged


def fee_minor(books: Books, code: FeeCode, currency: int) -> int:
    """What the tariff charges now, in minor units."""
    row = books.fees.tariff(code, currency)
    return 0 if row is None else row.amount_minor


def charge_issue(books: Books, purse: PurseRow, now: datetime) -> FeeRow | None:
    """Charge for a card that is registered in this transaction.

    Raises:
        FeeError: the account does not cover it; the transaction must end.
    """
    subject = purse.cid.hex().upper()
    return _charge(books, FeeCode.CARD_ISSUE, purse.account, (subject, 0), _SYSTEM, now)


def charge_load(books: Books, load: LoadRow, account: Account) -> FeeRow | None:
    """Charge for a load that is booked in this transaction.

    Raises:
        FeeError: the account does not cover it; the transaction must end.
    """
    event = (load.cid.hex().upper(), load.ltc)
    return _charge(books, FeeCode.LOAD, account, event, _SYSTEM, load.at)


def reverse_load(books: Books, load: LoadRow, now: datetime) -> None:
    """Give the fee of a load back that is voided in this transaction."""
    charged = books.fees.fee(FeeCode.LOAD, load.cid.hex().upper(), load.ltc)
    if charged is not None:
        books.ledger.post(
            fee_reversal_entry(
                number=charged.number,
                account=charged.account,
                amount_minor=charged.amount_minor,
                code=charged.code,
                booked_at=now,
            )
        )


def _charge(
    books: Books,
    code: FeeCode,
    account: Account,
    event: tuple[str, int],
    by: str,
    now: datetime,
) -> FeeRow | None:
    """Book a fee by the tariff; None when nothing is charged for that."""
    line = books.fees.tariff(code, account.currency)
    if line is None or not line.amount_minor:
        return None
    available_minor = max(books.ledger.balance_minor(account), 0)
    if line.amount_minor > available_minor:
        currency = currency_by_number(account.currency)
        fee = Money(amount_minor=line.amount_minor, currency=currency)
        available = Money(amount_minor=available_minor, currency=currency)
        raise FeeError(
            f"account {account.owner} holds {available}, which does not cover the "
            f"{code} fee of {fee}. {_NOTHING_MOVED}"
        )
    account_id = books.ledger.account_id(account)
    assert account_id is not None, "it has a balance"
    row = FeeRow(
        number=books.fees.next_number(),
        code=code,
        subject=event[0],
        event=event[1],
        account=account,
        amount_minor=line.amount_minor,
        tariff_serial=line.serial,
        noted_by=by,
        at=now,
    )
    books.fees.add(row, account_id)
    books.ledger.open_account(Account.bank_fees(account.currency), "Bank fees", now)
    books.ledger.post(
        fee_entry(
            number=row.number,
            account=account,
            amount_minor=row.amount_minor,
            code=row.code,
            booked_at=row.at,
        )
    )
    return row
