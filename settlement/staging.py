"""Taking payments in two steps: received now, posted later.

A host posts at once, and normally answers after posting. When posting is behind
(`settlement.posting_desk`) it only *stages* what comes: it proves what can be proved
without the books, stores that under the terminal's own numbers, and answers RECEIVED.
No purse is looked at, so nothing is waited for that other terminals hold.

Later the staged payments are *posted*, by the same rules as any others and as of the
moment at which they were received, and the answer that each of them gets is told in the
terminal's next call. Both steps may be repeated, by any number of hosts at once: a
payment that is staged already is not staged again, and one whose record is there is not
posted again. A batch ends only when nothing of it waits.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from settlement import clearing, posting
from settlement.clearing import answer_of
from settlement.errors import StoreError
from settlement.store.records import Decision
from settlement.store.staged import RECEIVED_WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from settlement.messages import BatchHeader, RecordAnswer
    from settlement.store.books import Books
    from settlement.store.records import RecordRow
    from settlement.verification import VerifiedRecord

__all__ = ["ensure_as_received", "post_staged", "stage_group"]


def stage_group(
    books: Books,
    header: BatchHeader,
    verified: Sequence[VerifiedRecord],
    now: datetime,
) -> list[RecordAnswer]:
    """Stage payments of an open batch within a transaction; one answer each, in order.

    What was posted before is answered as it was. A STAN that has another payment is a
    conflict, which is known without looking at any card.
    """
    stans = [one.payment.stan for one in verified]
    posted = books.groups.received(header, [one.payment for one in verified])
    staged = books.staged.contents(header, stans)
    answers: list[RecordAnswer] = []
    fresh: list[VerifiedRecord] = []
    for one in verified:
        stan = one.payment.stan
        if stan in posted:
            answers += posting.post_group(books, header, [one], now)
        elif stan not in staged:
            staged[stan] = one.content
            fresh.append(one)
            answers.append(answer_of(Decision.RECEIVED, RECEIVED_WORDS))
        elif staged[stan] == one.content:
            answers.append(answer_of(Decision.RECEIVED, RECEIVED_WORDS))
        else:
            verdict = clearing.stan_conflict(one.payment)
            for incident in posting.incidents_of(header, one, verdict, now):
                books.batches.add_incident(incident)
            answers.append(verdict.answer)
    books.staged.add(header, fresh, now)
    return answers


def post_staged(
    books: Books,
    header: BatchHeader,
    rows: Sequence[RecordRow],
    verified: Sequence[VerifiedRecord],
    now: datetime,
) -> int:
    """Post what of these payments still waits, within a transaction; how many.

    Args:
        books: it holds what posting holds.
        header: the batch.
        rows: what waited when it was read.
        verified: the same payments, verified again.
        now: the bank's time, at which they are booked.
    """
    waits = books.staged.waiting_stans(header)
    still = [
        (row.received_at, one)
        for row, one in zip(rows, verified, strict=True)
        if one.payment.stan in waits
    ]
    for received_at, pairs in groupby(still, key=lambda pair: pair[0]):
        group = [one for _, one in pairs]
        posting.post_group(books, header, group, now, received_at=received_at)
    return len(still)


def ensure_as_received(
    rows: Sequence[RecordRow], verified: Sequence[VerifiedRecord]
) -> None:
    """Have nothing posted that is not what was received.

    Raises:
        StoreError: a row of the database was changed.
    """
    for row, one in zip(rows, verified, strict=True):
        if (row.content, row.evidence) != (one.content, one.evidence):
            raise StoreError(
                f"STAN {row.payment.stan} of batch {row.batch} of terminal "
                f"{row.terminal_id} was changed in the database after it was received. "
                "Nothing of it was posted, and no money has moved. Run raseed-bank "
                "check, and restore the books from a backup."
            )
