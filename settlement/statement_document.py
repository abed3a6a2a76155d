"""A statement as the document that is stored: JSON, with its digest.

The document is written once. Reading it back gives the same value for ever, whatever
the ledger or the program that drew it have become since.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date, datetime, timedelta, timezone
from typing import Any, Final

from settlement.errors import StatementError
from settlement.ledger import AccountKind, EntryKind
from settlement.money import currency_by_code
from settlement.payment import LineClass, PaymentKind
from settlement.statement import (
    BankIdentity,
    PaymentOnStatement,
    Statement,
    StatementEntry,
)

__all__ = ["document_digest", "from_document", "to_document"]

_DOCUMENT_FORMAT: Final = 1


def document_digest(document: str) -> bytes:
    """SHA-256 of a stored statement, 32 bytes; it is printed on the PDF."""
    return hashlib.sha256(document.encode()).digest()


def to_document(made: Statement) -> str:
    """The document of a statement."""
    stored: dict[str, Any] = {
        "format": _DOCUMENT_FORMAT,
        "number": made.number,
        "bank": {
            "name": made.bank.name,
            "arabic_name": made.bank.arabic_name,
            "address": made.bank.address,
        },
        "account_kind": made.account_kind,
        "owner": made.owner,
        "account_name": made.account_name,
        "currency": made.currency.code,
        "first_day": made.first_day.isoformat(),
        "last_day": made.last_day.isoformat(),
        "zone_minutes": _zone_minutes(made.zone),
        "issued_at": made.issued_at.isoformat(),
        "opening_minor": made.opening_minor,
        "closing_minor": made.closing_minor,
        "entries": [_entry_to_plain(entry) for entry in made.entries],
    }
    return json.dumps(stored, ensure_ascii=False, separators=(",", ":"))


def from_document(document: str, digest: bytes) -> Statement:
    """The statement of a stored document.

    Raises:
        StatementError: the document does not have its digest, or its format is newer.
    """
    if document_digest(document) != digest:
        raise StatementError("this statement was changed after it was issued")
    stored = json.loads(document)
    if stored.pop("format") != _DOCUMENT_FORMAT:
        message = "this statement was issued by a newer program; nothing is wrong"
        raise StatementError(message)
    return Statement(
        number=stored["number"],
        bank=BankIdentity(**stored["bank"]),
        account_kind=AccountKind(stored["account_kind"]),
        owner=stored["owner"],
        account_name=stored["account_name"],
        currency=currency_by_code(stored["currency"]),
        first_day=date.fromisoformat(stored["first_day"]),
        last_day=date.fromisoformat(stored["last_day"]),
        zone=timezone(timedelta(minutes=stored["zone_minutes"])),
        issued_at=datetime.fromisoformat(stored["issued_at"]),
        opening_minor=stored["opening_minor"],
        closing_minor=stored["closing_minor"],
        entries=tuple(_entry_from_plain(entry) for entry in stored["entries"]),
        digest=digest,
    )


def _zone_minutes(zone: timezone) -> int:
    offset = zone.utcoffset(None)
    return offset // timedelta(minutes=1)


def _entry_to_plain(entry: StatementEntry) -> dict[str, Any]:
    payment = entry.payment
    plain: dict[str, Any] = {
        "position": entry.position,
        "entry_id": entry.entry_id,
        "kind": entry.kind,
        "booked_at": entry.booked_at.isoformat(),
        "memo": entry.memo,
        "debit_minor": entry.debit_minor,
        "credit_minor": entry.credit_minor,
        "balance_minor": entry.balance_minor,
        "payment": None,
    }
    if payment is not None:
        plain["payment"] = {
            "declaration": payment.declaration,
            "kind": payment.kind,
            "lines": payment.lines,
            "clerk": payment.clerk,
            "request_number": payment.request_number,
            "masked_card": payment.masked_card,
            "terminal_id": payment.terminal_id,
            "reference": payment.reference,
            "authorisation": payment.authorisation,
            "paid_at": payment.paid_at.isoformat(),
            "held": payment.held,
        }
    return plain


def _entry_from_plain(plain: dict[str, Any]) -> StatementEntry:
    paid = plain.pop("payment")
    payment = None
    if paid is not None:
        kind = paid.pop("kind")
        payment = PaymentOnStatement(
            kind=None if kind is None else PaymentKind(kind),
            lines=tuple((LineClass(name), minor) for name, minor in paid.pop("lines")),
            paid_at=datetime.fromisoformat(paid.pop("paid_at")),
            **paid,
        )
    return StatementEntry(
        kind=EntryKind(plain.pop("kind")),
        booked_at=datetime.fromisoformat(plain.pop("booked_at")),
        payment=payment,
        **plain,
    )
