"""Why the payments of a group were made, as columns; see `settlement.group_layout`.

What one thing says about another is left out: D when it is the digest of the
declaration, and the first line of an assessment that adds up to the amount. The exact
order is in ``docs/iso8583.md``, "A group of payments".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from card.profile import AMOUNT_MINOR_MAX
from card.records import payment_digest
from settlement.bit_columns import read_column, write_column
from settlement.data_objects import KIND_CODES, KINDS, LINE_CLASSES, LINE_CODES
from settlement.payment import (
    DECLARATION_BYTES_MAX,
    LINES_MAX,
    TEXT_BYTES_MAX,
    PaymentDetails,
    PaymentLine,
)
from settlement.word_columns import read_words, write_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from settlement.bit_columns import BitReader, BitWriter
    from settlement.payment import PaymentRecord

__all__ = ["read_details", "write_details"]

_KIND_UNKNOWN: Final = 0
_DIGEST_BITS: Final = 64
_TEXT_BYTES_MAX: Final = (
    DECLARATION_BYTES_MAX,
    TEXT_BYTES_MAX,
    TEXT_BYTES_MAX,
    TEXT_BYTES_MAX,
    TEXT_BYTES_MAX,
)
"""Of declaration, clerk, request number, delivery order and service code."""

_Line: TypeAlias = tuple[int, int]
"""Code of the class, and amount, of one line."""
_Paid: TypeAlias = "tuple[PaymentDetails | None, bytes]"
"""What was paid, when that is known, and the D that the cards signed, 8 bytes."""


def write_details(writer: BitWriter, payments: Sequence[PaymentRecord]) -> None:
    """Add the columns of what was paid."""
    write_column(writer, [_kind_code(payment.details) for payment in payments])
    known = [p.details for p in payments if p.details is not None]
    proofs = [_proves(payment.details, payment.tx.digest) for payment in payments]
    told = [proved for proved, p in zip(proofs, payments, strict=True) if p.details]
    write_column(writer, [int(proved) for proved in told])
    for payment, proved in zip(payments, proofs, strict=True):
        if not proved:
            writer.write(int.from_bytes(payment.tx.digest, "big"), _DIGEST_BITS)
    amounts = [p.tx.amount_minor for p in payments if p.details]
    _write_lines(writer, known, amounts)
    texts = [(details.declaration, *details.texts()) for details in known]
    columns = list(zip(*texts, strict=True)) or [()] * len(_TEXT_BYTES_MAX)
    write_words(writer, columns)


def read_details(reader: BitReader, amounts: Sequence[int]) -> list[_Paid]:
    """What was paid, for each payment of these amounts.

    Raises:
        MalformedMessageError: the bits are none, or say what no payment can.
    """
    kinds = read_column(reader, len(amounts))
    if any(not 0 <= kind <= len(KIND_CODES) for kind in kinds):
        raise reader.malformed("an unknown kind")
    known = [place for place, kind in enumerate(kinds) if kind != _KIND_UNKNOWN]
    proofs = read_column(reader, len(known))
    proved = {place for place, proof in zip(known, proofs, strict=True) if proof == 1}
    digests = {
        place: reader.read(_DIGEST_BITS).to_bytes(8, "big")
        for place in range(len(kinds))
        if place not in proved
    }
    lines = _read_lines(reader, [amounts[place] for place in known])
    words = read_words(reader, len(_TEXT_BYTES_MAX), len(known))
    texts = zip(*words, strict=True)
    details = {
        place: _details(reader, kinds[place], *parts)
        for place, *parts in zip(known, lines, texts, strict=True)
    }
    return [
        (
            details.get(place),
            digests[place]
            if place in digests
            else payment_digest(details[place].declaration),
        )
        for place in range(len(kinds))
    ]


def _kind_code(details: PaymentDetails | None) -> int:
    return _KIND_UNKNOWN if details is None else KIND_CODES[details.kind]


def _proves(details: PaymentDetails | None, digest: bytes) -> bool:
    """Whether D need not be told, for the declaration tells it."""
    return details is not None and payment_digest(details.declaration) == digest


def _details(
    reader: BitReader, kind: int, lines: Sequence[_Line], texts: Sequence[str]
) -> PaymentDetails:
    """The details, judged as those of field 48 are."""
    for text, bytes_max in zip(texts, _TEXT_BYTES_MAX, strict=True):
        if not text.isprintable() or len(text.encode()) > bytes_max:
            raise reader.malformed("a text too long or not printable")
    declaration, clerk, request_number, delivery_order, service_code = texts
    if not declaration:
        raise reader.malformed("no declaration")
    return PaymentDetails(
        declaration=declaration,
        kind=KINDS[kind],
        lines=tuple(
            PaymentLine(line_class=LINE_CLASSES[code], amount_minor=amount_minor)
            for code, amount_minor in lines
        ),
        clerk=clerk,
        request_number=request_number,
        delivery_order=delivery_order,
        service_code=service_code,
    )


def _write_lines(
    writer: BitWriter, known: Sequence[PaymentDetails], amounts: Sequence[int]
) -> None:
    write_column(writer, [len(details.lines) for details in known])
    assessed = [
        (details, details.lines_minor == amount_minor)
        for details, amount_minor in zip(known, amounts, strict=True)
        if details.lines
    ]
    write_column(writer, [int(adds_up) for _, adds_up in assessed])
    lines = [line for details, _ in assessed for line in details.lines]
    write_column(writer, [LINE_CODES[line.line_class] for line in lines])
    told = [
        line.amount_minor
        for details, adds_up in assessed
        for line in details.lines[int(adds_up) :]
    ]
    write_column(writer, told)


def _read_lines(reader: BitReader, amounts: Sequence[int]) -> list[list[_Line]]:
    counts = read_column(reader, len(amounts))
    if any(not 0 <= count <= LINES_MAX for count in counts):
        raise reader.malformed("too many lines")
    sums = iter(read_column(reader, sum(1 for count in counts if count)))
    adds_up = [count > 0 and next(sums) == 1 for count in counts]
    codes = read_column(reader, sum(counts))
    if any(code not in LINE_CODES.values() for code in codes):
        raise reader.malformed("an unknown class of line")
    told = iter(read_column(reader, sum(counts) - sum(adds_up)))
    each = zip(amounts, counts, adds_up, strict=True)
    lines_minor = [part for one in each for part in _amounts(reader, told, *one)]
    pairs = iter(zip(codes, lines_minor, strict=True))
    return [[next(pairs) for _ in range(count)] for count in counts]


def _amounts(
    reader: BitReader, told: Iterator[int], amount_minor: int, count: int, adds_up: bool
) -> list[int]:
    """What the lines of one payment are worth, the first from what the others leave."""
    parts = [next(told) for _ in range(count - adds_up)]
    if adds_up:
        parts.insert(0, amount_minor - sum(parts))
    if any(not 0 < part <= AMOUNT_MINOR_MAX for part in parts):
        raise reader.malformed("a line without an amount")
    return parts
