"""Virtual time: it goes on by one second with every look, and by nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["START", "WorldClock"]

# Real clocks never stand on a whole second; cards know nothing else.
START: Final = datetime(2025, 11, 22, 10, 15, 0, 123_456, tzinfo=UTC)
_STEP: Final = timedelta(seconds=1)


class WorldClock:
    """The one clock of a simulated world.

    Attributes:
        now: the time of the last look.
    """

    def __init__(self, start: datetime = START) -> None:
        """Stand at ``start``, which is aware."""
        self.now = start

    def __call__(self) -> datetime:
        """The time, a second later than at the last look."""
        self.now += _STEP
        return self.now
