"""Payments that were received and verified, and wait to be posted.

Taking payments from a terminal and posting them are two steps when posting is behind
(`settlement.staging`). The first one stores what came here, keyed by terminal, and
touches no card; the second one judges it and adds a record with the same key. So a
staged payment waits as long as there is no record of its key: nothing marks it, and
nothing that fails in between can leave a wrong mark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from settlement.store.batches import batch_header
from settlement.store.bulk import insert_rows, stored_time
from settlement.store.group_rows import SENT_NAMES, sent_values
from settlement.store.records import Decision, batch_key, received_row, same_batch
from settlement.store.schema import batch, batch_collected, record, staged, staged_batch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from settlement.messages import BatchHeader
    from settlement.store.records import RecordRow
    from settlement.verification import VerifiedRecord

__all__ = [
    "RECEIVED_WORDS",
    "WAITING_OF_BATCH",
    "StagedTables",
    "WaitingSum",
    "staged_row",
]

RECEIVED_WORDS: Final = "received and stored; the outcome comes with the next call"
"""What is told of a payment that waits."""

_BATCH_KEY: Final = ("terminal_id", "mid", "batch")


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingSum:
    """What waits to be posted.

    Attributes:
        batches: how many have anything that waits.
        payments: how many of them.
        oldest: when the first of these was received; None when nothing waits.
    """

    batches: int
    payments: int
    oldest: datetime | None


def _same(
    one: sa.FromClause, other: sa.FromClause, *more: str
) -> sa.ColumnElement[bool]:
    return sa.and_(*(one.c[name] == other.c[name] for name in (*_BATCH_KEY, *more)))


_WAITS: Final = ~sa.exists().where(_same(record, staged, "stan"))
_EVER: Final = sa.select(staged_batch.c.at).where(*same_batch(staged_batch))
_WAITING: Final = (
    sa.select(staged)
    .where(*same_batch(staged), _WAITS)
    .order_by(staged.c.sequence, staged.c.stan)
)
_STANS: Final = sa.select(staged.c.stan).where(*same_batch(staged), _WAITS)
WAITING_OF_BATCH: Final = sa.select(sa.func.count()).where(*same_batch(staged), _WAITS)
"""How many payments of a batch wait; its key is bound by name."""
_CONTENTS: Final = (
    sa.select(staged.c.stan, staged.c.content)
    .where(*same_batch(staged))
    .where(staged.c.stan.between(sa.bindparam("of_first"), sa.bindparam("of_last")))
)
# A batch is collected only when nothing of it waits, so few batches are looked into:
# those that are not, which are to be found first. Left to itself PostgreSQL may look
# into all that was ever staged.
_NOT_ENDED: Final = (
    sa.select(staged_batch)
    .where(~sa.exists().where(_same(batch_collected, staged_batch)))
    .cte("not_ended")
    .prefix_with("MATERIALIZED")
)
_HAS_WAITING: Final = sa.exists().where(_same(staged, _NOT_ENDED), _WAITS)
_BATCHES: Final = (
    sa.select(batch)
    .join(_NOT_ENDED, _same(batch, _NOT_ENDED))
    .where(_HAS_WAITING)
    .order_by(_NOT_ENDED.c.at, *(batch.c[name] for name in _BATCH_KEY))
)
_COUNT_BATCHES: Final = (
    sa.select(sa.func.count()).select_from(_NOT_ENDED).where(_HAS_WAITING)
)
_COUNT_PAYMENTS: Final = (
    sa.select(sa.func.count(), sa.func.min(staged.c.received_at))
    .select_from(staged.join(_NOT_ENDED, _same(staged, _NOT_ENDED)))
    .where(_WAITS)
)


class StagedTables:
    """What was staged, within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def add(
        self, header: BatchHeader, verified: Iterable[VerifiedRecord], at: datetime
    ) -> None:
        """Stage payments of a batch whose STANs are neither staged nor recorded.

        The caller holds the batch's customs card.
        """
        key = (header.terminal_id, header.mid, header.close.batch)
        received_at = stored_time(self._connection, at)
        rows = [(*sent_values(key, one), received_at) for one in verified]
        if rows and not self._ever(header):
            listed = {**batch_key(header), "at": at}
            self._connection.execute(sa.insert(staged_batch), listed)
        insert_rows(self._connection, staged, (*SENT_NAMES, "received_at"), rows)

    def contents(self, header: BatchHeader, stans: Sequence[int]) -> dict[int, bytes]:
        """By STAN, the digest of what was ever staged under it, waiting or not."""
        if not stans or not self._ever(header):
            return {}
        wanted = {**batch_key(header), "of_first": min(stans), "of_last": max(stans)}
        found = self._connection.execute(_CONTENTS, wanted)
        return {row.stan: row.content for row in found}

    def any_waits(self, header: BatchHeader) -> bool:
        """Whether anything of a batch waits."""
        key = batch_key(header)
        if not self._ever(header):
            return False
        return self._connection.execute(_STANS.limit(1), key).first() is not None

    def waiting_stans(self, header: BatchHeader) -> set[int]:
        """The STANs of a batch that wait."""
        if not self._ever(header):
            return set()
        return set(self._connection.execute(_STANS, batch_key(header)).scalars())

    def waiting(self, header: BatchHeader) -> list[RecordRow]:
        """What of a batch waits, in the order of the customs card's credits."""
        if not self._ever(header):
            return []
        found = self._connection.execute(_WAITING, batch_key(header))
        return [staged_row(row) for row in found]

    def batches(self, limit: int) -> list[BatchHeader]:
        """Batches of which anything waits, those that have waited longest first."""
        found = self._connection.execute(_BATCHES.limit(limit))
        return [batch_header(row) for row in found]

    def sum(self) -> WaitingSum:
        """How much waits in the whole bank."""
        batches = self._connection.execute(_COUNT_BATCHES).scalar_one()
        payments, oldest = self._connection.execute(_COUNT_PAYMENTS).one()
        return WaitingSum(batches=batches, payments=payments, oldest=oldest)

    def _ever(self, header: BatchHeader) -> bool:
        """Whether anything of a batch was ever staged: nearly always not."""
        return self._connection.execute(_EVER, batch_key(header)).first() is not None


def staged_row(row: Any) -> RecordRow:
    """The value of a stored row: a record about which nothing is decided yet."""
    return received_row(row, Decision.RECEIVED, RECEIVED_WORDS)
