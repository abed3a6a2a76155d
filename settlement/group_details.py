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
from settlement.data_objects import (
    KIND_CODES,
    LINE_CODES,
    DetailTag,
    encode_objects,
    parse_details,
)
from settlement.payment import LINES_MAX
from settlement.word_columns import read_words, write_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from settlement.bit_columns import BitReader, BitWriter
    from settlement.payment import PaymentDetails, PaymentRecord

__all__ = ["read_details", "write_details"]

_KIND_UNKNOWN: Final = 0
_DIGEST_BITS: Final = 64
_TEXT_TAGS: Final = (
    DetailTag.DECLARATION,
    DetailTag.CLERK,
    DetailTag.REQUEST_NUMBER,
    DetailTag.DELIVERY_ORDER,
    DetailTag.SERVICE_CODE,
)
"""The texts of a payment, in the order of their columns."""

_Line: TypeAlias = tuple[int, int]
"""Code of the class, and amount, of one line."""
_Paid: TypeAlias = "tuple[PaymentDetails | None, bytes]"
"""What was paid, when that is known, and the D that the cards signed, 8 bytes."""


def write_details(writer: BitWriter, payments: Sequence[PaymentRecord]) -> None:
    """Add the columns of what was paid."""
    write_column(writer, [_kind_code(payment.details) for payment in payments])
    known = [p.details for p in payments if p.details is not None]
    proofs = [_proves(p.details, p.tx.digest) for p in payments if p.details]
    write_column(writer, [int(proved) for proved in proofs])
    for payment in payments:
        if not _proves(payment.details, payment.tx.digest):
            writer.write(int.from_bytes(payment.tx.digest, "big"), _DIGEST_BITS)
    amounts = [p.tx.amount_minor for p in payments if p.details]
    _write_lines(writer, known, amounts)
    texts = [(details.declaration, *details.texts()) for details in known]
    columns = list(zip(*texts, strict=True)) or [()] * len(_TEXT_TAGS)
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
    texts = zip(*read_words(reader, len(_TEXT_TAGS), len(known)), strict=True)
    details = {
        place: _details(kinds[place], *parts)
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


def _details(kind: int, lines: Sequence[_Line], texts: Sequence[str]) -> PaymentDetails:
    """The details as field 48 would have them, judged as that is."""
    objects = [(DetailTag.KIND, bytes((kind,)))]
    objects += [
        (DetailTag.LINE, bytes((code,)) + amount_minor.to_bytes(4, "big"))
        for code, amount_minor in lines
    ]
    objects += [
        (tag, text.encode())
        for tag, text in zip(_TEXT_TAGS, texts, strict=True)
        if text
    ]
    return parse_details(encode_objects(objects))


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
