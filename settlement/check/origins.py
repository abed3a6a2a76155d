"""No more is taken than had come: of a deposit, a fee, or what was corrected.

Every entry has an origin (`settlement.postings`). The entries of one origin are gone
through in the order of booking: what a refund, a forfeiture or a correction takes from
an account must have been brought there by those before it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from settlement.check.report import FindingCode
from settlement.ledger import EntryKind

if TYPE_CHECKING:
    from settlement.check.report import CheckRun
    from settlement.check.rows import StoredRows

__all__ = ["check_origins", "origins_of"]

_ORDERS = frozenset({EntryKind.DEPOSIT_REFUND, EntryKind.DEPOSIT_FORFEITURE})


def origins_of(rows: StoredRows) -> dict[int, int]:
    """The origin of every entry by its number, where it is another entry."""
    orders = {
        (row.action, row.office, row.number): row.origin_id
        for row in rows.raw["deposit_order"]
    }
    corrections = {row.number: row.origin_id for row in rows.raw["correction"]}
    fees = {
        (row.subject, row.number): row.id
        for row in rows.raw["entry"]
        if row.kind == EntryKind.FEE
    }
    origins: dict[int, int] = {}
    for row in rows.raw["entry"]:
        origin: int | None = None
        if EntryKind(row.kind) in _ORDERS:
            origin = orders.get((row.kind, row.subject, row.number))
        elif row.kind == EntryKind.CORRECTION:
            origin = corrections.get(row.number)
        elif row.kind == EntryKind.FEE_REVERSAL:
            origin = fees.get((row.subject, row.number))
        if origin is not None:
            origins[row.id] = origin
    return origins


def check_origins(run: CheckRun) -> None:
    """Check all that was taken from what an earlier entry had brought."""
    origins = origins_of(run.rows)
    touched = set(origins.values())
    legs: defaultdict[int, list[Any]] = defaultdict(list)
    for leg in run.rows.raw["leg"]:
        if origins.get(leg.entry_id, leg.entry_id) in touched:
            legs[leg.entry_id].append(leg)
    there: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for entry_id in sorted(legs):
        origin = origins.get(entry_id, entry_id)
        for leg in legs[entry_id]:
            left_minor = there[origin][leg.account_id] - leg.debit_minor
            if leg.debit_minor and origin != entry_id and left_minor < 0:
                text = f"entry {entry_id} takes {-left_minor} more than entry {origin}"
                account = run.rows.accounts.get(leg.account_id)
                where = "there" if account is None else f"on {account.kind}"
                run.find(FindingCode.TAKEN, f"{text} has left {where}")
            there[origin][leg.account_id] = left_minor + leg.credit_minor
