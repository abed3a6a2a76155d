"""The calls of one end of day: send, fetch, and dial again after a cut.

One call serves all waiting batches, and then what the bank has published. When it is
cut, in whichever part, the next one goes on there: with what the bank does not hold
yet, in smaller groups when the call before brought nothing, or with the rest of a list.
When the line fails for good after the bank has said its last word about every batch,
only the fetching has failed, and no batch is told of it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, TypeAlias

from modem.errors import CallLostError, ModemError
from modem.events import Closed, Connected, DialFailed, Dialling, Secured, Securing
from settlement.errors import NoAnswerError
from settlement.upload import (
    LoggedOn,
    Progress,
    ResponseDiscarded,
    UploadMachine,
    UploadPhase,
)
from settlement.upload_pace import UploadPace
from terminal.conversation import Conversation, MessageLine
from terminal.day import DayPhase, DayProgress
from terminal.decline_flow import DeclineFlow
from terminal.download_flow import DownloadFlow, clock_words
from terminal.errors import DownloadStoreError, JournalError
from terminal.redial import CALLS_MAX, Redial
from terminal.snapshot import LineState
from terminal.wording_day import (
    call_cut,
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
    from settlement.upload import Session, UploadEvent
    from terminal.counter_parts import CounterParts
    from terminal.day_desk import DayDesk
    from terminal.downloads import DownloadsResult
    from terminal.entries import JournalBatch
    from terminal.errors import Advice

__all__ = ["DayCalls", "Dial", "MessageCall"]


class MessageCall(MessageLine, Protocol):
    """A secured call to the bank; see `modem.call.Call`."""

    def close(self) -> None:
        """Send what is queued, end the call in order, hang up."""
        ...


Dial: TypeAlias = "Callable[[Callable[[CallEvent], None]], MessageCall]"
"""Makes a call, telling the listener how it goes; raises `ModemError`."""


class DayCalls:
    """The calls of one end of day; `run` makes them."""

    def __init__(
        self,
        parts: CounterParts,
        desk: DayDesk,
        *,
        dial: Dial,
        on_line: Callable[[LineState], None],
        tell: Callable[[DayProgress], None],
        on_answer: Callable[[JournalBatch, UploadEvent], None],
    ) -> None:
        """Join the parts.

        Args:
            parts: configuration, journal, lists and clock of the counter.
            desk: puts together what is sent.
            dial: makes a call.
            on_line: told what the line does.
            tell: told each step.
            on_answer: given what the bank says about a batch.
        """
        self._config = parts.config
        self._journal = parts.journal
        self._shelf = parts.shelf
        self._clock = parts.clock
        self._desk = desk
        self._dial = dial
        self._on_line = on_line
        self._tell = tell
        self._on_answer = on_answer
        self._finished: set[tuple[bytes, int]] = set()
        self._confirmed: dict[tuple[bytes, int], int] = {}
        self._redial = Redial()
        self._pace = UploadPace()
        self._conversation = Conversation(
            clock=parts.clock,
            note=lambda kind, detail: parts.journal.note(kind, parts.clock(), detail),
        )
        self._fetching = DownloadFlow(
            parts.shelf,
            parts.config.terminal.id,
            clock=parts.clock,
            note=self._note_if_possible,
            on_progress=self._tell_fetching,
        )
        self._has_fetched = False
        self._fetch_trouble = ""
        self._certificate_until: datetime | None = None

    @property
    def downloads(self) -> DownloadsResult | None:
        """What was fetched; None when no call came so far."""
        if not self._has_fetched:
            return None
        return self._fetching.result(self._fetch_trouble)

    @property
    def certificate_until(self) -> datetime | None:
        """The end of this terminal's certificate; None when no call was secured."""
        return self._certificate_until

    def has_last_word(self, batch: JournalBatch) -> bool:
        """Whether the bank has said its last word about a batch."""
        return (batch.mid, batch.number) in self._finished

    def note_last_word(self, batch: JournalBatch) -> None:
        """The bank has said its last word about a batch: no call sends it again."""
        self._finished.add((batch.mid, batch.number))
        self._redial.bank_confirmed()

    def run(self, batches: list[JournalBatch]) -> Advice | None:
        """Send ``batches``, then fetch; what went wrong with them in the end, or None.

        Args:
            batches: those that wait; with none, the calls are only for fetching.
        """
        # The modem is set up first, which takes a while and can fail, too.
        self._tell(DayProgress(phase=DayPhase.DIALLING))
        try:
            while self._is_cut(batches):
                detail = call_cut(self._redial.next_call, CALLS_MAX)
                self._tell(DayProgress(phase=DayPhase.DIALLING, detail=detail))
        except ModemError as error:
            return self._given_up(batches, error, line_failed(error))
        except NoAnswerError as error:
            return self._given_up(batches, error, settlement_failed(error))
        finally:
            self._on_line(LineState.IDLE)
        return None

    def _given_up(
        self, batches: list[JournalBatch], error: Exception, advice: Advice
    ) -> Advice | None:
        """What no further call is made about: a batch, or only what was to come."""
        if batches and not self._left_of(batches):
            self._fetch_failed(advice.happened)
            return None
        self._journal.note("call-failed", self._clock(), type(error).__name__)
        if not batches:
            self._fetch_failed(advice.happened)
        return advice

    def _is_cut(self, batches: list[JournalBatch]) -> bool:
        """Do in one call what is left; whether to call once more.

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
            self._pace.call_cut(fruitless=self._redial.call_is_fruitless)
            if not self._redial.goes_on_after_cut():
                raise
            self._on_line(LineState.IDLE)
            return True
        return False

    def _left_of(self, batches: list[JournalBatch]) -> list[JournalBatch]:
        """Those of which the bank has not said its last word in an earlier call."""
        return [one for one in batches if not self.has_last_word(one)]

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
                pace=self._pace,
                session=session,
            )
            self._send(call, machine, batch)
            session, stan = machine.session, machine.next_stan
            if session is None:
                # The bank does not know this terminal: no batch of it will be taken.
                break
        return session, stan

    def _fetch(self, call: MessageCall, session: Session | None, stan: int) -> None:
        """What the bank has published; a failure of it fails no batch.

        Raises:
            CallLostError: the call was cut; what has come is kept.
        """
        self._has_fetched = True
        self._tell(DayProgress(phase=DayPhase.FETCHING))
        declines = DeclineFlow(
            self._journal.declines,
            self._config.terminal.id,
            clock=self._clock,
            note=self._note_if_possible,
        )
        try:
            declines.run(call, session, stan, self._shelf.versions())
        except CallLostError:
            raise
        except (ModemError, NoAnswerError, JournalError) as error:
            # They are told with the next call; the lists may come all the same.
            self._note_if_possible("declines-not-told", type(error).__name__)
        self._fetching.run(call, declines.session, declines.next_stan)
        trouble = self._fetching.result().trouble
        if trouble:
            self._note_if_possible("fetch-cut", trouble)

    def _fetch_failed(self, trouble: str) -> None:
        self._has_fetched = True
        self._fetch_trouble = trouble
        self._note_if_possible("fetch-cut", trouble)

    def _note_if_possible(self, kind: str, detail: str) -> None:
        # The batches are settled by now: nothing more depends on the journal.
        with suppress(JournalError):
            self._journal.note(kind, self._clock(), detail)

    def _tell_fetching(self, kind: DownloadKind, done: int, total: int) -> None:
        self._redial.bank_confirmed()
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
            case ResponseDiscarded(reason=reason):
                self._conversation.discard(reason)
            case LoggedOn(clock_offset=offset):
                detail = clock_words(offset.total_seconds())
                self._journal.note("logged-on", self._clock(), detail)
                with suppress(DownloadStoreError):
                    self._shelf.note_clock(offset, self._clock())
            case _:
                self._on_answer(batch, event)

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
