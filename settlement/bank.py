"""The bank as the intake of a call sees it: `settlement.intake.IntakeBank`.

Each method is one transaction: it reads, lets the pure rules of `settlement.clearing`
and `settlement.reconcile` decide, writes, and returns after the commit. So an answer
that left the bank is durable, and a call that broke off before it can be repeated.
Payments go to `settlement.posting_desk`, which posts them at once or, when that is
behind, receives them now and posts them later.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from card import certificates
from card.profile import BATCH_CREDITS_MAX, KeyUse
from settlement import clearing, evidence, open_records, request_desk
from settlement.bank_incidents import (
    close_incomplete,
    keep_head,
    note_batch,
    note_incomplete,
    note_open,
    note_refusal,
)
from settlement.clearing import IncidentCode
from settlement.download_offers import OfferMaker
from settlement.errors import KeyStoreError
from settlement.messages import (
    BatchAnswer,
    HeldRecord,
    LogonAnswer,
    OpenAnswer,
    ReconcileAnswer,
    RecordAnswer,
    ResponseCode,
    Total,
)
from settlement.posting_desk import PostingDesk, batch_unknown
from settlement.reconcile import Difference, batch_records, compare_batch
from settlement.store.batches import CollectedRow, OpenRow
from settlement.store.collisions import repeated
from settlement.store.records import Decision, RecordRow
from settlement.store.request_publications import OfficePublications

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from settlement.audit_head import AuditHead
    from settlement.decline_report import DeclineReport
    from settlement.download import DownloadQuery, Offer
    from settlement.keystore import KeyStore
    from settlement.messages import (
        BatchHeader,
        BatchTotals,
        RefusedMessage,
        TerminalVersions,
    )
    from settlement.payment import OpenItem, PaymentRecord
    from settlement.store.books import BankStore, Books

__all__ = ["Bank"]


class Bank:
    """Clears what terminals send. Threads may share it."""

    def __init__(
        self, store: BankStore, keys: KeyStore, *, groups_max: int | None = None
    ) -> None:
        """Work on ``store`` with ``keys``; see `PostingDesk` for ``groups_max``."""
        self._store = store
        self._keys = keys
        self._offers = OfferMaker()
        self.desk: Final = PostingDesk(store, keys, groups_max=groups_max)

    def logon(
        self, terminal_id: str, versions: TerminalVersions, now: datetime
    ) -> LogonAnswer:
        """Whether this terminal, known by its certificate, may send batches."""
        del versions, now  # The terminal itself asks for what differs.
        with self._store.read() as books:
            known = books.cards.terminal(terminal_id)
            held, digests = self._offers.holdings(_published(books, terminal_id))
        if known is None:
            text = f"the bank has no terminal {terminal_id}; nothing was sent"
            return LogonAnswer(
                code=ResponseCode.NOT_PERMITTED, versions=held, text=text
            )
        return LogonAnswer(code=ResponseCode.ACCEPTED, versions=held, digests=digests)

    def download(self, query: DownloadQuery, terminal_id: str) -> Offer:
        """What leads from what a terminal holds to what is wanted, or is newest."""
        with self._store.read() as books:
            return self._offers.offer(_published(books, terminal_id), query)

    @repeated
    def take_decline(
        self, terminal_id: str, report: DeclineReport, now: datetime
    ) -> RecordAnswer:
        """Keep that a counter declined a payment request, and decline it."""
        with self._store.write() as books:
            return request_desk.take_decline(books, terminal_id, report, now)

    @repeated
    def begin_batch(
        self, header: BatchHeader, now: datetime, audit_head: AuditHead | None = None
    ) -> BatchAnswer:
        """Open a batch, or find it again: same number, same CLOSE data.

        Where the terminal's audit log stands is kept with a batch that is taken. The
        answer tells what of the batch is there already.
        """
        with self._store.write() as books:
            books.holds.terminals([header.terminal_id])
            books.holds.customs_cards([header.mid])
            answer = self._check_header(books, header, now)
            if answer is None:
                held: tuple[HeldRecord, ...] = ()
                if books.batches.batch(header) is None:
                    books.batches.add_batch(header, now)
                else:
                    held = _held(books, header)
                if audit_head is not None:
                    keep_head(books, header, audit_head, now)
                answer = BatchAnswer(code=ResponseCode.ACCEPTED, held=held)
        return answer

    def take_payments(
        self, header: BatchHeader, payments: Sequence[PaymentRecord], now: datetime
    ) -> Sequence[RecordAnswer]:
        """Post a group of payments, or receive it; one answer each, in order."""
        return self.desk.take(header, payments, now)

    @repeated
    def take_open(
        self, header: BatchHeader, item: OpenItem, now: datetime
    ) -> OpenAnswer:
        """Take note of an open record, or give the closure for it."""
        with self._store.write() as books:
            tx = item.open_record.tx
            books.holds.customs_cards([header.mid, tx.mid])
            books.holds.purses([tx.cid])
            if books.batches.batch(header) != header:
                unknown = batch_unknown(header)
                return OpenAnswer(code=unknown.code, text=unknown.text)
            return self._take_open(books, header, item, now)

    def reconcile(
        self, header: BatchHeader, totals: BatchTotals, now: datetime
    ) -> ReconcileAnswer:
        """Compare what was taken with what the customs card closed.

        What waits to be posted is posted first, unless posting is behind.
        """
        answer = self._reconcile(header, totals, now)
        if answer.code is ResponseCode.RECEIVED and not self.desk.is_behind:
            self.desk.post_batch(header, now)
            answer = self._reconcile(header, totals, now)
        return answer

    @repeated
    def _reconcile(
        self, header: BatchHeader, totals: BatchTotals, now: datetime
    ) -> ReconcileAnswer:
        with self._store.write() as books:
            books.holds.customs_cards([header.mid])
            if books.batches.batch(header) != header:
                unknown = batch_unknown(header)
                return ReconcileAnswer(code=unknown.code, text=unknown.text)
            collected = books.batches.collected(header)
            if collected is None:
                records = books.records.records(header)
                waiting = books.staged.waiting(header)
                opens = books.batches.opens(header)
                difference = compare_batch(header, [*records, *waiting], opens, totals)
                if difference is not None:
                    return _report_difference(books, header, difference, totals, now)
                close_incomplete(books, header, now)
                if waiting:
                    return _received(header, len(waiting))
                collected = self._collect(books, header, records)
                books.batches.add_collected(header, collected, now)
        return ReconcileAnswer(
            code=ResponseCode.ACCEPTED,
            ack_mac=collected.ack_mac,
            posted=collected.posted,
            suspended=collected.suspended,
        )

    def note_refused(
        self, terminal_id: str, refused: RefusedMessage, now: datetime
    ) -> None:
        """Keep a message that was refused, for a person to look at."""
        with self._store.write() as books:
            note_refusal(books, terminal_id, refused, now)

    def _check_header(
        self, books: Books, header: BatchHeader, now: datetime
    ) -> BatchAnswer | None:
        """Why a batch cannot be opened, or None."""
        bound = books.cards.binding(header.terminal_id, header.mid)
        if bound is None or bound.office != header.office:
            text = "this customs card and office are not this terminal's"
            return _refuse_batch(books, header, ResponseCode.WRONG_MERCHANT, text, now)
        if bound.currency != header.currency:
            text = "the batch is not in this terminal's currency"
            return _refuse_batch(books, header, ResponseCode.INVALID, text, now)
        key = self._keys.card_key(KeyUse.BATCH, bound.kv, header.mid)
        if not certificates.verify_close_mac(key, mid=header.mid, close=header.close):
            text = "the CLOSE MAC is wrong: the customs card did not close this batch"
            return _refuse_batch(books, header, ResponseCode.SUMS_DIFFER, text, now)
        if header.close.count + header.close.open_count > BATCH_CREDITS_MAX:
            text = f"a batch has at most {BATCH_CREDITS_MAX} payments and open records"
            note_batch(books, header, IncidentCode.BATCH_TOO_LONG, text, now)
            return BatchAnswer(code=ResponseCode.INVALID, text=text)
        number = header.close.batch
        for other in books.batches.batches_of_card(header.mid, number):
            if other.close != header.close:
                text = f"batch {number} of this customs card came with other content"
                return _refuse_batch(books, header, ResponseCode.CONFLICT, text, now)
        return None

    def _take_open(
        self, books: Books, header: BatchHeader, item: OpenItem, now: datetime
    ) -> OpenAnswer:
        record = item.open_record
        key = self._purchase_key(item)
        if record.tx.mid != header.mid or key is None:
            text = "the open record is not of this batch's customs card"
            note_open(books, header, item, text, now)
            return OpenAnswer(code=ResponseCode.WRONG_MERCHANT, text=text)
        if not hmac.compare_digest(certificates.vreq(key, record.tx), record.vreq):
            text = "the open record is not what a customs card signed"
            note_open(books, header, item, text, now)
            return OpenAnswer(code=ResponseCode.INVALID, text=text)
        row = OpenRow(stan=item.stan, tx=record.tx, kv=record.kv, rc=record.rc)
        known = books.opens.known(record.tx.mid, record.tx.tsn)
        if known is not None and known.report.tx != record.tx:
            text = f"number {record.tx.tsn} of the customs card has another payment"
            note_open(books, header, item, text, now)
            return OpenAnswer(code=ResponseCode.CONFLICT, text=text)
        books.batches.add_open(header, row, item.details, now)
        sent = evidence.of_record(header, item, now)
        open_records.note_report(books, header, row, sent, now)
        open_records.settle_purse(books, record.tx.cid, now)
        return OpenAnswer(
            code=ResponseCode.ACCEPTED,
            closure=open_records.closure_of(books, row.tx, key),
        )

    def _purchase_key(self, item: OpenItem) -> bytes | None:
        record = item.open_record
        try:
            return self._keys.card_key(KeyUse.PURCHASE, record.kv, record.tx.cid)
        except KeyStoreError:
            return None

    def _collect(
        self, books: Books, header: BatchHeader, records: Sequence[RecordRow]
    ) -> CollectedRow:
        bound = books.cards.binding(header.terminal_id, header.mid)
        assert bound is not None, "the batch could not have been opened"
        key = self._keys.card_key(KeyUse.BATCH, bound.kv, header.mid)
        posted, suspended = _outcome(books, batch_records(records))
        return CollectedRow(
            ack_mac=certificates.bank_ack_mac(key, mid=header.mid, close=header.close),
            posted=posted,
            suspended=suspended,
        )


def _published(books: Books, terminal_id: str) -> OfficePublications:
    """What is published as the counter of this terminal is to see it."""
    known = books.cards.terminal(terminal_id)
    office = "" if known is None else known.office
    return OfficePublications(books.publications, books.request_lists, office)


def _held(books: Books, header: BatchHeader) -> tuple[HeldRecord, ...]:
    """What is there of a batch, with the answer that each record got."""
    return tuple(
        HeldRecord(
            record=row.payment,
            answer=clearing.answer_of(_first_decision(books, row), row.reason),
        )
        for row in (*books.records.records(header), *books.staged.waiting(header))
    )


def _first_decision(books: Books, row: RecordRow) -> Decision:
    """What was decided about a record, or about the one that it repeats."""
    if row.decision is not Decision.DUPLICATE:
        return row.decision
    paid = books.records.payment(row.payment.tx.cid, row.payment.tx.otc)
    assert paid is not None, "it was a duplicate of a payment"
    return books.records.record_of(paid).decision


def _outcome(books: Books, payments: Sequence[RecordRow]) -> tuple[Total, Total]:
    """What of a batch is posted, and what waits in suspense."""
    posted, suspended = Total(), Total()
    for row in payments:
        amount_minor = row.payment.tx.amount_minor
        if _first_decision(books, row) is Decision.POSTED:
            posted = _add(posted, amount_minor)
        else:
            suspended = _add(suspended, amount_minor)
    return posted, suspended


def _add(total: Total, amount_minor: int) -> Total:
    return replace(
        total, count=total.count + 1, sum_minor=total.sum_minor + amount_minor
    )


def _refuse_batch(
    books: Books, header: BatchHeader, code: ResponseCode, text: str, now: datetime
) -> BatchAnswer:
    incident = {
        ResponseCode.WRONG_MERCHANT: IncidentCode.WRONG_MERCHANT,
        ResponseCode.INVALID: IncidentCode.WRONG_CURRENCY,
        ResponseCode.CONFLICT: IncidentCode.BATCH_CONFLICT,
    }.get(code, IncidentCode.BATCH_DIFFERS)
    note_batch(books, header, incident, text, now)
    return BatchAnswer(code=code, text=text)


def _report_difference(
    books: Books,
    header: BatchHeader,
    difference: Difference,
    totals: BatchTotals,
    now: datetime,
) -> ReconcileAnswer:
    sent = evidence.of_totals(header, totals, now)
    if difference.code is ResponseCode.INCOMPLETE:
        note_incomplete(books, header, sent, now)
    else:
        code = IncidentCode.BATCH_DIFFERS
        note_batch(books, header, code, difference.text, now, sent)
    return ReconcileAnswer(code=difference.code, text=difference.text)


def _received(header: BatchHeader, waiting: int) -> ReconcileAnswer:
    """All of a batch is here, as its customs card closed it, and not posted yet."""
    text = (
        f"all {header.close.count} payments are received and stored; {waiting} are yet "
        "to be posted, and the outcome comes with the next call"
    )
    return ReconcileAnswer(code=ResponseCode.RECEIVED, text=text)
