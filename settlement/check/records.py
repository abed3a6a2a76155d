"""What was received is derived again from the bytes that were stored with it.

Columns come from TX; the digests from what the cards signed and the terminal sent; the
decision from the same facts that decided it; the declaration from D in TX.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from card import certificates
from card.profile import KeyUse
from card.records import payment_digest
from settlement.check.report import FindingCode
from settlement.check.rows import batch_key_of
from settlement.clearing import IncidentCode, content_digest, evidence_digest
from settlement.download import DownloadKind
from settlement.store.batches import incident_row
from settlement.store.records import Decision, details_to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settlement.check.report import CheckRun
    from settlement.store.records import PaymentRow, RecordRow

__all__ = ["check_records", "column_problems"]

_Incidents = set[tuple[str, str, int | None, int | None]]


def check_records(run: CheckRun) -> None:
    """Compare records, payments, open records and incidents with their own content."""
    incidents = {
        (row.code, row.terminal_id, row.batch, row.stan)
        for row in run.rows.raw["incident"]
    }
    for raw in run.rows.raw["record"]:
        record = run.rows.records[(*batch_key_of(raw), raw.stan)]
        problems = [
            *column_problems(raw, record),
            *_detail_problems(raw, record, incidents),
            *_decision_problems(run, record),
        ]
        for problem in problems:
            run.find(FindingCode.RECORD, f"{_name(raw)}: {problem}")
        _check_verdict(run, raw, record, incidents)
    for payment in run.rows.payments.values():
        _check_payment(run, payment)
    for raw, (_, opened) in zip(
        run.rows.raw["open_report"], run.rows.opens, strict=True
    ):
        tx = opened.tx
        if (raw.mid, raw.tsn) != (tx.mid, tx.tsn) or _card_part(raw) != (
            tx.cid,
            tx.otc,
            tx.amount_minor,
        ):
            text = f"open record {raw.tsn} of {_name(raw)}: not as its TX"
            run.find(FindingCode.RECORD, text)
    _check_incidents(run)
    _check_serials(run)


def _card_part(raw: Any) -> tuple[bytes, int, int]:
    return (raw.cid, raw.otc, raw.amount_minor)


def column_problems(raw: Any, record: RecordRow) -> Iterator[str]:
    """What of a row is not what its own TX and digests say."""
    tx = record.payment.tx
    if raw.cid != tx.cid:
        yield "the card is not the one in TX"
    if raw.otc != tx.otc:
        yield f"otc {raw.otc}, in TX {tx.otc}"
    if raw.amount_minor != tx.amount_minor:
        yield f"amount {raw.amount_minor}, in TX {tx.amount_minor}"
    if raw.tx != tx.to_bytes():
        yield "TX is not as cards write it"
    if raw.evidence != evidence_digest(record.payment):
        yield "what the cards signed was changed (evidence)"
    if raw.content != content_digest(record.payment):
        yield "what the terminal sent was changed (content)"


def _detail_problems(
    raw: Any, record: RecordRow, incidents: _Incidents
) -> Iterator[str]:
    """Details that neither D nor an incident of the same payment explains."""
    details, tx = record.payment.details, record.payment.tx
    if details is None:
        return
    if raw.details != details_to_text(details):
        yield "its details are not as the bank writes them"
    if record.decision is not Decision.POSTED:
        return
    proved = payment_digest(details.declaration) == tx.digest
    if not proved and not _noted(raw, IncidentCode.DECLARATION_UNPROVED, incidents):
        yield "its declaration is not the one that the cards signed"
    adds_up = not details.lines or details.lines_minor == tx.amount_minor
    if not adds_up and not _noted(raw, IncidentCode.LINES_DIFFER, incidents):
        yield "its lines do not add up to the amount"


def _decision_problems(run: CheckRun, record: RecordRow) -> Iterator[str]:
    """A decision that the stored facts do not lead to; see `settlement.clearing`."""
    decision = record.decision
    refused = record.payment.tx.mid != record.mid
    paid = _payments_against(run, record)
    own = [row for row in paid if run.rows.record_of(row) is record]
    if refused is not (decision is Decision.REFUSED):
        yield f"{decision}, but its customs card says otherwise"
    if run.rows.is_booked(record) is not bool(own):
        yield f"{decision}, but its payment says otherwise"
    if decision.is_booked and _must_be_held(run, record) is not (
        decision is Decision.HELD
    ):
        yield f"{decision}, but its details and currency say otherwise"
    if not decision.is_booked and not _is_left_out_rightly(run, record, paid):
        yield f"{decision}, and nothing that is stored says why"


def _is_left_out_rightly(
    run: CheckRun, record: RecordRow, paid: list[PaymentRow]
) -> bool:
    """Whether a record that was not booked had a reason not to be."""
    match record.decision:
        case Decision.DUPLICATE:
            return any(
                (row.evidence, row.batch) == (record.evidence, record.batch)
                for row in paid
            )
        case Decision.CONFLICT:
            return bool(paid)
        case Decision.SUSPENDED:
            return not record.tac_verified or _not_ours(run, record)
        case _:
            return True


def _payments_against(run: CheckRun, record: RecordRow) -> list[PaymentRow]:
    """Payments under the same number of the purse, or of the customs card."""
    tx = record.payment.tx
    by_otc = run.rows.payments.get((tx.cid, tx.otc))
    by_tsn = run.rows.payment_of_customs_card(tx.mid, tx.tsn)
    return [row for row in (by_otc, by_tsn) if row is not None]


def _must_be_held(run: CheckRun, record: RecordRow) -> bool:
    header = run.rows.batches.get(batch_key_of(record))
    currency = None if header is None else header.currency
    details = record.payment.details
    return details is None or record.payment.tx.currency != currency


def _not_ours(run: CheckRun, record: RecordRow) -> bool:
    """Whether the card was not the bank's then, or is of another currency."""
    for purse in run.rows.raw["purse"]:
        if purse.cid == record.payment.tx.cid:
            other = purse.currency != record.payment.tx.currency
            return bool(other or purse.issued_at > record.received_at)
    return True


