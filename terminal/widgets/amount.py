"""An amount big enough for the customer to read across the counter.

Never cut: where the big digits do not fit, the same amount stands there in small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.containers import Horizontal
from textual.renderables.digits import Digits as DigitsRenderable
from textual.widgets import Digits

from settlement.money import format_amount
from terminal.widgets.words import Words

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from settlement.money import Money

# Columns between the digits and the currency, as the style sheet has it.
CURRENCY_PADDING = 2


class BigAmount(Horizontal):
    """Digits three rows high, with the currency beside them."""

    def __init__(self, money: Money | None = None, *, id: str | None = None) -> None:  # noqa: A002 (Textual's own parameter name)
        super().__init__(id=id, classes="big-amount")
        self.money = money

    def compose(self) -> ComposeResult:
        """Digits, then the currency at their foot; or all of it in small."""
        yield Digits(self._digits(), classes="big-amount-digits")
        yield Words(self._currency(), classes="big-amount-currency")
        yield Words(self._small(), classes="big-amount-small")

    def show(self, money: Money | None) -> None:
        """Show another amount, or dashes while there is none."""
        if money == self.money:
            return
        self.money = money
        self.query_one(Digits).update(self._digits())
        self.query_one(".big-amount-currency", Words).show(self._currency())
        self.query_one(".big-amount-small", Words).show(self._small())
        self._fit()

    def on_mount(self) -> None:
        """Choose between big and small."""
        self._fit()

    def on_resize(self) -> None:
        """Choose again when there is more or less room."""
        self._fit()

    def _fit(self) -> None:
        room = self.content_size.width
        needed = DigitsRenderable.get_width(self._digits())
        needed += cell_len(self._currency()) + CURRENCY_PADDING
        self.set_class(0 < room < needed, "-small")

    def _small(self) -> str:
        return "" if self.money is None else str(self.money)

    def _digits(self) -> str:
        if self.money is None:
            return "---"
        return format_amount(self.money.amount_minor, self.money.currency)

    def _currency(self) -> str:
        return "" if self.money is None else self.money.currency.code
