"""What the parts of the customs card share: keys, totals, open and credited records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from card.profile import BATCH_CREDITS_MAX
from card.sw import SW
from sim.cards.application import Refused, Runtime
from sim.cards.crypto import kdf, mac8
from sim.cards.pin import SecretCode
from sim.cards.purse_runtime import CARD_ID, CURRENCY, KEY_VERSION
from sim.cards.records import TX_BYTES, Transaction, split, u32

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.cards.memory import Memory

__all__ = ["CreditedRecord", "CustomsLimits", "CustomsRuntime", "OpenRecord"]

KEY_BATCH: Final = "key.batch"
PURCHASE_MASTER: Final = "master.purchase."
NEXT_TSN: Final = "tsn"
BATCH: Final = "batch"
COUNT: Final = "count"
SUM: Final = "sum"
TOTAL: Final = "total"
CHAIN: Final = "chain"
FIRST_CHAIN: Final = bytes(16)
FIRST_VALUES: Final[dict[str, int | bytes]] = {
    NEXT_TSN: 1,
    BATCH: 1,
    COUNT: 0,
    SUM: 0,
    TOTAL: 0,
    CHAIN: FIRST_CHAIN,
}
"""What a customs card begins its life with."""

_OPEN: Final = "open."
_CREDITED: Final = "credited."


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomsLimits:
    """Room for records; the profile sets the least.

    Attributes:
        open_records: at least 32.
        credits: over all unacknowledged batches; at least 999.
    """

    open_records: int = 32
    credits: int = 2 * BATCH_CREDITS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRecord:
    """A payment that INIT SAM opened and that is neither credited nor void yet."""

    tx: bytes = field(repr=False)
    kv: bytes
    challenge: bytes = field(repr=False)

    @property
    def transaction(self) -> Transaction:
        """The fields of its TX."""
        return Transaction.parse(self.tx)

    def to_bytes(self) -> bytes:
        """TX47 kv1 Rc8, as kept in the memory and as LIST OPEN begins."""
        return self.tx + self.kv + self.challenge

    @classmethod
    def parse(cls, raw: bytes) -> OpenRecord:
        """Read back what `to_bytes` made."""
        tx, kv, challenge = split(raw, TX_BYTES, 1, 8)
        return cls(tx=tx, kv=kv, challenge=challenge)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditedRecord:
    """A credited payment, kept until the BANK ACK of its batch."""

    batch: int
    tx: bytes = field(repr=False)
    kv: bytes
    proof: bytes = field(repr=False)

    @property
    def tac(self) -> bytes:
        """The last field of balanceAfter4 cumulativeDebit8 TAC8."""
        return self.proof[-8:]

    def to_bytes(self) -> bytes:
        """What READ CREDITED answers, which is also what the memory keeps."""
        return u32(self.batch) + self.tx + self.kv + self.proof

    @classmethod
    def parse(cls, raw: bytes) -> CreditedRecord:
        """Read back what `to_bytes` made."""
        batch, tx, kv, proof = split(raw, 4, TX_BYTES, 1, 20)
        return cls(batch=int.from_bytes(batch, "big"), tx=tx, kv=kv, proof=proof)


class CustomsRuntime(Runtime):
    """The customs card while it has power."""

    def __init__(
        self,
        memory: Memory,
        random_bytes: Callable[[int], bytes],
        limits: CustomsLimits,
    ) -> None:
        super().__init__(memory, random_bytes)
        self.limits: Final = limits
        self.code: Final = SecretCode(memory, "code")
        self.activated = False

    def power_up(self) -> None:
        """Drop what a reset drops: the activation code is needed again."""
        super().power_up()
        self.activated = False

    @property
    def mid(self) -> bytes:
        """The MID, 8 bytes."""
        return self.memory.octets(CARD_ID)

    @property
    def currency(self) -> bytes:
        """The one currency of this device, 2 bytes BCD."""
        return self.memory.octets(CURRENCY)

    @property
    def key_version(self) -> int:
        """The kv of KB, data object C9."""
        return self.memory.integer(KEY_VERSION)

    def purchase_key(self, kv: bytes, cid: bytes) -> bytes:
        """KP of a purse, derived from IMK-P of that key version.

        Raises:
            Refused: 6A88, the card has no such master.
        """
        place = purchase_master(kv[0])
        if place not in self.memory:
            raise Refused(SW.NO_KEY_VERSION)
        return kdf(self.memory.octets(place), "PUR", kv + cid)

    def confirmation(self, label: str, record: OpenRecord | CreditedRecord) -> bytes:
        """ACK, VREQ or VMAC of a record: the three MACs that survive a reset."""
        transaction = Transaction.parse(record.tx)
        purchase_key = self.purchase_key(record.kv, transaction.cid)
        return mac8(kdf(purchase_key, label, transaction.context), record.tx)

    def open_records(self) -> list[OpenRecord]:
        """All open records in tsn order."""
        return [
            OpenRecord.parse(self.memory.octets(key))
            for key in self.memory.keys_from(_OPEN)
        ]

    def open_record(self, tsn: bytes) -> OpenRecord | None:
        """The open record of a tsn."""
        key = open_key(tsn)
        return OpenRecord.parse(self.memory.octets(key)) if key in self.memory else None

    def credited_with(self, tsn: bytes) -> CreditedRecord | None:
        """The credited record of a tsn, while it waits for its BANK ACK."""
        for key in self.memory.keys_from(_CREDITED):
            record = CreditedRecord.parse(self.memory.octets(key))
            if Transaction.parse(record.tx).tsn == tsn:
                return record
        return None


def purchase_master(kv: int) -> str:
    """Where IMK-P of a key version is kept."""
    return f"{PURCHASE_MASTER}{kv:02x}"


def open_key(tsn: bytes) -> str:
    """Where the open record of a tsn is kept."""
    return _OPEN + tsn.hex()


def credited_key(batch: int, index: int) -> str:
    """Where the index-th credit of a batch is kept; both count from 1."""
    return f"{credited_prefix(batch)}{index:04x}"


def credited_prefix(batch: int) -> str:
    """How the keys of all credits of a batch begin."""
    return f"{_CREDITED}{batch:08x}."
