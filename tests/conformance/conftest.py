"""Raw commands to a card of the profile, wherever it is, and the bank's own arithmetic.

Nothing here is built on the code that talks to cards or on the code of the simulated
ones: commands are written from the profile's tables and MACs computed from its
formulas, so that a mistake shared by both would still show. Every test that takes
`purse` or `customs` runs twice: in this process, and through pcscd.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from card.profile import Role
from sim.cards.issue import CustomsData, PurseData, issue_customs_card, issue_purse
from sim.cards.vpcd import VPCDCard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sim.cards.memory import Memory
    from sim.cards.t0 import Card
    from sim.pcscd import PrivatePCSCD

CID: Final = bytes.fromhex("64 00 00 00 00 00 00 01")
MID: Final = bytes.fromhex("43 55 53 00 00 00 00 07")
LID: Final = b"DESK0001"
OMR: Final = bytes.fromhex("05 12")
AT: Final = bytes.fromhex("20 25 11 22 10 15 00")
DIGEST: Final = hashlib.sha256(b"INV-2025-000001").digest()[:8]
PURSE_SELECT: Final = "00 A4 04 00 08 F0 52 41 53 45 45 44 01 00"
CUSTOMS_SELECT: Final = "00 A4 04 00 08 F0 52 41 53 45 45 44 02 00"
_WAIT_MS: Final = 10_000


def u4(number: int) -> bytes:
    return number.to_bytes(4, "big")


def u8(number: int) -> bytes:
    return number.to_bytes(8, "big")


# --- the bank's arithmetic, from the profile's formulas ------------------------------


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


# --- the way to a card ---------------------------------------------------------------


class Link(Protocol):
    """Two slots with a card in each."""

    over_pcsc: bool

    def put(self, role: Role, card: Card) -> None:
        """Have ``card`` in the slot, just powered."""

    def transmit(self, role: Role, apdu: bytes) -> bytes: ...

    def reset(self, role: Role) -> None: ...


class InProcess:
    """Both cards in this process."""

    over_pcsc = False

    def __init__(self) -> None:
        self._cards: dict[Role, Card] = {}

    def put(self, role: Role, card: Card) -> None:
        self._cards[role] = card
        card.reset()

    def transmit(self, role: Role, apdu: bytes) -> bytes:
        return self._cards[role].process(apdu)

    def reset(self, role: Role) -> None:
        self._cards[role].reset()


class _Slot:
    """What vpcd takes for a card: whichever card a test has put there."""

    def __init__(self) -> None:
        self.card: Card | None = None

    def reset(self) -> None:
        if self.card is not None:
            self.card.reset()

    def process(self, apdu: bytes, /) -> bytes:
        assert self.card is not None
        return self.card.process(apdu)


class OverPCSC:
    """Both cards behind vpcd, reached through pcscd by pyscard's plain functions."""

    over_pcsc = True

    def __init__(self, daemon: PrivatePCSCD) -> None:
        from smartcard import scard  # noqa: PLC0415  only where it is needed

        self._scard: Any = scard
        self._readers = dict(zip(Role, daemon.readers, strict=True))
        self._slots = {role: _Slot() for role in Role}
        self._handles: dict[Role, Any] = {}
        self._context = self._call(
            scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        )
        self._vpcd = [
            VPCDCard(self._slots[role], daemon.port + offset)
            for offset, role in enumerate(Role)
        ]
        for slot in self._vpcd:
            slot.insert()
        for role in Role:
            self._wait_while(role, scard.SCARD_STATE_EMPTY)
            self._handles[role], _protocol = self._call(
                scard.SCardConnect(
                    self._context,
                    self._readers[role],
                    scard.SCARD_SHARE_EXCLUSIVE,
                    scard.SCARD_PROTOCOL_T1,
                ),
                values=2,
            )

    def put(self, role: Role, card: Card) -> None:
        self._slots[role].card = card
        self.reset(role)

    def transmit(self, role: Role, apdu: bytes) -> bytes:
        scard = self._scard
        handle = self._handles[role]
        return bytes(
            self._call(scard.SCardTransmit(handle, scard.SCARD_PCI_T1, list(apdu)))
        )

    def reset(self, role: Role) -> None:
        scard = self._scard
        self._call(
            scard.SCardReconnect(
                self._handles[role],
                scard.SCARD_SHARE_EXCLUSIVE,
                scard.SCARD_PROTOCOL_T1,
                scard.SCARD_RESET_CARD,
            )
        )

    def close(self) -> None:
        """Leave both slots empty, as the next user of them expects."""
        scard = self._scard
        for role, slot in zip(Role, self._vpcd, strict=True):
            scard.SCardDisconnect(self._handles[role], scard.SCARD_LEAVE_CARD)
            slot.close()
        for role in Role:
            self._wait_while(role, scard.SCARD_STATE_PRESENT)
        scard.SCardReleaseContext(self._context)

    def _wait_while(self, role: Role, state: int) -> None:
        scard = self._scard
        name = self._readers[role]
        known = scard.SCARD_STATE_UNAWARE
        while True:
            [(_name, now, _atr)] = self._call(
                scard.SCardGetStatusChange(self._context, _WAIT_MS, [(name, known)])
            )
            if not now & state:
                return
            known = now & ~scard.SCARD_STATE_CHANGED

    def _call(self, answer: Any, *, values: int = 1) -> Any:
        code, *rest = answer if isinstance(answer, (list, tuple)) else (answer,)
        assert code == self._scard.SCARD_S_SUCCESS, f"PC/SC answered {code:#x}"
        return rest[0] if values == 1 and rest else rest


