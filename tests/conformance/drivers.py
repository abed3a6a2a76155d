"""The commands of the two cards, one method each, as raw bytes from the tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from card.profile import Role
from sim.cards.issue import CustomsData, PurseData, issue_customs_card, issue_purse
from tests.conformance.formulas import CID, MID, Bank, Load, Purchase, u4

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.cards.memory import Memory
    from sim.cards.t0 import Card
    from tests.conformance.links import Link

PURSE_SELECT: Final = "00 A4 04 00 08 F0 52 41 53 45 45 44 01 00"
CUSTOMS_SELECT: Final = "00 A4 04 00 08 F0 52 41 53 45 45 44 02 00"


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
