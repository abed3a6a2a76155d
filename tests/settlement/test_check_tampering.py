"""What is changed in the file itself, with every trigger put back, is named."""
# ruff: noqa: S608  every statement is written here

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from settlement.check.bank import FindingCode
from settlement.ledger import Account, payee_account
from settlement.payment import PaymentKind
from settlement.statements import Statements

if TYPE_CHECKING:
    Desk = Any

DATABASES = ("sqlite", "postgresql")

OTHER_CID = bytes.fromhex("64 00 00 00 00 00 00 02")

FEES = "kind = 'payment' AND amount_minor = 1000"
LEG_OF_FEES = f"entry_id = (SELECT id FROM entry WHERE {FEES})"


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """Posted, held, suspended; loads done, voided and pending; two statements."""
    first = desk.loaded_purse(500_000)
    second = desk.loaded_purse(300_000, cid=OTHER_CID)
    records = [
        desk.customs.pay(first, 1_000),
        desk.customs.pay(second, 2_000, kind=PaymentKind.DEPOSITS),
        replace(desk.customs.pay(first, 300), details=None),
        replace(desk.customs.pay(second, 40), tac=bytes(8)),
    ]
    desk.customs.records = records
    header = desk.customs.close()
    desk.bank.begin_batch(header, desk.clock())
    desk.bank.take_payments(header, records, desk.clock())
    assert desk.bank.reconcile(header, desk.customs.totals(), desk.clock()).ack_mac
    request = first.ask_load(7)
    vmac = first.burn_load(request, desk.issuing.authorise_load(request))
    desk.issuing.void_load(first.cid, ltc=request.ltc, vmac=vmac)
    desk.issuing.authorise_load(second.ask_load(9))
    day = desk.clock().date()
    statements = Statements(desk.store, desk.clock)
    for kind in (PaymentKind.FEES, PaymentKind.DEPOSITS, PaymentKind.PURCHASE):
        statements.issue(payee_account(kind, "SOHAR", 512), day, day)
    desk.issuing.deposit(number="0100000001", currency=512, amount_minor=11)
    desk.issuing.deposit(number="0100000001", currency=512, amount_minor=12)
    return desk


def test_nothing_is_found_in_a_bank_with_everything(busy: Desk) -> None:
    assert busy.found() == {}
    assert busy.found(keys=False) == {}


def test_triggers_that_were_put_back_are_no_finding(busy: Desk) -> None:
    busy.tamper()
    assert busy.found() == {}


def _account(kind: str, owner: str = "%") -> str:
    return f"(SELECT id FROM account WHERE kind = '{kind}' AND owner LIKE '{owner}')"