@pytest.fixture(
    scope="module",
    params=["in_process", pytest.param("pcsc", marks=pytest.mark.pcsc)],
)
def link(request: pytest.FixtureRequest) -> Iterator[Link]:
    """Both ways to a card, one after the other."""
    if request.param == "in_process":
        yield InProcess()
        return
    over_pcsc = OverPCSC(request.getfixturevalue("private_pcscd"))
    yield over_pcsc
    over_pcsc.close()


# --- the two cards, command by command -----------------------------------------------


@dataclass(frozen=True)
class Answer:
    """Response data and status word."""

    data: bytes
    sw: str

    def __eq__(self, other: object) -> bool:
        """Compare with a status word, or with data of a command that succeeded."""
        if isinstance(other, str):
            return self.sw == other
        return self.sw == "9000" and self.data == other

    __hash__ = None  # type: ignore[assignment]  # compares with other types


class Driver:
    """Sends the commands of one card; a test looks at the answers."""

    role: Role
    select_apdu: str

    def __init__(self, link: Link) -> None:
        self._link = link

    @property
    def over_pcsc(self) -> bool:
        return self._link.over_pcsc

    def send(self, *parts: str | bytes) -> Answer:
        raw = b"".join(bytes.fromhex(p) if isinstance(p, str) else p for p in parts)
        answer = self._link.transmit(self.role, raw)
        return Answer(answer[:-2], answer[-2:].hex().upper())

    def command(self, header: str, data: bytes = b"") -> Answer:
        """A command with Lc, when it has data, and without Le."""
        lc = bytes((len(data),)) if data else b""
        return self.send(header, lc, data)

    def put(self, card: Card) -> None:
        self._link.put(self.role, card)

    def reset(self) -> None:
        self._link.reset(self.role)

    def select(self) -> Answer:
        return self.send(self.select_apdu)

    def restart(self) -> None:
        self.reset()
        assert self.select().sw == "9000"

    def challenge(self) -> bytes:
        answer = self.send("00 84 00 00 00")
        assert answer.sw == "9000"
        return answer.data


