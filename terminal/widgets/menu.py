"""What can be done from here: a key, a name, and a sentence that explains it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message

from terminal.widgets.words import Words

if TYPE_CHECKING:
    from textual.app import ComposeResult


class MenuChoice(Horizontal, can_focus=True):
    """One thing to do; Enter and the mouse do what its function key does."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "choose", show=False),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]

    class Chosen(Message):
        """This choice was taken; ``action`` is the screen's action for it."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, *, key: str, title: str, action: str, id: str) -> None:  # noqa: A002 (Textual's own parameter name)
        super().__init__(id=id, classes="menu-choice")
        self._key = key
        self._title = title
        self._action = action

    def compose(self) -> ComposeResult:
        """The key's cap, then name over explanation."""
        yield Words(f" {self._key} ", classes="key-cap")
        with Vertical(classes="menu-text"):
            yield Words(self._title, classes="menu-title")
            yield Words(classes="menu-explanation")

    def explain(self, explanation: str) -> None:
        """Say what this would do now."""
        self.query_one(".menu-explanation", Words).show(explanation)

    def action_choose(self) -> None:
        """Tell the screen."""
        self.post_message(self.Chosen(self._action))

    def on_click(self) -> None:
        """The mouse is as good as the key."""
        self.action_choose()
