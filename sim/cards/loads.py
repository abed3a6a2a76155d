"""The purse's side of a load: INIT LOAD, CREDIT LOAD, PROVE LOAD, VOID LOAD.

LX = ver1 type1 CID8 ltc4 LID8 lsn4 amount4 currency2 datetime7. The last four loads
keep their proofs under ``load.<ltc>``, the last four burned numbers under
``burned.<ltc>``: neither takes the other's place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card.profile import (
    ALGORITHM_AES_CMAC,
    AMOUNT_MINOR_MAX,
    COUNTER_NEVER_USED,
    INS,
    PROFILE_VERSION,
    RecordType,
)
from card.sw import SW
from sim.cards import purse_runtime as names
from sim.cards.application import CHALLENGE_BYTES, Command, Refused, Row, exactly
from sim.cards.crypto import kdf, mac8, same
from sim.cards.purse_runtime import LoadSession
from sim.cards.records import is_bcd, split, u32

if TYPE_CHECKING:
    from sim.cards.memory import Changes
    from sim.cards.purse_runtime import PurseRuntime

__all__ = ["Loads"]

KEPT: Final = 4
"""Loads whose proofs are kept, and burned numbers that are remembered."""

_LX_HEADER: Final = bytes((PROFILE_VERSION, RecordType.LOAD))
_M1_TYPE: Final = b"\x11"
_M2_TYPE: Final = b"\x12"
_LTAC_TYPE: Final = b"\x14"
_LOAD: Final = "load."
_BURNED: Final = "burned."


class Loads:
    """The load commands of one purse."""

    def __init__(self, purse: PurseRuntime) -> None:
        self._purse: Final = purse
        self._memory: Final = purse.memory

    def rows(self) -> list[Row]:
        """The profile's table, loads."""
        return [
            Row(cla=0x80, ins=INS.INIT, p2=0x02, lc=exactly(0x0F),
                handler=self._init),
            Row(cla=0x80, ins=INS.CREDIT_LOAD, lc=exactly(0x13),
                handler=self._credit),
            Row(cla=0x80, ins=INS.PROVE_OR_VOID, p1=0x00, p2=0x02, lc=exactly(0x10),
                handler=self._prove),
            Row(cla=0x80, ins=INS.PROVE_OR_VOID, p1=0x01, p2=0x02, lc=exactly(0x18),
                handler=self._void),
        ]  # fmt: skip

    def _init(self, command: Command) -> bytes:
        kv, amount, currency, lid = split(command.data, 1, 4, 2, 8)
        self._purse.end_session()
        self._check_init(kv, int.from_bytes(amount, "big"), currency)
        session = LoadSession(
            ltc=self._memory.integer(names.NEXT_LTC),
            amount=int.from_bytes(amount, "big"),
            lid=lid,
            challenge=self._purse.random_bytes(CHALLENGE_BYTES),
        )
        number = u32(session.ltc)
        balance = u32(self._purse.balance)
        m1 = mac8(
            self._session_key(session),
            _M1_TYPE + self._purse.card_id + number + lid + amount + currency + balance,
        )
        self._purse.session = session
        algorithm = bytes((ALGORITHM_AES_CMAC,))
        head = self._purse.card_id + balance + number + kv + algorithm
        return head + session.challenge + m1

    def _check_init(self, kv: bytes, amount: int, currency: bytes) -> None:
        self._purse.require_unblocked()
        self._purse.require_pin()
        self._purse.require_key_version(kv)
        known_currency = currency == self._memory.octets(names.CURRENCY)
        if not known_currency or not 1 <= amount <= AMOUNT_MINOR_MAX:
            raise Refused(SW.WRONG_DATA)
        at_end = self._memory.integer(names.NEXT_LTC) == COUNTER_NEVER_USED
        if at_end or self._passes_limit(amount):
            raise Refused(SW.COUNTER_OR_LIMIT)

    def _credit(self, command: Command) -> bytes:
        lsn, at, m2 = split(command.data, 4, 7, 8)
        session, pin_verified = self._purse.take_session()
        self._purse.require_unblocked()
        if not isinstance(session, LoadSession):
            raise Refused(SW.CONDITIONS_NOT_SATISFIED)
        if not pin_verified:
            raise Refused(SW.PIN_NEEDED)
        lx = self._compose(session, lsn, at)
        if not same(mac8(self._session_key(session), _M2_TYPE + lx), m2):
            self._purse.refuse_mac()
        if not is_bcd(at):
            self._purse.refuse_after_mac(SW.WRONG_DATA)
        if self._passes_limit(session.amount):
            self._purse.refuse_after_mac(SW.COUNTER_OR_LIMIT)
        return self._carry_out(session, lsn, lx)

    def _carry_out(self, session: LoadSession, lsn: bytes, lx: bytes) -> bytes:
        """Credit, count and prove in one commit; the proof is the answer."""
        balance = self._purse.balance + session.amount
        certificate_key = self._memory.octets(names.KEY_CERTIFICATE)
        ltac = mac8(certificate_key, _LTAC_TYPE + lx + u32(balance))
        proof = u32(balance) + ltac
        kept = session.lid + lsn + proof
        self._memory.commit(
            {
                names.BALANCE: balance,
                names.NEXT_LTC: session.ltc + 1,
                **self._keep(_LOAD, u32(session.ltc), kept),
                **self._purse.accept_mac(),
            }
        )
        return proof

    def _prove(self, command: Command) -> bytes:
        ltc, place_and_number = split(command.data, 4, 12)
        kept = self._kept_load(ltc)
        if kept is None or kept[:12] != place_and_number:
            raise Refused(SW.NO_PROOF)
        return kept[12:]

    def _void(self, command: Command) -> bytes:
        message, vreq = split(command.data, 16, 8)
        context = self._purse.card_id + message
        if not same(mac8(self._load_key("VREQ", context), message), vreq):
            raise Refused(SW.MAC_WRONG)
        ltc, place_and_number = message[:4], message[4:]
        number = int.from_bytes(ltc, "big")
        if number == self._memory.integer(names.NEXT_LTC) != COUNTER_NEVER_USED:
            self._burn(ltc, number)
        elif not self._can_never_be_credited(ltc, place_and_number):
            raise Refused(SW.NO_PROOF)
        return mac8(self._load_key("VOID", context), message)

    def _burn(self, ltc: bytes, number: int) -> None:
        self._purse.end_session()
        self._memory.commit(
            {names.NEXT_LTC: number + 1, **self._keep(_BURNED, ltc, b"")}
        )

    def _can_never_be_credited(self, ltc: bytes, place_and_number: bytes) -> bool:
        """Whether the number was burned, or spent on another load."""
        if _BURNED + ltc.hex() in self._memory:
            return True
        kept = self._kept_load(ltc)
        return kept is not None and kept[:12] != place_and_number

    def _kept_load(self, ltc: bytes) -> bytes | None:
        """LID8 lsn4 balanceAfter4 LTAC8 of one of the last loads."""
        key = _LOAD + ltc.hex()
        return self._memory.octets(key) if key in self._memory else None

    def _keep(self, prefix: str, ltc: bytes, value: bytes) -> Changes:
        """The changes that remember one number more and forget the oldest."""
        changes: Changes = {prefix + ltc.hex(): value}
        known = self._memory.keys_from(prefix)
        if len(known) >= KEPT:
            changes[known[0]] = None
        return changes

    def _passes_limit(self, amount: int) -> bool:
        limit = self._memory.integer(names.BALANCE_LIMIT)
        return self._purse.balance + amount > limit

    def _load_key(self, label: str, context: bytes) -> bytes:
        return kdf(self._memory.octets(names.KEY_LOAD), label, context)

    def _session_key(self, session: LoadSession) -> bytes:
        parties = self._purse.card_id + u32(session.ltc) + session.lid
        return self._load_key("LDS", session.challenge + parties)

    def _compose(self, session: LoadSession, lsn: bytes, at: bytes) -> bytes:
        currency = self._memory.octets(names.CURRENCY)
        place = u32(session.ltc) + session.lid + lsn
        return (
            _LX_HEADER
            + self._purse.card_id
            + place
            + u32(session.amount)
            + currency
            + at
        )
