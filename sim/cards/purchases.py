"""The purse's side of a purchase: INIT PURCHASE, DEBIT, ACK, PROVE, VOID, READ LOG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card.profile import (
    ALGORITHM_AES_CMAC,
    AMOUNT_MINOR_MAX,
    COUNTER_NEVER_USED,
    INS,
    LogKind,
)
from card.sw import SW
from sim.cards import purse_runtime as names
from sim.cards.application import CHALLENGE_BYTES, Command, Refused, Row, exactly
from sim.cards.crypto import kdf, mac8, same
from sim.cards.purse_runtime import PurchaseSession
from sim.cards.records import TX_BYTES, TX_HEADER, Transaction, is_bcd, split, u32, u64
from sim.cards.ring import ProofRing, RingEntry

if TYPE_CHECKING:
    from sim.cards.purse_runtime import PurseRuntime

__all__ = ["Purchases"]

_MAC1_TYPE: Final = b"\x01"
_MAC2_TYPE: Final = b"\x02"
_TAC_TYPE: Final = b"\x04"


class Purchases:
    """The purchase commands of one purse."""

    def __init__(self, purse: PurseRuntime) -> None:
        self._purse: Final = purse
        self._memory: Final = purse.memory
        self._ring: Final = ProofRing(purse.memory)

    def rows(self) -> list[Row]:
        """The profile's table, purchases."""
        return [
            Row(cla=0x80, ins=INS.INIT, p1=0x01, p2=0x02, lc=exactly(0x17),
                handler=self._init),
            Row(cla=0x80, ins=INS.DEBIT, p1=0x01, lc=exactly(0x13),
                handler=self._debit),
            Row(cla=0x80, ins=INS.ACK, lc=exactly(0x18), handler=self._ack),
            Row(cla=0x80, ins=INS.PROVE_OR_VOID, p1=0x00, p2=0x06, lc=exactly(0x10),
                handler=self._prove),
            Row(cla=0x80, ins=INS.PROVE_OR_VOID, p1=0x01, p2=0x06, lc=exactly(0x37),
                handler=self._void),
            Row(cla=0x80, ins=INS.READ_LOG, p1=None, handler=self._read_log),
        ]  # fmt: skip

    def _init(self, command: Command) -> bytes:
        kv, amount, currency, mid, digest = split(command.data, 1, 4, 2, 8, 8)
        # A refused INIT ends the session too, so it ends before the checks.
        self._purse.end_session()
        self._check_init(kv, int.from_bytes(amount, "big"), currency)
        session = PurchaseSession(
            otc=self._memory.integer(names.NEXT_OTC),
            amount=int.from_bytes(amount, "big"),
            mid=mid,
            digest=digest,
            challenge=self._purse.random_bytes(CHALLENGE_BYTES),
        )
        signature = mac8(
            self._purchase_key("INI", session.challenge, self._parties(session)),
            amount + currency + digest,
        )
        self._purse.session = session
        return (
            self._purse.card_id
            + u32(self._purse.balance)
            + u32(session.otc)
            + kv
            + bytes((ALGORITHM_AES_CMAC,))
            + session.challenge
            + signature
        )

    def _check_init(self, kv: bytes, amount: int, currency: bytes) -> None:
        self._purse.require_unblocked()
        self._purse.require_pin()
        self._purse.require_key_version(kv)
        if currency != self._memory.octets(names.CURRENCY):
            raise Refused(SW.WRONG_DATA)
        limit = min(self._memory.integer(names.PAYMENT_LIMIT), AMOUNT_MINOR_MAX)
        if not 1 <= amount <= limit:
            raise Refused(SW.WRONG_DATA)
        if self._memory.integer(names.NEXT_OTC) == COUNTER_NEVER_USED:
            raise Refused(SW.COUNTER_OR_LIMIT)
        if amount > self._purse.balance:
            raise Refused(SW.BALANCE_TOO_LOW)

    def _debit(self, command: Command) -> bytes:
        tsn, at, mac1 = split(command.data, 4, 7, 8)
        session, pin_verified = self._purse.take_session()
        self._purse.require_unblocked()
        if not isinstance(session, PurchaseSession):
            raise Refused(SW.CONDITIONS_NOT_SATISFIED)
        if not pin_verified:
            raise Refused(SW.PIN_NEEDED)
        tx = self._compose(session, tsn, at)
        session_key = self._purchase_key(
            "SES", session.challenge, self._parties(session) + tsn
        )
        if not same(mac8(session_key, _MAC1_TYPE + tx), mac1):
            self._purse.refuse_mac()
        if not is_bcd(at):
            self._purse.refuse_after_mac(SW.WRONG_DATA)
        if session.amount > self._purse.balance:
            self._purse.refuse_after_mac(SW.BALANCE_TOO_LOW)
        return self._carry_out(session, tx, session_key)

    def _carry_out(self, session: PurchaseSession, tx: bytes, key: bytes) -> bytes:
        """Debit, count and prove in one commit; the proof is the answer."""
        balance = self._purse.balance - session.amount
        debited = self._memory.integer(names.CUMULATIVE_DEBIT) + session.amount
        signed = tx + u32(balance) + u64(debited)
        certificate_key = self._memory.octets(names.KEY_CERTIFICATE)
        tac = mac8(certificate_key, _TAC_TYPE + signed)
        entry = RingEntry(
            kind=LogKind.PURCHASE,
            tx=tx,
            balance_after=u32(balance),
            cumulative_debit=u64(debited),
            tac=tac,
            mac2=mac8(key, _MAC2_TYPE + signed + tac),
        )
        self._memory.commit(
            {
                names.BALANCE: balance,
                names.NEXT_OTC: session.otc + 1,
                names.CUMULATIVE_DEBIT: debited,
                **self._ring.add(entry),
                **self._purse.accept_mac(),
            }
        )
        return entry.proof

    def _ack(self, command: Command) -> bytes:
        otc, mid, tsn, ack = split(command.data, 4, 8, 4, 8)
        entry = self._proved(otc, mid, tsn)
        key = self._purchase_key("ACK", entry.transaction.context)
        if not same(mac8(key, entry.tx), ack):
            raise Refused(SW.MAC_WRONG)
        if not entry.acked:
            self._memory.commit(self._ring.acknowledge(entry))
        return b""

    def _prove(self, command: Command) -> bytes:
        return self._proved(*split(command.data, 4, 8, 4)).proof

    def _proved(self, otc: bytes, mid: bytes, tsn: bytes) -> RingEntry:
        """The purchase that is meant, or 9406."""
        entry = self._ring.find(otc)
        if entry is None or entry.kind is not LogKind.PURCHASE:
            raise Refused(SW.NO_PROOF)
        if (entry.transaction.mid, entry.transaction.tsn) != (mid, tsn):
            raise Refused(SW.NO_PROOF)
        return entry

    def _void(self, command: Command) -> bytes:
        tx, vreq = split(command.data, TX_BYTES, 8)
        transaction = Transaction.parse(tx)
        # In a TX of another card the profile leaves open whose CID the context names;
        # either way a good VREQ leads to 6A80.
        numbers = transaction.context[8:]
        contexts = (transaction.context, self._purse.card_id + numbers)
        keys = [self._purchase_key("VREQ", context) for context in contexts]
        if not any(same(mac8(key, tx), vreq) for key in keys):
            raise Refused(SW.MAC_WRONG)
        if transaction.header != TX_HEADER or transaction.cid != self._purse.card_id:
            raise Refused(SW.WRONG_DATA)
        otc = int.from_bytes(transaction.otc, "big")
        if otc == self._memory.integer(names.NEXT_OTC) != COUNTER_NEVER_USED:
            self._burn(tx, otc)
        elif not self._can_never_be_debited(transaction):
            raise Refused(SW.NO_PROOF)
        return mac8(self._purchase_key("VOID", transaction.context), tx)

    def _burn(self, tx: bytes, otc: int) -> None:
        self._purse.end_session()
        entry = RingEntry(
            kind=LogKind.VOID, tx=tx, balance_after=u32(self._purse.balance)
        )
        self._memory.commit({names.NEXT_OTC: otc + 1, **self._ring.add(entry)})

    def _can_never_be_debited(self, transaction: Transaction) -> bool:
        """Whether the number was burned, or spent on another record."""
        entry = self._ring.find(transaction.otc)
        if entry is None:
            return False
        other = entry.transaction
        return entry.kind is LogKind.VOID or (
            (other.mid, other.tsn) != (transaction.mid, transaction.tsn)
        )

    def _read_log(self, command: Command) -> bytes:
        self._purse.require_pin()
        entries = self._ring.entries()
        if not 1 <= command.p1 <= len(entries):
            raise Refused(SW.NO_RECORD)
        return entries[-command.p1].log

    def _purchase_key(self, label: str, *context: bytes) -> bytes:
        return kdf(self._memory.octets(names.KEY_PURCHASE), label, b"".join(context))

    def _parties(self, session: PurchaseSession) -> bytes:
        return self._purse.card_id + u32(session.otc) + session.mid

    def _compose(self, session: PurchaseSession, tsn: bytes, at: bytes) -> bytes:
        return Transaction(
            cid=self._purse.card_id,
            otc=u32(session.otc),
            mid=session.mid,
            tsn=tsn,
            amount=u32(session.amount),
            currency=self._memory.octets(names.CURRENCY),
            at=at,
            digest=session.digest,
        ).to_bytes()
