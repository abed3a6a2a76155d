"""Every entry has its event, every event its entry, and the legs are the event's.

The expected entry is made again from the event (payment, load, outcome of a load, and
those of `settlement.check.events`) by the same functions that booked it, and compared
in every field. Deposits have no other row than their entry: of these only the form is
known.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from card.records import mask_card_number
from settlement.check.events import expected_after_payment
from settlement.check.report import FindingCode
from settlement.check.staged import booking_moments
from settlement.errors import LedgerError
from settlement.ledger import (
    Account,
    AccountKind,
    Entry,
    EntryKind,
    Leg,
    Source,
    load_entry,
    load_reversal_entry,
    payee_account,
    payment_entry,
    suspense_entry,
)
from settlement.store.cards import LoadOutcome
from settlement.store.records import Decision

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from settlement.check.report import CheckRun
    from settlement.check.rows import StoredRows
    from settlement.store.cards import LoadRow
    from settlement.store.records import PaymentRow, RecordRow
    from settlement.store.suspense import SuspenseResolution

__all__ = ["check_entries"]

_Key = tuple[EntryKind, str, int]

_DEPOSITS: Final = frozenset({EntryKind.OPENING, EntryKind.DEPOSIT})
_OF_CARDS: Final = frozenset(
    {
        EntryKind.LOAD,
        EntryKind.LOAD_REVERSAL,
        EntryKind.PAYMENT,
        EntryKind.SUSPENSE,
    }
)

_OF_OFFICES: Final = frozenset({EntryKind.DEPOSIT_REFUND, EntryKind.DEPOSIT_FORFEITURE})


def check_entries(run: CheckRun) -> None:
    """Compare the whole ledger with the events it books."""
    rows = run.rows
    legs: defaultdict[int, list[Any]] = defaultdict(list)
    for leg in rows.raw["leg"]:
        legs[leg.entry_id].append(leg)
    expected = _expected(run)
    staged = booking_moments(rows)
    for row in rows.raw["entry"]:
        own = sorted(legs.pop(row.id, []), key=lambda leg: leg.number)
        _check_balance(run, row, own)
        key = (EntryKind(row.kind), row.subject, row.number)
        wanted = expected.pop(key, None)
        if key[0] in _DEPOSITS:
            wanted = _made(partial(_deposit, rows, row))
        if wanted is None:
            run.find(FindingCode.NO_EVENT, _name(row))
            continue
        if key[0] is EntryKind.PAYMENT and (row.cid, row.number) in staged:
            moments = staged[row.cid, row.number]
            if moments.earliest <= row.booked_at <= moments.latest:
                wanted = replace(wanted, booked_at=row.booked_at)
        differences = _differences(rows, row, own, wanted)
        if differences:
            text = f"{_name(row)}: {', '.join(differences)}"
            run.find(FindingCode.ENTRY, text)
    for number in legs:
        run.find(FindingCode.NO_EVENT, f"legs of entry {number}, which is not there")
    for kind, subject, number in expected:
        text = f"{kind} {number} of {_shown(kind, subject)}"
        run.find(FindingCode.NOT_BOOKED, text)
    _check_numbers(run)
    _check_accounts(run)


def _check_balance(run: CheckRun, row: Any, legs: list[Any]) -> None:
    debits_minor = sum(leg.debit_minor for leg in legs)
    credits_minor = sum(leg.credit_minor for leg in legs)
    if not debits_minor == credits_minor == row.amount_minor:
        text = (
            f"entry {row.id} of {row.amount_minor}: debits {debits_minor}, "
            f"credits {credits_minor}"
        )
        run.find(FindingCode.UNBALANCED, text)


def _expected(run: CheckRun) -> dict[_Key, Entry | None]:
    """The entry of every event; None when the event's own rows are too damaged."""
    rows = run.rows
    expected: dict[_Key, Entry | None] = {}
    for payment in rows.payments.values():
        source = Source.of_card(EntryKind.PAYMENT, payment.cid, payment.otc)
        expected[_key(source)] = _made(partial(_payment, rows, payment))
    for key, end in rows.ended.items():
        held = rows.records.get(key)
        if held is not None and held.decision is Decision.HELD:
            tx = held.payment.tx
            source = Source.of_card(EntryKind.SUSPENSE, tx.cid, tx.otc)
            expected[_key(source)] = _made(partial(_suspense, held, end))
    settled_at = {
        (row.cid, row.ltc): row.at
        for row in rows.raw["load_outcome"]
        if row.outcome == LoadOutcome.VOIDED
    }
    for load in (load for loads in rows.loads.values() for load in loads):
        source = Source.of_card(EntryKind.LOAD, load.cid, load.ltc)
        expected[_key(source)] = _made(partial(_load, rows, load))
        if load.outcome is LoadOutcome.VOIDED:
            source = Source.of_card(EntryKind.LOAD_REVERSAL, load.cid, load.ltc)
            make = partial(_load, rows, load, settled_at[load.cid, load.ltc])
            expected[_key(source)] = _made(make)
    for source, make_entry in expected_after_payment(rows):
        expected[_key(source)] = _made(make_entry)
    return expected


