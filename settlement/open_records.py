"""Open records: what the bank knows of payments whose outcome no counter knows.

A customs card opens a record before the purse is debited. When the purse's answer is
lost the record stays open and goes up with each batch. Here the bank finds out, from
what it holds anyway, whether the purse was debited. Four ways, each proved in
``docs/ledger.md``:

=============  ====================================================================
delivered      the payment itself was booked: the purse was debited
next payment   the purse's numbers went on, and leave no room for this debit
load           the purse certified its balance after the record had been reported,
               and nothing is missing that is worth as much
card desk      the purse was asked (`settlement.open_desk`)
=============  ====================================================================

`settle_purse` runs after everything that can tell something new: a payment booked, a
load completed, an open record reported. What it finds is stored at once and never
changed, and closes the record's incident.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from card import certificates
from settlement.clearing import IncidentCode, never_debited
from settlement.payment import DebitClosure, VoidClosure
from settlement.store.batches import IncidentRow
from settlement.store.cards import LoadOutcome
from settlement.store.opens import Resolution, ResolvedBy

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from card.records import TransactionRecord
    from settlement.messages import BatchHeader
    from settlement.payment import Closure
    from settlement.store.batches import OpenRow
    from settlement.store.books import Books
    from settlement.store.cards import LoadRow
    from settlement.store.opens import KnownOpen
    from settlement.store.records import PaymentRow

__all__ = [
    "OpenFacts",
    "after_payment",
    "closing_words",
    "closure_of",
    "contradiction",
    "note_report",
    "settle_purse",
    "settled_by",
    "store_resolution",
]

_AT_ISSUE = 0
"""The ltc under which value is booked that a card carried when it was registered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFacts:
    """What is stored about the purse of an open record.

    Attributes:
        same_otc: the payment under its number, or None.
        before: the purse's nearest payment with a lower number, or None.
        after: the purse's nearest payment with a higher number, or None.
        loads: all loads of the purse, by ltc.
        lsn_then: number of the newest load of any card when the record was reported.
    """

    same_otc: PaymentRow | None
    before: PaymentRow | None
    after: PaymentRow | None
    loads: tuple[LoadRow, ...]
    lsn_then: int


def settled_by(opened: OpenRow, facts: OpenFacts) -> ResolvedBy | None:
    """What proves the outcome of an open record, or None when nothing does."""
    paid, tx = facts.same_otc, opened.tx
    if paid is not None and (paid.mid, paid.tsn) == (tx.mid, tx.tsn):
        same = paid.amount_minor == tx.amount_minor
        return ResolvedBy.DELIVERED if same else None
    if never_debited(opened, same_otc=paid, before=facts.before, after=facts.after):
        return ResolvedBy.NEXT_PAYMENT
    if _never_debited_by_load(opened, facts):
        return ResolvedBy.LOAD
    return None


def note_report(
    books: Books, header: BatchHeader, opened: OpenRow, sent: bytes, now: datetime
) -> None:
    """Note an open record that is new to the bank, with an incident of its own.

    Args:
        books: the open transaction.
        header: the batch that reports it.
        opened: the record.
        sent: what shows it, see `settlement.evidence`.
        now: the bank's time.
    """
    tx = opened.tx
    if books.opens.known(tx.mid, tx.tsn) is not None:
        return
    incident = books.batches.add_incident(
        IncidentRow(
            code=IncidentCode.OUTCOME_OPEN,
            terminal_id=header.terminal_id,
            batch=header.close.batch,
            stan=opened.stan,
            masked_card=tx.card_number_masked,
            amount_minor=tx.amount_minor,
            text=(
                f"payment {tx.tsn} of the customs card, begun {tx.at:%Y-%m-%d %H:%M} "
                "UTC: nobody knows yet whether the purse was debited"
            ),
            at=now,
            evidence=sent,
        )
    )
    books.opens.add(
        opened,
        terminal_id=header.terminal_id,
        batch=header.close.batch,
        incident=incident,
        at=now,
    )


def settle_purse(books: Books, cid: bytes, now: datetime) -> None:
    """Settle what can be settled of a purse's open records, by all that is stored."""
    for opened in books.opens.unresolved(cid):
        how = settled_by(opened.report, _facts(books, opened))
        if how is not None:
            debited = how is ResolvedBy.DELIVERED
            made = Resolution(how=how, debited=debited, at=now)
            store_resolution(books, opened, made)


