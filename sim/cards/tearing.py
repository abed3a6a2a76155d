"""A card's memory whose power can fail at every commit, just before it or just after.

A real chip tears *within* a write, too; its transaction mechanism then shows, at the
next power-up, either the old values or the new ones. So the two sides of a commit are
all that an application can ever see of a tear, and all that has to be tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from sim.cards.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.cards.memory import Value

__all__ = ["Power", "TearingMemory"]


class Power(Protocol):
    """Decides at each commit whether the card still has power."""

    def before_commit(self) -> None:
        """The values are about to change; raise `CardTakenError` to prevent it."""
        ...

    def after_commit(self) -> None:
        """The values have changed; raise `CardTakenError` to lose the answer."""
        ...


class TearingMemory(Memory):
    """Memory in RAM that asks its power around every commit."""

    def __init__(self, power: Power, image: Mapping[str, Value] | None = None) -> None:
        """Start blank, or with what `Memory.image` gave, on ``power``."""
        super().__init__()
        self._power: Final = power
        self._values = dict(image or {})

    def commit(self, changes: Mapping[str, Value | None]) -> None:
        """See `Memory.commit`.

        Raises:
            CardTakenError: the power failed; the changes are all there, or none.
        """
        self._power.before_commit()
        super().commit(changes)
        self._power.after_commit()
