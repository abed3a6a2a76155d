"""Small windows over a screen: a question, trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button

from terminal.catalogue import tr
from terminal.widgets.notice import Notice
from terminal.widgets.status import Level
from terminal.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult

    from terminal.errors import Advice


class Dialog(ModalScreen[bool]):
    """A window with a title; Enter agrees, Esc does not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "agree", show=False),
        Binding("escape", "decline", show=False),
        Binding("up", "scroll_content(-1)", show=False),
        Binding("down", "scroll_content(1)", show=False),
        Binding("pageup", "page_content(-1)", show=False),
        Binding("pagedown", "page_content(1)", show=False),
    ]
    AGREED: ClassVar[bool] = True
    """What Enter answers. Not to be changed by another `action_agree`: a button would
    then call both."""

    def __init__(self, *, title: str, agree: str, decline: str = "") -> None:
        super().__init__()
        self._title = title
        self._agree = agree
        self._decline = decline

    def compose(self) -> ComposeResult:
        """Title, content, buttons."""
        with Vertical(id="dialog"):
            yield Words(self._title, id="dialog-title")
            with VerticalScroll(id="dialog-content", can_focus=False):
                yield from self.compose_content()
            with Horizontal(id="dialog-buttons", classes="buttons"):
                yield from self.compose_buttons()

    def compose_content(self) -> ComposeResult:
        """What the window says."""
        yield from ()

    def compose_buttons(self) -> Iterable[Button]:
        """What can be answered; Enter presses the first."""
        yield Button(self._agree, id="agree", variant="primary")
        if self._decline:
            yield Button(self._decline, id="decline")

    def action_scroll_content(self, rows: int) -> None:
        """A row up or down, where there is more to say than fits."""
        self.query_one("#dialog-content").scroll_relative(y=rows, animate=False)

    def action_page_content(self, pages: int) -> None:
        """A page up or down."""
        content = self.query_one("#dialog-content")
        content.scroll_relative(y=pages * content.size.height, animate=False)

    @on(Button.Pressed, "#agree")
    def action_agree(self) -> None:
        """Close the window with its answer to Enter."""
        self.dismiss(self.AGREED)

    @on(Button.Pressed, "#decline")
    def action_decline(self) -> None:
        """Close the window with no."""
        self.dismiss(False)


class LeaveQuestion(Dialog):
    """Asks before the counter program ends."""

    def __init__(self) -> None:
        super().__init__(
            title=tr("Leave the counter program?"),
            agree=tr("Leave (Enter)"),
            decline=tr("Stay (Esc)"),
        )

    def compose_content(self) -> ComposeResult:
        """What leaving means for the money."""
        yield Words(
            tr(
                "Nothing is lost: payments and waiting batches stay on this counter "
                "and are there again when the program is started."
            )
        )


class Trouble(Dialog):
    """Tells that the counter cannot go on as it is."""

    def __init__(self, advice: Advice) -> None:
        super().__init__(
            title=tr("The counter cannot go on"), agree=tr("Understood (Enter)")
        )
        self._advice = advice

    def compose_content(self) -> ComposeResult:
        """What happened, whether money moved, what to do."""
        yield Notice(id="trouble")

    def on_mount(self) -> None:
        """Fill the box."""
        self.query_one("#trouble", Notice).show_advice(Level.BAD, self._advice)
