"""The end of day as it goes: one row for each phase, each with its bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal, Vertical
from textual.widgets import ProgressBar

from terminal.catalogue import msgid, tr
from terminal.day import DayPhase
from terminal.widgets.words import Words

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from terminal.day import DayProgress

PHASE_NAMES = {
    DayPhase.CLOSING: msgid("Closing the batch"),
    DayPhase.DIALLING: msgid("Dialling the bank"),
    DayPhase.SECURING: msgid("Securing the line"),
    DayPhase.SENDING: msgid("Sending payments"),
    DayPhase.RECONCILING: msgid("Comparing totals"),
    DayPhase.ACKNOWLEDGING: msgid("Confirming on the customs card"),
    DayPhase.FETCHING: msgid("Fetching the bank's lists"),
}
ORDER = tuple(DayPhase)


class PhaseRow(Horizontal):
    """One phase: a mark, its name, a bar, and what it is about."""

    def __init__(self, phase: DayPhase) -> None:
        super().__init__(id=f"phase-{phase}", classes="phase -to-come")
        self._phase = phase

    def compose(self) -> ComposeResult:
        """Mark, name, bar and detail."""
        yield Words("○", classes="phase-mark")
        yield Words(tr(PHASE_NAMES[self._phase]), classes="phase-name")
        yield ProgressBar(total=1, show_percentage=False, show_eta=False)
        yield Words(classes="phase-detail")

    def wait(self) -> None:
        """Not reached yet."""
        self._draw("-to-come", "○", "", total=1, done=0)

    def go_on(self, progress: DayProgress) -> None:
        """Under way; counted when it counts something."""
        total = progress.total or None
        self._draw("-current", "●", _detail(progress), total=total, done=progress.done)

    def finish(self) -> None:
        """Done; the detail stays to be read."""
        detail = self.query_one(".phase-detail", Words).text
        self._draw("-done", "✓", detail, total=1, done=1)

    def stop(self) -> None:
        """Cut short here."""
        detail = self.query_one(".phase-detail", Words).text
        self._draw("-stopped", "✗", detail, total=1, done=0)

    def _draw(
        self, state: str, mark: str, detail: str, *, total: int | None, done: int
    ) -> None:
        for each in ("-to-come", "-current", "-done", "-stopped"):
            self.set_class(each == state, each)
        self.query_one(".phase-mark", Words).show(mark)
        self.query_one(".phase-detail", Words).show(detail)
        self.query_one(ProgressBar).update(total=total, progress=done)


class Phases(Vertical):
    """All phases in order."""

    def __init__(self) -> None:
        super().__init__(id="phases")
        self.current: DayPhase | None = None

    def compose(self) -> ComposeResult:
        """A row for each phase."""
        for phase in ORDER:
            yield PhaseRow(phase)

    def begin(self) -> None:
        """Nothing has happened yet."""
        self.current = None
        for phase in ORDER:
            self._row(phase).wait()

    def show(self, progress: DayProgress) -> None:
        """Go to where the work is: back again for each further batch."""
        self.current = progress.phase
        reached = ORDER.index(progress.phase)
        for index, phase in enumerate(ORDER):
            row = self._row(phase)
            if index < reached:
                row.finish()
            elif index == reached:
                row.go_on(progress)
            else:
                row.wait()

    def finish(self) -> None:
        """Everything is done."""
        for phase in ORDER:
            self._row(phase).finish()

    def stop(self, failed: DayPhase | None) -> None:
        """Stopped in ``failed``; without one, nothing was to be done."""
        if failed is None:
            self.begin()
            return
        at = ORDER.index(failed)
        for phase in ORDER[:at]:
            self._row(phase).finish()
        self._row(failed).stop()
        for phase in ORDER[at + 1 :]:
            self._row(phase).wait()

    def _row(self, phase: DayPhase) -> PhaseRow:
        return self.query_one(f"#phase-{phase}", PhaseRow)


def _detail(progress: DayProgress) -> str:
    if progress.total and not progress.detail:
        return tr("{done} of {total}", done=progress.done, total=progress.total)
    return progress.detail
