"""How a payment ended, unmistakable: a big sign, a word, a colour, all alike."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING

from textual.containers import Horizontal, Vertical

from terminal.widgets.notice import next_text
from terminal.widgets.words import Words

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from terminal.errors import Advice


@unique
class Sign(StrEnum):
    """The three ways a payment can stand."""

    PAID = "paid"
    REFUSED = "refused"
    UNKNOWN = "unknown"


# Drawn from half blocks; five rows, so that it fits a screen of 24.
DRAWINGS = {
    Sign.PAID: """\
          ▄█▀
        ▄█▀
▄█▄   ▄█▀
  ▀█▄█▀
    ▀ """,
    Sign.REFUSED: """\
▀█▄   ▄█▀
  ▀█▄█▀
   ▄█▄
 ▄█▀ ▀█▄
▀▀     ▀▀""",
    Sign.UNKNOWN: """\
▄█▀▀▀█▄
     ██
  ▄█▀▀
  ▀▀
  ██""",
}


class Verdict(Horizontal):
    """A coloured banner with the sign, the word and the advice."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 (Textual's own parameter name)
        super().__init__(id=id, classes="verdict")
        self.sign: Sign | None = None

    def compose(self) -> ComposeResult:
        """The sign on the leading side, the words beside it."""
        yield Words(classes="verdict-sign")
        with Vertical(classes="verdict-text"):
            yield Words(classes="verdict-word")
            yield Words(classes="verdict-happened")
            yield Words(classes="verdict-money")
            yield Words(classes="verdict-next")

    def show(self, sign: Sign, word: str, advice: Advice) -> None:
        """Show how it ended and what that means."""
        self.sign = sign
        for each in Sign:
            self.set_class(each is sign, f"-{each}")
        self.query_one(".verdict-sign", Words).show(DRAWINGS[sign])
        self.query_one(".verdict-word", Words).show(word)
        self._put("happened", advice.happened)
        self._put("money", advice.money)
        self._put("next", next_text(advice.next_step))

    def _put(self, part: str, text: str) -> None:
        words = self.query_one(f".verdict-{part}", Words)
        words.show(text)
        words.display = bool(text)
