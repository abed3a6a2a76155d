"""Does every unit add up? All invariants of the bank, checked from the stored rows.

Nothing here trusts a sum that somebody kept: everything is computed again. The two
questions that matter most are answered separately:

* *ledger balanced*: every entry balances, so debits equal credits in each currency;
* *value accounted*: for every purse, what the ledger holds for it is what the purse's
  own certificates say: what it still holds, plus what it was debited and has not been
  delivered yet (customs cards, batches under way, open records), plus pending loads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING

from card import certificates
from card.profile import KeyUse
from card.records import mask_card_number
from settlement.clearing import counter_problems
from settlement.errors import KeyStoreError, StatementError
from settlement.ledger import Account, AccountKind
from settlement.loads import is_proved
from settlement.reconcile import batch_records, chain_of
from settlement.shadow import Shadow, loaded_totals, make_shadow
from settlement.statement import check_statement
from settlement.statement_document import from_document
from settlement.store_records import Decision

if TYPE_CHECKING:
    from settlement.keystore import KeyStore
    from settlement.messages import BatchHeader
    from settlement.store import BankStore, Books
    from settlement.store_cards import LoadRow, PurseRow
    from settlement.store_records import PaymentRow

__all__ = ["CheckReport", "CheckTotals", "Finding", "FindingCode", "check_bank"]


@unique
class FindingCode(StrEnum):
    """Which invariant is broken."""

    DATABASE = "database damaged"
    UNBALANCED = "entry does not balance"
    LEDGER = "debits are not credits"
    NOT_BOOKED = "payment without entry"
    FLOAT = "float is not what the card's certificates say"
    COUNTERS = "purse counters irregular"
    TAC = "paid without a verified TAC"
    LOAD = "load settled without proof"
    BATCH = "collected batch does not reconcile"
    OVERDRAWN = "account below zero"
    STATEMENT = "statement changed or wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is off, in plain words and without a full card number."""

    code: FindingCode
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTotals:
    """The sums of one currency, in minor units.

    Attributes:
        currency: ISO 4217 number.
        debits_minor: of all legs.
        credits_minor: of all legs.
        customers_minor: on customers' accounts.
        floats_minor: held for purses in the ledger.
        purses_minor: what purses hold, by their certificates.
        uncollected_minor: debited by purses and not delivered yet.
        pending_minor: loads of which the bank does not know.
        payees_minor: on the accounts of offices and merchants.
        suspense_minor: in the suspense account.
        unbooked_minor: suspended records, for which nothing is booked.
        open_minor: open records reported and neither delivered nor voided.
    """

    currency: int
    debits_minor: int = 0
    credits_minor: int = 0
    customers_minor: int = 0
    floats_minor: int = 0
    purses_minor: int = 0
    uncollected_minor: int = 0
    pending_minor: int = 0
    payees_minor: int = 0
    suspense_minor: int = 0
    unbooked_minor: int = 0
    open_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a check found.

    Attributes:
        findings: what is off; empty when everything adds up.
        totals: sums by currency.
        purses: how many were looked at.
        payments: likewise.
        batches: likewise, collected or not.
        statements: likewise.
        incidents: how many incidents are noted; they are no findings.
        tacs_verified: payments whose TAC was verified again; None without keys.
    """

    findings: tuple[Finding, ...]
    totals: tuple[CheckTotals, ...]
    purses: int
    payments: int
    batches: int
    statements: int
    incidents: int
    tacs_verified: int | None

    @property
    def ok(self) -> bool:
        """Whether nothing is off."""
        return not self.findings

    @property
    def ledger_balanced(self) -> bool:
        """Whether debits equal credits, entry by entry and in sum."""
        return not self._any(
            FindingCode.UNBALANCED, FindingCode.LEDGER, FindingCode.DATABASE
        )

    @property
    def value_accounted(self) -> bool:
        """Whether every unit that purses were given is somewhere."""
        return self.ledger_balanced and not self._any(
            FindingCode.FLOAT,
            FindingCode.COUNTERS,
            FindingCode.NOT_BOOKED,
            FindingCode.TAC,
            FindingCode.LOAD,
            FindingCode.BATCH,
        )

    def _any(self, *codes: FindingCode) -> bool:
        return any(finding.code in codes for finding in self.findings)


@dataclass(slots=True)
class _Check:
    """One run: what it has found so far."""

    books: Books
    keys: KeyStore | None
    findings: list[Finding] = field(default_factory=list)
    shadows: dict[bytes, tuple[PurseRow, Shadow]] = field(default_factory=dict)
    tacs_verified: int = 0
    payments: int = 0

    def find(self, code: FindingCode, text: str) -> None:
        self.findings.append(Finding(code=code, text=text))


def check_bank(store: BankStore, keys: KeyStore | None = None) -> CheckReport:
    """Check every invariant over the whole database, in one consistent view.

    Args:
        store: the bank's database.
        keys: when given, every certificate is verified again; without, only the
            record that it was verified is checked.

    Raises:
        BankUnavailableError: the database cannot be read now.
    """
    problems = store.integrity_problems()
    with store.read() as books:
        check = _Check(books=books, keys=keys)
        for problem in problems:
            check.find(FindingCode.DATABASE, problem)
        _check_entries(check)
        purses = books.cards.purses()
        for purse in purses:
            _check_purse(check, purse)
        batches = books.batches.batches()
        for header in batches:
            _check_batch(check, header)
        statements = _check_statements(check)
        totals = _totals(check)
        incidents = len(books.batches.incidents())
    return CheckReport(
        findings=tuple(check.findings),
        totals=totals,
        purses=len(purses),
        payments=check.payments,
        batches=len(batches),
        statements=statements,
        incidents=incidents,
        tacs_verified=None if keys is None else check.tacs_verified,
    )


def _check_entries(check: _Check) -> None:
    for number, amount_minor, debits, credits_ in check.books.ledger.unbalanced():
        check.find(
            FindingCode.UNBALANCED,
            f"entry {number} of {amount_minor}: debits {debits}, credits {credits_}",
        )
    for cid, otc in check.books.ledger.payments_without_entry():
        card = mask_card_number(cid)
        check.find(FindingCode.NOT_BOOKED, f"payment {otc} of card {card}")
    for row in check.books.ledger.accounts():
        if row.balance_minor < 0 and row.account.kind is not AccountKind.CLEARING:
            check.find(
                FindingCode.OVERDRAWN,
                f"{row.account.kind} account, row {row.id}: {row.balance_minor}",
            )


def _check_purse(check: _Check, purse: PurseRow) -> None:
    books = check.books
    card = mask_card_number(purse.cid)
    loads = books.cards.loads(purse.cid)
    payments = books.records.payments_of_purse(purse.cid)
    shadow = make_shadow(loads, payments)
    check.shadows[purse.cid] = (purse, shadow)
    check.payments += len(payments)
    account = Account.purse_float(purse.cid, purse.currency)
    float_minor = books.ledger.balance_minor(account)
    certified_minor = (
        shadow.balance_minor + shadow.uncollected_minor + shadow.pending_minor
    )
    if float_minor != certified_minor:
        check.find(
            FindingCode.FLOAT,
            f"card {card}: float {float_minor}, certificates {certified_minor}",
        )
    if shadow.balance_max_minor < 0 or shadow.uncollected_minor < 0:
        check.find(
            FindingCode.FLOAT,
            f"card {card}: debited {shadow.debited_minor} of "
            f"{shadow.loaded_minor} loaded, {shadow.posted_minor} posted",
        )
    _check_loads(check, card, loads)
    _check_payments(check, card, payments, loaded_totals(loads))


def _check_loads(check: _Check, card: str, rows: list[LoadRow]) -> None:
    """A card has at most one pending load, and its settled ones have their proof."""
    pending = [row.ltc for row in rows if row.outcome is None]
    if len(pending) > 1:
        check.find(FindingCode.LOAD, f"card {card}: loads {pending} are all pending")
    for row in rows:
        if row.outcome is not None and not _load_is_proved(check, row):
            text = f"card {card}, load {row.ltc} of {row.amount_minor}"
            check.find(FindingCode.LOAD, text)


def _load_is_proved(check: _Check, row: LoadRow) -> bool:
    if check.keys is None:
        return True
    try:
        return is_proved(check.keys, row)
    except KeyStoreError:
        return False


def _check_payments(
    check: _Check, card: str, payments: list[PaymentRow], loaded: frozenset[int]
) -> None:
    """Counters and TAC of a purse's payments, each against the one before."""
    before = None
    for row in payments:
        record = check.books.records.record_of(row)
        problems = counter_problems(
            record.payment, before=before, after=None, loaded=loaded
        )
        for problem in problems:
            text = f"card {card}, payment {row.otc}: {problem}"
            check.find(FindingCode.COUNTERS, text)
        if not record.tac_verified or not _verify_again(check, row):
            text = f"card {card}, payment {row.otc} of {row.amount_minor}"
            check.find(FindingCode.TAC, text)
        before = row


