"""Payments of one batch as columns: what a group of them looks like inside a message.

A group says only what its reader cannot know: customs card and currency are those of
the batch's header, counters and times are told as steps, and what all have in common is
said once. The TACs, in which there is nothing to save, stand apart. The exact layout is
in ``docs/iso8583.md``, "A group of payments".

`unpack` takes any bytes whatever. It does no more work than `GROUP_PAYMENTS_MAX`
payments are worth, raises `MalformedMessageError` and nothing else, and takes no other
form than the one that `pack` gives: so nothing can hide in a group.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from card.fields import UINT4_MAX
from card.profile import AMOUNT_MINOR_MAX, BATCH_CREDITS_MAX
from card.records import TransactionRecord
from settlement.bit_columns import BitReader, BitWriter, read_column, write_column
from settlement.errors import MalformedMessageError
from settlement.group_details import read_details, write_details
from settlement.payment import STAN_MAX, PaymentRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from settlement.payment import PaymentDetails

__all__ = [
    "COLUMNS_FIELD",
    "GROUP_PAYMENTS_MAX",
    "TACS_FIELD",
    "Shared",
    "pack",
    "unpack",
]

GROUP_PAYMENTS_MAX: Final = 32
"""Payments of one group: one second of a 9600 bit/s line."""
COLUMNS_FIELD: Final = 61
TACS_FIELD: Final = 62

_COUNT_BITS: Final = 5
_PLACE_BITS: Final = 10
_STAN_BITS: Final = 20
_TSN_BITS: Final = 32
_TIME_BITS: Final = 39
_TAC_BYTES: Final = 8
_ROUND_MINOR: Final = 1_000
"""Purses are loaded with round sums, so what was ever loaded is parted here."""
_EPOCH: Final = datetime(1, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_SECONDS_MAX: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _SECOND
_UINT8_MAX: Final = 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What the batch's header says for every payment of a group.

    Attributes:
        mid: the customs card, 8 bytes.
        currency: ISO 4217 number.
    """

    mid: bytes
    currency: int


class _Numbers(NamedTuple):
    """What is a number in one payment, in the order of the columns."""

    sequence: int
    stan: int
    tsn: int
    seconds: int
    cid: int
    otc: int
    amount_minor: int
    balance_after_minor: int
    loaded_round: int
    loaded_rest: int
    kv: int
    alg: int

    @property
    def cumulative_debit_minor(self) -> int:
        loaded_minor = self.loaded_round * _ROUND_MINOR + self.loaded_rest
        return loaded_minor - self.balance_after_minor


_RANGES: Final = (
    (1, BATCH_CREDITS_MAX),
    (1, STAN_MAX),
    (0, UINT4_MAX),
    (0, _SECONDS_MAX),
    (0, _UINT8_MAX),
    (0, UINT4_MAX),
    (1, AMOUNT_MINOR_MAX),
    (0, UINT4_MAX),
    # What was ever loaded is judged with the balance, as what was ever debited.
    None,
    None,
    (0, 0xFF),
    (0, 0xFF),
)
"""The least and the largest number that a payment can have, column by column."""


def pack(payments: Sequence[PaymentRecord]) -> tuple[bytes, bytes]:
    """The columns of some payments, and their TACs.

    Args:
        payments: 1 to `GROUP_PAYMENTS_MAX` of one batch, in the order of their places.
    """
    assert 0 < len(payments) <= GROUP_PAYMENTS_MAX, "a group has 1 to 32 payments"
    assert all(a.sequence < b.sequence for a, b in pairwise(payments)), "in order"
    rows = [_numbers(payment) for payment in payments]
    writer = BitWriter()
    writer.write(len(rows) - 1, _COUNT_BITS)
    _write_steps(writer, [row.sequence for row in rows], _PLACE_BITS)
    _write_steps(writer, [row.stan for row in rows], _STAN_BITS)
    _write_steps(writer, [row.tsn for row in rows], _TSN_BITS)
    _write_steps(writer, [row.seconds for row in rows], _TIME_BITS)
    write_column(writer, [row.cid for row in rows])
    write_column(writer, [row.otc for row in rows])
    write_column(writer, [row.amount_minor for row in rows])
    write_column(writer, [row.balance_after_minor for row in rows])
    write_column(writer, [row.loaded_round for row in rows])
    write_column(writer, [row.loaded_rest for row in rows])
    write_column(writer, [row.kv for row in rows])
    write_column(writer, [row.alg for row in rows])
    write_details(writer, payments)
    return writer.to_bytes(), b"".join(payment.tac for payment in payments)


