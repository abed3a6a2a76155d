"""Names and values in two columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Grid

from terminal.catalogue import plain
from terminal.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult


class Facts(Grid):
    """A small table of what is known.

    Args:
        rows: names and values.
        id: the widget's id.
        pairs: two names and values in each row instead of one.
    """

    def __init__(
        self,
        rows: Iterable[tuple[str, str]] = (),
        *,
        id: str,  # noqa: A002 (Textual's own parameter name)
        pairs: bool = False,
    ) -> None:
        super().__init__(id=id, classes="facts -pairs" if pairs else "facts")
        self._rows = tuple(rows)

    def compose(self) -> ComposeResult:
        """Name and value of each row."""
        yield from self._cells()

    async def show(self, rows: Iterable[tuple[str, str]]) -> None:
        """Show other rows."""
        fresh = tuple(rows)
        if fresh != self._rows:
            self._rows = fresh
            await self.recompose()

    def _cells(self) -> ComposeResult:
        for name, value in self._rows:
            yield Words(name, classes="fact-name")
            yield Words(plain(value), classes="fact-value")
