"""Posting a group of payments: read what is known, judge each, write what came of it.

`settlement.clearing` decides about one payment after the other, in their order, and
each is judged as if those before it were in the books already: what was decided about
them is laid over what was read (`_Overlay`). So a group is cleared exactly as its
payments would be one by one, however often a card, a number or a STAN occurs in it.
Only then is all of it written, each table at once.

A payment that may tell something of an open record (`settlement.open_records`) is
written with all before it at once, because that is settled from the books themselves.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Final

from settlement import clearing, evidence, open_records, request_desk
from settlement.clearing import Facts
from settlement.errors import LedgerError
from settlement.ledger import Account, AccountKind, payee_account
from settlement.store.batches import IncidentRow
from settlement.store.groups import PaidNumber, ReceivedRecord
from settlement.store.ledger import PaymentBooking
from settlement.store.records import Decision, RecordRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from settlement.clearing import Verdict
    from settlement.messages import BatchHeader, RecordAnswer
    from settlement.payment import PaymentKind
    from settlement.store.books import Books
    from settlement.store.groups import KnownGroup
    from settlement.verification import VerifiedRecord

__all__ = ["facts_again", "incidents_of", "post_group"]

GROUP_READ_MAX: Final = 1000
"""Payments that are judged on one reading of the books; more are posted in parts."""
_NEVER_LOADED: Final = frozenset({0})
_POSTED: Final = Decision.POSTED


def post_group(
    books: Books,
    header: BatchHeader,
    verified: Sequence[VerifiedRecord],
    now: datetime,
    *,
    received_at: datetime | None = None,
) -> list[RecordAnswer]:
    """Post payments of an open batch within a transaction; one answer each, in order.

    Args:
        books: the transaction.
        header: the batch.
        verified: the payments.
        now: the bank's time, at which they are booked.
        received_at: when they were received, if not now: they are judged as of then.

    Raises:
        LedgerError: a rule of the books was broken; the transaction must end without
            being committed.
    """
    answers: list[RecordAnswer] = []
    for start in range(0, len(verified), GROUP_READ_MAX):
        part = verified[start : start + GROUP_READ_MAX]
        known = books.groups.known(header, [one.payment for one in part])
        posting = _Posting(books, header, now, received_at or now, known)
        answers += [posting.take(one) for one in part]
        posting.write()
        # Last in its transaction: what it holds, others wait for.
        request_desk.after_posting(books, posting.requested, now)
    return answers


def facts_again(
    books: Books, header: BatchHeader, one: VerifiedRecord, now: datetime
) -> Facts:
    """What the rules may look at for a record that is stored already, apart from it."""
    known = books.groups.known(header, [one.payment])
    known.received.pop(one.payment.stan, None)
    return _Overlay(header, now, known).facts(one)


def incidents_of(
    header: BatchHeader, one: VerifiedRecord, verdict: Verdict, now: datetime
) -> list[IncidentRow]:
    """What a person is told about a payment, with its bytes."""
    sent = one.payment
    return [
        IncidentRow(
            code=note.code,
            terminal_id=header.terminal_id,
            batch=header.close.batch,
            stan=sent.stan,
            masked_card=sent.tx.card_number_masked,
            amount_minor=sent.tx.amount_minor,
            text=note.text,
            at=now,
            evidence=evidence.of_record(header, sent, now),
        )
        for note in verdict.incidents
    ]


class _Overlay:
    """What is known of a group, with what was decided in it so far."""

    def __init__(self, header: BatchHeader, now: datetime, known: KnownGroup) -> None:
        self._header = header
        self._now = now
        self._known = known
        self._otcs = {cid: sorted(of_card) for cid, of_card in known.paid.items()}

    def facts(self, one: VerifiedRecord) -> Facts:
        """What the rules may look at for the next record."""
        known, tx = self._known, one.payment.tx
        purse = known.purses.get(tx.cid)
        of_card = known.paid.get(tx.cid, {})
        otcs = self._otcs.get(tx.cid, ())
        place = bisect_left(otcs, tx.otc)
        same_otc = of_card.get(tx.otc)
        following = place + (same_otc is not None)
        # By position, in the order of `Facts`: by name it would take twice as long.
        return Facts(
            self._header,
            one.tac,
            purse,
            known.received.get(one.payment.stan),
            same_otc,
            tx.tsn in known.credited,
            None if same_otc is None else same_otc.decision,
            of_card[otcs[place - 1]] if place else None,
            of_card[otcs[following]] if following < len(otcs) else None,
            known.loaded.get(tx.cid, _NEVER_LOADED),
            None if purse is None else purse.hotlisted,
            self._now,
        )

    def add_record(self, one: VerifiedRecord, decision: Decision, reason: str) -> None:
        """A record is stored with this decision."""
        row = ReceivedRecord(one.content, decision, reason)
        self._known.received[one.payment.stan] = row

    def add_payment(self, one: VerifiedRecord, decision: Decision) -> None:
        """A record became a payment."""
        sent, tx = one.payment, one.payment.tx
        row = PaidNumber(
            tx.otc,
            tx.amount_minor,
            sent.cumulative_debit_minor,
            self._header.close.batch,
            one.evidence,
            decision,
        )
        self._known.paid.setdefault(tx.cid, {})[tx.otc] = row
        insort(self._otcs.setdefault(tx.cid, []), tx.otc)
        self._known.credited.add(tx.tsn)

    def float_id(self, cid: bytes) -> int:
        """Row of a purse's float account."""
        float_id = self._known.purses[cid].float_id
        if float_id is None:
            message = f"the account {AccountKind.PURSE_FLOAT} is not open"
            raise LedgerError(message)
        return float_id

    def may_settle(self, one: VerifiedRecord) -> bool:
        """Whether a payment may tell something of an open record."""
        tx = one.payment.tx
        return tx.cid in self._known.open_cids or tx.tsn in self._known.open_tsns


