"""``raseed-bank publish``: what counters are told with their next call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from settlement.commands.bank_access import bank_option, open_bank
from settlement.commands.environment import environment_of
from settlement.commands.output import (
    PlainErrorsGroup,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.download import DownloadKind
from settlement.publish_check import check_publishable
from settlement.publish_files import (
    read_catalogue,
    read_parameters,
    read_requests,
)
from settlement.publish_mistakes import Mistakes, read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from settlement.money import Currency
    from settlement.store.publications import PublishedVersion

__all__ = [
    "empty_option",
    "publish",
    "published_facts",
    "read_published",
    "refuse_empty",
]

ReadT = TypeVar("ReadT")

FILE_BYTES_MAX: Final = 64 << 20
"""Far more than a counter can hold, and no file that was meant to be published."""


@click.group(
    cls=PlainErrorsGroup,
    epilog="""
Examples:
  raseed-bank publish parameters parameters.toml
  raseed-bank publish requests requests.csv
  raseed-bank publish list
""",
)
def publish() -> None:
    """Publish what counters fetch: parameters, services, payment requests.

    A file replaces all that was published of its kind before. It is taken whole or not
    at all: every mistake is named with its line, and what a counter could not take is
    refused. A counter fetches what has changed with its next call. The hotlist has a
    command of its own.
    """


_file = click.argument("file", type=click.Path(path_type=Path))
empty_option = click.option(
    "--empty",
    is_flag=True,
    help="The file may be without entries: all that was published is withdrawn.",
)


@publish.command(
    epilog="""
The file, each line as needed:
  payment-limit = "500.000"
  clock-limit-seconds = 60
"""
)
@_file
@empty_option
@bank_option
@json_option
@click.pass_context
def parameters(ctx: click.Context, *, file: Path, bank: Path, empty: bool) -> None:
    """Publish the rules in the TOML file FILE: payment limit, clock limit."""
    _publish(ctx, bank, DownloadKind.PARAMETERS, file, read_parameters, empty=empty)


@publish.command(
    epilog="""
The file:
  code,name,name_ar,kind,amount
  CERT1,Certificate of origin,,fees,5.000
  INSP,Inspection,,fees,
"""
)
@_file
@empty_option
@bank_option
@json_option
@click.pass_context
def catalogue(ctx: click.Context, *, file: Path, bank: Path, empty: bool) -> None:
    """Publish the services in the CSV file FILE; a blank amount is keyed each time."""
    _publish(ctx, bank, DownloadKind.CATALOGUE, file, read_catalogue, empty=empty)


@publish.command(
    epilog="""
The file:
  number,declaration,kind,amount,office,payer,due
  R-1001,IMP-2025-000017,fees,125.500,SOHAR,AL NOOR TRADING,2025-12-31
"""
)
@_file
@empty_option
@bank_option
@json_option
@click.pass_context
def requests(ctx: click.Context, *, file: Path, bank: Path, empty: bool) -> None:
    """Publish the payment requests in the CSV file FILE."""
    _publish(ctx, bank, DownloadKind.REQUESTS, file, read_requests, empty=empty)


@publish.command("list")
@bank_option
@json_option
@click.pass_context
def list_versions(ctx: click.Context, *, bank: Path) -> None:
    """List every version that was published, and what it changed."""
    with open_bank(bank) as opened, opened.store.read() as books:
        versions = [
            version
            for kind in DownloadKind
            for version in books.publications.versions(kind)
        ]
    output_of(ctx).show(
        {"versions": [_version_document(version) for version in versions]},
        lambda console: console.print(
            table(
                ["What", ">Version", ">Changes", "Since (UTC)"],
                [
                    (
                        version.kind.name.lower(),
                        str(version.version),
                        str(version.changes),
                        f"{version.at:%Y-%m-%d %H:%M}",
                    )
                    for version in versions
                ],
            )
        ),
    )


def published_facts(
    ctx: click.Context,
    kind: DownloadKind,
    *,
    before: int,
    version: int,
    entries: int,
    counts: Mapping[str, int] | None = None,
) -> None:
    """Say what a command has published; ``counts`` by what they are of."""
    name = kind.name.lower()
    document = {
        "kind": name,
        "version": version,
        "entries": entries,
        "changed": version != before,
        **{name.replace(" ", "_"): count for name, count in (counts or {}).items()},
    }
    told = "fetched by each counter with its next call"
    if version == before:
        told = "nothing has changed; counters fetch nothing"
    facts = [
        ("Published", name),
        ("Version", str(version)),
        ("Entries", str(entries)),
        *((name.capitalize(), str(count)) for name, count in (counts or {}).items()),
        ("Next", told),
    ]
    output_of(ctx).show(document, lambda console: console.print(facts_table(facts)))


def read_published(file: Path, read: Callable[[str, Mistakes], ReadT]) -> ReadT:
    """What a file says.

    Args:
        file: to be read.
        read: takes its text apart, and tells every mistake.

    Raises:
        FileMistakesError: with all mistakes.
        OSError: it cannot be read.
    """
    mistakes = Mistakes(file)
    found = read(read_text(file, mistakes, FILE_BYTES_MAX), mistakes)
    mistakes.refuse_if_any()
    return found


def refuse_empty(file: Path, count: int, *, empty: bool) -> None:
    """A file without entries withdraws everything: most often it is a wrong file.

    Raises:
        FileMistakesError: it has none, and ``--empty`` was not given.
    """
    if not count and not empty:
        mistakes = Mistakes(file)
        mistakes.add("", "it has no entries; to withdraw all there are, add --empty")
        mistakes.refuse_if_any()


def _publish(
    ctx: click.Context,
    bank: Path,
    kind: DownloadKind,
    file: Path,
    read: Callable[[str, Currency, Mistakes], dict[bytes, bytes]],
    *,
    empty: bool,
) -> None:
    with open_bank(bank) as opened:
        currency = opened.directory.currency
        entries = read_published(file, lambda text, told: read(text, currency, told))
        refuse_empty(file, len(entries), empty=empty)
        with opened.store.write() as books:
            books.publications.hold(kind)
            before = books.publications.newest(kind)
            check_publishable(kind, entries, books.publications.entries(kind, before))
            now = environment_of(ctx).clock()
            version = books.publications.publish(kind, entries, now)
    published_facts(ctx, kind, before=before, version=version, entries=len(entries))


def _version_document(version: PublishedVersion) -> dict[str, Any]:
    return {
        "kind": version.kind.name.lower(),
        "version": version.version,
        "changes": version.changes,
        "at": f"{version.at:%Y-%m-%dT%H:%M:%SZ}",
    }
