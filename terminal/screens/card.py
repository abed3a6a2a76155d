"""Card and PIN: the second step of a payment.

Theory of operation. The screen is in one of four states:

* LOOKING: a card is being read, in another thread.
* WAITING: there is no card that can pay; the notice says why and what to do. Only a
  card or reader that comes or goes leaves this state.
* PIN: the card can pay and the customer is to type the PIN.
* PAYING: the PIN is on its way to the card. Nothing on this screen does anything
  until the answer is there; a card pulled out now is part of the answer.

Every look at the card has a number. An answer to an earlier look is thrown away, so
that a card exchanged during a slow read is never shown as the one in the reader.
"""

from __future__ import annotations

from enum import Enum, auto, unique
from functools import partial
from typing import TYPE_CHECKING, ClassVar, assert_never

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from terminal.catalogue import msgid, tr, trn
from terminal.errors import CardProblemCode, CardProblemError
from terminal.orders import Paid, RefusalReason, Refused, Unknown
from terminal.screens.background import begin
from terminal.screens.base import CounterScreen
from terminal.screens.result import ResultScreen
from terminal.widgets.amount import BigAmount
from terminal.widgets.facts import Facts
from terminal.widgets.notice import Notice
from terminal.widgets.pin_entry import DIGITS_MIN, PINEntry
from terminal.widgets.status import SYMBOLS, Level
from terminal.widgets.trail import Step, Trail
from terminal.widgets.words import Words, kind_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult

    from terminal.orders import PaymentOrder, PaymentResult, PurseSeen

# Waiting for a card is the ordinary course of things, not a fault.
ORDINARY_PROBLEMS = frozenset({CardProblemCode.NO_CARD, CardProblemCode.CARD_REMOVED})

CARD_DRAWING = """\
╭────────────────────╮
│  ▗▄▄▖              │
│  ▐█▟▌              │
│       ▪▪▪▪ ▪▪▪▪    │
╰────────────────────╯"""


@unique
class CardState(Enum):
    """What the screen is waiting for."""

    LOOKING = auto()
    WAITING = auto()
    PIN = auto()
    PAYING = auto()


