"""Sets of byte positions as sorted ranges: what is held, what is missing.

The receiver keeps one of the pieces that came before their turn, the sender one of the
pieces that it knows to have arrived and one of those to be sent again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Ranges"]


class Ranges:
    """A set of positions, as ranges ``(start, end)``; neighbours are joined.

    >>> ranges = Ranges()
    >>> ranges.add(10, 20)
    >>> ranges.add(30, 40)
    >>> ranges.missing(15, 35)
    [(20, 30)]
    >>> ranges.add(20, 30)
    >>> list(ranges)
    [(10, 40)]
    """

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._starts, self._ends, strict=True)

    def __bool__(self) -> bool:
        return bool(self._starts)

    def add(self, start: int, end: int) -> None:
        """Put ``start`` up to but not including ``end`` into the set."""
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def covers(self, start: int, end: int) -> bool:
        """Whether every position from ``start`` to ``end`` is in the set."""
        index = bisect_right(self._starts, start) - 1
        return index >= 0 and end <= self._ends[index]

    def missing(self, start: int, end: int) -> list[tuple[int, int]]:
        """The parts of ``start`` to ``end`` that are not in the set."""
        gaps = []
        index = bisect_right(self._ends, start)
        while start < end:
            more = index < len(self._starts)
            gap_end = min(end, self._starts[index]) if more else end
            if start < gap_end:
                gaps.append((start, gap_end))
            start = max(start, self._ends[index]) if more else end
            index += 1
        return gaps

    def drop_below(self, position: int) -> None:
        """Take everything before ``position`` out of the set."""
        index = bisect_right(self._ends, position)
        del self._starts[:index], self._ends[:index]
        if self._starts:
            self._starts[0] = max(self._starts[0], position)

    def take_first(self, size: int) -> tuple[int, int]:
        """Take out the first range, or its first ``size`` positions."""
        start, end = self._starts[0], self._ends[0]
        if end - start > size:
            self._starts[0] = start + size
            return start, start + size
        del self._starts[0], self._ends[0]
        return start, end
