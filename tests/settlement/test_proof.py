"""Purses, customs card and ledger agree over a batch, or the payment is named."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from settlement.messages import Total
from settlement.payment import PaymentKind
from settlement.proof import BatchProof, prove_batch
from settlement.store.proofs import proved_payments
from settlement.store.suspense import SuspenseOutcome
from settlement.suspense import SuspenseDesk

if TYPE_CHECKING:
    from settlement.messages import BatchHeader

    Desk = Any

DATABASES = ("sqlite", "postgresql")
OTHER_CID = bytes.fromhex("64 00 00 00 00 00 00 02")


def prove(desk: Desk, header: BatchHeader) -> BatchProof:
    with desk.store.read() as books:
        return prove_batch(header, proved_payments(books, header))


@pytest.fixture
def sent(desk: Desk) -> BatchHeader:
    """Three payments of two purses, one forged, one without details."""
    purses = [desk.loaded_purse(5_000), desk.loaded_purse(5_000, cid=OTHER_CID)]
    for index, amount in enumerate((100, 200, 300, 400)):
        desk.customs.pay(purses[index % 2], amount)
    records = desk.customs.records
    records[2] = replace(records[2], tac=bytes(8))
    records[3] = replace(records[3], details=None)
    header: BatchHeader = desk.customs.close()
    desk.send()
    return header


def test_three_sides_agree_and_what_is_unproved_stands_apart(
    desk: Desk, sent: BatchHeader
) -> None:
    assert prove(desk, sent) == BatchProof(
        purses=Total(count=3, sum_minor=700),
        card=Total(count=4, sum_minor=1_000),
        ledger=Total(count=3, sum_minor=700),
        payees=Total(count=2, sum_minor=300),
        suspense=Total(count=1, sum_minor=400),
        unproved=Total(count=1, sum_minor=300),
    )


def test_what_left_suspense_is_on_the_account_of_the_office(
    desk: Desk, sent: BatchHeader
) -> None:
    staff = desk.staff()
    office = SuspenseDesk(desk.store, desk.keys)
    with desk.store.read() as books:
        (held,) = (
            row for row in books.suspense.waiting() if row.record.decision == "held"
        )
    payee = (PaymentKind.DEPOSITS, "SOHAR")
    made = office.propose(held, SuspenseOutcome.PAID, payee, desk.by(staff["huda"]))
    office.approve(made.number, desk.by(staff["said"]))
    proof = prove(desk, sent)
    assert proof.agrees
    assert proof.payees == Total(count=3, sum_minor=700)
    assert proof.suspense == Total()


def test_a_payment_that_came_twice_in_a_batch_counts_once(
    desk: Desk,
) -> None:
    purse = desk.loaded_purse(5_000)
    first = desk.customs.pay(purse, 100)
    header = desk.customs.close()
    assert desk.bank.begin_batch(header, desk.clock()).code == "00"
    desk.bank.take_payments(header, [first, replace(first, stan=9)], desk.clock())
    proof = prove(desk, header)
    assert proof.agrees
    assert proof.ledger == proof.purses == proof.card == Total(count=1, sum_minor=100)


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (
            ["UPDATE leg SET debit_minor = 90 WHERE debit_minor = 100"],
            "payment 1, STAN 1 (DEC-2025-000001), card 640000******0001: the purse was "
            "debited 100 minor units, the ledger has 90",
        ),
        (
            [
                "DELETE FROM leg WHERE entry_id IN (SELECT id FROM entry WHERE"
                " kind = 'payment' AND amount_minor = 200)"
            ],
            "STAN 2 (DEC-2025-000002), card 640000******0002: the purse was debited "
            "200 minor units, the ledger has 0",
        ),
        (
            ["UPDATE record SET cumulative_debit_minor = 101 WHERE stan = 1"],
            "STAN 1 (DEC-2025-000001), card 640000******0001: the sum of its debits",
        ),
        (
            ["DELETE FROM record WHERE stan = 3"],
            "closed 4 payments, 3 came: number 3 is missing",
        ),
        (
            ["UPDATE record SET tac = zeroblob(8) WHERE stan = 2"],
            "the chain of the customs card is over other payments",
        ),
        (
            [
                "UPDATE leg SET account_id = (SELECT id FROM account WHERE owner ="
                " '6400000000000002' AND kind = 'purse float') WHERE debit_minor = 100"
            ],
            "STAN 1 (DEC-2025-000001), card 640000******0001: the purse was debited",
        ),
    ],
    ids=["amount", "not booked", "counters", "missing", "TAC", "another's float"],
)
def test_a_difference_names_the_payment(
    desk: Desk, sent: BatchHeader, statements: list[str], words: str
) -> None:
    desk.tamper(*statements)
    proof = prove(desk, sent)
    assert not proof.agrees
    assert words in "\n".join(proof.differences)


@pytest.mark.parametrize(
    ("skipped", "worth", "words"),
    [
        (1, 0, "number 2 of the card before it: voided, nothing was debited"),
        (3, 70, "numbers 2 to 4 of the card before it: worth 70 minor units, not del"),
    ],
    ids=["burned", "under way"],
)
def test_numbers_that_are_missing_are_noted_and_are_no_difference(
    desk: Desk, skipped: int, worth: int, words: str
) -> None:
    purse = desk.loaded_purse(5_000)
    desk.customs.pay(purse, 100)
    purse.otc += skipped
    purse.balance_minor -= worth
    purse.cumulative_minor += worth
    desk.customs.pay(purse, 200)
    header = desk.customs.close()
    desk.send()
    proof = prove(desk, header)
    assert proof.agrees
    (gap,) = proof.gaps
    assert words in gap
    assert gap.startswith("payment 2, STAN 2 (DEC-2025-000002), card 640000******0001")