def _made(make: Callable[[], Entry | None]) -> Entry | None:
    try:
        return make()
    except LedgerError:
        # A damaged amount of nothing, say: no entry can book it.
        return None


def _payment(rows: StoredRows, payment: PaymentRow) -> Entry | None:
    record = rows.record_of(payment)
    payee = None if record is None else _payee(rows, record)
    if record is None or payee is None:
        return None
    # Of a payment that was held the end books an entry of its own.
    end = None if record.decision is Decision.HELD else rows.end_of(record)
    return payment_entry(
        cid=record.payment.tx.cid,
        otc=record.payment.tx.otc,
        payee=payee,
        amount_minor=record.payment.tx.amount_minor,
        booked_at=record.received_at if end is None else end.at,
    )


def _suspense(held: RecordRow, end: SuspenseResolution) -> Entry | None:
    """How a held payment left suspense."""
    if end.account is None:
        return None
    return suspense_entry(
        cid=held.payment.tx.cid,
        otc=held.payment.tx.otc,
        account=end.account,
        amount_minor=held.payment.tx.amount_minor,
        booked_at=end.at,
    )


def _payee(rows: StoredRows, record: RecordRow) -> Account | None:
    """Where a booked record's money went; None when its rows do not say."""
    currency = record.payment.tx.currency
    if record.decision is Decision.HELD:
        return Account.suspense(currency)
    end = rows.end_of(record)
    if record.decision is Decision.SUSPENDED and end is not None:
        return end.account
    header = rows.batches.get((record.terminal_id, record.mid, record.batch))
    details = record.payment.details
    if record.decision is not Decision.POSTED or header is None or details is None:
        return None
    return payee_account(details.kind, header.office, currency)


def _load(
    rows: StoredRows, load: LoadRow, reversed_at: datetime | None = None
) -> Entry | None:
    purse = rows.purses.get(load.cid)
    if purse is None:
        return None
    make = load_entry if reversed_at is None else load_reversal_entry
    return make(
        cid=load.cid,
        ltc=load.ltc,
        account=purse.account,
        amount_minor=load.amount_minor,
        booked_at=load.at if reversed_at is None else reversed_at,
    )


def _deposit(rows: StoredRows, row: Any) -> Entry | None:
    """The form of a deposit: nothing but its own entry tells of it."""
    account = Account.customer(row.subject, row.currency)
    if account not in rows.accounts.values():
        return None
    clearing, amount_minor = Account.clearing(row.currency), row.amount_minor
    return Entry(
        source=Source(kind=EntryKind(row.kind), subject=row.subject, number=row.number),
        currency=row.currency,
        amount_minor=amount_minor,
        legs=(
            Leg(account=clearing, debit_minor=amount_minor),
            Leg(account=account, credit_minor=amount_minor),
        ),
        booked_at=row.booked_at,
    )


