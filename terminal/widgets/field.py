"""One field of a form: its name, where to type, and a message beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal, Vertical

from terminal.widgets.words import Words

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.widget import Widget


class Field(Vertical):
    """A labelled control with its hint, or its problem, beside it.

    A problem replaces the hint until the field is changed; the text in the control
    is never touched.
    """

    def __init__(self, control: Widget, *, label: str, hint: str, id: str) -> None:  # noqa: A002 (Textual's own parameter name)
        super().__init__(id=id, classes="field")
        self._control = control
        self._label = label
        self._hint = hint
        self.problem = ""

    def compose(self) -> ComposeResult:
        """Label above, control and note in one row below it."""
        yield Words(self._label, classes="field-label")
        with Horizontal(classes="field-row"):
            yield self._control
            yield Words(self._hint, classes="field-note")

    @property
    def control(self) -> Widget:
        """The widget that is typed into."""
        return self._control

    @property
    def note(self) -> str:
        """What stands beside the control now."""
        return self.query_one(".field-note", Words).text

    def show_problem(self, problem: str) -> None:
        """Say beside the control what is wrong with it."""
        self.problem = problem
        self.query_one(".field-note", Words).show(f"✗ {problem}")
        self.add_class("-problem")

    def clear_problem(self) -> None:
        """Show the hint again."""
        if self.problem:
            self.problem = ""
            self.query_one(".field-note", Words).show(self._hint)
            self.remove_class("-problem")
