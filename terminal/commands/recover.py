"""``raseed-terminal recover``: the journal anew, from the customs card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from terminal.commands.shared import config_option, json_option, say, say_json
from terminal.config import load_config
from terminal.machine import recover_journal
from terminal.rebuild import RecoverStage
from terminal.wording_journal import (
    kept_aside,
    reading_card,
    recovered_elsewhere,
    recovered_unvouched,
    salvaging,
    writing_payments,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from terminal.config import TerminalConfig
    from terminal.rebuild import RecoverProgress, RecoverResult

__all__ = ["recover", "recover_and_tell"]

_STAGES: Final = {
    RecoverStage.SALVAGING: salvaging,
    RecoverStage.READING: reading_card,
    RecoverStage.WRITING: writing_payments,
}


@click.command()
@config_option
@click.option(
    "--from",
    "sources",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of another journal to take declarations and numbers from; repeatable.",
)
@json_option
def recover(config_path: Path, sources: tuple[Path, ...], *, as_json: bool) -> None:
    """Make the journal anew from the customs card in its reader.

    For a machine that was lost or replaced, and for a damaged journal. The card holds
    every payment that the bank has not acknowledged, and every payment whose end is not
    known yet. What it does not know (declarations, receipt numbers) is taken from the
    damaged journal, and from those named with --from, as far as the card's signed data
    agree. A damaged journal is moved aside, never overwritten; a whole one is kept and
    only brought into step with the card. It takes nothing from any customer's card, and
    can be repeated.
    """
    config = load_config(config_path)
    if as_json:
        say_json(_result_json(_recover(config, sources)))
    else:
        recover_and_tell(config, sources)


def recover_and_tell(config: TerminalConfig, sources: Sequence[Path] = ()) -> None:
    """Recover, and say in words what has come of it."""
    result = _recover(config, sources)
    for outcome in result.settled:
        name = outcome.declaration or f"payment {outcome.number}"
        click.echo(f"{name}, {outcome.amount}: {outcome.advice}")
    click.echo(str(result.advice))
    if result.unvouched:
        click.echo(recovered_unvouched(result.unvouched))
    if result.elsewhere:
        click.echo(recovered_elsewhere(result.elsewhere, str(result.set_aside)))
    if result.set_aside is not None:
        click.echo(kept_aside(str(result.set_aside)))


def _recover(config: TerminalConfig, sources: Sequence[Path]) -> RecoverResult:
    return recover_journal(config, sources, on_progress=_tell)


def _tell(progress: RecoverProgress) -> None:
    say(_STAGES[progress.stage](progress.count))


def _result_json(result: RecoverResult) -> dict[str, Any]:
    return {
        "credited": {
            "count": result.credited,
            "sum_minor": result.total.amount_minor,
        },
        "open": result.open_count,
        "waiting_batches": list(result.waiting),
        "declarations_known": result.declared,
        "unvouched": result.unvouched,
        "elsewhere": result.elsewhere,
        "settled": [
            {"number": outcome.number, "verdict": outcome.verdict.value}
            for outcome in result.settled
        ],
        "set_aside": None if result.set_aside is None else str(result.set_aside),
        "advice": str(result.advice),
    }
