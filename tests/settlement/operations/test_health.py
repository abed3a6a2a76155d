"""What whoever watches a host is told, over HTTP and by Prometheus' own parser."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from modem.events import Secured, WaitingForCall
from modem.network import NetworkAddress
from settlement.bank import Bank
from settlement.errors import BankUnavailableError, HostError
from settlement.host_events import (
    BatchEnded,
    CallEnded,
    CallOutcome,
    GroupAnswered,
    GroupTaken,
    Listening,
    ModemTrouble,
    PaymentsTaken,
)
from settlement.messages import ReconcileAnswer, RecordAnswer, ResponseCode, Total
from settlement.operations.health import Health, HealthServer, Heart
from settlement.operations.metrics import BooksCollector, HostMetrics
from tests.settlement.conftest import START, TERMINAL, Desk, PaperPurse

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE = "/dev/ttyS0"
NETWORK = "tls://0.0.0.0:7890"
SOMEBODY = f"{NETWORK} from 10.0.0.1:40112"


class Watched:
    """A host's health, each part of which a test may break."""

    def __init__(self) -> None:
        self.metrics = HostMetrics([LINE, NETWORK])
        self.stopping = threading.Event()
        self.heart = Heart()
        self.books_error: BankUnavailableError | None = None
        health = Health(
            registry=self.metrics.registry,
            check_books=self._check_books,
            check_keys=lambda: None,
            lines=lambda: self.metrics.lines,
            stopping=self.stopping,
            heart=self.heart,
        )
        self.server = HealthServer(NetworkAddress(host="127.0.0.1", port=0), health)

    def _check_books(self) -> None:
        if self.books_error is not None:
            raise self.books_error

    def get(self, path: str) -> tuple[int, bytes]:
        address = self.server.address
        connection = HTTPConnection(address.host, address.port, timeout=20)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def document(self, path: str) -> tuple[int, dict[str, Any]]:
        status, body = self.get(path)
        return status, json.loads(body)

    def samples(self) -> dict[tuple[str, ...], float]:
        """Every sample by its name and its labels' values."""
        status, body = self.get("/metrics")
        assert status == 200
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
        }


@pytest.fixture
def watched() -> Iterator[Watched]:
    watched = Watched()
    with watched.server:
        yield watched


def ended(outcome: CallOutcome) -> CallEnded:
    return CallEnded(
        terminal_id=TERMINAL,
        messages=1,
        trouble=None,
        outcome=outcome,
        began_at=START,
        ended_at=START,
    )


def test_a_host_is_ready_when_a_line_is_up(watched: Watched) -> None:
    status, told = watched.document("/readyz")
    assert (status, told["ready"]) == (503, False)
    assert told["checks"]["lines"] == "no line is up"
    watched.metrics.on_event(LINE, WaitingForCall())
    status, told = watched.document("/readyz")
    assert (status, told["ready"], told["lines_down"]) == (200, True, [NETWORK])
    trouble = ModemTrouble(reason="it is gone", retry_in_s=10)
    watched.metrics.on_event(LINE, trouble)
    assert watched.document("/readyz")[0] == 503


@pytest.mark.parametrize("broken", ["books", "stopping"])
def test_a_host_is_not_ready_without_its_books_or_when_it_stops(
    watched: Watched, broken: str
) -> None:
    watched.metrics.on_event(NETWORK, Listening())
    if broken == "books":
        watched.books_error = BankUnavailableError("the disk is full")
    else:
        watched.stopping.set()
    status, told = watched.document("/readyz")
    assert status == 503
    wrong = {name: said for name, said in told["checks"].items() if said != "ok"}
    assert list(wrong) == [broken]


