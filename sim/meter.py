"""A meter on a card's contacts: what went over them, and how long the card took."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.cards.t0 import Card

__all__ = ["Metered", "Reading"]

_INS_OFFSET: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What went over the contacts since the meter was set to zero.

    Attributes:
        instructions: INS byte of each command, in order.
        bytes_moved: commands, responses and status words together.
        card_ns: nanoseconds that the card itself took.
        resets: how often it was powered up, powered down or reset.
    """

    instructions: tuple[int, ...] = ()
    bytes_moved: int = 0
    card_ns: int = 0
    resets: int = 0


@dataclass(slots=True)
class Metered:
    """A card with a meter on its contacts; it answers as the card does."""

    card: Card
    now_ns: Callable[[], int] = time.perf_counter_ns
    _instructions: list[int] = field(default_factory=list)
    _bytes_moved: int = 0
    _card_ns: int = 0
    _resets: int = 0

    def reset(self) -> None:
        """Reset the card."""
        self._resets += 1
        self.card.reset()

    def process(self, apdu: bytes, /) -> bytes:
        """Pass a command to the card and measure it."""
        # Counted before it is answered: a card that is pulled then never answers.
        self._instructions.append(apdu[_INS_OFFSET] if len(apdu) > _INS_OFFSET else 0)
        self._bytes_moved += len(apdu)
        before_ns = self.now_ns()
        answer = self.card.process(apdu)
        self._card_ns += self.now_ns() - before_ns
        self._bytes_moved += len(answer)
        return answer

    def read(self) -> Reading:
        """What the meter shows now."""
        return Reading(
            instructions=tuple(self._instructions),
            bytes_moved=self._bytes_moved,
            card_ns=self._card_ns,
            resets=self._resets,
        )

    def zero(self) -> None:
        """Set the meter to zero."""
        self._instructions.clear()
        self._bytes_moved = self._card_ns = self._resets = 0
