"""``raseed-terminal audit``: the log of entries, and whether it is whole."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import click

from settlement.audit_head import AuditHead
from terminal.commands.shared import config_option, json_option, say_json
from terminal.config import load_config
from terminal.errors import AuditFileError
from terminal.journal import audit_journal, newest_entries
from terminal.journal_aside import logs_beside
from terminal.wording_journal import (
    HeadFit,
    audit_next_step,
    head_words,
    heads_file_wrong,
    log_whole,
    not_compared_next_step,
    problem_words,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from terminal.audit import AuditProblem, AuditReport, LogRow
    from terminal.journal_aside import LogAside

__all__ = ["audit"]

_Heads: TypeAlias = "list[tuple[AuditHead, str]]"
"""Heads that the bank has kept, each with the batch that it came with."""
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
    are found for certain only with --heads. Heads of journals that were replaced are
    compared with their own logs, which recover has moved into the folders replaced-*
    beside this one; a head that was compared with nothing ends with exit code 1, too.
    """
    folder = folder or load_config(config_path).state_directory
    heads = [] if heads_path is None else _read_heads(heads_path)
    report = audit_journal(folder, {head.entries for head, _ in heads})
    compared = _compare(folder, report, heads)
    if as_json:
        say_json(_report_json(report, compared))
    else:
        _tell(report, compared)
    if not report.is_whole or any(one.fit is not HeadFit.FITS for one in compared):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """One head that the bank has kept, and what comparing it gave.

    Attributes:
        head: where a log stood.
        batch: the batch that it came with.
        fit: how it stands to the logs here.
        folder: of the log that it was compared with, when that is another one.
    """

    head: AuditHead
    batch: str
    fit: HeadFit
    folder: str = ""


def _compare(folder: Path, report: AuditReport, heads: _Heads) -> list[_Compared]:
    others = logs_beside(folder, {head.entries for head, _ in heads}) if heads else []
    return [_compared(report, others, head, batch) for head, batch in heads]


def _compared(
    report: AuditReport, others: Sequence[LogAside], head: AuditHead, batch: str
) -> _Compared:
    """How a head stands to this log, or to the other one that it is of."""
    first = report.beginning
    if first is not None and first.journal == head.journal:
        fit = HeadFit.FITS if report.fits(head) else HeadFit.DIFFERS
        return _Compared(head=head, batch=batch, fit=fit)
    same = [log for log in others if log.beginning.journal == head.journal]
    if same:
        good = [log for log in same if log.fits(head)]
        fit = HeadFit.FITS if good else HeadFit.DIFFERS
        (log, *_) = good or same
        return _Compared(head=head, batch=batch, fit=fit, folder=str(log.folder))
    beginnings = [first, *(log.beginning for log in others)]
    named = {one.replaces for one in beginnings if one is not None}
    fit = HeadFit.REPLACED if head.journal in named else HeadFit.OTHER_JOURNAL
    return _Compared(head=head, batch=batch, fit=fit)


def _tell(report: AuditReport, compared: Sequence[_Compared]) -> None:
    if report.head is not None:
        head = report.head
        click.echo(f"journal: {head.journal.hex()}")
        click.echo(f"head: {head.entries} {head.digest.hex()}")
    if report.is_whole:
        click.echo(log_whole(report.entries))
    for problem in report.problems:
        click.echo(problem_words(problem))
    for one in compared:
        click.echo(head_words(one.batch, one.head.entries, one.fit, one.folder))
    fits = {one.fit for one in compared}
    if not report.is_whole or not fits <= {HeadFit.FITS, HeadFit.REPLACED}:
        click.echo(audit_next_step())
    elif HeadFit.REPLACED in fits:
        click.echo(not_compared_next_step())


def _report_json(report: AuditReport, compared: Sequence[_Compared]) -> dict[str, Any]:
    head = report.head
    return {
        "journal": None if head is None else head.journal.hex(),
        "entries": report.entries,
        "digest": None if head is None else head.digest.hex(),
        "whole": report.is_whole,
        "problems": [_problem_json(problem) for problem in report.problems],
        "heads": [
            {
                "journal": one.head.journal.hex(),
                "entries": one.head.entries,
                "batch": one.batch,
                "fit": one.fit.value,
                "folder": one.folder or None,
            }
            for one in compared
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
