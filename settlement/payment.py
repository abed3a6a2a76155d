"""What is paid, as it travels from the counter to the ledger.

A payment is two things that belong together: the *details*, which customs wants on
its statement (declaration, lines, clerk), and the *record*, which the bank pays on
(the purse's TX, counters and TAC). The 8-byte digest D in TX ties them: it is the
digest of the declaration number.

Limits here are what the fields of the ISO 8583 profile can carry, so that whatever
can be built can also be sent. Nothing is checked here that only the bank may judge:
a payment whose details do not add up still carries a good TAC, and is paid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final

from card.profile import AMOUNT_MINOR_MAX, BATCH_CREDITS_MAX
from settlement.errors import DeclarationError, DeclarationProblem
from settlement.money import western_digits

if TYPE_CHECKING:
    from card.records import BatchClose, DebitProof, OpenRecord, TransactionRecord
    from settlement.audit_head import AuditHead

__all__ = [
    "DECLARATION_BYTES_MAX",
    "DECLARATION_PATTERN",
    "LINES_MAX",
    "OFFICE_MAX",
    "STAN_MAX",
    "TERMINAL_ID_LENGTH",
    "TEXT_BYTES_MAX",
    "BatchToUpload",
    "Closure",
    "DebitClosure",
    "DeclarationFormat",
    "LineClass",
    "OpenItem",
    "PaymentDetails",
    "PaymentKind",
    "PaymentLine",
    "PaymentRecord",
    "VoidClosure",
    "approval_code",
    "is_office_code",
]

TERMINAL_ID_LENGTH: Final = 8
"""Characters of a terminal id, which is also its certificate's name (field 41)."""
OFFICE_MAX: Final = 15
"""Characters of a customs office code (field 42)."""
STAN_MAX: Final = 999_999
"""Largest system trace audit number (field 11); the next one after it is 1."""
DECLARATION_BYTES_MAX: Final = 48
"""Bytes of a declaration number in UTF-8; offices use up to 24 characters."""
TEXT_BYTES_MAX: Final = 32
"""Bytes of each other text of a payment in UTF-8."""
LINES_MAX: Final = 32
"""Lines of one payment: four of each class, and field 48 still has room."""

DECLARATION_PATTERN: Final = "[A-Z0-9][A-Z0-9/-]{3,23}"
"""The form of declaration numbers where an office has not configured another."""

_TERMINAL_ID: Final = re.compile(r"[A-Z0-9]{8}")
_OFFICE: Final = re.compile(r"[A-Z0-9](?:[A-Z0-9 /-]{0,13}[A-Z0-9])?")


def is_office_code(text: str) -> bool:
    """Whether a counter's office can have this code.

    >>> is_office_code("SOHAR"), is_office_code("Sohar")
    (True, False)
    """
    return _OFFICE.fullmatch(text) is not None


@unique
class PaymentKind(StrEnum):
    """What a payment is for; it decides the account the money reaches."""

    FEES = "fees"
    DEPOSITS = "deposits"
    PURCHASE = "purchase"

    @property
    def processing_code(self) -> str:
        """Field 3: 00 is goods and services; 81 and 82 are of the private range."""
        return _PROCESSING_CODES[self]


_PROCESSING_CODES: Final = {
    PaymentKind.FEES: "810000",
    PaymentKind.DEPOSITS: "820000",
    PaymentKind.PURCHASE: "000000",
}


