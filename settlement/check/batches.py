"""Batches: what was received is what the customs card closed, and was answered so."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from card import certificates
from card.profile import KeyUse
from settlement.check.report import FindingCode
from settlement.ledger import payee_account
from settlement.messages import Total
from settlement.payment import PaymentKind
from settlement.reconcile import batch_records, chain_of
from settlement.store.records import Decision

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from settlement.check.report import CheckRun
    from settlement.check.rows import BatchKey
    from settlement.messages import BatchHeader
    from settlement.store.batches import CollectedRow
    from settlement.store.records import RecordRow

__all__ = ["check_batches"]


def check_batches(run: CheckRun) -> None:
    """Check every batch, and the terminals that may send them."""
    for key, header in run.rows.batches.items():
        _check_header(run, key, header)
        collected = run.rows.collected.get(key)
        if collected is not None:
            _check_collected(run, key, header, collected)
    accounts = set(run.rows.accounts.values())
    for bound in run.rows.raw["terminal"]:
        for kind in PaymentKind:
            if payee_account(kind, bound.office, bound.currency) not in accounts:
                text = f"terminal {bound.terminal_id}: office {bound.office} has no"
                run.find(FindingCode.RECORD, f"{text} account for {kind}")


def _check_header(run: CheckRun, key: BatchKey, header: BatchHeader) -> None:
    """A batch has the office of its terminal, and the customs card's own MAC."""
    bound = [
        row
        for row in run.rows.raw["terminal"]
        if (row.terminal_id, row.mid) == (header.terminal_id, header.mid)
    ]
    there = {(row.office, row.currency) for row in bound}
    if (header.office, header.currency) not in there:
        text = f"{_name(key)}: its office or currency is not its terminal's"
        run.find(FindingCode.BATCH, text)
    if run.keys is not None and not _signed_with(run, header, bound):
        run.find(FindingCode.BATCH, f"{_name(key)}: its CLOSE MAC is wrong")


def _signed_with(run: CheckRun, header: BatchHeader, bound: Iterable[Any]) -> bool:
    return any(
        certificates.verify_close_mac(key, mid=header.mid, close=header.close)
        for key in _batch_keys(run, header, bound)
    )


def _batch_keys(
    run: CheckRun, header: BatchHeader, bound: Iterable[Any]
) -> list[bytes]:
    versions = {row.kv for row in bound}
    keys = [run.key(KeyUse.BATCH, kv, header.mid) for kv in versions]
    return [key for key in keys if key is not None]


def _check_collected(
    run: CheckRun, key: BatchKey, header: BatchHeader, collected: CollectedRow
) -> None:
    """A collected batch: its records again, and what was answered for it."""
    records = batch_records(run.rows.records_of(key))
    sum_minor = sum(row.payment.tx.amount_minor for row in records)
    close = header.close
    if close.count != len(records):
        text = f"{_name(key)}: closed {close.count}, received {len(records)}"
        run.find(FindingCode.BATCH, text)
    if close.sum_minor != sum_minor:
        text = f"{_name(key)}: closed {close.sum_minor}, received {sum_minor}"
        run.find(FindingCode.BATCH, text)
    if chain_of(records) != close.chain:
        run.find(FindingCode.BATCH, f"{_name(key)}: its chain is another")
    opens = [opened.tx.amount_minor for at, opened in run.rows.opens if at == key]
    if (len(opens), sum(opens)) != (close.open_count, close.open_sum_minor):
        run.find(FindingCode.BATCH, f"{_name(key)}: its open records are others")
    if (collected.posted, collected.suspended) != _outcome(run, records):
        run.find(FindingCode.BATCH, f"{_name(key)}: it was answered otherwise")
    if run.keys is not None and not _acknowledged(run, header, collected):
        run.find(FindingCode.BATCH, f"{_name(key)}: its BANK ACK MAC is wrong")


def _acknowledged(run: CheckRun, header: BatchHeader, collected: CollectedRow) -> bool:
    bound = [
        row
        for row in run.rows.raw["terminal"]
        if (row.terminal_id, row.mid) == (header.terminal_id, header.mid)
    ]
    return any(
        hmac.compare_digest(
            certificates.bank_ack_mac(key, mid=header.mid, close=header.close),
            collected.ack_mac,
        )
        for key in _batch_keys(run, header, bound)
    )


def _outcome(run: CheckRun, records: list[RecordRow]) -> tuple[Total, Total]:
    """What of a batch is posted, and what waits in suspense."""
    posted: list[int] = []
    waiting: list[int] = []
    for row in records:
        decision, tx = row.decision, row.payment.tx
        paid = run.rows.payments.get((tx.cid, tx.otc))
        first = None if paid is None else run.rows.record_of(paid)
        if decision is Decision.DUPLICATE and first is not None:
            decision = first.decision
        reached = posted if decision is Decision.POSTED else waiting
        reached.append(tx.amount_minor)
    return (
        Total(count=len(posted), sum_minor=sum(posted)),
        Total(count=len(waiting), sum_minor=sum(waiting)),
    )


def _name(key: BatchKey) -> str:
    return f"batch {key[2]} of terminal {key[0]}"
