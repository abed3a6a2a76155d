"""The ledger's rules: double entry, whole minor units, nothing ever changed.

An *entry* books one event; its *legs* debit and credit accounts, and the two sides are
equal. There are no signs: debit and credit are two columns of amounts that are not
negative. A mistake is put right by a further entry, never by changing one.

===================  =====  =======================================================
account              side   meaning
===================  =====  =======================================================
customer             owes   the customer's current account, as the core bank has it
purse float          owes   value held in the customer's name for one card
customs revenue      owes   fees collected for one customs office
customs deposits     owes   refundable guarantees held for one customs office
merchant             owes   purchases collected for one office or shop
bank fees            owes   what the bank earns
suspense             owes   money that was really debited, payee not yet certain
core-bank clearing   owns   what the core bank has moved in
===================  =====  =======================================================

"owes" accounts grow by credits, "owns" accounts by debits. This module is pure: it
builds entries and checks them. `settlement.store.ledger` writes them, and the
database's own triggers check them again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final, assert_never

from card.records import mask_card_number
from settlement.errors import LedgerError
from settlement.payment import PaymentKind

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "BANK",
    "Account",
    "AccountKind",
    "Entry",
    "EntryKind",
    "Leg",
    "Source",
    "deposit_entry",
    "load_entry",
    "load_reversal_entry",
    "move_entry",
    "opening_deposit_entry",
    "payee_account",
    "payment_entry",
    "suspense_entry",
]

BANK: Final = "bank"
"""Owner of the accounts that exist once for each currency."""


@unique
class AccountKind(StrEnum):
    """The kinds of account; the values are stored."""

    CUSTOMER = "customer"
    PURSE_FLOAT = "purse float"
    REVENUE = "customs revenue"
    DEPOSITS = "customs deposits"
    MERCHANT = "merchant"
    FEES = "bank fees"
    SUSPENSE = "suspense"
    CLEARING = "core-bank clearing"

    @property
    def is_asset(self) -> bool:
        """Whether debits make it grow."""
        return self is AccountKind.CLEARING

    @property
    def is_of_office(self) -> bool:
        """Whether an office owns it."""
        return self in {AccountKind.REVENUE, AccountKind.DEPOSITS, AccountKind.MERCHANT}

    def growth_minor(self, debit_minor: int, credit_minor: int) -> int:
        """By how much a debit and a credit let the account grow, on its own side."""
        difference = credit_minor - debit_minor
        return -difference if self.is_asset else difference


@unique
class EntryKind(StrEnum):
    """What an entry books; the values are stored."""

    OPENING = "opening deposit"
    LOAD = "load"
    LOAD_REVERSAL = "load reversal"
    PAYMENT = "payment"
    CORRECTION = "correction"
    DEPOSIT = "deposit"
    DEPOSIT_REFUND = "deposit refund"
    DEPOSIT_FORFEITURE = "deposit forfeiture"
    FEE = "bank fee"
    FEE_REVERSAL = "bank fee reversal"
    SUSPENSE = "suspense resolution"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account by its natural key: there is one for each kind, owner and currency.

    Attributes:
        kind: what it holds.
        owner: account number, card number in hex, office code, or `BANK`.
        currency: ISO 4217 number.
    """

    kind: AccountKind
    owner: str = field(repr=False)
    currency: int

    @classmethod
    def customer(cls, number: str, currency: int) -> Account:
        """A customer's current account."""
        return cls(kind=AccountKind.CUSTOMER, owner=number, currency=currency)

    @classmethod
    def purse_float(cls, cid: bytes, currency: int) -> Account:
        """The float of one purse."""
        owner = cid.hex().upper()
        return cls(kind=AccountKind.PURSE_FLOAT, owner=owner, currency=currency)

    @classmethod
    def suspense(cls, currency: int) -> Account:
        """Money whose payee is not certain."""
        return cls(kind=AccountKind.SUSPENSE, owner=BANK, currency=currency)

    @classmethod
    def bank_fees(cls, currency: int) -> Account:
        """What the bank earns."""
        return cls(kind=AccountKind.FEES, owner=BANK, currency=currency)

    @classmethod
    def clearing(cls, currency: int) -> Account:
        """The counter-account of what the core bank moves in."""
        return cls(kind=AccountKind.CLEARING, owner=BANK, currency=currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One side of an entry: exactly one of the two amounts is more than zero."""

    account: Account
    debit_minor: int = 0
    credit_minor: int = 0

    def __post_init__(self) -> None:
        if self.debit_minor < 0 or self.credit_minor < 0:
            raise LedgerError("an amount of the ledger is never negative")
        if (self.debit_minor == 0) == (self.credit_minor == 0):
            raise LedgerError("a leg is either a debit or a credit, and not empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The event that an entry books: no event is ever booked twice.

    Attributes:
        kind: what happened.
        subject: card number in hex, account number, office code, or `BANK`.
        number: otc, ltc, or the bank's own number of it; the event's number there.
        cid: the card concerned, 8 bytes, or None.
    """

    kind: EntryKind
    subject: str = field(repr=False)
    number: int
    cid: bytes | None = field(default=None, repr=False)

    @classmethod
    def of_card(cls, kind: EntryKind, cid: bytes, number: int) -> Source:
        """An event of one card, by its otc or ltc."""
        return cls(kind=kind, subject=cid.hex().upper(), number=number, cid=cid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A complete booking.

    Attributes:
        source: the event; unique in the whole ledger.
        currency: ISO 4217 number, the same for every leg.
        amount_minor: sum of the debits, and of the credits.
        legs: at least two.
        booked_at: the bank's time, aware UTC.
        memo: words for a statement; card numbers masked, no secret.
    """

    source: Source
    currency: int
    amount_minor: int
    legs: tuple[Leg, ...]
    booked_at: datetime
    memo: str = ""

    def __post_init__(self) -> None:
        debits_minor = sum(leg.debit_minor for leg in self.legs)
        credits_minor = sum(leg.credit_minor for leg in self.legs)
        if not debits_minor == credits_minor == self.amount_minor:
            message = (
                f"the entry does not balance: debits {debits_minor}, "
                f"credits {credits_minor}, amount {self.amount_minor}"
            )
            raise LedgerError(message)
        if self.amount_minor <= 0:
            raise LedgerError("an entry books more than nothing")
        if any(leg.account.currency != self.currency for leg in self.legs):
            raise LedgerError("an entry has one currency")
        if self.booked_at.utcoffset() is None:
            raise LedgerError("an entry is booked at a time with its zone")


def opening_deposit_entry(
    *, account: Account, number: int, amount_minor: int, booked_at: datetime
) -> Entry:
    """Money that a customer's account was opened with, moved by the core bank."""
    return move_entry(
        Source(kind=EntryKind.OPENING, subject=account.owner, number=number),
        (Account.clearing(account.currency), account),
        amount_minor,
        booked_at,
    )


def deposit_entry(
    *, account: Account, number: int, amount_minor: int, booked_at: datetime
) -> Entry:
    """Money that the core bank moved to a customer's account later on."""
    return move_entry(
        Source(kind=EntryKind.DEPOSIT, subject=account.owner, number=number),
        (Account.clearing(account.currency), account),
        amount_minor,
        booked_at,
    )


def load_entry(
    *,
    cid: bytes,
    ltc: int,
    account: Account,
    amount_minor: int,
    booked_at: datetime,
) -> Entry:
    """A load, booked before the purse hears of it: customer to purse float."""
    return move_entry(
        Source.of_card(EntryKind.LOAD, cid, ltc),
        (account, Account.purse_float(cid, account.currency)),
        amount_minor,
        booked_at,
        memo=f"card {mask_card_number(cid)}",
    )


def load_reversal_entry(
    *,
    cid: bytes,
    ltc: int,
    account: Account,
    amount_minor: int,
    booked_at: datetime,
) -> Entry:
    """A load that the purse proved it will never credit: float back to customer."""
    return move_entry(
        Source.of_card(EntryKind.LOAD_REVERSAL, cid, ltc),
        (Account.purse_float(cid, account.currency), account),
        amount_minor,
        booked_at,
        memo=f"card {mask_card_number(cid)}",
    )


def payment_entry(
    *,
    cid: bytes,
    otc: int,
    payee: Account,
    amount_minor: int,
    booked_at: datetime,
) -> Entry:
    """A payment whose TAC was verified: purse float to payee."""
    return move_entry(
        Source.of_card(EntryKind.PAYMENT, cid, otc),
        (Account.purse_float(cid, payee.currency), payee),
        amount_minor,
        booked_at,
    )


def suspense_entry(
    *,
    cid: bytes,
    otc: int,
    account: Account,
    amount_minor: int,
    booked_at: datetime,
) -> Entry:
    """A held payment whose account is certain now: suspense to that account."""
    return move_entry(
        Source.of_card(EntryKind.SUSPENSE, cid, otc),
        (Account.suspense(account.currency), account),
        amount_minor,
        booked_at,
        memo=f"card {mask_card_number(cid)}",
    )


def payee_account(kind: PaymentKind, office: str, currency: int) -> Account:
    """The account that a payment of this kind reaches at an office."""
    match kind:
        case PaymentKind.FEES:
            account_kind = AccountKind.REVENUE
        case PaymentKind.DEPOSITS:
            account_kind = AccountKind.DEPOSITS
        case PaymentKind.PURCHASE:
            account_kind = AccountKind.MERCHANT
        case _:
            assert_never(kind)
    return Account(kind=account_kind, owner=office, currency=currency)


def move_entry(
    source: Source,
    debited_credited: tuple[Account, Account],
    amount_minor: int,
    booked_at: datetime,
    memo: str = "",
) -> Entry:
    """An entry of two legs: from the first account to the second one."""
    debited, credited = debited_credited
    return Entry(
        source=source,
        currency=debited.currency,
        amount_minor=amount_minor,
        legs=(
            Leg(account=debited, debit_minor=amount_minor),
            Leg(account=credited, credit_minor=amount_minor),
        ),
        booked_at=booked_at,
        memo=memo,
    )
