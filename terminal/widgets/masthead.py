"""The top line: what this is, where it stands, who works here, what time it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal

from terminal.catalogue import tr
from terminal.widgets.words import Words, date_text, time_text

if TYPE_CHECKING:
    from datetime import datetime

    from textual.app import ComposeResult

    from terminal.snapshot import CounterSnapshot


class Masthead(Horizontal):
    """One row at the top of every screen."""

    def compose(self) -> ComposeResult:
        """Brand, place and clock, in reading order."""
        yield Words(tr("Raseed"), id="masthead-brand")
        yield Words(id="masthead-place")
        yield Words(id="masthead-clock")

    def show(self, picture: CounterSnapshot, now: datetime) -> None:
        """Draw the place and the time."""
        self.query_one("#masthead-place", Words).show(
            tr(
                "Office {office} · Terminal {terminal} · Clerk {clerk}",
                office=picture.office,
                terminal=picture.terminal_id,
                clerk=picture.clerk,
            )
        )
        self.show_time(now)

    def show_time(self, now: datetime) -> None:
        """Draw the clock alone, as it does every second."""
        self.query_one("#masthead-clock", Words).show(
            tr("{date}  {time}", date=date_text(now), time=time_text(now))
        )
