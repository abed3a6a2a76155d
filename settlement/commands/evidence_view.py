"""Evidence of an incident as people and machines see it: in hexadecimal and read out.

Card numbers are masked in both unless whole ones were asked for. Bytes that cannot be
read may hide one anywhere, so they are shown only then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from card.records import mask_card_number
from settlement import evidence
from settlement.commands.output import facts_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from settlement.store.incidents import EvidenceRow

__all__ = ["evidence_document", "show_evidence"]

_UNREADABLE: Final = "not readable"


def evidence_document(row: EvidenceRow, full: bool) -> dict[str, Any]:
    """A piece of evidence for machines."""
    return {
        "at": f"{row.at:%Y-%m-%dT%H:%M:%SZ}",
        "sha256": row.digest.hex(),
        "bytes": len(row.data),
        "hex": _hex_lines(row.data, full=full),
        "fields": dict(_fields(row.data, full=full)),
    }


def show_evidence(console: Console, rows: Sequence[EvidenceRow], *, full: bool) -> None:
    """Print evidence for people."""
    for number, row in enumerate(rows, start=1):
        console.print(
            f"\nEvidence {number}, {row.at:%Y-%m-%d %H:%M} UTC, {len(row.data)} bytes, "
            f"SHA-256 {row.digest.hex()}",
            markup=False,
        )
        for line in _hex_lines(row.data, full=full):
            console.print(f"  {line}", markup=False, highlight=False)
        console.print(facts_table(_fields(row.data, full=full)))


def _hex_lines(data: bytes, *, full: bool) -> list[str]:
    hidden = frozenset[int]() if full else evidence.card_number_places(data)
    if hidden is None:
        return ["not shown without --full-number: a card number may stand anywhere"]
    return list(evidence.hex_lines(data, hidden))


def _fields(data: bytes, *, full: bool) -> list[tuple[str, str]]:
    told = evidence.decoded(data)
    if full:
        return told
    numbers = evidence.card_numbers(data)
    if numbers is None:
        unreadable = [(name, value) for name, value in told if name == _UNREADABLE]
        return unreadable or [(_UNREADABLE, "shown with --full-number")]
    return [(name, _masked(value, numbers)) for name, value in told]


def _masked(value: str, numbers: set[bytes]) -> str:
    for number in numbers:
        value = value.replace(number.hex().upper(), mask_card_number(number))
    return value
