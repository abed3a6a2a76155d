"""One of a few: all of them in sight, the arrow keys go from one to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message

from settlement.payment import PaymentKind
from terminal.widgets.words import Words, kind_name

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.events import Click

# A private purchase is not paid at a customs counter.
KINDS = (PaymentKind.FEES, PaymentKind.DEPOSITS)


class KindChoice(Horizontal, can_focus=True):
    """What the payment pays; the chosen one carries a filled mark."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,up", "step(-1)", show=False),
        Binding("right,down,space", "step(1)", show=False),
        Binding("enter", "submit", show=False),
    ]

    class Changed(Message):
        """Another kind was chosen."""

        def __init__(self, kind: PaymentKind) -> None:
            super().__init__()
            self.kind = kind

    class Submitted(Message):
        """Enter was pressed on the choice."""

    def __init__(self, kind: PaymentKind, *, id: str) -> None:  # noqa: A002 (Textual's own parameter name)
        super().__init__(id=id)
        self.kind = kind

    def compose(self) -> ComposeResult:
        """One item for each kind."""
        for kind in KINDS:
            yield Words(self._text(kind), id=f"kind-{kind}", classes="choice-item")

    def choose(self, kind: PaymentKind) -> None:
        """Choose a kind and tell the form."""
        self.kind = kind
        self._draw()
        self.post_message(self.Changed(kind))

    def action_step(self, by: int) -> None:
        """Go to the next or previous kind, around the end."""
        self.choose(KINDS[(KINDS.index(self.kind) + by) % len(KINDS)])

    def action_submit(self) -> None:
        """Tell the form that the clerk is done here."""
        self.post_message(self.Submitted())

    def on_mount(self) -> None:
        """Mark the chosen one."""
        self._draw()

    def on_click(self, event: Click) -> None:
        """Choose with the mouse."""
        for kind in KINDS:
            if event.widget is self.query_one(f"#kind-{kind}"):
                self.choose(kind)

    def _draw(self) -> None:
        for kind in KINDS:
            item = self.query_one(f"#kind-{kind}", Words)
            item.show(self._text(kind))
            item.set_class(kind is self.kind, "-chosen")

    def _text(self, kind: PaymentKind) -> str:
        return f" {'●' if kind is self.kind else '○'} {kind_name(kind)} "
