"""The purse: its commands, its answers, and a session with one (card profile 1).

Functions named like a command build it; ``parse_*`` read what it answers. The money
machines (`card.purchase`, `card.recovery`, `card.load`) use these alone; `PurseSession`
is for looking at a purse and for the card desk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

from card.apdu import LE_ANY, CommandAPDU
from card.application import PIN_REFERENCES, ApplicationSession
from card.fields import FieldReader, currency_bytes, datetime_bytes, uint4
from card.profile import INS, Role
from card.records import DebitProof, LogEntry

if TYPE_CHECKING:
    from datetime import datetime

    from card.records import TransactionRecord

__all__ = [
    "LOG_INDEX_MAX",
    "InitAnswer",
    "LoadProof",
    "PurseSession",
    "ack",
    "change_pin",
    "credit_load",
    "debit",
    "get_balance",
    "init_load",
    "init_purchase",
    "parse_init",
    "parse_vmac",
    "prove",
    "prove_load",
    "read_log",
    "void",
    "void_load",
]

LOG_INDEX_MAX: Final = 0xFF
"""READ LOG counts in one byte."""

_CLA: Final = 0x80
_PURCHASE: Final = (0x01, 0x02)
_LOAD: Final = (0x00, 0x02)
_PROVE_PURCHASE: Final = (0x00, 0x06)
_VOID_PURCHASE: Final = (0x01, 0x06)
_PROVE_LOAD: Final = (0x00, 0x02)
_VOID_LOAD: Final = (0x01, 0x02)


@dataclass(frozen=True, slots=True, kw_only=True)
class InitAnswer:
    """What INIT PURCHASE and INIT LOAD answer, 34 bytes.

    Attributes:
        cid: the purse's number, 8 bytes.
        balance_minor: its balance.
        counter: its number of this debit (otc) or load (ltc).
        kv: version of its keys.
        alg: algorithm of its MACs.
        rc: its challenge, 8 bytes.
        mac: S of a purchase, M1 of a load, 8 bytes.
    """

    cid: bytes = field(repr=False)
    balance_minor: int
    counter: int
    kv: int
    alg: int
    rc: bytes = field(repr=False)
    mac: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProof:
    """What CREDIT LOAD and PROVE LOAD answer, 12 bytes.

    Attributes:
        balance_after_minor: the purse's balance after the load.
        ltac: its certificate towards the bank, 8 bytes.
    """

    balance_after_minor: int
    ltac: bytes = field(repr=False)

    @classmethod
    def parse(cls, data: bytes) -> LoadProof:
        """Read balanceAfter4 LTAC8.

        Raises:
            MalformedResponseError: They are none.
        """
        with FieldReader(data, "proof of load") as reader:
            return cls(balance_after_minor=reader.uint(4), ltac=reader.take(8))


def parse_init(data: bytes) -> InitAnswer:
    """Read CID8 balance4 counter4 kv1 alg1 Rc8 MAC8.

    Raises:
        MalformedResponseError: They are none.
    """
    with FieldReader(data, "INIT response") as reader:
        return InitAnswer(
            cid=reader.take(8),
            balance_minor=reader.uint(4),
            counter=reader.uint(4),
            kv=reader.uint(1),
            alg=reader.uint(1),
            rc=reader.take(8),
            mac=reader.take(8),
        )


def parse_vmac(data: bytes) -> bytes:
    """Read what VOID or VOID LOAD answered: VMAC, 8 bytes.

    Raises:
        MalformedResponseError: It is none.
    """
    with FieldReader(data, "VOID response") as reader:
        return reader.take(8)


def change_pin(old_block: bytes, new_block: bytes) -> CommandAPDU:
    """CHANGE PIN: the old block and the new one, 8 bytes each; clears the PIN."""
    return CommandAPDU(
        cla=0x00,
        ins=INS.CHANGE_PIN,
        p2=PIN_REFERENCES[Role.PURSE],
        data=old_block + new_block,
    )


def get_balance() -> CommandAPDU:
    """GET BALANCE: no PIN needed."""
    return CommandAPDU(cla=_CLA, ins=INS.GET_BALANCE, p2=0x02, le=LE_ANY)


def init_purchase(
    *, kv: int, amount_minor: int, currency: int, mid: bytes, digest: bytes
) -> CommandAPDU:
    """INIT PURCHASE: nothing is debited, the purse checks and opens a session."""
    data = bytes((kv,)) + uint4(amount_minor) + currency_bytes(currency)
    return _command(INS.INIT, _PURCHASE, data + mid + digest)


def debit(*, tsn: int, at: datetime, mac1: bytes) -> CommandAPDU:
    """DEBIT: the one command that takes value off the purse."""
    return _command(INS.DEBIT, (0x01, 0x00), uint4(tsn) + datetime_bytes(at) + mac1)


def ack(tx: TransactionRecord, ack_mac: bytes) -> CommandAPDU:
    """ACK: the customs card has credited it; housekeeping of the purse's ring."""
    return CommandAPDU(cla=_CLA, ins=INS.ACK, data=_numbers(tx) + ack_mac)