class CardScreen(CounterScreen):
    """Asks for the customer's card and PIN, and has the payment taken."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape", "back", msgid("Back to the details"), key_display=msgid("Esc")
        ),
    ]

    def __init__(self, order: PaymentOrder) -> None:
        super().__init__()
        self.order = order
        self.state = CardState.LOOKING
        self.purse: PurseSeen | None = None
        self._look_number = 0
        self._changed_while_paying = False

    def compose_body(self) -> ComposeResult:
        """The amount on top; below it either a notice or card and PIN."""
        yield Trail(Step.CARD)
        with Vertical(id="card-amount", classes="panel"):
            yield BigAmount(self.order.amount, id="amount-due")
            yield Words(self._purpose(), id="card-purpose")
        yield Notice(id="card-notice")
        yield Words(CARD_DRAWING, id="card-drawing")
        with Horizontal(id="card-columns"):
            with Vertical(id="card-panel", classes="panel"):
                yield Facts(id="card-facts")
            with Vertical(id="pin-panel", classes="panel"):
                yield Words(tr("Customer: please type your PIN."), id="pin-prompt")
                yield PINEntry(id="pin")
                yield Words(id="pin-message")
                yield Words(id="pin-tries")

    def compose_actions(self) -> ComposeResult:
        """The three keys of the PIN entry."""
        with Horizontal(id="pin-keys"):
            yield from _key_caps()

    def on_mount(self) -> None:
        """Name the panels."""
        self.query_one("#card-amount").border_title = tr("Amount to pay")
        self.query_one("#card-panel").border_title = tr("Card")
        self.query_one("#pin-panel").border_title = tr("PIN")

    def resumed(self) -> None:
        """Look at the card again: it may be another one by now."""
        self._look()

    def cards_changed(self) -> None:
        """A card or reader came or went."""
        self._look()

    def allows(self, action: str) -> bool:
        """No way back while the cards are being worked on."""
        return not (action == "back" and self.state is CardState.PAYING)

    def action_back(self) -> None:
        """Back to the details; they are all still there."""
        self._pin.wipe()
        self.app.pop_screen()

    @on(PINEntry.Cancelled)
    def cancel(self) -> None:
        """Cancel at the PIN is cancel of this step."""
        self.action_back()

    @on(PINEntry.TooShort)
    def say_too_short(self) -> None:
        """Confirm came too early."""
        text = tr("A PIN has at least {count} digits.", count=DIGITS_MIN)
        self._say(Level.BAD, text)

    @on(PINEntry.Forgotten)
    def say_forgotten(self) -> None:
        """Nobody finished the PIN."""
        text = tr("Nothing was typed for a minute, so the PIN was wiped. Start again.")
        self._say(Level.WARNING, text)

    @on(PINEntry.Confirmed)
    def take_payment(self) -> None:
        """The customer has consented: take the payment."""
        if self.state is not CardState.PIN or self.purse is None:
            self._pin.wipe()
            return
        self._changed_while_paying = False
        self._enter(CardState.PAYING)
        self.query_one("#card-notice", Notice).show(
            Level.BUSY,
            tr("Taking the payment."),
            money=tr("Leave both cards in their readers."),
        )
        begin(self, partial(self._pay, self.purse), group="pay")

    async def _pay(self, purse: PurseSeen) -> None:
        # The PIN goes straight from the entry to the counter, and never through the
        # arguments of a worker: a worker's arguments are part of its description.
        paying = self.counter_app.pay(self.order, purse, self._pin.take)
        result = await self.hear(paying)
        if isinstance(result, CardProblemError):
            self._show_problem(result)
        else:
            self._show_result(result)

    def _show_result(self, result: PaymentResult) -> None:
        match result:
            case Refused(reason=RefusalReason.PIN_WRONG, can_retry=True):
                self._ask_pin_again(result)
            case Paid() | Refused() | Unknown():
                self._enter(CardState.LOOKING)
                self.app.push_screen(ResultScreen(result))
            case _:
                assert_never(result)

    def _ask_pin_again(self, refused: Refused) -> None:
        self._enter(CardState.PIN)
        self._show_tries(refused.tries_left)
        advice = refused.advice
        self._say(Level.BAD, " ".join((advice.happened, advice.money)))
        if self._changed_while_paying:
            self._look()

    def _look(self) -> None:
        if self.state is CardState.PAYING:
            self._changed_while_paying = True
            return
        self._look_number += 1
        self._pin.wipe()
        self._enter(CardState.LOOKING)
        self.query_one("#card-notice", Notice).show(
            Level.BUSY, tr("Reading the card."), money=tr("Leave it in the reader.")
        )
        begin(
            self, partial(self._read, self._look_number), group="read", exclusive=True
        )

    async def _read(self, number: int) -> None:
        seen = await self.hear(self.counter_app.read_purse(self.order))
        if number != self._look_number or self.state is CardState.PAYING:
            return
        if isinstance(seen, CardProblemError):
            self._show_problem(seen)
        elif isinstance(seen, Refused):
            self._refuse(seen)
        else:
            await self._show_purse(seen)

    def _refuse(self, refused: Refused) -> None:
        # Known without the card's answer, so nobody types a PIN for it. Under another
        # screen it waits: this one looks again when it is uncovered.
        if self.is_current:
            self._show_result(refused)

    def _show_problem(self, problem: CardProblemError) -> None:
        self._enter(CardState.WAITING)
        ordinary = problem.code in ORDINARY_PROBLEMS
        self.query_one("#card-drawing").display = ordinary
        self.query_one("#card-notice", Notice).show_advice(
            Level.BUSY if ordinary else Level.BAD, problem.advice
        )

    async def _show_purse(self, purse: PurseSeen) -> None:
        await self.query_one("#card-facts", Facts).show(self._card_rows(purse))
        self._enter(CardState.PIN)
        self.purse = purse
        self._show_tries(purse.tries_left)

    def _enter(self, state: CardState) -> None:
        self.state = state
        if state is not CardState.PIN:
            self.purse = None if state is not CardState.PAYING else self.purse
        self.query_one("#card-notice").display = state is not CardState.PIN
        self.query_one("#card-columns").display = state is CardState.PIN
        self.query_one("#pin-keys").display = state is CardState.PIN
        self.query_one("#card-drawing").display = False
        self._say(Level.QUIET, "")
        if state is CardState.PIN:
            self._pin.focus()
        else:
            self.set_focus(None)
        self.refresh_bindings()

    def _say(self, level: Level, text: str) -> None:
        words = self.query_one("#pin-message", Words)
        words.show(f"{SYMBOLS[level]} {text}" if text else "")
        for each in Level:
            words.set_class(each is level, f"-{each}")

    def _show_tries(self, tries: int | None) -> None:
        words = self.query_one("#pin-tries", Words)
        words.set_class(tries == 1, "-warning")
        if tries is None:
            words.show("")
        elif tries == 1:
            words.show(f"▲ {tr('1 try left: it is the last.')}")
        else:
            words.show(trn("{count} try left", "{count} tries left", count=tries))

    @property
    def _pin(self) -> PINEntry:
        return self.query_one("#pin", PINEntry)

    def _purpose(self) -> str:
        return tr(
            "{kind} for declaration {declaration}",
            kind=kind_name(self.order.kind),
            declaration=self.order.declaration,
        )

    def _card_rows(self, purse: PurseSeen) -> Iterable[tuple[str, str]]:
        yield tr("Holder"), purse.holder
        yield tr("Number"), purse.card_number_masked
        yield tr("Valid until"), f"{purse.expiry:%Y-%m-%d}"
        yield tr("Balance"), str(purse.balance)
        if self.order.amount <= purse.balance:
            yield tr("Afterwards"), str(purse.balance - self.order.amount)


def _key_caps() -> Iterable[Words]:
    for key, what in (
        (tr("Enter"), tr("Confirm")),
        (tr("Backspace"), tr("Correct")),
        (tr("Esc"), tr("Cancel")),
    ):
        yield Words(f" {key} ", classes="key-cap")
        yield Words(what, classes="key-cap-what")
