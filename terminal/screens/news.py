"""What became of payments that were cut short, in a window and in words.

The window stays until it is acknowledged, and what it said is kept on the list of
interrupted payments (F7) for as long as the program runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Button

from terminal.catalogue import tr
from terminal.orders import RecoveryVerdict
from terminal.screens.dialogs import Dialog
from terminal.widgets.notice import Notice
from terminal.widgets.status import Level
from terminal.widgets.words import Words, date_text, time_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from textual.app import ComposeResult

    from terminal.app import CounterApp
    from terminal.orders import Receipt, RecoveryOutcome

LEVELS = {
    RecoveryVerdict.PAID: Level.GOOD,
    RecoveryVerdict.NOT_PAID: Level.QUIET,
    RecoveryVerdict.LEFT_TO_BANK: Level.WARNING,
    RecoveryVerdict.STILL_UNKNOWN: Level.WARNING,
}


class News(Dialog):
    """Tells how interrupted payments have ended, or that they have not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "take_again", show=False),
    ]

    def __init__(self, outcomes: Sequence[RecoveryOutcome]) -> None:
        super().__init__(
            title=tr("News of interrupted payments"), agree=tr("Understood (Enter)")
        )
        self.outcomes = tuple(outcomes)

    def compose_content(self) -> ComposeResult:
        """One box for each payment, with the receipt of a paid one."""
        local = self._counter_app.local
        for index, outcome in enumerate(self.outcomes):
            yield Words(what_text(outcome), classes="news-what")
            yield Notice(id=f"news-{index}")
            if outcome.receipt is not None:
                text = receipt_text(outcome.receipt, local)
                yield Words(text, classes="news-receipt")
        if self._not_paid and self._to_take_again is None:
            yield Words(
                tr("To take it again when this is done: F7 on the first screen."),
                classes="news-what",
            )

    def compose_buttons(self) -> Iterable[Button]:
        """The second key only where it can do something."""
        yield from super().compose_buttons()
        if self._to_take_again is not None:
            yield Button(tr("Take it again (F2)"), id="again")

    def on_mount(self) -> None:
        """Fill the boxes."""
        for index, outcome in enumerate(self.outcomes):
            notice = self.query_one(f"#news-{index}", Notice)
            notice.show_advice(LEVELS[outcome.verdict], outcome.advice)

    @on(Button.Pressed, "#again")
    def action_take_again(self) -> None:
        """Begin the payment that was not made, with all its details."""
        outcome = self._to_take_again
        if outcome is not None:
            self._counter_app.take_again(outcome)

    @property
    def _not_paid(self) -> list[RecoveryOutcome]:
        return [
            outcome
            for outcome in self.outcomes
            if outcome.verdict is RecoveryVerdict.NOT_PAID
        ]

    @property
    def _to_take_again(self) -> RecoveryOutcome | None:
        """The one that F2 is about; of several each is chosen on the list."""
        app = self._counter_app
        possible = [each for each in self._not_paid if app.can_take_again(each)]
        return possible[0] if len(possible) == 1 else None

    @property
    def _counter_app(self) -> CounterApp:
        return cast("CounterApp", self.app)


def what_text(outcome: RecoveryOutcome) -> str:
    """Which payment it is about."""
    return tr(
        "{declaration} · {amount} · card {card}",
        declaration=outcome.declaration or tr("declaration not known"),
        amount=outcome.amount,
        card=outcome.card_number_masked,
    )


def receipt_text(receipt: Receipt, local: Callable[[datetime], datetime]) -> str:
    """What stands on the receipt beside the order, in one line."""
    at = local(receipt.at)
    return tr(
        "Receipt {number} · {date} {time} · approval {approval} · balance {balance}",
        number=receipt.number,
        date=date_text(at),
        time=time_text(at),
        approval=receipt.approval,
        balance=receipt.balance_after,
    )
