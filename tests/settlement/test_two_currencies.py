"""One bank, currencies of 2 and of 3 decimals: each adds up in its own units."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from settlement.check.bank import check_bank
from settlement.deposits import CustomsOrder, DepositRef, Deposits
from settlement.errors import LedgerError
from settlement.ledger import Account, Entry, EntryKind, Leg, Source, payee_account
from settlement.money import currency_by_code
from settlement.offices import Offices
from settlement.payment import PaymentKind
from settlement.statement_csv import statement_csv
from settlement.statements import Statements
from settlement.store.cards import PurseRow
from settlement.store.offices import OfficeRow
from settlement.trial_balance import trial_balance

if TYPE_CHECKING:
    Desk = Any

DATABASES = ("sqlite", "postgresql")
OTHER_CID = bytes.fromhex("64 00 00 00 00 00 00 02")
OTHER_MID = bytes.fromhex("43 55 53 00 00 00 00 08")


@pytest.mark.parametrize(
    ("code", "held", "left"),
    [
        ("USD", "20.00", "14.95"),
        ("EUR", "20.00", "14.95"),
        ("KWD", "2.000", "1.495"),
        ("IQD", "2.000", "1.495"),
        ("JOD", "2.000", "1.495"),
    ],
)
def test_a_second_currency_goes_the_whole_way(
    desk: Desk, code: str, held: str, left: str
) -> None:
    """Load, payment, deposit, refund in part, statement, trial balance, check."""
    number = currency_by_code(code).number
    account = Account.customer("2", number)
    desk.issuing.open_account(
        number="2", holder="B", currency=number, deposit_minor=100_000
    )
    office = OfficeRow(code="MCT", name="Airport", name_ar="مطار", currency=number)
    Offices(desk.store, desk.clock).add(office, by="ops")
    desk.issuing.register_customs_card(
        mid=OTHER_MID, terminal_id="T0000008", office="MCT", currency=number, kv=1
    )
    desk.issuing.register_card(
        PurseRow(
            cid=OTHER_CID,
            account=account,
            holder="B",
            currency=number,
            kv=1,
            balance_limit_minor=90_000,
            payment_limit_minor=90_000,
            valid_from=date(2025, 1, 1),
            expiry=date(2030, 12, 31),
        )
    )
    first = desk.loaded_purse()
    desk.customs.pay(first, 1_234)
    desk.send()
    other = replace(
        first,
        cid=OTHER_CID,
        currency=number,
        balance_minor=0,
        cumulative_minor=0,
        otc=1,
        ltc=1,
    )
    desk.load(other, 50_000)
    desk.customs = replace(
        desk.customs,
        batch=1,
        tsn=1,
        mid=OTHER_MID,
        currency=number,
        terminal="T0000008",
        office="MCT",
    )
    desk.customs.pay(other, 505, declaration="DEC-A")
    desk.customs.pay(other, 2_000, kind=PaymentKind.DEPOSITS, declaration="DEC-B")
    desk.send()
    refund = CustomsOrder(
        number="1", officer="H", action=EntryKind.DEPOSIT_REFUND, amount_minor=505
    )
    deposits = Deposits(desk.store, desk.clock)
    deposits.carry_out(DepositRef(declaration="DEC-B"), refund, by="ops")

    assert desk.balance(account) == 100_000 - 50_000 + 505
    day = desk.clock().date()
    statement = Statements(desk.store, desk.clock).issue(
        payee_account(PaymentKind.DEPOSITS, "MCT", number), day, day
    )
    text = statement_csv(statement).decode("utf-8-sig")
    assert f",{held},{code}," in text
    assert f",{left},{code}," in text
    with desk.store.read() as books:
        made = trial_balance(books)
    assert made.is_equal
    sums = {total.currency: total.debit_minor for total in made.totals}
    assert sums == {
        512: 5_000_000 + 500_000 + 1_234,
        number: 100_000 + 50_000 + 2_505 + 505,
    }
    assert desk.found() == {}
    assert {one.currency for one in check_bank(desk.store).totals} == {512, number}


def test_no_entry_has_two_currencies(desk: Desk) -> None:
    legs = (
        Leg(account=Account.customer("1", 512), debit_minor=5),
        Leg(account=Account.bank_fees(840), credit_minor=5),
    )
    source = Source(kind=EntryKind.FEE, subject="1", number=1)
    with pytest.raises(LedgerError, match="one currency"):
        Entry(
            source=source,
            currency=512,
            amount_minor=5,
            legs=legs,
            booked_at=desk.clock(),
        )