def unpack(columns: bytes, tacs: bytes, shared: Shared) -> tuple[PaymentRecord, ...]:
    """The payments of a group.

    Args:
        columns: what stood in field 61.
        tacs: what stood in field 62.
        shared: of the header of the batch.

    Raises:
        MalformedMessageError: the bytes are not exactly what `pack` gives.
    """
    reader = BitReader(columns, field=COLUMNS_FIELD)
    rows = _read_numbers(reader, reader.read(_COUNT_BITS) + 1)
    paid = read_details(reader, [row.amount_minor for row in rows])
    if len(tacs) != len(rows) * _TAC_BYTES:
        raise MalformedMessageError("not one TAC for each payment", field=TACS_FIELD)
    each = zip(rows, paid, range(0, len(tacs), _TAC_BYTES), strict=True)
    payments = tuple(
        _payment(row, details, digest, tacs[start : start + _TAC_BYTES], shared)
        for row, (details, digest), start in each
    )
    ascending = all(a.sequence < b.sequence for a, b in pairwise(payments))
    if not ascending or pack(payments) != (columns, tacs):
        raise reader.malformed("not in its one form")
    return payments


def _numbers(payment: PaymentRecord) -> _Numbers:
    tx = payment.tx
    loaded_minor = payment.balance_after_minor + payment.cumulative_debit_minor
    loaded_round, loaded_rest = divmod(loaded_minor, _ROUND_MINOR)
    return _Numbers(
        sequence=payment.sequence,
        stan=payment.stan,
        tsn=tx.tsn,
        seconds=(tx.at - _EPOCH) // _SECOND,
        cid=int.from_bytes(tx.cid, "big"),
        otc=tx.otc,
        amount_minor=tx.amount_minor,
        balance_after_minor=payment.balance_after_minor,
        loaded_round=loaded_round,
        loaded_rest=loaded_rest,
        kv=payment.kv,
        alg=payment.alg,
    )


def _read_numbers(reader: BitReader, count: int) -> list[_Numbers]:
    firsts = (_PLACE_BITS, _STAN_BITS, _TSN_BITS, _TIME_BITS)
    columns = [_read_steps(reader, count, bits) for bits in firsts]
    columns += [read_column(reader, count) for _ in range(8)]
    rows = [_Numbers(*row) for row in zip(*columns, strict=True)]
    ranges = zip(columns, _RANGES, strict=True)
    if not all(
        limits is None or limits[0] <= min(column) <= max(column) <= limits[1]
        for column, limits in ranges
    ) or not all(0 <= row.cumulative_debit_minor <= _UINT8_MAX for row in rows):
        raise reader.malformed("a number that no payment can have")
    return rows


def _payment(
    row: _Numbers,
    details: PaymentDetails | None,
    digest: bytes,
    tac: bytes,
    shared: Shared,
) -> PaymentRecord:
    tx = TransactionRecord(
        cid=row.cid.to_bytes(8, "big"),
        otc=row.otc,
        mid=shared.mid,
        tsn=row.tsn,
        amount_minor=row.amount_minor,
        currency=shared.currency,
        at=_EPOCH + row.seconds * _SECOND,
        digest=digest,
    )
    return PaymentRecord(
        stan=row.stan,
        sequence=row.sequence,
        details=details,
        tx=tx,
        kv=row.kv,
        alg=row.alg,
        balance_after_minor=row.balance_after_minor,
        cumulative_debit_minor=row.cumulative_debit_minor,
        tac=tac,
    )


def _write_steps(writer: BitWriter, values: Sequence[int], first_bits: int) -> None:
    """Numbers that count on: the first in full, then each step less one."""
    writer.write(values[0], first_bits)
    write_column(writer, [after - before - 1 for before, after in pairwise(values)])


def _read_steps(reader: BitReader, count: int, first_bits: int) -> list[int]:
    first = reader.read(first_bits)
    steps = read_column(reader, count - 1)
    return list(accumulate((step + 1 for step in steps), initial=first))
