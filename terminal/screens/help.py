"""The keys and the rules of thumb, one press of F1 away."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from terminal.catalogue import msgid, tr
from terminal.screens.dialogs import Dialog
from terminal.widgets.words import Words

if TYPE_CHECKING:
    from textual.app import ComposeResult

KEYS = (
    ("F2", msgid("Take a payment: details, then card and PIN, then result.")),
    ("F7", msgid("See payments that were cut short, and how they ended.")),
    ("F8", msgid("Close the day: send every payment to the bank.")),
    ("F9", msgid("Light colours for a bright hall, dark for a dim one.")),
    ("F10", msgid("Leave the counter program.")),
    (msgid("Tab"), msgid("Go to the next field. Enter goes on, Esc goes back.")),
)
RULES = (
    msgid("Only the customer types the PIN, and nobody asks for it."),
    msgid("Leave both cards in place until the result is shown."),
    msgid("Not known yet? Put the same card back: it settles itself."),
    msgid("Refused means that nothing was taken from the card."),
)


class Help(Dialog):
    """A window with every key, and what to do when something goes wrong."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f1", "decline", show=False)]

    def __init__(self) -> None:
        super().__init__(title=tr("Help"), agree=tr("Back (Enter)"))

    def compose_content(self) -> ComposeResult:
        """Keys first, then the rules."""
        for key, sentence in KEYS:
            with Horizontal(classes="help-row"):
                yield Words(f" {tr(key)} ", classes="key-cap")
                yield Words(tr(sentence), classes="help-sentence")
        for rule in RULES:
            with Horizontal(classes="help-row"):
                yield Words("●", classes="help-dot")
                yield Words(tr(rule), classes="help-sentence")
