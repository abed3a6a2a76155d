"""The customs card: its commands, its answers, and a session (card profile 1).

Functions named like a command build it; ``parse_*`` read what it answers. The purchase
and recovery machines use these alone; `CustomsSession` is for looking at the card, for
the close of the day and for what the bank sends down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

from card.apdu import LE_ANY, CommandAPDU
from card.application import ApplicationSession
from card.fields import FieldReader, currency_bytes, datetime_bytes, uint4
from card.profile import INS, WAITING_BATCHES_MAX, Role
from card.records import BatchClose, CreditedRecord, CustomsStatus, OpenRecord

if TYPE_CHECKING:
    from card.records import DebitProof, TransactionRecord

__all__ = [
    "CREDITED_INDEX_MAX",
    "OPEN_INDEX_MAX",
    "CreditAnswer",
    "CustomsSession",
    "InitSAMAnswer",
    "bank_ack",
    "close_batch",
    "credit",
    "init_sam",
    "list_open",
    "read_credited",
    "status",
    "void",
    "waiting_batch",
]

OPEN_INDEX_MAX: Final = 0xFF
"""LIST OPEN counts in one byte."""
CREDITED_INDEX_MAX: Final = 0xFFFF
"""READ CREDITED counts in P1 P2."""

_CLA: Final = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class InitSAMAnswer:
    """What INIT SAM answers, 12 bytes: the open record exists now.

    Attributes:
        tsn: the customs card's number of this payment.
        mac1: for the purse's DEBIT, 8 bytes.
    """

    tsn: int
    mac1: bytes = field(repr=False)

    @classmethod
    def parse(cls, data: bytes) -> InitSAMAnswer:
        """Read tsn4 MAC1_8.

        Raises:
            MalformedResponseError: They are none.
        """
        with FieldReader(data, "INIT SAM response") as reader:
            return cls(tsn=reader.uint(4), mac1=reader.take(8))


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditAnswer:
    """What CREDIT answers, 16 bytes.

    Attributes:
        total_minor: all that the customs card holds uncollected.
        ack: for the purse's ACK, 8 bytes.
    """

    total_minor: int
    ack: bytes = field(repr=False)

    @classmethod
    def parse(cls, data: bytes) -> CreditAnswer:
        """Read total8 ACK8.

        Raises:
            MalformedResponseError: They are none.
        """
        with FieldReader(data, "CREDIT response") as reader:
            return cls(total_minor=reader.uint(8), ack=reader.take(8))


def init_sam(
    tx: TransactionRecord, *, rc: bytes, kv: int, alg: int, s: bytes
) -> CommandAPDU:
    """INIT SAM: open a record for this payment and answer MAC1.

    Args:
        tx: the payment; its MID and tsn are not sent, the card knows them.
        rc: the purse's challenge, 8 bytes.
        kv: version of the purse's keys.
        alg: algorithm of its MACs.
        s: the purse's S, 8 bytes.
    """
    payment = (
        uint4(tx.amount_minor)
        + currency_bytes(tx.currency)
        + datetime_bytes(tx.at)
        + tx.digest
    )
    data = tx.cid + rc + uint4(tx.otc) + payment + bytes((kv, alg)) + s
    return CommandAPDU(cla=_CLA, ins=INS.INIT_SAM, data=data, le=LE_ANY)


def credit(tsn: int, proof: DebitProof) -> CommandAPDU:
    """CREDIT: add the payment; the same again answers the same and adds nothing."""
    data = uint4(tsn) + proof.to_bytes()
    return CommandAPDU(cla=_CLA, ins=INS.CREDIT, data=data, le=LE_ANY)


def status() -> CommandAPDU:
    """STATUS: the card's counters."""
    return CommandAPDU(cla=_CLA, ins=INS.STATUS, le=LE_ANY)


def void(tsn: int, vmac: bytes) -> CommandAPDU:
    """VOID: close an open record of which the purse says it can never be debited."""
    return CommandAPDU(cla=_CLA, ins=INS.VOID_OPEN, data=uint4(tsn) + vmac)


def list_open(index: int) -> CommandAPDU:
    """LIST OPEN: the first is 1; the numbers move up after each removal."""
    return CommandAPDU(cla=_CLA, ins=INS.LIST_OPEN, p1=index, le=LE_ANY)


def read_credited(index: int) -> CommandAPDU:
    """READ CREDITED: the first is 1; all that no BANK ACK covers, oldest first."""
    return CommandAPDU(
        cla=_CLA, ins=INS.READ_CREDITED, p1=index >> 8, p2=index & 0xFF, le=LE_ANY
    )


def close_batch() -> CommandAPDU:
    """CLOSE BATCH: the next batch begins at once."""
    return CommandAPDU(cla=_CLA, ins=INS.CLOSE_BATCH, le=LE_ANY)


def waiting_batch(index: int) -> CommandAPDU:
    """The closed batch that waits for its BANK ACK as number ``index``, from 1."""
    return CommandAPDU(cla=_CLA, ins=INS.CLOSE_BATCH, p1=1, p2=index, le=LE_ANY)


def bank_ack(batch: int, mac: bytes) -> CommandAPDU:
    """BANK ACK: the bank holds this batch; its value leaves the customs card."""
    return CommandAPDU(cla=_CLA, ins=INS.BANK_ACK, data=uint4(batch) + mac, le=LE_ANY)


class CustomsSession(ApplicationSession):
    """A customs card in a reader; see `ApplicationSession` for what can be raised."""

    role: ClassVar[Role] = Role.CUSTOMS

    def status(self) -> CustomsStatus:
        """STATUS."""
        return CustomsStatus.parse(self.run(status()))

    def list_open(self) -> list[OpenRecord]:
        """LIST OPEN: all open records, in the order of their tsn."""
        found = self._read_list(list_open, OPEN_INDEX_MAX)
        return [OpenRecord.parse(record) for record in found]

    def read_credited(self) -> list[CreditedRecord]:
        """READ CREDITED: all credits without BANK ACK, in the order of crediting."""
        found = self._read_list(read_credited, CREDITED_INDEX_MAX)
        return [CreditedRecord.parse(record) for record in found]

    def credit(self, tsn: int, proof: DebitProof) -> CreditAnswer:
        """CREDIT an open record.

        Raises:
            StatusError: 6A83, no such record; 9302, the proof is wrong.
        """
        return CreditAnswer.parse(self.run(credit(tsn, proof)))

    def void(self, tsn: int, vmac: bytes) -> None:
        """VOID an open record.

        Raises:
            StatusError: 6A83, no such record; 9302, the VMAC is wrong.
        """
        self.run(void(tsn, vmac))

    def close_batch(self) -> BatchClose:
        """CLOSE BATCH; with nothing new the last result again.

        Raises:
            StatusError: 6A84, too many closed batches wait for the bank.
        """
        return BatchClose.parse(self.run(close_batch()))

    def waiting_batches(self) -> list[BatchClose]:
        """All closed batches that wait for their BANK ACK, oldest first."""
        found = self._read_list(waiting_batch, WAITING_BATCHES_MAX)
        return [BatchClose.parse(record) for record in found]

    def bank_ack(self, batch: int, mac: bytes) -> int:
        """BANK ACK: what the card still holds uncollected, in minor units.

        Raises:
            StatusError: 9302, the MAC is wrong; 6A83, no such batch waits.
        """
        with FieldReader(self.run(bank_ack(batch, mac)), "BANK ACK response") as reader:
            return reader.uint(8)
