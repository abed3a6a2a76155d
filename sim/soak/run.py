"""One soak: a nation's day is brought to its bank, and then the books are judged."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sim.nation.country import Country
from sim.nation.founding import found_nation
from sim.postgres import PrivatePostgres
from sim.soak.caller import CallerOrder, Told, call
from sim.soak.hosts import Hosts, Usage
from sim.soak.verdict import violations

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

__all__ = ["CALLERS", "Outcome", "Soak", "run_soak"]

CALLERS: Final = 2
_LINES_EACH: Final = 4
_TICK_S: Final = 0.2
_TELL_S: Final = 10.0
_SPAWN: Final = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """What to do.

    Attributes:
        terminals: each sends one batch; an even number.
        payments: in each batch.
        purses: that pay; an even number.
        hosts: on the one database.
        kill_s: seconds between two kills of hosts, on average; 0 for none.
        seed: of who pays what, and of the kills.
        with_check: run the bank's own check at the end.
    """

    terminals: int
    payments: int
    purses: int
    hosts: int
    kill_s: float
    seed: int
    with_check: bool = True

    @property
    def paid(self) -> int:
        """Payments of all."""
        return self.terminals * self.payments


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of a soak.

    Attributes:
        kills: hosts that were killed.
        calls: that came about.
        cuts: of these, that broke off.
        received: batches that were only received when they were asked about.
        seconds: from the start of the hosts until all batches were acknowledged.
        check_seconds: what judging the books took.
        usage: of the host that was never killed.
        violations: what is wrong, in words.
    """

    soak: Soak
    kills: int = 0
    calls: int = 0
    cuts: int = 0
    received: int = 0
    seconds: float = 0.0
    check_seconds: float = 0.0
    usage: Usage = field(default_factory=Usage)
    violations: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """The same for machines."""
        return asdict(self)

    def last_line(self) -> str:
        """The same in one line."""
        settled = self.usage.settled_mb
        grown = "" if settled is None else f", {settled:.0f} MB when it had settled"
        return (
            f"payments {self.soak.paid} of {self.soak.terminals} terminals, hosts "
            f"{self.soak.hosts}, kills {self.kills}, calls {self.calls} ({self.cuts} "
            f"cut), batches received first {self.received}, violations "
            f"{len(self.violations)}, {self.seconds:.0f} s "
            f"({self.soak.paid / max(self.seconds, 0.001):.0f} payments/s), books "
            f"judged in {self.check_seconds:.0f} s; the host never killed holds "
            f"{self.usage.last_mb:.0f} MB{grown}, {self.usage.files_max} files"
        )


def run_soak(
    soak: Soak,
    tell: Callable[[str], None],
    *,
    meddle: Callable[[str], None] | None = None,
) -> Outcome:
    """Run it on a PostgreSQL of its own, which waits for the disk.

    Args:
        soak: what to do.
        tell: told how far it is.
        meddle: does something to the database, by its URL, before the books are
            judged: a test sees so that what is wrong is found.
    """
    settings = {"max_wal_size": "4GB", "max_connections": "200"}
    with PrivatePostgres(settings=settings) as server:
        url = server.create_database("nation")
        tell(f"founding a nation of {soak.purses} purses")
        found_nation(
            url, Country(purses=soak.purses, counters=soak.terminals, seed=soak.seed)
        )
        outcome, told = _day(soak, url, tell)
        if meddle is not None:
            meddle(url)
        tell(f"{outcome.last_line()}; judging the books")
        started = time.monotonic()
        outcome.violations = list(violations(url, told, with_check=soak.with_check))
        outcome.check_seconds = time.monotonic() - started
        acknowledged = sum(one.batches for one in told)
        if acknowledged != soak.terminals:
            outcome.violations.append(f"only {acknowledged} batches were acknowledged")
    return outcome


def _day(
    soak: Soak, url: str, tell: Callable[[str], None]
) -> tuple[Outcome, list[Told]]:
    outcome = Outcome(soak=soak)
    with tempfile.TemporaryDirectory(prefix="raseed-soak-") as name:
        hosts = Hosts(
            url=url,
            folder=Path(name),
            count=soak.hosts,
            kill_s=soak.kill_s,
            seed=soak.seed,
        )
        with hosts:
            started = time.monotonic()
            lines = [_start(soak, hosts, part) for part in range(CALLERS)]
            told = _attend(lines, hosts, started, tell)
            outcome.seconds = time.monotonic() - started
    outcome.kills, outcome.usage = hosts.kills, hosts.usage
    outcome.calls = sum(one.calls for one in told)
    outcome.cuts = sum(one.cuts for one in told)
    outcome.received = sum(one.received for one in told)
    return outcome, told


def _start(soak: Soak, hosts: Hosts, part: int) -> Connection:
    order = CallerOrder(
        part=part,
        purses=soak.purses // CALLERS,
        terminals=soak.terminals // CALLERS,
        payments=soak.payments,
        lines=_LINES_EACH,
        hosts=hosts.addresses,
        seed=soak.seed,
    )
    ours, theirs = _SPAWN.Pipe()
    _SPAWN.Process(target=call, args=(order, theirs), daemon=True).start()
    theirs.close()
    return ours


def _attend(
    lines: list[Connection],
    hosts: Hosts,
    started: float,
    tell: Callable[[str], None],
) -> list[Told]:
    """Kill hosts by plan until all callers are through.

    Raises:
        EOFError: a caller has failed; its own words are on standard error.
    """
    told: list[Told] = []
    batches = dict.fromkeys(lines, 0)
    told_s = 0.0
    while len(told) < len(lines):
        ready = set(wait([one for one in lines if not one.closed], _TICK_S))
        for line in lines:
            if line not in ready:
                continue
            heard = line.recv()
            if isinstance(heard, Told):
                told.append(heard)
                line.close()
            else:
                batches[line] = heard
        elapsed_s = time.monotonic() - started
        hosts.tick(elapsed_s)
        if elapsed_s - told_s >= _TELL_S:
            told_s = elapsed_s
            tell(
                f"{elapsed_s:.0f} s: {sum(batches.values())} batches acknowledged, "
                f"{hosts.kills} hosts killed"
            )
    return told