def prove(tx: TransactionRecord) -> CommandAPDU:
    """PROVE: the proof of an earlier DEBIT; answers as `DebitProof` or 9406."""
    return _command(INS.PROVE_OR_VOID, _PROVE_PURCHASE, _numbers(tx))


def void(tx: TransactionRecord, vreq: bytes) -> CommandAPDU:
    """VOID: burn the number of a payment that was never debited; VMAC or 9406."""
    return _command(INS.PROVE_OR_VOID, _VOID_PURCHASE, tx.to_bytes() + vreq)


def init_load(*, kv: int, amount_minor: int, currency: int, lid: bytes) -> CommandAPDU:
    """INIT LOAD: nothing is loaded, the purse opens a session and answers M1."""
    data = bytes((kv,)) + uint4(amount_minor) + currency_bytes(currency)
    return _command(INS.INIT, _LOAD, data + lid)


def credit_load(*, lsn: int, at: datetime, m2: bytes) -> CommandAPDU:
    """CREDIT LOAD: the one command that puts value on the purse."""
    return _command(INS.CREDIT_LOAD, (0, 0), uint4(lsn) + datetime_bytes(at) + m2)


def prove_load(*, ltc: int, lid: bytes, lsn: int) -> CommandAPDU:
    """PROVE LOAD: the proof of an earlier CREDIT LOAD, or 9406."""
    data = uint4(ltc) + lid + uint4(lsn)
    return _command(INS.PROVE_OR_VOID, _PROVE_LOAD, data)


def void_load(*, ltc: int, lid: bytes, lsn: int, vreq: bytes) -> CommandAPDU:
    """VOID LOAD: burn the number of a load that never came; VMAC or 9406."""
    data = uint4(ltc) + lid + uint4(lsn) + vreq
    return _command(INS.PROVE_OR_VOID, _VOID_LOAD, data)


def read_log(index: int) -> CommandAPDU:
    """READ LOG: the newest entry is 1; the PIN is needed."""
    return CommandAPDU(cla=_CLA, ins=INS.READ_LOG, p1=index, le=LE_ANY)


def _command(ins: INS, p1_p2: tuple[int, int], data: bytes) -> CommandAPDU:
    p1, p2 = p1_p2
    return CommandAPDU(cla=_CLA, ins=ins, p1=p1, p2=p2, data=data, le=LE_ANY)


def _numbers(tx: TransactionRecord) -> bytes:
    return uint4(tx.otc) + tx.mid + uint4(tx.tsn)


class PurseSession(ApplicationSession):
    """A purse in a reader; see `ApplicationSession` for what can be raised."""

    role: ClassVar[Role] = Role.PURSE

    def balance(self) -> int:
        """GET BALANCE, in minor units."""
        with FieldReader(self.run(get_balance()), "GET BALANCE response") as reader:
            return reader.uint(4)

    def change_pin(self, old_block: bytes, new_block: bytes) -> None:
        """CHANGE PIN; the new one has to be verified before it is used.

        Raises:
            WrongPINError: The old one does not match, or no tries are left.
        """
        self.run(change_pin(old_block, new_block))

    def read_log(self) -> list[LogEntry]:
        """READ LOG: all entries, newest first; the PIN has to be verified before."""
        return [
            LogEntry.parse(entry) for entry in self._read_list(read_log, LOG_INDEX_MAX)
        ]

    def prove(self, tx: TransactionRecord) -> DebitProof:
        """PROVE a payment.

        Raises:
            StatusError: 9406, the purse holds no proof of it.
        """
        return DebitProof.parse(self.run(prove(tx)))

    def void(self, tx: TransactionRecord, vreq: bytes) -> bytes:
        """VOID a payment that was never debited: VMAC, 8 bytes.

        Raises:
            StatusError: 9406, it may have been debited; 9302, the VREQ is wrong.
        """
        return parse_vmac(self.run(void(tx, vreq)))
