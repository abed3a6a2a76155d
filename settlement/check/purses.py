"""Purses: what the ledger holds for each is what its own certificates say.

Loads and payments of a purse are followed through its counters, and every proof is
verified again when keys are given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from card import certificates
from card.profile import ALGORITHM_AES_CMAC, KeyUse
from card.records import LoadRequest, mask_card_number
from settlement.check.report import FindingCode
from settlement.clearing import counter_problems
from settlement.errors import KeyStoreError
from settlement.ledger import Account
from settlement.loads import is_proved
from settlement.shadow import loaded_totals, make_shadow
from settlement.store.cards import LoadOutcome

if TYPE_CHECKING:
    from settlement.check.report import CheckRun
    from settlement.store.cards import LoadRow, PurseRow
    from settlement.store.records import PaymentRow

__all__ = ["check_purses"]

_AT_ISSUE = 0
"""The ltc under which value is booked that a card carried when it was registered."""


def check_purses(run: CheckRun) -> None:
    """Check every purse that was issued."""
    balances: dict[Account, int] = dict.fromkeys(run.rows.accounts.values(), 0)
    for leg in run.rows.raw["leg"]:
        account = run.rows.accounts.get(leg.account_id)
        if account is not None:
            balances[account] += leg.credit_minor - leg.debit_minor
    for cid in sorted(run.rows.purses):
        purse = run.rows.purses[cid]
        float_account = Account.purse_float(cid, purse.currency)
        _check_purse(run, purse, balances.get(float_account, 0))
    lsns = [load.lsn for loads in run.rows.loads.values() for load in loads]
    run.find_gaps("load (lsn)", lsns)


def _check_purse(run: CheckRun, purse: PurseRow, float_minor: int) -> None:
    card = mask_card_number(purse.cid)
    loads = run.rows.loads.get(purse.cid, [])
    payments = run.rows.payments_of(purse.cid)
    shadow = make_shadow(loads, payments)
    run.shadows[purse.cid] = shadow
    certified_minor = (
        shadow.balance_minor + shadow.uncollected_minor + shadow.pending_minor
    )
    if float_minor != certified_minor:
        text = f"card {card}: float {float_minor}, certificates {certified_minor}"
        run.find(FindingCode.FLOAT, text)
    if shadow.balance_max_minor < 0 or shadow.uncollected_minor < 0:
        text = (
            f"card {card}: debited {shadow.debited_minor} of "
            f"{shadow.loaded_minor} loaded, {shadow.posted_minor} posted"
        )
        run.find(FindingCode.FLOAT, text)
    _check_loads(run, purse, loads)
    _check_payments(run, card, payments, loaded_totals(loads))


def _check_loads(run: CheckRun, purse: PurseRow, rows: list[LoadRow]) -> None:
    """A card has at most one pending load, and its settled ones have their proof."""
    card = mask_card_number(purse.cid)
    pending = [row.ltc for row in rows if row.outcome is None]
    if len(pending) > 1:
        run.find(FindingCode.LOAD, f"card {card}: loads {pending} are all pending")
    for row in rows:
        name = f"card {card}, load {row.ltc} of {row.amount_minor}"
        if row.currency != purse.currency:
            run.find(FindingCode.LOAD, f"{name}: not in the purse's currency")
        if not _was_asked_for(run, row):
            run.find(FindingCode.LOAD, f"{name}: the card's request is not authentic")
        if row.outcome is not None and not _is_proved(run, row):
            run.find(FindingCode.LOAD, name)


def _was_asked_for(run: CheckRun, row: LoadRow) -> bool:
    """Whether the purse's M1 asks for this load; without keys only the form."""
    if row.ltc == _AT_ISSUE:
        empty = (row.lid, row.rc, row.m1, row.proof) == (bytes(8),) * 4
        done = row.outcome is LoadOutcome.COMPLETED
        return empty and done and row.balance_after_minor == row.amount_minor
    if run.keys is None:
        return True
    key = run.key(KeyUse.LOAD, row.kv, row.cid)
    request = LoadRequest(
        cid=row.cid,
        ltc=row.ltc,
        lid=row.lid,
        amount_minor=row.amount_minor,
        currency=row.currency,
        balance_minor=row.card_balance_minor,
        kv=row.kv,
        alg=ALGORITHM_AES_CMAC,
        rc=row.rc,
        m1=row.m1,
    )
    return key is not None and certificates.verify_load_m1(key, request)


def _is_proved(run: CheckRun, row: LoadRow) -> bool:
    if run.keys is None:
        return True
    try:
        return is_proved(run.keys, row)
    except KeyStoreError:
        return False


def _check_payments(
    run: CheckRun, card: str, payments: list[PaymentRow], loaded: frozenset[int]
) -> None:
    """Counters and TAC of a purse's payments, each against the one before."""
    before = None
    for row in payments:
        record = run.rows.record_of(row)
        name = f"card {card}, payment {row.otc}"
        if record is None:
            run.find(FindingCode.TAC, f"{name} of {row.amount_minor}: no record")
        else:
            problems = counter_problems(
                record.payment, before=before, after=None, loaded=loaded
            )
            for problem in problems:
                run.find(FindingCode.COUNTERS, f"{name}: {problem}")
            verified = record.tac_verified or run.rows.was_accepted(record)
            if not verified or not _verify_again(run, row):
                run.find(FindingCode.TAC, f"{name} of {row.amount_minor}")
        before = row


def _verify_again(run: CheckRun, row: PaymentRow) -> bool:
    record = run.rows.record_of(row)
    if run.keys is None or record is None:
        return True
    sent = record.payment
    key = run.key(KeyUse.TRANSACTION_CERTIFICATE, sent.kv, row.cid)
    if key is None:
        return False
    run.tacs_verified += 1
    return certificates.verify_tac(
        key,
        sent.tx,
        balance_after_minor=row.balance_after_minor,
        cumulative_debit_minor=row.cumulative_debit_minor,
        claimed=row.tac,
    )
