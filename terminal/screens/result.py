"""How the payment ended: the third step.

Paid and refused are final. *Not known yet* is neither: the screen stays until the
same card is put back and the counter has found out, or until the clerk leaves it to
the list of interrupted payments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, assert_never

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Button

from terminal.catalogue import msgid, tr
from terminal.orders import (
    Paid,
    Receipt,
    RecoveryVerdict,
    RefusalReason,
    Refused,
    Unknown,
)
from terminal.screens.base import CounterScreen
from terminal.widgets.facts import Facts
from terminal.widgets.trail import Step, Trail
from terminal.widgets.verdict import Sign, Verdict
from terminal.widgets.words import date_text, kind_name, time_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult

    from terminal.errors import Advice
    from terminal.orders import PaymentResult, RecoveryOutcome

# Refusals on this side of the counter: whatever card comes, they stay.
NOT_THE_CARD = frozenset(
    {
        RefusalReason.NO_CUSTOMS_CARD,
        RefusalReason.CUSTOMS_CARD_FULL,
        RefusalReason.DISK_FULL,
        RefusalReason.DISK_READ_ONLY,
        RefusalReason.DISK_NO_PERMISSION,
        RefusalReason.DISK_MISSING,
        RefusalReason.DISK_FAILED,
        RefusalReason.JOURNAL_FAILED,
    }
)


class ResultScreen(CounterScreen):
    """Paid, refused, or not known yet."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go_on", msgid("Go on"), key_display=msgid("Enter")),
        Binding("f2", "new_payment", msgid("New payment"), key_display="F2"),
        Binding("escape", "back", msgid("Back"), key_display=msgid("Esc")),
    ]

    # Enter belongs to the screen: a button takes no second press for a while.
    AUTO_FOCUS: ClassVar[str | None] = ""

    def __init__(self, result: PaymentResult) -> None:
        super().__init__()
        self.result = result
        self.outcome: RecoveryOutcome | None = None

    @property
    def sign(self) -> Sign:
        """How the payment stands now."""
        if self.outcome is not None:
            return _sign_of_outcome(self.outcome.verdict)
        match self.result:
            case Paid():
                return Sign.PAID
            case Refused():
                return Sign.REFUSED
            case Unknown():
                return Sign.UNKNOWN
            case _:
                assert_never(self.result)

    def compose_body(self) -> ComposeResult:
        """Verdict and facts."""
        yield Trail(Step.RESULT)
        yield Verdict(id="verdict")
        yield Facts(self._rows(), id="result-facts", pairs=True)

    def compose_actions(self) -> ComposeResult:
        """What can be done now depends on the verdict."""
        yield Button("", id="go-on", variant="primary")
        yield Button("", id="back")

    def on_mount(self) -> None:
        """Show how it ended."""
        self._show()

    def settle(self, outcome: RecoveryOutcome) -> bool:
        """The card was put back and the counter has found out more."""
        if outcome.number != self.result.number:
            return False
        self.outcome = outcome
        self.call_later(self._show_outcome)
        return True

    def allows(self, action: str) -> bool:
        """Only what makes sense for this ending."""
        match action:
            case "go_on":
                return self._can_go_on
            case "new_payment":
                return self.sign is Sign.PAID
            case "back":
                return self.sign is not Sign.PAID
            case _:
                return True

    @on(Button.Pressed, "#go-on")
    def action_go_on(self) -> None:
        """Home after a payment; the card again after a refusal."""
        if self.sign is Sign.PAID:
            self.counter_app.go_home()
        else:
            self.app.pop_screen()

    def action_new_payment(self) -> None:
        """Straight on to the next customer."""
        self.counter_app.go_home()
        self.counter_app.action_new_payment()

    @on(Button.Pressed, "#back")
    def action_back(self) -> None:
        """To the details, all kept, or to the list of interrupted payments."""
        self.counter_app.go_home()
        if self.sign is Sign.UNKNOWN:
            self.counter_app.action_interrupted()
        else:
            self.counter_app.change_details(self.result.order)

    async def _show_outcome(self) -> None:
        await self.query_one("#result-facts", Facts).show(self._rows())
        self._show()

    def _show(self) -> None:
        self.query_one("#verdict", Verdict).show(self.sign, self._word(), self._advice)
        go_on = self.query_one("#go-on", Button)
        back = self.query_one("#back", Button)
        go_on.display = self._can_go_on
        back.display = self.sign is not Sign.PAID
        match self.sign:
            case Sign.PAID:
                go_on.label = tr("Done (Enter)")
            case Sign.REFUSED:
                go_on.label = (
                    tr("Another card (Enter)")
                    if self._another_card_helps
                    else tr("Try again (Enter)")
                )
                back.label = tr("Change the details (Esc)")
            case Sign.UNKNOWN:
                back.label = tr("Leave it on the list (Esc)")
            case _:
                assert_never(self.sign)
        self.refresh_bindings()

    @property
    def _another_card_helps(self) -> bool:
        return (
            isinstance(self.result, Refused)
            and not self.result.can_retry
            and self.result.reason not in NOT_THE_CARD
        )

    @property
    def _can_go_on(self) -> bool:
        """Not where nothing but the details can be gone back to."""
        result = self.result
        if isinstance(result, Refused) and self.outcome is None:
            return result.reason is not RefusalReason.EARLIER_PAYMENT
        return self.sign is not Sign.UNKNOWN

    @property
    def _advice(self) -> Advice:
        return self.result.advice if self.outcome is None else self.outcome.advice

    def _word(self) -> str:
        amount = self.result.order.amount
        match self.sign:
            case Sign.PAID:
                return tr("PAID · {amount}", amount=amount)
            case Sign.REFUSED:
                return tr("NOT PAID · {amount}", amount=amount)
            case Sign.UNKNOWN:
                return tr("NOT KNOWN YET · {amount}", amount=amount)
            case _:
                assert_never(self.sign)

    def _rows(self) -> Iterable[tuple[str, str]]:
        order = self.result.order
        yield tr("Kind"), kind_name(order.kind)
        yield tr("Declaration"), order.declaration
        if self.outcome is not None:
            yield tr("Card"), self.outcome.card_number_masked
            if self.outcome.receipt is not None:
                yield from self._receipt_rows(self.outcome.receipt)
        elif isinstance(self.result, Paid):
            yield tr("Card"), self.result.card_number_masked
            yield from self._receipt_rows(_receipt_of(self.result))
        elif isinstance(self.result, Unknown):
            yield tr("Card"), self.result.card_number_masked

    def _receipt_rows(self, receipt: Receipt) -> Iterable[tuple[str, str]]:
        at = self.counter_app.local(receipt.at)
        yield tr("Balance now"), str(receipt.balance_after)
        yield tr("Receipt"), str(receipt.number)
        yield tr("Approval"), receipt.approval
        yield tr("Time"), tr("{date}  {time}", date=date_text(at), time=time_text(at))


def _sign_of_outcome(verdict: RecoveryVerdict) -> Sign:
    match verdict:
        case RecoveryVerdict.PAID:
            return Sign.PAID
        case RecoveryVerdict.NOT_PAID:
            return Sign.REFUSED
        case RecoveryVerdict.LEFT_TO_BANK | RecoveryVerdict.STILL_UNKNOWN:
            return Sign.UNKNOWN
        case _:
            assert_never(verdict)


def _receipt_of(paid: Paid) -> Receipt:
    return Receipt(
        number=paid.receipt_number,
        at=paid.at,
        approval=paid.approval,
        balance_after=paid.balance_after,
    )
