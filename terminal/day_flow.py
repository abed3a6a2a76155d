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
was. Such a call is made again at once, as `terminal.redial` and the dial plan allow,
and goes on with what the bank does not hold yet.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

from modem.certificates import EXPIRY_WARNING
from modem.errors import CallLostError, ModemError
from modem.events import Closed, Connected, DialFailed, Dialling, Secured, Securing
from settlement.errors import NoAnswerError
from settlement.money import Money
from settlement.upload import (
    ClosureReceived,
    Collected,
    LoggedOn,
    Progress,
    RecordRefused,
    Refused,
    ResponseDiscarded,
    UploadMachine,
    UploadPhase,
)
from terminal.conversation import Conversation, MessageLine
from terminal.day import (
    BatchOutcome,
    DayPhase,
    DayProgress,
    DayResult,
    DayVerdict,
    Share,
)
from terminal.download_flow import DownloadFlow, clock_words
from terminal.downloads import DownloadsResult
from terminal.entries import BatchState
from terminal.errors import CardProblemError, DownloadStoreError, JournalError
from terminal.redial import CALLS_MAX, Redial
from terminal.snapshot import LineState
from terminal.wording_day import (
    call_cut,
    day_asked,
    day_collected,
    day_not_closed,
    day_nothing,
    day_only_fetched,
    day_refused,
    day_without_journal,
    dial_failed,
    line_failed,
    line_rate,
    settlement_failed,
)
from terminal.wording_downloads import kind_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from modem.events import CallEvent
    from settlement.download import DownloadKind
    from settlement.messages import Total
    from settlement.payment import Closure
    from settlement.upload import Session, UploadEvent
    from terminal.counter_parts import CounterParts
    from terminal.day_desk import DayDesk
    from terminal.entries import JournalBatch
    from terminal.errors import Advice

__all__ = ["DayFlow", "Dial", "MessageCall"]


class MessageCall(MessageLine, Protocol):
    """A secured call to the bank; see `modem.call.Call`."""

    def close(self) -> None:
        """Send what is queued, end the call in order, hang up."""
        ...


