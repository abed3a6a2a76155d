"""Where the value really is, read from the chips and the books, and what must hold.

The properties are those of the card profile (docs/card-profile.md) and of the issue
of trust in a purse system: no value created, all value accounted, nobody debited twice
for one payment, and nothing paid by the bank that no purse was debited. Chips are read
from their memories, not through commands that the system under test also uses.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from card.profile import LogKind
from sim.cards.customs_runtime import TOTAL, CreditedRecord, OpenRecord
from sim.cards.purse_runtime import BALANCE, CARD_ID, CUMULATIVE_DEBIT
from sim.cards.records import Transaction
from sim.cards.ring import ProofRing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sim.cards.customs import SimulatedCustomsCard
    from sim.cards.purse import SimulatedPurse
    from sim.world.world import World

__all__ = ["DebitLog", "Movement", "Truth", "digest_of"]

_OPEN: Final = "open."
_CREDITED: Final = "credited."


@dataclass(frozen=True, slots=True, order=True)
class Movement:
    """One payment as a chip or the bank's books hold it.

    Attributes:
        cid: the purse, 8 bytes.
        otc: its number of the payment.
        tsn: the customs card's number of it.
        amount_minor: in minor units.
    """

    cid: bytes = field(repr=False)
    otc: int
    tsn: int
    amount_minor: int

    @classmethod
    def of(cls, tx: Transaction) -> Movement:
        """The movement that a TX describes."""
        return cls(
            cid=tx.cid,
            otc=int.from_bytes(tx.otc, "big"),
            tsn=int.from_bytes(tx.tsn, "big"),
            amount_minor=int.from_bytes(tx.amount, "big"),
        )

    def __str__(self) -> str:
        card = self.cid.hex()[-4:]
        return f"{self.amount_minor} of card {card}, otc {self.otc}, tsn {self.tsn}"


def digest_of(declaration: str) -> bytes:
    """D of a TX for this declaration, 8 bytes."""
    return hashlib.sha256(declaration.encode()).digest()[:8]


class DebitLog:
    """Every debit of the purses of one world: their rings forget, this does not."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[tuple[bytes, int], list[Transaction]] = {}

    def read(self, purse: SimulatedPurse) -> list[Transaction]:
        """Every debit of ``purse``, by its own ring now and whenever it was read."""
        for entry in ProofRing(purse.memory).entries():
            if entry.kind is LogKind.PURCHASE:
                tx = entry.transaction
                known = self._known.setdefault((tx.cid, Movement.of(tx).otc), [])
                if tx not in known:
                    known.append(tx)
        cid = purse.memory.octets(CARD_ID)
        found = [tx for (of, _), txs in sorted(self._known.items()) if of == cid
                 for tx in txs]  # fmt: skip
        worth = sum(Movement.of(tx).amount_minor for tx in found)
        whole = purse.memory.integer(CUMULATIVE_DEBIT)
        assert worth == whole, "the ring forgot a debit before it was read"
        return found


def _opens_of(customs: SimulatedCustomsCard) -> list[Movement]:
    memory = customs.memory
    records = [OpenRecord.parse(memory.octets(k)) for k in memory.keys_from(_OPEN)]
    return [Movement.of(record.transaction) for record in records]


def _credits_of(customs: SimulatedCustomsCard) -> list[Movement]:
    memory = customs.memory
    keys = memory.keys_from(_CREDITED)
    records = [CreditedRecord.parse(memory.octets(key)) for key in keys]
    return [Movement.of(Transaction.parse(record.tx)) for record in records]


def _twice(movements: Iterable[Movement]) -> list[Movement]:
    return [one for one, count in Counter(movements).items() if count > 1]


