"""``raseed-bank post-pending``, and the same beside a serving host."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from card.records import mask_card_number
from settlement.commands.bank_access import (
    bank_option,
    open_bank,
    open_keys,
    passphrase_option,
)
from settlement.commands.environment import environment_of
from settlement.commands.output import (
    EXIT_OFF,
    ExampleCommand,
    facts_table,
    json_option,
    output_of,
)
from settlement.poster import Posted, Poster, PostingFailed
from settlement.posting_desk import PostingDesk

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from settlement.commands.bank_log import HostLog
    from settlement.messages import BatchHeader
    from settlement.poster import PosterEvent
    from settlement.store.staged import WaitingSum

__all__ = ["post_pending", "posting_meanwhile"]


@click.command(
    "post-pending",
    cls=ExampleCommand,
    epilog="""
Examples:
  raseed-bank post-pending --bank bank
  raseed-bank post-pending --json
""",
)
@bank_option
@passphrase_option
@json_option
@click.pass_context
def post_pending(
    ctx: click.Context, *, bank: Path, passphrase_file: str | None
) -> None:
    """Post payments that were received and wait to be posted.

    A host receives payments first and posts them later while it has too much to do, and
    posts them by itself as soon as it can. This command does it at once, also beside
    running hosts: each payment is posted once. It ends when nothing waits any more, or
    when what is left cannot be posted (exit code 1); the reasons are told, and what is
    left stays as it was received.
    """
    events: list[PosterEvent] = []
    note = output_of(ctx).note

    def tell(event: PosterEvent) -> None:
        events.append(event)
        note(_words(event))

    with open_bank(bank) as opened:
        desk = PostingDesk(opened.store, open_keys(opened.directory, passphrase_file))
        poster = Poster(desk, clock=environment_of(ctx).clock, tell=tell)
        while poster.make_round():
            pass
        with opened.store.read() as books:
            left = books.staged.sum()
    output_of(ctx).show(
        _document(events, left),
        lambda console: console.print(facts_table(_facts(events, left))),
    )
    if left.payments:
        ctx.exit(EXIT_OFF)


@contextmanager
def posting_meanwhile(
    desk: PostingDesk, log: HostLog, clock: Callable[[], dt.datetime]
) -> Iterator[None]:
    """Post what waits in a thread of its own, which ends what it has begun."""

    def tell(event: PosterEvent) -> None:
        is_posted = isinstance(event, Posted)
        log.tell(
            "PendingPosted" if is_posted else "PendingNotPosted",
            _words(event),
            level="info" if is_posted else "warning",
            **_named(event),
        )

    over = threading.Event()
    poster = Poster(desk, clock=clock, tell=tell)
    thread = threading.Thread(target=poster.run, args=(over,), name="poster")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _words(event: PosterEvent) -> str:
    match event:
        case Posted(header=header, count=1):
            return f"{_batch_words(header)}: 1 payment received before is posted"
        case Posted(header=header, count=count):
            return (
                f"{_batch_words(header)}: {count} payments received before are posted"
            )
        case PostingFailed(header=header, reason=reason):
            where = "" if header is None else f"{_batch_words(header)}: "
            return f"{where}what waits was not posted: {reason}"


def _batch_words(header: BatchHeader) -> str:
    return f"terminal {header.terminal_id} batch {header.close.batch}"


def _named(event: PosterEvent) -> dict[str, Any]:
    """The same for machines."""
    named: dict[str, Any] = {"terminal": None, "batch": None}
    if event.header is not None:
        named = {
            "terminal": event.header.terminal_id,
            "customs_card": mask_card_number(event.header.mid),
            "batch": event.header.close.batch,
        }
    if isinstance(event, Posted):
        return {**named, "count": event.count}
    return {**named, "reason": event.reason}


def _document(events: list[PosterEvent], left: WaitingSum) -> dict[str, Any]:
    return {
        "posted": [_named(one) for one in events if isinstance(one, Posted)],
        "failed": [_named(one) for one in events if isinstance(one, PostingFailed)],
        "left": left.payments,
        "left_batches": left.batches,
        "left_since": None
        if left.oldest is None
        else f"{left.oldest:%Y-%m-%dT%H:%M:%SZ}",
    }


def _facts(events: list[PosterEvent], left: WaitingSum) -> list[tuple[str, str]]:
    posted = [one for one in events if isinstance(one, Posted)]
    count = sum(one.count for one in posted)
    facts = [("Posted", _many(count, len(posted)))]
    for event in events:
        if isinstance(event, PostingFailed):
            facts.append(("Not posted", _words(event)))
    if left.oldest is None:
        return [*facts, ("Left", "nothing")]
    since = f"{left.oldest:%Y-%m-%d %H:%M} UTC"
    text = f"{_many(left.payments, left.batches)}, since {since}"
    return [*facts, ("Left", text)]


def _many(payments: int, batches: int) -> str:
    of = "1 payment" if payments == 1 else f"{payments} payments"
    return f"{of} of {'1 batch' if batches == 1 else f'{batches} batches'}"
