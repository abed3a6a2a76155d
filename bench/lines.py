"""How much of a core one host process takes for 200 calls at once at 33,600 bit/s.

The host is the production `settlement.host.Host` in a process of its own, on one PTY
for each line. The callers upload a batch each, all at the same time, over simulated
lines; they run in other processes, whose time does not count. Twice:

*   without books: a bank that accepts at once, and batches long enough to keep every
    line busy. That is what the lines themselves cost.
*   with books: the production bank on its database on disk, which lets each terminal
    in, for the first time, and short batches.

Reference: one call alone into the same host, in the same run: what a call costs must
not grow with the number of lines.
"""

from __future__ import annotations

import multiprocessing
import secrets
import shutil
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from bench.lines_batches import BOOKS, EVENING, prepare
from bench.lines_callers import DELAY_MS, RATE_BPS, run_callers
from bench.yes_bank import OpenDoor, YesBank
from modem.dial_plan import AnswerPlan
from modem.events import Secured, WaitingForCall
from modem.tls import server_context
from settlement.admission import Admission
from settlement.bank import Bank
from settlement.host import CallEnded, Host
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.store.books import BankStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from bench.lines_batches import Terminal
    from bench.lines_callers import CallOutcome
    from modem.events import CallEvent
    from settlement.host import Doorkeeper, HostEvent
    from settlement.intake import IntakeBank

__all__ = ["measure"]

LINES: Final = 200
PAYMENTS: Final = 800
"""In each batch, without books: 32 bytes each on the line, some seven seconds of it."""
PAYMENTS_WITH_BOOKS: Final = 5
SHARE_MAX: Final = 0.8
"""Of one core, without books: with more, some lines would wait for others."""
_CALLER_PROCESSES: Final = 2
_STOP: Final = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class _HostFigures:
    """What the host tells of itself: from the first ring to the last call's end.

    Attributes:
        cpu_s: of the whole process.
        lines_cpu_s: of the thread that runs all lines: ports, link, TLS.
        wall_s: by the clock.
        idle_cpu_s: taken in one second of waiting, before anybody called.
        at_once: the most calls that were secured and not over at any moment.
    """

    cpu_s: float
    lines_cpu_s: float
    wall_s: float
    idle_cpu_s: float
    at_once: int


def measure() -> dict[str, object]:
    """Measure and print: one call alone, all lines at once, all lines with books."""
    alone = _row(lines=1, with_books=False)
    rows = [_row(lines=LINES, with_books=with_books) for with_books in (False, True)]
    for row in rows:
        kind = "with books" if row["with_books"] else "without books"
        print(
            f"lines: {kind}: {row['completed']} of {LINES} calls at {RATE_BPS} bit/s "
            f"and {DELAY_MS} ms brought their {row['payments']} payments; "
            f"{row['at_once']} were up at once; from CONNECT to the last answer "
            f"{row['call_seconds']:.1f} s (median), {row['line_share']:.2f} of what "
            f"the lines carry at best.\n"
            f"lines: {kind}: the host took {row['host_cpu_seconds']:.1f} s of "
            f"processor in {row['wall_seconds']:.1f} s, {row['share_of_one_core']:.2f} "
            f"of one core; {row['lines_cpu_seconds']:.1f} s of it for ports, link and "
            f"TLS, the rest for messages."
        )
    if not all(row["completed"] for row in (alone, *rows)):
        print(
            f"lines: target: MISSED: of the one call alone {alone['completed']} came "
            f"through, without books {rows[0]['completed']}, with books "
            f"{rows[1]['completed']}; so nothing can be compared."
        )
        return {"lines": LINES, "alone": alone, "rows": rows, "target_met": False}
    growth = rows[0]["host_cpu_seconds"] / LINES / alone["host_cpu_seconds"]
    full = rows[0]["share_of_one_core_when_full"]
    met = max(full, rows[0]["share_of_one_core"]) <= SHARE_MAX
    met = met and all(row["completed"] == LINES for row in rows)
    print(
        f"lines: target: all calls, and without books at most {SHARE_MAX} of a core: "
        f"{'met' if met else 'MISSED'}. Were every line full, ports, link and TLS "
        f"would take {full:.2f} of a core. A call of {LINES} costs {growth:.2f} times "
        f"one alone. {LINES} lines on which nobody calls: "
        f"{rows[0]['idle_share_of_one_core']:.4f} of a core."
    )
    return {
        "lines": LINES,
        "rate_bps": RATE_BPS,
        "delay_ms": DELAY_MS,
        "alone": alone,
        "rows": rows,
        "ratio_to_a_call_alone": round(growth, 3),
        "target_share": SHARE_MAX,
        "target_met": met,
    }