@unique
class LineClass(StrEnum):
    """The eight classes of a customs assessment's lines."""

    CUSTOMS_DUTY = "customs duty"
    UNLOADING_FEES = "unloading fees"
    STORAGE_FEES = "storage fees"
    FINES = "fines"
    DEPOSITS = "deposits"
    CERTIFICATES = "certificates"
    PUBLICATIONS = "publications"
    OTHER_RECEIPTS = "other receipts"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentLine:
    """One line of an assessment: a class and its amount in minor units."""

    line_class: LineClass
    amount_minor: int

    def __post_init__(self) -> None:
        assert 0 < self.amount_minor <= AMOUNT_MINOR_MAX, "a line has an amount"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDetails:
    """Why a payment was made, as customs will read it on the statement.

    Attributes:
        declaration: the payment reference: its digest is the D of the TX.
        kind: fees, deposits or purchase.
        lines: the assessment's lines, or none when the amount was keyed by hand.
        clerk: who was signed on.
        request_number: number of the payment request, or empty.
        delivery_order: delivery-order number, or empty.
        service_code: code in the catalogue of services, or empty.
    """

    declaration: str
    kind: PaymentKind
    lines: tuple[PaymentLine, ...] = ()
    clerk: str = ""
    request_number: str = ""
    delivery_order: str = ""
    service_code: str = ""

    def __post_init__(self) -> None:
        size = len(self.declaration.encode())
        assert 0 < size <= DECLARATION_BYTES_MAX, "the declaration fits its field"
        assert self.declaration.isprintable(), "the host refuses control characters"
        assert len(self.lines) <= LINES_MAX, "the lines fit their field"
        for text in self.texts():
            assert len(text.encode()) <= TEXT_BYTES_MAX, "every text fits its field"
            assert text.isprintable(), "the host refuses control characters"

    def texts(self) -> tuple[str, str, str, str]:
        """Clerk, request number, delivery order, service code; empty when absent."""
        return (
            self.clerk,
            self.request_number,
            self.delivery_order,
            self.service_code,
        )

    @property
    def lines_minor(self) -> int:
        """Sum of the lines, in minor units; 0 when there are none."""
        return sum([line.amount_minor for line in self.lines])


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclarationFormat:
    """The form of declaration numbers at one office, from its configuration.

    Attributes:
        pattern: regular expression that the whole number matches.
    """

    pattern: str = DECLARATION_PATTERN

    def check(self, text: str) -> str:
        """The declaration number in ``text``: the payment reference, byte by byte.

        Arabic digits are read as Western ones and blanks around it are dropped. A
        number that only matches in capitals is taken in capitals.

        Raises:
            DeclarationError: The text is empty or not of this office's form.
        """
        typed = western_digits(text)
        if not typed:
            message = "enter the declaration number"
            raise DeclarationError(DeclarationProblem.EMPTY, message)
        if len(typed.encode()) > DECLARATION_BYTES_MAX:
            raise _error(DeclarationProblem.TOO_LONG, "is too long")
        for number in (typed, typed.upper()):
            if number.isprintable() and re.fullmatch(self.pattern, number):
                return number
        if self.pattern == DECLARATION_PATTERN:
            raise _explain(typed.upper())
        raise _error(DeclarationProblem.WRONG_FORM, "does not have this office's form")


def _explain(number: str) -> DeclarationError:
    """The most helpful reason why ``number`` is not of the usual form."""
    stranger = re.search(r"[^A-Z0-9/-]", number)
    if stranger:
        contains = f"cannot contain {stranger[0]!r}; use letters, digits, / and -"
        return _error(DeclarationProblem.WRONG_CHARACTER, contains)
    if len(number) < 4:
        message = "is too short; it has at least 4 characters"
        return _error(DeclarationProblem.TOO_SHORT, message)
    if len(number) > 24:
        message = "is too long; it has at most 24 characters"
        return _error(DeclarationProblem.TOO_LONG, message)
    message = "must start with a letter or a digit"
    return _error(DeclarationProblem.WRONG_FORM, message)


