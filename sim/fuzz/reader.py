"""What every target of the fuzzing is to its campaign."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Reader"]


class Reader(ABC):
    """Something that takes strings."""

    @property
    def states(self) -> Sequence[str]:
        """Where its machines stand; empty where there are no states."""
        return ()

    @abstractmethod
    def feed(self, data: bytes) -> None:
        """Take one string; all that comes out of this is a defect."""
