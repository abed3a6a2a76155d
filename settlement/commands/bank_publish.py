"""``raseed-bank publish``: what counters are told with their next call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from settlement.download import PAYLOAD_BYTES_MAX, DownloadKind
from settlement.download_codec import make_payload
from settlement.errors import InputError
from settlement.publish_files import (
    NOTHING,
    read_catalogue,
    read_parameters,
    read_requests,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.download import Entries
    from settlement.money import Currency
    from settlement.store.publications import PublishedVersion

__all__ = ["check_size", "publish", "published_facts", "read_file"]


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

    A file replaces all that was published of its kind before. A counter fetches what
    has changed with its next call. The hotlist has a command of its own.
    """


_file = click.argument("file", type=click.Path(path_type=Path))


@publish.command(
    epilog="""
The file, each line as needed:
  payment-limit = "500.000"
  clock-limit-seconds = 60
"""
)
@_file
@bank_option
@json_option
@click.pass_context
def parameters(ctx: click.Context, *, file: Path, bank: Path) -> None:
    """Publish the rules in the TOML file FILE: payment limit, clock limit."""
    _publish(ctx, bank, DownloadKind.PARAMETERS, file, read_parameters)


@publish.command(
    epilog="""
The file:
  code,name,name_ar,kind,amount
  CERT1,Certificate of origin,,fees,5.000
  INSP,Inspection,,fees,
"""
)
@_file
@bank_option
@json_option
@click.pass_context
def catalogue(ctx: click.Context, *, file: Path, bank: Path) -> None:
    """Publish the services in the CSV file FILE; a blank amount is keyed each time."""
    _publish(ctx, bank, DownloadKind.CATALOGUE, file, read_catalogue)


@publish.command(
    epilog="""
The file:
  number,declaration,kind,amount,office,payer,due
  R-1001,IMP-2025-000017,fees,125.500,SOHAR,AL NOOR TRADING,2025-12-31
"""
)
@_file
@bank_option
@json_option
@click.pass_context
def requests(ctx: click.Context, *, file: Path, bank: Path) -> None:
    """Publish the payment requests in the CSV file FILE."""
    _publish(ctx, bank, DownloadKind.REQUESTS, file, read_requests)


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
    ctx: click.Context, kind: DownloadKind, *, before: int, version: int, entries: int
) -> None:
    """Say what a command has published."""
    name = kind.name.lower()
    document = {
        "kind": name,
        "version": version,
        "entries": entries,
        "changed": version != before,
    }
    told = "fetched by each counter with its next call"
    if version == before:
        told = "nothing has changed; counters fetch nothing"
    facts = [
        ("Published", name),
        ("Version", str(version)),
        ("Entries", str(entries)),
        ("Next", told),
    ]
    output_of(ctx).show(document, lambda console: console.print(facts_table(facts)))


def check_size(kind: DownloadKind, entries: Entries) -> None:
    """Refuse what no counter could fetch.

    Raises:
        InputError: there is too much of it.
    """
    _, payload = make_payload(kind, entries, None)
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise InputError(
            f"That is {len(payload)} bytes for each counter to fetch; the most is "
            f"{PAYLOAD_BYTES_MAX}. {NOTHING}"
        )


def read_file(path: Path) -> str:
    """The text of a file.

    Raises:
        InputError: it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"'{path}' is not a text in UTF-8. {NOTHING}") from None


def _publish(
    ctx: click.Context,
    bank: Path,
    kind: DownloadKind,
    file: Path,
    read: Callable[[str, Currency], dict[bytes, bytes]],
) -> None:
    with open_bank(bank) as opened:
        entries = read(read_file(file), opened.directory.currency)
        check_size(kind, entries)
        with opened.store.write() as books:
            before = books.publications.newest(kind)
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
