"""The purse's proof ring: what happened to its last transaction numbers.

An entry is made in the same commit as the debit or the burning that it proves, and
the number it speaks of is its name: otc never repeats and only grows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from card.profile import LogKind
from sim.cards.records import TX_BYTES, Transaction, split

if TYPE_CHECKING:
    from sim.cards.memory import Changes, Memory

__all__ = ["RING_ENTRIES", "ProofRing", "RingEntry"]

RING_ENTRIES: Final = 10
_PREFIX: Final = "ring."
_FIELDS: Final = (1, 1, TX_BYTES, 4, 8, 8, 8)
_NO_PROOF: Final = bytes(24)


@dataclass(frozen=True, slots=True, kw_only=True)
class RingEntry:
    """One purchase with its proof, or one burned number without."""

    kind: LogKind
    acked: bool = False
    tx: bytes = field(repr=False)
    balance_after: bytes
    cumulative_debit: bytes = _NO_PROOF[:8]
    tac: bytes = field(default=_NO_PROOF[8:16], repr=False)
    mac2: bytes = field(default=_NO_PROOF[16:], repr=False)

    @property
    def transaction(self) -> Transaction:
        """The fields of its TX."""
        return Transaction.parse(self.tx)

    @property
    def proof(self) -> bytes:
        """What DEBIT answered: balanceAfter4 cumulativeDebit8 TAC8 MAC2_8."""
        return self.balance_after + self.cumulative_debit + self.tac + self.mac2

    @property
    def log(self) -> bytes:
        """What READ LOG answers: type1 TX47 balanceAfter4 acked1."""
        return bytes((self.kind,)) + self.tx + self.balance_after + bytes((self.acked,))

    def to_bytes(self) -> bytes:
        """As kept in the memory."""
        return bytes((self.kind, self.acked)) + self.tx + self.proof

    @classmethod
    def parse(cls, raw: bytes) -> RingEntry:
        """Read back what `to_bytes` made."""
        kind, acked, tx, balance_after, cumulative, tac, mac2 = split(raw, *_FIELDS)
        return cls(
            kind=LogKind(kind[0]),
            acked=bool(acked[0]),
            tx=tx,
            balance_after=balance_after,
            cumulative_debit=cumulative,
            tac=tac,
            mac2=mac2,
        )


class ProofRing:
    """The last purchases and voids of a purse."""

    def __init__(self, memory: Memory) -> None:
        self._memory: Final = memory

    def entries(self) -> list[RingEntry]:
        """All entries, oldest first."""
        return [
            RingEntry.parse(self._memory.octets(key))
            for key in self._memory.keys_from(_PREFIX)
        ]

    def find(self, otc: bytes) -> RingEntry | None:
        """The entry of a transaction number, when the ring still has it."""
        key = _key(otc)
        return (
            RingEntry.parse(self._memory.octets(key)) if key in self._memory else None
        )

    def add(self, entry: RingEntry) -> Changes:
        """The changes that add ``entry`` and drop another when the ring is full."""
        changes: Changes = {_key(entry.transaction.otc): entry.to_bytes()}
        entries = self.entries()
        if len(entries) >= RING_ENTRIES:
            changes[_key(_to_drop(entries).transaction.otc)] = None
        return changes

    def acknowledge(self, entry: RingEntry) -> Changes:
        """The changes that mark ``entry`` as acknowledged."""
        return {_key(entry.transaction.otc): replace(entry, acked=True).to_bytes()}


def _to_drop(entries: list[RingEntry]) -> RingEntry:
    """The oldest acknowledged purchase, else the oldest void, else the oldest."""
    acked = [entry for entry in entries if entry.acked]
    voids = [entry for entry in entries if entry.kind is LogKind.VOID]
    return (acked or voids or entries)[0]


def _key(otc: bytes) -> str:
    return _PREFIX + otc.hex()