class _Posting:
    """One part of a group on its way into the books."""

    def __init__(
        self,
        books: Books,
        header: BatchHeader,
        now: datetime,
        received_at: datetime,
        known: KnownGroup,
    ) -> None:
        self._books = books
        self._header = header
        self._now = now
        self._received_at = received_at
        self._overlay = _Overlay(header, received_at, known)
        self._incidents: list[IncidentRow] = []
        self._writer = books.groups.writer(header, received_at)
        self._bookings: list[PaymentBooking] = []
        self.requested: list[RecordRow] = []
        """Those booked that say which payment request they are for."""
        self._payee_ids: dict[tuple[str, int], int] = {}

    def take(self, one: VerifiedRecord) -> RecordAnswer:
        """Judge the next record, and note what is to be written."""
        verdict = clearing.judge(one.payment, self._overlay.facts(one))
        if verdict.incidents:
            self._incidents += incidents_of(self._header, one, verdict, self._now)
        decision = verdict.decision
        if decision is not None:
            reason = verdict.answer.text
            self._writer.add_record(one, decision, reason)
            self._overlay.add_record(one, decision, reason)
            if decision.is_booked:
                self._book(one, decision)
        return verdict.answer

    def write(self) -> None:
        """Write what was noted."""
        for incident in self._incidents:
            self._books.batches.add_incident(incident)
        self._writer.write()
        self._books.ledger.post_payments(self._bookings, self._now)
        self._incidents, self._bookings = [], []

    def _book(self, one: VerifiedRecord, decision: Decision) -> None:
        """Make a record a payment: one row and one entry."""
        tx = one.payment.tx
        booking = PaymentBooking(
            tx.cid,
            tx.otc,
            self._overlay.float_id(tx.cid),
            self._payee_id(one, decision),
            tx.amount_minor,
            tx.currency,
        )
        self._writer.add_payment(one)
        self._bookings.append(booking)
        details = one.payment.details
        if details is not None and details.request_number:
            self.requested.append(self._record_row(one, decision))
        self._overlay.add_payment(one, decision)
        if self._overlay.may_settle(one):
            self.write()
            open_records.after_payment(self._books, tx, self._now)

    def _payee_id(self, one: VerifiedRecord, decision: Decision) -> int:
        details, currency = one.payment.details, one.payment.tx.currency
        kind: PaymentKind | None = None
        if decision is _POSTED:
            assert details is not None, "the rules hold a payment without details"
            kind = details.kind
        # By text: accounts and members of an enum are slow to look up.
        key = ("" if kind is None else kind._value_, currency)
        payee_id = self._payee_ids.get(key)
        if payee_id is None:
            payee = Account.suspense(currency)
            if kind is not None:
                payee = payee_account(kind, self._header.office, currency)
            ledger = self._books.ledger
            payee_id = ledger.open_account(payee, str(payee.kind), self._now)
            self._payee_ids[key] = payee_id
        return payee_id

    def _record_row(self, one: VerifiedRecord, decision: Decision) -> RecordRow:
        """A record that was booked, as the store has it by now."""
        return RecordRow(
            terminal_id=self._header.terminal_id,
            mid=self._header.mid,
            batch=self._header.close.batch,
            payment=one.payment,
            content=one.content,
            evidence=one.evidence,
            tac_verified=one.tac_is_good,
            decision=decision,
            reason="",
            received_at=self._received_at,
        )
