"""``raseed-terminal audit``: the log of entries, and whether it is whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from settlement.audit_head import AuditHead
from terminal.commands.shared import config_option, json_option, say_json
from terminal.config import load_config
from terminal.errors import AuditFileError
from terminal.journal import audit_journal, newest_entries
from terminal.wording_journal import (
    audit_next_step,
    head_words,
    heads_file_wrong,
    log_whole,
    problem_words,
)

if TYPE_CHECKING:
    from terminal.audit import AuditProblem, AuditReport, LogRow

__all__ = ["audit"]

_HEADS_BYTES_MAX: Final = 16 * 1024 * 1024
"""More than a bank's heads of a hundred years of batches."""

_folder_option = click.option(
    "--journal",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Another journal's folder, such as one that recover has moved aside.",
)


@click.group()
def audit() -> None:
    """Check and show the audit log: all that happened at this counter, chained.

    Both commands work beside a running counter, need no key file, and write nothing.
    """


@audit.command()
@config_option
@_folder_option
@click.option(
    "--heads",
    "heads_path",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The heads that the bank has kept: what raseed-bank audit --json printed.",
)
@json_option
def verify(
    config_path: Path, folder: Path | None, heads_path: Path | None, *, as_json: bool
) -> None:
    """Check every entry, and every payment and batch against the entries.

    Says how many entries there are and where the log stands, or names the first entry
    that does not fit, and then ends with exit code 1. Entries that were cut off the end
    are found for certain only with --heads.
    """
    folder = folder or load_config(config_path).state_directory
    heads = [] if heads_path is None else _read_heads(heads_path)
    report = audit_journal(folder, {head.entries for head, _ in heads})
    if as_json:
        say_json(_report_json(report, heads))
    else:
        _tell(report, heads)
    if not report.is_whole or not all(_agrees(report, head) for head, _ in heads):
        raise SystemExit(1)


@audit.command()
@config_option
@_folder_option
@click.option(
    "--last",
    type=click.IntRange(1, 1_000_000),
    default=20,
    show_default=True,
    help="How many of the newest entries.",
)
@json_option
def show(config_path: Path, folder: Path | None, last: int, *, as_json: bool) -> None:
    """Print the newest entries, oldest first; they hold no secret."""
    rows = newest_entries(folder or load_config(config_path).state_directory, last)
    if as_json:
        say_json([_entry_json(row) for row in rows])
        return
    for row in rows:
        click.echo(_entry_line(row))


def _tell(report: AuditReport, heads: list[tuple[AuditHead, str]]) -> None:
    if report.head is not None:
        head = report.head
        click.echo(f"journal: {head.journal.hex()}")
        click.echo(f"head: {head.entries} {head.digest.hex()}")
    if report.is_whole:
        click.echo(log_whole(report.entries))
    for problem in report.problems:
        click.echo(problem_words(problem))
    for head, name in heads:
        click.echo(head_words(name, head.entries, _fit(report, head)))
    if not report.is_whole or not all(_agrees(report, head) for head, _ in heads):
        click.echo(audit_next_step())


def _fit(report: AuditReport, head: AuditHead) -> str:
    """How a kept head stands to this log: ``fits``, ``differs``, or another's."""
    beginning = report.beginning
    if beginning is not None and head.journal == beginning.replaces:
        return "replaced"
    if beginning is None or head.journal != beginning.journal:
        return "other-journal"
    return "fits" if report.fits(head) else "differs"


def _agrees(report: AuditReport, head: AuditHead) -> bool:
    return _fit(report, head) in {"fits", "replaced"}


def _report_json(
    report: AuditReport, heads: list[tuple[AuditHead, str]]
) -> dict[str, Any]:
    head = report.head
    return {
        "journal": None if head is None else head.journal.hex(),
        "entries": report.entries,
        "digest": None if head is None else head.digest.hex(),
        "whole": report.is_whole,
        "problems": [_problem_json(problem) for problem in report.problems],
        "heads": [
            {
                "journal": one.journal.hex(),
                "entries": one.entries,
                "batch": name,
                "fit": _fit(report, one),
            }
            for one, name in heads
        ],
    }


def _problem_json(problem: AuditProblem) -> dict[str, Any]:
    return {
        "code": problem.code.value,
        "entry": problem.entry,
        "at": problem.at,
        "kind": problem.kind,
        "payment": problem.subject.payment,
        "batch": problem.subject.batch,
        "message": problem_words(problem),
    }


def _entry_json(row: LogRow) -> dict[str, Any]:
    number, at, kind, payment, batch, _, detail, _, digest = row
    return {
        "entry": number,
        "at": at,
        "kind": kind,
        "payment": payment,
        "batch": batch,
        "detail": detail,
        "link": digest.hex(),
    }


def _entry_line(row: LogRow) -> str:
    number, at, kind, payment, batch, _, detail, _, _ = row
    about = "" if payment is None else f" payment {payment}"
    about += "" if batch is None else f" batch {batch}"
    told = f": {detail}" if detail else ""
    return f"{number} {at} {kind}{about}{told}"


def _read_heads(path: Path) -> list[tuple[AuditHead, str]]:
    """The bank's heads and the batches that they came with.

    Raises:
        AuditFileError: the file is none.
    """
    try:
        if path.stat().st_size > _HEADS_BYTES_MAX:
            raise ValueError("it is too large")
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, list):
            raise TypeError("it is no list")
        return [(_read_head(item), str(item.get("batch", "?"))) for item in document]
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        reason = f"{type(error).__name__}: {error}"
    raise AuditFileError(heads_file_wrong(str(path), reason))


def _read_head(item: dict[str, Any]) -> AuditHead:
    entries = int(item["entries"]).to_bytes(4)
    journal, digest = bytes.fromhex(item["journal"]), bytes.fromhex(item["digest"])
    return AuditHead.parse(journal + entries + digest)
