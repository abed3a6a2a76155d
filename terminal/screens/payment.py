"""The details of a payment: declaration, amount, kind. Nothing typed is lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input

from settlement.errors import AmountError
from settlement.money import format_amount, parse_amount
from settlement.payment import PaymentKind
from terminal.catalogue import msgid, tr
from terminal.errors import InputError, InputField
from terminal.screens.background import HOLDS_KEYS, begin
from terminal.screens.base import CounterScreen
from terminal.screens.card import CardScreen
from terminal.screens.earlier import EarlierWarning
from terminal.widgets.amount import BigAmount
from terminal.widgets.choice import KindChoice
from terminal.widgets.field import Field
from terminal.widgets.trail import Step, Trail
from terminal.widgets.words import Words

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.events import DescendantBlur

    from settlement.money import Currency, Money
    from terminal.orders import PaymentOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What has been typed for a payment that is not over yet."""

    declaration: str = ""
    amount: str = ""
    kind: PaymentKind = PaymentKind.FEES


class PaymentScreen(CounterScreen):
    """The first step of a payment.

    Every keystroke goes into the app's draft, so that leaving the screen for any
    reason keeps it; a paid payment, or F6, ends the draft.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "proceed", msgid("Go on to the card"), key_display="F2"),
        Binding("f6", "clear", msgid("Clear"), key_display="F6"),
        Binding("escape", "back", msgid("Back"), key_display=msgid("Esc")),
    ]

    def compose_body(self) -> ComposeResult:
        """Three fields, and the amount as it will be asked for."""
        draft = self.counter_app.draft
        yield Trail(Step.DETAILS)
        with Horizontal(id="payment-columns"):
            with Vertical(id="payment-form"):
                yield from self._fields(draft)
            with Vertical(id="payment-preview", classes="panel"):
                yield BigAmount(id="preview-amount")
                yield Words(tr("The customer sees this amount."), classes="quiet")

    def compose_actions(self) -> ComposeResult:
        """The way on."""
        yield Button(tr("Go on to the card (F2)"), id="proceed", variant="primary")

    def on_mount(self) -> None:
        """Start in the first field."""
        self.query_one("#payment-preview").border_title = tr("Amount to pay")
        self.query_one("#declaration", Input).focus()
        self._draw_preview()

    def resumed(self) -> None:
        """What stands in the fields is the draft, whatever became of it meanwhile."""
        self.counter_app.draft = Draft(
            declaration=self.query_one("#declaration", Input).value,
            amount=self.query_one("#amount", Input).value,
            kind=self.query_one(KindChoice).kind,
        )

    @on(Input.Changed, "#declaration")
    def keep_declaration(self, changed: Input.Changed) -> None:
        """Keep what was typed; a problem ends with the next change."""
        app = self.counter_app
        app.draft = replace(app.draft, declaration=changed.value)
        self._field(InputField.DECLARATION).clear_problem()

    @on(Input.Changed, "#amount")
    def keep_amount(self, changed: Input.Changed) -> None:
        """Keep what was typed and show it as an amount."""
        app = self.counter_app
        app.draft = replace(app.draft, amount=changed.value)
        self._field(InputField.AMOUNT).clear_problem()
        self._draw_preview()

    @on(KindChoice.Changed)
    def keep_kind(self, changed: KindChoice.Changed) -> None:
        """Keep what was chosen."""
        self.counter_app.draft = replace(self.counter_app.draft, kind=changed.kind)
        self._field(InputField.KIND).clear_problem()

    @on(Input.Submitted)
    def next_field(self) -> None:
        """Enter goes to the next field."""
        self.focus_next()

    @on(KindChoice.Submitted)
    @on(Button.Pressed, "#proceed")
    def action_proceed(self) -> None:
        """Check everything and go on to the card."""
        begin(self, self._proceed, group=HOLDS_KEYS, exclusive=True)

    def action_clear(self) -> None:
        """Begin with empty fields."""
        self.query_one("#declaration", Input).value = ""
        self.query_one("#amount", Input).value = ""
        self.query_one(KindChoice).choose(PaymentKind.FEES)
        for field in InputField:
            self._field(field).clear_problem()
        self.query_one("#declaration", Input).focus()

    def action_back(self) -> None:
        """Go home; what was typed is kept for the next F2."""
        self.counter_app.go_home()

    def on_descendant_blur(self, event: DescendantBlur) -> None:
        """Check a field when it is left, if there is something in it."""
        if isinstance(event.widget, Input) and event.widget.value.strip():
            left = InputField(event.widget.id or "")
            begin(self, partial(self._check, left), group="check", exclusive=True)

    async def _proceed(self) -> None:
        try:
            order = await self.hear(
                self.counter_app.check_order(self.counter_app.draft)
            )
        except InputError as error:
            field = self._field(error.field)
            field.show_problem(error.message)
            field.control.focus()
        else:
            await self._to_card(order)

    async def _to_card(self, order: PaymentOrder) -> None:
        """On to the card, unless an earlier payment speaks against it."""
        earlier = await self.hear(self.counter_app.earlier_payments(order))
        if earlier is None:
            # What went wrong is in a window of its own.
            return
        if not earlier:
            self.app.push_screen(CardScreen(order))
            return

        def answer(go_on: bool | None) -> None:
            if go_on:
                begin(self, partial(self._go_on, order), group=HOLDS_KEYS)

        self.app.push_screen(EarlierWarning(earlier), answer)

    async def _go_on(self, order: PaymentOrder) -> None:
        warned = await self.hear(self.counter_app.go_on_all_the_same(order))
        if warned is not None:
            self.app.push_screen(CardScreen(warned))

    async def _check(self, left: InputField) -> None:
        draft = self.counter_app.draft
        try:
            await self.hear(self.counter_app.check_order(draft))
        except InputError as error:
            # The check stops at the first problem, which may be in a field that has
            # not been reached yet; nobody wants to be told about that one now.
            if error.field is left and draft == self.counter_app.draft:
                self._field(left).show_problem(error.message)

    def _fields(self, draft: Draft) -> ComposeResult:
        currency = self.counter_app.picture.currency
        yield Field(
            Input(draft.declaration, id="declaration"),
            label=tr("Declaration number"),
            hint=tr("As printed on the customs declaration."),
            id="field-declaration",
        )
        yield Field(
            Input(draft.amount, id="amount"),
            label=tr("Amount in {currency}", currency=currency.code),
            hint=tr("Such as {example}.", example=_example(currency)),
            id="field-amount",
        )
        yield Field(
            KindChoice(draft.kind, id="kind"),
            label=tr("What it pays"),
            hint=tr("The arrow keys choose. Deposits can be paid back later."),
            id="field-kind",
        )

    def _field(self, field: InputField) -> Field:
        return self.query_one(f"#field-{field}", Field)

    def _draw_preview(self) -> None:
        self.query_one("#preview-amount", BigAmount).show(self._previewed())

    def _previewed(self) -> Money | None:
        app = self.counter_app
        try:
            return parse_amount(app.draft.amount, app.picture.currency)
        except AmountError:
            return None


def _example(currency: Currency) -> str:
    """An amount of twelve and a half, as far as the currency has decimals."""
    return format_amount(25 * 10**currency.exponent // 2, currency)
