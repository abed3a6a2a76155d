"""The function keys at the foot of the screen, in the language in use."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from textual.widgets import Footer

from terminal.catalogue import tr

if TYPE_CHECKING:
    from textual.screen import ActiveBinding


class KeyBar(Footer):
    """Textual's footer without the command palette, which clerks do not have."""

    def __init__(self) -> None:
        super().__init__(show_command_palette=False)


def translated(bindings: dict[str, ActiveBinding]) -> dict[str, ActiveBinding]:
    """The same bindings with their words in the language in use.

    Bindings are written in class bodies, where the language is not known yet; they
    hold the English sentence marked with `terminal.catalogue.msgid`.
    """
    return {key: _translated(active) for key, active in bindings.items()}


def _translated(active: ActiveBinding) -> ActiveBinding:
    binding = active.binding
    return active._replace(
        binding=replace(
            binding,
            description=tr(binding.description) if binding.description else "",
            key_display=tr(binding.key_display) if binding.key_display else None,
        )
    )
