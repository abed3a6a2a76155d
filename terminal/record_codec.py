"""Journal columns from values and back: sealed card records, plain details.

Card records are sealed because they hold full card numbers; details are what the clerk
typed, and stay readable for whoever inspects a journal.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from card.records import BatchClose, DebitProof, OpenRecord, TransactionRecord
from settlement.payment import LineClass, PaymentDetails, PaymentKind, PaymentLine
from terminal.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from terminal.vault import Vault

__all__ = [
    "details_from_json",
    "details_to_json",
    "open_opened",
    "open_proof",
    "open_record_list",
    "seal_opened",
    "seal_proof",
    "seal_record_list",
]

_TX_BYTES: Final = 47
_OPEN_RECORD_BYTES: Final = 64


def details_to_json(details: PaymentDetails | None) -> str | None:
    """The details as one JSON object, or None when they are not known."""
    if details is None:
        return None
    clerk, request_number, delivery_order, service_code = details.texts()
    lines = [[line.line_class.value, line.amount_minor] for line in details.lines]
    fields = {
        "declaration": details.declaration,
        "kind": details.kind.value,
        "lines": lines,
        "clerk": clerk,
        "request_number": request_number,
        "delivery_order": delivery_order,
        "service_code": service_code,
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def details_from_json(text: str | None) -> PaymentDetails | None:
    """Undo `details_to_json`.

    Raises:
        JournalError: it is not what `details_to_json` writes.
    """
    if text is None:
        return None
    try:
        fields: dict[str, Any] = json.loads(text)
        lines = tuple(
            PaymentLine(line_class=LineClass(name), amount_minor=amount_minor)
            for name, amount_minor in fields.pop("lines")
        )
        kind = PaymentKind(fields.pop("kind"))
        return PaymentDetails(kind=kind, lines=lines, **fields)
    except (ValueError, KeyError, TypeError) as error:
        raise JournalError(f"The details of a payment are damaged: {error}.") from None


def seal_opened(
    vault: Vault, number: int, tx: TransactionRecord, kv: int, rc: bytes
) -> bytes:
    """TX (47 bytes), kv (1), Rc (8), sealed."""
    return vault.seal(tx.to_bytes() + bytes((kv,)) + rc, f"payment {number} opened")


def open_opened(
    vault: Vault, number: int, sealed: bytes
) -> tuple[TransactionRecord, int, bytes]:
    """Undo `seal_opened`."""
    plain = vault.unseal(sealed, f"payment {number} opened")
    tx = TransactionRecord.parse(plain[:_TX_BYTES])
    return tx, plain[_TX_BYTES], plain[_TX_BYTES + 1 :]


def seal_proof(vault: Vault, number: int, proof: DebitProof) -> bytes:
    """The purse's DEBIT answer (28 bytes), sealed."""
    return vault.seal(proof.to_bytes(), f"payment {number} proof")


def open_proof(vault: Vault, number: int, sealed: bytes) -> DebitProof:
    """Undo `seal_proof`."""
    return DebitProof.parse(vault.unseal(sealed, f"payment {number} proof"))


def seal_record_list(
    vault: Vault, close: BatchClose, opens: Sequence[OpenRecord]
) -> bytes:
    """The open records (64 bytes each) of a batch, sealed."""
    plain = b"".join(record.to_bytes() for record in opens)
    return vault.seal(plain, f"batch {close.batch} opens")


def open_record_list(
    vault: Vault, close: BatchClose, sealed: bytes
) -> tuple[OpenRecord, ...]:
    """Undo `seal_record_list`."""
    plain = vault.unseal(sealed, f"batch {close.batch} opens")
    return tuple(
        OpenRecord.parse(plain[start : start + _OPEN_RECORD_BYTES])
        for start in range(0, len(plain), _OPEN_RECORD_BYTES)
    )
