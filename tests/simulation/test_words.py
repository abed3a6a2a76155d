"""What is told at the counter is judged sentence by sentence, and a lie is found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from modem.errors import CallLostError, NoDialToneError
from settlement.errors import NoAnswerError as BankSilentError
from settlement.money import CURRENCIES, Money
from sim.faults.matrix import tasks_of
from sim.faults.stories import STORIES
from sim.faults.workshop import Workshop
from sim.world import words
from sim.world.words import lies_in
from terminal import payments, settling, wording, wording_day, wording_interrupted
from terminal.day import Share
from terminal.errors import Advice, CardProblemCode
from terminal.orders import InterruptedState, RecoveryVerdict, RefusalReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

ONE_PAYMENT = STORIES[0]
CARD = "640000******0001"
OMR_0, OMR_1, OMR_1234 = (
    Money(amount_minor=minor, currency=CURRENCIES["OMR"]) for minor in (0, 1, 1_234)
)
PAID = wording.paid_advice(OMR_1234, credited=True)
FACTS = {"amount": "1.234 OMR", "card": CARD, "receipt": "1"}


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    with Workshop() as workshop:
        yield workshop


def lies_of_one_payment(workshop: Workshop) -> str:
    """What is wrong in the first scenario of one payment that has a violation."""
    for task in tasks_of(workshop, [ONE_PAYMENT]):
        outcome = workshop.run(task.scenario)
        if outcome.violations:
            return "\n".join(outcome.violations)
    return ""


@pytest.mark.parametrize("code", list(CardProblemCode))
def test_a_card_problem_claims_that_nothing_moved(code: CardProblemCode) -> None:
    advice = wording.card_problem(code).advice
    assert list(lies_in(advice, words.UNTOUCHED, {})) == []


@pytest.mark.parametrize("reason", list(RefusalReason))
def test_a_refusal_claims_that_nothing_was_taken(reason: RefusalReason) -> None:
    advice = wording.refusal_advice(reason, 2)
    assert list(lies_in(advice, words.NOT_PAID, {})) == []
    assert list(lies_in(advice, words.PAID, {})) != []


@pytest.mark.parametrize("state", list(InterruptedState))
@pytest.mark.parametrize("known", [True, False])
def test_a_list_and_a_warning_claim_what_their_state_means(
    state: InterruptedState, *, known: bool
) -> None:
    claims = words.PAID if state.is_paid else words.OPEN
    for advice in (
        wording_interrupted.interrupted_advice(state, known=known),
        wording_interrupted.warning_advice(state, CARD),
    ):
        assert list(lies_in(advice, claims, FACTS)) == []
        assert list(lies_in(advice, words.NOT_PAID, FACTS)) != []


@pytest.mark.parametrize(
    ("verdict", "claims"),
    [
        (RecoveryVerdict.NOT_PAID, words.NOT_PAID),
        (RecoveryVerdict.LEFT_TO_BANK, words.OPEN),
        (RecoveryVerdict.STILL_UNKNOWN, words.OPEN),
    ],
)
def test_news_claims_what_its_verdict_means(
    verdict: RecoveryVerdict, claims: frozenset[words.Claim]
) -> None:
    advice = wording_interrupted.recovery_advice(verdict)
    assert list(lies_in(advice, claims, {})) == []
    assert list(lies_in(advice, words.PAID, {})) != []


@pytest.mark.parametrize("code", list(CardProblemCode))
def test_a_day_that_waits_claims_that_nothing_is_lost(code: CardProblemCode) -> None:
    problem = wording.card_problem(code)
    assert list(lies_in(wording_day.day_not_closed(problem), words.WAITS, {})) == []


@pytest.mark.parametrize(
    ("advice", "claims"),
    [
        (wording_day.day_nothing(), words.NOTHING_TO_SEND),
        (wording_day.day_asked(2, 0), words.ASKED),
        (wording_day.day_asked(2, 1), words.ASKED),
        (wording_day.day_refused("batch differs"), words.WAITS),
        (wording_day.day_without_journal(), words.WAITS),
        (wording_day.line_failed(NoDialToneError("5551234")), words.WAITS),
        (wording_day.line_failed(CallLostError("the line is dead")), words.WAITS),
        (wording_day.settlement_failed(BankSilentError("no answer")), words.WAITS),
        (wording_day.day_collected(2, OMR_1234), words.COLLECTED),
        (
            wording_day.day_collected(2, OMR_1234, Share(count=1, total=OMR_1)),
            words.PARTLY_HELD,
        ),
        (
            wording_day.day_collected(1, OMR_0, Share(count=1, total=OMR_1)),
            words.PARTLY_HELD,
        ),
    ],
)
def test_a_day_claims_what_its_verdict_means(
    advice: Advice, claims: frozenset[words.Claim]
) -> None:
    facts = {"posted": "1.234 OMR", "held": "0.001 OMR"}
    assert list(lies_in(advice, claims, facts)) == []
    assert list(lies_in(advice, words.NOT_PAID, facts)) != []


def test_a_day_that_names_another_sum_is_found() -> None:
    advice = wording_day.day_collected(2, OMR_1234)
    (found,) = lies_in(advice, words.COLLECTED, {"posted": "1.235 OMR"})
    assert "names the posted 1.234 OMR; it is 1.235 OMR" in found


@pytest.mark.parametrize(
    ("advice", "lie"),
    [
        (replace(PAID, money="Something was taken."), "nobody knows what this claims"),
        (replace(PAID, money=""), "nobody knows what this claims"),
        (replace(PAID, money=wording.NOTHING_MOVED), "claims that it was not taken"),
        (replace(PAID, money="1.235 OMR was taken from the card."), "it is 1.234 OMR"),
        (replace(PAID, next_step=""), "a clause is missing"),
        (
            replace(PAID, next_step="You can take the payment again."),
            "claims that it was not taken",
        ),
        (replace(PAID, happened="Paid. Receipt 7."), "names the receipt 7; it is 1"),
    ],
)
def test_each_clause_can_lie(advice: Advice, lie: str) -> None:
    assert list(lies_in(PAID, words.PAID, FACTS)) == []
    (found,) = lies_in(advice, words.PAID, FACTS)
    assert lie in found


def nothing_taken(*_: object, **__: object) -> Advice:
    return wording.refusal_advice(RefusalReason.CARD_REMOVED)


def no_next_step(*_: object, **__: object) -> Advice:
    return replace(PAID, next_step="")


def another_amount(
    amount: Money, *_: object, credited: bool, elsewhere: bool = False
) -> Advice:
    return wording.paid_advice(amount + amount, credited=credited)


def never_known(*_: object, **__: object) -> Advice:
    return wording.unknown_advice()


@pytest.mark.parametrize(
    ("module", "name", "lying", "found"),
    [
        (payments, "paid_advice", nothing_taken, "claims that it was not taken"),
        (payments, "paid_advice", no_next_step, "a clause is missing"),
        (payments, "paid_advice", another_amount, "names the amount 2.468 OMR"),
        (payments, "unknown_advice", nothing_taken, "claims that it was not taken"),
        (settling, "recovered_as_paid", nothing_taken, "where it was taken"),
        (settling, "recovered_as_paid", another_amount, "names the amount 2.468 OMR"),
        (settling, "recovery_advice", never_known, "claims that nobody knows yet"),
    ],
)
def test_a_counter_that_says_what_is_not_so_is_found(
    workshop: Workshop,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    name: str,
    lying: Callable[..., Advice],
    found: str,
) -> None:
    monkeypatch.setattr(module, name, lying)
    assert found in lies_of_one_payment(workshop)


LOADED = "An earlier load of 75.000 OMR is proved: the card has it."
NOT_LOADED = (
    "An earlier load of 75.000 OMR never reached the card; it is booked back to the "
    "customer's account."
)


@pytest.mark.parametrize(
    ("text", "amount", "is_so", "lies"),
    [
        (LOADED, "75.000 OMR", True, 0),
        (LOADED, "75.000 OMR", False, 1),
        (LOADED, "75.001 OMR", True, 1),
        (NOT_LOADED, "75.000 OMR", False, 0),
        (NOT_LOADED, "75.000 OMR", True, 1),
        ("All is well.", "75.000 OMR", True, 1),
    ],
)
def test_the_desks_word_on_a_load_is_judged(
    text: str, amount: str, *, is_so: bool, lies: int
) -> None:
    assert len(list(words.lies_of_desk(text, amount, is_so=is_so))) == lies


def test_a_desk_that_stops_says_what_to_do_and_not_that_nothing_moved_when_it_did() -> (
    None
):
    told = "The card was taken out or does not answer. Put it back and try again."
    moved = f"{told} No money moved."
    assert list(words.lies_of_desk_error(moved, moved=False)) == []
    assert list(words.lies_of_desk_error(moved, moved=True)) != []
    assert list(words.lies_of_desk_error(told, moved=False)) != []
