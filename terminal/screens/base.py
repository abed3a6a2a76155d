"""What all screens share: the top line, the status line, the function keys."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from terminal.widgets.key_bar import KeyBar, translated
from terminal.widgets.masthead import Masthead
from terminal.widgets.status import StatusLine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable
    from datetime import datetime

    from textual.app import ComposeResult
    from textual.binding import ActiveBinding
    from textual.widget import Widget

    from terminal.app import CounterApp
    from terminal.orders import RecoveryOutcome
    from terminal.snapshot import CounterSnapshot

Answer = TypeVar("Answer")

# A screen of 80 by 24 shows everything; a bigger one gives it more room. The style
# sheet knows these classes.
WIDTHS: list[tuple[int, str]] | None = [(0, "-narrow"), (100, "-wide")]
HEIGHTS: list[tuple[int, str]] | None = [(0, "-low"), (38, "-tall")]


class CounterScreen(Screen[None]):
    """A full screen of the counter.

    Subclasses give the body, and draw it again whenever the counter changes. They
    are told of changes by the app; they never ask the counter themselves except
    through `CounterApp.call`, which works in another thread.
    """

    # Where the focus is on something that wants the arrows itself, it gets them.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_body(-1)", show=False),
        Binding("down", "scroll_body(1)", show=False),
        Binding("pageup", "page_body(-1)", show=False),
        Binding("pagedown", "page_body(1)", show=False),
    ]
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS

    def compose(self) -> ComposeResult:
        """Top line, body, buttons, status line, function keys."""
        yield Masthead()
        with Vertical(id="body"):
            yield from self.compose_body()
        with Horizontal(id="actions"):
            yield from self.compose_actions()
        yield StatusLine()
        yield KeyBar()

    def compose_body(self) -> Iterable[Widget]:
        """The screen's own part."""
        return ()

    def compose_actions(self) -> Iterable[Widget]:
        """Buttons and key hints; they stay in sight when the body scrolls."""
        return ()

    @property
    def counter_app(self) -> CounterApp:
        """The app, by its own type."""
        return cast("CounterApp", self.app)

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The keys that work now, named in the language in use."""
        return translated(super().active_bindings)

    @property
    def is_drawable(self) -> bool:
        """Composed, and not on its way out."""
        return (
            self.is_mounted
            and self.is_attached
            and self.display
            and self.app.is_running
        )

    async def hear(self, answer: Awaitable[Answer]) -> Answer:
        """Wait for an answer from the counter, unless the screen is gone by then.

        A screen may be left while the counter still works for it; the counter goes
        on, but there is nothing to draw any more.
        """
        try:
            return await answer
        finally:
            if not self.is_drawable:
                raise asyncio.CancelledError

    def on_screen_resume(self) -> None:
        """Draw what may have changed while another screen was on top.

        On the way home screens are uncovered and gone in one go; these do nothing.
        """
        if self.is_current:
            self.draw(self.counter_app.picture)
            self.resumed()
            self.refresh_bindings()

    def resumed(self) -> None:
        """Take up again what waited while another screen was on top."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No key does anything before the screen is there, or when it is going."""
        del parameters
        return self.is_drawable and self.allows(action)

    def action_scroll_body(self, rows: int) -> None:
        """A row up or down, where the body is higher than the screen."""
        self.query_one("#body").scroll_relative(y=rows, animate=False)

    def action_page_body(self, pages: int) -> None:
        """A page up or down."""
        body = self.query_one("#body")
        body.scroll_relative(y=pages * body.size.height, animate=False)

    def allows(self, action: str) -> bool:
        """Whether an action makes sense as the screen stands."""
        del action
        return True

    def draw(self, picture: CounterSnapshot) -> None:
        """Draw the counter as it is now."""
        self.query_one(Masthead).show(picture, self.counter_app.now())
        self.query_one(StatusLine).show(picture)
        self.draw_body(picture)

    def draw_body(self, picture: CounterSnapshot) -> None:
        """Draw the screen's own part."""

    def draw_time(self, now: datetime) -> None:
        """Draw the clock."""
        self.query_one(Masthead).show_time(now)

    def cards_changed(self) -> None:
        """A card or a reader came or went; the counter has dealt with it."""

    def settle(self, outcome: RecoveryOutcome) -> bool:
        """Take the news about an interrupted payment, if this screen waits for it.

        Returns:
            True when the screen shows it, so that nobody else has to.
        """
        del outcome
        return False
