"""A customs card that was replaced, with a payment still open on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.profile import Role
from sim.cards.issue import CustomsData, issue_customs_card
from terminal.errors import CardProblemCode, CardProblemError
from terminal.orders import (
    InterruptedState,
    Paid,
    RecoveryVerdict,
    RefusalReason,
    Refused,
    Unknown,
)
from tests.terminal.conftest import PIN

if TYPE_CHECKING:
    from sim.cards.customs import SimulatedCustomsCard
    from tests.terminal.conftest import Bench

AMOUNT = 1_234
DECLARATION = "INV-2025-000001"
OTHER = "INV-OTHER"
CARD = "640000******0001"
DEBIT = 3
CREDIT = 4
NEW_MID = "4355530000000008"


class Replacement:
    """A counter whose customs card was replaced while a payment was open on it."""

    def __init__(self, bench: Bench, kind: str, at: int = DEBIT) -> None:
        self.bench = bench
        seen = bench.counter.read_purse()
        bench.faults.arm(kind, at, removes=True)
        self.result = bench.pay(seen=seen)
        bench.faults.disarm()
        self.old = bench.customs
        self.new = issue_customs_card(None, CustomsData(merchant_id=NEW_MID))
        self.put(self.new)
        bench.readers.insert(Role.PURSE, bench.purse)
        bench.counter.on_card_inserted()

    def put(self, customs: SimulatedCustomsCard) -> None:
        """Put ``customs`` into its reader, in the place of the other one."""
        self.bench.readers.remove(Role.CUSTOMS)
        self.bench.customs = customs
        self.bench.readers.insert(Role.CUSTOMS, customs)

    def held_by_both(self) -> int:
        both = []
        for card in (self.old, self.new):
            self.bench.customs = card
            both.append(self.bench.held())
        return sum(both)


def test_a_purse_whose_payment_a_replaced_customs_card_holds_pays_another_declaration(
    running: Bench,
) -> None:
    replaced = Replacement(running, "lost")
    assert isinstance(replaced.result, Unknown)
    assert isinstance(running.pay("0.500", OTHER), Paid)
    assert 500_000 - running.balance() == AMOUNT + 500
    assert running.held() == 500
    # The first stays what it is, and where it is.
    (left,) = running.counter.interrupted()
    assert left.number == replaced.result.number
    assert left.state is InterruptedState.UNKNOWN


def test_with_its_customs_card_in_the_device_the_purse_pays_nothing_else(
    running: Bench,
) -> None:
    replaced = Replacement(running, "unsent")
    # The purse cannot tell any more: its numbers went on at other counters.
    running.purse.memory.commit({"otc": 9})
    replaced.put(replaced.old)
    (told,) = running.counter.on_card_inserted()
    assert told.verdict is RecoveryVerdict.LEFT_TO_BANK
    with pytest.raises(CardProblemError) as caught:
        running.counter.read_purse()
    assert caught.value.code is CardProblemCode.UNRESOLVED_PAYMENT
    replaced.put(replaced.new)
    assert isinstance(running.pay("0.500", OTHER), Paid)


@pytest.mark.parametrize("kind", ["lost", "unsent"])
def test_the_same_declaration_is_never_paid_again_there_without_a_warning(
    running: Bench, kind: str
) -> None:
    replaced = Replacement(running, kind)
    before = running.balance()
    order = running.order()
    seen = running.counter.read_purse()
    running.faults.log.clear()
    for refused in (
        running.counter.check_purse(order, seen),
        running.counter.pay(order, seen, bytearray(PIN)),
    ):
        assert isinstance(refused, Refused)
        assert refused.reason is RefusalReason.EARLIER_PAYMENT
    assert running.faults.log == []
    (earlier,) = running.counter.earlier_payments(order)
    assert earlier.number == replaced.result.number
    assert "another customs card than the one in the reader" in earlier.advice.happened
    assert "not known yet" in earlier.advice.money
    assert f"Put that customs card back first, with card {CARD}" in (
        earlier.advice.next_step
    )
    assert running.balance() == before


@pytest.mark.parametrize(
    ("kind", "verdict", "taken"),
    [("lost", RecoveryVerdict.PAID, AMOUNT), ("unsent", RecoveryVerdict.NOT_PAID, 0)],
)
def test_a_payment_taken_meanwhile_does_not_keep_the_first_from_being_settled(
    running: Bench, kind: str, verdict: RecoveryVerdict, taken: int
) -> None:
    replaced = Replacement(running, kind)
    assert isinstance(running.pay("0.500", OTHER), Paid)
    replaced.put(replaced.old)
    (told,) = running.counter.on_card_inserted()
    assert (told.number, told.verdict) == (replaced.result.number, verdict)
    assert running.counter.interrupted() == []
    assert 500_000 - running.balance() == taken + 500
    assert replaced.held_by_both() == taken + 500


def test_nobody_is_sent_for_a_card_that_cannot_settle_it(running: Bench) -> None:
    Replacement(running, "lost")
    (listed,) = running.counter.interrupted()
    running.restart()
    (told,) = running.news
    for advice in (listed.advice, told.advice):
        assert "another customs card than the one in the reader" in advice.happened
        assert "not known yet" in advice.money
        assert "Put that customs card back" in advice.next_step
        assert "end of day" in advice.next_step


def test_one_that_was_paid_is_called_so_with_the_customs_card_that_must_come_back(
    running: Bench,
) -> None:
    replaced = Replacement(running, "unsent", CREDIT)
    assert isinstance(replaced.result, Paid)
    running.readers.insert(Role.PURSE, running.purse)
    (listed,) = running.counter.interrupted()
    assert listed.state is InterruptedState.PAID_NOT_CREDITED
    assert "Put that customs card back" in listed.advice.next_step
    (earlier,) = running.counter.earlier_payments(running.order())
    assert "paid already" in earlier.advice.happened
    assert isinstance(running.pay("0.500", OTHER), Paid)
    assert 500_000 - running.balance() == AMOUNT + 500
