"""What the books say of every terminal, judged: for tables, alarms and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final

from modem.certificates import EXPIRY_WARNING
from settlement.operations.settling import Settling, SettlingState, judge_settling

if TYPE_CHECKING:
    from datetime import datetime

    from settlement.store.books import BankStore, Books
    from settlement.store.certificates import CertificateRow
    from settlement.store.overview import TerminalFacts
    from settlement.store.staged import WaitingSum

__all__ = [
    "NOT_POSTED_MAX",
    "Alarm",
    "AlarmKind",
    "WatchedTerminal",
    "alarms_of",
    "host_alarm",
    "read_alarms",
    "waiting_alarm",
    "watch_terminals",
]

NOT_POSTED_MAX: Final = timedelta(minutes=15)
"""A host posts what it has received within seconds, unless something is in the way."""


@unique
class AlarmKind(StrEnum):
    """What an alarm is about; the values stand in JSON and in the log."""

    NOT_SETTLED = "not settled"
    NOT_POSTED = "received and not posted"
    CERTIFICATE = "certificate ends"
    HOST_CERTIFICATE = "host certificate ends"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something that bank operations have to do something about.

    Attributes:
        kind: what it is about.
        terminal_id: which terminal, or empty.
        office: its office, or empty.
        since: when it began, or, of a certificate, when it ends.
        text: what is wrong, and what to do.
    """

    kind: AlarmKind
    terminal_id: str = ""
    office: str = ""
    since: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedTerminal:
    """A terminal with everything that is judged about it.

    Attributes:
        facts: what the books say.
        certificates: all it was ever given, the oldest first.
        settling: how it stands with its batches.
    """

    facts: TerminalFacts
    certificates: tuple[CertificateRow, ...]
    settling: Settling

    @property
    def certificate_until(self) -> datetime | None:
        """The end of the latest certificate that was not revoked, or None."""
        good = [row.not_after for row in self.certificates if row.revoked_at is None]
        return max(good, default=None)


def watch_terminals(
    books: Books, *, now: datetime, not_settled_hours: int
) -> list[WatchedTerminal]:
    """Every terminal, judged at ``now``."""
    within = timedelta(hours=not_settled_hours)
    held = books.certificates.by_terminal()
    watched = []
    for facts in books.overview.terminals():
        rows = tuple(held.get(facts.terminal_id, ()))
        settling = judge_settling(
            facts,
            now=now,
            within=within,
            shut_out=bool(rows) and all(row.revoked_at is not None for row in rows),
        )
        watched.append(
            WatchedTerminal(facts=facts, certificates=rows, settling=settling)
        )
    return watched


def read_alarms(
    store: BankStore,
    *,
    now: datetime,
    not_settled_hours: int,
    host_until: datetime,
) -> list[Alarm]:
    """All alarms of a bank at ``now``, the gravest kind first."""
    with store.read() as books:
        watched = watch_terminals(books, now=now, not_settled_hours=not_settled_hours)
        waiting = books.staged.sum()
    ours = (host_alarm(host_until, now=now), waiting_alarm(waiting, now=now))
    of_bank = [alarm for alarm in ours if alarm is not None]
    return [*of_bank, *alarms_of(watched, now=now)]


def alarms_of(watched: list[WatchedTerminal], *, now: datetime) -> list[Alarm]:
    """The alarms of terminals: first who has not settled, longest first."""
    late = [
        _not_settled(one)
        for one in watched
        if one.settling.state is SettlingState.OVERDUE
    ]
    ending = [
        _certificate(one, until, now)
        for one in watched
        if (until := one.certificate_until) is not None
        and until - now < EXPIRY_WARNING
        and one.settling.state is not SettlingState.UNUSED
    ]
    return [*sorted(late, key=_by_time), *sorted(ending, key=_by_time)]


def host_alarm(until: datetime, *, now: datetime) -> Alarm | None:
    """The alarm of the host's own certificate, or None."""
    if until - now >= EXPIRY_WARNING:
        return None
    return Alarm(
        kind=AlarmKind.HOST_CERTIFICATE,
        since=until,
        text=f"{_end(until, now)}; no terminal can call then: raseed-bank host renew",
    )


def waiting_alarm(waiting: WaitingSum, *, now: datetime) -> Alarm | None:
    """The alarm of payments that were received long ago and not posted, or None."""
    oldest = waiting.oldest
    if oldest is None or now - oldest < NOT_POSTED_MAX:
        return None
    count = waiting.payments
    many = "1 payment waits" if count == 1 else f"{count} payments wait"
    return Alarm(
        kind=AlarmKind.NOT_POSTED,
        since=oldest,
        text=f"{many} to be posted, the first one received on {_day(oldest)}: "
        "raseed-bank post-pending posts them, or says why not",
    )


def _not_settled(one: WatchedTerminal) -> Alarm:
    settling, facts = one.settling, one.facts
    assert settling.since is not None
    if facts.settled_at is None:
        told = f"no batch was ever reconciled; in use since {_day(settling.since)}"
    else:
        told = f"no batch was reconciled since {_day(settling.since)}"
    called = (
        "it never called"
        if facts.called_at is None
        else (f"its last call was on {_day(facts.called_at)}")
    )
    return Alarm(
        kind=AlarmKind.NOT_SETTLED,
        terminal_id=facts.terminal_id,
        office=facts.office,
        since=settling.since,
        text=f"{told}, {called}: ask the counter to run the end of day",
    )


def _certificate(one: WatchedTerminal, until: datetime, now: datetime) -> Alarm:
    facts = one.facts
    command = f"raseed-bank terminal renew {facts.terminal_id}"
    return Alarm(
        kind=AlarmKind.CERTIFICATE,
        terminal_id=facts.terminal_id,
        office=facts.office,
        since=until,
        text=f"{_end(until, now)}: {command}",
    )


def _end(until: datetime, now: datetime) -> str:
    word = "ended" if until < now else "ends"
    return f"the certificate {word} on {until:%Y-%m-%d}"


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _by_time(alarm: Alarm) -> datetime:
    return alarm.since
