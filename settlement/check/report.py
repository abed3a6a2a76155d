"""What a check says: findings in plain words, sums, and the run that gathers them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING

from settlement.errors import KeyStoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from card.profile import KeyUse
    from settlement.check.rows import StoredRows
    from settlement.keystore import KeyStore
    from settlement.shadow import Shadow

__all__ = ["CheckReport", "CheckRun", "CheckTotals", "Finding", "FindingCode"]


@unique
class FindingCode(StrEnum):
    """Which invariant is broken."""

    DATABASE = "database damaged"
    SCHEMA = "tables or triggers are not the bank's"
    GAP = "a number is missing"
    UNBALANCED = "entry does not balance"
    LEDGER = "debits are not credits"
    NOT_BOOKED = "event without entry"
    NO_EVENT = "entry without event"
    ENTRY = "entry is not what its event says"
    RECORD = "row is not what was received"
    FLOAT = "float is not what the card's certificates say"
    COUNTERS = "purse counters irregular"
    TAC = "paid without a verified TAC"
    LOAD = "load settled without proof"
    BATCH = "collected batch does not reconcile"
    OVERDRAWN = "account below zero"
    OPEN = "open record not as settled"
    STATEMENT = "statement changed or wrong"
    CHART = "account or office is not of the chart"
    SIDES = "entry between the wrong kinds of account"
    TAKEN = "more was taken than had come"
    DEPOSIT = "deposit not as customs ordered"
    FEE = "fee not by the tariff"
    CORRECTION = "correction not by two officers"
    SUSPENSE = "suspense not as two officers decided"
    INCIDENT = "incident closed by nobody, or its evidence changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is off, in plain words and without a full card number."""

    code: FindingCode
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTotals:
    """The sums of one currency, in minor units.

    Attributes:
        currency: ISO 4217 number.
        debits_minor: of all legs.
        credits_minor: of all legs.
        customers_minor: on customers' accounts.
        floats_minor: held for purses in the ledger.
        purses_minor: what purses hold, by their certificates.
        uncollected_minor: debited by purses and not delivered yet.
        pending_minor: loads of which the bank does not know.
        payees_minor: on the accounts of offices and merchants.
        deposits_minor: of those, deposits that are held.
        fees_minor: what the bank earned.
        suspense_minor: in the suspense account.
        unbooked_minor: suspended records, for which nothing is booked.
        open_minor: open records of which the bank does not know the outcome.
        proved_minor: open records that a purse proved to be debited, and that have not
            been delivered.
    """

    currency: int
    debits_minor: int = 0
    credits_minor: int = 0
    customers_minor: int = 0
    floats_minor: int = 0
    purses_minor: int = 0
    uncollected_minor: int = 0
    pending_minor: int = 0
    payees_minor: int = 0
    deposits_minor: int = 0
    fees_minor: int = 0
    suspense_minor: int = 0
    unbooked_minor: int = 0
    open_minor: int = 0
    proved_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a check found.

    Attributes:
        findings: what is off; empty when everything adds up.
        totals: sums by currency.
        purses: how many were looked at.
        payments: likewise.
        batches: likewise, collected or not.
        statements: likewise.
        incidents: how many incidents wait for a person; they are no findings.
        incidents_closed: how many nobody has to look at any more.
        tacs_verified: payments whose TAC was verified again; None without keys.
    """

    findings: tuple[Finding, ...]
    totals: tuple[CheckTotals, ...]
    purses: int
    payments: int
    batches: int
    statements: int
    incidents: int
    incidents_closed: int
    tacs_verified: int | None

    @property
    def ok(self) -> bool:
        """Whether nothing is off."""
        return not self.findings

    @property
    def ledger_balanced(self) -> bool:
        """Whether debits equal credits, entry by entry and in sum."""
        return not self._any(
            FindingCode.UNBALANCED, FindingCode.LEDGER, FindingCode.DATABASE
        )

    @property
    def value_accounted(self) -> bool:
        """Whether every unit that purses were given is somewhere."""
        return self.ledger_balanced and not self._any(
            FindingCode.FLOAT,
            FindingCode.COUNTERS,
            FindingCode.NOT_BOOKED,
            FindingCode.NO_EVENT,
            FindingCode.ENTRY,
            FindingCode.RECORD,
            FindingCode.TAC,
            FindingCode.LOAD,
            FindingCode.BATCH,
            FindingCode.OPEN,
            FindingCode.SUSPENSE,
        )

    def _any(self, *codes: FindingCode) -> bool:
        return any(finding.code in codes for finding in self.findings)


@dataclass(slots=True)
class CheckRun:
    """One run: what it works on, and what it has found so far.

    Attributes:
        rows: everything that could be read.
        keys: the issuer's keys, or None when certificates cannot be verified.
        findings: what is off.
        shadows: what each purse certifies, by card number.
        tacs_verified: payments whose TAC was verified again.
    """

    rows: StoredRows
    keys: KeyStore | None
    findings: list[Finding] = field(default_factory=list)
    shadows: dict[bytes, Shadow] = field(default_factory=dict)
    tacs_verified: int = 0

    def find(self, code: FindingCode, text: str) -> None:
        """Note something that is off."""
        self.findings.append(Finding(code=code, text=text))

    def find_gaps(self, what: str, numbers: Iterable[int]) -> None:
        """Note the numbers that are missing from 1 to the highest."""
        there = sorted(set(numbers))
        expected = 1
        for number in there:
            if number > expected:
                last = number - 1
                span = f"{expected}" if last == expected else f"{expected} to {last}"
                self.find(FindingCode.GAP, f"{what} {span}")
            expected = number + 1

    def key(self, use: KeyUse, kv: int, card_id: bytes) -> bytes | None:
        """A card's key, or None when the key store has none of that version."""
        if self.keys is None:
            return None
        try:
            return self.keys.card_key(use, kv, card_id)
        except KeyStoreError:
            return None