def _differences(
    rows: StoredRows, row: Any, legs: list[Any], wanted: Entry
) -> list[str]:
    """In what a stored entry is not the expected one."""
    differences = [
        f"{name} is not its event's"
        for name, stored, expected in (
            ("card", row.cid, wanted.source.cid),
            ("currency", row.currency, wanted.currency),
            ("amount", row.amount_minor, wanted.amount_minor),
            ("time", row.booked_at, wanted.booked_at),
            ("memo", row.memo, wanted.memo),
        )
        if stored != expected
    ]
    if [leg.number for leg in legs] != list(range(1, len(wanted.legs) + 1)):
        return [*differences, f"it has {len(legs)} legs, or not numbered from 1"]
    for stored, expected in zip(legs, wanted.legs, strict=True):
        account = rows.accounts.get(stored.account_id)
        if account != expected.account:
            there = "no account" if account is None else _account_name(account)
            text = f"leg {stored.number} is on {there}"
            text += f", not on {_account_name(expected.account)}"
            differences.append(text)
        sides = (stored.debit_minor, stored.credit_minor)
        if sides != (expected.debit_minor, expected.credit_minor):
            text = f"leg {stored.number} debits {sides[0]} and credits {sides[1]}"
            differences.append(text)
    return differences


def _check_numbers(run: CheckRun) -> None:
    """Entries, accounts and deposits are numbered without a gap."""
    raw = run.rows.raw
    if not run.rows.leaves_gaps:
        run.find_gaps("entry", (row.id for row in raw["entry"]))
    run.find_gaps("account", (row.id for row in raw["account"]))
    deposits: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for row in raw["entry"]:
        if EntryKind(row.kind) in _DEPOSITS:
            deposits[row.kind, row.subject].append(row.number)
    for (kind, subject), numbers in deposits.items():
        run.find_gaps(f"{kind} of account {subject}", numbers)


def _check_accounts(run: CheckRun) -> None:
    """No account but the core bank's is below zero; no purse is without its float."""
    balances: Counter[int] = Counter()
    for leg in run.rows.raw["leg"]:
        balances[leg.account_id] += leg.credit_minor - leg.debit_minor
    for number, account in run.rows.accounts.items():
        if balances[number] < 0 and account.kind is not AccountKind.CLEARING:
            text = f"{account.kind} account, row {number}: {balances[number]}"
            run.find(FindingCode.OVERDRAWN, text)
    names = {run.rows.accounts[row.id]: row.name for row in run.rows.raw["account"]}
    for purse in run.rows.purses.values():
        name = names.get(Account.purse_float(purse.cid, purse.currency))
        card = mask_card_number(purse.cid)
        if purse.account.kind is not AccountKind.CUSTOMER:
            kind = purse.account.kind
            run.find(FindingCode.RECORD, f"card {card} is paid by a {kind} account")
        if purse.account.currency != purse.currency:
            run.find(FindingCode.RECORD, f"card {card}: its account's currency")
        if name != purse.holder:
            text = f"card {card}: its float is missing or of another name"
            run.find(FindingCode.RECORD, text)


def _key(source: Source) -> _Key:
    return (source.kind, source.subject, source.number)


def _name(row: Any) -> str:
    kind = EntryKind(row.kind)
    return f"entry {row.id}: {kind} {row.number} of {_shown(kind, row.subject)}"


def _shown(kind: EntryKind, subject: str) -> str:
    if kind in _OF_OFFICES:
        return f"office {subject}"
    return f"card {_masked(subject)}" if kind in _OF_CARDS else f"account {subject}"


def _account_name(account: Account) -> str:
    owner = account.owner
    if account.kind is AccountKind.PURSE_FLOAT:
        owner = _masked(owner)
    return f"{account.kind} of {owner} ({account.currency})"


def _masked(owner: str) -> str:
    return f"{owner[:6]}******{owner[-4:]}"
