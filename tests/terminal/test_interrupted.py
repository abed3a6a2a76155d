"""Payments cut short anywhere: no value is lost or made, and words tell the truth.

A payment makes six commands (VERIFY, INIT PURCHASE, INIT SAM, DEBIT, CREDIT, ACK) and
five journal writes (intent, begun, opened, debited, credited).
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from card.profile import Role
from sim.cards.issue import PurseData, issue_purse
from terminal.entries import PaymentState
from terminal.errors import CardProblemCode, CardProblemError, JournalError
from terminal.orders import (
    InterruptedState,
    Paid,
    RecoveryVerdict,
    RefusalReason,
    Refused,
    Unknown,
)
from terminal.rebuild import Rebuilder
from tests.fake_readers import Stopped
from tests.terminal.conftest import WriteFaults

if TYPE_CHECKING:
    from terminal.orders import PaymentResult, RecoveryOutcome
    from tests.terminal.conftest import Bench

COMMANDS = ["verify", "init purchase", "init sam", "debit", "credit", "ack"]
WRITES = ["intent", "begun", "opened", "debited", "credited"]
AMOUNT = 1_234


def switched_off(bench: Bench) -> list[RecoveryOutcome]:
    """Switch off and on without a word; what the program tells at its start."""
    bench.counter.stop(orderly=False)
    bench.start()
    return bench.news


def verdicts(news: list[RecoveryOutcome]) -> list[RecoveryVerdict]:
    return [outcome.verdict for outcome in news]


def assert_told_truly(
    bench: Bench, result: PaymentResult | None, news: list[RecoveryOutcome]
) -> None:
    """Whoever was told an end was told the right one, and was told one."""
    debited = bench.assert_all_value_is_accounted()
    assert debited in {0, AMOUNT}
    told = verdicts(news)
    if isinstance(result, Paid):
        assert debited == AMOUNT
    elif isinstance(result, Refused):
        assert debited == 0
    else:
        # An interrupted payment is told once how it ended; VERIFY has no such end.
        wanted = RecoveryVerdict.PAID if debited else RecoveryVerdict.NOT_PAID
        assert wanted in told
        assert set(told) <= {wanted, RecoveryVerdict.STILL_UNKNOWN}
    for outcome in news:
        if outcome.verdict is RecoveryVerdict.PAID:
            assert "was taken from the card" in outcome.advice.money
            assert outcome.receipt_number == 1
        if outcome.verdict is RecoveryVerdict.NOT_PAID:
            assert "Nothing was taken" in outcome.advice.money


def assert_next_payment_works(bench: Bench) -> None:
    before = bench.balance()
    assert isinstance(bench.pay("0.100", "INV-NEXT"), Paid)
    assert bench.balance() == before - 100


@pytest.mark.parametrize("removes", [False, True], ids=["stays", "removed"])
@pytest.mark.parametrize("kind", ["lost", "unsent"])
@pytest.mark.parametrize("at", range(6), ids=COMMANDS)
def test_an_answer_lost_at_any_command_is_settled_when_the_cards_are_back(
    running: Bench, at: int, kind: str, *, removes: bool
) -> None:
    seen = running.counter.read_purse()
    running.faults.arm(kind, at, removes=removes)
    result = running.pay(seen=seen)
    news = running.settle()
    assert_told_truly(running, result, news)
    assert_next_payment_works(running)


@pytest.mark.parametrize("at", range(6), ids=COMMANDS)
def test_one_lost_answer_is_asked_for_at_once_while_the_cards_stay(
    running: Bench, at: int
) -> None:
    seen = running.counter.read_purse()
    running.faults.arm("lost", at)
    result = running.pay(seen=seen)
    assert not isinstance(result, Unknown)
    assert isinstance(result, Paid) == (running.balance() != 500_000)


@pytest.mark.parametrize("kind", ["stop-before", "stop-after"])
@pytest.mark.parametrize("at", range(6), ids=COMMANDS)
def test_a_stop_at_any_command_is_settled_at_the_next_start(
    running: Bench, at: int, kind: str
) -> None:
    seen = running.counter.read_purse()
    running.faults.arm(kind, at)
    with pytest.raises(Stopped):
        running.pay(seen=seen)
    running.restart()
    news = running.news
    if at < 5:
        assert_told_truly(running, None, news)
    else:
        assert running.assert_all_value_is_accounted() == AMOUNT
    assert_next_payment_works(running)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(5), ids=WRITES)
def test_a_stop_at_any_journal_write_is_settled_at_the_next_start(
    running: Bench, at: int, *, after: bool
) -> None:
    seen = running.counter.read_purse()
    WriteFaults(at=at, after=after).watch(running.journal)
    with pytest.raises(Stopped):
        running.pay(seen=seen)
    running.restart()
    debited = running.assert_all_value_is_accounted()
    assert debited == (AMOUNT if at >= 3 else 0)
    credited = running.journal.payments.credited_in(
        running.customs.memory.octets("card_id"), 1
    )
    assert [payment.amount_minor for payment in credited] == [AMOUNT] * bool(debited)
    assert_next_payment_works(running)


@pytest.mark.parametrize("stays", [False, True], ids=["once", "stays"])
@pytest.mark.parametrize("at", range(5), ids=WRITES)
def test_a_journal_that_cannot_be_written_stops_the_payment_where_it_is(
    running: Bench, at: int, *, stays: bool
) -> None:
    seen = running.counter.read_purse()
    WriteFaults(at=at, error=JournalError, stays=stays).watch(running.journal)
    running.faults.log.clear()
    result = running.pay(seen=seen)
    if at == 0:
        assert isinstance(result, Refused)
        assert result.reason is RefusalReason.JOURNAL_FAILED
        assert running.faults.log == []
    if not isinstance(result, Paid):
        assert "disk is full" in result.advice.happened
        assert "free space" in result.advice.next_step
    running.restart()
    debited = running.assert_all_value_is_accounted()
    if isinstance(result, Paid):
        assert debited == AMOUNT
    elif isinstance(result, Refused):
        assert debited == 0
    assert_next_payment_works(running)


@pytest.mark.parametrize("at", range(5), ids=WRITES)
def test_a_disk_with_space_again_is_enough_without_a_new_start(
    running: Bench, at: int
) -> None:
    faults = WriteFaults(at=at, error=JournalError, stays=True)
    faults.watch(running.journal)
    result = running.pay()
    # Once the debit is in the journal it is known, whatever cannot be written after.
    assert isinstance(result, Paid) == (WRITES[at] == "credited")
    faults.stays = False
    running.settle()
    debited = running.assert_all_value_is_accounted()
    if not isinstance(result, Unknown):
        assert debited == (AMOUNT if isinstance(result, Paid) else 0)
    assert_next_payment_works(running)


@pytest.mark.parametrize("kind", ["lost", "stop-after"])
@pytest.mark.parametrize("again", range(13))
@pytest.mark.parametrize("at", [2, 3, 4], ids=COMMANDS[2:5])
def test_recovery_itself_may_be_cut_short_and_is_taken_up_again(
    running: Bench, at: int, again: int, kind: str
) -> None:
    seen = running.counter.read_purse()
    running.faults.arm("stop-after", at)
    with pytest.raises(Stopped):
        running.pay(seen=seen)
    running.stop()
    running.faults.arm(kind, again)
    try:
        running.start()
        news = running.news
    except Stopped:
        news = []
    running.restart()
    news += running.news
    debited = running.assert_all_value_is_accounted()
    assert debited == (AMOUNT if at >= 3 else 0)
    told = set(verdicts(news)) - {RecoveryVerdict.STILL_UNKNOWN}
    expected = RecoveryVerdict.PAID if debited else RecoveryVerdict.NOT_PAID
    assert told <= {expected}
    assert_next_payment_works(running)


def test_until_it_is_settled_it_is_unknown_and_the_purse_pays_nothing_else(
    running: Bench,
) -> None:
    seen = running.counter.read_purse()
    running.faults.arm("lost", 3, removes=True)
    result = running.pay(seen=seen)
    assert isinstance(result, Unknown)
    assert "not known yet" in result.advice.money
    assert "failed" not in str(result.advice)
    (open_payment,) = running.counter.interrupted()
    assert open_payment.state is InterruptedState.UNKNOWN
    assert open_payment.declaration == "INV-2025-000001"
    assert running.counter.snapshot().interrupted == 1
    # Another purse pays meanwhile; this one is settled when it comes back.
    other = issue_purse(None, PurseData(card_id="6400000000000002"))
    running.readers.insert(Role.PURSE, other)
    assert running.counter.on_card_inserted() == []
    assert isinstance(running.pay("0.500", "INV-OTHER"), Paid)
    running.readers.remove(Role.PURSE)
    running.readers.insert(Role.PURSE, running.purse)
    (outcome,) = running.counter.on_card_inserted()
    assert outcome.verdict is RecoveryVerdict.PAID
    assert outcome.number == result.number
    assert outcome.declaration == "INV-2025-000001"
    assert running.counter.interrupted() == []
    assert running.held() == AMOUNT + 500


def test_a_purse_whose_payment_cannot_be_settled_is_refused(running: Bench) -> None:
    seen = running.counter.read_purse()
    running.faults.arm("unsent", 3, removes=True)
    assert isinstance(running.pay(seen=seen), Unknown)
    # The ring forgot nothing, but another counter has moved the numbers on: 9406.
    running.purse.memory.commit({"otc": 9})
    running.readers.insert(Role.PURSE, running.purse)
    (outcome,) = running.counter.on_card_inserted()
    assert outcome.verdict is RecoveryVerdict.LEFT_TO_BANK
    with pytest.raises(CardProblemError) as caught:
        running.counter.read_purse()
    assert caught.value.code is CardProblemCode.UNRESOLVED_PAYMENT
    (open_payment,) = running.counter.interrupted()
    assert open_payment.state is InterruptedState.LEFT_TO_BANK
    running.restart()
    assert verdicts(running.news) == [RecoveryVerdict.LEFT_TO_BANK]


def test_a_customer_who_paid_is_told_so_though_the_customs_card_is_gone(
    running: Bench,
) -> None:
    seen = running.counter.read_purse()
    running.faults.arm("unsent", 4, removes=True)
    result = running.pay(seen=seen)
    assert isinstance(result, Paid)
    assert not result.credited
    assert "was taken from the card" in result.advice.money
    (open_payment,) = running.counter.interrupted()
    assert open_payment.state is InterruptedState.PAID_NOT_CREDITED
    # The purse may go: the journal holds the proof.
    running.readers.remove(Role.PURSE)
    running.readers.insert(Role.CUSTOMS, running.customs)
    assert verdicts(running.counter.on_card_inserted()) == [RecoveryVerdict.PAID]
    assert running.assert_all_value_is_accounted() == AMOUNT


def test_a_spoiled_proof_is_asked_for_again(running: Bench) -> None:
    seen = running.counter.read_purse()
    number = None
    purse = running.purse

    class Garbling:
        """Flips a bit of MAC2 in the first DEBIT answer."""

        garbled = False

        def process(self, apdu: bytes) -> bytes:
            answer = purse.process(apdu)
            if apdu[1] == 0x54 and not self.garbled:
                self.garbled = True
                return answer[:27] + bytes((answer[27] ^ 1,)) + answer[28:]
            return answer

        def reset(self) -> None:
            purse.reset()

    running.readers.remove(Role.PURSE)
    running.readers.insert(Role.PURSE, Garbling())
    seen = running.counter.read_purse()
    result = running.pay(seen=seen)
    assert isinstance(result, Paid)
    assert result.credited
    number = result.number
    assert running.assert_all_value_is_accounted() == AMOUNT
    assert running.journal.payments.get(number).state is PaymentState.CREDITED


def test_a_lost_journal_is_rebuilt_from_the_customs_card(running: Bench) -> None:
    running.pay("0.500", "INV-LOST-1")
    seen = running.counter.read_purse()
    running.faults.arm("lost", 3, removes=True)
    running.pay(seen=seen)
    running.stop()
    for path in running.config.state_directory.iterdir():
        path.unlink()
    running.readers.insert(Role.PURSE, running.purse)
    running.restart()
    (outcome,) = running.news
    assert outcome.verdict is RecoveryVerdict.PAID
    assert (outcome.declaration, outcome.amount.amount_minor) == ("", AMOUNT)
    assert running.held() == AMOUNT + 500


def test_two_purses_left_open_are_each_settled_with_their_own(running: Bench) -> None:
    other = issue_purse(None, PurseData(card_id="6400000000000002"))
    for card in (running.purse, other):
        running.readers.remove(Role.PURSE)
        running.readers.insert(Role.PURSE, card)
        seen = running.counter.read_purse()
        running.faults.arm("lost", 3, removes=True)
        assert isinstance(running.pay(seen=seen), Unknown)
    running.faults.disarm()
    assert running.counter.snapshot().interrupted == 2
    for left, card in ((1, other), (0, running.purse)):
        running.readers.insert(Role.PURSE, card)
        assert verdicts(running.counter.on_card_inserted()) == [RecoveryVerdict.PAID]
        assert running.counter.snapshot().interrupted == left
        running.readers.remove(Role.PURSE)
    assert running.held() == 2 * AMOUNT


def test_a_payment_whose_end_was_not_shown_any_more_is_told_at_the_next_start(
    running: Bench,
) -> None:
    running.pay("1.000", "INV-2025-000001")
    running.pay("2.000", "INV-2025-000002")
    for _ in range(2):
        (outcome,) = switched_off(running)
        assert outcome.verdict is RecoveryVerdict.PAID
        assert outcome.declaration == "INV-2025-000002"
        assert outcome.receipt_number == 2
    running.pay("3.000", "INV-2025-000003", pin=b"9999")
    (outcome,) = switched_off(running)
    assert outcome.verdict is RecoveryVerdict.NOT_PAID
    assert outcome.declaration == "INV-2025-000003"


def test_how_a_recovery_ended_is_told_again_when_it_was_not_shown(
    running: Bench,
) -> None:
    seen = running.counter.read_purse()
    running.faults.arm("lost", COMMANDS.index("debit"), removes=True)
    assert isinstance(running.pay(seen=seen), Unknown)
    running.readers.insert(Role.PURSE, running.purse)
    assert verdicts(running.counter.on_card_inserted()) == [RecoveryVerdict.PAID]
    assert verdicts(switched_off(running)) == [RecoveryVerdict.PAID]


def test_what_is_found_out_while_another_payment_is_taken_is_not_forgotten(
    running: Bench,
) -> None:
    seen = running.counter.read_purse()
    running.faults.arm("lost", COMMANDS.index("debit"), removes=True)
    assert isinstance(running.pay(seen=seen), Unknown)
    running.readers.insert(Role.PURSE, running.purse)
    # The purse is read for another payment: that settles the first one by the way.
    running.pay(declaration="INV-2025-000002")
    told = {outcome.declaration for outcome in switched_off(running)}
    assert told == {"INV-2025-000001", "INV-2025-000002"}


def test_a_payment_that_only_the_customs_card_remembers_is_told_and_warned_of(
    running: Bench,
) -> None:
    running.pay()  # The machine is lost before anybody has seen the result.
    running.counter.stop(orderly=False)
    shutil.rmtree(running.config.state_directory)
    Rebuilder(
        running.config,
        running.readers,
        clock=running.clock,
        random_bytes=os.urandom,
    ).run(())
    running.start()
    assert verdicts(running.news) == [RecoveryVerdict.PAID]
    # Nobody knows its declaration any more; the cards signed its digest.
    (earlier,) = running.counter.earlier_payments(running.order())
    assert earlier.state is InterruptedState.PAID


def test_a_clerk_who_stops_the_program_has_seen_how_everything_ended(
    running: Bench,
) -> None:
    running.pay()
    running.restart()
    assert running.news == []
    assert switched_off(running) == []
