"""``raseed-bank services``: the catalogue of services, whole, with its tariffs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from settlement.commands.bank_access import bank_option, open_bank
from settlement.commands.bank_publish import published_facts, read_published
from settlement.commands.environment import environment_of
from settlement.commands.output import (
    PlainErrorsGroup,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.download import DownloadKind
from settlement.money import format_amount
from settlement.service_catalogue import (
    publish_services,
    read_services,
    service_document,
    stored_services,
)

if TYPE_CHECKING:
    from settlement.download_items import Service
    from settlement.money import Currency

__all__ = ["services"]

_CATALOGUE = DownloadKind.CATALOGUE


@click.group(
    cls=PlainErrorsGroup,
    epilog="""
Examples:
  raseed-bank services import services.csv --dry-run
  raseed-bank services list
""",
)
def services() -> None:
    """Keep the catalogue of services: fixed and computed fees, and their classes."""


@services.command(
    "import",
    epilog="""
The file, CSV or the same in JSON:
  code,name,name_ar,kind,amount,unit_amount,unit,least,lines
  CERT1,Certificate of origin,,fees,5.000,,,,certificates=5.000
  STOR1,Storage,,fees,,0.250,day,1.000,storage fees
""",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only read it; publish nothing.")
@bank_option
@json_option
@click.pass_context
def import_(ctx: click.Context, *, file: Path, dry_run: bool, bank: Path) -> None:
    """Publish the services in FILE; they replace all that were there before.

    Every mistake is named with its line.
    """
    with open_bank(bank) as opened:
        currency = opened.directory.currency
        given = read_published(file, lambda text, _: read_services(text, currency))
        if dry_run:
            facts = [("Services", str(len(given))), ("Next", "nothing was published")]
            output_of(ctx).show(
                {"entries": len(given), "dry_run": True},
                lambda console: console.print(facts_table(facts)),
            )
            return
        with opened.store.write() as books:
            before = books.publications.newest(_CATALOGUE)
            version = publish_services(books, given, environment_of(ctx).clock())
    published_facts(ctx, _CATALOGUE, before=before, version=version, entries=len(given))


@services.command("list")
@bank_option
@json_option
@click.pass_context
def list_(ctx: click.Context, *, bank: Path) -> None:
    """List the services that counters are told of now."""
    with open_bank(bank) as opened:
        currency = opened.directory.currency
        with opened.store.read() as books:
            version = books.publications.newest(_CATALOGUE)
            found = stored_services(books.publications.entries(_CATALOGUE, version))
    document = {
        "version": version,
        "services": [service_document(one, currency) for one in found],
    }
    rows = [
        (
            one.code,
            one.name,
            one.name_ar,
            one.kind.value,
            _fee(one, currency),
            ", ".join(line.line_class.value for line in one.lines),
        )
        for one in found
    ]
    headings = ["Code", "Name", "Arabic", "Kind", "Fee", "Classes"]
    output_of(ctx).show(document, lambda console: console.print(table(headings, rows)))


def _fee(service: Service, currency: Currency) -> str:
    if service.unit_minor is not None:
        told = f"{format_amount(service.unit_minor, currency)} for each"
        told = f"{told} {service.unit or 'unit'}"
        if service.least_minor is not None:
            told += f", at least {format_amount(service.least_minor, currency)}"
        return told
    if service.amount_minor is None:
        return "keyed each time"
    return format_amount(service.amount_minor, currency)
