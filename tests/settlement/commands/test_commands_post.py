"""``raseed-bank post-pending``, and a host that posts what waits by itself."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from settlement.bank import Bank
from settlement.commands.bank_post import posting_meanwhile
from tests.settlement.commands.paper_branch import issue

if TYPE_CHECKING:
    from settlement.messages import BatchHeader
    from tests.settlement.conftest import Desk as PaperDesk

    World = Any

WAIT_S = 20


@pytest.fixture
def received(branch: World, paper: PaperDesk) -> BatchHeader:
    """Two payments that the bank has received and has yet to post."""
    purse = issue(branch, paper)
    for amount_minor in (12_500, 700):
        paper.customs.pay(purse, amount_minor, at=paper.clock())
    header = paper.customs.close()
    behind = Bank(paper.store, paper.keys, groups_max=0)
    behind.begin_batch(header, paper.clock())
    behind.take_payments(header, paper.customs.records, paper.clock())
    return header


class Log:
    """Keeps what a host tells."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str, dict[str, object]]] = []
        self.spoke = threading.Event()

    def tell(self, event: str, told: str, *, level: str, **more: object) -> None:
        self.told.append((event, told, level, more))
        self.spoke.set()


@pytest.mark.usefixtures("received")
def test_what_waits_is_posted_and_told(branch: World, paper: PaperDesk) -> None:
    told = branch.bank("post-pending")
    assert told.exit_code == 0, told.output
    words = " ".join(told.output.split())
    assert "terminal T0000007 batch 1: 2 payments received before are posted" in words
    assert "Posted 2 payments of 1 batch" in words
    assert "Left nothing" in words
    document = branch.json(branch.bank("post-pending", "--json"))
    assert document == {
        "posted": [],
        "failed": [],
        "left": 0,
        "left_batches": 0,
        "left_since": None,
    }
    assert paper.found() == {}


@pytest.mark.usefixtures("received")
def test_what_waits_is_seen_among_the_batches(branch: World) -> None:
    words = " ".join(branch.bank("batches").output.split())
    assert "pending, 2 to be posted" in words
    one = ("batches", "--terminal", "T0000007", "--number", "1", "--json")
    shown = branch.json(branch.bank(*one))
    [batch] = shown["batches"]
    assert (batch["received"], batch["waiting"], batch["posted_count"]) == (2, 2, 0)
    assert [row["decision"] for row in shown["records"]] == ["received", "received"]


def test_what_cannot_be_posted_is_named_and_is_no_success(
    branch: World, paper: PaperDesk, received: BatchHeader
) -> None:
    paper.tamper("UPDATE staged SET balance_after_minor = balance_after_minor + 1")
    told = branch.bank("post-pending")
    assert told.exit_code == 1
    words = " ".join(told.output.split())
    assert "was changed in the database after it was received" in words
    assert "2 payments of 1 batch, since 2026-03-04" in words
    document = branch.json(branch.bank("post-pending", "--json"))
    [failed] = document["failed"]
    assert failed["batch"] == received.close.batch
    assert document["left"] == 2


@pytest.mark.usefixtures("received")
def test_a_host_posts_what_waits_by_itself(paper: PaperDesk) -> None:
    log: Any = Log()
    with posting_meanwhile(paper.bank.desk, log, paper.clock):
        assert log.spoke.wait(WAIT_S)
    [(event, told, level, more)] = log.told
    assert (event, level) == ("PendingPosted", "info")
    assert "2 payments received before are posted" in told
    assert (more["terminal"], more["batch"], more["count"]) == ("T0000007", 1, 2)
    assert paper.found() == {}
