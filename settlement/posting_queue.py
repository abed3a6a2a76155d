"""Groups that wait for the books share one transaction.

A commit that survives a power cut costs more than the payments of a group, and on
SQLite one transaction writes at a time. So while one line's group is being committed,
those of other lines gather here; whoever comes next takes all of them along. One that
fails hurts no other (`settlement.store.books.BankStore.write_together`), and each line
gets its own answer, or its own error, after the commit.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from settlement.errors import BankUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

__all__ = ["TOGETHER_MAX", "PostingQueue"]

TOGETHER_MAX: Final = 8
"""Groups of one transaction at most: 2000 payments, so that no commit takes long."""

G = TypeVar("G")
A = TypeVar("A")


@dataclass(slots=True)
class _Waiting(Generic[G, A]):
    """A group that waits, and what became of it."""

    group: G
    outcome: A | Exception | None = None


class PostingQueue(Generic[G, A]):
    """Threads put groups in and wait; one of them commits for all that wait."""

    def __init__(
        self,
        post: Callable[[Sequence[G]], Sequence[A | Exception]],
        turn: AbstractContextManager[object] | None = None,
    ) -> None:
        """Prepare to post.

        Args:
            post: posts groups in one transaction; an answer or an error for each, in
                order. When it raises, nothing was stored, and all get that error.
            turn: held while ``post`` runs; a lock of its own when none is given. Tests
                give one that opens when all groups are there.
        """
        self._post = post
        self._turn = turn or threading.Lock()
        self._lock = threading.Lock()
        self._waiting: deque[_Waiting[G, A]] = deque()

    def post(self, group: G) -> A:
        """Post a group, with others that wait; its answer, once that is durable.

        Raises:
            Exception: what the posting of this group raised; nothing of it was stored.
        """
        own: _Waiting[G, A] = _Waiting(group)
        with self._lock:
            self._waiting.append(own)
        with self._turn:
            # Unless somebody took it along before: then what follows finds it done.
            while own.outcome is None:
                self._commit(self._next())
        if isinstance(own.outcome, Exception):
            raise own.outcome
        return own.outcome

    def _next(self) -> list[_Waiting[G, A]]:
        """The groups that have waited longest."""
        with self._lock:
            count = min(len(self._waiting), TOGETHER_MAX)
            return [self._waiting.popleft() for _ in range(count)]

    def _commit(self, together: Sequence[_Waiting[G, A]]) -> None:
        outcomes: Sequence[A | Exception]
        try:
            outcomes = self._post([one.group for one in together])
        except Exception as error:
            outcomes = [error] * len(together)
        except BaseException:
            # This thread is ended, and those that wait for it must not wait for ever.
            message = "the bank is being stopped; nothing was stored, ask again later"
            for one in together:
                one.outcome = BankUnavailableError(message)
            raise
        for one, outcome in zip(together, outcomes, strict=True):
            one.outcome = outcome
