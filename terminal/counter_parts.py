"""What the parts of a counter share: its cards, its journal, its clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from settlement.money import Money

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from terminal.config import TerminalConfig
    from terminal.customs_desk import CustomsDesk
    from terminal.download_shelf import Shelf
    from terminal.journal import Journal
    from terminal.purse_desk import PurseDesk
    from terminal.readers import CardSlots

__all__ = ["CounterParts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterParts:
    """One counter's equipment, each piece there once.

    Attributes:
        config: this terminal's.
        journal: open for writing.
        slots: both readers.
        customs: the desk of the customs card.
        purses: the desk of the customer's card.
        shelf: what the bank has published.
        clock: the time here, aware, in the office's zone.
    """

    config: TerminalConfig
    journal: Journal
    slots: CardSlots
    customs: CustomsDesk
    purses: PurseDesk
    shelf: Shelf
    clock: Callable[[], datetime]

    def money(self, amount_minor: int) -> Money:
        """An amount in this counter's currency."""
        return Money(amount_minor=amount_minor, currency=self.config.currency)
