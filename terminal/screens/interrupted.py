"""Payments that were cut short: each one, its state, and what will become of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, assert_never

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from terminal.catalogue import msgid, plain, tr
from terminal.orders import InterruptedState
from terminal.screens.background import begin
from terminal.screens.base import CounterScreen
from terminal.widgets.notice import Notice
from terminal.widgets.status import Level
from terminal.widgets.words import date_text, time_text

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from terminal.orders import InterruptedPayment


class InterruptedScreen(CounterScreen):
    """The list, and the words about the one that is marked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", msgid("Back"), key_display=msgid("Esc")),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.payments: tuple[InterruptedPayment, ...] = ()

    def compose_body(self) -> ComposeResult:
        """List above, words below."""
        with Vertical(id="interrupted-panel", classes="panel"):
            yield OptionList(id="interrupted-list", markup=False)
        yield Notice(id="interrupted-notice")

    def on_mount(self) -> None:
        """Name the panel."""
        title = tr("Interrupted payments")
        self.query_one("#interrupted-panel").border_title = title

    def resumed(self) -> None:
        """Read the list anew."""
        self._load()

    def cards_changed(self) -> None:
        """A card that came back may have settled one."""
        self._load()

    def action_back(self) -> None:
        """Go home."""
        self.counter_app.go_home()

    @on(OptionList.OptionHighlighted)
    def explain(self, marked: OptionList.OptionHighlighted) -> None:
        """Say what will become of the marked one."""
        if marked.option_index < len(self.payments):
            self._show_words(self.payments[marked.option_index])

    def _load(self) -> None:
        begin(self, self._read, group="interrupted", exclusive=True)

    async def _read(self) -> None:
        self.payments = await self.hear(self.counter_app.interrupted_payments())
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(Option(self._line(each)) for each in self.payments)
        self.query_one("#interrupted-panel").display = bool(self.payments)
        if self.payments:
            options.highlighted = 0
            options.focus()
            self._show_words(self.payments[0])
        else:
            self.query_one("#interrupted-notice", Notice).show(
                Level.GOOD,
                tr("No payment is interrupted."),
                money=tr("Every payment has come to its end."),
                next_step=tr("Press Esc to go back."),
            )

    def _show_words(self, payment: InterruptedPayment) -> None:
        notice = self.query_one("#interrupted-notice", Notice)
        notice.show_advice(Level.WARNING, payment.advice)

    def _line(self, payment: InterruptedPayment) -> str:
        at = self.counter_app.local(payment.at)
        first = tr(
            "{date} {time}   {declaration}   {amount}",
            date=date_text(at),
            time=time_text(at),
            declaration=payment.declaration or tr("declaration not known"),
            amount=payment.amount,
        )
        second = tr(
            "card {card} · {state}",
            card=plain(payment.card_number_masked),
            state=state_name(payment.state),
        )
        return f"{first}\n{second}"


def state_name(state: InterruptedState) -> str:
    """What is still open, for people."""
    match state:
        case InterruptedState.UNKNOWN:
            return tr("not known whether it was paid")
        case InterruptedState.PAID_NOT_CREDITED:
            return tr("paid; the customs card takes it over next")
        case InterruptedState.LEFT_TO_BANK:
            return tr("left to the bank to decide")
        case _:
            assert_never(state)
