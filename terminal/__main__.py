"""``raseed-terminal``: the counter's screens, and what can be done without them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from terminal.commands.audit import audit
from terminal.commands.certificate import certificate
from terminal.commands.downloads import downloads, downloads_json
from terminal.commands.modem import modem
from terminal.commands.recover import recover, recover_and_tell
from terminal.commands.shared import PlainErrors, config_option, json_option, say
from terminal.config import load_config
from terminal.day import DayPhase, DayVerdict
from terminal.entries import BatchState
from terminal.errors import JournalDamagedError, JournalError
from terminal.journal import Journal
from terminal.machine import local_now, open_counter
from terminal.wording_downloads import download_lines
from terminal.wording_journal import rebuild_question
from terminal.wording_security import certificate_ends

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from terminal.config import TerminalConfig
    from terminal.counter import Counter
    from terminal.day import BatchOutcome, DayProgress, DayResult, Share
    from terminal.orders import RecoveryOutcome

__all__ = ["main", "terminal"]

_DONE: Final = frozenset({DayVerdict.COLLECTED, DayVerdict.NOTHING_TO_SEND})
_PHASE_WORDS: Final = {
    DayPhase.CLOSING: "closing the batch",
    DayPhase.DIALLING: "dialling",
    DayPhase.SECURING: "securing the line",
    DayPhase.SENDING: "sending",
    DayPhase.RECONCILING: "reconciling",
    DayPhase.ACKNOWLEDGING: "acknowledging",
    DayPhase.FETCHING: "fetching the bank's lists",
}


@click.group(cls=PlainErrors)
@click.version_option(package_name="raseed")
def terminal() -> None:
    """Run a customs counter that takes payments by smart card.

    Exit codes: 0 done; 1 something is off, and the message says what; 2 the command
    line is wrong.
    """


@terminal.command()
@config_option
def run(config_path: Path) -> None:
    """Open the counter's screens."""
    if not _has_screen():
        raise click.ClickException(
            "The screens need a terminal, and this is none: standard input or output "
            "is a file or a pipe. Nothing was started. Without screens there are "
            "close, status and check-config."
        )
    config = load_config(config_path)
    counter = _open_or_rebuild(config)
    # The screens load Textual, which the other commands do without.
    from terminal.app import CounterApp  # noqa: PLC0415

    try:
        CounterApp(counter, local_now).run()
    finally:
        # The clerk's way out has stopped it; screens that failed have not, and may not
        # have shown how the last payment ended.
        counter.stop(orderly=False)


@terminal.command("check-config")
@config_option
def check_config(config_path: Path) -> None:
    """Check the configuration file and what it names; say all that is wrong.

    Besides the file itself, that is the journal's folder and the certificates. Nothing
    is made, changed or dialled.
    """
    # The certificates need TLS, which the other commands load when they dial.
    from terminal.config_check import check_everything  # noqa: PLC0415

    config = check_everything(config_path)
    click.echo(
        f"{config_path}: right. Terminal {config.terminal.id} at "
        f"{config.terminal.office}, {config.currency.code}, up to {config.limit}."
    )


@terminal.command()
@config_option
@json_option
def close(config_path: Path, *, as_json: bool) -> None:
    """Run the end of day without screens: close, send, acknowledge, fetch."""
    counter = open_counter(load_config(config_path))
    try:
        outcomes = counter.start()
        for outcome in outcomes:
            say(_recovery_line(outcome))
        result = counter.close_day(lambda progress: say(_progress_line(progress)))
        for outcome in _settled_since(counter):
            say(_recovery_line(outcome))
            outcomes.append(outcome)
    finally:
        counter.stop()
    if as_json:
        click.echo(json.dumps(_day_json(result, outcomes)))
    else:
        click.echo(str(result.advice))
        if result.downloads is not None:
            for name, news in download_lines(result.downloads):
                click.echo(f"{name}: {news}")
    if result.certificate_until is not None:
        say(": ".join(certificate_ends(result.certificate_until)))
    if result.verdict not in _DONE:
        raise SystemExit(1)


@terminal.command()
@config_option
@json_option
def status(config_path: Path, *, as_json: bool) -> None:
    """Show what waits: batches for the bank, payments for their end."""
    config = load_config(config_path)
    journal = Journal.read(config.state_directory)
    try:
        found = _status(config, journal)
    finally:
        journal.close()
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        click.echo(f"{name.replace('_', ' ')}: {_shown(value)}")


