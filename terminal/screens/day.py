"""End of day: ask, show the progress of each phase, say how it ended."""

from __future__ import annotations

from enum import Enum, auto, unique
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Button

from terminal.catalogue import msgid, tr, trn
from terminal.day import DayVerdict
from terminal.screens.background import begin
from terminal.screens.base import CounterScreen
from terminal.widgets.facts import Facts
from terminal.widgets.notice import Notice
from terminal.widgets.phases import Phases
from terminal.widgets.status import Level
from terminal.wording_downloads import download_lines
from terminal.wording_security import certificate_ends

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult

    from settlement.money import Money
    from terminal.day import BatchOutcome, DayProgress, DayResult
    from terminal.snapshot import CounterSnapshot


@unique
class DayState(Enum):
    """Where the end of day stands on this screen."""

    ASKING = auto()
    RUNNING = auto()
    DONE = auto()


LEVELS = {
    DayVerdict.COLLECTED: Level.GOOD,
    DayVerdict.NOTHING_TO_SEND: Level.QUIET,
    DayVerdict.PENDING: Level.WARNING,
    DayVerdict.REFUSED: Level.BAD,
}


class DayScreen(CounterScreen):
    """Closes the batch and sends everything that waits to the bank."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go_on", msgid("Go on"), key_display=msgid("Enter")),
        Binding("escape", "back", msgid("Back"), key_display=msgid("Esc")),
    ]

    # Enter belongs to the screen: a button takes no second press for a while.
    AUTO_FOCUS: ClassVar[str | None] = ""

    class Moved(Message):
        """The end of day went one step forward."""

        def __init__(self, progress: DayProgress) -> None:
            super().__init__()
            self.progress = progress

    def __init__(self) -> None:
        super().__init__()
        self.state = DayState.ASKING
        self.result: DayResult | None = None

    def compose_body(self) -> ComposeResult:
        """What will happen, how far it is, how it ended."""
        with Vertical(id="day-panel", classes="panel"):
            yield Phases()
        yield Notice(id="day-notice")
        yield Facts(id="day-batches")

    def compose_actions(self) -> ComposeResult:
        """Start, start again, or go back."""
        yield Button("", id="go-on", variant="primary")
        yield Button(tr("Back (Esc)"), id="back")

    def on_mount(self) -> None:
        """Ask first."""
        self._name_panel(None)
        self._enter(DayState.ASKING)

    def draw_body(self, picture: CounterSnapshot) -> None:
        """What would be sent, as long as nothing has been."""
        if self.state is DayState.ASKING:
            self._ask(picture)

    def allows(self, action: str) -> bool:
        """Nothing to press while it runs."""
        return not (action in {"go_on", "back"} and self.state is DayState.RUNNING)

    @on(Button.Pressed, "#go-on")
    def action_go_on(self) -> None:
        """Start, start again, or go home."""
        if self.state is DayState.RUNNING:
            return
        if self._is_over:
            self.counter_app.go_home()
        else:
            self._enter(DayState.RUNNING)
            begin(self, self._close, group="day")

    @on(Button.Pressed, "#back")
    def action_back(self) -> None:
        """Go home; what waits goes on waiting."""
        self.counter_app.go_home()

    @on(Moved)
    def show_progress(self, moved: Moved) -> None:
        """Draw one step."""
        if self.state is DayState.RUNNING:
            self.query_one(Phases).show(moved.progress)
            self._name_panel(moved.progress.batch)

    async def _close(self) -> None:
        result = await self.hear(self.counter_app.close_day(self._moved))
        # Queued behind the last step forward, which may not have been drawn yet.
        self.call_later(self._show_end, result)

    async def _show_end(self, result: DayResult) -> None:
        self.result = result
        await self.query_one(Facts).show(_rows(result))
        self._enter(DayState.DONE)
        if result.verdict is DayVerdict.COLLECTED:
            self.query_one(Phases).finish()
        else:
            self.query_one(Phases).stop(result.failed_phase)
        self.query_one(Notice).show_advice(LEVELS[result.verdict], result.advice)

    def _name_panel(self, batch: int | None) -> None:
        self.query_one("#day-panel").border_title = (
            tr("End of day")
            if batch is None
            else tr("End of day · batch {number}", number=batch)
        )

    def _moved(self, progress: DayProgress) -> None:
        # Called from the worker thread: posting is all that is safe there.
        self.post_message(self.Moved(progress))

    @property
    def _is_over(self) -> bool:
        over = {DayVerdict.COLLECTED, DayVerdict.NOTHING_TO_SEND}
        return self.result is not None and self.result.verdict in over

    def _enter(self, state: DayState) -> None:
        self.state = state
        if state is DayState.RUNNING:
            self.query_one(Phases).begin()
            self.query_one(Notice).show(
                Level.BUSY,
                tr("The day is being closed."),
                money=tr("If anything is cut short, it goes on from there next time."),
            )
        self.query_one(Facts).display = state is DayState.DONE
        for button in self.query(Button):
            button.display = state is not DayState.RUNNING
        go_on = self.query_one("#go-on", Button)
        go_on.label = self._go_on_label()
        self.refresh_bindings()

    def _go_on_label(self) -> str:
        if self.state is DayState.ASKING:
            return tr("Close the day now (Enter)")
        return tr("Done (Enter)") if self._is_over else tr("Send again (Enter)")

    def _ask(self, picture: CounterSnapshot) -> None:
        self.query_one(Notice).show(
            Level.QUIET,
            asked(picture),
            money=waiting_text(picture),
            next_step=tr("Press Enter to call the bank. The line must be free."),
        )


def asked(picture: CounterSnapshot) -> str:
    """What closing would send from the open batch."""
    batch = picture.batch
    if batch is None:
        return tr("No customs card has been read, so there is no batch to close.")
    return trn(
        "Batch {number} will be closed and sent: {count} payment, {total}.",
        "Batch {number} will be closed and sent: {count} payments, {total}.",
        count=batch.count,
        number=batch.number,
        total=batch.total,
    )


def waiting_text(picture: CounterSnapshot) -> str:
    """What waits from earlier days, or nothing."""
    if not picture.unsettled:
        return ""
    return trn(
        "{count} batch that waits from earlier goes first.",
        "{count} batches that wait from earlier go first.",
        count=len(picture.unsettled),
    )


def _rows(result: DayResult) -> Iterable[tuple[str, str]]:
    yield from _batch_rows(result.batches)
    if result.certificate_until is not None:
        yield certificate_ends(result.certificate_until)
    if result.downloads is not None:
        yield from download_lines(result.downloads)


def _batch_rows(batches: Iterable[BatchOutcome]) -> Iterable[tuple[str, str]]:
    for batch in batches:
        yield (
            tr("Batch {number}", number=batch.number),
            f"{_sum_text(batch.count, batch.total)} · {_answer_text(batch)}",
        )
        held = batch.suspended
        if held is not None:
            yield (
                tr("▲ Held"),
                tr(
                    "{payments} · the bank looks into it first",
                    payments=_sum_text(held.count, held.total),
                ),
            )


def _sum_text(count: int, total: Money) -> str:
    return trn(
        "{count} payment, {total}",
        "{count} payments, {total}",
        count=count,
        total=total,
    )


def _answer_text(batch: BatchOutcome) -> str:
    if batch.collected:
        return tr("✓ taken by the bank")
    if batch.received:
        return tr("▲ received by the bank, not posted yet")
    if batch.code:
        return tr("✗ not taken: {text} (code {code})", text=batch.text, code=batch.code)
    return tr("▲ waits on this counter")
