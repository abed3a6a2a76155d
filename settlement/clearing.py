"""What the bank decides about each payment: pure rules, in one fixed order.

The bank pays on the TAC alone. A record is judged by the first rule that applies:

====================================================  =========  =======  =========
what is found                                         decision   answer   booked
====================================================  =========  =======  =========
same STAN, same content                               as before  as then  no
same STAN, other content                              CONFLICT   94       no
TX names another customs card than the batch          REFUSED    03       no
already paid: same evidence, same batch               DUPLICATE  as then  no
already paid: another batch, or other evidence        CONFLICT   94       no
no key of that version, TAC wrong, card not ours      SUSPENDED  05       no
TX in another currency than the purse's               SUSPENDED  05       no
TX in another currency than the batch's               HELD       05       suspense
details not known, so the account is not              HELD       05       suspense
everything else, however irregular                    POSTED     00       payee
====================================================  =========  =======  =========

Every finding but the plain repeat is an incident as well. An irregular payment with a
good TAC is paid, for the customer's purse was really debited in favour of this office;
the incident tells a person what was wrong with it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final, NamedTuple

from card import certificates
from card.profile import ALGORITHM_AES_CMAC
from card.records import payment_digest
from settlement.messages import BatchHeader, RecordAnswer, ResponseCode
from settlement.store.records import Decision, details_to_text

if TYPE_CHECKING:
    from datetime import datetime

    from settlement.payment import PaymentRecord
    from settlement.store.batches import OpenRow
    from settlement.store.groups import IssuedPurse, PaidNumber, ReceivedRecord
    from settlement.store.records import PaymentRow

__all__ = [
    "Facts",
    "IncidentCode",
    "IncidentNote",
    "TACCheck",
    "Verdict",
    "answer_of",
    "content_digest",
    "content_of",
    "counter_problems",
    "evidence_digest",
    "evidence_of",
    "judge",
    "never_debited",
    "signed_debit",
    "stan_conflict",
]

CLOCK_AHEAD_MAX: Final = timedelta(hours=26)
"""How far a counter's clock may be ahead: a day, and its zone wrongly set."""
AGE_MAX: Final = timedelta(days=90)
"""An older payment is paid, but somebody should ask where it was so long."""


@unique
class IncidentCode(StrEnum):
    """Why a person has to look at something; the values are stored."""

    TAC_WRONG = "TAC wrong"
    NO_KEY = "key version unknown"
    UNKNOWN_CARD = "card unknown"
    WRONG_CURRENCY = "currency wrong"
    WRONG_MERCHANT = "customs card wrong"
    CONFLICT = "number used twice"
    REPLAYED = "payment delivered again"
    DETAILS_UNKNOWN = "details unknown"
    DECLARATION_UNPROVED = "declaration not as signed"
    LINES_DIFFER = "lines do not add up"
    COUNTERS = "purse counters irregular"
    HOTLISTED = "card on the hotlist"
    OVER_LIMIT = "limit per payment passed"
    VALIDITY = "card not valid on that day"
    CLOCK = "time of payment implausible"
    KEY_VERSION = "key version not as issued"
    BATCH_DIFFERS = "batch does not reconcile"
    BATCH_CONFLICT = "batch number used twice"
    OPEN_RECORD = "open record not authentic"
    OUTCOME_OPEN = "outcome open"
    OPEN_CONTRADICTED = "open record settled both ways"
    AUDIT_WENT_BACK = "audit log went back"
    AUDIT_REWRITTEN = "audit log rewritten"
    JOURNAL_REPLACED = "journal replaced"
    OVER_BALANCE_LIMIT = "balance limit passed"
    BALANCE_IMPOSSIBLE = "balance impossible"
    BATCH_INCOMPLETE = "batch incomplete"
    BATCH_TOO_LONG = "batch too long"
    MESSAGE_MALFORMED = "message not of the profile"
    MESSAGE_MAC = "message MAC wrong"
    TERMINAL_REFUSED = "terminal refused"
    REQUEST_AMOUNT = "request not paid exactly"
    REQUEST_DIFFERS = "payment not as the request"
    REQUEST_PAID_TWICE = "request paid twice"
    REQUEST_NOT_OPEN = "request was not open"
    REQUEST_UNKNOWN = "request unknown"
    REQUEST_DECLINE = "decline without effect"