class Truth:
    """What the chips and the books of one world hold, at one moment."""

    def __init__(self, world: World) -> None:
        """Read everything there is."""
        self._loaded_minor = world.loaded_minor
        self._purses = world.purses
        log = world.debit_log
        transactions = [tx for purse in world.purses for tx in log.read(purse)]
        self.debits = [Movement.of(tx) for tx in transactions]
        self._transactions = transactions
        self.opens = _opens_of(world.customs)
        self.credits = _credits_of(world.customs)
        self._total_minor = world.customs.memory.integer(TOTAL)
        self._bank = world.bank

    @cached_property
    def posted(self) -> list[Movement]:
        """What the bank's books hold; looked up when it is first asked for."""
        if self._bank is None:
            return []
        return [Movement(*row) for row in self._bank.auditor.posted()]

    def posted_minor_in(self, batches: Collection[int]) -> int:
        """What is in the bank's books of these batches, held in suspense or not."""
        return 0 if self._bank is None else self._bank.auditor.posted_minor_in(batches)

    def is_debited(self, cid: bytes, at: str, amount_minor: int) -> bool:
        """Whether a purse was debited for a payment that was begun ``at``.

        Args:
            cid: the purse, 8 bytes.
            at: UTC, 14 digits as in a TX.
            amount_minor: what was to be paid.
        """
        return any(
            (tx.cid, tx.at.hex(), Movement.of(tx).amount_minor)
            == (cid, at, amount_minor)
            for tx in self._transactions
        )

    @cached_property
    def reported_opens(self) -> dict[Movement, bool | None]:
        """Every open record that the bank was told of, and whether it was a debit.

        None where the bank does not know.
        """
        rows = [] if self._bank is None else self._bank.auditor.opens()
        return {Movement.of(Transaction.parse(tx)): debited for tx, debited in rows}

    def debits_for(self, declaration: str, purse: int | None = None) -> int:
        """How often purses, or the one of that index, were debited for it."""
        return len(self.debits_of(declaration, purse))

    def debits_of(self, declaration: str, purse: int | None = None) -> list[Movement]:
        """The same, each debit as the chip holds it."""
        digest = digest_of(declaration)
        cid = None if purse is None else self._purses[purse].memory.octets(CARD_ID)
        return [
            Movement.of(tx)
            for tx in self._transactions
            if tx.digest == digest and cid in {None, tx.cid}
        ]

    def violations(self) -> list[str]:
        """What must never be, whatever happened; empty when all is well."""
        return [
            *self._value_created(),
            *self._value_lost(),
            *self._paid_without_debit(),
            *self._resolved_wrongly(),
            *self._purses_off(),
        ]

    def _value_created(self) -> list[str]:
        debited = set(self.debits)
        found = [f"credited and never debited: {one}" for one in self.credits
                 if one not in debited]  # fmt: skip
        found += [f"credited twice: {one}" for one in _twice(self.credits)]
        worth = sum(one.amount_minor for one in self.credits)
        if worth != self._total_minor:
            found.append(
                f"the customs card says it holds {self._total_minor}, and holds {worth}"
            )
        return found

    def _value_lost(self) -> list[str]:
        held = {*self.credits, *self.opens, *self.posted}
        found = [
            f"debited, and neither credited, open nor posted: {one}"
            for one in self.debits
            if one not in held
        ]
        both = set(self.credits) & set(self.opens)
        return found + [f"credited and open at once: {one}" for one in sorted(both)]

    def _paid_without_debit(self) -> list[str]:
        debited = set(self.debits)
        found = [f"the bank paid what was never debited: {one}"
                 for one in self.posted if one not in debited]  # fmt: skip
        return found + [f"the bank paid twice: {one}" for one in _twice(self.posted)]

    def _resolved_wrongly(self) -> list[str]:
        return [
            f"the bank holds for {'debited' if debited else 'not debited'}: {one}"
            for one, debited in self.reported_opens.items()
            if debited is not None and debited is not (one in self.debits)
        ]

    def _purses_off(self) -> list[str]:
        found = [
            f"debited twice under one number: {one}" for one in _twice(self.debits)
        ]
        for purse, loaded_minor in zip(self._purses, self._loaded_minor, strict=True):
            cumulative_minor = purse.memory.integer(CUMULATIVE_DEBIT)
            balance_minor = purse.memory.integer(BALANCE)
            if balance_minor + cumulative_minor not in loaded_minor:
                found.append(
                    f"a purse holds {balance_minor} after debits of {cumulative_minor}"
                )
        return found