class PurseDriver(Driver):
    """The purse."""

    role = Role.PURSE
    select_apdu = PURSE_SELECT
    memory: Memory

    def issue(
        self, random_bytes: Callable[[int], bytes] | None = None, **data: Any
    ) -> None:
        """Start over with a new purse, selected."""
        card = issue_purse(
            None, PurseData(**data), *([random_bytes] if random_bytes else [])
        )
        self.memory = card.memory
        self.put(card)
        assert self.select().sw == "9000"

    def verify(self, block: str = "24 12 34 FF FF FF FF FF") -> Answer:
        return self.command("00 20 00 80", bytes.fromhex(block))

    def wrong_pin(self) -> Answer:
        return self.verify("24 99 99 FF FF FF FF FF")

    def init(self, wanted: Purchase | None = None) -> Answer:
        """INIT PURCHASE for the terms of ``wanted``."""
        p = wanted or Purchase()
        data = bytes((p.kv,)) + u4(p.amount) + p.currency + p.mid + p.digest
        return self.command("80 50 01 02", data)

    def begin(self, **terms: Any) -> Purchase:
        """VERIFY and INIT PURCHASE; the purchase as the purse opened it."""
        assert self.verify().sw == "9000"
        answer = self.init(Purchase(**terms))
        assert answer.sw == "9000"
        otc = int.from_bytes(answer.data[12:16], "big")
        balance = int.from_bytes(answer.data[8:12], "big")
        amount = terms.get("amount", Purchase.amount)
        known = {"otc": otc, "rc": answer.data[18:26]}
        after = {
            "balance_after": balance - amount,
            "cumulative": 500_000 - balance + amount,
        }
        return Purchase(**(after | terms | known))

    def debit(self, p: Purchase, mac1: bytes | None = None) -> Answer:
        return self.command("80 54 01 00", u4(p.tsn) + p.at + (mac1 or p.mac1))

    def pay(self, **terms: Any) -> Purchase:
        """One debited purchase, with a new tsn when none is given."""
        purchase = self.begin(**terms)
        answer = self.debit(purchase)
        assert answer == purchase.proof
        return purchase

    def ack(self, p: Purchase, ack: bytes | None = None) -> Answer:
        place = u4(p.otc) + p.mid + u4(p.tsn)
        return self.command("80 56 00 00", place + (ack or p.confirm(b"ACK")))

    def prove(self, p: Purchase) -> Answer:
        return self.command("80 5A 00 06", u4(p.otc) + p.mid + u4(p.tsn))

    def void(self, p: Purchase, vreq: bytes | None = None) -> Answer:
        return self.command("80 5A 01 06", p.tx + (vreq or p.confirm(b"VREQ")))

    def read_log(self, index: int) -> Answer:
        return self.send("80 B2", bytes((index,)), "00 00")

    def balance(self) -> int:
        answer = self.send("80 5C 00 02 00")
        assert answer.sw == "9000"
        return int.from_bytes(answer.data, "big")

    def init_load(self, wanted: Load | None = None) -> Answer:
        load = wanted or Load()
        data = b"\x01" + u4(load.amount) + load.currency + load.lid
        return self.command("80 50 00 02", data)

    def begin_load(self, **terms: Any) -> Load:
        assert self.verify().sw == "9000"
        answer = self.init_load(Load(**terms))
        assert answer.sw == "9000"
        known = {
            "balance_before": int.from_bytes(answer.data[8:12], "big"),
            "ltc": int.from_bytes(answer.data[12:16], "big"),
            "rc": answer.data[18:26],
        }
        load = Load(**(terms | known))
        assert answer.data[26:] == load.m1
        return load

    def credit_load(self, load: Load, m2: bytes | None = None) -> Answer:
        data = u4(load.lsn) + load.at + (m2 or load.m2)
        return self.command("80 52 00 00", data)

    def load(self, **terms: Any) -> Load:
        load = self.begin_load(**terms)
        assert self.credit_load(load) == load.proof
        return load

    def prove_load(self, load: Load) -> Answer:
        return self.command("80 5A 00 02", load.place)

    def void_load(self, load: Load, vreq: bytes | None = None) -> Answer:
        return self.command("80 5A 01 02", load.place + (vreq or load.confirm(b"VREQ")))

    def maintain(
        self, header: str, data: bytes = b"", *, challenge: bytes | None = None
    ) -> Answer:
        """A maintenance command under a fresh challenge, unless one is given."""
        challenge = self.challenge() if challenge is None else challenge
        key = Bank().card_key(b"MNT", CID)
        raw = bytes.fromhex(header) + data
        return self.command(header, data + Bank().protect(key, CID, challenge, raw))

    def reset_pin(self, block: str) -> Answer:
        challenge = self.challenge()
        clear = bytes.fromhex(block) + bytes.fromhex("80 00 00 00 00 00 00 00")
        key = Bank().card_key(b"MNT", CID)
        data = Bank().encrypt(key, CID, challenge, clear)
        return self.maintain("84 2C 00 80", data, challenge=challenge)