@unique
class TACCheck(StrEnum):
    """What verifying a TAC gave."""

    GOOD = "good"
    WRONG = "wrong"
    NO_KEY = "no key of that version"


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentNote:
    """One incident that a judgement gives rise to."""

    code: IncidentCode
    text: str


class Facts(NamedTuple):
    """Everything that the rules may look at, read in the posting transaction.

    Attributes:
        header: the batch.
        tac: whether the TAC is good.
        purse: the card as it was issued, or None.
        same_stan: what was received under the same STAN of this batch, or None.
        same_otc: the payment under the same number of the purse, or None.
        tsn_is_taken: whether there is a payment under the same number of the customs
            card.
        first_decision: what was decided about ``same_otc``, or None.
        before: the purse's nearest payment with a lower number, or None.
        after: the purse's nearest payment with a higher number, or None.
        loaded: every total that can have been loaded, in minor units.
        hotlisted: why the card is on the hotlist, or None.
        now: the bank's time.
    """

    header: BatchHeader
    tac: TACCheck
    purse: IssuedPurse | None
    same_stan: ReceivedRecord | None
    same_otc: PaidNumber | None
    tsn_is_taken: bool
    first_decision: Decision | None
    before: PaidNumber | None
    after: PaidNumber | None
    loaded: frozenset[int]
    hotlisted: str | None
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to be done with a record.

    Attributes:
        decision: what to store; None when the same record is stored already, or its
            STAN is taken by another one.
        answer: what the terminal is told.
        incidents: what a person is told.
    """

    decision: Decision | None
    answer: RecordAnswer
    incidents: tuple[IncidentNote, ...] = ()


def evidence_digest(record: PaymentRecord) -> bytes:
    """Digest of what the cards signed, 32 bytes: it makes a payment the same one."""
    return evidence_of(signed_debit(record), record.tac)


def content_digest(record: PaymentRecord) -> bytes:
    """Digest of all that a terminal sends about a payment, 32 bytes."""
    details = None if record.details is None else details_to_text(record.details)
    return content_of(record, evidence_digest(record), details)


def signed_debit(record: PaymentRecord) -> bytes:
    """What the purse's TAC is made over: TX47 balanceAfter4 cumulativeDebit8."""
    return certificates.signed_debit(
        record.tx, record.balance_after_minor, record.cumulative_debit_minor
    )


def evidence_of(signed: bytes, tac: bytes) -> bytes:
    """`evidence_digest` of a record whose bytes are at hand; see `signed_debit`."""
    return hashlib.sha256(signed + tac).digest()


def content_of(record: PaymentRecord, evidence: bytes, details: str | None) -> bytes:
    """`content_digest` of a record of which the parts are at hand.

    Args:
        record: what was sent.
        evidence: its `evidence_digest`.
        details: its details as they are stored, or None.
    """
    # Never otherwise: records that are stored are compared with it.
    frame = (record.stan, record.sequence, record.kv, record.alg, details or "")
    return hashlib.sha256(evidence + repr(frame).encode()).digest()


def judge(record: PaymentRecord, facts: Facts) -> Verdict:
    """Decide about one record; see the table of this module."""
    return (
        _judge_stan(record, facts)
        or _judge_repeat(record, facts)
        or _judge_proof(record, facts)
        or _judge_payee(record, facts)
        or _post(record, facts)
    )


def stan_conflict(record: PaymentRecord) -> Verdict:
    """A STAN that has another payment of the batch already: that one stays."""
    text = f"STAN {record.stan} was used for another payment of this batch"
    return Verdict(
        decision=None,
        answer=answer_of(Decision.CONFLICT, text),
        incidents=(IncidentNote(code=IncidentCode.CONFLICT, text=text),),
    )


def counter_problems(
    record: PaymentRecord,
    *,
    before: PaidNumber | PaymentRow | None,
    after: PaidNumber | PaymentRow | None,
    loaded: frozenset[int],
) -> list[str]:
    """What is wrong with a purse's counters, given its neighbours by number.

    A number that is missing between two payments is no problem: it is a payment that
    another counter has yet to deliver, or one that was voided. What the missing ones
    are worth must not be negative, and with none missing it must be nothing.
    """
    problems = []
    debited_before = before.cumulative_debit_minor if before else 0
    otc_before = before.otc if before else 0
    missing_minor = record.cumulative_debit_minor - record.tx.amount_minor
    missing_minor -= debited_before
    adjacent = record.tx.otc == otc_before + 1
    if missing_minor < 0 or (adjacent and missing_minor):
        problems.append("the sum of its debits does not follow from the one before")
    if after is not None:
        missing_minor = after.cumulative_debit_minor - after.amount_minor
        missing_minor -= record.cumulative_debit_minor
        adjacent = after.otc == record.tx.otc + 1
        if missing_minor < 0 or (adjacent and missing_minor):
            problems.append("the sum of its debits does not lead to the next one")
    total_minor = record.balance_after_minor + record.cumulative_debit_minor
    if total_minor not in loaded:
        problems.append("balance and debits are not what was loaded")
    return problems


