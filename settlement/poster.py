"""Posts what was received first: the second of two steps (`settlement.staging`).

A host runs `Poster.run` in a thread of its own; any number of hosts on one database
may, and an operator's command besides: each payment is posted once. As long as a host
has too many groups of its own to post at once, nothing of this is added to them.

What cannot be posted now goes on waiting and is tried again in the next round, behind
what can. It is told once, and once more when it is posted after all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from settlement.errors import SettlementError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from datetime import datetime

    from settlement.messages import BatchHeader
    from settlement.posting_desk import PostingDesk

__all__ = ["ROUND_S", "Posted", "Poster", "PosterEvent", "PostingFailed"]

ROUND_S: Final = 5
"""Seconds between two looks for what waits; a look costs one read of an index."""
_BATCHES_MAX: Final = 1000
"""Of one round, so that what came meanwhile is not kept waiting by a long list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What waited of a batch is posted.

    Attributes:
        header: the batch.
        count: how many payments that were.
    """

    header: BatchHeader
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingFailed:
    """What waits of a batch could not be posted, and waits on.

    Attributes:
        header: the batch; None when not even what waits could be read.
        reason: what happened and what to do, a sentence.
    """

    header: BatchHeader | None
    reason: str


PosterEvent: TypeAlias = Posted | PostingFailed


class Poster:
    """Looks for what waits to be posted, and posts it. For one thread."""

    def __init__(
        self,
        desk: PostingDesk,
        *,
        clock: Callable[[], datetime],
        tell: Callable[[PosterEvent], None],
    ) -> None:
        """Begin.

        Args:
            desk: posts.
            clock: the bank's time, at which payments are booked.
            tell: told what was posted, and each new reason why something was not.
        """
        self._desk = desk
        self._clock = clock
        self._tell = tell
        self._told: dict[BatchHeader | None, str] = {}

    def run(self, stop: threading.Event, round_s: float = ROUND_S) -> None:
        """Make a round now, and every ``round_s`` seconds until ``stop`` is set."""
        while True:
            try:
                self.make_round(stop)
            except Exception as error:
                self._failed(None, error)
            if stop.wait(round_s):
                return

    def make_round(self, stop: threading.Event | None = None) -> int:
        """Post what waits now, the oldest first; how many payments that were."""
        posted = 0
        for header in self._waiting():
            if self._desk.is_behind or (stop is not None and stop.is_set()):
                break
            posted += self._post(header)
        return posted

    def _waiting(self) -> list[BatchHeader]:
        try:
            found = self._desk.waiting(_BATCHES_MAX)
        except SettlementError as error:
            self._failed(None, error)
            return []
        self._told.pop(None, None)
        return sorted(found, key=self._told.__contains__)

    def _post(self, header: BatchHeader) -> int:
        try:
            count = self._desk.post_batch(header, self._clock())
        except SettlementError as error:
            self._failed(header, error)
            return 0
        self._told.pop(header, None)
        if count:
            self._tell(Posted(header=header, count=count))
        return count

    def _failed(self, header: BatchHeader | None, error: Exception) -> None:
        reason = str(error)
        if not isinstance(error, SettlementError):
            reason = (
                f"{type(error).__name__}: {reason}. It waits on and is tried again."
            )
        if self._told.get(header) != reason:
            self._told[header] = reason
            self._tell(PostingFailed(header=header, reason=reason))
