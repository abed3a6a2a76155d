"""``raseed-bank terminals`` and ``alarms``: who settles, and what needs doing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from card.records import mask_card_number
from settlement.commands.bank_access import bank_option, open_bank
from settlement.commands.bank_certificates import (
    certificate_document,
    certificate_state,
)
from settlement.commands.environment import environment_of
from settlement.commands.output import (
    EXIT_OFF,
    ExampleCommand,
    json_option,
    output_of,
    table,
)
from settlement.errors import IssuingError
from settlement.operations.settling import SettlingState
from settlement.operations.watch import read_alarms, watch_terminals
from settlement.pki_files import read_facts

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from rich.console import Console

    from settlement.operations.watch import Alarm, WatchedTerminal
    from settlement.store.calls import CallRow
    from settlement.store.heads import KeptHead

__all__ = ["alarms", "terminals"]

_CALLS_SHOWN: Final = 10
_DIGEST_DIGITS: Final = 12
_hours_option = click.option(
    "--hours",
    type=click.IntRange(1, 8784),
    help="How long a terminal may go without a reconciled batch. [default: "
    "not_settled_hours in bank.toml]",
)


@click.command(
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-bank terminals
  raseed-bank terminals --overdue --hours 24
  raseed-bank terminals --id T0000007
""",
)
@bank_option
@click.option(
    "--id", "terminal_id", metavar="ID", help="Only this terminal, with its last calls."
)
@click.option("--office", help="Only those of this customs office.")
@click.option("--overdue", is_flag=True, help="Only those that have not settled.")
@_hours_option
@json_option
@click.pass_context
def terminals(
    ctx: click.Context,
    *,
    bank: Path,
    terminal_id: str | None,
    office: str | None,
    overdue: bool,
    hours: int | None,
) -> None:
    """List the terminals: binding, certificate, last call, last settled, audit log.

    A terminal is overdue when it was in use and no batch of it was reconciled for the
    hours given; one that never called has nothing to settle.
    """
    now = environment_of(ctx).clock()
    with open_bank(bank) as opened, opened.store.read() as books:
        hours = hours or opened.directory.settings.not_settled_hours
        found = [
            one
            for one in watch_terminals(books, now=now, not_settled_hours=hours)
            if terminal_id in {None, one.facts.terminal_id}
            and office in {None, one.facts.office}
            and (not overdue or one.settling.state is SettlingState.OVERDUE)
        ]
        heads = {
            one.facts.terminal_id: books.heads.of_terminal(one.facts.terminal_id)[-1:]
            for one in found
        }
        calls = []
        if terminal_id is not None:
            calls = books.calls.last_of(terminal_id, _CALLS_SHOWN)
    if terminal_id is not None and not found and not overdue:
        raise IssuingError(
            f"the bank has no terminal {terminal_id}. Nothing was changed; raseed-bank "
            "terminals shows those that it has"
        )
    document: dict[str, Any] = {
        "not_settled_hours": hours,
        "terminals": [
            _document(one, heads[one.facts.terminal_id], now) for one in found
        ],
    }
    if terminal_id is not None:
        document["calls"] = [_call_document(call) for call in calls]
    output_of(ctx).show(
        document, lambda console: _read(console, found, heads, calls, now)
    )


@click.command(
    cls=ExampleCommand,
    epilog="""
Examples; the second for cron, which mails what is written:
  raseed-bank alarms --hours 24
  raseed-bank alarms --bank /srv/bank --quiet
""",
)
@bank_option
@_hours_option
@click.option("--quiet", is_flag=True, help="Write nothing when there is no alarm.")
@json_option
@click.pass_context
def alarms(ctx: click.Context, *, bank: Path, hours: int | None, quiet: bool) -> None:
    """Show what bank operations have to do something about; exit code 1 if anything.

    Terminals in use that have not settled, and certificates that end within 30 days:
    those of terminals in use, and the host's own.
    """
    now = environment_of(ctx).clock()
    with open_bank(bank) as opened:
        host = read_facts(opened.directory.host_certificate.read_bytes())
        found = read_alarms(
            opened.store,
            now=now,
            not_settled_hours=hours or opened.directory.settings.not_settled_hours,
            host_until=host.not_after,
        )
    if found or not quiet:
        output_of(ctx).show(
            {"alarms": [_alarm_document(alarm) for alarm in found]},
            lambda console: _read_alarms(console, found),
        )
    if found:
        ctx.exit(EXIT_OFF)