def _error(problem: DeclarationProblem, words: str) -> DeclarationError:
    return DeclarationError(problem, f"the declaration number {words}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRecord:
    """One payment that a customs card has credited: what the bank pays on.

    Attributes:
        stan: the terminal's number of this payment, 1 to `STAN_MAX`.
        sequence: place in the batch, from 1, in the order in which the customs card
            credited: the chain of the batch runs in this order.
        details: why it was paid; None when the terminal that knew is lost and the
            record was read back from the customs card.
        tx: what purse and customs card agreed on.
        kv: version of the purse's keys.
        alg: algorithm of its certificates.
        balance_after_minor: the purse's balance after the debit.
        cumulative_debit_minor: all that the purse was ever debited.
        tac: the purse's certificate towards the bank, 8 bytes.
    """

    stan: int
    sequence: int
    details: PaymentDetails | None
    tx: TransactionRecord
    kv: int
    alg: int
    balance_after_minor: int
    cumulative_debit_minor: int
    tac: bytes = field(repr=False)

    def __post_init__(self) -> None:
        assert 0 < self.stan <= STAN_MAX, "a STAN has six digits"
        assert 0 < self.sequence <= BATCH_CREDITS_MAX, "a batch has 999 places"
        assert len(self.tac) == 8, "a TAC has 8 bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenItem:
    """A payment whose outcome is not known yet: an open record of the customs card.

    Attributes:
        stan: the terminal's number of this payment, 1 to `STAN_MAX`.
        sequence: place in the batch, after all credited payments.
        details: why it was to be paid, or None when the terminal does not know.
        open_record: the customs card's record: TX, kv, Rc and VREQ.
    """

    stan: int
    sequence: int
    details: PaymentDetails | None
    open_record: OpenRecord

    def __post_init__(self) -> None:
        assert 0 < self.stan <= STAN_MAX, "a STAN has six digits"
        assert 0 < self.sequence <= BATCH_CREDITS_MAX, "a batch has 999 places"


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidClosure:
    """The bank knows that this debit never happened.

    Attributes:
        tx: of the open record that it closes.
        vmac: what the customs card's VOID wants to see, 8 bytes.
    """

    tx: TransactionRecord
    vmac: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DebitClosure:
    """The bank knows that this debit happened.

    Attributes:
        tx: of the open record that it closes.
        proof: what the customs card's CREDIT wants to see.
    """

    tx: TransactionRecord
    proof: DebitProof


Closure = VoidClosure | DebitClosure
"""What the bank sends down to close an open record of a customs card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchToUpload:
    """One closed batch of a customs card, ready to be sent.

    Attributes:
        terminal_id: 8 capital letters or digits, the certificate's name.
        office: customs office code, up to 15 characters.
        mid: the customs card's number, 8 bytes.
        currency: ISO 4217 number.
        close: what the customs card's CLOSE BATCH answered.
        payments: credited payments in the order in which the card credited them.
        opens: open records, after them.
        audit_head: where the terminal's audit log stands now, for the bank to keep;
            None when it has none.
    """

    terminal_id: str
    office: str
    mid: bytes
    currency: int
    close: BatchClose
    payments: tuple[PaymentRecord, ...] = ()
    opens: tuple[OpenItem, ...] = ()
    audit_head: AuditHead | None = None

    def __post_init__(self) -> None:
        assert _TERMINAL_ID.fullmatch(self.terminal_id), "8 capitals or digits"
        assert _OFFICE.fullmatch(self.office), "an office code has 1 to 15 characters"
        assert len(self.mid) == 8, "a MID has 8 bytes"
        records: list[PaymentRecord | OpenItem] = [*self.payments, *self.opens]
        assert len(records) <= BATCH_CREDITS_MAX, "a batch has 999 places"
        places = [record.sequence for record in records]
        assert places == list(range(1, len(records) + 1)), "in the card's order"
        stans = {record.stan for record in records}
        assert len(stans) == len(records), "each record has its own STAN"
        for tx in self._transactions():
            assert tx.mid == self.mid, "a batch is of one customs card"
            assert tx.currency == self.currency, "a batch is of one currency"

    def _transactions(self) -> list[TransactionRecord]:
        paid = [payment.tx for payment in self.payments]
        return paid + [item.open_record.tx for item in self.opens]


def approval_code(tac: bytes) -> str:
    """The purse's approval in six characters, for receipts and field 38.

    >>> approval_code(bytes.fromhex("33920C5D66DC3A53"))
    '33920C'
    """
    return tac[:3].hex().upper()