class CustomsDriver(Driver):
    """The customs card."""

    role = Role.CUSTOMS
    select_apdu = CUSTOMS_SELECT
    memory: Memory

    def issue(self, **data: Any) -> None:
        """Start over with a new customs card, selected."""
        card = issue_customs_card(None, CustomsData(**data))
        self.memory = card.memory
        self.put(card)
        assert self.select().sw == "9000"

    def init(self, p: Purchase, s: bytes | None = None) -> Answer:
        return self.command("80 70 00 00", p.init_sam[:-8] + (s or p.s))

    def open(self, p: Purchase) -> Answer:
        """INIT SAM that must succeed with the tsn of ``p``."""
        answer = self.init(p)
        assert answer == u4(p.tsn) + p.mac1
        return answer

    def credit(self, p: Purchase, mac2: bytes | None = None) -> Answer:
        data = u4(p.tsn) + p.after + p.tac + (mac2 or p.mac2)
        return self.command("80 72 00 00", data)

    def take(self, p: Purchase) -> Answer:
        """Open and credit one payment."""
        self.open(p)
        answer = self.credit(p)
        assert answer.sw == "9000"
        return answer

    def void(self, p: Purchase, vmac: bytes | None = None) -> Answer:
        return self.command("80 76 00 00", u4(p.tsn) + (vmac or p.confirm(b"VOID")))

    def list_open(self, index: int) -> Answer:
        return self.send("80 78", bytes((index,)), "00 00")

    def read_credited(self, index: int) -> Answer:
        return self.send("80 79", index.to_bytes(2, "big"), "00")

    def close(self) -> Answer:
        return self.send("80 7A 00 00 00")

    def waiting(self, index: int) -> Answer:
        return self.send("80 7A 01", bytes((index,)), "00")

    def bank_ack(self, close: bytes) -> Answer:
        return self.command("80 7C 00 00", Bank().bank_ack(close))

    def status(self) -> dict[str, int]:
        answer = self.send("80 74 00 00 00")
        assert answer.sw == "9000"
        assert answer.data[:8] == MID
        lengths = {
            "batch": 4, "tsn": 4, "count": 4, "sum": 8, "total": 8,
            "open": 2, "capacity": 2, "closed": 1,
        }  # fmt: skip
        values: dict[str, int] = {}
        start = 8
        for name, length in lengths.items():
            values[name] = int.from_bytes(answer.data[start : start + length], "big")
            start += length
        assert start == len(answer.data)
        return values


@pytest.fixture
def purse(link: Link) -> PurseDriver:
    """The worked vector's purse, selected."""
    driver = PurseDriver(link)
    driver.issue()
    return driver


@pytest.fixture
def customs(link: Link) -> CustomsDriver:
    """The worked vector's customs card, selected."""
    driver = CustomsDriver(link)
    driver.issue()
    return driver


@pytest.fixture
def purchase() -> type[Purchase]:
    """Payments to be made up, as `Purchase`."""
    return Purchase


@pytest.fixture
def bank() -> Bank:
    """The bank's keys."""
    return Bank()


@pytest.fixture
def load() -> type[Load]:
    """Loads to be made up, as `Load`."""
    return Load