def _verify_again(check: _Check, row: PaymentRow) -> bool:
    if check.keys is None:
        return True
    sent = check.books.records.record_of(row).payment
    try:
        key = check.keys.card_key(KeyUse.TRANSACTION_CERTIFICATE, sent.kv, row.cid)
    except KeyStoreError:
        return False
    check.tacs_verified += 1
    return certificates.verify_tac(
        key,
        sent.tx,
        balance_after_minor=row.balance_after_minor,
        cumulative_debit_minor=row.cumulative_debit_minor,
        claimed=row.tac,
    )


def _check_batch(check: _Check, header: BatchHeader) -> None:
    """A collected batch: its records again, and what was answered for it."""
    collected = check.books.batches.collected(header)
    if collected is None:
        return
    records = batch_records(check.books.records.records(header))
    sum_minor = sum(row.payment.tx.amount_minor for row in records)
    answered_minor = collected.posted.sum_minor + collected.suspended.sum_minor
    answered = collected.posted.count + collected.suspended.count
    name = f"batch {header.close.batch} of terminal {header.terminal_id}"
    if not header.close.count == len(records) == answered:
        text = f"{name}: closed {header.close.count}, received {len(records)}"
        check.find(FindingCode.BATCH, text)
    if not header.close.sum_minor == sum_minor == answered_minor:
        text = f"{name}: closed {header.close.sum_minor}, received {sum_minor}"
        check.find(FindingCode.BATCH, text)
    if chain_of(records) != header.close.chain:
        check.find(FindingCode.BATCH, f"{name}: its chain is another")


