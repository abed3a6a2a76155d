"""Comparing a batch as it arrived with the batch that the customs card closed.

The customs card signs count, sum, open records and a chain over every credit. The bank
computes the same from what it received. Only when all agree does it give the BANK ACK
MAC, by which the customs card lets go of the value; otherwise it says what differs, and
names the payment where that can be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from card.records import CHAIN_START, chain_next
from settlement.messages import BatchTotals, ResponseCode, Total
from settlement.payment import PaymentKind
from settlement.store.records import Decision

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from settlement.messages import BatchHeader
    from settlement.store.batches import OpenRow
    from settlement.store.records import RecordRow

__all__ = ["Difference", "batch_records", "chain_of", "compare_batch"]

_NAMED_MAX: Final = 5
"""Payments named in one answer: its text has 200 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Why a batch cannot be acknowledged.

    Attributes:
        code: INCOMPLETE when something has yet to arrive, else SUMS_DIFFER.
        text: what differs, for a person.
    """

    code: ResponseCode
    text: str


def batch_records(records: Iterable[RecordRow]) -> list[RecordRow]:
    """The payments of a batch, each once, in the order of the customs card's credits.

    A terminal that lost its journal may send a payment again under another STAN; the
    newest of them stands for it.
    """
    # A repeat of a payment is known as one, also within one tick of the bank's clock.
    in_time = sorted(
        (row for row in records if row.decision.in_batch),
        key=lambda row: (row.decision is Decision.DUPLICATE, row.received_at),
    )
    newest = {row.evidence: row for row in in_time}
    return sorted(newest.values(), key=lambda row: row.payment.sequence)


def chain_of(records: Iterable[RecordRow]) -> bytes:
    """The chain that a customs card has after crediting these, 16 bytes."""
    chain = CHAIN_START
    for row in records:
        sent = row.payment
        chain = chain_next(
            chain,
            sent.tx,
            sent.balance_after_minor,
            sent.cumulative_debit_minor,
            sent.tac,
        )
    return chain


def compare_batch(
    header: BatchHeader,
    records: Sequence[RecordRow],
    opens: Sequence[OpenRow],
    totals: BatchTotals,
) -> Difference | None:
    """What differs, or None when the batch is what the customs card closed.

    Args:
        header: the batch, with the CLOSE data that was verified when it was opened.
        records: everything received for it, in any order.
        opens: the open records received for it.
        totals: what the terminal says that it has sent.
    """
    payments = batch_records(records)
    difference = (
        _compare_count(header, payments)
        or _compare_opens(header, opens)
        or _compare_sum(header, payments)
        or _compare_totals(payments, opens, totals)
        or _compare_chain(header, payments)
    )
    left_out = [row for row in records if not row.decision.in_batch]
    if difference is None or not left_out:
        return difference
    # Sending it again would not help: what is missing came, and was not accepted.
    row = left_out[0]
    return _differs(
        f"payment {_name(row)} was left out, {row.reason}; {difference.text}"
    )


def _compare_count(
    header: BatchHeader, payments: Sequence[RecordRow]
) -> Difference | None:
    expected, found = header.close.count, len(payments)
    if found == expected:
        return None
    if found > expected:
        extra = [row for row in payments if row.payment.sequence > expected]
        text = f"{found} payments came, the customs card closed {expected}"
        return _differs(f"{text}: {_names(extra or payments)}")
    there = {row.payment.sequence for row in payments}
    missing = [number for number in range(1, expected + 1) if number not in there]
    shown = ", ".join(str(number) for number in missing[:_NAMED_MAX])
    more = " and more" if len(missing) > _NAMED_MAX else ""
    text = f"{found} of {expected} payments came; missing: number {shown}{more}"
    return Difference(code=ResponseCode.INCOMPLETE, text=text)


def _compare_opens(header: BatchHeader, opens: Sequence[OpenRow]) -> Difference | None:
    expected, found = header.close.open_count, len(opens)
    sum_minor = sum(row.tx.amount_minor for row in opens)
    if found < expected:
        text = f"{found} of {expected} open records came"
        return Difference(code=ResponseCode.INCOMPLETE, text=text)
    if (found, sum_minor) != (expected, header.close.open_sum_minor):
        return _differs(
            f"open records: {found} of {sum_minor} came, the customs card has "
            f"{expected} of {header.close.open_sum_minor}"
        )
    return None


def _compare_sum(
    header: BatchHeader, payments: Sequence[RecordRow]
) -> Difference | None:
    found_minor = sum(row.payment.tx.amount_minor for row in payments)
    off_minor = found_minor - header.close.sum_minor
    if off_minor == 0:
        return None
    text = f"the sum is {found_minor}, the customs card's is {header.close.sum_minor}"
    suspects = [row for row in payments if not row.tac_verified] or [
        row for row in payments if row.payment.tx.amount_minor == off_minor
    ]
    return _differs(f"{text}{_suspects(suspects)}")


def _compare_totals(
    payments: Sequence[RecordRow], opens: Sequence[OpenRow], totals: BatchTotals
) -> Difference | None:
    pairs = (
        ("fees", _total(payments, PaymentKind.FEES), totals.fees),
        ("deposits", _total(payments, PaymentKind.DEPOSITS), totals.deposits),
        ("purchase", _total(payments, PaymentKind.PURCHASE), totals.purchase),
        ("unknown", _total(payments, None), totals.unknown),
        ("open", _open_total(opens), totals.opened),
    )
    for name, found, said in pairs:
        if found != said:
            return _differs(
                f"{name}: {found.count} of {found.sum_minor} came, the terminal says "
                f"{said.count} of {said.sum_minor}"
            )
    return None


def _compare_chain(
    header: BatchHeader, payments: Sequence[RecordRow]
) -> Difference | None:
    if chain_of(payments) == header.close.chain:
        return None
    suspects = [row for row in payments if not row.tac_verified]
    text = "count and sum agree, but these are not the payments that were credited"
    return _differs(f"{text} (chain){_suspects(suspects)}")


def _total(payments: Iterable[RecordRow], kind: PaymentKind | None) -> Total:
    amounts = [
        row.payment.tx.amount_minor
        for row in payments
        if (row.payment.details.kind if row.payment.details else None) is kind
    ]
    return Total(count=len(amounts), sum_minor=sum(amounts))


def _open_total(opens: Sequence[OpenRow]) -> Total:
    return Total(count=len(opens), sum_minor=sum(row.tx.amount_minor for row in opens))


def _differs(text: str) -> Difference:
    return Difference(code=ResponseCode.SUMS_DIFFER, text=text)


def _suspects(rows: Sequence[RecordRow]) -> str:
    return f"; look at {_names(rows)}" if rows else ""


def _names(rows: Sequence[RecordRow]) -> str:
    return ", ".join(_name(row) for row in rows[:_NAMED_MAX])


def _name(row: RecordRow) -> str:
    details = row.payment.details
    declaration = f" ({details.declaration})" if details else ""
    return f"STAN {row.payment.stan}{declaration}"
