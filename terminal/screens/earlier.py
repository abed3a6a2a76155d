"""The warning before a second payment for the same declaration.

Enter and Esc lead back, as they do by reflex. Going on takes a key that is used for
nothing else, so that nobody goes on without having read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Button

from terminal.catalogue import tr
from terminal.screens.dialogs import Dialog
from terminal.widgets.notice import Notice
from terminal.widgets.status import Level
from terminal.widgets.words import Words, date_text, time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.app import ComposeResult

    from terminal.app import CounterApp
    from terminal.orders import InterruptedPayment


class EarlierWarning(Dialog):
    """Names the earlier payments; answers True to go on all the same."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f4", "go_on", show=False),
    ]
    # Whoever agrees with a warning does not go on.
    AGREED: ClassVar[bool] = False

    def __init__(self, earlier: Sequence[InterruptedPayment]) -> None:
        super().__init__(
            title=tr("Wait: there is an earlier payment for this declaration"),
            agree=tr("Do not take it (Enter)"),
        )
        self.earlier = tuple(earlier)

    def compose_content(self) -> ComposeResult:
        """One box for each earlier payment."""
        for index, payment in enumerate(self.earlier):
            yield Words(self._what(payment), classes="news-what")
            yield Notice(id=f"earlier-{index}")

    def compose_buttons(self) -> Iterable[Button]:
        """The safe way first; the other one has no place in the round of Tab."""
        yield from super().compose_buttons()
        go_on = Button(tr("Take it all the same (F4)"), id="go-on")
        go_on.can_focus = False
        yield go_on

    def on_mount(self) -> None:
        """Fill the boxes."""
        for index, payment in enumerate(self.earlier):
            level = Level.BAD if payment.state.is_paid else Level.WARNING
            notice = self.query_one(f"#earlier-{index}", Notice)
            notice.show_advice(level, payment.advice)

    @on(Button.Pressed, "#go-on")
    def action_go_on(self) -> None:
        """Go on in spite of it."""
        self.dismiss(True)

    def _what(self, payment: InterruptedPayment) -> str:
        at = cast("CounterApp", self.app).local(payment.at)
        return tr(
            "{date} {time} · {declaration} · {amount} · card {card}",
            date=date_text(at),
            time=time_text(at),
            declaration=payment.declaration,
            amount=payment.amount,
            card=payment.card_number_masked,
        )
