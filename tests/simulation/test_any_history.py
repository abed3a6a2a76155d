"""Any history of payments, loads, closes, tears and power cuts ends accounted for.

Hypothesis invents the history and, when one goes wrong, shrinks it; what is left is
printed as a story.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from card.profile import Role
from settlement.check.bank import check_bank
from sim.faults.stories import Story
from sim.faults.workshop import Workshop
from sim.world.beliefs import Want
from terminal.recovery_desk import RecoveryDesk

if TYPE_CHECKING:
    from collections.abc import Collection

    from sim.world.people import People

EXAMPLES = int(os.environ.get("RASEED_HISTORIES", "25"))
STEPS = 30
PAYMENTS_MAX = 12
PURSES = st.sampled_from([0, 1])
AMOUNTS = st.sampled_from(["0.001", "1.234", "20.000", "499.999"])
LOADS = st.sampled_from([1, 75_000])
AHEAD = st.integers(min_value=0, max_value=40)
CHOICE = st.integers(min_value=0, max_value=5)


def nothing(people: People) -> None:
    """The story is told by the rules."""


STORY = Story(
    name="any history", begin=nothing, main=nothing, has_bank=True, ends_with_day=True
)


class Histories(RuleBasedStateMachine):
    """One world, one history; every step may meet a fault that was laid before."""

    workshop: Workshop

    def __init__(self) -> None:
        super().__init__()
        self.people = self.workshop.people(STORY)
        self.people.clerk.switch_on()
        self.payments = 0
        self.newest: Want | None = None
        self.is_loaded = {0: False, 1: False}

    @rule(ahead=AHEAD, choice=CHOICE)
    def lay_a_fault(self, ahead: int, choice: int) -> None:
        self.people.world.fate.arm_any(ahead, choice)

    @precondition(lambda self: self.payments < PAYMENTS_MAX)
    @rule(purse=PURSES, amount=AMOUNTS)
    def pay(self, purse: int, amount: str) -> None:
        self.payments += 1
        self.people.put_right()
        declaration = f"INV-2025-{self.payments:06}"
        self.newest = Want(declaration, amount, purse)
        self.people.clerk.take(self.newest)

    @precondition(lambda self: self.newest is not None)
    @rule()
    def pay_in_spite_of_the_warning(self) -> None:
        """With the customer's other card, while the first payment may be open."""
        assert self.newest is not None
        self.people.put_right()
        again = replace(self.newest, purse=1 - self.newest.purse, in_spite=True)
        self.people.clerk.take_in_spite(again)

    @rule()
    def lose_the_machine(self) -> None:
        self.people.clerk.replace_machine()

    @rule(purse=PURSES, amount_minor=LOADS)
    def load(self, purse: int, amount_minor: int) -> None:
        assert self.people.officer is not None
        if not self.is_loaded[purse]:
            self.people.officer.load(purse, amount_minor)
            self.people.officer.take_card_out()
            self.is_loaded[purse] = True

    @rule()
    def close_the_day(self) -> None:
        self.people.put_right()
        self.people.clerk.close_day()

    @rule(purse=PURSES)
    def put_a_card_back(self, purse: int) -> None:
        self.people.clerk.remove(Role.PURSE)
        self.people.clerk.insert(Role.PURSE, purse)

    @rule()
    def take_the_customs_card_out(self) -> None:
        self.people.clerk.remove(Role.CUSTOMS)

    @rule()
    def switch_off(self) -> None:
        self.people.world.switch_off()

    @invariant()
    def nothing_is_as_it_must_never_be(self) -> None:
        self.people.check()
        self.judge()

    def teardown(self) -> None:
        try:
            self.people.world.fate.heal()
            self.people.finish(purse_returned=True, with_day=True)
            self.judge()
            bank = self.people.world.bank
            assert bank is not None
            assert check_bank(bank.store, bank.keys).ok
        finally:
            self.people.world.switch_off()

    def judge(self) -> None:
        """Nothing was violated; else the whole story is the message."""
        chronicle = self.people.chronicle
        story = "\n  ".join(["the story:", *chronicle.lines])
        assert not chronicle.violations, story


def run(
    machine: Any, *, examples: int, phases: Collection[Phase] = tuple(Phase)
) -> None:
    with Workshop() as workshop:
        machine.workshop = workshop
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=STEPS,
                deadline=None,
                phases=phases,
            ),
        )


def test_any_history_ends_with_all_value_accounted_for() -> None:
    run(Histories, examples=EXAMPLES)


def test_a_history_that_goes_wrong_is_printed_as_a_story(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(RecoveryDesk, "take_news", lambda _: [])
    with pytest.raises(AssertionError, match=r"(?s)the story:.*VIOLATION") as caught:
        # Without shrinking, which takes a while; what is found is a story all the same.
        run(Histories, examples=300, phases=[Phase.generate])
    assert "is to be paid" in str(caught.value)
