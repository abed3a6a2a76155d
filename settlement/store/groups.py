"""A group of payments: all that is known of it in few queries, written by few more.

Whatever the size of the group, `GroupTables.known` asks eight questions and what
`GroupTables.writer` collects is written into each table once. Who judges what is read,
and says what is written, is `settlement.posting`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import sqlalchemy as sa

from settlement.store.bulk import Wanted, find_rows
from settlement.store.group_rows import GroupWriter
from settlement.store.records import Decision, batch_key, same_batch
from settlement.store.schema import record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from settlement.messages import BatchHeader
    from settlement.payment import PaymentRecord

__all__ = [
    "GroupTables",
    "IssuedPurse",
    "KnownGroup",
    "PaidNumber",
    "ReceivedRecord",
]


class IssuedPurse(NamedTuple):
    """What clearing looks at of a purse, and its float account.

    Attributes:
        currency: ISO 4217 number.
        kv: version of its keys.
        balance_limit_minor: C6, in minor units.
        payment_limit_minor: C7, in minor units.
        valid_from: first day.
        expiry: last day.
        float_id: row of its float account, or None when that was never opened.
        hotlisted: why the card is on the hotlist, or None.
    """

    currency: int
    kv: int
    balance_limit_minor: int
    payment_limit_minor: int
    valid_from: date
    expiry: date
    float_id: int | None
    hotlisted: str | None


class PaidNumber(NamedTuple):
    """What clearing looks at of a payment in the ledger; see `PaymentRow`.

    Attributes:
        otc: the purse's number of it.
        amount_minor: in minor units.
        cumulative_debit_minor: all that the purse was ever debited, this included.
        batch: number of the batch that delivered it.
        evidence: digest of what the cards signed, 32 bytes.
        decision: what was decided about the record that it was booked from; read only
            for a payment under a number that was asked for.
    """

    otc: int
    amount_minor: int
    cumulative_debit_minor: int
    batch: int
    evidence: bytes
    decision: Decision | None


class ReceivedRecord(NamedTuple):
    """What clearing looks at of a record received before; see `RecordRow`."""

    content: bytes
    decision: Decision
    reason: str


@dataclass(slots=True, kw_only=True)
class KnownGroup:
    """What the books know about a group of payments.

    Attributes:
        purses: by CID, those that were issued.
        loaded: by CID, every total that can have been loaded, in minor units.
        paid: by CID and otc, the payments under the group's numbers, and for each
            number the nearest one before and after it.
        credited: the group's tsn that have a payment of the customs card already.
        received: by STAN, what came before in this batch.
        open_cids: the purses with open records of which nothing is known yet.
        open_tsns: the group's tsn that were reported as open records at any time.
    """

    purses: dict[bytes, IssuedPurse] = field(default_factory=dict)
    loaded: dict[bytes, frozenset[int]] = field(default_factory=dict)
    paid: dict[bytes, dict[int, PaidNumber]]
    credited: set[int] = field(default_factory=set)
    received: dict[int, ReceivedRecord] = field(default_factory=dict)
    open_cids: set[bytes] = field(default_factory=set)
    open_tsns: set[int] = field(default_factory=set)


# CROSS JOIN: the list of keys is read first, and each of them looked up. What a whole
# key names is a subquery of its own: in a join, PostgreSQL may look up by part of the
# key and compare the rest, as long as its statistics say that there are few rows.
_PURSES: Final = """
SELECT purse.cid, purse.currency, purse.kv, purse.balance_limit_minor,
       purse.payment_limit_minor, purse.valid_from, purse.expiry,
       (SELECT account.id FROM account
        WHERE account.kind = 'purse float' AND account.owner = wanted.owner
          AND account.currency = purse.currency),
       CASE WHEN hotlist.listed THEN hotlist.reason END
FROM wanted CROSS JOIN purse
LEFT JOIN hotlist ON hotlist.cid = purse.cid
                 AND hotlist.serial = (SELECT MAX(serial) FROM hotlist AS newest
                                       WHERE newest.cid = purse.cid)
WHERE purse.cid = wanted.cid
"""
_LOADS: Final = """
SELECT load.cid, load.amount_minor
FROM wanted CROSS JOIN load
LEFT JOIN load_outcome ON load_outcome.cid = load.cid AND load_outcome.ltc = load.ltc
WHERE load.cid = wanted.cid
  AND (load_outcome.outcome IS NULL OR load_outcome.outcome <> 'voided')
ORDER BY load.cid, load.ltc
"""
# One range of each card's numbers: from the nearest before to the nearest after.
_PAID: Final = """
SELECT payment.cid, payment.otc, payment.amount_minor, payment.cumulative_debit_minor,
       payment.batch, payment.evidence,
       CASE WHEN payment.otc = wanted.otc THEN
         (SELECT record.decision FROM record
          WHERE record.terminal_id = payment.terminal_id AND record.mid = payment.mid
            AND record.batch = payment.batch AND record.stan = payment.stan) END
FROM wanted CROSS JOIN payment
WHERE payment.cid = wanted.cid
  AND payment.otc >= COALESCE((SELECT MAX(otc) FROM payment AS lower
                               WHERE lower.cid = wanted.cid
                                 AND lower.otc < wanted.otc), wanted.otc)
  AND payment.otc <= COALESCE((SELECT MIN(otc) FROM payment AS higher
                               WHERE higher.cid = wanted.cid
                                 AND higher.otc > wanted.otc), wanted.otc)
