"""The chart of accounts: every account has its owner, every entry its kinds of account.

The office of an account exists and collects its currency; an office has all its
accounts; what belongs to the bank itself is owned by nobody else. And each kind of
entry debits and credits only the kinds of account that `settlement.postings` allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from settlement.check.report import FindingCode
from settlement.ledger import BANK, AccountKind, EntryKind, payee_account
from settlement.payment import PaymentKind
from settlement.postings import ENTRY_SIDES

if TYPE_CHECKING:
    from settlement.check.report import CheckRun

__all__ = ["check_chart"]

_OF_BANK = frozenset({AccountKind.FEES, AccountKind.SUSPENSE, AccountKind.CLEARING})


def check_chart(run: CheckRun) -> None:
    """Check offices, the owners of accounts, and the sides of all entries."""
    currencies = _offices(run)
    _owners(run, currencies)
    _sides(run)


def _offices(run: CheckRun) -> dict[str, int]:
    """Offices: names in turn, one currency for ever, all accounts; their currencies."""
    currencies: dict[str, int] = {}
    serials: dict[str, list[int]] = {}
    for row in sorted(run.rows.raw["office"], key=lambda row: (row.code, row.serial)):
        serials.setdefault(row.code, []).append(row.serial)
        first = currencies.setdefault(row.code, row.currency)
        if row.currency != first:
            text = f"office {row.code} collects {first}, and in row {row.serial} "
            run.find(FindingCode.CHART, f"{text}{row.currency}")
    accounts = set(run.rows.accounts.values())
    for code, currency in currencies.items():
        run.find_gaps(f"row of office {code}", serials[code])
        for kind in PaymentKind:
            account = payee_account(kind, code, currency)
            if account not in accounts:
                text = f"office {code} has no {account.kind} account ({currency})"
                run.find(FindingCode.CHART, text)
    return currencies


def _owners(run: CheckRun, currencies: dict[str, int]) -> None:
    floats = {cid.hex().upper(): purse for cid, purse in run.rows.purses.items()}
    for number, account in run.rows.accounts.items():
        name = f"{account.kind} account, row {number}"
        if account.kind.is_of_office:
            if account.owner not in currencies:
                run.find(FindingCode.CHART, f"{name}: no office {account.owner}")
            elif currencies[account.owner] != account.currency:
                text = f"{name}: office {account.owner} does not collect "
                run.find(FindingCode.CHART, f"{text}{account.currency}")
        elif account.kind in _OF_BANK and account.owner != BANK:
            run.find(FindingCode.CHART, f"{name}: it is not the bank's")
        elif account.kind is AccountKind.PURSE_FLOAT:
            purse = floats.get(account.owner)
            if purse is None or purse.currency != account.currency:
                text = f"{name}: no purse of that number and currency"
                run.find(FindingCode.CHART, text)


def _sides(run: CheckRun) -> None:
    kinds = {row.id: EntryKind(row.kind) for row in run.rows.raw["entry"]}
    for leg in run.rows.raw["leg"]:
        kind = kinds.get(leg.entry_id)
        account = run.rows.accounts.get(leg.account_id)
        if kind is None or account is None:
            continue  # told by the check of entries
        side, word = (0, "debits") if leg.debit_minor else (1, "credits")
        if account.kind not in ENTRY_SIDES[kind][side]:
            text = f"entry {leg.entry_id}: a {kind} {word} a {account.kind} account"
            run.find(FindingCode.SIDES, text)