def _document(
    one: WatchedTerminal, head: list[KeptHead], now: dt.datetime
) -> dict[str, Any]:
    facts, held = one.facts, one.certificates
    return {
        "terminal": facts.terminal_id,
        "customs_card": mask_card_number(facts.mid),
        "office": facts.office,
        "key_version": facts.kv,
        "bound_at": _stamp(facts.bound_at),
        "certificate": certificate_document(held[-1], held, now) if held else None,
        "called_at": _stamp(facts.called_at),
        "settled_at": _stamp(facts.settled_at),
        "settling": one.settling.state.value,
        "not_settled_since": _stamp(one.settling.since),
        "audit_head": {
            "journal": head[0].head.journal.hex().upper(),
            "entries": head[0].head.entries,
            "digest": head[0].head.digest.hex().upper(),
            "batch": head[0].batch,
            "received_at": _stamp(head[0].received_at),
        }
        if head
        else None,
    }


def _call_document(call: CallRow) -> dict[str, Any]:
    return {
        "line": call.line,
        "began_at": _stamp(call.began_at),
        "ended_at": _stamp(call.ended_at),
        "messages": call.messages,
        "outcome": call.outcome,
        "trouble": call.trouble,
    }


def _alarm_document(alarm: Alarm) -> dict[str, Any]:
    return {
        "kind": alarm.kind.value,
        "terminal": alarm.terminal_id or None,
        "office": alarm.office or None,
        "since": _stamp(alarm.since),
        "text": alarm.text,
    }


def _read(
    console: Console,
    found: list[WatchedTerminal],
    heads: dict[str, list[KeptHead]],
    calls: list[CallRow],
    now: dt.datetime,
) -> None:
    if not found:
        console.print("There is no such terminal.")
        return
    rows = [
        (
            one.facts.terminal_id,
            one.facts.office,
            mask_card_number(one.facts.mid),
            certificate_state(one.certificates[-1], one.certificates, now)
            if one.certificates
            else "none",
            _minute(one.facts.called_at),
            _minute(one.facts.settled_at),
            _standing(one, now),
            _head(heads[one.facts.terminal_id]),
        )
        for one in found
    ]
    headings = [
        *("Terminal", "Office", "Customs card", "Certificate", "Last call (UTC)"),
        *("Last settled (UTC)", "Stands", "Audit log"),
    ]
    console.print(table(headings, rows))
    if calls:
        console.print("\nLast calls:")
        lines = [
            (
                _minute(call.began_at),
                call.line,
                str(call.messages),
                call.trouble or call.outcome,
            )
            for call in calls
        ]
        console.print(table(["Began (UTC)", "Line", ">Messages", "Ended"], lines))


def _read_alarms(console: Console, found: list[Alarm]) -> None:
    if not found:
        console.print("No alarm.")
        return
    rows = [
        (alarm.kind.value, alarm.terminal_id, alarm.office, alarm.text)
        for alarm in found
    ]
    console.print(table(["Alarm", "Terminal", "Office", "What"], rows))


def _standing(one: WatchedTerminal, now: dt.datetime) -> str:
    settling = one.settling
    if settling.state is not SettlingState.OVERDUE or settling.since is None:
        return settling.state.value
    late = now - settling.since
    return f"OVERDUE, {late.days} days {late.seconds // 3600} hours"


def _head(head: list[KeptHead]) -> str:
    if not head:
        return ""
    digest = head[0].head.digest.hex().upper()[:_DIGEST_DIGITS]
    return f"{head[0].head.entries} entries, {digest}"


def _minute(at: dt.datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"


def _stamp(at: dt.datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"
