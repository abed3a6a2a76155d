"""The end of day: close, dial, send, reconcile, acknowledge; resumable at every point.

Theory of operation. Nothing is held only in memory: each step starts from what journal
and customs card say, so stopping anywhere and starting again goes on in the same place.

    CLOSING        CLOSE BATCH on the customs card, then the journal keeps the batch.
                   A close whose answer was lost is found among the waiting batches.
    DIALLING,      one call for all waiting batches; it is made without the card lock
    SECURING
    SENDING        every payment of a batch; the bank answers repeats as it did before
    RECONCILING    the bank's last word: the BANK ACK MAC, or what differs
    ACKNOWLEDGING  the journal keeps the MAC, then BANK ACK goes to the customs card.
                   A card that is not there gets it when it is taken up again.
    FETCHING       what the bank has published since the last call; with no batch to
                   send, all the call is for. Whatever becomes of it, the batches are
                   as they were.

A batch is collected only by the bank's answer; a call that breaks off leaves it as it
was. `terminal.day_calls` makes the calls, and makes one that was cut again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from modem.certificates import EXPIRY_WARNING
from settlement.messages import ResponseCode
from settlement.money import Money
from settlement.upload import (
    ClosureReceived,
    Collected,
    Received,
    RecordRefused,
    Refused,
)
from terminal.day import (
    BatchOutcome,
    DayPhase,
    DayProgress,
    DayResult,
    DayVerdict,
    Share,
)
from terminal.day_calls import DayCalls, Dial
from terminal.entries import BatchState
from terminal.errors import CardProblemError, JournalError
from terminal.wording_day import (
    day_asked,
    day_collected,
    day_not_closed,
    day_nothing,
    day_only_fetched,
    day_received,
    day_refused,
    day_without_journal,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from settlement.messages import Total
    from settlement.payment import Closure
    from settlement.upload import UploadEvent
    from terminal.counter_parts import CounterParts
    from terminal.day_desk import DayDesk
    from terminal.entries import JournalBatch
    from terminal.errors import Advice
    from terminal.snapshot import LineState

__all__ = ["DayFlow"]


class DayFlow:
    """One end of day."""

    def __init__(
        self,
        parts: CounterParts,
        desk: DayDesk,
        *,
        dial: Dial,
        on_line: Callable[[LineState], None],
    ) -> None:
        """Join the parts; `run` does the work."""
        self._config = parts.config
        self._journal = parts.journal
        self._clock = parts.clock
        self._desk = desk
        self._calls = DayCalls(
            parts,
            desk,
            dial=dial,
            on_line=on_line,
            tell=self._tell,
            on_answer=self._on_answer,
        )
        self._outcomes: list[BatchOutcome] = []
        self._told_refused: set[str] = set()
        self._closures: list[Closure] = []
        self._phase = DayPhase.CLOSING
        self._refused_in = DayPhase.RECONCILING
        self._on_progress: Callable[[DayProgress], None] = lambda _: None

    def run(
        self, on_progress: Callable[[DayProgress], None], *, send: bool = True
    ) -> DayResult:
        """Do all that can be done now; never raises for card, line or journal.

        Args:
            on_progress: told each step, from this thread.
            send: close the batch and send what waits; else only fetch.
        """
        self._on_progress = on_progress
        try:
            self._journal.note("day-begun", self._clock(), "" if send else "fetch only")
            result = self._run() if send else self._only_fetch(day_only_fetched())
        except JournalError:
            result = self._failed(day_without_journal(), self._phase)
        # What was done is done, also when no more can be written.
        with suppress(JournalError):
            self._journal.note("day-ended", self._clock(), result.verdict.value)
        return result

    def _run(self) -> DayResult:
        self._tell(DayProgress(phase=DayPhase.CLOSING))
        problem: CardProblemError | None = None
        try:
            batches = self._desk.close()
        except CardProblemError as error:
            problem = error
            batches = self._desk.waiting()
        if not batches:
            self._desk.acknowledge()
            if problem is None:
                return self._only_fetch(day_nothing())
            return self._failed(day_not_closed(problem), DayPhase.CLOSING)
        asked = self._desk.asked_about(batches)
        advice = self._calls.run(batches)
        settled = self._desk.apply(self._closures)
        if advice is not None:
            return self._failed(advice, self._phase)
        if problem is not None:
            return self._failed(day_not_closed(problem), DayPhase.CLOSING)
        return self._sent(asked, settled)

    def _only_fetch(self, advice: Advice) -> DayResult:
        """Call for what the bank has published; that it fails changes no batch."""
        self._calls.run([])
        return self._result(DayVerdict.NOTHING_TO_SEND, advice)

    def _sent(self, asked: int, settled: int) -> DayResult:
        left = [outcome for outcome in self._outcomes if not outcome.collected]
        refused = [outcome for outcome in left if not outcome.received]
        if refused:
            advice = day_refused(refused[0].text)
            return self._result(DayVerdict.REFUSED, advice, self._refused_in)
        if left:
            advice = day_received(sum(outcome.count for outcome in left))
            return self._failed(advice, DayPhase.ACKNOWLEDGING)
        if not self._outcomes:
            told = day_asked(asked, settled) if asked else day_nothing()
            return self._result(DayVerdict.NOTHING_TO_SEND, told)
        result = self._result(DayVerdict.COLLECTED, day_nothing())
        assert result.posted is not None, "what was collected has been answered"
        count = sum(outcome.count for outcome in self._outcomes)
        if count == 0 and asked:
            return replace(result, advice=day_asked(asked, settled))
        advice = day_collected(count, result.posted.total, result.suspended)
        return replace(result, advice=advice)

    def _failed(self, advice: Advice, phase: DayPhase) -> DayResult:
        return self._result(DayVerdict.PENDING, advice, phase)

    def _result(
        self,
        verdict: DayVerdict,
        advice: Advice,
        failed_phase: DayPhase | None = None,
    ) -> DayResult:
        return DayResult(
            verdict=verdict,
            batches=(*self._outcomes, *self._waiting()),
            advice=advice,
            failed_phase=failed_phase,
            certificate_until=self._ending_certificate(),
            downloads=self._calls.downloads,
        )

    def _ending_certificate(self) -> datetime | None:
        """The end of this terminal's certificate when that is near."""
        until = self._calls.certificate_until
        if until is None or until - self._clock() >= EXPIRY_WARNING:
            return None
        return until

    def _waiting(self) -> list[BatchOutcome]:
        """What the bank gave no answer about; also after the journal has failed."""
        with suppress(JournalError):
            return [
                self._outcome(batch, collected=False, code=batch.code, text=batch.text)
                for batch in self._desk.waiting()
                if not self._calls.has_last_word(batch)
            ]
        return []

    def _on_answer(self, batch: JournalBatch, event: UploadEvent) -> None:
        match event:
            case ClosureReceived(closure=closure):
                # A call after a cut asks again, and is told again.
                if closure not in self._closures:
                    self._closures.append(closure)
            case RecordRefused(stan=stan, code=code):
                self._note_refused(f"batch {batch.number}, STAN {stan}: {code.value}")
            case Collected():
                self._collected(batch, event)
            case Received(text=text):
                self._received(batch, text)
            case Refused(code=code, text=text):
                self._refused(batch, code.value, text)
            case _:
                pass

    def _note_refused(self, detail: str) -> None:
        """Note what became of one record, once, in however many calls it is told."""
        if detail not in self._told_refused:
            self._told_refused.add(detail)
            self._journal.note("record-refused", self._clock(), detail)

    def _collected(self, batch: JournalBatch, answer: Collected) -> None:
        posted, held = answer.posted, answer.suspended
        detail = (
            f"posted {posted.count} ({posted.sum_minor}), "
            f"in suspense {held.count} ({held.sum_minor})"
        )
        book = self._journal.batches
        book.collected(batch, answer.ack_mac, self._clock(), detail)
        self._calls.note_last_word(batch)
        if batch.state is not BatchState.CLOSED:
            # It was taken before, and sent again only to ask about its open records.
            return
        outcome = replace(
            self._outcome(batch, collected=True, code="00", text=""),
            posted=self._share(posted),
            suspended=self._share(held) if held.count else None,
        )
        self._outcomes.append(outcome)
        self._tell(DayProgress(phase=DayPhase.ACKNOWLEDGING, batch=batch.number))
        self._desk.acknowledge()

    def _received(self, batch: JournalBatch, text: str) -> None:
        if batch.state is BatchState.CLOSED:
            self._journal.batches.received(batch, text, self._clock())
        self._not_taken(batch, ResponseCode.RECEIVED.value, text)

    def _refused(self, batch: JournalBatch, code: str, text: str) -> None:
        self._refused_in = self._phase
        if batch.state is BatchState.CLOSED:
            self._journal.batches.refused(batch, code, text, self._clock())
        self._not_taken(batch, code, text)

    def _not_taken(self, batch: JournalBatch, code: str, text: str) -> None:
        self._calls.note_last_word(batch)
        self._outcomes.append(
            self._outcome(batch, collected=False, code=code, text=text)
        )

    def _outcome(
        self, batch: JournalBatch, *, collected: bool, code: str, text: str
    ) -> BatchOutcome:
        total = self._money(batch.close.sum_minor)
        return BatchOutcome(
            number=batch.number,
            count=batch.close.count,
            total=total,
            open_count=batch.close.open_count,
            collected=collected,
            code=code,
            text=text,
        )

    def _share(self, part: Total) -> Share:
        return Share(count=part.count, total=self._money(part.sum_minor))

    def _money(self, amount_minor: int) -> Money:
        return Money(amount_minor=amount_minor, currency=self._config.currency)

    def _tell(self, progress: DayProgress) -> None:
        self._phase = progress.phase
        self._on_progress(progress)