"""
_CREDITED: Final = """
SELECT wanted.tsn FROM wanted
WHERE (SELECT payment.otc FROM payment
       WHERE payment.mid = ? AND payment.tsn = wanted.tsn) IS NOT NULL
"""
# A terminal counts its STANs on, so a range finds little besides what is asked for.
_RECEIVED: Final = (
    sa.select(record.c.stan, record.c.content, record.c.decision, record.c.reason)
    .where(*same_batch(record))
    .where(record.c.stan.between(sa.bindparam("of_first"), sa.bindparam("of_last")))
)
_OPEN_CARDS: Final = """
SELECT open_record.cid FROM wanted CROSS JOIN open_record
WHERE open_record.cid = wanted.cid
  AND NOT EXISTS (SELECT 1 FROM open_resolution AS made
                  WHERE made.mid = open_record.mid AND made.tsn = open_record.tsn)
"""
_OPEN_NUMBERS: Final = """
SELECT open_record.tsn FROM wanted CROSS JOIN open_record
WHERE open_record.tsn = wanted.tsn AND open_record.mid = ?
"""


class GroupTables:
    """What concerns whole groups of payments, within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on ``connection``, which belongs to the caller."""
        self._connection = connection

    def known(
        self, header: BatchHeader, payments: Sequence[PaymentRecord]
    ) -> KnownGroup:
        """What the books know about a group of payments of a batch.

        Payments that name another customs card than the batch are refused before
        anything else about them matters, so nothing more is read for them.
        """
        cids = sorted({one.tx.cid for one in payments})
        cards = Wanted(("cid", "owner"), [(cid, cid.hex().upper()) for cid in cids])
        own = [one.tx for one in payments if one.tx.mid == header.mid]
        tsns = Wanted(("tsn",), [(tx.tsn,) for tx in own])
        known = KnownGroup(
            purses={row[0]: _purse(row) for row in self._find(cards, _PURSES)},
            loaded=_loaded(self._find(cards, _LOADS)),
            paid=self._paid(payments),
            received=self.received(header, payments),
        )
        known.credited = {row[0] for row in self._find(tsns, _CREDITED, header.mid)}
        known.open_cids = {row[0] for row in self._find(cards, _OPEN_CARDS)}
        known.open_tsns = {
            row[0] for row in self._find(tsns, _OPEN_NUMBERS, header.mid)
        }
        return known

    def received(
        self, header: BatchHeader, payments: Sequence[PaymentRecord]
    ) -> dict[int, ReceivedRecord]:
        """By STAN, what has a record in the batch under the STANs of these payments."""
        if not payments:
            return {}
        stans = [one.stan for one in payments]
        wanted = {**batch_key(header), "of_first": min(stans), "of_last": max(stans)}
        return {
            stan: ReceivedRecord(content, Decision(decision), reason)
            for stan, content, decision, reason in self._connection.execute(
                _RECEIVED, wanted
            )
        }

    def writer(self, header: BatchHeader, at: datetime) -> GroupWriter:
        """Collects what is to be stored of a group of this batch."""
        return GroupWriter(self._connection, header, at)

    def _paid(
        self, payments: Sequence[PaymentRecord]
    ) -> dict[bytes, dict[int, PaidNumber]]:
        numbers = {(one.tx.cid, one.tx.otc) for one in payments}
        wanted = Wanted(("cid", "otc"), sorted(numbers))
        paid: defaultdict[bytes, dict[int, PaidNumber]] = defaultdict(dict)
        for row in self._find(wanted, _PAID):
            cid, otc, amount_minor, debited_minor, batch, evidence, decided = row
            decision = None if decided is None else Decision(decided)
            of_card = paid[cid]
            # As a neighbour of another number it comes without its decision.
            if decision is not None or otc not in of_card:
                of_card[otc] = PaidNumber(
                    otc, amount_minor, debited_minor, batch, evidence, decision
                )
        return paid

    def _find(self, wanted: Wanted, query: str, *more: object) -> Sequence[Any]:
        return find_rows(self._connection, wanted, query, *more)


_day: Final = lru_cache(maxsize=4096)(date.fromisoformat)
"""Purses share the few days on which cards expire."""


def _purse(row: Any) -> IssuedPurse:
    _, currency, kv, balance_minor, payment_minor, *_ = row
    *_, valid_from, expiry, float_id, hotlisted = row
    return IssuedPurse(
        currency,
        kv,
        balance_minor,
        payment_minor,
        _day(valid_from),
        _day(expiry),
        float_id,
        hotlisted,
    )


def _loaded(rows: Sequence[Any]) -> dict[bytes, frozenset[int]]:
    """By CID, the sums of the first loads, as `settlement.shadow.loaded_totals`."""
    amounts: defaultdict[bytes, list[int]] = defaultdict(list)
    for cid, amount_minor in rows:
        amounts[cid].append(amount_minor)
    return {
        cid: frozenset(accumulate(each, initial=0)) for cid, each in amounts.items()
    }
