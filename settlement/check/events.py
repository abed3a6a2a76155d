"""The entries of orders about deposits, fees and corrections, made from their rows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from settlement.ledger import BANK, Account, AccountKind, EntryKind, Source
from settlement.postings import (
    correction_entry,
    deposit_order_entry,
    fee_entry,
    fee_reversal_entry,
)
from settlement.store.cards import LoadOutcome
from settlement.store.corrections import CorrectionDecision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from settlement.check.rows import StoredRows
    from settlement.ledger import Entry

__all__ = ["expected_after_payment"]

_Expected = tuple[Source, "Callable[[], Entry | None]"]


def expected_after_payment(rows: StoredRows) -> Iterator[_Expected]:
    """Each such event, and what makes its entry.

    What is yielded makes None, or raises `LedgerError`, where the event's own rows are
    too damaged to say.
    """
    for order in rows.raw["deposit_order"]:
        source = Source(
            kind=EntryKind(order.action),
            subject=order.office,
            number=order.number,
            cid=order.cid,
        )
        yield source, partial(_order, rows, order, source)
    yield from _fees(rows)
    decided = {row.number: row for row in rows.raw["correction_decision"]}
    for row in rows.raw["correction"]:
        decision = decided.get(row.number)
        if decision is not None and decision.decision == CorrectionDecision.APPROVED:
            source = Source(kind=EntryKind.CORRECTION, subject=BANK, number=row.number)
            yield source, partial(_correction, rows, row, decision.at)


def _fees(rows: StoredRows) -> Iterator[_Expected]:
    voided_at = {
        (row.cid.hex().upper(), row.ltc): row.at
        for row in rows.raw["load_outcome"]
        if row.outcome == LoadOutcome.VOIDED
    }
    for fee in rows.raw["bank_fee"]:
        account = rows.accounts.get(fee.account_id)
        owner = "" if account is None else account.owner
        source = Source(kind=EntryKind.FEE, subject=owner, number=fee.number)
        yield source, partial(_fee, rows, fee, None)
        at = voided_at.get((fee.subject, fee.event))
        if at is not None and fee.event:
            source = Source(
                kind=EntryKind.FEE_REVERSAL, subject=owner, number=fee.number
            )
            yield source, partial(_fee, rows, fee, at)


def _order(rows: StoredRows, order: Any, source: Source) -> Entry | None:
    payee = Account(
        kind=AccountKind.REVENUE, owner=order.office, currency=order.currency
    )
    if source.kind is EntryKind.DEPOSIT_REFUND:
        purse = rows.purses.get(order.cid)
        if purse is None:
            return None
        payee = purse.account
    paid = rows.payments.get((order.cid, order.otc))
    record = None if paid is None else rows.record_of(paid)
    if record is None:
        return None
    details = record.payment.details
    return deposit_order_entry(
        source=source,
        payee=payee,
        amount_minor=order.amount_minor,
        order_number=order.order_number,
        declaration="" if details is None else details.declaration,
        booked_at=order.at,
    )


def _fee(rows: StoredRows, fee: Any, reversed_at: datetime | None) -> Entry | None:
    account = rows.accounts.get(fee.account_id)
    if account is None:
        return None
    make = fee_entry if reversed_at is None else fee_reversal_entry
    return make(
        number=fee.number,
        account=account,
        amount_minor=fee.amount_minor,
        code=fee.code,
        booked_at=fee.at if reversed_at is None else reversed_at,
    )


def _correction(rows: StoredRows, row: Any, at: datetime) -> Entry | None:
    debited = rows.accounts.get(row.debit_account_id)
    credited = rows.accounts.get(row.credit_account_id)
    if debited is None or credited is None:
        return None
    return correction_entry(
        number=row.number,
        debited=debited,
        credited=credited,
        amount_minor=row.amount_minor,
        entry_id=row.entry_id,
        booked_at=at,
    )
