"""``raseed-terminal downloads``: what the bank has published, as it is held here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from card.records import mask_card_number
from settlement.download import DownloadKind
from settlement.money import format_amount
from terminal.commands.shared import config_option, json_option, say, say_json
from terminal.config import load_config
from terminal.download_shelf import Shelf
from terminal.machine import local_now, open_counter
from terminal.wording_downloads import (
    clock_off,
    download_lines,
    kind_name,
    unusable_news,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta
    from pathlib import Path

    from settlement.money import Currency
    from terminal.config import TerminalConfig
    from terminal.day import DayProgress
    from terminal.download_failures import FailureNote
    from terminal.download_shelf import ShelfState
    from terminal.downloads import DownloadsResult

__all__ = ["downloads", "downloads_json"]

_NAMES: Final = {kind.name.lower(): kind for kind in DownloadKind}
_HOUR_S: Final = 3600
_DAY_S: Final = 24 * _HOUR_S


@click.command()
@config_option
@click.option(
    "--fetch",
    is_flag=True,
    help="First call the bank and fetch what is new; no batch is closed or sent.",
)
@click.option(
    "--list",
    "listed",
    type=click.Choice(sorted(_NAMES)),
    help="Show what this one holds.",
)
@json_option
def downloads(
    config_path: Path, *, fetch: bool, listed: str | None, as_json: bool
) -> None:
    """Show what the bank has published: versions, counts, age; and fetch it.

    Card numbers are shown masked. With --fetch, exit code 1 says that something did
    not come; what was held before stays in use.
    """
    config = load_config(config_path)
    complete = _fetch(config) if fetch else True
    shelf = Shelf(config.state_directory)
    states = [shelf.state(kind) for kind in DownloadKind]
    kind = None if listed is None else _NAMES[listed]
    if as_json:
        document = _document(shelf, states, local_now())
        if kind is not None:
            document["entries"] = list(_entries(shelf, kind))
        say_json(document)
    else:
        for line in _lines(shelf, states, local_now()):
            click.echo(line)
        if kind is not None:
            for entry in _entries(shelf, kind):
                click.echo(_entry_line(entry, config.currency))
    if not complete:
        raise SystemExit(1)


def downloads_json(result: DownloadsResult) -> dict[str, Any]:
    """What a call has brought, for machines."""
    ahead = result.clock_ahead
    return {
        "complete": result.is_complete,
        "fetched": [
            {
                "kind": one.kind.name.lower(),
                "version": one.version,
                "count": one.count,
                "payload_bytes": one.payload_bytes,
            }
            for one in result.fetched
        ],
        "failed": [
            {"kind": kind.name.lower(), "reason": reason}
            for kind, reason in result.failed
        ],
        "unusable": [
            {
                "kind": one.kind.name.lower(),
                "came": one.came,
                **_failure_document(one.note),
            }
            for one in result.unusable
        ],
        "trouble": result.trouble,
        "clock_ahead_s": None if ahead is None else round(ahead.total_seconds()),
    }


def _fetch(config: TerminalConfig) -> bool:
    """Call the bank; whether all came that it has."""
    counter = open_counter(config)
    try:
        result = counter.fetch_downloads(lambda progress: say(_progress(progress)))
    finally:
        counter.stop()
    if result.downloads is None:
        say(str(result.advice))
        return False
    for name, news in download_lines(result.downloads):
        say(f"{name}: {news}")
    return result.downloads.is_complete


def _progress(progress: DayProgress) -> str:
    count = f" {progress.done}/{progress.total}" if progress.total else ""
    detail = f" ({progress.detail})" if progress.detail else ""
    return f"{progress.phase.value}{count}{detail}"


def _lines(shelf: Shelf, states: list[ShelfState], now: datetime) -> Iterator[str]:
    for state in states:
        yield f"{kind_name(state.kind)}: {_state_words(state, now)}"
        if state.failure is not None:
            yield f"{kind_name(state.kind)}: {unusable_news(state.failure)}"
    if shelf.clock is None:
        yield "Clock: not compared with the bank's yet"
    elif shelf.is_clock_off:
        yield f"Clock: {clock_off(shelf.clock.ahead)}"
    else:
        seconds = shelf.clock.ahead.total_seconds()
        yield f"Clock: bank's ahead by {seconds:.0f} s, which is within the limit"


def _state_words(state: ShelfState, now: datetime) -> str:
    if state.is_damaged:
        return "damaged; the next call fetches it again"
    if state.fetched_at is None:
        words = "never fetched"
    else:
        age = _age(now - state.fetched_at)
        words = f"version {state.version}, {state.count} entries, fetched {age} ago"
    if state.unfinished_bytes:
        words += f"; {state.unfinished_bytes} bytes of a newer one"
    return words


def _age(age: timedelta) -> str:
    """How long, in the unit that a person would use.

    >>> from datetime import timedelta
    >>> _age(timedelta(hours=5)), _age(timedelta(days=3))
    ('5 h', '3 days')
    """
    seconds = max(0, int(age.total_seconds()))
    if seconds < _HOUR_S:
        return f"{seconds // 60} min"
    if seconds < _DAY_S:
        return f"{seconds // _HOUR_S} h"
    days = seconds // _DAY_S
    return f"{days} day" if days == 1 else f"{days} days"


def _document(shelf: Shelf, states: list[ShelfState], now: datetime) -> dict[str, Any]:
    clock = shelf.clock
    return {
        "downloads": [
            {
                "kind": state.kind.name.lower(),
                "version": state.version,
                "count": state.count,
                "fetched_at": state.fetched_at and state.fetched_at.isoformat(),
                "age_s": state.fetched_at
                and max(0, int((now - state.fetched_at).total_seconds())),
                "damaged": state.is_damaged,
                "unfinished_bytes": state.unfinished_bytes,
                "unusable": state.failure and _failure_document(state.failure),
            }
            for state in states
        ],
        "clock": clock
        and {
            "bank_ahead_s": round(clock.ahead.total_seconds()),
            "at": clock.at.isoformat(),
            "limit_s": round(shelf.clock_limit.total_seconds()),
            "off": shelf.is_clock_off,
        },
    }


def _failure_document(note: FailureNote) -> dict[str, Any]:
    return {
        "version": note.target.version,
        "times": note.times,
        "last_at": note.at.isoformat(),
        "again_at": note.again_at.isoformat(),
        "reason": note.reason,
    }


def _entries(shelf: Shelf, kind: DownloadKind) -> Iterator[dict[str, Any]]:
    match kind:
        case DownloadKind.HOTLIST:
            for cid in shelf.stopped_cards():
                yield {"card": mask_card_number(cid)}
        case DownloadKind.PARAMETERS:
            yield from (
                {"name": name, "value": value}
                for name, value in shelf.parameter_texts().items()
            )
        case DownloadKind.CATALOGUE:
            for service in shelf.services():
                yield {
                    "code": service.code,
                    "name": service.name,
                    "name_ar": service.name_ar,
                    "kind": service.kind.value,
                    "amount_minor": service.amount_minor,
                }
        case DownloadKind.REQUESTS:
            for request in shelf.requests():
                yield {
                    "number": request.number,
                    "declaration": request.declaration,
                    "kind": request.kind.value,
                    "amount_minor": request.amount_minor,
                    "office": request.office,
                    "payer": request.payer,
                    "delivery_order": request.delivery_order,
                    "due": request.due and request.due.isoformat(),
                }


def _entry_line(entry: dict[str, Any], currency: Currency) -> str:
    amount_minor = entry.pop("amount_minor", None)
    told = [str(value) for value in entry.values() if value]
    if amount_minor is not None:
        told.append(f"{format_amount(amount_minor, currency)} {currency.code}")
    return "  " + ", ".join(told)
