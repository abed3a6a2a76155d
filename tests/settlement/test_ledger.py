"""Entries balance before they reach the database, and once there nothing moves."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from typing import Any

    Desk = Any

DATABASES = ("sqlite", "postgresql")

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
