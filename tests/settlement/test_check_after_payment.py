"""Offices, deposits, fees, corrections: what is changed in the file is named."""
# ruff: noqa: S608  every statement is written here

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from settlement.check.bank import FindingCode, check_bank
from settlement.corrections import Corrections, Wish
from settlement.deposits import CustomsOrder, DepositRef, Deposits
from settlement.fees import FeeCode, Fees
from settlement.ledger import Account, EntryKind
from settlement.payment import PaymentKind
from tests.settlement.acting import HUDA, SAID

if TYPE_CHECKING:
    Desk = Any

OMR = 512
HOLDER = Account.customer("0100000001", OMR)
OTHER_CID = bytes.fromhex("64 00 00 00 00 00 00 02")


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """Two offices, fees of all kinds, a deposit in parts, two corrections."""
    desk.staff()
    fees = Fees(desk.store, desk.clock)
    fees.set_tariff(FeeCode.CARD_ISSUE, OMR, 2_000, by="ops")
    fees.set_tariff(FeeCode.LOAD, OMR, 100, by="ops")
    fees.set_tariff(FeeCode.LOAD, OMR, 150, by="ops")
    fees.set_tariff(FeeCode.OTHER, OMR, 500, by="ops")
    desk.issuing.register_customs_card(
        mid=bytes(8), terminal_id="T0000009", office="MCT", currency=OMR, kv=1
    )
    desk.issuing.open_account(number="2", holder="B", currency=OMR, deposit_minor=9_000)
    purse = desk.loaded_purse(500_000)
    desk.issue(OTHER_CID)
    fees.charge(FeeCode.OTHER, HOLDER, reference="L-1", by="ops")
    desk.customs.pay(purse, 1_000)
    desk.customs.pay(purse, 2_000, kind=PaymentKind.DEPOSITS)
    desk.customs.pay(purse, 3_000, kind=PaymentKind.DEPOSITS)
    desk.send()
    request = purse.ask_load(7)
    vmac = purse.burn_load(request, desk.issuing.authorise_load(request))
    desk.issuing.void_load(purse.cid, ltc=request.ltc, vmac=vmac)
    deposits = Deposits(desk.store, desk.clock)
    ref = DepositRef(declaration="DEC-2025-000002")
    for number, action, amount in (
        ("A/1", EntryKind.DEPOSIT_REFUND, 700),
        ("A/2", EntryKind.DEPOSIT_FORFEITURE, 200),
    ):
        order = CustomsOrder(
            number=number, officer="H", action=action, amount_minor=amount
        )
        deposits.carry_out(ref, order, by="ops")
    corrections = Corrections(desk.store, desk.clock)
    with desk.store.read() as books:
        (paid,) = books.deposits.paid_for("DEC-2025-000001")
    for amount in (100, 200):
        wish = Wish(entry_id=paid, reason="twice", amount_minor=amount)
        corrections.propose(wish, by=HUDA)
    corrections.approve(1, by=SAID)
    corrections.reject(2, by=SAID, reason="no")
    return desk


def test_nothing_is_found_and_the_totals_add_up(busy: Desk) -> None:
    assert busy.found() == {}
    (totals,) = check_bank(busy.store).totals
    assert totals.deposits_minor == 2_000 + 3_000 - 700 - 200
    assert totals.fees_minor == 2 * 2_000 + 150 + 500
    everything = totals.customers_minor + totals.floats_minor + totals.payees_minor
    assert everything + totals.fees_minor == 5_009_000


def _account(kind: str, owner: str = "%") -> str:
    return f"(SELECT id FROM account WHERE kind = '{kind}' AND owner LIKE '{owner}')"


def _leg(kind: str, side: str) -> str:
    entry = f"(SELECT min(id) FROM entry WHERE kind = '{kind}')"
    return f"{side}_minor > 0 AND entry_id = {entry}"


REFUND, FORFEIT = "deposit refund", "deposit forfeiture"


