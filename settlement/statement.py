"""A certified statement: what an account's holder is told, as one value.

It is made and kept by `settlement.statements`, stored by
`settlement.statement_document`, and drawn by `settlement.statement_pdf` and
`settlement.statement_csv`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime, timezone

    from settlement.ledger import AccountKind, EntryKind
    from settlement.money import Currency
    from settlement.payment import LineClass, PaymentKind

__all__ = [
    "BankIdentity",
    "PaymentOnStatement",
    "Statement",
    "StatementEntry",
    "check_statement",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BankIdentity:
    """Who issues: the names at the head of a statement.

    Attributes:
        name: the bank's name.
        arabic_name: its name in Arabic, or empty.
        address: one line under the name, or empty.
    """

    name: str = "Raseed Bank"
    arabic_name: str = "بنك رصيد"
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentOnStatement:
    """What a statement says about a payment beyond its amount.

    Attributes:
        declaration: declaration number; empty when the terminal did not know it.
        kind: fees, deposits or purchase; None when not known.
        lines: class and amount in minor units of each line of the assessment.
        clerk: who took it.
        request_number: number of the payment request, or empty.
        masked_card: card number as people may see it.
        terminal_id: where it was paid.
        reference: the retrieval reference number of its message.
        authorisation: the purse's approval, six characters.
        paid_at: the counter's time, aware UTC.
        held: whether it waits in suspense.
    """

    declaration: str
    kind: PaymentKind | None
    lines: tuple[tuple[LineClass, int], ...]
    clerk: str
    request_number: str
    masked_card: str
    terminal_id: str
    reference: str
    authorisation: str
    paid_at: datetime
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementEntry:
    """One line of a statement; amounts in minor units.

    Attributes:
        position: place on the statement, from 1.
        entry_id: the ledger's number of it.
        kind: what it books.
        booked_at: the bank's time, aware UTC.
        memo: the entry's words.
        debit_minor: what it takes from the account, or 0.
        credit_minor: what it adds, or 0.
        balance_minor: the account's balance after it.
        payment: more, when it is a payment.
    """

    position: int
    entry_id: int
    kind: EntryKind
    booked_at: datetime
    memo: str
    debit_minor: int
    credit_minor: int
    balance_minor: int
    payment: PaymentOnStatement | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement as it was issued; amounts in minor units.

    Attributes:
        number: the statement's number.
        bank: who issued it.
        account_kind: what the account holds.
        owner: office code or account number; a card number is masked.
        account_name: name of the account.
        currency: of every amount.
        first_day: first day of the period.
        last_day: last day of the period, included.
        zone: in which those days begin and end.
        issued_at: the bank's time, aware UTC.
        opening_minor: balance before the period.
        closing_minor: balance after it.
        entries: in the order of booking.
        digest: SHA-256 of the stored document, printed on paper; empty before.
    """

    number: int
    bank: BankIdentity
    account_kind: AccountKind
    owner: str
    account_name: str
    currency: Currency
    first_day: date
    last_day: date
    zone: timezone
    issued_at: datetime
    opening_minor: int
    closing_minor: int
    entries: tuple[StatementEntry, ...]
    digest: bytes = field(default=b"", compare=False)

    @property
    def debits_minor(self) -> int:
        """Sum of all debits of the period."""
        return sum(entry.debit_minor for entry in self.entries)

    @property
    def credits_minor(self) -> int:
        """Sum of all credits of the period."""
        return sum(entry.credit_minor for entry in self.entries)


def check_statement(statement: Statement) -> list[str]:
    """What is wrong with a statement's arithmetic; empty when it is right."""
    problems = []
    balance_minor = statement.opening_minor
    for entry in statement.entries:
        balance_minor += statement.account_kind.growth_minor(
            entry.debit_minor, entry.credit_minor
        )
        if balance_minor != entry.balance_minor:
            problems.append(f"the balance after entry {entry.position} is wrong")
    if balance_minor != statement.closing_minor:
        problems.append("the closing balance is not opening plus entries")
    return problems
