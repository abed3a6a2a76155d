"""Two hosts take the same batch at once: each payment is posted once, answers agree."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from settlement.audit_head import AuditHead
from settlement.check.bank import check_bank
from settlement.clearing import IncidentCode
from settlement.ledger import payee_account
from settlement.payment import BatchToUpload, PaymentKind
from settlement.upload import Collected
from tests.two_hosts import serve, take_batches

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.upload import UploadEvent

REVENUE = payee_account(PaymentKind.FEES, "SOHAR", 512)
BATCHES = 8
PAYMENTS = 5
AMOUNT = 10
ROUNDS = 2
"""How often the hosts meet in each batch: when it is new, and when it comes again."""


@pytest.fixture
def batches(desk: Any) -> list[BatchToUpload]:
    """Batches of five payments, each with an open record that the next one settles."""
    purse = desk.loaded_purse(100_000)
    made = []
    for number in range(1, BATCHES + 1):
        for _ in range(PAYMENTS):
            desk.customs.pay(purse, AMOUNT)
        item = desk.customs.begin(purse, 70)
        head = AuditHead(journal=b"JOURNAL1", entries=number, digest=bytes(32))
        made.append(desk.closed(item, head=head))
        desk.customs.next_batch()
    return made


def in_processes(desk: Any, batches: list[BatchToUpload]) -> list[list[UploadEvent]]:
    context = multiprocessing.get_context("spawn")
    meeting = context.Barrier(2)
    ends = [context.Pipe(duplex=False) for _ in range(2)]
    hosts = [
        context.Process(
            target=serve, args=(desk.path, batches, meeting, desk.clock(), far)
        )
        for _, far in ends
    ]
    for host, (_, far) in zip(hosts, ends, strict=True):
        host.start()
        far.close()
    try:
        return [near.recv() for near, _ in ends]
    finally:
        for host in hosts:
            host.join(60)
            host.kill()
        assert [host.exitcode for host in hosts] == [0, 0]


def in_threads(desk: Any, batches: list[BatchToUpload]) -> list[list[UploadEvent]]:
    meeting = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        hosts = [
            pool.submit(take_batches, desk.path, batches, meeting, desk.clock())
            for _ in range(2)
        ]
        return [host.result() for host in hosts]


@pytest.mark.parametrize("meet", [in_processes, in_threads])
def test_two_hosts_post_the_same_batch_once_and_answer_the_same(
    desk: Any,
    batches: list[BatchToUpload],
    meet: Callable[[Any, list[BatchToUpload]], list[list[UploadEvent]]],
) -> None:
    calls = [batch for batch in batches for _ in range(ROUNDS)]
    ours, theirs = meet(desk, calls)
    assert ours == theirs
    assert len(ours) == BATCHES * ROUNDS
    for batch, ended in zip(calls, ours, strict=True):
        assert isinstance(ended, Collected), ended
        assert ended.batch == batch.close.batch
        assert (ended.posted_count, ended.posted_sum) == (PAYMENTS, PAYMENTS * AMOUNT)
    assert desk.balance(REVENUE) == BATCHES * PAYMENTS * AMOUNT
    report = check_bank(desk.store, desk.keys)
    assert report.findings == ()
    assert (report.payments, report.batches) == (BATCHES * PAYMENTS, BATCHES)
    assert desk.incidents() == [IncidentCode.OUTCOME_OPEN] * BATCHES
    assert (report.incidents, report.incidents_closed) == (1, BATCHES - 1)
    with desk.store.read() as books:
        heads = books.heads.of_terminal("T0000007")
    assert [one.head.entries for one in heads] == list(range(1, BATCHES + 1))