terminal.add_command(audit)
terminal.add_command(modem)
terminal.add_command(certificate)
terminal.add_command(downloads)
terminal.add_command(recover)


def _settled_since(counter: Counter) -> list[RecoveryOutcome]:
    """What the bank's answers have settled; at a failing disk the next start tells."""
    try:
        return counter.on_card_inserted()
    except JournalError:
        return []


def _has_screen() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _open_or_rebuild(config: TerminalConfig) -> Counter:
    """The counter; when its journal is damaged, after it was rebuilt if so wanted."""
    try:
        return open_counter(config)
    except JournalDamagedError as error:
        say(str(error))
        if not click.confirm(rebuild_question(), err=True):
            raise SystemExit(1) from None
    recover_and_tell(config)
    return open_counter(config)


def _status(config: TerminalConfig, journal: Journal) -> dict[str, Any]:
    unfinished = journal.payments.unfinished()
    return {
        "terminal": config.terminal.id,
        "office": config.terminal.office,
        "currency": config.currency.code,
        "unsettled_batches": [
            {
                "number": batch.number,
                "count": batch.close.count,
                "sum_minor": batch.close.sum_minor,
                "closed_at": batch.closed_at.isoformat(),
                "code": batch.code,
                "text": batch.text,
            }
            for batch in journal.batches.in_state(BatchState.CLOSED)
        ],
        "unacknowledged_batches": [
            batch.number for batch in journal.batches.in_state(BatchState.COLLECTED)
        ],
        "interrupted_payments": [
            {
                "number": payment.number,
                "declaration": payment.declaration,
                "amount_minor": payment.amount_minor,
                "card": payment.card_masked,
                "state": payment.state.value,
                "at": payment.at.isoformat(),
            }
            for payment in unfinished
        ],
    }


def _shown(value: object) -> str:
    if not isinstance(value, list):
        return str(value)
    return "; ".join(_item(item) for item in value) or "none"


def _item(item: object) -> str:
    if not isinstance(item, dict):
        return str(item)
    return ", ".join(f"{key} {value}" for key, value in item.items() if value != "")


def _progress_line(progress: DayProgress) -> str:
    words = _PHASE_WORDS[progress.phase]
    batch = "" if progress.batch is None else f"batch {progress.batch}: "
    count = f" {progress.done}/{progress.total}" if progress.total else ""
    detail = f" ({progress.detail})" if progress.detail else ""
    return f"{batch}{words}{count}{detail}"


def _recovery_line(outcome: RecoveryOutcome) -> str:
    name = outcome.declaration or f"payment {outcome.number}"
    return f"{name}, {outcome.amount}: {outcome.advice}"


def _day_json(result: DayResult, outcomes: list[RecoveryOutcome]) -> dict[str, Any]:
    return {
        "verdict": result.verdict.value,
        "advice": str(result.advice),
        "failed_phase": result.failed_phase,
        "certificate_until": (
            None
            if result.certificate_until is None
            else f"{result.certificate_until:%Y-%m-%d}"
        ),
        "posted": _share_json(result.posted),
        "suspended": _share_json(result.suspended),
        "batches": [_batch_json(batch) for batch in result.batches],
        "downloads": result.downloads and downloads_json(result.downloads),
        "recovered": [
            {"number": outcome.number, "verdict": outcome.verdict.value}
            for outcome in outcomes
        ],
    }


def _batch_json(batch: BatchOutcome) -> dict[str, Any]:
    return {
        "number": batch.number,
        "count": batch.count,
        "sum_minor": batch.total.amount_minor,
        "open_count": batch.open_count,
        "collected": batch.collected,
        "code": batch.code,
        "text": batch.text,
        "posted": _share_json(batch.posted),
        "suspended": _share_json(batch.suspended),
    }


def _share_json(share: Share | None) -> dict[str, int]:
    if share is None:
        return {"count": 0, "sum_minor": 0}
    return {"count": share.count, "sum_minor": share.total.amount_minor}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``raseed-terminal`` and exit.

    Assertions are part of what keeps money right: without them it does not run.
    """
    if not __debug__:
        sys.exit(
            "raseed-terminal does not run under python -O: its checks must stay on"
        )
    terminal.main(arguments, prog_name="raseed-terminal")


if __name__ == "__main__":
    main()
