"""Where in a payment we are: three steps, the current one marked."""

from __future__ import annotations

from enum import IntEnum, unique
from typing import TYPE_CHECKING

from textual.containers import Horizontal

from terminal.catalogue import msgid, tr
from terminal.widgets.words import Words

if TYPE_CHECKING:
    from textual.app import ComposeResult


@unique
class Step(IntEnum):
    """The steps of a payment, in order."""

    DETAILS = 1
    CARD = 2
    RESULT = 3


STEP_NAMES = {
    Step.DETAILS: msgid("Details"),
    Step.CARD: msgid("Card and PIN"),
    Step.RESULT: msgid("Result"),
}


class Trail(Horizontal):
    """The three steps in a row: done, current, to come."""

    def __init__(self, current: Step) -> None:
        super().__init__(id="trail")
        self._current = current

    def compose(self) -> ComposeResult:
        """Steps with lines between them."""
        for step in Step:
            if step > Step.DETAILS:
                yield Words("───", classes="trail-line")
            yield Words(self._text(step), classes=f"trail-step {self._state(step)}")

    def _state(self, step: Step) -> str:
        if step < self._current:
            return "-done"
        return "-current" if step == self._current else "-to-come"

    def _text(self, step: Step) -> str:
        mark = "✓" if step < self._current else str(int(step))
        return f" {mark} {tr(STEP_NAMES[step])} "