@pytest.mark.parametrize(
    ("statements", "code", "words"),
    [
        (
            ["DELETE FROM office WHERE code = 'MCT'"],
            FindingCode.CHART,
            "no office MCT",
        ),
        (
            ["UPDATE office SET currency = 784 WHERE code = 'MCT'"],
            FindingCode.CHART,
            "office MCT does not collect 512",
        ),
        (
            ["INSERT INTO office VALUES ('MCT', 2, 'x', '', 784, '', '{at}')"],
            FindingCode.CHART,
            "office MCT collects 512, and in row 2 784",
        ),
        (
            ["INSERT INTO office VALUES ('NIZWA', 1, 'x', '', 512, '', '{at}')"],
            FindingCode.CHART,
            "office NIZWA has no customs deposits account",
        ),
        (
            ["INSERT INTO office VALUES ('MCT', 3, 'x', '', 512, '', '{at}')"],
            FindingCode.GAP,
            "row of office MCT 2",
        ),
        (
            ["UPDATE account SET owner = 'me' WHERE kind = 'bank fees'"],
            FindingCode.CHART,
            "bank fees account, row",
        ),
        (
            [
                "UPDATE account SET owner = '6400000000000009'"
                " WHERE kind = 'purse float' AND owner LIKE '%2'"
            ],
            FindingCode.CHART,
            "no purse of that number",
        ),
        (
            [
                f"UPDATE leg SET account_id = {_account('merchant', 'SOHAR')}"
                f" WHERE {_leg(FORFEIT, 'credit')}"
            ],
            FindingCode.SIDES,
            "a deposit forfeiture credits a merchant account",
        ),
        (
            [
                f"UPDATE leg SET account_id = {_account('customs revenue', 'MCT')}"
                f" WHERE {_leg(FORFEIT, 'credit')}"
            ],
            FindingCode.ENTRY,
            "leg 2 is on customs revenue of MCT (512), not on customs revenue of SOHAR",
        ),
        (
            [
                f"UPDATE leg SET account_id = {_account('customer', '2')}"
                f" WHERE {_leg(REFUND, 'credit')}"
            ],
            FindingCode.ENTRY,
            "deposit refund 1 of office SOHAR: leg 2 is on customer of 2",
        ),
        (
            [
                f"UPDATE leg SET account_id = {_account('suspense')}"
                f" WHERE {_leg('bank fee', 'credit')}"
            ],
            FindingCode.SIDES,
            "a bank fee credits a suspense account",
        ),
        (
            [
                "UPDATE deposit_order SET amount_minor = 2700 WHERE number = 1",
                "UPDATE entry SET amount_minor = 2700 WHERE kind = 'deposit refund'",
                f"UPDATE leg SET debit_minor = 2700 WHERE {_leg(REFUND, 'debit')}",
                f"UPDATE leg SET credit_minor = 2700 WHERE {_leg(REFUND, 'credit')}",
            ],
            FindingCode.TAKEN,
            "takes 700 more than entry",
        ),
        (
            ["UPDATE deposit_order SET amount_minor = 701 WHERE number = 1"],
            FindingCode.ENTRY,
            "deposit refund 1 of office SOHAR: amount is not its event's",
        ),
        (
            ["DELETE FROM deposit_order WHERE number = 1"],
            FindingCode.NO_EVENT,
            "deposit refund 1 of office SOHAR",
        ),
        (
            ["DELETE FROM deposit_order WHERE number = 1"],
            FindingCode.GAP,
            "order about a deposit 1",
        ),
        (
            [
                f"DELETE FROM leg WHERE {_leg(FORFEIT, 'credit')}",
                f"DELETE FROM leg WHERE {_leg(FORFEIT, 'debit')}",
                f"DELETE FROM entry WHERE kind = '{FORFEIT}'",
            ],
            FindingCode.NOT_BOOKED,
            "deposit forfeiture 2 of office SOHAR",
        ),
        (
            ["UPDATE deposit_order SET otc = 77 WHERE number = 1"],
            FindingCode.DEPOSIT,
            "order A/1 of SOHAR (number 1): there is no such payment",
        ),
        (
            ["UPDATE deposit_order SET otc = 1 WHERE number = 1"],
            FindingCode.DEPOSIT,
            "is not that of its payment",
        ),
        (
            ["UPDATE deposit_order SET officer = '' WHERE number = 1"],
            FindingCode.DEPOSIT,
            "no officer",
        ),
        (
            ["UPDATE tariff SET amount_minor = 99 WHERE code = 'other service'"],
            FindingCode.FEE,
            "500 is not what the tariff says",
        ),
        (
            ["DELETE FROM tariff WHERE code = 'load' AND serial = 1"],
            FindingCode.GAP,
            "line of the tariff for load (512) 1",
        ),
        (
            ["UPDATE bank_fee SET event = 9 WHERE code = 'load' AND event = 1"],
            FindingCode.FEE,
            "there is no such load",
        ),
        (
            ["UPDATE bank_fee SET subject = '00' WHERE number = 1"],
            FindingCode.FEE,
            "there is no such card",
        ),
        (
            [
                f"UPDATE bank_fee SET account_id = {_account('customer', '2')}"
                " WHERE number = 1"
            ],
            FindingCode.FEE,
            "charged to another account than the card's",
        ),
        (
            [
                f"UPDATE bank_fee SET account_id = {_account('suspense')}"
                " WHERE code = 'other service'"
            ],
            FindingCode.FEE,
            "not charged to a customer's account",
        ),
        (
            ["DELETE FROM bank_fee WHERE code = 'other service'"],
            FindingCode.NO_EVENT,
            "bank fee 4 of account 0100000001",
        ),
        (
            ["UPDATE entry SET number = 4 WHERE kind = 'bank fee reversal'"],
            FindingCode.NO_EVENT,
            "bank fee reversal 4",
        ),
        (
            ["UPDATE correction_decision SET decided_by = 'Huda' WHERE number = 1"],
            FindingCode.CORRECTION,
            "correction 1: huda approved what he proposed",
        ),
        (
            ["DELETE FROM correction_decision WHERE number = 1"],
            FindingCode.NO_EVENT,
            "correction 1",
        ),
        (
            ["UPDATE correction_decision SET decision = 'approved' WHERE number = 2"],
            FindingCode.NOT_BOOKED,
            "correction 2",
        ),
        (
            ["UPDATE correction SET entry_id = 999 WHERE number = 1"],
            FindingCode.CORRECTION,
            "correction 1: no entry 999",
        ),
        (
            ["UPDATE correction SET entry_id = 2 WHERE number = 2"],
            FindingCode.CORRECTION,
            "correction 2: the money came with another entry than",
        ),
        (
            [
                "UPDATE correction SET entry_id = (SELECT min(id) FROM entry"
                " WHERE kind = 'load') WHERE number = 2"
            ],
            FindingCode.CORRECTION,
            "is a load",
        ),
        (
            ["UPDATE correction SET reason = ' ' WHERE number = 2"],
            FindingCode.CORRECTION,
            "correction 2: it has no reason",
        ),
        (
            ["DELETE FROM correction WHERE number = 2"],
            FindingCode.CORRECTION,
            "correction 2: nobody proposed it",
        ),
        (
            [
                "UPDATE correction SET amount_minor = 1100 WHERE number = 1",
                "UPDATE entry SET amount_minor = 1100 WHERE kind = 'correction'",
                "UPDATE leg SET debit_minor = 1100"
                f" WHERE {_leg('correction', 'debit')}",
                "UPDATE leg SET credit_minor = 1100"
                f" WHERE {_leg('correction', 'credit')}",
            ],
            FindingCode.TAKEN,
            "takes 100 more than entry",
        ),
    ],
)
def test_what_is_changed_is_named(
    busy: Desk, statements: list[str], code: FindingCode, words: str
) -> None:
    at = "2025-11-22T10:15:00.000000Z"
    busy.tamper(*(statement.replace("{at}", at) for statement in statements))
    assert words in busy.found(keys=False).get(code, "")
