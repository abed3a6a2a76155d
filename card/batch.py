"""What a customs card has collected: its counters, a batch's close and its chain."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from card.fields import FieldReader, uint4

if TYPE_CHECKING:
    from card.transaction import TransactionRecord

__all__ = ["CHAIN_START", "BatchClose", "CustomsStatus", "chain_next"]

CHAIN_START: Final = bytes(16)
"""The chain of a batch that has no credit yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomsStatus:
    """What a customs card holds, 41 bytes.

    Attributes:
        mid: its id, 8 bytes.
        batch: number of the current batch, from 1.
        tsn_next: the number of the next payment.
        count: credits in the current batch.
        sum_minor: their sum.
        total_minor: all that the bank has not acknowledged yet.
        open_count: open records.
        open_capacity: how many there can be.
        closed_count: closed batches that wait for their BANK ACK.
    """

    mid: bytes
    batch: int
    tsn_next: int
    count: int
    sum_minor: int
    total_minor: int
    open_count: int
    open_capacity: int
    closed_count: int

    def to_bytes(self) -> bytes:
        """STATUS: MID8 batch4 tsn4 count4 sum8 total8 nOpen2 capacity2 nClosed1."""
        return (
            self.mid
            + uint4(self.batch)
            + uint4(self.tsn_next)
            + uint4(self.count)
            + self.sum_minor.to_bytes(8, "big")
            + self.total_minor.to_bytes(8, "big")
            + self.open_count.to_bytes(2, "big")
            + self.open_capacity.to_bytes(2, "big")
            + bytes((self.closed_count,))
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the 41 bytes that STATUS answered.

        Raises:
            MalformedResponseError: They are none.
        """
        with FieldReader(data, "status of a customs card") as reader:
            return cls(
                mid=reader.take(8),
                batch=reader.uint(4),
                tsn_next=reader.uint(4),
                count=reader.uint(4),
                sum_minor=reader.uint(8),
                total_minor=reader.uint(8),
                open_count=reader.uint(2),
                open_capacity=reader.uint(2),
                closed_count=reader.uint(1),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchClose:
    """What a customs card says of a batch that it has closed, 60 bytes.

    Attributes:
        batch: its number, from 1.
        count: credits in it.
        sum_minor: their sum.
        open_count: records that were open at that moment.
        open_sum_minor: their sum.
        chain: digest over its credits in their order, 16 bytes; see `chain_next`.
        mac: the customs card's MAC over all this, 16 bytes.
    """

    batch: int
    count: int
    sum_minor: int
    open_count: int
    open_sum_minor: int
    chain: bytes
    mac: bytes = field(repr=False)

    def __post_init__(self) -> None:
        assert len(self.chain) == len(self.mac) == 16

    def to_bytes(self) -> bytes:
        """CLOSE BATCH: batch4 count4 sum8 nOpen4 sumOpen8 chain16 MAC16."""
        return (
            uint4(self.batch)
            + uint4(self.count)
            + self.sum_minor.to_bytes(8, "big")
            + uint4(self.open_count)
            + self.open_sum_minor.to_bytes(8, "big")
            + self.chain
            + self.mac
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the 60 bytes that CLOSE BATCH answered.

        Raises:
            MalformedResponseError: They are none.
        """
        with FieldReader(data, "batch close") as reader:
            return cls(
                batch=reader.uint(4),
                count=reader.uint(4),
                sum_minor=reader.uint(8),
                open_count=reader.uint(4),
                open_sum_minor=reader.uint(8),
                chain=reader.take(16),
                mac=reader.take(16),
            )


def chain_next(
    chain: bytes,
    tx: TransactionRecord,
    balance_after: int,
    cumulative_debit: int,
    tac: bytes,
) -> bytes:
    """The chain of a batch after one more credit, 16 bytes; it starts at `CHAIN_START`.

    Args:
        chain: the chain before, 16 bytes.
        tx: the payment credited.
        balance_after: the purse's balance after the debit, in minor units.
        cumulative_debit: all that the purse was ever debited, in minor units.
        tac: the purse's certificate, 8 bytes.
    """
    credited = (
        tx.to_bytes() + uint4(balance_after) + cumulative_debit.to_bytes(8, "big") + tac
    )
    return hashlib.sha256(chain + credited).digest()[:16]
