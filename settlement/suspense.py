"""Suspense: what waits there, how long, and how two officers end it.

===========  =============================  =========================================
decision     what it is                     how it ends
===========  =============================  =========================================
held         really debited; the payee is   *paid* to an account of an office, or
             not certain                    *returned* to the customer's account: a
                                            further entry, out of suspense
suspended    nothing proves a debit, and    *accepted* when its TAC verifies by now
             nothing is booked              (keys came later): then it is booked as
                                            it would have been; or *written off*
===========  =============================  =========================================

A TAC that does not verify is never accepted, whoever wants it: it is verified again,
under the keys of the bank, both when it is proposed and in the transaction that books.
Every end takes two officers (`settlement.dual_control`) and closes the incidents of the
payment. The database refuses a second end, or one that was not approved.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from settlement import clearing, dual_control, evidence, open_records, request_desk
from settlement.clearing import IncidentCode
from settlement.dual_control import ActionKind
from settlement.errors import DualControlError
from settlement.ledger import (
    Account,
    AccountKind,
    payee_account,
    payment_entry,
    suspense_entry,
)
from settlement.posting import facts_again
from settlement.store.batches import IncidentRow
from settlement.store.collisions import repeated
from settlement.store.incidents import IncidentOutcome, WorkKind, WorkRow
from settlement.store.records import Decision
from settlement.store.suspense import SuspenseOutcome, SuspenseResolution
from settlement.verification import verify_group

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from settlement.dual_control import DecidedBy
    from settlement.keystore import KeyStore
    from settlement.messages import BatchHeader
    from settlement.payment import PaymentKind
    from settlement.store.books import BankStore, Books
    from settlement.store.proposals import ProposalRow
    from settlement.store.records import RecordRow
    from settlement.store.suspense import SuspendedRow
    from settlement.verification import VerifiedRecord

__all__ = [
    "AGES",
    "CAUSES",
    "AgeSum",
    "SuspenseDesk",
    "ages_of",
    "closing_words",
    "resolution_document",
    "subject_of",
]

AGES: Final = ((7, "0-7"), (30, "8-30"), (90, "31-90"), (None, "over 90"))
"""Last day of each age, and how it is called; days since the bank received it."""
CAUSES: Final = frozenset(
    {
        IncidentCode.TAC_WRONG,
        IncidentCode.NO_KEY,
        IncidentCode.UNKNOWN_CARD,
        IncidentCode.WRONG_CURRENCY,
        IncidentCode.DETAILS_UNKNOWN,
    }
)
"""Incidents that put a payment into suspense; they end with it."""
_NOTHING: Final = dual_control.NOTHING
_FITTING: Final = {
    Decision.HELD: (SuspenseOutcome.PAID, SuspenseOutcome.RETURNED),
    Decision.SUSPENDED: (SuspenseOutcome.ACCEPTED, SuspenseOutcome.WRITTEN_OFF),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeSum:
    """What of one age waits: how many, and their sum in minor units."""

    age: str
    currency: int
    decision: Decision
    count: int
    sum_minor: int


def ages_of(rows: Iterable[SuspendedRow], now: datetime) -> list[AgeSum]:
    """Sums of what waits, by currency, decision and age."""
    amounts: defaultdict[tuple[int, Decision, int], list[int]] = defaultdict(list)
    for row in rows:
        tx, decision = row.record.payment.tx, row.record.decision
        key = (tx.currency, decision, _age_of(row, now))
        amounts[key].append(tx.amount_minor)
    return [
        AgeSum(
            age=AGES[age][1],
            currency=currency,
            decision=decision,
            count=len(found),
            sum_minor=sum(found),
        )
        for (currency, decision, age), found in sorted(amounts.items())
    ]


def _age_of(row: SuspendedRow, now: datetime) -> int:
    """The index of its age in `AGES`."""
    days = (now - row.record.received_at).days
    return next(
        index for index, (last, _) in enumerate(AGES) if last is None or days <= last
    )


def subject_of(row: RecordRow) -> str:
    """How a record is named in a proposal; a trigger compares it."""
    return f"{row.terminal_id}/{row.mid.hex().upper()}/{row.batch}/{row.payment.stan}"


def resolution_document(
    row: RecordRow, outcome: SuspenseOutcome, account: Account | None
) -> dict[str, Any]:
    """All that a proposal says will be done with a record; a trigger compares it."""
    named = None
    if account is not None:
        named = {
            "kind": account.kind.value,
            "owner": account.owner,
            "currency": account.currency,
        }
    return {
        "outcome": outcome.value,
        "account": named,
        "amount_minor": row.payment.tx.amount_minor,
        "evidence": row.evidence.hex().upper(),
    }


def closing_words(proposal: ProposalRow) -> str:
    """Why the incidents of a payment need nobody any more."""
    assert proposal.decision is not None, "it is approved"
    outcome = dual_control.document_of(proposal)["outcome"]
    return (
        f"{outcome}, as {proposal.officer} proposed and {proposal.decision.officer} "
        f"approved (proposal {proposal.number})"
    )


class SuspenseDesk:
    """What officers do about suspense. Threads may share it."""

    def __init__(self, store: BankStore, keys: KeyStore) -> None:
        """Work on ``store``; ``keys`` verify a TAC again before it is accepted."""
        self._store = store
        self._keys = keys

    @repeated
    def propose(
        self,
        found: SuspendedRow,
        outcome: SuspenseOutcome,
        payee: tuple[PaymentKind, str] | None,
        by: DecidedBy,
    ) -> ProposalRow:
        """Ask for an end of what waits.

        Args:
            found: what waits.
            outcome: how it is to end.
            payee: kind and office of the account to pay to, where the payment itself
                does not say it; None otherwise.
            by: who asks.

        Raises:
            DualControlError: it does not fit, or does not wait any more.
        """
        with self._store.write() as books:
            books.holds.staff()
            _hold(books, found.record)
            row = _still_waiting(books, found.record)
            account = self._account(books, row, outcome, payee)
            if outcome is SuspenseOutcome.ACCEPTED:
                header = _header_of(books, row.record)
                (verified,) = verify_group(self._keys, [row.record.payment])
                _judge_again(books, header, verified, by.at)
            return dual_control.propose(
                books,
                ActionKind.SUSPENSE,
                subject=subject_of(row.record),
                document=resolution_document(row.record, outcome, account),
                by=by,
            )

    @repeated
    def approve(self, number: int, by: DecidedBy) -> SuspendedRow:
        """Approve a proposal and do what it says, in one transaction.

        Raises:
            DualControlError: it may not be approved, or cannot be done any more.
        """
        with self._store.write() as books:
            books.holds.staff()
            approved = dual_control.approve(books, number, ActionKind.SUSPENSE, by)
            found = _record_of(books, approved.subject)
            _hold(books, found)
            row = _still_waiting(books, found)
            request_desk.hold(books, row.office, [row.record.payment])
            self._carry_out(books, row, approved, by)
            _close_incidents(books, row.record, approved, by)
            ended = _find(books, row.record)
        assert ended is not None, "it is there"
        return ended

    @repeated
    def reject(self, number: int, by: DecidedBy) -> ProposalRow:
        """Reject a proposal; the money goes on waiting.

        Raises:
            DualControlError: as `settlement.dual_control.reject`.
        """
        with self._store.write() as books:
            books.holds.staff()
            return dual_control.reject(books, number, ActionKind.SUSPENSE, by)

    def _carry_out(
        self, books: Books, row: SuspendedRow, approved: ProposalRow, by: DecidedBy
    ) -> None:
        record = row.record
        document = dual_control.document_of(approved)
        outcome = SuspenseOutcome(document["outcome"])
        account = _account_of(document)
        if document != resolution_document(record, outcome, account):
            raise DualControlError(
                f"The payment is not the one that was proposed about. {_NOTHING}"
            )
        account_id = None
        if account is not None:
            account_id = books.ledger.open_account(account, str(account.kind), by.at)
        made = SuspenseResolution(
            outcome=outcome, account=account, proposal=approved.number, at=by.at
        )
        books.suspense.resolve(record, made, account_id)
        if account is None:
            return
        tx = record.payment.tx
        if outcome is SuspenseOutcome.ACCEPTED:
            self._accept(books, record, account, by.at)
        else:
            books.ledger.post(
                suspense_entry(
                    cid=tx.cid,
                    otc=tx.otc,
                    account=account,
                    amount_minor=tx.amount_minor,
                    booked_at=by.at,
                )
            )

    def _accept(
        self, books: Books, record: RecordRow, payee: Account, now: datetime
    ) -> None:
        """Book a payment whose TAC verifies by now, as it would have been then."""
        header = _header_of(books, record)
        (verified,) = verify_group(self._keys, [record.payment])
        notes = _judge_again(books, header, verified, now)
        tx = record.payment.tx
        for note in notes:
            books.batches.add_incident(
                IncidentRow(
                    code=note.code,
                    terminal_id=record.terminal_id,
                    batch=record.batch,
                    stan=record.payment.stan,
                    masked_card=tx.card_number_masked,
                    amount_minor=tx.amount_minor,
                    text=note.text,
                    at=now,
                    evidence=evidence.of_record(header, record.payment, now),
                )
            )
        writer = books.groups.writer(header, now)
        writer.add_payment(verified)
        writer.write()
        books.ledger.post(
            payment_entry(
                cid=tx.cid,
                otc=tx.otc,
                payee=payee,
                amount_minor=tx.amount_minor,
                booked_at=now,
            )
        )
        open_records.after_payment(books, tx, now)
        posted = replace(record, decision=Decision.POSTED)
        request_desk.after_posting(books, [posted], now)

    def _account(
        self,
        books: Books,
        row: SuspendedRow,
        outcome: SuspenseOutcome,
        payee: tuple[PaymentKind, str] | None,
    ) -> Account | None:
        """Where the money is to go, None where nothing is booked."""
        record, tx = row.record, row.record.payment.tx
        if outcome not in _FITTING[record.decision]:
            fitting = " or ".join(_FITTING[record.decision])
            raise DualControlError(
                f"This payment is {record.decision}, so it cannot be {outcome}: only "
                f"{fitting}. {_NOTHING}"
            )
        if outcome is SuspenseOutcome.WRITTEN_OFF:
            return None
        if outcome is SuspenseOutcome.RETURNED:
            purse = books.cards.purse(tx.cid)
            assert purse is not None, "a payment of an unknown card is never held"
            return purse.account
        details = record.payment.details
        if payee is None and details is not None:
            payee = (details.kind, row.office)
        if payee is None:
            raise DualControlError(
                "The payment does not say what it was for; name the account: --kind "
                f"fees, deposits or purchase, and --office. {_NOTHING}"
            )
        account = payee_account(payee[0], payee[1], tx.currency)
        _require_office(books, payee[1])
        return account


def _require_office(books: Books, office: str) -> None:
    if office not in {row.office for row in books.cards.terminals()}:
        raise DualControlError(
            f"No terminal of this bank is at an office {office}. {_NOTHING}"
        )


def _account_of(document: Mapping[str, Any]) -> Account | None:
    named = document["account"]
    if named is None:
        return None
    return Account(
        kind=AccountKind(named["kind"]),
        owner=named["owner"],
        currency=named["currency"],
    )


def _judge_again(
    books: Books, header: BatchHeader, one: VerifiedRecord, now: datetime
) -> list[clearing.IncidentNote]:
    """What is irregular about a record that is proved by now.

    Raises:
        DualControlError: it is not proved, or was paid meanwhile.
    """
    verdict = clearing.judge(one.payment, facts_again(books, header, one, now))
    if verdict.decision is None or not verdict.decision.is_booked:
        raise DualControlError(
            f"This payment cannot be accepted: {verdict.answer.text}. {_NOTHING} "
            "Without a certificate that verifies, it can only be written off."
        )
    return [note for note in verdict.incidents if note.code not in CAUSES]


def _hold(books: Books, record: RecordRow) -> None:
    """Keep payments of the same cards from being posted meanwhile."""
    books.holds.customs_cards([record.payment.tx.mid])
    books.holds.purses([record.payment.tx.cid])


def _find(books: Books, record: RecordRow) -> SuspendedRow | None:
    return books.suspense.one(
        record.terminal_id, record.mid, record.batch, record.payment.stan
    )


def _record_of(books: Books, subject: str) -> RecordRow:
    terminal_id, mid, number, stan = subject.split("/")
    row = books.suspense.one(terminal_id, bytes.fromhex(mid), int(number), int(stan))
    assert row is not None, "a record is never deleted"
    return row.record


def _still_waiting(books: Books, record: RecordRow) -> SuspendedRow:
    row = _find(books, record)
    if row is None or row.resolution is not None:
        raise DualControlError(
            f"This payment does not wait in suspense any more. {_NOTHING}"
        )
    return row


def _header_of(books: Books, record: RecordRow) -> BatchHeader:
    return next(
        header
        for header in books.batches.batches_of_card(record.mid, record.batch)
        if header.terminal_id == record.terminal_id
    )


def _close_incidents(
    books: Books, record: RecordRow, approved: ProposalRow, by: DecidedBy
) -> None:
    """Close what put the payment into suspense, in the name of who approved."""
    words = closing_words(approved)
    noted = books.batches.incidents_of_record(
        record.terminal_id, record.batch, record.payment.stan
    )
    for one in noted:
        if not one.is_open or one.incident.code not in CAUSES:
            continue
        work = WorkRow(
            kind=WorkKind.RESOLVED,
            officer=by.officer.name,
            outcome=IncidentOutcome.SUSPENSE,
            text=words,
            at=by.at,
        )
        books.incidents.add_work(one.number, work)
        books.batches.close_incident(one.number, words, by.at)