def _check_statements(check: _Check) -> int:
    issued = check.books.statements.all_issued()
    for row in issued:
        try:
            problems = check_statement(from_document(row.document, row.digest))
        except StatementError as error:
            problems = [str(error)]
        for problem in problems:
            text = f"statement {row.number}: {problem}"
            check.find(FindingCode.STATEMENT, text)
    return len(issued)


def _totals(check: _Check) -> tuple[CheckTotals, ...]:
    """Sums by currency; debits that are not credits are a finding."""
    accounts = check.books.ledger.accounts()
    currencies = sorted({row.account.currency for row in accounts})
    totals = tuple(_totals_of(check, currency) for currency in currencies)
    for one in totals:
        if one.debits_minor != one.credits_minor:
            text = f"debits {one.debits_minor}, credits {one.credits_minor}"
            check.find(FindingCode.LEDGER, text)
    return totals


def _totals_of(check: _Check, currency: int) -> CheckTotals:
    accounts = [
        row for row in check.books.ledger.accounts() if row.account.currency == currency
    ]
    shadows = [
        shadow for purse, shadow in check.shadows.values() if purse.currency == currency
    ]

    def held(*kinds: AccountKind) -> int:
        return sum(row.balance_minor for row in accounts if row.account.kind in kinds)

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
        suspense_minor=held(AccountKind.SUSPENSE),
        unbooked_minor=_unbooked_minor(check, currency),
        open_minor=_open_minor(check, currency),
    )


def _unbooked_minor(check: _Check, currency: int) -> int:
    suspended = {
        row.evidence: row.payment.tx.amount_minor
        for row in check.books.records.waiting_records()
        if row.decision is Decision.SUSPENDED and row.payment.tx.currency == currency
    }
    return sum(suspended.values())


def _open_minor(check: _Check, currency: int) -> int:
    return sum(
        row.tx.amount_minor
        for row in check.books.batches.all_opens()
        if row.tx.currency == currency
        and check.books.records.payment(row.tx.cid, row.tx.otc) is None
    )