Dial: TypeAlias = "Callable[[Callable[[CallEvent], None]], MessageCall]"
"""Makes a call, telling the listener how it goes; raises `ModemError`."""


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
        self._shelf = parts.shelf
        self._clock = parts.clock
        self._desk = desk
        self._dial = dial
        self._on_line = on_line
        self._downloads: DownloadsResult | None = None
        self._outcomes: list[BatchOutcome] = []
        self._finished: set[tuple[bytes, int]] = set()
        self._confirmed: dict[tuple[bytes, int], int] = {}
        self._told_refused: set[str] = set()
        self._closures: list[Closure] = []
        self._certificate_until: datetime | None = None
        self._redial = Redial()
        self._conversation = Conversation(
            clock=parts.clock,
            note=lambda kind, detail: parts.journal.note(kind, parts.clock(), detail),
        )
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
        advice = self._call(batches)
        settled = self._desk.apply(self._closures)
        if advice is not None:
            return self._failed(advice, self._phase)
        if problem is not None:
            return self._failed(day_not_closed(problem), DayPhase.CLOSING)
        return self._sent(asked, settled)

    def _only_fetch(self, advice: Advice) -> DayResult:
        """Call for what the bank has published; that it fails changes no batch."""
        trouble = self._call([])
        if trouble is not None:
            self._downloads = DownloadsResult(trouble=trouble.happened)
        return self._result(DayVerdict.NOTHING_TO_SEND, advice)

    def _sent(self, asked: int, settled: int) -> DayResult:
        refused = [outcome for outcome in self._outcomes if not outcome.collected]
        if refused:
            advice = day_refused(refused[0].text)
            return self._result(DayVerdict.REFUSED, advice, self._refused_in)
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
            downloads=self._downloads,
        )

    def _ending_certificate(self) -> datetime | None:
        """The end of this terminal's certificate when that is near."""
        until = self._certificate_until
        if until is None or until - self._clock() >= EXPIRY_WARNING:
            return None
        return until

    def _waiting(self) -> list[BatchOutcome]:
        """What the bank gave no answer about; also after the journal has failed."""
        with suppress(JournalError):
            return [
                self._outcome(batch, collected=False, code=batch.code, text=batch.text)
                for batch in self._desk.waiting()
                if (batch.mid, batch.number) not in self._finished
            ]
        return []

    def _call(self, batches: list[JournalBatch]) -> Advice | None:
        """Send ``batches``, then fetch; what went wrong with the line in the end."""
        # The modem is set up first, which takes a while and can fail, too.
        self._tell(DayProgress(phase=DayPhase.DIALLING))
        try:
            while self._is_cut(batches):
                detail = call_cut(self._redial.next_call, CALLS_MAX)
                self._tell(DayProgress(phase=DayPhase.DIALLING, detail=detail))
        except ModemError as error:
            self._journal.note("call-failed", self._clock(), type(error).__name__)
            return line_failed(error)
        except NoAnswerError as error:
            self._journal.note("call-failed", self._clock(), type(error).__name__)
            return settlement_failed(error)
        finally:
            self._on_line(LineState.IDLE)
        return None

    def _is_cut(self, batches: list[JournalBatch]) -> bool:
        """Send in one call what of ``batches`` is left; whether to call once more.

        Raises:
            ModemError: no call came about, or it was cut once too often.
            NoAnswerError: the bank stopped answering.
        """
        self._redial.call_begins()
        try:
            call = self._dial(self._on_call_event)
            try:
                left = self._left_of(batches)
                session, stan = self._send_all(call, left)
                # A terminal that was refused is not asked for a second time.
                if session is not None or not left:
                    self._fetch(call, session, stan)
            finally:
                # However the call ends, what was answered in it has been kept.
                with suppress(ModemError):
                    call.close()
        except CallLostError as error:
            self._journal.note("call-cut", self._clock(), error.reason)
            if not self._redial.goes_on_after_cut():
                raise
            self._on_line(LineState.IDLE)
            return True
        return False

    def _left_of(self, batches: list[JournalBatch]) -> list[JournalBatch]:
        """Those of which the bank has not said its last word in an earlier call."""
        return [one for one in batches if (one.mid, one.number) not in self._finished]

    def _send_all(
        self, call: MessageCall, batches: list[JournalBatch]
    ) -> tuple[Session | None, int]:
        """Send every batch; the call's session and its next free STAN."""
        session: Session | None = None
        stan = 1
        for batch in batches:
            machine = UploadMachine(
                self._desk.assemble(batch, self._config),
                stan_start=stan,
                versions=self._shelf.versions(),
                session=session,
            )
            self._send(call, machine, batch)
            session, stan = machine.session, machine.next_stan
            if session is None:
                # The bank does not know this terminal: no batch of it will be taken.
                break
        return session, stan

    def _fetch(self, call: MessageCall, session: Session | None, stan: int) -> None:
        """What the bank has published; tells of it, and never fails the day."""
        self._tell(DayProgress(phase=DayPhase.FETCHING))
        flow = DownloadFlow(
            self._shelf,
            self._config.terminal.id,
            clock=self._clock,
            note=self._note_if_possible,
            on_progress=self._tell_fetching,
        )
        self._downloads = flow.run(call, session, stan)
        if self._downloads.trouble:
            self._note_if_possible("fetch-cut", self._downloads.trouble)

    def _note_if_possible(self, kind: str, detail: str) -> None:
        # The batches are settled by now: nothing more depends on the journal.
        with suppress(JournalError):
            self._journal.note(kind, self._clock(), detail)

    def _tell_fetching(self, kind: DownloadKind, done: int, total: int) -> None:
        self._tell(
            DayProgress(
                phase=DayPhase.FETCHING, done=done, total=total, detail=kind_name(kind)
            )
        )

    def _send(
        self, call: MessageCall, machine: UploadMachine, batch: JournalBatch
    ) -> None:
        self._tell_sending(batch, machine.progress)

        def on_sent() -> None:
            if machine.phase is UploadPhase.TOTALS:
                self._tell(DayProgress(phase=DayPhase.RECONCILING, batch=batch.number))

        for event in self._conversation.hold(call, machine, on_sent=on_sent):
            self._on_event(batch, event)

    def _on_event(self, batch: JournalBatch, event: UploadEvent) -> None:
        match event:
            case Progress():
                self._tell_sending(batch, event)
            case ClosureReceived(closure=closure):
                # A call after a cut asks again, and is told again.
                if closure not in self._closures:
                    self._closures.append(closure)
            case RecordRefused(stan=stan, code=code):
                self._note_refused(f"batch {batch.number}, STAN {stan}: {code.value}")
            case Collected():
                self._collected(batch, event)
            case Refused(code=code, text=text):
                self._refused(batch, code.value, text)
            case ResponseDiscarded(reason=reason):
                self._conversation.discard(reason)
            case LoggedOn(clock_offset=offset):
                detail = clock_words(offset.total_seconds())
                self._journal.note("logged-on", self._clock(), detail)
                with suppress(DownloadStoreError):
                    self._shelf.note_clock(offset, self._clock())

    def _note_refused(self, detail: str) -> None:
        """Note what became of one record, once, in however many calls it is told."""
        if detail not in self._told_refused:
            self._told_refused.add(detail)
            self._journal.note("record-refused", self._clock(), detail)

    def _has_last_word(self, batch: JournalBatch) -> None:
        self._finished.add((batch.mid, batch.number))
        self._redial.bank_confirmed()

    def _collected(self, batch: JournalBatch, answer: Collected) -> None:
        posted, held = answer.posted, answer.suspended
        detail = (
            f"posted {posted.count} ({posted.sum_minor}), "
            f"in suspense {held.count} ({held.sum_minor})"
        )
        book = self._journal.batches
        book.collected(batch, answer.ack_mac, self._clock(), detail)
        self._has_last_word(batch)
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

    def _refused(self, batch: JournalBatch, code: str, text: str) -> None:
        self._refused_in = self._phase
        self._has_last_word(batch)
        if batch.state is BatchState.CLOSED:
            self._journal.batches.refused(batch, code, text, self._clock())
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

    def _tell_sending(self, batch: JournalBatch, progress: Progress) -> None:
        """Tell how far a batch is: what the bank has confirmed stays confirmed."""
        key = (batch.mid, batch.number)
        before = self._confirmed.get(key, 0)
        if progress.answered > before:
            self._confirmed[key] = progress.answered
            self._redial.bank_confirmed()
        self._tell(
            DayProgress(
                phase=DayPhase.SENDING,
                batch=batch.number,
                done=max(progress.answered, before),
                total=progress.total,
            )
        )

    def _on_call_event(self, event: CallEvent) -> None:
        match event:
            case Dialling(number=number):
                self._on_line(LineState.DIALLING)
                self._tell(DayProgress(phase=DayPhase.DIALLING, detail=number))
            case DialFailed(number=number, code=code):
                detail = dial_failed(number, code)
                self._tell(DayProgress(phase=DayPhase.DIALLING, detail=detail))
            case Connected(rate_bps=rate_bps):
                self._on_line(LineState.CONNECTED)
                detail = line_rate(rate_bps)
                self._tell(DayProgress(phase=DayPhase.SECURING, detail=detail))
            case Secured(own_until=until):
                self._certificate_until = until
            case Securing() | Closed():
                # Closed is told from the call's own thread; the end is told by `run`.
                pass
            case _:
                pass
