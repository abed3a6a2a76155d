"""The plainest bank: one payment after the other, one question for each fact.

What `settlement.posting` must equal. Nothing here knows of groups: each payment is
judged on what the tables say at that moment, and is in them before the next is looked
at.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from card import certificates
from card.profile import KeyUse
from settlement import clearing, evidence, open_records
from settlement.bank import Bank
from settlement.clearing import Facts, TACCheck, Verdict
from settlement.errors import KeyStoreError
from settlement.ledger import Account, payee_account, payment_entry
from settlement.shadow import loaded_totals
from settlement.store.batches import IncidentRow
from settlement.store.groups import IssuedPurse, PaidNumber, ReceivedRecord
from settlement.store.records import Decision, batch_key, details_to_text
from settlement.store.schema import payment, record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from settlement.messages import BatchHeader, RecordAnswer
    from settlement.payment import PaymentRecord
    from settlement.store.books import Books
    from settlement.store.records import PaymentRow


class OneByOneBank(Bank):
    """Posts what comes together one by one, in one transaction."""

    def take_payments(
        self, header: BatchHeader, payments: Sequence[PaymentRecord], now: datetime
    ) -> Sequence[RecordAnswer]:
        with self._store.write() as books:
            assert books.batches.batch(header) == header
            return [self._take(books, header, one, now) for one in payments]

    def _take(
        self, books: Books, header: BatchHeader, sent: PaymentRecord, now: datetime
    ) -> RecordAnswer:
        tac = self._check(sent)
        verdict = clearing.judge(sent, facts_of(books, header, sent, tac, now))
        for note in verdict.incidents:
            books.batches.add_incident(
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
            )
        if verdict.decision is not None:
            store_record(books, header, sent, verdict, tac, now)
            if verdict.decision.is_booked:
                book(books, header, sent, verdict.decision, now)
                open_records.after_payment(books, sent.tx, now)
        return verdict.answer

    def _check(self, sent: PaymentRecord) -> TACCheck:
        use = KeyUse.TRANSACTION_CERTIFICATE
        try:
            key = self._keys.card_key(use, sent.kv, sent.tx.cid)
        except KeyStoreError:
            return TACCheck.NO_KEY
        good = certificates.verify_tac(
            key,
            sent.tx,
            balance_after_minor=sent.balance_after_minor,
            cumulative_debit_minor=sent.cumulative_debit_minor,
            claimed=sent.tac,
        )
        return TACCheck.GOOD if good else TACCheck.WRONG


def facts_of(
    books: Books, header: BatchHeader, sent: PaymentRecord, tac: TACCheck, now: datetime
) -> Facts:
    """What the rules may look at, by a question for each."""
    tx = sent.tx
    same_otc = paid_number(books, books.records.payment(tx.cid, tx.otc))
    return Facts(
        header=header,
        tac=tac,
        purse=issued_purse(books, tx.cid),
        same_stan=received_record(books, header, sent.stan),
        same_otc=same_otc,
        tsn_is_taken=tsn_is_taken(books, tx.mid, tx.tsn),
        first_decision=None if same_otc is None else same_otc.decision,
        before=paid_number(books, books.records.payment_before(tx.cid, tx.otc)),
        after=paid_number(books, books.records.payment_after(tx.cid, tx.otc)),
        loaded=loaded_totals(books.cards.loads(tx.cid)),
        hotlisted=books.cards.hotlisted(tx.cid),
        now=now,
    )


def issued_purse(books: Books, cid: bytes) -> IssuedPurse | None:
    found = books.cards.purse(cid)
    if found is None:
        return None
    return IssuedPurse(
        currency=found.currency,
        kv=found.kv,
        balance_limit_minor=found.balance_limit_minor,
        payment_limit_minor=found.payment_limit_minor,
        valid_from=date.fromisoformat(found.valid_from.isoformat()),
        expiry=found.expiry,
        float_id=None,
        hotlisted=None,
    )


def received_record(
    books: Books, header: BatchHeader, stan: int
) -> ReceivedRecord | None:
    for row in books.records.records(header):
        if row.payment.stan == stan:
            return ReceivedRecord(row.content, row.decision, row.reason)
    return None


def paid_number(books: Books, row: PaymentRow | None) -> PaidNumber | None:
    if row is None:
        return None
    return PaidNumber(
        otc=row.otc,
        amount_minor=row.amount_minor,
        cumulative_debit_minor=row.cumulative_debit_minor,
        batch=row.batch,
        evidence=row.evidence,
        decision=books.records.record_of(row).decision,
    )


def tsn_is_taken(books: Books, mid: bytes, tsn: int) -> bool:
    query = sa.select(payment).where(payment.c.mid == mid, payment.c.tsn == tsn)
    return connection_of(books).execute(query).first() is not None


def store_record(
    books: Books,
    header: BatchHeader,
    sent: PaymentRecord,
    verdict: Verdict,
    tac: TACCheck,
    now: datetime,
) -> None:
    assert verdict.decision is not None
    connection_of(books).execute(
        sa.insert(record),
        {
            **batch_key(header),
            **columns_of(sent),
            "sequence": sent.sequence,
            "content": clearing.content_digest(sent),
            "tx": sent.tx.to_bytes(),
            "kv": sent.kv,
            "alg": sent.alg,
            "details": None if sent.details is None else details_to_text(sent.details),
            "tac_verified": tac is TACCheck.GOOD,
            "decision": verdict.decision.value,
            "reason": verdict.answer.text,
            "received_at": now,
        },
    )


def columns_of(sent: PaymentRecord) -> dict[str, Any]:
    """What a record and its payment both have."""
    return {
        "stan": sent.stan,
        "evidence": clearing.evidence_digest(sent),
        "cid": sent.tx.cid,
        "otc": sent.tx.otc,
        "amount_minor": sent.tx.amount_minor,
        "balance_after_minor": sent.balance_after_minor,
        "cumulative_debit_minor": sent.cumulative_debit_minor,
        "tac": sent.tac,
    }


def book(
    books: Books,
    header: BatchHeader,
    sent: PaymentRecord,
    decision: Decision,
    now: datetime,
) -> None:
    tx = sent.tx
    connection_of(books).execute(
        sa.insert(payment),
        {
            **batch_key(header),
            **columns_of(sent),
            "tsn": tx.tsn,
            "currency": tx.currency,
            "paid_at": tx.at,
        },
    )
    payee = Account.suspense(tx.currency)
    if decision is Decision.POSTED:
        assert sent.details is not None
        payee = payee_account(sent.details.kind, header.office, tx.currency)
    books.ledger.open_account(payee, str(payee.kind), now)
    entry = payment_entry(
        cid=tx.cid,
        otc=tx.otc,
        payee=payee,
        amount_minor=tx.amount_minor,
        booked_at=now,
    )
    books.ledger.post(replace(entry))


def connection_of(books: Books) -> sa.Connection:
    return books.groups._connection
