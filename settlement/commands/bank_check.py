"""``raseed-bank check`` and ``status``: does it add up, and where is it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from settlement.check.bank import check_bank
from settlement.commands.bank_access import (
    bank_option,
    open_bank,
    open_keys,
    passphrase_option,
)
from settlement.commands.bank_incidents import incident_document, incident_table
from settlement.commands.output import (
    EXIT_OFF,
    ExampleCommand,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.money import currency_by_number, format_amount

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from settlement.check.bank import CheckReport, CheckTotals

__all__ = ["check", "status"]


@click.command(
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-bank check --bank bank
  raseed-bank check --without-keys --json
""",
)
@bank_option
@click.option(
    "--without-keys",
    is_flag=True,
    help="Do not verify every TAC again; then no passphrase is needed.",
)
@passphrase_option
@json_option
@click.pass_context
def check(
    ctx: click.Context, *, bank: Path, without_keys: bool, passphrase_file: str | None
) -> None:
    """Prove that debits equal credits and that all value is accounted for.

    Computes everything again from the stored records: entries, floats against the
    purses' own certificates, batches, statements. Exit code 1 when anything is off.
    """
    with open_bank(bank) as opened:
        keys = None if without_keys else open_keys(opened.directory, passphrase_file)
        report = check_bank(opened.store, keys)
    output_of(ctx).show(
        _report_document(report), lambda console: _read_report(console, report)
    )
    if not report.ok:
        ctx.exit(EXIT_OFF)


@click.command(cls=ExampleCommand)
@bank_option
@json_option
@click.pass_context
def status(ctx: click.Context, *, bank: Path) -> None:
    """Show where the money is, and what waits for a person."""
    with open_bank(bank) as opened:
        report = check_bank(opened.store)
        with opened.store.read() as books:
            noted = books.batches.noted_incidents()
            terminals = len(books.cards.terminals())
            waiting = [
                header
                for header in books.batches.batches()
                if books.batches.collected(header) is None
            ]
    incidents = [one for one in noted if one.is_open]
    document = {
        "bank": str(opened.directory.path),
        "currency": opened.directory.settings.currency,
        "test_keys": opened.directory.settings.test_keys,
        "terminals": terminals,
        "purses": report.purses,
        "payments": report.payments,
        "batches": report.batches,
        "batches_not_collected": len(waiting),
        "totals": [_totals_document(totals) for totals in report.totals],
        "incidents": [incident_document(one) for one in incidents],
        "incidents_closed": report.incidents_closed,
    }
    facts = [
        ("Bank", f"{document['bank']}, {document['currency']}"),
        ("Terminals", str(terminals)),
        ("Purses", str(report.purses)),
        ("Payments", str(report.payments)),
        ("Batches", f"{report.batches}, of them {len(waiting)} not collected yet"),
        ("Incidents", _incidents(report)),
    ]

    def read(console: Console) -> None:
        console.print(facts_table(facts))
        for totals in report.totals:
            console.print(facts_table(_totals_facts(totals)))
        if incidents:
            incident_table(console, incidents, opened.directory.currency)

    output_of(ctx).show(document, read)


def _report_document(report: CheckReport) -> dict[str, Any]:
    return {
        "ok": report.ok,
        "ledger_balanced": report.ledger_balanced,
        "value_accounted": report.value_accounted,
        "purses": report.purses,
        "payments": report.payments,
        "tacs_verified": report.tacs_verified,
        "batches": report.batches,
        "statements": report.statements,
        "incidents": report.incidents,
        "incidents_closed": report.incidents_closed,
        "totals": [_totals_document(totals) for totals in report.totals],
        "findings": [
            {"code": finding.code.value, "text": finding.text}
            for finding in report.findings
        ],
    }


def _totals_document(totals: CheckTotals) -> dict[str, Any]:
    document = asdict(totals)
    return document | {"currency": currency_by_number(totals.currency).code}


def _read_report(console: Console, report: CheckReport) -> None:
    for totals in report.totals:
        console.print(facts_table(_totals_facts(totals)))
    verified = report.tacs_verified
    told = "not verified again" if verified is None else f"{verified} TACs verified"
    console.print(
        facts_table(
            [
                ("Purses", str(report.purses)),
                ("Payments", f"{report.payments}, {told}"),
                ("Batches", str(report.batches)),
                ("Statements", str(report.statements)),
                ("Incidents", _incidents(report)),
                ("Ledger balanced", _yes_no(report.ledger_balanced)),
                ("Value accounted", _yes_no(report.value_accounted)),
            ]
        )
    )
    if report.findings:
        rows = [(finding.code.value, finding.text) for finding in report.findings]
        console.print(table(["What is off", "Where"], rows))
    else:
        console.print("Everything adds up.")


def _incidents(report: CheckReport) -> str:
    return f"{report.incidents} open, {report.incidents_closed} closed"


def _yes_no(value: bool) -> str:
    return "yes" if value else "NO"


def _totals_facts(totals: CheckTotals) -> list[tuple[str, str]]:
    currency = currency_by_number(totals.currency)

    def amount(amount_minor: int) -> str:
        return f"{format_amount(amount_minor, currency)} {currency}"

    return [
        ("All debits", amount(totals.debits_minor)),
        ("All credits", amount(totals.credits_minor)),
        ("Customers' accounts", amount(totals.customers_minor)),
        ("Purse floats", amount(totals.floats_minor)),
        ("  on purses", amount(totals.purses_minor)),
        ("  debited, on the way", amount(totals.uncollected_minor)),
        ("  loads to be settled", amount(totals.pending_minor)),
        ("Customs and merchants", amount(totals.payees_minor)),
        ("  of that, deposits held", amount(totals.deposits_minor)),
        ("Bank fees", amount(totals.fees_minor)),
        ("In suspense", amount(totals.suspense_minor)),
        ("Suspended, not booked", amount(totals.unbooked_minor)),
        ("Outcome open", amount(totals.open_minor)),
        ("Proved, not delivered", amount(totals.proved_minor)),
    ]
