"""Random days at a counter: two purses, faults of every sort, one seed a day.

Safety is checked all the time, and in the end all faults are healed: then every unit
that left a purse must be at the bank, once.
"""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pytest

from card.profile import Role
from sim.cards.issue import PurseData, issue_purse
from terminal.errors import CardProblemError
from terminal.orders import Paid, RecoveryVerdict, Refused, Unknown
from tests.fake_readers import Stopped
from tests.terminal.conftest import Bench, WriteFaults

if TYPE_CHECKING:
    from sim.cards.purse import SimulatedPurse
    from terminal.orders import PaymentResult, RecoveryOutcome

SEEDS: Final = range(8)
STEPS: Final = 40
START_MINOR: Final = 500_000
KINDS: Final = ("lost", "unsent", "stop-before", "stop-after")


class Day:
    """One random day, and what people were told in it."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench = bench
        self.random = random.Random(seed)
        self.purses: list[SimulatedPurse] = [
            bench.purse,
            issue_purse(None, PurseData(card_id="6400000000000002")),
        ]
        self.told_paid: dict[int, int] = {}
        self.told_unpaid: set[int] = set()
        self.payments = 0

    def run(self) -> None:
        actions = (self.pay, self.pay, self.pay_badly, self.pay_badly, self.change)
        rare = (self.restart, self.close, self.pull_customs)
        for _ in range(STEPS):
            self.random.choice(self.random.choice((actions, actions, rare)))()
            self.check()

    def pay(self) -> None:
        self.payments += 1
        amount = self.random.randint(1, 5_000)
        try:
            seen = self.bench.counter.read_purse()
            self.hear(
                self.bench.pay(
                    f"0.{amount % 999 + 1:03d}",
                    f"DEC-{1000 + self.payments}",
                    seen=seen,
                )
            )
        except CardProblemError:
            self.change()

    def pay_badly(self) -> None:
        """A payment in which something goes wrong."""
        removes = self.random.random() < 0.5
        self.bench.faults.arm(
            self.random.choice(KINDS), self.random.randrange(14), removes=removes
        )
        faults = WriteFaults()
        if self.random.random() < 0.2:
            faults = WriteFaults(at=self.random.randrange(6), after=removes)
        faults.watch(self.bench.journal)
        try:
            self.pay()
        except Stopped:
            self.restart()
        finally:
            self.bench.faults.disarm()
            faults.at = -1

    def change(self) -> None:
        """Take the purse out and put one of the two in."""
        self.bench.readers.remove(Role.PURSE)
        if self.random.random() < 0.9:
            self.bench.readers.insert(Role.PURSE, self.random.choice(self.purses))
            self.hear_news(self.bench.counter.on_card_inserted())

    def pull_customs(self) -> None:
        self.bench.readers.remove(Role.CUSTOMS)
        if self.random.random() < 0.5:
            self.pay()
        self.bench.readers.insert(Role.CUSTOMS, self.bench.customs)
        self.hear_news(self.bench.counter.on_card_inserted())

    def restart(self) -> None:
        self.bench.restart()
        self.hear_news(self.bench.news)

    def close(self) -> None:
        """Close the batch; there is no line, so it waits."""
        with suppress(Stopped):
            self.bench.counter.close_day(lambda _: None)

    def hear(self, result: PaymentResult) -> None:
        match result:
            case Paid(number=number, order=order):
                self.told_paid[number] = order.amount.amount_minor
            case Refused(number=number):
                self.told_unpaid |= set() if number is None else {number}
            case Unknown():
                pass

    def hear_news(self, news: list[RecoveryOutcome]) -> None:
        for outcome in news:
            assert outcome.number is not None
            match outcome.verdict:
                case RecoveryVerdict.PAID:
                    self.told_paid[outcome.number] = outcome.amount.amount_minor
                case RecoveryVerdict.NOT_PAID:
                    self.told_unpaid.add(outcome.number)
                case _:
                    pass

    def debited(self) -> int:
        left = sum(purse.memory.integer("balance") for purse in self.purses)
        return len(self.purses) * START_MINOR - left

    def check(self) -> None:
        """What must hold at any moment."""
        assert not set(self.told_paid) & self.told_unpaid, "two ends of one payment"
        assert sum(self.told_paid.values()) <= self.debited(), "told paid, not debited"
        assert self.held() <= self.debited(), "value was created"

    def held(self) -> int:
        """What the customs card holds; read from its memory, which disturbs nothing."""
        memory = self.bench.customs.memory
        return memory.integer("total")

    def heal(self) -> None:
        self.restart()
        for purse in self.purses:
            self.bench.readers.insert(Role.CUSTOMS, self.bench.customs)
            self.bench.readers.remove(Role.PURSE)
            self.bench.readers.insert(Role.PURSE, purse)
            self.hear_news(self.bench.counter.on_card_inserted())

    def journal_agrees(self) -> None:
        book = self.bench.journal.payments
        mid = self.bench.customs.memory.octets("card_id")
        batches = range(1, 60)
        credited = [one for batch in batches for one in book.credited_in(mid, batch)]
        assert sum(one.amount_minor for one in credited) == self.held()
        paid = {one.number for one in credited}
        assert set(self.told_paid) <= paid
        assert not self.told_unpaid & paid


@pytest.mark.parametrize("seed", SEEDS)
def test_after_any_day_every_unit_is_accounted_for(bench: Bench, seed: int) -> None:
    bench.start()
    day = Day(bench, seed)
    day.run()
    day.heal()
    day.check()
    assert bench.counter.interrupted() == []
    assert bench.open_count() == 0
    assert day.held() == day.debited()
    assert day.debited() > 0
    day.journal_agrees()
