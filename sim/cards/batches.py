"""The customs card's batches: STATUS, READ CREDITED, CLOSE BATCH, BANK ACK.

A closed batch is the 60 bytes that CLOSE BATCH answered, kept under ``closed.<batch>``
until its BANK ACK. The last CLOSE and the last BANK ACK are remembered apart, so that
either may be repeated when its answer was lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from card.profile import INS, WAITING_BATCHES_MAX
from card.sw import SW
from sim.cards import customs_runtime as names
from sim.cards.application import Command, Refused, Row, exactly
from sim.cards.crypto import cmac, same
from sim.cards.records import split, u32, u64

if TYPE_CHECKING:
    from sim.cards.customs_runtime import CustomsRuntime
    from sim.cards.memory import Changes

__all__ = ["Batches"]

_CLOSE_TYPE: Final = b"\x21"
_ACK_TYPE: Final = b"\x22"
_CLOSED: Final = "closed."
_LAST_CLOSE: Final = "last_close"
_LAST_CLOSE_OPEN: Final = "last_close.open"
_LAST_ACK: Final = "last_ack"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Closed:
    """The answer of CLOSE BATCH, by field."""

    batch: bytes
    count: bytes
    sum: bytes
    chain: bytes

    @classmethod
    def parse(cls, raw: bytes) -> _Closed:
        batch, count, total, _open, _open_sum, chain, _mac = split(
            raw, 4, 4, 8, 4, 8, 16, 16
        )
        return cls(batch=batch, count=count, sum=total, chain=chain)


class Batches:
    """The batch commands of one customs card."""

    def __init__(self, customs: CustomsRuntime) -> None:
        self._customs: Final = customs
        self._memory: Final = customs.memory

    def rows(self) -> list[Row]:
        """The profile's table, batches."""
        return [
            Row(cla=0x80, ins=INS.STATUS, handler=self._status),
            Row(cla=0x80, ins=INS.READ_CREDITED, p1=None, p2=None,
                handler=self._read_credited),
            Row(cla=0x80, ins=INS.CLOSE_BATCH, handler=self._close),
            Row(cla=0x80, ins=INS.CLOSE_BATCH, p1=0x01, p2=None, handler=self._waiting),
            Row(cla=0x80, ins=INS.BANK_ACK, lc=exactly(0x14), handler=self._bank_ack),
        ]  # fmt: skip

    def credits_held(self) -> int:
        """Credits of all unacknowledged batches, the current one included."""
        return sum(count for _batch, count in self._batches_held())

    def _batches_held(self) -> list[tuple[int, int]]:
        """Batch number and count, oldest first, the current batch last."""
        held = []
        for raw in self._closed():
            closed = _Closed.parse(raw)
            held.append(
                (
                    int.from_bytes(closed.batch, "big"),
                    int.from_bytes(closed.count, "big"),
                )
            )
        current = self._memory.integer(names.BATCH), self._memory.integer(names.COUNT)
        return [*held, current]

    def _closed(self) -> list[bytes]:
        """Closed batches that wait for their BANK ACK, oldest first."""
        keys = self._memory.keys_from(_CLOSED)
        return [self._memory.octets(key) for key in keys]

    def _status(self, _command: Command) -> bytes:
        memory = self._memory
        return (
            self._customs.mid
            + u32(memory.integer(names.BATCH))
            + u32(memory.integer(names.NEXT_TSN))
            + u32(memory.integer(names.COUNT))
            + u64(memory.integer(names.SUM))
            + u64(memory.integer(names.TOTAL))
            + len(self._customs.open_records()).to_bytes(2, "big")
            + self._customs.limits.open_records.to_bytes(2, "big")
            + bytes((len(self._closed()),))
        )

    def _read_credited(self, command: Command) -> bytes:
        index = command.p1 << 8 | command.p2
        if index == 0:
            raise Refused(SW.NO_RECORD)
        for batch, count in self._batches_held():
            if index <= count:
                return self._memory.octets(names.credited_key(batch, index))
            index -= count
        raise Refused(SW.NO_RECORD)

    def _close(self, _command: Command) -> bytes:
        records = self._customs.open_records()
        open_numbers = b"".join(record.transaction.tsn for record in records)
        if self._is_unchanged(open_numbers):
            return self._memory.octets(_LAST_CLOSE)
        if len(self._closed()) >= WAITING_BATCHES_MAX:
            raise Refused(SW.FULL)
        open_sum = sum(
            int.from_bytes(record.transaction.amount, "big") for record in records
        )
        return self._begin_next(open_numbers, u32(len(records)) + u64(open_sum))

    def _is_unchanged(self, open_numbers: bytes) -> bool:
        """Whether nothing happened since the last CLOSE, so that it is repeated."""
        return (
            _LAST_CLOSE in self._memory
            and self._memory.integer(names.COUNT) == 0
            and self._memory.octets(_LAST_CLOSE_OPEN) == open_numbers
        )

    def _begin_next(self, open_numbers: bytes, open_totals: bytes) -> bytes:
        memory = self._memory
        batch = memory.integer(names.BATCH)
        totals = u32(batch) + u32(memory.integer(names.COUNT))
        totals += u64(memory.integer(names.SUM)) + open_totals
        totals += memory.octets(names.CHAIN)
        key = memory.octets(names.KEY_BATCH)
        result = totals + cmac(key, _CLOSE_TYPE + self._customs.mid + totals)
        memory.commit(
            {
                _CLOSED + u32(batch).hex(): result,
                _LAST_CLOSE: result,
                _LAST_CLOSE_OPEN: open_numbers,
                names.BATCH: batch + 1,
                names.COUNT: 0,
                names.SUM: 0,
                names.CHAIN: names.FIRST_CHAIN,
            }
        )
        return result

    def _waiting(self, command: Command) -> bytes:
        closed = self._closed()
        if not 1 <= command.p2 <= len(closed):
            raise Refused(SW.NO_RECORD)
        return closed[command.p2 - 1]

    def _bank_ack(self, command: Command) -> bytes:
        batch, mac = split(command.data, 4, 16)
        place = _CLOSED + batch.hex()
        waits = place in self._memory
        if not waits and not self._is_last_acked(batch):
            raise Refused(SW.NO_RECORD)
        raw = self._memory.octets(place if waits else _LAST_ACK)
        if not same(self._expected_ack(_Closed.parse(raw)), mac):
            raise Refused(SW.MAC_WRONG)
        if waits:
            self._release(place, raw)
        return u64(self._memory.integer(names.TOTAL))

    def _is_last_acked(self, batch: bytes) -> bool:
        if _LAST_ACK not in self._memory:
            return False
        return _Closed.parse(self._memory.octets(_LAST_ACK)).batch == batch

    def _expected_ack(self, closed: _Closed) -> bytes:
        message = _ACK_TYPE + self._customs.mid + closed.batch + closed.count
        key = self._memory.octets(names.KEY_BATCH)
        return cmac(key, message + closed.sum + closed.chain)

    def _release(self, place: str, raw: bytes) -> None:
        """Give the batch's value to the bank: records and total go in one commit."""
        closed = _Closed.parse(raw)
        prefix = names.credited_prefix(int.from_bytes(closed.batch, "big"))
        credited = self._memory.keys_from(prefix)
        total = self._memory.integer(names.TOTAL) - int.from_bytes(closed.sum, "big")
        changes: Changes = dict.fromkeys([place, *credited])
        self._memory.commit(changes | {names.TOTAL: total, _LAST_ACK: raw})
