"""The soak of the bank, in small; and that it notices what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sim.nation.founding import connect, without_triggers
from sim.soak.run import Soak, run_soak

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL = Soak(
    terminals=24, payments=40, purses=400, hosts=3, kill_s=0.6, seed=7, with_check=True
)
TINY = Soak(
    terminals=2, payments=5, purses=4, hosts=1, kill_s=0.0, seed=7, with_check=False
)


def nothing(_words: str) -> None:
    """Nobody listens."""


def test_a_day_with_hosts_killed_posts_every_payment_once() -> None:
    told: list[str] = []
    outcome = run_soak(SMALL, told.append)
    assert outcome.violations == []
    assert outcome.kills > 0
    assert outcome.calls >= SMALL.terminals
    assert outcome.usage.files_max > 0
    assert outcome.usage.last_mb > 0
    assert "payments 960 of 24 terminals" in outcome.last_line()
    assert outcome.document()["soak"]["seed"] == 7
    assert told[0] == "founding a nation of 400 purses"


def changed(*statements: str) -> Callable[[str], None]:
    """Do that to the books past all rules."""

    def meddle(url: str) -> None:
        tables = ("payment", "record", "entry", "leg", "batch_collected", "incident")
        with connect(url) as connection, without_triggers(connection, tables):
            connection.execute("SET CONSTRAINTS ALL DEFERRED")
            for statement in statements:
                connection.execute(statement.encode())
            connection.commit()

    return meddle


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (
            ["DELETE FROM payment WHERE otc = 1"],
            "entries of payments that are not there",
        ),
        (
            [
                "CREATE TEMPORARY TABLE again AS SELECT * FROM payment LIMIT 1",
                "UPDATE again SET otc = otc + 100, tsn = tsn + 100",
                "INSERT INTO payment SELECT * FROM again",
            ],
            "payments without an entry",
        ),
        (
            ["UPDATE payment SET amount_minor = amount_minor + 1"],
            "it made",
        ),
        (
            ["UPDATE leg SET credit_minor = credit_minor + 1 WHERE number = 2"],
            "booked, ",
        ),
        (
            ["DELETE FROM leg", "DELETE FROM entry WHERE kind = 'payment'"],
            "payments without an entry",
        ),
        (["DELETE FROM batch_collected"], "batches that are not acknowledged"),
    ],
)
def test_books_that_are_wrong_are_noticed(statements: list[str], words: str) -> None:
    outcome = run_soak(TINY, nothing, meddle=changed(*statements))
    assert any(words in found for found in outcome.violations), outcome.violations
