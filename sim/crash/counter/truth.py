"""What really happened to the money, read from the cards' memories after each command.

The terminal's words are judged against this, never against the terminal's own journal.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from card.profile import LogKind
from sim.cards.customs_runtime import CreditedRecord, OpenRecord
from sim.cards.records import Transaction
from sim.cards.ring import ProofRing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.cards.customs import SimulatedCustomsCard
    from sim.cards.memory import Memory
    from sim.cards.purse import SimulatedPurse

__all__ = ["Truth"]

_OPEN = "open."
_CREDITED = "credited."


@dataclass(frozen=True, slots=True)
class _Purse:
    memory: Memory
    first_balance: int


class Truth:
    """Every debit and every credit there ever was, by its TX (47 bytes).

    Attributes:
        debits: of all purses, in order.
        credits: of the customs card, also after the bank has acknowledged them.
    """

    def __init__(
        self, purses: Sequence[SimulatedPurse], customs: SimulatedCustomsCard
    ) -> None:
        """Watch these cards, which are new."""
        self._purses = [
            _Purse(purse.memory, purse.memory.integer("balance")) for purse in purses
        ]
        self._customs = customs.memory
        self.debits: dict[bytes, int] = {}
        self.credits: dict[bytes, int] = {}

    def look(self) -> None:
        """Take in what the last command changed."""
        for purse in self._purses:
            for entry in ProofRing(purse.memory).entries():
                if entry.kind is LogKind.PURCHASE:
                    self.debits[entry.tx] = _amount(entry.tx)
        for key in self._customs.keys_from(_CREDITED):
            tx = CreditedRecord.parse(self._customs.octets(key)).tx
            self.credits[tx] = _amount(tx)

    def debited(self, declaration: str) -> int:
        """How often a purse was debited for ``declaration``."""
        digest = hashlib.sha256(declaration.encode()).digest()[:8]
        return sum(Transaction.parse(tx).digest == digest for tx in self.debits)

    @property
    def debited_minor(self) -> int:
        """All that was ever debited."""
        return sum(self.debits.values())

    @property
    def held_minor(self) -> int:
        """What the customs card holds for the bank."""
        return self._customs.integer("total")

    @property
    def open_records(self) -> list[bytes]:
        """The TX of each open record of the customs card."""
        keys = self._customs.keys_from(_OPEN)
        return [OpenRecord.parse(self._customs.octets(key)).tx for key in keys]

    def problems(self) -> list[str]:
        """What of properties 1 and 2 of the card profile does not hold now."""
        found = []
        gone = sum(p.first_balance - p.memory.integer("balance") for p in self._purses)
        if gone != self.debited_minor:
            found.append(f"purses lost {gone}, their proofs say {self.debited_minor}")
        created = [tx for tx in self.credits if tx not in self.debits]
        if created:
            found.append(f"value created: {len(created)} credits without a debit")
        accounted = {*self.credits, *self.open_records}
        lost = [tx for tx in self.debits if tx not in accounted]
        if lost:
            found.append(f"value lost: {len(lost)} debits neither credited nor open")
        return found


def _amount(tx: bytes) -> int:
    return int.from_bytes(Transaction.parse(tx).amount, "big")
