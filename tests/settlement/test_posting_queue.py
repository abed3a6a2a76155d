"""Groups that wait together are stored together, and each by itself if need be."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from settlement.errors import BankUnavailableError, LedgerError
from settlement.ledger import Account
from settlement.posting_queue import TOGETHER_MAX, PostingQueue
from settlement.store.batches import IncidentRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from typing import Self

    from settlement.store.books import Books

    Desk = Any


DATABASES = ("sqlite", "postgresql")


class HeldTurn:
    """A turn that nobody gets before so many wait for it."""

    def __init__(self, wanted: int) -> None:
        self._all_wait = threading.Barrier(wanted)
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        self._all_wait.wait()
        self._turn.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._turn.release()


class Shelf:
    """Notes which groups were posted together; what each is answered."""

    def __init__(self) -> None:
        self.together: list[Sequence[int]] = []

    def post(self, groups: Sequence[int]) -> Sequence[str | Exception]:
        self.together.append(groups)
        return [
            LedgerError(f"not {group}") if group < 0 else f"posted {group}"
            for group in groups
        ]


def post_all(
    shelf: Shelf, groups: Sequence[int], post: Any = None
) -> dict[int, Future[str]]:
    """Have a thread post each of some groups, all of them waiting at once."""
    queue = PostingQueue[int, str](post or shelf.post, HeldTurn(len(groups)))
    with ThreadPoolExecutor(len(groups)) as lines:
        return {group: lines.submit(queue.post, group) for group in groups}


def test_what_waits_is_posted_together() -> None:
    shelf = Shelf()
    answers = post_all(shelf, range(5))
    assert [sorted(together) for together in shelf.together] == [[0, 1, 2, 3, 4]]
    assert {group: one.result() for group, one in answers.items()} == {
        group: f"posted {group}" for group in range(5)
    }


def test_no_transaction_grows_without_end() -> None:
    shelf = Shelf()
    answers = post_all(shelf, range(TOGETHER_MAX + 2))
    assert [len(together) for together in shelf.together] == [TOGETHER_MAX, 2]
    assert answers[TOGETHER_MAX].result() == f"posted {TOGETHER_MAX}"


def test_the_error_of_one_group_is_told_to_its_own_line() -> None:
    answers = post_all(Shelf(), [1, -2, 3])
    assert answers[1].result() == "posted 1"
    assert answers[3].result() == "posted 3"
    with pytest.raises(LedgerError, match="not -2"):
        answers[-2].result()


def test_a_database_that_is_gone_is_told_to_all() -> None:
    def gone(_: Sequence[int]) -> Sequence[str]:
        raise BankUnavailableError("locked")

    for one in post_all(Shelf(), [1, 2, 3], gone).values():
        with pytest.raises(BankUnavailableError, match="locked"):
            one.result()


def test_nobody_waits_for_a_thread_that_was_ended() -> None:
    def ended(_: Sequence[int]) -> Sequence[str]:
        raise KeyboardInterrupt

    raised = [
        type(one.exception()) for one in post_all(Shelf(), [1, 2, 3], ended).values()
    ]
    assert sorted(kind.__name__ for kind in raised) == [
        "BankUnavailableError",
        "BankUnavailableError",
        "KeyboardInterrupt",
    ]


def note(books: Books, text: str, desk: Desk) -> int:
    row = IncidentRow(code="test", text=text, at=desk.clock())
    return books.batches.add_incident(row)


def test_work_that_fails_leaves_no_trace_and_hurts_no_other(desk: Desk) -> None:
    def fail(books: Books) -> int:
        note(books, "by the one that fails", desk)
        books.ledger.open_account(Account.suspense(840), "suspense", desk.clock())
        raise LedgerError("a rule was broken")

    def break_a_rule(books: Books) -> int:
        note(books, "by the one that the database stops", desk)
        books.batches.close_incident(999, "there is none", desk.clock())
        books.batches.close_incident(999, "twice", desk.clock())
        return 0

    first, second, third, fourth = desk.store.write_together(
        [
            lambda books: note(books, "first", desk),
            fail,
            break_a_rule,
            lambda books: note(books, "last", desk),
        ],
        lambda books: books.holds.customs_cards([]),
    )
    assert (first, fourth) == (1, 2)
    assert isinstance(second, LedgerError)
    assert isinstance(third, LedgerError)
    with desk.store.read() as books:
        assert [row.text for row in books.batches.incidents()] == ["first", "last"]
        assert books.ledger.account(Account.suspense(840)) is None


def test_a_mistake_in_one_group_is_raised_by_its_own_call_only(desk: Desk) -> None:
    purse = desk.loaded_purse(10_000)
    good = desk.customs.pay(purse, 100)
    header = desk.customs.close()
    now = desk.clock()
    desk.bank.begin_batch(header, now)
    with pytest.raises(TypeError):
        desk.bank.take_payments(header, [good], now=None)
    (answer,) = desk.bank.take_payments(header, [good], now)
    assert answer.code == "00"
