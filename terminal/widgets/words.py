"""Text as the counter shows it: never markup, and values in one form everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from textual.widgets import Static

from settlement.payment import PaymentKind
from terminal.catalogue import tr

if TYPE_CHECKING:
    from datetime import datetime


class Words(Static):
    """A text that is shown exactly as it is.

    Brackets in a holder's name are brackets: nothing in it is taken as markup.
    """

    def __init__(
        self,
        text: str = "",
        *,
        id: str | None = None,  # noqa: A002 (Textual's own parameter name)
        classes: str = "",
    ) -> None:
        super().__init__(text, markup=False, id=id, classes=classes)
        self.text = text

    def show(self, text: str) -> None:
        """Show another text; the same one again costs nothing."""
        if text != self.text:
            self.text = text
            self.update(text)


def kind_name(kind: PaymentKind) -> str:
    """What a payment pays, for people."""
    match kind:
        case PaymentKind.FEES:
            return tr("Fees")
        case PaymentKind.DEPOSITS:
            return tr("Deposit")
        case PaymentKind.PURCHASE:
            return tr("Purchase")
        case _:
            assert_never(kind)


def date_text(moment: datetime) -> str:
    """A date in the one form that is the same in every language: 2026-11-23."""
    return f"{moment:%Y-%m-%d}"


def time_text(moment: datetime) -> str:
    """Hours and minutes of the day: 14:05."""
    return f"{moment:%H:%M}"