@pytest.mark.parametrize("keys", [True, False], ids=["with keys", "without keys"])
@pytest.mark.parametrize(
    ("statements", "code", "words"),
    [
        (
            [
                f"UPDATE leg SET account_id = {_account('customs deposits')}"
                f" WHERE credit_minor > 0 AND {LEG_OF_FEES}"
            ],
            FindingCode.ENTRY,
            "leg 2 is on customs deposits of SOHAR (512), not on customs revenue",
        ),
        (
            [
                "INSERT INTO leg VALUES (99, 1, 2, 500, 0)",
                f"INSERT INTO leg VALUES (99, 2, {_account('customer')}, 0, 500)",
                "INSERT INTO entry VALUES (99, 'correction', 'x', 1, NULL, 512, 500,"
                " '2025-11-22T10:15:00.000000Z', '')",
            ],
            FindingCode.NO_EVENT,
            "entry 99: correction 1",
        ),
        (
            [
                f"DELETE FROM leg WHERE {LEG_OF_FEES}",
                f"DELETE FROM entry WHERE {FEES}",
            ],
            FindingCode.NOT_BOOKED,
            "payment 1 of card 640000******0001",
        ),
        (
            [
                "UPDATE entry SET subject = '6400000000000003', number = 8"
                " WHERE kind = 'load reversal'"
            ],
            FindingCode.NO_EVENT,
            "load reversal 8 of card 640000******0003",
        ),
        (
            [
                f"UPDATE entry SET booked_at = '2025-11-21T10:15:00.000000Z'"
                f" WHERE {FEES}"
            ],
            FindingCode.ENTRY,
            "time is not its event's",
        ),
        (
            [f"UPDATE entry SET memo = 'a gift' WHERE {FEES}"],
            FindingCode.ENTRY,
            "memo is not its event's",
        ),
        (
            ["UPDATE account SET owner = 'MUSCAT' WHERE kind = 'customs revenue'"],
            FindingCode.ENTRY,
            "customs revenue of MUSCAT",
        ),
        (
            ["UPDATE account SET owner = '0100000009' WHERE kind = 'customer'"],
            FindingCode.NO_EVENT,
            "opening deposit 1 of account 0100000001",
        ),
        (
            [f"UPDATE purse SET account_id = {_account('customs revenue')}"],
            FindingCode.ENTRY,
            "load 1 of card 640000******0001",
        ),
        (
            ["UPDATE terminal SET office = 'MUSCAT'"],
            FindingCode.BATCH,
            "its office or currency is not its terminal's",
        ),
        (
            ["UPDATE batch SET office = 'MUSCAT'"],
            FindingCode.ENTRY,
            "not on customs revenue of MUSCAT",
        ),
        (
            ["DELETE FROM load_outcome WHERE outcome = 'voided'"],
            FindingCode.NO_EVENT,
            "load reversal 2",
        ),
        (
            ["UPDATE record SET amount_minor = 9 WHERE amount_minor = 40"],
            FindingCode.RECORD,
            "STAN 4, batch 1 of terminal T0000007: amount 9, in TX 40",
        ),
        (
            ["UPDATE record SET otc = 77 WHERE amount_minor = 40"],
            FindingCode.RECORD,
            "otc 77",
        ),
        (
            [
                "UPDATE record SET details = replace(details, 'DEC', 'DEX')"
                " WHERE stan = 1"
            ],
            FindingCode.RECORD,
            "its declaration is not the one that the cards signed",
        ),
        (
            [
                "UPDATE record SET details = replace(details, 'fees', 'deposits')"
                " WHERE stan = 1"
            ],
            FindingCode.RECORD,
            "what the terminal sent was changed",
        ),
        (
            ["UPDATE record SET balance_after_minor = 1 WHERE stan = 4"],
            FindingCode.RECORD,
            "what the cards signed was changed",
        ),
        (
            ["UPDATE record SET decision = 'held' WHERE stan = 1"],
            FindingCode.RECORD,
            "held, but its details and currency say otherwise",
        ),
        (
            ["UPDATE record SET decision = 'conflict' WHERE stan = 4"],
            FindingCode.RECORD,
            "conflict, and nothing that is stored says why",
        ),
        (
            ["UPDATE record SET tac_verified = TRUE WHERE stan = 4"],
            FindingCode.RECORD,
            "suspended, and nothing that is stored says why",
        ),
        (
            ["UPDATE payment SET paid_at = '2025-01-01T00:00:00.000000Z'"],
            FindingCode.RECORD,
            "time not as received",
        ),
        (
            [
                "UPDATE batch_collected SET posted_count = 2, suspended_count = 2,"
                " posted_minor = posted_minor - 1,"
                " suspended_minor = suspended_minor + 1"
            ],
            FindingCode.BATCH,
            "it was answered otherwise",
        ),
        (
            ["UPDATE incident SET text = 'nothing' WHERE id = 1"],
            FindingCode.RECORD,
            "incident 1 was changed",
        ),
        (["DELETE FROM incident WHERE id = 1"], FindingCode.GAP, "incident 1"),
        (["DELETE FROM statement WHERE number = 2"], FindingCode.GAP, "statement 2"),
        (
            ["DELETE FROM statement WHERE number < 3"],
            FindingCode.GAP,
            "statement 1 to 2",
        ),
        (
            [
                "DELETE FROM leg WHERE entry_id = (SELECT id FROM entry"
                " WHERE amount_minor = 11)",
                "DELETE FROM entry WHERE amount_minor = 11",
            ],
            FindingCode.GAP,
            "deposit of account 0100000001 1",
        ),
        (
            ["UPDATE statement SET first_day = '2025-11-01' WHERE number = 1"],
            FindingCode.STATEMENT,
            "statement 1: its first day is not as issued",
        ),
    ],
    ids=[
        "a leg on another office account",
        "a forged correction",
        "an entry deleted",
        "a reversal of nothing",
        "an entry at another time",
        "an entry's memo",
        "an office account's owner",
        "a customer account's owner",
        "a purse's account",
        "a terminal's office",
        "a batch's office",
        "a VMAC deleted",
        "a record's amount",
        "a record's otc",
        "a declaration",
        "a kind of payment",
        "a balance",
        "a posted record noted as held",
        "a suspended record noted as left out",
        "a TAC noted as verified",
        "a time of payment",
        "an answer",
        "an incident",
        "an incident deleted",
        "a statement deleted",
        "the first statements deleted",
        "a deposit deleted",
        "a statement's period",
    ],
)
def test_what_is_changed_is_named(
    busy: Desk, statements: list[str], code: FindingCode, words: str, *, keys: bool
) -> None:
    busy.tamper(*statements)
    assert words in busy.found(keys=keys).get(code, "")


def test_a_reversal_without_its_vmac_is_named_when_keys_are_given(busy: Desk) -> None:
    busy.tamper("UPDATE load_outcome SET proof = zeroblob(8) WHERE outcome = 'voided'")
    assert "load 2 of 7" in busy.found()[FindingCode.LOAD]


def test_a_load_that_no_card_asked_for_is_named_when_keys_are_given(busy: Desk) -> None:
    busy.tamper("UPDATE load SET m1 = zeroblob(8) WHERE amount_minor = 9")
    assert "request is not authentic" in busy.found()[FindingCode.LOAD]


def test_a_tac_that_is_noted_as_wrong_is_named_when_keys_are_given(busy: Desk) -> None:
    busy.tamper("UPDATE record SET tac_verified = TRUE WHERE stan = 4")
    assert "noted as verified, and is wrong" in busy.found()[FindingCode.TAC]


def test_a_close_that_no_customs_card_signed_is_named(busy: Desk) -> None:
    busy.tamper("UPDATE batch SET mac = zeroblob(16)")
    assert "its CLOSE MAC is wrong" in busy.found()[FindingCode.BATCH]


def test_a_statement_of_other_entries_is_named(busy: Desk) -> None:
    """Whoever changes document and digest together meets the ledger."""
    account = Account.customer("0100000001", 512)
    day = busy.clock().date()
    Statements(busy.store, busy.clock).issue(account, day, day)
    with busy.store.read() as books:
        document = books.statements.all_issued()[-1].document
    changed = document.replace('"memo":""', '"memo":"rent"')
    assert changed != document
    busy.tamper(f"UPDATE statement SET document = '{changed}' WHERE number = 4")
    assert "statement 4" in busy.found()[FindingCode.STATEMENT]
