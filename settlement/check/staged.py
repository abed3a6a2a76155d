"""What was received first and posted later: nothing of it may change, or be forgotten.

A staged payment waits until it has a record of the same key. What is held against it:

* it still is what was received, by its own digests;
* its record, once there is one, is of the same content;
* its batch is listed among those in which the bank looks for what waits;
* a batch that was acknowledged has nothing that waits.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from settlement.check.records import column_problems
from settlement.check.report import FindingCode
from settlement.check.rows import batch_key_of
from settlement.store.records import Decision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settlement.check.report import CheckRun
    from settlement.check.rows import BatchKey, StoredRows
    from settlement.store.records import RecordRow

__all__ = ["BookingMoments", "booking_moments", "check_staged"]

_BOOKED: Final = frozenset({Decision.POSTED, Decision.HELD})
"""What is booked when it is posted; what is suspended, when that ends."""
_NOT_YET: Final = datetime.max.replace(tzinfo=UTC)


def check_staged(run: CheckRun) -> None:
    """Compare what was staged with its own digests, and with what became of it."""
    listed = {batch_key_of(row) for row in run.rows.raw["staged_batch"]}
    for raw in run.rows.raw["staged"]:
        key = batch_key_of(raw)
        row = run.rows.staged[(*key, raw.stan)]
        problems = [*column_problems(raw, row), *_end_problems(run, key, row)]
        if key not in listed:
            problems.append("its batch is not listed, so nobody looks for it")
        for problem in problems:
            where = f"STAN {raw.stan}, batch {raw.batch} of terminal {raw.terminal_id}"
            run.find(FindingCode.RECORD, f"staged {where}: {problem}")


class BookingMoments(NamedTuple):
    """Between which moments a payment was booked, these included."""

    earliest: datetime
    latest: datetime


def booking_moments(rows: StoredRows) -> dict[tuple[bytes, int], BookingMoments]:
    """When what was staged can have been posted, by card and number of the payment.

    Its record keeps when it came; it was booked later, before its batch ended.
    """
    ended = {batch_key_of(row): row.at for row in rows.raw["batch_collected"]}
    moments: dict[tuple[bytes, int], BookingMoments] = {}
    for key in rows.staged:
        record = rows.records.get(key)
        if record is not None and record.decision in _BOOKED:
            tx = record.payment.tx
            latest = ended.get(key[:3], _NOT_YET)
            moments[tx.cid, tx.otc] = BookingMoments(record.received_at, latest)
    return moments


def _end_problems(run: CheckRun, key: BatchKey, row: RecordRow) -> Iterator[str]:
    record = run.rows.records.get((*key, row.payment.stan))
    if record is None:
        if key in run.rows.collected:
            yield "its batch was acknowledged, and it was never posted"
    elif record.content != row.content:
        yield "its record is of another payment"
