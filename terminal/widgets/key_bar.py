"""The keys that work now, at the foot of the screen, in the language in use.

One widget that draws all keys, in as many rows as they need: Textual's own footer
builds a widget for each key again whenever the focus moves, which on a counter is the
larger part of all drawing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from terminal.catalogue import tr

if TYPE_CHECKING:
    from textual.binding import ActiveBinding, Binding
    from textual.events import Click
    from textual.geometry import Size
    from textual.screen import Screen


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCap:
    """One key as it is shown.

    Attributes:
        key: what pressing it sends.
        cap: what stands on the key.
        what: what it does.
    """

    key: str
    cap: str
    what: str

    @property
    def cells(self) -> int:
        """Columns it takes, with a blank on both sides."""
        return cell_len(self.cap) + cell_len(self.what) + 3


class KeyBar(Widget):
    """All keys with a name; a click on one presses it."""

    def __init__(self) -> None:
        super().__init__()
        self.caps: tuple[KeyCap, ...] = ()

    def on_mount(self) -> None:
        """Follow the keys as the focus and the screen's state change."""
        self.screen.bindings_updated_signal.subscribe(self, self._follow)

    def render(self) -> Content:
        """The keys, row by row."""
        parts: list[str | tuple[str, str]] = []
        for number, row in enumerate(self._rows(self.content_size.width)):
            parts.append("\n" if number else "")
            for cap in row:
                key = (f" {cap.cap}", "bold $footer-key-foreground")
                parts += [key, f" {cap.what} "]
        return Content.assemble(*parts)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many rows as it takes to show every key."""
        del container, viewport
        return len(self._rows(width))

    def on_click(self, event: Click) -> None:
        """Press the key under the mouse."""
        rows = self._rows(self.content_size.width)
        column = event.x
        for cap in rows[event.y] if event.y < len(rows) else ():
            if column < cap.cells:
                self.app.simulate_key(cap.key)
                return
            column -= cap.cells

    def _follow(self, screen: Screen[object]) -> None:
        caps = tuple(_caps(screen.active_bindings))
        if caps != self.caps:
            self.caps = caps
            self.refresh(layout=True)

    def _rows(self, width: int) -> list[list[KeyCap]]:
        rows: list[list[KeyCap]] = [[]]
        for cap in self.caps:
            taken = sum(before.cells for before in rows[-1])
            if rows[-1] and taken + cap.cells > width:
                rows.append([])
            rows[-1].append(cap)
        return rows


def translated(bindings: dict[str, ActiveBinding]) -> dict[str, ActiveBinding]:
    """The same bindings with their words in the language in use.

    Bindings are written in class bodies, where the language is not known yet; they
    hold the English sentence marked with `terminal.catalogue.msgid`.
    """
    return {
        key: active._replace(binding=_translated(active.binding))
        for key, active in bindings.items()
    }


def _translated(binding: Binding) -> Binding:
    return replace(
        binding,
        description=tr(binding.description),
        key_display=tr(binding.key_display) if binding.key_display else None,
    )


def _caps(bindings: dict[str, ActiveBinding]) -> list[KeyCap]:
    return [
        KeyCap(
            key=active.binding.key,
            cap=active.binding.key_display or active.binding.key,
            what=active.binding.description,
        )
        for active in bindings.values()
        if active.binding.show and active.enabled
    ]
