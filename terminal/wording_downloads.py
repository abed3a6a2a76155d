"""What people are told of what came from the bank; see `terminal.wording`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settlement.download import DownloadKind
from terminal.catalogue import tr, trn
from terminal.wording import NO_MONEY_YET
from terminal.wording_day import line_failure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from modem.errors import ModemError
    from terminal.download_failures import FailureNote
    from terminal.downloads import DownloadsResult, Fetched

__all__ = [
    "clock_off",
    "download_lines",
    "kind_name",
    "not_kept",
    "refused_by_bank",
    "stopped_answering",
    "unusable_news",
    "what_failed_on_the_line",
]

_MINUTE_S = 60


def kind_name(kind: DownloadKind) -> str:
    """What a kind is called."""
    match kind:
        case DownloadKind.PARAMETERS:
            return tr("Rules of the bank")
        case DownloadKind.HOTLIST:
            return tr("Stopped cards")
        case DownloadKind.CATALOGUE:
            return tr("Services")
        case DownloadKind.REQUESTS:
            return tr("Payment requests")


def download_lines(result: DownloadsResult) -> Iterator[tuple[str, str]]:
    """What a call has brought: what it is about, and the news; nothing if neither."""
    for fetched in result.fetched:
        yield kind_name(fetched.kind), _fetched(fetched)
    for kind, reason in result.failed:
        yield (
            kind_name(kind),
            tr(
                "▲ not fetched: {reason}. Those from before stay in use; the next call "
                "fetches them.",
                reason=reason.rstrip("."),
            ),
        )
    for unusable in result.unusable:
        yield kind_name(unusable.kind), unusable_news(unusable.note)
    if result.trouble:
        yield (
            tr("Bank's lists"),
            tr(
                "▲ {trouble} Those from before stay in use; the next call goes on from "
                "there.",
                trouble=result.trouble,
            ),
        )
    if result.clock_ahead is not None:
        yield tr("Clock"), clock_off(result.clock_ahead)


def unusable_news(note: FailureNote) -> str:
    """What the bank holds cannot be used here, and is left there."""
    return trn(
        "▲ what the bank sends cannot be used ({reason}); it came {count} time, last "
        "at {last}. Those from before stay in use. Tell the bank. The same is not "
        "fetched again before {again}; another one is.",
        "▲ what the bank sends cannot be used ({reason}); it came {count} times, last "
        "at {last}. Those from before stay in use. Tell the bank. The same is not "
        "fetched again before {again}; another one is.",
        count=note.times,
        reason=note.reason.rstrip("."),
        last=_moment(note.at),
        again=_moment(note.again_at),
    )


def _moment(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def clock_off(ahead: timedelta) -> str:
    """This machine's clock differs too much from the bank's."""
    seconds = abs(round(ahead.total_seconds()))
    if seconds < _MINUTE_S:
        amount = trn("{count} second", "{count} seconds", count=seconds)
    else:
        amount = trn("{count} minute", "{count} minutes", count=seconds // _MINUTE_S)
    if ahead.total_seconds() > 0:
        return tr(
            "▲ This machine's clock is {amount} behind the bank's. Have it set right: "
            "payments carry its time.",
            amount=amount,
        )
    return tr(
        "▲ This machine's clock is {amount} ahead of the bank's. Have it set right: "
        "payments carry its time.",
        amount=amount,
    )


def what_failed_on_the_line(error: ModemError) -> str:
    """The call ended, or never came about."""
    return line_failure(error)


def stopped_answering() -> str:
    """The bank said nothing more."""
    return tr("The bank stopped answering.")


def refused_by_bank(text: str) -> str:
    """The bank does not give this terminal anything."""
    return tr(
        "The bank gave nothing: {text}. {money} Call the bank and name this terminal.",
        text=text.rstrip("."),
        money=tr(NO_MONEY_YET),
    )


def not_kept(reason: str) -> str:
    """What came could not be written to the disk."""
    return tr("What came could not be kept: {reason}.", reason=reason.rstrip("."))


def _fetched(fetched: Fetched) -> str:
    match fetched.kind:
        case DownloadKind.PARAMETERS:
            return tr("✓ new; in use from now on")
        case DownloadKind.HOTLIST:
            return trn(
                "✓ new list: {count} card is refused from now on",
                "✓ new list: {count} cards are refused from now on",
                count=fetched.count,
            )
        case DownloadKind.CATALOGUE:
            return trn(
                "✓ new list: {count} service",
                "✓ new list: {count} services",
                count=fetched.count,
            )
        case DownloadKind.REQUESTS:
            return trn(
                "✓ new list: {count} request",
                "✓ new list: {count} requests",
                count=fetched.count,
            )
