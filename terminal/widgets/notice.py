"""A few sentences that must be seen: what happened, about the money, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal, Vertical

from terminal.catalogue import tr
from terminal.widgets.status import SYMBOLS, Level
from terminal.widgets.words import Words

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from terminal.errors import Advice


class Notice(Horizontal):
    """A box with a symbol, a headline, and what to do next in its own line."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 (Textual's own parameter name)
        super().__init__(id=id, classes="notice")

    def compose(self) -> ComposeResult:
        """Symbol on the leading side, the sentences beside it."""
        yield Words(classes="notice-symbol")
        with Vertical(classes="notice-text"):
            yield Words(classes="notice-happened")
            yield Words(classes="notice-money")
            yield Words(classes="notice-next")

    @property
    def text(self) -> str:
        """All the sentences, for whoever must know what is shown."""
        parts = ("happened", "money", "next")
        return " ".join(self.query_one(f".notice-{part}", Words).text for part in parts)

    def show(
        self, level: Level, happened: str, *, money: str = "", next_step: str = ""
    ) -> None:
        """Show these sentences; empty ones take no room."""
        for each in Level:
            self.set_class(each is level, f"-{each}")
        self.query_one(".notice-symbol", Words).show(SYMBOLS[level])
        self._put("happened", happened)
        self._put("money", money)
        self._put("next", next_text(next_step))

    def show_advice(self, level: Level, advice: Advice) -> None:
        """Show what happened, whether money moved, and what to do next."""
        self.show(
            level, advice.happened, money=advice.money, next_step=advice.next_step
        )

    def _put(self, part: str, text: str) -> None:
        words = self.query_one(f".notice-{part}", Words)
        words.show(text)
        words.display = bool(text)


def next_text(next_step: str) -> str:
    """The next step, introduced as such."""
    return tr("Next: {what}", what=next_step) if next_step else ""
