"""``raseed-bank batch-proof``: purses, customs card and ledger over one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from settlement.commands.bank_access import bank_option, open_bank
from settlement.commands.output import (
    EXIT_OFF,
    ExampleCommand,
    json_option,
    output_of,
    table,
)
from settlement.errors import StoreError
from settlement.money import currency_by_number, format_amount
from settlement.proof import prove_batch
from settlement.store.proofs import proved_payments

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from settlement.messages import BatchHeader, Total
    from settlement.money import Currency
    from settlement.proof import BatchProof
    from settlement.store.books import Books

__all__ = ["batch_proof"]


@click.command(
    "batch-proof",
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-bank batch-proof T0000007 12
  raseed-bank batch-proof T0000007 12 --customs-card 0007 --json
""",
)
@click.argument("terminal")
@click.argument("number", type=click.IntRange(min=1))
@bank_option
@click.option(
    "--customs-card",
    metavar="DIGITS",
    help="End of the customs card's number, where the terminal has had several.",
)
@json_option
@click.pass_context
def batch_proof(
    ctx: click.Context,
    *,
    terminal: str,
    number: int,
    bank: Path,
    customs_card: str | None,
) -> None:
    """Prove batch NUMBER of TERMINAL three ways, and name what differs.

    What purses certified = what the customs card closed = what the ledger has booked.
    Payments without a proof are told apart. Exit code 1 when anything differs.
    """
    with open_bank(bank) as opened, opened.store.read() as books:
        header = _find(books, terminal, number, customs_card)
        proof = prove_batch(header, proved_payments(books, header))
    currency = currency_by_number(header.currency)
    document: dict[str, Any] = {
        "terminal": terminal,
        "batch": number,
        "currency": currency.code,
        "agrees": proof.agrees,
        **{
            name: {"count": total.count, "sum_minor": total.sum_minor}
            for name, total in _sides(proof).items()
        },
        "differences": list(proof.differences),
        "gaps": list(proof.gaps),
    }
    output_of(ctx).show(document, lambda console: _read(console, proof, currency))
    if not proof.agrees:
        ctx.exit(EXIT_OFF)


def _find(
    books: Books, terminal: str, number: int, customs_card: str | None
) -> BatchHeader:
    found = [
        header
        for header in books.batches.batches()
        if (header.terminal_id, header.close.batch) == (terminal, number)
        and header.mid.hex().endswith((customs_card or "").lower())
    ]
    if not found:
        raise StoreError(
            f"No batch {number} of terminal {terminal} has come. Nothing was changed."
        )
    if len(found) > 1:
        ends = ", ".join(header.mid.hex()[-4:] for header in found)
        raise StoreError(
            f"Several customs cards of {terminal} closed a batch {number}. Nothing was "
            f"changed. Name one with --customs-card: {ends}."
        )
    return found[0]


def _sides(proof: BatchProof) -> dict[str, Total]:
    return {
        "purses": proof.purses,
        "customs_card": proof.card,
        "ledger": proof.ledger,
        "payees": proof.payees,
        "suspense": proof.suspense,
        "unproved": proof.unproved,
    }


_WORDS = {
    "purses": "Certified by purses",
    "customs_card": "Closed by the customs card",
    "ledger": "Booked in the ledger",
    "payees": "  on accounts of offices",
    "suspense": "  in suspense, or returned from it",
    "unproved": "Without a proof; nothing is booked",
}


def _read(console: Console, proof: BatchProof, currency: Currency) -> None:
    rows = [
        (_WORDS[name], str(total.count), format_amount(total.sum_minor, currency))
        for name, total in _sides(proof).items()
    ]
    console.print(table(["What", ">Payments", f">{currency.code}"], rows))
    for gap in proof.gaps:
        console.print(f"Gap: {gap}", markup=False)
    if proof.agrees:
        console.print("\nAll three agree.")
    for difference in proof.differences:
        console.print(f"DIFFERS: {difference}", markup=False)
