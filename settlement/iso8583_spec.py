"""The fields of the settlement profile of ISO 8583:1987, one line each.

ISO 8583:1987, clause 4.4 defines the numbers and formats; the private fields 48, 55,
60 and 63 are filled as ``docs/iso8583.md`` says. A field that is not here does not
exist for us: its length is not known, so a message that carries it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import Any, Final

__all__ = [
    "FIELDS",
    "MAC_FIELDS",
    "MESSAGE_BYTES_MAX",
    "PYISO8583_SPEC",
    "FieldFormat",
    "FieldSpec",
]

MESSAGE_BYTES_MAX: Final = 4600
"""Bytes of the longest message the fields below allow, rounded up."""

MAC_FIELDS: Final = (64, 128)
"""The last field of a message with one bitmap, and of one with two."""


@unique
class FieldFormat(Enum):
    """What a field may hold, in the letters of the standard."""

    N = r"[0-9]*"
    AN = r"[0-9A-Za-z]*"
    ANS = r"[ -~]*"
    B = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """One field: its number, name, format and length.

    Attributes:
        length_digits: decimal digits of the length before the field; 0 when fixed.
        length: characters, or bytes of a binary field; the most when not fixed.
    """

    number: int
    name: str
    format: FieldFormat
    length: int
    length_digits: int = 0

    @property
    def binary(self) -> bool:
        """Whether the field holds bytes and not text."""
        return self.format is FieldFormat.B


def _field(
    number: int, form: FieldFormat, length: int, digits: int, name: str
) -> FieldSpec:
    return FieldSpec(
        number=number, name=name, format=form, length=length, length_digits=digits
    )


FIELDS: Final[dict[int, FieldSpec]] = {
    spec.number: spec
    for spec in (
        _field(2, FieldFormat.AN, 19, 2, "card number (CID)"),
        _field(3, FieldFormat.N, 6, 0, "processing code"),
        _field(4, FieldFormat.N, 12, 0, "amount, minor units"),
        _field(7, FieldFormat.N, 10, 0, "transmission time, UTC, MMDDhhmmss"),
        _field(11, FieldFormat.N, 6, 0, "STAN"),
        _field(12, FieldFormat.N, 6, 0, "local time, hhmmss"),
        _field(13, FieldFormat.N, 4, 0, "local date, MMDD"),
        _field(37, FieldFormat.AN, 12, 0, "retrieval reference number"),
        _field(38, FieldFormat.AN, 6, 0, "purse approval"),
        _field(39, FieldFormat.AN, 2, 0, "response code"),
        _field(41, FieldFormat.ANS, 8, 0, "terminal"),
        _field(42, FieldFormat.ANS, 15, 0, "customs office"),
        _field(48, FieldFormat.B, 999, 3, "details (BER-TLV)"),
        _field(49, FieldFormat.N, 3, 0, "currency"),
        _field(55, FieldFormat.B, 999, 3, "card data (BER-TLV)"),
        _field(60, FieldFormat.N, 16, 3, "batch number, original STAN"),
        _field(61, FieldFormat.B, 999, 3, "payments of a group, in columns"),
        _field(62, FieldFormat.B, 999, 3, "TACs of a group"),
        _field(63, FieldFormat.N, 90, 3, "totals"),
        _field(64, FieldFormat.B, 8, 0, "MAC"),
        _field(70, FieldFormat.N, 3, 0, "network management code"),
        _field(71, FieldFormat.N, 4, 0, "message number"),
        _field(72, FieldFormat.N, 4, 0, "message number, last"),
        _field(91, FieldFormat.AN, 1, 0, "file update code"),
        _field(101, FieldFormat.ANS, 17, 2, "file name"),
        _field(128, FieldFormat.B, 8, 0, "MAC"),
    )
}


def _codec_entry(spec: FieldSpec) -> dict[str, Any]:
    return {
        "data_enc": "b" if spec.binary else "ascii",
        "len_enc": "ascii",
        "len_type": spec.length_digits,
        "max_len": spec.length,
        "desc": spec.name,
    }


def _fixed(data_enc: str, length: int, name: str) -> dict[str, Any]:
    return {
        "data_enc": data_enc,
        "len_enc": "ascii",
        "len_type": 0,
        "max_len": length,
        "desc": name,
    }


PYISO8583_SPEC: Final[dict[str, dict[str, Any]]] = {
    "h": _fixed("ascii", 0, "no header"),
    "t": _fixed("ascii", 4, "message type"),
    "p": _fixed("b", 8, "primary bitmap"),
    "1": _fixed("b", 8, "secondary bitmap"),
    **{str(spec.number): _codec_entry(spec) for spec in FIELDS.values()},
}
"""The same table in the form that `iso8583.encode` and `iso8583.decode` take."""
