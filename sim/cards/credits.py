"""The customs card's side of a purchase: INIT SAM, CREDIT, VOID, LIST OPEN."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from card.profile import (
    ALGORITHM_AES_CMAC,
    AMOUNT_MINOR_MAX,
    BATCH_CREDITS_MAX,
    COUNTER_NEVER_USED,
    INS,
)
from card.sw import SW
from sim.cards import customs_runtime as names
from sim.cards.application import Command, Refused, Row, exactly
from sim.cards.crypto import kdf, mac8, same
from sim.cards.customs_runtime import CreditedRecord, OpenRecord
from sim.cards.records import Transaction, is_bcd, split, u32, u64

if TYPE_CHECKING:
    from sim.cards.batches import Batches
    from sim.cards.customs_runtime import CustomsRuntime

__all__ = ["Credits"]

_MAC1_TYPE: Final = b"\x01"
_MAC2_TYPE: Final = b"\x02"
_CHAIN_BYTES: Final = 16


class Credits:
    """The payment commands of one customs card."""

    def __init__(self, customs: CustomsRuntime, batches: Batches) -> None:
        self._customs: Final = customs
        self._memory: Final = customs.memory
        self._batches: Final = batches

    def rows(self) -> list[Row]:
        """The profile's table, payments and open records."""
        return [
            Row(cla=0x80, ins=INS.INIT_SAM, lc=exactly(0x33), handler=self._init),
            Row(cla=0x80, ins=INS.CREDIT, lc=exactly(0x20), handler=self._credit),
            Row(cla=0x80, ins=INS.VOID_OPEN, lc=exactly(0x0C), handler=self._void),
            Row(cla=0x80, ins=INS.LIST_OPEN, p1=None, handler=self._list_open),
        ]

    def _init(self, command: Command) -> bytes:
        cid, challenge, otc, amount, currency, at, digest, kv, algorithm, signature = (
            split(command.data, 8, 8, 4, 4, 2, 7, 8, 1, 1, 8)
        )
        if self._customs.code.exists and not self._customs.activated:
            raise Refused(SW.PIN_NEEDED)
        purchase_key = self._customs.purchase_key(kv, cid)
        context = challenge + cid + otc + self._customs.mid
        expected = mac8(kdf(purchase_key, "INI", context), amount + currency + digest)
        if not same(expected, signature):
            raise Refused(SW.MAC_WRONG)
        transaction = Transaction(
            cid=cid,
            otc=otc,
            mid=self._customs.mid,
            tsn=u32(self._memory.integer(names.NEXT_TSN)),
            amount=amount,
            currency=currency,
            at=at,
            digest=digest,
        )
        self._check_terms(transaction, algorithm)
        record = OpenRecord(tx=transaction.to_bytes(), kv=kv, challenge=challenge)
        record = self._already_open(record) or self._open(record)
        session_key = self._session_key(record)
        return record.transaction.tsn + mac8(session_key, _MAC1_TYPE + record.tx)

    def _check_terms(self, transaction: Transaction, algorithm: bytes) -> None:
        amount = int.from_bytes(transaction.amount, "big")
        otc = int.from_bytes(transaction.otc, "big")
        if (
            algorithm[0] != ALGORITHM_AES_CMAC
            # No purse has these numbers: neither debit nor void could close the record.
            or otc in {0, COUNTER_NEVER_USED}
            or transaction.currency != self._customs.currency
            or not 1 <= amount <= AMOUNT_MINOR_MAX
            or not is_bcd(transaction.at)
        ):
            raise Refused(SW.WRONG_DATA)

    def _already_open(self, wanted: OpenRecord) -> OpenRecord | None:
        """The record that the same INIT SAM opened before; 6985 when it is not it."""
        new = wanted.transaction
        for record in self._customs.open_records():
            old = record.transaction
            if (old.cid, old.otc, record.challenge) != (
                new.cid,
                new.otc,
                wanted.challenge,
            ):
                continue
            if (replace(old, tsn=new.tsn), record.kv) != (new, wanted.kv):
                raise Refused(SW.CONDITIONS_NOT_SATISFIED)
            return record
        return None

    def _open(self, record: OpenRecord) -> OpenRecord:
        tsn = self._memory.integer(names.NEXT_TSN)
        if tsn == COUNTER_NEVER_USED:
            raise Refused(SW.COUNTER_OR_LIMIT)
        if not self._has_room():
            raise Refused(SW.FULL)
        # Number and record in one commit, before the MAC1 that lets a purse debit.
        self._memory.commit(
            {names.NEXT_TSN: tsn + 1, names.open_key(u32(tsn)): record.to_bytes()}
        )
        return record

    def _has_room(self) -> bool:
        """Whether every open record, this one too, could still be credited."""
        opened = len(self._customs.open_records())
        count = self._memory.integer(names.COUNT)
        return (
            count + opened < BATCH_CREDITS_MAX
            and opened < self._customs.limits.open_records
            and self._batches.credits_held() + opened < self._customs.limits.credits
        )

    def _credit(self, command: Command) -> bytes:
        tsn, balance_after, cumulative_debit, tac, mac2 = split(
            command.data, 4, 4, 8, 8, 8
        )
        record = self._customs.open_record(tsn)
        if record is None:
            return self._credited_before(tsn, tac)
        proof = balance_after + cumulative_debit + tac
        message = _MAC2_TYPE + record.tx + proof
        if not same(mac8(self._session_key(record), message), mac2):
            raise Refused(SW.MAC_WRONG)
        return self._carry_out(record, proof)

    def _carry_out(self, record: OpenRecord, proof: bytes) -> bytes:
        """Total, credited record, chain and open record change in one commit."""
        memory = self._memory
        amount = int.from_bytes(record.transaction.amount, "big")
        batch = memory.integer(names.BATCH)
        count = memory.integer(names.COUNT) + 1
        total = memory.integer(names.TOTAL) + amount
        credited = CreditedRecord(batch=batch, tx=record.tx, kv=record.kv, proof=proof)
        chain = hashlib.sha256(memory.octets(names.CHAIN) + record.tx + proof).digest()
        memory.commit(
            {
                names.TOTAL: total,
                names.COUNT: count,
                names.SUM: memory.integer(names.SUM) + amount,
                names.CHAIN: chain[:_CHAIN_BYTES],
                names.credited_key(batch, count): credited.to_bytes(),
                names.open_key(record.transaction.tsn): None,
            }
        )
        return u64(total) + self._customs.confirmation("ACK", credited)

    def _credited_before(self, tsn: bytes, tac: bytes) -> bytes:
        credited = self._customs.credited_with(tsn)
        if credited is None or not same(credited.tac, tac):
            raise Refused(SW.NO_RECORD)
        total = self._memory.integer(names.TOTAL)
        return u64(total) + self._customs.confirmation("ACK", credited)

    def _void(self, command: Command) -> bytes:
        tsn, vmac = split(command.data, 4, 8)
        record = self._customs.open_record(tsn)
        if record is None:
            raise Refused(SW.NO_RECORD)
        if not same(self._customs.confirmation("VOID", record), vmac):
            raise Refused(SW.MAC_WRONG)
        self._memory.commit({names.open_key(tsn): None})
        return b""

    def _list_open(self, command: Command) -> bytes:
        records = self._customs.open_records()
        if not 1 <= command.p1 <= len(records):
            raise Refused(SW.NO_RECORD)
        record = records[command.p1 - 1]
        return record.to_bytes() + self._customs.confirmation("VREQ", record)

    def _session_key(self, record: OpenRecord) -> bytes:
        transaction = record.transaction
        purchase_key = self._customs.purchase_key(record.kv, transaction.cid)
        return kdf(purchase_key, "SES", record.challenge + transaction.context)
