"""The end of a story, judged: cards, journal and bank each looked at by themselves."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from settlement.check.bank import check_bank
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.ledger import payee_account
from settlement.payment import PaymentKind
from settlement.store.records import Decision
from sim.world.bank import OFFICE
from sim.world.world import CUSTOMS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from settlement.store.books import BankStore, Books
    from sim.crash.counter.stories import Story
    from sim.crash.counter.truth import Truth

__all__ = ["problems_at_the_end"]


def problems_at_the_end(
    truth: Truth, story: Story, folder: Path, store: BankStore
) -> list[str]:
    """What is not as it must be when all is done; in words, empty when all is well.

    Args:
        truth: what the cards did.
        story: its payments must have been made, each once.
        folder: of the run, with the journal in it.
        store: the bank's database.
    """
    return [
        *truth.problems(),
        *_on_cards(truth, story),
        *_in_journal(folder / "counter" / "state" / "journal.sqlite", story),
        *_at_bank(truth, store),
    ]


def _on_cards(truth: Truth, story: Story) -> Iterator[str]:
    for payment in story.payments:
        count = truth.debited(payment.declaration)
        if count != 1:
            yield f"{payment.declaration} was debited {count} times"
    if len(truth.debits) != len(story.payments):
        yield f"{len(truth.debits)} debits for {len(story.payments)} payments"
    if truth.held_minor:
        yield f"the customs card still holds {truth.held_minor}"
    if truth.open_records:
        yield f"{len(truth.open_records)} records are still open"


def _in_journal(path: Path, story: Story) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as journal:
        (found,) = journal.execute("PRAGMA integrity_check").fetchone()
        if found != "ok":
            yield f"the journal is damaged: {found}"
        states = dict(
            journal.execute("SELECT state, count(*) FROM payments GROUP BY state")
        )
        receipts = [
            receipt
            for (receipt,) in journal.execute(
                "SELECT receipt FROM payments WHERE receipt IS NOT NULL ORDER BY 1"
            )
        ]
        batches = dict(
            journal.execute("SELECT state, count(*) FROM batches GROUP BY state")
        )
    credited = states.pop("credited", 0)
    if credited != len(story.payments):
        yield f"the journal has {credited} credited payments"
    if set(states) - {"refused", "not-debited"}:
        yield f"the journal has payments without an end: {sorted(states)}"
    if receipts != list(range(1, len(story.payments) + 1)):
        yield f"receipt numbers are {receipts}"
    if set(batches) != {"acknowledged"}:
        yield f"the journal's batches are {batches}"


def _at_bank(truth: Truth, store: BankStore) -> Iterator[str]:
    report = check_bank(store, MasterKeyStore(TEST_MASTERS))
    for finding in report.findings:
        yield f"the bank's check: {finding.code}: {finding.text}"
    if report.payments != len(truth.debits):
        yield f"the bank posted {report.payments} of {len(truth.debits)} payments"
    if report.incidents:
        yield f"the bank noted {report.incidents} incidents"
    with store.read() as books:
        posted = books.ledger.balance_minor(
            payee_account(PaymentKind.FEES, OFFICE, int(CUSTOMS.currency))
        )
        if posted != truth.debited_minor:
            yield f"the bank posted {posted} of {truth.debited_minor}"
        yield from _batches_at_bank(books)


def _batches_at_bank(books: Books) -> Iterator[str]:
    for header in books.batches.batches():
        number = header.close.batch
        if books.batches.collected(header) is None:
            yield f"batch {number} was not collected"
        records = books.records.records(header)
        if len(records) != header.close.count:
            yield f"batch {number} went up with {len(records)} records"
        if any(record.decision is not Decision.POSTED for record in records):
            yield f"batch {number} was not posted as it went up"
