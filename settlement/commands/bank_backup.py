"""``raseed-bank backup`` and ``restore``: the whole bank in one file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from settlement.commands.bank_access import (
    bank_option,
    given_database,
    open_bank,
    passphrase_option,
)
from settlement.commands.environment import environment_of
from settlement.commands.output import (
    EXIT_OFF,
    ExampleCommand,
    facts_table,
    json_option,
    output_of,
    table,
)
from settlement.commands.secret_input import read_passphrase, wipe
from settlement.operations.backup import restore_backup, write_backup

if TYPE_CHECKING:
    from rich.console import Console

    from settlement.check.bank import CheckReport
    from settlement.operations.backup import Manifest

__all__ = ["backup", "restore"]


@click.command(
    cls=ExampleCommand,
    epilog="""
Example, every night:
  raseed-bank backup /backups/bank-$(date +%F).tar --bank /srv/bank
""",
)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@bank_option
@json_option
@click.pass_context
def backup(ctx: click.Context, *, file: Path, bank: Path) -> None:
    """Write all that this bank is to FILE, which must not be there yet.

    A host may go on posting meanwhile: the books are those of one moment, and those of
    a PostgreSQL server are copied by pg_dump. FILE holds
    the masters and the authority's key only as they are in the bank's directory,
    encrypted under the passphrase, and the host's key not at all. It does hold card
    numbers and customers: keep it where the books may be kept.
    """
    with open_bank(bank) as opened:
        manifest = write_backup(
            opened.directory, opened.store, file, now=environment_of(ctx).clock()
        )
    facts = [
        ("Backup", f"{file}, of {manifest.made_at}"),
        *_contents(manifest),
        ("Next", "try it: raseed-bank restore FILE --bank DIR into a new folder"),
    ]
    output_of(ctx).show(
        _document(manifest, file), lambda console: console.print(facts_table(facts))
    )


@click.command(
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-bank restore /backups/bank-2026-03-04.tar --bank /srv/bank-restored
  raseed-bank restore /backups/bank-2026-03-04.tar --bank /srv/drill \\
      --database postgresql+psycopg://raseed@/drill?host=/run/postgresql
""",
)
@click.argument(
    "file", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE"
)
@bank_option
@passphrase_option
@json_option
@click.pass_context
def restore(
    ctx: click.Context, *, file: Path, bank: Path, passphrase_file: str | None
) -> None:
    """Make the bank of the backup FILE again, in the new folder that --bank names.

    Every file is compared with its digest, the passphrase must open the keys, the host
    gets a new key and certificate, and all books are checked, every TAC too. A folder
    that is there is never written over. Books of a PostgreSQL server are made in the
    empty database that --database names, by pg_restore. Exit code 1 when the check
    finds anything; the bank is there then, as it was backed up.
    """
    passphrase = read_passphrase(passphrase_file)
    try:
        manifest, report = restore_backup(
            file,
            bank,
            passphrase=bytes(passphrase),
            now=environment_of(ctx).clock(),
            database=given_database(),
        )
    finally:
        wipe(passphrase)
    document = _document(manifest, file) | {
        "directory": str(bank),
        "ok": report.ok,
        "tacs_verified": report.tacs_verified,
        "findings": [
            {"code": finding.code.value, "text": finding.text}
            for finding in report.findings
        ],
    }
    output_of(ctx).show(
        document, lambda console: _read(console, bank, manifest, report)
    )
    if not report.ok:
        ctx.exit(EXIT_OFF)


def _read(
    console: Console, bank: Path, manifest: Manifest, report: CheckReport
) -> None:
    facts = [
        ("Bank", f"{bank}, as of {manifest.made_at}"),
        *_contents(manifest),
        ("Check", f"{report.tacs_verified} TACs verified; {_verdict(report)}"),
        ("Host", "a new key and certificate; terminals need nothing new"),
        (
            "Next",
            "what was posted or loaded after that moment is not in it: see "
            "docs/operations.md before raseed-bank serve answers calls",
        ),
    ]
    console.print(facts_table(facts))
    if report.findings:
        rows = [(finding.code.value, finding.text) for finding in report.findings]
        console.print(table(["What is off", "Where"], rows))


def _verdict(report: CheckReport) -> str:
    return "everything adds up" if report.ok else "SOMETHING IS OFF"


def _contents(manifest: Manifest) -> list[tuple[str, str]]:
    rows = manifest.rows
    total = sum(one.size for one in manifest.files.values())
    return [
        (
            "Books",
            f"{rows['entry']} entries, {rows['payment']} payments, {rows['batch']} "
            f"batches, {rows['purse']} purses",
        ),
        ("Files", f"{len(manifest.files)}, {total} bytes"),
    ]


def _document(manifest: Manifest, file: Path) -> dict[str, Any]:
    return {
        "backup": str(file),
        "made_at": manifest.made_at,
        "program": manifest.program,
        "rows": manifest.rows,
        "files": {
            name: {"size": one.size, "sha256": one.sha256}
            for name, one in manifest.files.items()
            if not name.startswith("cards/")
        },
    }
