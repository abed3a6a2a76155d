"""Does every unit add up? All invariants of the bank, checked from the stored rows.

Nothing here trusts a sum that somebody kept: everything is computed again. The two
questions that matter most are answered separately:

* *ledger balanced*: every entry balances, so debits equal credits in each currency;
* *value accounted*: for every purse, what the ledger holds for it is what the purse's
  own certificates say: what it still holds, plus what it was debited and has not been
  delivered yet (customs cards, batches under way, open records), plus pending loads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from settlement.check.after_payment import check_after_payment
from settlement.check.batches import check_batches
from settlement.check.chart import check_chart
from settlement.check.entries import check_entries
from settlement.check.opens import check_opens, open_sums
from settlement.check.origins import check_origins
from settlement.check.purses import check_purses
from settlement.check.records import check_records
from settlement.check.report import (
    CheckReport,
    CheckRun,
    CheckTotals,
    Finding,
    FindingCode,
)
from settlement.check.rows import read_rows
from settlement.check.staged import check_staged
from settlement.check.statements import check_statements
from settlement.check.suspense import check_suspense
from settlement.ledger import AccountKind
from settlement.store.ledger import AccountRow
from settlement.store.records import Decision

if TYPE_CHECKING:
    from settlement.keystore import KeyStore
    from settlement.store.books import BankStore

__all__ = ["CheckReport", "CheckTotals", "Finding", "FindingCode", "check_bank"]


def check_bank(store: BankStore, keys: KeyStore | None = None) -> CheckReport:
    """Check every invariant over the whole database, in one consistent view.

    Args:
        store: the bank's database.
        keys: when given, every certificate is verified again; without, only the
            record that it was verified is checked.

    Raises:
        BankUnavailableError: the database cannot be read now.
    """
    with store.audit() as stored:
        damage = stored.integrity_problems()
        changed = stored.schema_problems()
        rows = read_rows(stored)
    run = CheckRun(rows=rows, keys=keys)
    for problem in [*damage, *rows.problems]:
        run.find(FindingCode.DATABASE, problem)
    for problem in changed:
        run.find(FindingCode.SCHEMA, problem)
    check_entries(run)
    check_chart(run)
    check_origins(run)
    check_after_payment(run)
    check_records(run)
    check_staged(run)
    check_purses(run)
    check_batches(run)
    check_opens(run)
    check_suspense(run)
    check_statements(run)
    totals = _totals(run)
    return CheckReport(
        findings=tuple(run.findings),
        totals=totals,
        purses=len(rows.purses),
        payments=len(rows.payments),
        batches=len(rows.batches),
        statements=len(rows.raw["statement"]),
        incidents=len(rows.raw["incident"]) - len(rows.raw["incident_closed"]),
        incidents_closed=len(rows.raw["incident_closed"]),
        tacs_verified=None if keys is None else run.tacs_verified,
    )


def _accounts(run: CheckRun) -> list[AccountRow]:
    """Every account with the sums of its legs."""
    sums = {number: [0, 0] for number in run.rows.accounts}
    for leg in run.rows.raw["leg"]:
        if leg.account_id in sums:
            sums[leg.account_id][0] += leg.debit_minor
            sums[leg.account_id][1] += leg.credit_minor
    return [
        AccountRow(
            account=account,
            id=number,
            name="",
            debit_minor=sums[number][0],
            credit_minor=sums[number][1],
        )
        for number, account in run.rows.accounts.items()
    ]


def _totals(run: CheckRun) -> tuple[CheckTotals, ...]:
    """Sums by currency; debits that are not credits are a finding."""
    accounts = _accounts(run)
    currencies = sorted({row.account.currency for row in accounts})
    totals = tuple(_totals_of(run, accounts, currency) for currency in currencies)
    for one in totals:
        if one.debits_minor != one.credits_minor:
            text = f"debits {one.debits_minor}, credits {one.credits_minor}"
            run.find(FindingCode.LEDGER, text)
    return totals


def _totals_of(
    run: CheckRun, everywhere: list[AccountRow], currency: int
) -> CheckTotals:
    accounts = [row for row in everywhere if row.account.currency == currency]
    shadows = [
        shadow
        for cid, shadow in run.shadows.items()
        if run.rows.purses[cid].currency == currency
    ]

    def held(*kinds: AccountKind) -> int:
        return sum(row.balance_minor for row in accounts if row.account.kind in kinds)

    open_minor, proved_minor = open_sums(run, currency)
    return CheckTotals(
        currency=currency,
        debits_minor=sum(row.debit_minor for row in accounts),
        credits_minor=sum(row.credit_minor for row in accounts),
        customers_minor=held(AccountKind.CUSTOMER),
        floats_minor=held(AccountKind.PURSE_FLOAT),
        purses_minor=sum(shadow.balance_minor for shadow in shadows),
        uncollected_minor=sum(shadow.uncollected_minor for shadow in shadows),
        pending_minor=sum(shadow.pending_minor for shadow in shadows),
        payees_minor=held(
            AccountKind.REVENUE, AccountKind.DEPOSITS, AccountKind.MERCHANT
        ),
        deposits_minor=held(AccountKind.DEPOSITS),
        fees_minor=held(AccountKind.FEES),
        suspense_minor=held(AccountKind.SUSPENSE),
        unbooked_minor=_unbooked_minor(run, currency),
        open_minor=open_minor,
        proved_minor=proved_minor,
    )


def _unbooked_minor(run: CheckRun, currency: int) -> int:
    suspended = {
        row.evidence: row.payment.tx.amount_minor
        for row in run.rows.records.values()
        if row.decision is Decision.SUSPENDED
        and row.payment.tx.currency == currency
        and run.rows.end_of(row) is None
    }
    return sum(suspended.values())
