"""Where the customer types the PIN: it shows dots and keeps the digits to itself.

The digits live in one bytearray that is overwritten as soon as they are handed on,
corrected or given up. They are in no message, no reactive value, no repr and no
log; all that leaves this widget is how many there are, and, once, the PIN itself to
whoever calls `PINEntry.take`.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from terminal.catalogue import msgid

if TYPE_CHECKING:
    from textual.events import Key
    from textual.timer import Timer

DIGITS_MIN = 4
DIGITS_MAX = 12
# A PIN half typed by someone who walked away must not wait for the next customer.
IDLE_SECONDS = 60


class PINEntry(Widget, can_focus=True):
    """Masked digits with confirm, correct and cancel."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "confirm", msgid("Confirm"), key_display=msgid("Enter")),
        Binding(
            "backspace", "correct", msgid("Correct"), key_display=msgid("Backspace")
        ),
        Binding("escape", "cancel", msgid("Cancel"), key_display=msgid("Esc")),
    ]

    typed: reactive[int] = reactive(0)
    """How many digits there are; never which."""

    class Confirmed(Message):
        """The customer confirmed; the owner calls `PINEntry.take`."""

    class Cancelled(Message):
        """The customer or the clerk gave up."""

    class TooShort(Message):
        """Confirm was pressed before there were enough digits."""

    class Forgotten(Message):
        """Nothing was typed for a while, so the digits were wiped."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 (Textual's own parameter name)
        super().__init__(id=id)
        # Of full size from the start: growing would leave copies in freed memory.
        self._digits = bytearray(DIGITS_MAX)
        self._idle: Timer | None = None

    def render(self) -> str:
        """Dots for the digits typed, and a mark where the next one goes."""
        marks = ["●"] * self.typed
        if self.typed < DIGITS_MAX:
            marks.append("▁")
        return " ".join(marks)

    def on_key(self, event: Key) -> None:
        """Take digits, of any script a keyboard may send."""
        value = digit_value(event.character)
        if value is None:
            return
        event.stop()
        event.prevent_default()
        if self.typed == DIGITS_MAX:
            self.app.bell()
            return
        self._digits[self.typed] = ord("0") + value
        self.typed += 1
        self._watch_idleness()

    def action_confirm(self) -> None:
        """Tell the owner that the PIN is complete, or that it cannot be."""
        enough = self.typed >= DIGITS_MIN
        self.post_message(self.Confirmed() if enough else self.TooShort())

    def action_correct(self) -> None:
        """Take the last digit back."""
        if self.typed:
            self.typed -= 1
            self._digits[self.typed] = 0
            self._watch_idleness()

    def action_cancel(self) -> None:
        """Forget the digits and tell the owner."""
        self.wipe()
        self.post_message(self.Cancelled())

    def take(self) -> bytearray:
        """Hand the PIN over and forget it.

        Returns:
            The digits in ASCII. The caller owns them and overwrites them after use.
        """
        with memoryview(self._digits) as digits:
            pin = bytearray(digits[: self.typed])
        self.wipe()
        return pin

    def wipe(self) -> None:
        """Overwrite the digits."""
        for index in range(DIGITS_MAX):
            self._digits[index] = 0
        self.typed = 0
        self._stop_watching()

    def forget_when_idle(self) -> None:
        """Wipe what nobody finished, and say so."""
        if self.typed:
            self.wipe()
            self.post_message(self.Forgotten())

    def on_unmount(self) -> None:
        """Leave nothing behind."""
        self.wipe()

    def _watch_idleness(self) -> None:
        self._stop_watching()
        self._idle = self.set_timer(IDLE_SECONDS, self.forget_when_idle)

    def _stop_watching(self) -> None:
        if self._idle is not None:
            self._idle.stop()
            self._idle = None


def digit_value(character: str | None) -> int | None:
    """The value of a digit of any script, or None for any other key."""
    if character is None or len(character) != 1:
        return None
    return unicodedata.decimal(character, None)
