"""The bank's arithmetic, written from the profile's formulas and nothing else.

Not built on the code that talks to cards nor on the code of the simulated ones, so that
a mistake shared by both would still show.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

CID: Final = bytes.fromhex("64 00 00 00 00 00 00 01")
MID: Final = bytes.fromhex("43 55 53 00 00 00 00 07")
LID: Final = b"DESK0001"
OMR: Final = bytes.fromhex("05 12")
AT: Final = bytes.fromhex("20 25 11 22 10 15 00")
DIGEST: Final = hashlib.sha256(b"INV-2025-000001").digest()[:8]


def u4(number: int) -> bytes:
    return number.to_bytes(4, "big")


def u8(number: int) -> bytes:
    return number.to_bytes(8, "big")


def cmac(key: bytes, message: bytes) -> bytes:
    state = CMAC(algorithms.AES(key))
    state.update(message)
    return state.finalize()


def mac8(key: bytes, message: bytes) -> bytes:
    return cmac(key, message)[:8]


def kdf(key: bytes, label: bytes, context: bytes) -> bytes:
    return cmac(key, b"\x01" + label + b"\x00" + context + b"\x00\x80")


@dataclass(frozen=True, kw_only=True)
class Bank:
    """The test masters of the worked vector, and what is made of them."""

    kv: int = 1

    def card_key(self, label: bytes, card_id: bytes) -> bytes:
        first = {b"PUR": 0x00, b"LOD": 0x10, b"TAC": 0x20, b"MNT": 0x30, b"BAT": 0x40}
        master = bytes(range(first[label], first[label] + 16))
        return kdf(master, label, bytes((self.kv,)) + card_id)

    def transport_key(self, serial: bytes) -> bytes:
        return kdf(bytes(range(0x50, 0x60)), b"TRN", b"\x00" + serial)

    def vreq(self, kp: bytes, context: bytes, tx: bytes) -> bytes:
        """VREQ as someone who has KP would make it for any context."""
        return mac8(kdf(kp, b"VREQ", context), tx)

    def close_mac(self, close: bytes) -> bytes:
        return cmac(self.card_key(b"BAT", MID), b"\x21" + MID + close[:44])

    def bank_ack(self, close: bytes) -> bytes:
        """The whole data field of BANK ACK for the answer of a CLOSE BATCH."""
        batch, count_and_sum, chain = close[:4], close[4:16], close[28:44]
        message = b"\x22" + MID + batch + count_and_sum + chain
        return batch + cmac(self.card_key(b"BAT", MID), message)

    def protect(
        self, key: bytes, identity: bytes, challenge: bytes, command: bytes
    ) -> bytes:
        """MAC8 of a maintenance command: its header and data, no Lc."""
        return mac8(kdf(key, b"MNT", challenge + identity), command)

    def encrypt(
        self, key: bytes, identity: bytes, challenge: bytes, clear: bytes
    ) -> bytes:
        session_key = kdf(key, b"ENC", challenge + identity)
        # The profile names ECB for this cryptogram.
        cipher = Cipher(algorithms.AES(session_key), modes.ECB())  # noqa: S305  see above
        encryptor = cipher.encryptor()
        return encryptor.update(clear) + encryptor.finalize()


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """One payment as the three parties know it."""

    otc: int = 1
    tsn: int = 1
    amount: int = 1234
    rc: bytes = bytes.fromhex("A1 A2 A3 A4 A5 A6 A7 A8")
    cid: bytes = CID
    mid: bytes = MID
    currency: bytes = OMR
    at: bytes = AT
    digest: bytes = DIGEST
    kv: int = 1
    alg: int = 1
    header: bytes = b"\x01\x06"
    balance_after: int = 500_000 - 1234
    cumulative: int = 1234

    @property
    def tx(self) -> bytes:
        numbers = self.cid + u4(self.otc) + self.mid + u4(self.tsn) + u4(self.amount)
        return self.header + numbers + self.currency + self.at + self.digest

    @property
    def kp(self) -> bytes:
        return Bank(kv=self.kv).card_key(b"PUR", self.cid)

    @property
    def s(self) -> bytes:
        context = self.rc + self.cid + u4(self.otc) + self.mid
        message = u4(self.amount) + self.currency + self.digest
        return mac8(kdf(self.kp, b"INI", context), message)

    @property
    def sk(self) -> bytes:
        return kdf(self.kp, b"SES", self.rc + self.context)

    @property
    def context(self) -> bytes:
        return self.cid + u4(self.otc) + self.mid + u4(self.tsn)

    @property
    def mac1(self) -> bytes:
        return mac8(self.sk, b"\x01" + self.tx)

    @property
    def after(self) -> bytes:
        return u4(self.balance_after) + u8(self.cumulative)

    @property
    def tac(self) -> bytes:
        key = Bank(kv=self.kv).card_key(b"TAC", self.cid)
        return mac8(key, b"\x04" + self.tx + self.after)

    @property
    def mac2(self) -> bytes:
        return mac8(self.sk, b"\x02" + self.tx + self.after + self.tac)

    @property
    def proof(self) -> bytes:
        return self.after + self.tac + self.mac2

    def confirm(self, label: bytes) -> bytes:
        """ACK, VREQ or VOID (VMAC)."""
        return mac8(kdf(self.kp, label, self.context), self.tx)

    @property
    def init_sam(self) -> bytes:
        terms = u4(self.otc) + u4(self.amount) + self.currency + self.at + self.digest
        return self.cid + self.rc + terms + bytes((self.kv, self.alg)) + self.s


@dataclass(frozen=True, kw_only=True)
class Load:
    """One load as card, desk and bank know it."""

    ltc: int = 1
    lsn: int = 7
    amount: int = 5000
    rc: bytes = bytes.fromhex("C1 C2 C3 C4 C5 C6 C7 C8")
    lid: bytes = LID
    currency: bytes = OMR
    at: bytes = AT
    balance_before: int = 500_000

    @property
    def kl(self) -> bytes:
        return Bank().card_key(b"LOD", CID)

    @property
    def skl(self) -> bytes:
        return kdf(self.kl, b"LDS", self.rc + CID + u4(self.ltc) + self.lid)

    @property
    def m1(self) -> bytes:
        terms = u4(self.amount) + self.currency + u4(self.balance_before)
        return mac8(self.skl, b"\x11" + CID + u4(self.ltc) + self.lid + terms)

    @property
    def lx(self) -> bytes:
        terms = u4(self.amount) + self.currency + self.at
        return b"\x01\x02" + CID + self.place + terms

    @property
    def place(self) -> bytes:
        return u4(self.ltc) + self.lid + u4(self.lsn)

    @property
    def m2(self) -> bytes:
        return mac8(self.skl, b"\x12" + self.lx)

    @property
    def proof(self) -> bytes:
        after = u4(self.balance_before + self.amount)
        ltac = mac8(Bank().card_key(b"TAC", CID), b"\x14" + self.lx + after)
        return after + ltac

    def confirm(self, label: bytes) -> bytes:
        """VREQ or VOID (VMAC)."""
        return mac8(kdf(self.kl, label, CID + self.place), self.place)