def test_a_host_is_alive_while_its_loop_goes_round(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watched.document("/healthz")[0] == 200
    monkeypatch.setattr(Heart, "silent_s", lambda _self: 31)
    status, told = watched.document("/healthz")
    assert (status, told["seconds_since_last_round"]) == (503, 31)
    watched.stopping.set()
    assert watched.document("/healthz")[0] == 200, "its loop has ended by order"


def test_other_paths_are_not_there(watched: Watched) -> None:
    assert watched.get("/")[0] == 404


def test_an_address_in_use_is_told_as_a_host_would(watched: Watched) -> None:
    health = watched.server
    with pytest.raises(HostError, match="Choose another address with --metrics"):
        HealthServer(health.address, None)  # type: ignore[arg-type] # never asked


def test_what_happens_on_the_lines_is_counted(watched: Watched, desk: Desk) -> None:
    header = desk.customs.close()
    answers = [RecordAnswer(code=ResponseCode.ACCEPTED)] * 3
    answers.append(RecordAnswer(code=ResponseCode.SUSPENDED))
    for event in (
        Listening(),
        ModemTrouble(reason="no certificate"),
        Secured(peer_name=TERMINAL),
        Secured(peer_name=TERMINAL),
        GroupTaken(terminal_id=TERMINAL, messages=4),
        PaymentsTaken(header=header, answers=answers, seconds=0.02),
        GroupAnswered(terminal_id=TERMINAL, messages=4),
        GroupTaken(terminal_id=TERMINAL, messages=1),
        BatchEnded(
            header=header,
            answer=ReconcileAnswer(
                code=ResponseCode.SUMS_DIFFER, posted=Total(), suspended=Total()
            ),
        ),
        ended(CallOutcome.SILENT),
    ):
        watched.metrics.on_event(SOMEBODY, event)
    found = watched.samples()
    assert found["raseed_line_up", NETWORK] == 1
    assert found["raseed_line_up", LINE] == 0
    assert found["raseed_calls_total", NETWORK, "not_secured"] == 1
    assert found["raseed_calls_total", NETWORK, "silent"] == 1
    assert found["raseed_calls_up",] == 1
    assert found["raseed_groups_under_way",] == 1
    assert found["raseed_payments_total", "accepted"] == 3
    assert found["raseed_payments_total", "suspended"] == 1
    assert found["raseed_posting_seconds_bucket", "0.01"] == 0
    assert found["raseed_posting_seconds_bucket", "0.03"] == 1
    assert found["raseed_batches_total", "sums_differ"] == 1


def test_what_the_books_say_is_read_anew_after_a_while(
    watched: Watched, desk: Desk
) -> None:
    watched.metrics.registry.register(
        BooksCollector(
            desk.store,
            clock=desk.clock,
            not_settled_hours=72,
            host_until=START + timedelta(days=100),
        )
    )
    age = ("raseed_terminal_not_settled_seconds", "SOHAR", TERMINAL)
    late = ("raseed_terminal_overdue", "SOHAR", TERMINAL)
    assert age not in watched.samples(), "it was never used"
    purse = desk.issue()
    desk.load(purse, 50_000)
    desk.customs.pay(purse, 1_000)
    desk.send()
    desk.clock.advance(seconds=14)
    assert age not in watched.samples(), "it is not read at every scrape"
    desk.clock.advance(seconds=1)
    found = watched.samples()
    assert (found[age], found[late]) == (15, 0)
    desk.clock.advance(hours=72)
    found = watched.samples()
    assert (found[age], found[late]) == (72 * 3600 + 15, 1)
    assert found["raseed_books_readable",] == 1
    assert found["raseed_payments_waiting",] == 0
    assert found["raseed_payments_waiting_seconds",] == 0
    receive(desk, purse)
    desk.clock.advance(seconds=60)
    found = watched.samples()
    assert found["raseed_payments_waiting",] == 1
    assert found["raseed_payments_waiting_seconds",] == 60


def receive(desk: Desk, purse: PaperPurse) -> None:
    """A payment that the bank has yet to post."""
    desk.customs.pay(purse, 1_000)
    header = desk.customs.close()
    desk.bank.begin_batch(header, desk.clock())
    behind = Bank(desk.store, desk.keys, groups_max=0)
    behind.take_payments(header, desk.customs.records, desk.clock())


def test_books_that_cannot_be_read_are_told_and_nothing_old_is(
    watched: Watched, desk: Desk
) -> None:
    collector = BooksCollector(
        desk.store,
        clock=desk.clock,
        not_settled_hours=72,
        host_until=START + timedelta(days=100),
    )
    watched.metrics.registry.register(collector)
    assert ("raseed_terminal_overdue", "SOHAR", TERMINAL) in watched.samples()
    desk.clock.advance(minutes=1)
    desk.store.close()
    desk.path.write_bytes(b"no database any more" * 500)
    found = watched.samples()
    assert found["raseed_books_readable",] == 0
    assert ("raseed_terminal_overdue", "SOHAR", TERMINAL) not in found
