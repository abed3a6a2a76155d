"""Payments that were cut short: each one, its state, and what will become of it.

The open ones come first; below them stands what has been settled since the program was
started, so that no news is lost by a key pressed too soon. A paid one shows its
receipt, and one that was not made can be taken again with all its details.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeAlias, assert_never

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Button, OptionList
from textual.widgets.option_list import Option

from terminal.catalogue import msgid, plain, tr
from terminal.orders import (
    InterruptedPayment,
    InterruptedState,
    RecoveryOutcome,
    RecoveryVerdict,
)
from terminal.screens.background import begin
from terminal.screens.base import CounterScreen
from terminal.screens.news import LEVELS, receipt_text
from terminal.widgets.notice import Notice
from terminal.widgets.status import Level
from terminal.widgets.words import Words, date_text, time_text

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from terminal.snapshot import CounterSnapshot

Line: TypeAlias = InterruptedPayment | RecoveryOutcome


class InterruptedScreen(CounterScreen):
    """The list, and the words about the one that is marked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "take_again", msgid("Take it again"), key_display="F2"),
        Binding("escape", "back", msgid("Back"), key_display=msgid("Esc")),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.lines: tuple[Line, ...] = ()
        self._drawn_count = -1

    def compose_body(self) -> ComposeResult:
        """List above, words below."""
        with Vertical(id="interrupted-panel", classes="panel"):
            yield OptionList(id="interrupted-list", markup=False)
        yield Notice(id="interrupted-notice")
        yield Words(id="interrupted-receipt")

    def compose_actions(self) -> ComposeResult:
        """The way on for a payment that was not made."""
        yield Button(tr("Take it again (F2)"), id="again", variant="primary")

    def on_mount(self) -> None:
        """Name the panel."""
        title = tr("Interrupted payments")
        self.query_one("#interrupted-panel").border_title = title
        self._show_nothing()

    def resumed(self) -> None:
        """Read the list anew."""
        self._load()

    def cards_changed(self) -> None:
        """A card that came back may have settled one."""
        self._load()

    def draw_body(self, picture: CounterSnapshot) -> None:
        """Read the list anew when it has become longer or shorter."""
        if self._drawn_count not in {-1, picture.interrupted}:
            self._load()

    def allows(self, action: str) -> bool:
        """Only what was not made can be taken again."""
        if action != "take_again":
            return True
        marked = self._marked
        return isinstance(marked, RecoveryOutcome) and (
            self.counter_app.can_take_again(marked)
        )

    def action_back(self) -> None:
        """Go home."""
        self.counter_app.go_home()

    @on(Button.Pressed, "#again")
    def action_take_again(self) -> None:
        """Begin the marked payment with the details that it had."""
        marked = self._marked
        if isinstance(marked, RecoveryOutcome):
            self.counter_app.take_again(marked)

    @on(OptionList.OptionHighlighted)
    def explain(self) -> None:
        """Say what will become of the marked one."""
        self._show_marked()

    @property
    def _marked(self) -> Line | None:
        index = self.query_one(OptionList).highlighted
        if index is None or index >= len(self.lines):
            return None
        return self.lines[index]

    def _load(self) -> None:
        begin(self, self._read, group="interrupted", exclusive=True)

    async def _read(self) -> None:
        payments = await self.hear(self.counter_app.interrupted_payments())
        marked = self._marked
        still_open = {payment.number for payment in payments}
        settled = [
            outcome
            for outcome in self.counter_app.settled.newest_first
            if outcome.number not in still_open
        ]
        self.lines = (*payments, *settled)
        self._drawn_count = len(payments)
        self._fill(None if marked is None else marked.number)

    def _fill(self, marked_number: int | None) -> None:
        """Draw the list; the mark stays on the payment that it stood on."""
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(Option(self._text(line)) for line in self.lines)
        self.query_one("#interrupted-panel").display = bool(self.lines)
        if not self.lines:
            self._show_nothing()
            return
        numbers = [line.number for line in self.lines]
        options.highlighted = 0
        if marked_number is not None and marked_number in numbers:
            options.highlighted = numbers.index(marked_number)
        options.focus()
        self._show_marked()

    def _show_nothing(self) -> None:
        self.query_one("#interrupted-notice", Notice).show(
            Level.GOOD,
            tr("No payment is interrupted."),
            money=tr("Every payment has come to its end."),
            next_step=tr("Press Esc to go back."),
        )
        self.query_one("#interrupted-receipt").display = False
        self.query_one("#again").display = False

    def _show_marked(self) -> None:
        marked = self._marked
        if marked is None:
            return
        notice = self.query_one("#interrupted-notice", Notice)
        receipt = self.query_one("#interrupted-receipt", Words)
        receipt.display = False
        if isinstance(marked, InterruptedPayment):
            notice.show_advice(Level.WARNING, marked.advice)
        else:
            notice.show_advice(LEVELS[marked.verdict], marked.advice)
            if marked.receipt is not None:
                receipt.show(receipt_text(marked.receipt, self.counter_app.local))
                receipt.display = True
        self.query_one("#again").display = self.allows("take_again")
        self.refresh_bindings()

    def _text(self, line: Line) -> str:
        if isinstance(line, RecoveryOutcome):
            return self._settled_text(line)
        at = self.counter_app.local(line.at)
        first = tr(
            "{date} {time}   {declaration}   {amount}",
            date=date_text(at),
            time=time_text(at),
            declaration=line.declaration or tr("declaration not known"),
            amount=line.amount,
        )
        return f"{first}\n{_second(line, state_name(line.state))}"

    def _settled_text(self, line: RecoveryOutcome) -> str:
        first = tr(
            "{mark} settled   {declaration}   {amount}",
            mark="✓",
            declaration=line.declaration or tr("declaration not known"),
            amount=line.amount,
        )
        return f"{first}\n{_second(line, _verdict_name(line))}"


def _second(line: Line, state: str) -> str:
    return tr("card {card} · {state}", card=plain(line.card_number_masked), state=state)


def _verdict_name(outcome: RecoveryOutcome) -> str:
    match outcome.verdict:
        case RecoveryVerdict.PAID:
            return tr("it is paid: receipt {number}", number=outcome.receipt_number)
        case RecoveryVerdict.NOT_PAID:
            return tr("it was not made: nothing was taken")
        case RecoveryVerdict.LEFT_TO_BANK | RecoveryVerdict.STILL_UNKNOWN:
            raise AssertionError("what is not known yet is not settled")
        case _:
            assert_never(outcome.verdict)


def state_name(state: InterruptedState) -> str:
    """What is still open, for people."""
    match state:
        case InterruptedState.UNKNOWN:
            return tr("not known yet whether it was paid")
        case InterruptedState.PAID_NOT_CREDITED:
            return tr("paid; the customs card takes it over next")
        case InterruptedState.LEFT_TO_BANK:
            return tr("left to the bank to decide")
        case InterruptedState.PAID:
            return tr("paid")
        case _:
            assert_never(state)
