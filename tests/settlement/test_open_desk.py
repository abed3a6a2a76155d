"""What a purse says at the card desk is verified, stored once, and paid once."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from card import certificates
from card.profile import KeyUse
from settlement.check.bank import check_bank
from settlement.clearing import IncidentCode
from settlement.errors import IssuingError
from settlement.ledger import payee_account
from settlement.open_desk import OpenDesk
from settlement.payment import DebitClosure, PaymentKind, VoidClosure

if TYPE_CHECKING:
    from settlement.payment import OpenItem

    Desk = Any
    Purse = Any

DATABASES = ("sqlite", "postgresql")

REVENUE = payee_account(PaymentKind.FEES, "SOHAR", 512)


@pytest.fixture
def purse(desk: Desk) -> Purse:
    return desk.loaded_purse(1_000)


@pytest.fixture
def ask(desk: Desk) -> OpenDesk:
    return OpenDesk(desk.store, desk.keys, desk.clock)


def vmac_of(purse: Purse, item: OpenItem) -> bytes:
    key = purse.key(KeyUse.PURCHASE)
    return certificates.vmac(key, item.open_record.tx)


def reported(desk: Desk, purse: Purse) -> OpenItem:
    item: OpenItem = desk.customs.begin(purse, 70)
    assert desk.send(item) == [None]
    return item


def test_the_bank_makes_the_vreq_that_the_customs_card_made(
    desk: Desk, purse: Purse, ask: OpenDesk
) -> None:
    item = reported(desk, purse)
    (payment,) = ask.open_payments(purse.cid)
    assert payment.tx == item.open_record.tx
    assert payment.vreq == item.open_record.vreq
    assert payment.terminal_id == "T0000007"


def test_a_proved_debit_goes_down_with_the_purses_own_proof(
    desk: Desk, purse: Purse, ask: OpenDesk
) -> None:
    item = reported(desk, purse)
    proof = purse.debit(item)
    made = ask.debited(item.open_record.tx, proof)
    assert ask.debited(item.open_record.tx, proof) == made
    assert ask.open_payments(purse.cid) == []
    assert desk.open_incidents() == []
    assert desk.balance(REVENUE) == 0, "nothing is booked at the desk"
    (totals,) = check_bank(desk.store, desk.keys).totals
    assert (totals.open_minor, totals.proved_minor) == (0, 70)
    (closure,) = desk.send(item)
    assert closure == DebitClosure(tx=item.open_record.tx, proof=proof)
    desk.customs.credit(item, proof)
    desk.send()
    assert desk.balance(REVENUE) == 70
    report = check_bank(desk.store, desk.keys)
    assert (report.findings, report.totals[0].proved_minor) == ((), 0)


def test_a_payment_that_is_given_up_goes_down_as_void(
    desk: Desk, purse: Purse, ask: OpenDesk
) -> None:
    item = reported(desk, purse)
    vmac = vmac_of(purse, item)
    made = ask.given_up(item.open_record.tx, vmac)
    assert ask.given_up(item.open_record.tx, vmac) == made
    assert desk.send(item) == [VoidClosure(tx=item.open_record.tx, vmac=vmac)]
    assert desk.outcome(item) == ("card desk", False)
    assert desk.open_incidents() == []
    assert check_bank(desk.store, desk.keys).findings == ()


STEPS = ("desk", "batch", "again", "old batch")


@pytest.mark.parametrize("order", permutations(STEPS), ids=" ".join)
def test_a_debit_is_paid_once_in_every_order_of_arrival(
    desk: Desk, purse: Purse, ask: OpenDesk, order: tuple[str, ...]
) -> None:
    """The proof at the desk, the batch with the credit, both again, a stale batch."""
    item = desk.customs.begin(purse, 70)
    stale = desk.customs.close(open_count=1, open_sum_minor=70)
    desk.send(item)
    proof = purse.debit(item)
    desk.customs.credit(item, proof)
    header, records = desk.customs.close(), list(desk.customs.records)
    totals = desk.customs.totals()

    def send() -> None:
        now = desk.clock()
        desk.bank.begin_batch(header, now)
        (answer,) = desk.bank.take_payments(header, records, now)
        assert answer.code == "00"
        assert desk.bank.reconcile(header, totals, now).posted.sum_minor == 70

    for step in order:
        if step == "desk":
            assert ask.debited(item.open_record.tx, proof).debited
        elif step == "old batch":
            assert desk.bank.take_open(stale, item, desk.clock()).code == "00"
        else:
            send()
    assert desk.balance(REVENUE) == 70
    assert desk.open_incidents() == []
    report = check_bank(desk.store, desk.keys)
    assert (report.findings, report.payments) == ((), 1)
    assert report.totals[0].proved_minor == report.totals[0].open_minor == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"balance_after_minor": 929},
        {"cumulative_debit_minor": 71},
        {"tac": bytes(8)},
        {"mac2": bytes(8)},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_proof_that_is_not_the_purses_is_not_stored(
    desk: Desk, purse: Purse, ask: OpenDesk, wrong: dict[str, Any]
) -> None:
    item = reported(desk, purse)
    proof = purse.debit(item)
    with pytest.raises(IssuingError, match=r"certificate .* is wrong"):
        ask.debited(item.open_record.tx, replace(proof, **wrong))
    assert desk.outcome(item) is None
    assert desk.open_incidents() == [IncidentCode.OUTCOME_OPEN]


def test_a_vmac_that_is_not_the_purses_is_not_stored(
    desk: Desk, purse: Purse, ask: OpenDesk
) -> None:
    item = reported(desk, purse)
    with pytest.raises(IssuingError, match=r"certificate .* is wrong"):
        ask.given_up(item.open_record.tx, bytes(8))
    assert desk.outcome(item) is None


def test_a_payment_that_no_terminal_reported_is_not_stored(
    desk: Desk, purse: Purse, ask: OpenDesk
) -> None:
    item = desk.customs.begin(purse, 70)
    with pytest.raises(IssuingError, match="no terminal ever reported"):
        ask.given_up(item.open_record.tx, vmac_of(purse, item))
    other = reported(desk, purse)
    tx = replace(other.open_record.tx, amount_minor=71)
    with pytest.raises(IssuingError, match="no terminal ever reported"):
        ask.given_up(tx, vmac_of(purse, other))


def test_a_purse_that_says_both_is_told_and_changes_nothing(
    desk: Desk, purse: Purse, ask: OpenDesk
) -> None:
    item = reported(desk, purse)
    ask.given_up(item.open_record.tx, vmac_of(purse, item))
    proof = purse.debit(item)
    with pytest.raises(IssuingError, match="says the opposite"):
        ask.debited(item.open_record.tx, proof)
    assert desk.outcome(item) == ("card desk", False)
    assert desk.open_incidents() == [IncidentCode.OPEN_CONTRADICTED]


def test_a_payment_that_settled_itself_meanwhile_may_be_answered_all_the_same(
    desk: Desk, purse: Purse, ask: OpenDesk
) -> None:
    item = reported(desk, purse)
    desk.customs.pay(purse, 30)
    desk.send(item)
    assert desk.outcome(item) == ("next payment", False)
    ask.given_up(item.open_record.tx, vmac_of(purse, item))
    assert desk.outcome(item) == ("next payment", False)
    assert desk.open_incidents() == []
