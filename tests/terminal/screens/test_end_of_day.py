"""End of day by keys: ask, progress, result, and going on after a failure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from terminal.day import BatchOutcome, DayPhase, DayResult, DayVerdict
from terminal.errors import Advice, JournalError
from terminal.orders import RecoveryVerdict
from terminal.screens.day import DayScreen, DayState
from terminal.widgets.phases import Phases
from terminal.widgets.words import Words
from terminal.wording_day import day_received
from tests.terminal.screens.conftest import (
    HELD,
    LINE_BUSY,
    PROGRESS,
    Desk,
    FakeCounter,
    omr,
    outcome,
    picture,
    sitting,
    waiting_batch,
)


def state_of(desk: Desk) -> DayState:
    assert isinstance(desk.app.screen, DayScreen)
    return desk.app.screen.state


async def test_the_day_is_closed_only_after_asking(counter: FakeCounter) -> None:
    counter.now_shown = picture(unsettled=(waiting_batch(),))
    async with sitting(counter) as desk:
        await desk.press("f8")
        assert state_of(desk) is DayState.ASKING
        assert "Batch 12 will be closed and sent: 34 payments, 1,234.500" in desk.text
        assert "1 batch that waits from earlier goes first" in desk.text
        await desk.press("escape")
        assert desk.screen_name == "HomeScreen"
    assert "close_day" not in counter.calls


async def test_each_phase_is_shown_and_the_result_in_plain_words(
    counter: FakeCounter,
) -> None:
    counter.gate.clear()
    async with sitting(counter) as desk:
        await desk.press("f8", "enter")
        assert state_of(desk) is DayState.RUNNING
        assert desk.app.screen.query_one(Phases).current is DayPhase.SENDING
        for words in (
            "✓ Dialling the bank",
            "5551234",
            "● Sending payments",
            "20 of 34",
        ):
            assert words in desk.text
        assert "End of day · batch 12" in desk.text
        await desk.press("enter", "escape", "f10")
        assert state_of(desk) is DayState.RUNNING
        counter.gate.set()
        await desk.settle()
        assert state_of(desk) is DayState.DONE
        for words in ("The bank has taken every batch.", "✓ taken by the bank"):
            assert words in desk.text
        await desk.press("enter")
        assert desk.screen_name == "HomeScreen"
    assert counter.calls.count("close_day") == 1


async def test_a_busy_line_leaves_the_batch_and_it_can_be_sent_again(
    counter: FakeCounter,
) -> None:
    collected = counter.day
    counter.day, counter.progress = LINE_BUSY, PROGRESS[:2]
    async with sitting(counter) as desk:
        await desk.press("f8", "enter")
        for words in ("✗ Dialling the bank", "line is busy", "No money moved", "waits"):
            assert words in desk.text
        counter.day = collected
        await desk.press("enter")
        assert "The bank has taken every batch." in desk.text
    assert counter.calls.count("close_day") == 2


async def test_a_certificate_that_ends_soon_is_shown_with_what_to_do(
    counter: FakeCounter,
) -> None:
    until = datetime(2026, 4, 1, 12, tzinfo=UTC)
    assert isinstance(counter.day, DayResult)
    counter.day = replace(counter.day, certificate_until=until)
    async with sitting(counter) as desk:
        await desk.press("f8", "enter")
        assert "▲ Certificate" in desk.text
        assert "ends on 2026-04-01 · ask the bank for a new one" in desk.text


async def test_a_refused_batch_shows_the_banks_own_words(counter: FakeCounter) -> None:
    refused = BatchOutcome(
        number=12,
        count=34,
        total=omr(1_234_500),
        open_count=0,
        collected=False,
        code="95",
        text="sums differ",
    )
    counter.day = DayResult(
        verdict=DayVerdict.REFUSED,
        batches=(refused,),
        advice=Advice(happened="Refused.", money="Safe.", next_step="Call the bank."),
    )
    async with sitting(counter) as desk:
        await desk.press("f8", "enter")
        assert "✗ not taken: sums differ (code 95)" in desk.text
        assert "Next: Call the bank." in desk.text


async def test_a_batch_that_is_received_only_is_told_with_what_follows(
    counter: FakeCounter,
) -> None:
    received = BatchOutcome(
        number=12,
        count=34,
        total=omr(1_234_500),
        open_count=0,
        collected=False,
        code="09",
        text="all 34 payments are received",
    )
    counter.day = DayResult(
        verdict=DayVerdict.PENDING,
        batches=(received,),
        advice=day_received(34),
        failed_phase=DayPhase.ACKNOWLEDGING,
    )
    async with sitting(counter) as desk:
        await desk.press("f8", "enter")
        for words in (
            "▲ received by the bank, not posted yet",
            "The bank has received 34 payments and has yet to post them.",
            "Nothing is lost",
            "Run the end of day again in some minutes",
            "Send again",
        ):
            assert words in desk.text
        assert "not taken" not in desk.text


async def test_a_journal_that_fails_leaves_the_batch_where_it_is(
    counter: FakeCounter,
) -> None:
    counter.day = JournalError("The journal cannot be written.")
    async with sitting(counter) as desk:
        await desk.press("f8", "enter")
        assert state_of(desk) is DayState.DONE
        assert "The journal cannot be written." in desk.text
        assert "Send again" in desk.text


async def test_payments_settled_by_closing_are_told(counter: FakeCounter) -> None:
    async with sitting(counter) as desk:
        await desk.press("f8")
        counter.recovered = [outcome(RecoveryVerdict.PAID)]
        await desk.press("enter")
        assert desk.screen_name == "News"
        await desk.press("enter")
        assert "The bank has taken every batch." in desk.text


async def test_without_a_customs_card_the_question_says_so(
    counter: FakeCounter,
) -> None:
    counter.now_shown = replace(picture(), batch=None)
    async with sitting(counter) as desk:
        await desk.press("f8")
        assert "there is no batch to close" in desk.text


def marks(desk: Desk) -> str:
    return "".join(
        desk.app.screen.query_one(f"#phase-{phase}")
        .query_one(".phase-mark", Words)
        .text
        for phase in DayPhase
    )


async def test_the_phase_that_really_failed_is_marked_not_the_last_one_seen(
    counter: FakeCounter,
) -> None:
    counter.day = replace(LINE_BUSY, failed_phase=DayPhase.SECURING)
    async with sitting(counter) as desk:
        await desk.press("f8", "enter")
        assert marks(desk) == "✓✓✗○○○○"


async def test_no_phase_is_marked_when_there_was_nothing_to_send(
    counter: FakeCounter,
) -> None:
    counter.day = replace(
        LINE_BUSY, verdict=DayVerdict.NOTHING_TO_SEND, failed_phase=None
    )
    async with sitting(counter) as desk:
        await desk.press("f8", "enter")
        assert marks(desk) == "○○○○○○○"


async def test_a_fault_of_the_counter_marks_the_phase_it_was_in(
    counter: FakeCounter,
) -> None:
    counter.day = JournalError("The journal cannot be written.")
    async with sitting(counter) as desk:
        await desk.press("f8", "enter")
        assert marks(desk) == "✓✓✓✗○○○"


async def test_what_the_bank_holds_is_told_with_its_amount(
    counter: FakeCounter,
) -> None:
    counter.day = HELD
    async with sitting(counter) as desk:
        await desk.press("f8", "enter")
        assert "▲ Held 1 payment, 12.500 OMR" in desk.text