def _check_verdict(
    run: CheckRun, raw: Any, record: RecordRow, incidents: _Incidents
) -> None:
    """Whether the TAC is what the row says about it."""
    if run.keys is None:
        return
    sent = record.payment
    key = run.key(KeyUse.TRANSACTION_CERTIFICATE, sent.kv, sent.tx.cid)
    good = key is not None and certificates.verify_tac(
        key,
        sent.tx,
        balance_after_minor=sent.balance_after_minor,
        cumulative_debit_minor=sent.cumulative_debit_minor,
        claimed=sent.tac,
    )
    if record.tac_verified and not good:
        run.find(FindingCode.TAC, f"{_name(raw)}: noted as verified, and is wrong")
    if good and not record.tac_verified:
        # Keys of its version may have come to the key store later.
        if record.decision is Decision.SUSPENDED and _noted(
            raw, IncidentCode.NO_KEY, incidents
        ):
            return
        if record.decision in {Decision.SUSPENDED, Decision.DUPLICATE}:
            text = f"{_name(raw)}: its TAC is right, and is noted as wrong"
            run.find(FindingCode.RECORD, text)


def _check_payment(run: CheckRun, row: PaymentRow) -> None:
    """A payment has the columns of its record, which has those of TX."""
    record = run.rows.record_of(row)
    if record is None:
        return
    sent, tx = record.payment, record.payment.tx
    for name, stored, expected in (
        ("card", row.cid, tx.cid),
        ("otc", row.otc, tx.otc),
        ("customs card", row.mid, tx.mid),
        ("tsn", row.tsn, tx.tsn),
        ("amount", row.amount_minor, tx.amount_minor),
        ("currency", row.currency, tx.currency),
        ("balance", row.balance_after_minor, sent.balance_after_minor),
        ("debits", row.cumulative_debit_minor, sent.cumulative_debit_minor),
        ("TAC", row.tac, sent.tac),
        ("evidence", row.evidence, record.evidence),
        ("time", row.paid_at, tx.at),
    ):
        if stored != expected:
            text = f"payment of STAN {row.stan}, {_where(row)}: {name} not as received"
            run.find(FindingCode.RECORD, text)


def _check_incidents(run: CheckRun) -> None:
    """An incident has the fingerprint of its own words."""
    known = {code.value: code for code in IncidentCode}
    for row in run.rows.raw["incident"]:
        made = incident_row(row)
        # The fingerprint of a code of clearing is made of the member of its enum.
        as_member = replace(made, code=known.get(row.code, row.code))
        if row.fingerprint not in {made.fingerprint, as_member.fingerprint}:
            run.find(FindingCode.RECORD, f"incident {row.id} was changed")
    run.find_gaps("incident", (row.id for row in run.rows.raw["incident"]))


def _check_serials(run: CheckRun) -> None:
    """Bindings of a terminal and listings of a card are numbered without a gap."""
    serials: defaultdict[str, list[int]] = defaultdict(list)
    for row in run.rows.raw["terminal"]:
        serials[f"binding of terminal {row.terminal_id}"].append(row.serial)
    for row in run.rows.raw["certificate"]:
        serials[f"certificate of terminal {row.terminal_id}"].append(row.number)
    for row in run.rows.raw["audit_head"]:
        serials[f"audit head of terminal {row.terminal_id}"].append(row.serial)
    versions: defaultdict[str, set[int]] = defaultdict(set)
    for row in run.rows.raw["published"]:
        versions[f"version of {DownloadKind(row.kind).name.lower()}"].add(row.version)
    for row in run.rows.raw["hotlist"]:
        versions["version of hotlist"].add(row.version)
        card = f"{row.cid.hex()[:6]}******{row.cid.hex()[-4:]}"
        serials[f"listing of card {card}"].append(row.serial)
    for name, numbers in (*serials.items(), *versions.items()):
        run.find_gaps(name, numbers)


def _noted(raw: Any, code: IncidentCode, incidents: _Incidents) -> bool:
    return (code.value, raw.terminal_id, raw.batch, raw.stan) in incidents


def _name(raw: Any) -> str:
    return f"STAN {raw.stan}, {_where(raw)}"


def _where(row: Any) -> str:
    return f"batch {row.batch} of terminal {row.terminal_id}"
