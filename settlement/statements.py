"""Issuing statements: made from the ledger once, numbered, stored, then only read.

PDF and CSV are drawn from the stored document, so they say the same for ever. Asking
again for the same account and period gives the stored statement, unless further entries
were booked in the period; then a new one, with its own number, is issued beside it.

Days are the bank's own: the zone in which a day begins and ends is a parameter.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Final

from settlement.errors import StatementError
from settlement.ledger import Account, AccountKind, EntryKind
from settlement.message_codec import retrieval_reference
from settlement.money import currency_by_number
from settlement.payment import approval_code
from settlement.statement import (
    BankIdentity,
    PaymentOnStatement,
    Statement,
    StatementEntry,
)
from settlement.statement_document import document_digest, from_document, to_document
from settlement.store.collisions import repeated
from settlement.store.records import Decision
from settlement.store.statements import IssuedRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from settlement.store.books import BankStore, Books
    from settlement.store.statements import MovementRow, PaymentFacts

__all__ = ["BANK_ZONE", "Statements"]

BANK_ZONE: Final = timezone(timedelta(hours=4))
"""The bank's days, where no other zone is given: Muscat, all year."""


class Statements:
    """Issues statements, and finds those that were issued."""

    def __init__(
        self,
        store: BankStore,
        clock: Callable[[], datetime],
        *,
        bank: BankIdentity | None = None,
        zone: timezone = BANK_ZONE,
    ) -> None:
        """Work on ``store``.

        Args:
            store: the bank's database.
            clock: the time, aware.
            bank: the names at the head.
            zone: in which the days of a period begin and end.
        """
        self._store = store
        self._clock = clock
        self._bank = bank or BankIdentity()
        self._zone = zone

    @repeated
    def issue(self, account: Account, first_day: date, last_day: date) -> Statement:
        """The statement of an account for a period of whole days.

        Args:
            account: for an office, what `settlement.ledger.payee_account` gives.
            first_day: first day of the period.
            last_day: last day, included.

        Raises:
            StatementError: there is no such account, or the period ends before it
                begins.
        """
        if last_day < first_day:
            message = f"the period ends ({last_day}) before it begins ({first_day})"
            raise StatementError(message)
        with self._store.write() as books:
            books.holds.whole_ledger()
            account_id = books.ledger.account_id(account)
            if account_id is None:
                message = f"there is no {account.kind} account of {_owner(account)}"
                raise StatementError(message)
            made = self._make(books, account, account_id, (first_day, last_day))
            last_entry_id = max((entry.entry_id for entry in made.entries), default=0)
            issued = books.statements.issued(
                account_id, first_day, last_day, last_entry_id
            )
            if issued is None:
                issued = _row(made, account_id, last_entry_id)
                books.statements.add(issued)
        return from_document(issued.document, issued.digest)

    def get(self, number: int) -> Statement:
        """An issued statement.

        Raises:
            StatementError: none has that number, or the stored one was changed.
        """
        with self._store.read() as books:
            row = books.statements.by_number(number)
        if row is None:
            raise StatementError(f"there is no statement number {number}")
        return from_document(row.document, row.digest)

    def _make(
        self, books: Books, account: Account, account_id: int, days: tuple[date, date]
    ) -> Statement:
        start = datetime.combine(days[0], time.min, self._zone)
        end = datetime.combine(days[1] + timedelta(days=1), time.min, self._zone)
        debits, credits_ = books.statements.sums_before(account_id, start)
        opening_minor = account.kind.growth_minor(debits, credits_)
        movements = books.statements.movements(account_id, start=start, end=end)
        entries = _entries(account.kind, opening_minor, movements)
        found = books.ledger.account(account)
        assert found is not None, "its row was found in this transaction"
        return Statement(
            number=books.statements.next_number(),
            bank=self._bank,
            account_kind=account.kind,
            owner=_owner(account),
            account_name=found.name,
            currency=currency_by_number(account.currency),
            first_day=days[0],
            last_day=days[1],
            zone=self._zone,
            issued_at=self._clock().astimezone(UTC),
            opening_minor=opening_minor,
            closing_minor=entries[-1].balance_minor if entries else opening_minor,
            entries=entries,
        )


def _entries(
    kind: AccountKind, opening_minor: int, movements: Sequence[MovementRow]
) -> tuple[StatementEntry, ...]:
    entries = []
    balance_minor = opening_minor
    for position, row in enumerate(movements, start=1):
        balance_minor += kind.growth_minor(row.debit_minor, row.credit_minor)
        entries.append(
            StatementEntry(
                position=position,
                entry_id=row.entry_id,
                kind=row.kind,
                booked_at=row.booked_at,
                memo=row.memo,
                debit_minor=row.debit_minor,
                credit_minor=row.credit_minor,
                balance_minor=balance_minor,
                payment=None
                if row.payment is None
                else _payment(row.payment, row.kind),
            )
        )
    return tuple(entries)


def _payment(facts: PaymentFacts, kind: EntryKind) -> PaymentOnStatement:
    details = facts.details
    lines = details.lines if details else ()
    return PaymentOnStatement(
        declaration=details.declaration if details else "",
        kind=details.kind if details else None,
        lines=tuple((line.line_class, line.amount_minor) for line in lines),
        clerk=details.clerk if details else "",
        request_number=details.request_number if details else "",
        masked_card=facts.tx.card_number_masked,
        terminal_id=facts.terminal_id,
        reference=retrieval_reference(facts.terminal_id, facts.batch, facts.sequence),
        authorisation=approval_code(facts.tac),
        paid_at=facts.tx.at,
        # What has left suspense since is held no more in that entry.
        held=facts.decision is Decision.HELD and kind is EntryKind.PAYMENT,
    )


def _owner(account: Account) -> str:
    if account.kind is AccountKind.PURSE_FLOAT:
        return f"{account.owner[:6]}******{account.owner[-4:]}"
    return account.owner


def _row(made: Statement, account_id: int, last_entry_id: int) -> IssuedRow:
    document = to_document(made)
    return IssuedRow(
        number=made.number,
        account_id=account_id,
        first_day=made.first_day,
        last_day=made.last_day,
        last_entry_id=last_entry_id,
        document=document,
        digest=document_digest(document),
        issued_at=made.issued_at,
    )