def never_debited(
    record: OpenRow,
    *,
    same_otc: PaymentRow | None,
    before: PaymentRow | None,
    after: PaymentRow | None,
) -> bool:
    """Whether an open record is proved never to have been debited, nor ever to be.

    That is so when the purse used its number for another payment, or when it went on
    to higher numbers and the debits in between are not worth this one. The reverse
    cannot be proved from the neighbours: a gap of the right worth says that something
    was debited under that number, but not for which customs card.
    """
    if same_otc is not None:
        return (same_otc.mid, same_otc.tsn) != (record.tx.mid, record.tx.tsn)
    if after is None:
        return False
    otc_before = before.otc if before else 0
    debited_before = before.cumulative_debit_minor if before else 0
    missing_minor = after.cumulative_debit_minor - after.amount_minor - debited_before
    if missing_minor < 0:
        return False
    if after.otc - otc_before == 2:
        return missing_minor != record.tx.amount_minor
    return missing_minor < record.tx.amount_minor


def answer_of(decision: Decision, reason: str = "") -> RecordAnswer:
    """What a terminal is told about a decision."""
    return RecordAnswer(code=_CODES[decision], text=reason)


_CODES: Final = {
    Decision.POSTED: ResponseCode.ACCEPTED,
    Decision.HELD: ResponseCode.SUSPENDED,
    Decision.SUSPENDED: ResponseCode.SUSPENDED,
    Decision.CONFLICT: ResponseCode.CONFLICT,
    Decision.REFUSED: ResponseCode.WRONG_MERCHANT,
    Decision.RECEIVED: ResponseCode.RECEIVED,
}


# Looked up once: members of an enum are slow to reach, and this is for each payment.
_NO_KEY: Final = TACCheck.NO_KEY
_WRONG: Final = TACCheck.WRONG
_SIMPLY_POSTED: Final = Verdict(
    decision=Decision.POSTED, answer=answer_of(Decision.POSTED)
)


def _judge_stan(record: PaymentRecord, facts: Facts) -> Verdict | None:
    earlier = facts.same_stan
    if earlier is None:
        return None
    if earlier.content == content_digest(record):
        decision = earlier.decision
        if decision is Decision.DUPLICATE:
            assert facts.first_decision is not None, "it was a duplicate of something"
            decision = facts.first_decision
        return Verdict(decision=None, answer=answer_of(decision, earlier.reason))
    return stan_conflict(record)


def _judge_repeat(record: PaymentRecord, facts: Facts) -> Verdict | None:
    if record.tx.mid != facts.header.mid:
        text = "the payment was made to another customs card than this batch's"
        return _verdict(Decision.REFUSED, IncidentCode.WRONG_MERCHANT, text)
    paid = facts.same_otc
    if paid is not None and paid.evidence == evidence_digest(record):
        if paid.batch == facts.header.close.batch:
            assert facts.first_decision is not None, "a payment has its record"
            answer = answer_of(facts.first_decision)
            return Verdict(decision=Decision.DUPLICATE, answer=answer)
        text = f"this payment was delivered and paid in batch {paid.batch} already"
        return _verdict(Decision.CONFLICT, IncidentCode.REPLAYED, text)
    if paid is not None:
        text = f"number {record.tx.otc} of this purse was used for another payment"
        return _verdict(Decision.CONFLICT, IncidentCode.CONFLICT, text)
    if facts.tsn_is_taken:
        text = f"number {record.tx.tsn} of the customs card has another payment"
        return _verdict(Decision.CONFLICT, IncidentCode.CONFLICT, text)
    return None