def _row(*, lines: int, with_books: bool) -> dict[str, float]:
    payments = PAYMENTS_WITH_BOOKS if with_books else PAYMENTS
    folder = Path(tempfile.mkdtemp(prefix="raseed-bench-"))
    try:
        terminals = prepare(
            folder, lines=lines, payments=payments, for_books=with_books
        )
        figures, outcomes = _call_all(folder, terminals)
    finally:
        shutil.rmtree(folder)
    for why_not in {one.why_not for one in outcomes if not one.collected}:
        print(f"lines: a call failed: {why_not}")
    done = [one for one in outcomes if one.collected]
    seconds = [(one.answered_ms - one.connected_ms) / 1000 for one in done]
    rates = [
        10 * one.line_bytes_up / RATE_BPS / took
        for one, took in zip(done, seconds, strict=True)
    ]
    # What all lines together carry at best, in seconds of the whole bundle.
    full_s = sum(10 * one.line_bytes_up for one in outcomes) / (lines * RATE_BPS)
    return {
        "with_books": with_books,
        "payments": payments,
        "completed": len(done),
        "at_once": figures.at_once,
        "call_seconds": round(median(seconds or [0]), 2),
        "line_share": round(median(rates or [0]), 3),
        "lines_cpu_seconds": round(figures.lines_cpu_s, 3),
        "share_of_one_core_when_full": round(
            figures.lines_cpu_s / full_s if full_s else 0, 3
        ),
        "host_cpu_seconds": round(figures.cpu_s, 3),
        "wall_seconds": round(figures.wall_s, 2),
        "share_of_one_core": round(figures.cpu_s / figures.wall_s, 3),
        "idle_share_of_one_core": round(figures.idle_cpu_s, 4),
    }


def _call_all(
    folder: Path, terminals: list[Terminal]
) -> tuple[_HostFigures, list[CallOutcome]]:
    shares = [terminals[first::_CALLER_PROCESSES] for first in range(_CALLER_PROCESSES)]
    callers = [_start(run_callers, folder, share) for share in shares if share]
    ports = [path for _, pipe in callers for path in pipe.recv()]
    host, line = _start(_serve, folder, ports)
    assert line.recv() == "ready"
    for _, pipe in callers:
        pipe.send("dial")
    outcomes = [one for _, pipe in callers for one in pipe.recv()]
    line.send(_STOP)
    figures: _HostFigures = line.recv()
    for process, pipe in ((host, line), *callers):
        # The host has ended by itself; callers keep the ports until it has.
        with suppress(BrokenPipeError):
            pipe.send("end")
        process.join()
    return figures, outcomes


def _start(target: object, *arguments: object) -> tuple[SpawnProcess, Connection]:
    """A fresh process, and the pipe to it, which it gets after its arguments."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=target,  # type: ignore[arg-type]  # any function of the two modules
        args=(*arguments, theirs),
    )
    process.start()
    theirs.close()
    return process, ours


def _serve(folder: Path, ports: Sequence[str], parent: Connection) -> None:
    """The host's process."""
    watch = _Watch(len(ports))
    stop = threading.Event()
    with _bank(folder) as (bank, admission):
        host = Host(
            bank=bank,
            admission=admission,
            tls_context=server_context(
                folder / "ca-terminals.pem", folder / "host.pem", folder / "host.key"
            ),
            clock=lambda: EVENING,
            random_bytes=secrets.token_bytes,
            on_event=watch.on_event,
            plan=AnswerPlan(baud=115_200),
        )
        serving = threading.Thread(target=host.serve, args=(ports, stop))
        serving.start()
        watch.all_wait.wait()
        idle_from_s = time.process_time()
        parent.poll(1)
        idle_s = time.process_time() - idle_from_s
        began_s, cpu_s = time.monotonic(), time.process_time()
        lines_s = _lines_cpu_s()
        parent.send("ready")
        parent.recv()
        figures = _HostFigures(
            cpu_s=time.process_time() - cpu_s,
            lines_cpu_s=_lines_cpu_s() - lines_s,
            wall_s=time.monotonic() - began_s,
            idle_cpu_s=idle_s,
            at_once=watch.at_once,
        )
        stop.set()
        serving.join()
    parent.send(figures)


def _lines_cpu_s() -> float:
    """Processor time of the host's thread that runs the lines."""
    [lines] = [thread for thread in threading.enumerate() if thread.name == "lines"]
    assert lines.ident is not None
    return time.clock_gettime(time.pthread_getcpuclockid(lines.ident))


@contextmanager
def _bank(folder: Path) -> Iterator[tuple[IntakeBank, Doorkeeper]]:
    """The production bank and its door where there are books, else open ones."""
    books = folder / BOOKS
    if not books.exists():
        yield YesBank(), OpenDoor()
        return
    with BankStore.open(books) as store:
        bank = Bank(store, MasterKeyStore(TEST_MASTERS))
        yield bank, Admission(store, lambda: EVENING)


class _Watch:
    """Counts the calls that are up."""

    def __init__(self, ports: int) -> None:
        self.all_wait = threading.Event()
        self.at_once = 0
        self._lock = threading.Lock()
        self._still = ports
        self._up = 0

    def on_event(self, _port: str, event: HostEvent | CallEvent) -> None:
        with self._lock:
            self._still -= isinstance(event, WaitingForCall)
            self._up += isinstance(event, Secured) - isinstance(event, CallEnded)
            self.at_once = max(self.at_once, self._up)
            if not self._still:
                self.all_wait.set()