def after_payment(books: Books, tx: TransactionRecord, now: datetime) -> None:
    """What a payment that was just booked tells of its purse's open records."""
    opened = books.opens.known(tx.mid, tx.tsn)
    if opened is not None:
        made = books.opens.resolution(tx.mid, tx.tsn)
        if made is not None and not made.debited:
            what = (
                f"settled as never debited ({made.how}), and then delivered; it was "
                "paid, for its TAC is good. Ask for the purse"
            )
            books.batches.add_incident(contradiction(opened, what, now))
    settle_purse(books, tx.cid, now)


def closure_of(
    books: Books, tx: TransactionRecord, purchase_key: bytes
) -> Closure | None:
    """What the customs card wants to see, or None while nothing is known.

    A payment that was delivered needs nothing: it was credited, so it is not open.

    Args:
        books: the open transaction.
        tx: of the open record.
        purchase_key: the purse's KP, 16 bytes.
    """
    made = books.opens.resolution(tx.mid, tx.tsn)
    if made is None:
        return None
    if not made.debited:
        return VoidClosure(tx=tx, vmac=certificates.vmac(purchase_key, tx))
    return None if made.proof is None else DebitClosure(tx=tx, proof=made.proof)


def store_resolution(books: Books, opened: KnownOpen, made: Resolution) -> None:
    """Store what became of an open record and close its incident."""
    books.opens.resolve(opened, made)
    books.batches.close_incident(opened.incident, closing_words(made), made.at)


def closing_words(made: Resolution) -> str:
    """Why the incident of an open record needs no person any more."""
    if made.debited:
        return f"by itself ({made.how}): the purse was debited"
    return f"by itself ({made.how}): the purse was not debited and never can be"


def contradiction(opened: KnownOpen, what: str, now: datetime) -> IncidentRow:
    """The incident of an open record that was settled one way and then the other."""
    tx = opened.report.tx
    return IncidentRow(
        code=IncidentCode.OPEN_CONTRADICTED,
        terminal_id=opened.terminal_id,
        batch=opened.batch,
        stan=opened.report.stan,
        masked_card=tx.card_number_masked,
        amount_minor=tx.amount_minor,
        text=f"payment {tx.tsn} of the customs card: {what}",
        at=now,
    )


def _facts(books: Books, opened: KnownOpen) -> OpenFacts:
    tx = opened.report.tx
    return OpenFacts(
        same_otc=books.records.payment(tx.cid, tx.otc),
        before=books.records.payment_before(tx.cid, tx.otc),
        after=books.records.payment_after(tx.cid, tx.otc),
        loads=tuple(books.cards.loads(tx.cid)),
        lsn_then=opened.lsn_then,
    )


def _never_debited_by_load(opened: OpenRow, facts: OpenFacts) -> bool:
    """Whether a load since leaves no room for this debit; see ``docs/ledger.md``.

    What is missing between the payment before it and the load are debits that have
    not been delivered, this one perhaps among them: it is not when they are not worth
    it.
    """
    debited_minor = _debited_at_load(facts.loads, facts.lsn_then)
    if debited_minor is None:
        return False
    before = facts.before
    missing_minor = debited_minor - (before.cumulative_debit_minor if before else 0)
    return 0 <= missing_minor < opened.tx.amount_minor


def _debited_at_load(loads: Iterable[LoadRow], lsn_then: int) -> int | None:
    """All that the purse was ever debited, by its first load that began after a report.

    Only a load that the purse took counts: its certificate (LTAC) cannot be older than
    the bank's authorisation. The certificate of a request (M1) can.
    """
    loaded_minor = 0
    for row in loads:
        if row.ltc == _AT_ISSUE:
            # No certificate says what it was debited before it was registered here.
            return None
        if row.outcome is not LoadOutcome.COMPLETED:
            continue
        assert row.balance_after_minor is not None, "a completed load has its balance"
        loaded_minor += row.amount_minor
        if row.lsn > lsn_then:
            return loaded_minor - row.balance_after_minor
    return None