def _judge_proof(record: PaymentRecord, facts: Facts) -> Verdict | None:
    if facts.tac is _NO_KEY:
        text = f"the bank has no keys of version {record.kv}"
        return _verdict(Decision.SUSPENDED, IncidentCode.NO_KEY, text)
    if facts.tac is _WRONG:
        text = "the purse's certificate (TAC) is wrong; not paid"
        return _verdict(Decision.SUSPENDED, IncidentCode.TAC_WRONG, text)
    if facts.purse is None:
        text = "the bank has no float for this card: it did not issue it; not paid"
        return _verdict(Decision.SUSPENDED, IncidentCode.UNKNOWN_CARD, text)
    if facts.purse.currency != record.tx.currency:
        text = "the payment is not in the purse's currency; not paid"
        return _verdict(Decision.SUSPENDED, IncidentCode.WRONG_CURRENCY, text)
    return None


def _judge_payee(record: PaymentRecord, facts: Facts) -> Verdict | None:
    if record.tx.currency != facts.header.currency:
        text = "the payment is not in the batch's currency; held in suspense"
        return _verdict(Decision.HELD, IncidentCode.WRONG_CURRENCY, text)
    if record.details is None:
        text = "the terminal does not know what was paid; held in suspense"
        return _verdict(Decision.HELD, IncidentCode.DETAILS_UNKNOWN, text)
    return None


def _post(record: PaymentRecord, facts: Facts) -> Verdict:
    notes = (*_detail_notes(record), *_card_notes(record, facts))
    if not notes:
        return _SIMPLY_POSTED
    reason = "; ".join(note.text for note in notes)
    return Verdict(
        decision=Decision.POSTED,
        answer=answer_of(Decision.POSTED, reason),
        incidents=notes,
    )


def _detail_notes(record: PaymentRecord) -> list[IncidentNote]:
    details = record.details
    assert details is not None, "a payment without details was held before"
    notes = []
    if payment_digest(details.declaration) != record.tx.digest:
        text = "the declaration number is not the one that the cards signed"
        notes.append(IncidentNote(code=IncidentCode.DECLARATION_UNPROVED, text=text))
    if details.lines and details.lines_minor != record.tx.amount_minor:
        text = "the lines do not add up to the amount"
        notes.append(IncidentNote(code=IncidentCode.LINES_DIFFER, text=text))
    return notes


def _card_notes(record: PaymentRecord, facts: Facts) -> list[IncidentNote]:
    purse = facts.purse
    assert purse is not None, "a payment of an unknown card was suspended before"
    notes = [
        IncidentNote(code=IncidentCode.COUNTERS, text=text)
        for text in counter_problems(
            record, before=facts.before, after=facts.after, loaded=facts.loaded
        )
    ]
    if facts.hotlisted is not None:
        text = f"the card is on the hotlist: {facts.hotlisted}"
        notes.append(IncidentNote(code=IncidentCode.HOTLISTED, text=text))
    if record.tx.amount_minor > purse.payment_limit_minor:
        text = "the amount is over the card's limit per payment"
        notes.append(IncidentNote(code=IncidentCode.OVER_LIMIT, text=text))
    if record.balance_after_minor > purse.balance_limit_minor:
        text = "the balance is over the card's limit"
        notes.append(IncidentNote(code=IncidentCode.OVER_BALANCE_LIMIT, text=text))
    if (record.kv, record.alg) != (purse.kv, ALGORITHM_AES_CMAC):
        text = "the card was issued with other keys"
        notes.append(IncidentNote(code=IncidentCode.KEY_VERSION, text=text))
    notes += _time_notes(record.tx.at, purse, facts.now)
    return notes


def _time_notes(at: datetime, purse: IssuedPurse, now: datetime) -> list[IncidentNote]:
    notes = []
    if not now - AGE_MAX <= at <= now + CLOCK_AHEAD_MAX:
        text = f"the time of the payment, {at:%Y-%m-%d %H:%M} UTC, is implausible"
        notes.append(IncidentNote(code=IncidentCode.CLOCK, text=text))
    if purse.valid_from < at.date() < purse.expiry:
        return notes
    # Half a day each way: the counter goes by its local date, TX is in UTC.
    slack = timedelta(hours=14)
    day_from, day_to = (at - slack).date(), (at + slack).date()
    if day_to < purse.valid_from or day_from > purse.expiry:
        text = "the card was not valid on that day"
        notes.append(IncidentNote(code=IncidentCode.VALIDITY, text=text))
    return notes


def _verdict(decision: Decision, code: IncidentCode, text: str) -> Verdict:
    return Verdict(
        decision=decision,
        answer=answer_of(decision, text),
        incidents=(IncidentNote(code=code, text=text),),
    )
