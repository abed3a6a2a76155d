"""Orders about deposits, the tariff and its fees, corrections: each as it must be.

That each has its entry, and the entry its legs, is a matter of `settlement.check.
entries`; here is whether it might be booked at all.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from settlement.check.origins import origins_of
from settlement.check.report import FindingCode
from settlement.fees import FeeCode
from settlement.ledger import AccountKind, EntryKind
from settlement.postings import CORRECTABLE
from settlement.store.corrections import CorrectionDecision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settlement.check.report import CheckRun

__all__ = ["check_after_payment"]


def check_after_payment(run: CheckRun) -> None:
    """Check every order, fee and correction."""
    raw = run.rows.raw
    run.find_gaps("order about a deposit", (row.number for row in raw["deposit_order"]))
    run.find_gaps("fee", (row.number for row in raw["bank_fee"]))
    run.find_gaps("correction", (row.number for row in raw["correction"]))
    entries = {row.id: row for row in raw["entry"]}
    _orders(run, entries)
    _tariff_lines(run)
    _fees(run)
    _corrections(run, entries)


def _orders(run: CheckRun, entries: dict[int, Any]) -> None:
    seen: dict[tuple[str, str], int] = {}
    for row in run.rows.raw["deposit_order"]:
        name = f"order {row.order_number} of {row.office} (number {row.number})"
        if (row.cid, row.otc) not in run.rows.payments:
            run.find(FindingCode.DEPOSIT, f"{name}: there is no such payment")
        origin = entries.get(row.origin_id)
        if origin is None or (origin.kind, origin.cid, origin.number) != (
            EntryKind.PAYMENT,
            row.cid,
            row.otc,
        ):
            text = f"{name}: entry {row.origin_id} is not that of its payment"
            run.find(FindingCode.DEPOSIT, text)
        first = seen.setdefault((row.office, row.order_number), row.number)
        if first != row.number:
            text = f"{name}: the same order was booked as number {first}"
            run.find(FindingCode.DEPOSIT, text)
        if not row.order_number or not row.officer:
            run.find(FindingCode.DEPOSIT, f"{name}: it names no order or no officer")


def _tariff_lines(run: CheckRun) -> None:
    serials: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for row in run.rows.raw["tariff"]:
        serials[row.code, row.currency].append(row.serial)
    for (code, currency), found in serials.items():
        run.find_gaps(f"line of the tariff for {code} ({currency})", found)


def _fees(run: CheckRun) -> None:
    lines = {
        (row.code, row.currency, row.serial): row for row in run.rows.raw["tariff"]
    }
    for row in run.rows.raw["bank_fee"]:
        for problem in _fee_problems(run, row, lines):
            run.find(FindingCode.FEE, f"{row.code} fee {row.number}: {problem}")


def _fee_problems(
    run: CheckRun, row: Any, lines: dict[tuple[str, int, int], Any]
) -> Iterator[str]:
    line = lines.get((row.code, row.currency, row.tariff_serial))
    if line is None or line.amount_minor != row.amount_minor:
        yield f"{row.amount_minor} is not what the tariff says"
    account = run.rows.accounts.get(row.account_id)
    if account is None or account.kind is not AccountKind.CUSTOMER:
        yield "it is not charged to a customer's account"
    if not FeeCode(row.code).is_automatic:
        return
    purses = {cid.hex().upper(): purse for cid, purse in run.rows.purses.items()}
    purse = purses.get(row.subject)
    if purse is None:
        yield "there is no such card"
        return
    if purse.account != account:
        yield "it is charged to another account than the card's"
    loads = {load.ltc for load in run.rows.loads.get(purse.cid, [])}
    if row.code == FeeCode.LOAD and (row.event not in loads or not row.event):
        yield "there is no such load"


def _corrections(run: CheckRun, entries: dict[int, Any]) -> None:
    origins = origins_of(run.rows)
    proposed = {row.number: row for row in run.rows.raw["correction"]}
    for row in proposed.values():
        name = f"correction {row.number}"
        wrong = entries.get(row.entry_id)
        if wrong is None:
            run.find(FindingCode.CORRECTION, f"{name}: no entry {row.entry_id}")
            continue
        if EntryKind(wrong.kind) not in CORRECTABLE:
            text = f"{name}: entry {row.entry_id} is a {wrong.kind}"
            run.find(FindingCode.CORRECTION, text)
        if row.origin_id != origins.get(row.entry_id, row.entry_id):
            text = f"{name}: the money came with another entry than {row.origin_id}"
            run.find(FindingCode.CORRECTION, text)
        if not row.reason.strip():
            run.find(FindingCode.CORRECTION, f"{name}: it has no reason")
    for decided in run.rows.raw["correction_decision"]:
        row = proposed.get(decided.number)
        name = f"correction {decided.number}"
        if row is None:
            run.find(FindingCode.CORRECTION, f"{name}: nobody proposed it")
        elif (
            decided.decision == CorrectionDecision.APPROVED
            and decided.decided_by.lower() == row.proposed_by.lower()
        ):
            text = f"{name}: {row.proposed_by} approved what he proposed"
            run.find(FindingCode.CORRECTION, text)
