"""Where groups of payments come to be posted: at once, or later when that is behind.

A group is verified, then posted in one transaction, and answered. Where a database has
one writer, groups that wait for it share one (`settlement.posting_queue`). When
``groups_max`` groups are being posted already, or the cards of a group are held by
others for too long, the group is staged instead (`settlement.staging`), and so is what
follows of its batch until that is posted. `PostingDesk.post_batch` posts what waits.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from settlement import request_desk, staging
from settlement.errors import BankUnavailableError
from settlement.messages import RecordAnswer, ResponseCode
from settlement.posting import post_group
from settlement.posting_queue import PostingQueue
from settlement.verification import verify_group

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from settlement.keystore import KeyStore
    from settlement.messages import BatchHeader
    from settlement.payment import PaymentRecord
    from settlement.store.books import BankStore, Books
    from settlement.verification import VerifiedRecord

__all__ = ["PostingDesk", "batch_unknown"]

_PART_MAX: Final = 250
"""Staged payments posted in one transaction, so that no purse is held for long."""


class _Group(NamedTuple):
    """Payments of one batch that came together.

    Attributes:
        staged: they are only to be received now, and posted later.
    """

    header: BatchHeader
    payments: Sequence[VerifiedRecord]
    now: datetime
    staged: bool = False


class PostingDesk:
    """Takes groups of payments. Threads share it; several hosts have one each."""

    def __init__(
        self, store: BankStore, keys: KeyStore, *, groups_max: int | None = None
    ) -> None:
        """Work on ``store`` with ``keys``.

        Args:
            store: the books.
            keys: of all cards.
            groups_max: groups being posted at a time, beyond which one is staged; None
                to stage none.
        """
        self._store = store
        self._keys = keys
        self._groups_max = groups_max
        self._lock = threading.Lock()
        self._under_way = 0
        self._queue = PostingQueue(self._post_groups)

    @property
    def is_behind(self) -> bool:
        """Whether a group that came now would be staged."""
        with self._lock:
            return self._is_full()

    def take(
        self, header: BatchHeader, payments: Sequence[PaymentRecord], now: datetime
    ) -> Sequence[RecordAnswer]:
        """Post a group of payments, or stage it; one answer each, in order."""
        with self.counted() as is_behind:
            # Before the books are held: others may post meanwhile.
            verified = verify_group(self._keys, payments)
            group = _Group(header, verified, now, is_behind)
            try:
                return self._post(group)
            except BankUnavailableError:
                # On a database of one writer staging would wait for the same one.
                if self._groups_max is None or is_behind or self._store.one_writer:
                    raise
                return self._post(group._replace(staged=True))

    def take_groups(
        self,
        groups: Sequence[tuple[BatchHeader, Sequence[PaymentRecord]]],
        now: datetime,
    ) -> Sequence[Sequence[RecordAnswer] | Exception]:
        """Post groups of several batches in one transaction, each all or nothing.

        Returns:
            For each group its answers, or why nothing of it was stored.
        """
        return self._post_groups(
            [
                _Group(header, verify_group(self._keys, payments), now)
                for header, payments in groups
            ]
        )

    def waiting(self, limit: int) -> list[BatchHeader]:
        """Batches of which anything waits, those that have waited longest first."""
        with self._store.read() as books:
            return books.staged.batches(limit)

    def post_batch(self, header: BatchHeader, now: datetime) -> int:
        """Post what waits of a batch, in parts; how many payments that were.

        Others may do the same at the same time: each payment is posted once.

        Raises:
            BankUnavailableError: what was not posted yet waits on.
            StoreError: a payment that waits was changed in the database.
        """
        with self._store.read() as books:
            rows = books.staged.waiting(header)
        verified = verify_group(self._keys, [row.payment for row in rows])
        staging.ensure_as_received(rows, verified)
        posted = 0
        for start in range(0, len(rows), _PART_MAX):
            part = slice(start, start + _PART_MAX)
            group = _Group(header, verified[part], now)

            def post(books: Books, part: slice = part, group: _Group = group) -> int:
                _hold([group], books)
                return staging.post_staged(
                    books, header, rows[part], group.payments, now
                )

            posted += self._store.transact(post)
        return posted

    def _post(self, group: _Group) -> Sequence[RecordAnswer]:
        if self._store.one_writer:
            return self._queue.post(group)
        return self._store.transact(partial(_take, group))

    def _post_groups(
        self, groups: Sequence[_Group]
    ) -> Sequence[Sequence[RecordAnswer] | Exception]:
        return self._store.write_together(
            [partial(_take, one) for one in groups], partial(_hold, groups)
        )

    @contextmanager
    def counted(self) -> Iterator[bool]:
        """Count a group as long as it is at the desk; whether it is one too many."""
        with self._lock:
            is_behind = self._is_full()
            self._under_way += 1
        try:
            yield is_behind
        finally:
            with self._lock:
                self._under_way -= 1

    def _is_full(self) -> bool:
        return self._groups_max is not None and self._under_way >= self._groups_max


def batch_unknown(header: BatchHeader) -> RecordAnswer:
    """The answer to what belongs to a batch that was not opened."""
    text = f"batch {header.close.batch} was not opened; begin it again"
    return RecordAnswer(code=ResponseCode.BATCH_UNKNOWN, text=text)


def _hold(groups: Sequence[_Group], books: Books) -> None:
    """Hold what taking these groups reads and writes."""
    books.holds.customs_cards(group.header.mid for group in groups)
    posted = [group for group in groups if not group.staged]
    books.holds.purses(one.payment.tx.cid for group in posted for one in group.payments)
    for group in posted:
        payments = [one.payment for one in group.payments]
        request_desk.hold(books, group.header.office, payments)


def _take(group: _Group, books: Books) -> Sequence[RecordAnswer]:
    """Take one group within a transaction."""
    _hold([group], books)
    header = group.header
    if books.batches.batch(header) != header:
        return [batch_unknown(header)] * len(group.payments)
    # What is posted before an earlier payment of its card would look irregular.
    if group.staged or books.staged.any_waits(header):
        return staging.stage_group(books, header, group.payments, group.now)
    return post_group(books, header, group.payments, group.now)
