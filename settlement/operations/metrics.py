"""What Prometheus is told of a running host.

Two sources: what happens on the lines, counted as it happens, and what the books say,
read when Prometheus asks, at most every `_READ_EVERY` (a scrape must not cost the
terminals their turn). Labels are lines, terminals and words of this program: never a
card, a customer or an amount of one payment.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from modem.events import Secured, WaitingForCall
from settlement.errors import SettlementError
from settlement.host_events import (
    BatchEnded,
    CallEnded,
    GroupAnswered,
    GroupTaken,
    Listening,
    ModemTrouble,
    PaymentsTaken,
)
from settlement.operations.settling import SettlingState
from settlement.operations.watch import watch_terminals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from prometheus_client.metrics_core import Metric

    from modem.events import CallEvent
    from settlement.host_events import HostEvent
    from settlement.store.books import BankStore

__all__ = ["BooksCollector", "HostMetrics"]

_READ_EVERY: Final = timedelta(seconds=15)
_BUCKETS_S: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)


class HostMetrics:
    """Counts what happens on the lines. Threads share it."""

    def __init__(self, lines: Sequence[str]) -> None:
        """Begin at nought, with every line down."""
        self.registry: Final = CollectorRegistry()
        self._lines_lock = threading.Lock()
        self._lines = dict.fromkeys(lines, False)
        self._calls = Counter(
            "raseed_calls",
            "Calls that are over, by line and by how they ended; not_secured: no call "
            "came about, or its certificate was refused.",
            ["line", "outcome"],
            registry=self.registry,
        )
        self._calls_up = Gauge(
            "raseed_calls_up", "Secured calls under way.", registry=self.registry
        )
        self._groups = Gauge(
            "raseed_groups_under_way",
            "Groups of messages that are being worked on.",
            registry=self.registry,
        )
        self._payments = Counter(
            "raseed_payments",
            "Payments answered, by decision; one sent again counts again.",
            ["decision"],
            registry=self.registry,
        )
        self._posting = Histogram(
            "raseed_posting_seconds",
            "Time the bank took to post a group of payments durably.",
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._batches = Counter(
            "raseed_batches",
            "Reconciliations answered, by result; accepted: the batch is collected.",
            ["result"],
            registry=self.registry,
        )
        self._line_up = Gauge(
            "raseed_line_up",
            "Whether calls can come in on a line.",
            ["line"],
            registry=self.registry,
        )
        for line in self._lines:
            self._line_up.labels(line).set(0)

    @property
    def lines(self) -> dict[str, bool]:
        """Every line, and whether calls can come in on it."""
        with self._lines_lock:
            return dict(self._lines)

    def on_event(self, line: str, event: HostEvent | CallEvent) -> None:
        """Count what happens on a line; see `settlement.host.Host.on_event`."""
        # A connection over a network is named after its listener and its sender.
        line = line.partition(" ")[0]
        match event:
            case WaitingForCall() | Listening():
                self._line_is(line, up=True)
            case Secured():
                self._calls_up.inc()
            case ModemTrouble(retry_in_s=0):
                self._calls.labels(line, "not_secured").inc()
            case ModemTrouble():
                self._line_is(line, up=False)
                self._calls.labels(line, "port_failed").inc()
            case CallEnded(outcome=outcome):
                self._calls_up.dec()
                self._calls.labels(line, outcome.value).inc()
            case GroupTaken():
                self._groups.inc()
            case GroupAnswered():
                self._groups.dec()
            case _:
                self._count_money(event)

    def _count_money(self, event: HostEvent | CallEvent) -> None:
        match event:
            case PaymentsTaken(answers=answers, seconds=seconds):
                self._posting.observe(seconds)
                for answer in answers:
                    self._payments.labels(answer.code.name.lower()).inc()
            case BatchEnded(answer=ended):
                self._batches.labels(ended.code.name.lower()).inc()
            case _:
                pass

    def _line_is(self, line: str, *, up: bool) -> None:
        with self._lines_lock:
            self._lines[line] = up
        self._line_up.labels(line).set(up)


class BooksCollector(Collector):
    """Reads the books when Prometheus asks."""

    def __init__(
        self,
        store: BankStore,
        *,
        clock: Callable[[], datetime],
        not_settled_hours: int,
        host_until: datetime,
    ) -> None:
        """Read ``store``.

        Args:
            store: the books.
            clock: the bank's time.
            not_settled_hours: when a terminal is overdue.
            host_until: the end of the host's own certificate.
        """
        self._store = store
        self._clock = clock
        self._not_settled_hours = not_settled_hours
        self._host_until = host_until
        self._lock = threading.Lock()
        self._read_at: datetime | None = None
        self._read: list[Metric] = []

    def describe(self) -> Iterable[Metric]:
        """Nothing before it is asked: the books need not be read for that."""
        return []

    def collect(self) -> Iterable[Metric]:
        """All that is read from the books, and whether that was possible."""
        with self._lock:
            now = self._clock()
            readable = True
            if self._read_at is None or now - self._read_at >= _READ_EVERY:
                try:
                    self._read = self._read_books(now)
                    self._read_at = now
                except SettlementError:
                    # What was read before would look as if all were well.
                    self._read, self._read_at, readable = [], None, False
            books = GaugeMetricFamily(
                "raseed_books_readable", "Whether the books could be read."
            )
            books.add_metric([], int(readable))
            return [books, *self._read]

    def _read_books(self, now: datetime) -> list[Metric]:
        age = GaugeMetricFamily(
            "raseed_terminal_not_settled_seconds",
            "Since when a terminal in use has had no batch reconciled.",
            labels=["terminal", "office"],
        )
        overdue = GaugeMetricFamily(
            "raseed_terminal_overdue",
            "Whether that is longer than the bank's not_settled_hours.",
            labels=["terminal", "office"],
        )
        until = GaugeMetricFamily(
            "raseed_terminal_certificate_end_timestamp_seconds",
            "When a terminal's latest certificate ends.",
            labels=["terminal", "office"],
        )
        incidents = GaugeMetricFamily(
            "raseed_incidents_open", "Incidents nobody has closed.", labels=["code"]
        )
        own = GaugeMetricFamily(
            "raseed_host_certificate_end_timestamp_seconds",
            "When the host's own certificate ends.",
        )
        own.add_metric([], self._host_until.timestamp())
        waiting = GaugeMetricFamily(
            "raseed_payments_waiting", "Payments received and not posted yet."
        )
        waiting_s = GaugeMetricFamily(
            "raseed_payments_waiting_seconds",
            "Since when the first of them waits; 0 when none does.",
        )
        with self._store.read() as books:
            watched = watch_terminals(
                books, now=now, not_settled_hours=self._not_settled_hours
            )
            for code, number in books.overview.incidents_open().items():
                incidents.add_metric([code], number)
            left = books.staged.sum()
        waiting.add_metric([], left.payments)
        since = now if left.oldest is None else left.oldest
        waiting_s.add_metric([], (now - since).total_seconds())
        for one in watched:
            labels = [one.facts.terminal_id, one.facts.office]
            settling = one.settling
            if settling.state is SettlingState.SHUT_OUT:
                continue
            if settling.since is not None:
                age.add_metric(labels, (now - settling.since).total_seconds())
            late = settling.state is SettlingState.OVERDUE
            overdue.add_metric(labels, int(late))
            if one.certificate_until is not None:
                until.add_metric(labels, one.certificate_until.timestamp())
        return [age, overdue, until, incidents, own, waiting, waiting_s]
