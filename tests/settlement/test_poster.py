"""Posting what was received first: in rounds, by any number, failures told once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from settlement.bank import Bank
from settlement.errors import BankUnavailableError
from settlement.poster import Posted, Poster, PosterEvent, PostingFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from settlement.messages import BatchHeader

    Desk = Any

WAIT_S = 20


class Room:
    """A poster and what it has told."""

    def __init__(self, desk: Desk) -> None:
        self.told: list[PosterEvent] = []
        self.poster = Poster(desk.bank.desk, clock=desk.clock, tell=self.told.append)

    @property
    def posted(self) -> list[tuple[int, int]]:
        """Batch and count of each that was told as posted."""
        return [
            (event.header.close.batch, event.count)
            for event in self.told
            if isinstance(event, Posted)
        ]

    @property
    def failed(self) -> list[str]:
        return [one.reason for one in self.told if isinstance(one, PostingFailed)]


@pytest.fixture
def room(desk: Desk) -> Room:
    return Room(desk)


def receive(desk: Desk, counts: Sequence[int]) -> list[BatchHeader]:
    """Batches of so many payments each, received and not posted."""
    behind = Bank(desk.store, desk.keys, groups_max=0)
    purse = desk.loaded_purse()
    headers = []
    for count in counts:
        for amount in range(1, count + 1):
            desk.customs.pay(purse, amount)
        header = desk.customs.close()
        behind.begin_batch(header, desk.clock())
        behind.take_payments(header, desk.customs.records, desk.clock())
        headers.append(header)
        desk.customs.next_batch()
        desk.clock.advance(minutes=1)
    return headers


def waiting(desk: Desk) -> int:
    with desk.store.read() as books:
        count: int = books.staged.sum().payments
    return count


def test_a_round_posts_what_waits_the_oldest_first(desk: Desk, room: Room) -> None:
    receive(desk, [3, 1, 2])
    assert room.poster.make_round() == 6
    assert room.posted == [(1, 3), (2, 1), (3, 2)]
    assert room.poster.make_round() == 0
    assert len(room.told) == 3
    assert (waiting(desk), desk.found()) == (0, {})


def test_nothing_is_added_to_a_desk_that_is_behind(desk: Desk) -> None:
    receive(desk, [2])
    desk.bank = Bank(desk.store, desk.keys, groups_max=1)
    room = Room(desk)
    with desk.bank.desk.counted():
        assert room.poster.make_round() == 0
    assert room.told == []
    assert room.poster.make_round() == 2


def test_a_batch_that_cannot_be_posted_is_told_once_and_holds_up_no_other(
    desk: Desk, room: Room
) -> None:
    first, _ = receive(desk, [2, 2])
    change = "UPDATE staged SET balance_after_minor = balance_after_minor + {} {}"
    of_first = f"WHERE batch = {first.close.batch} AND stan = 1"
    desk.tamper(change.format(1, of_first))
    for _ in range(2):
        room.poster.make_round()
    assert room.posted == [(2, 2)]
    [reason] = room.failed
    assert "batch 1 of terminal" in reason
    assert "no money has moved" in reason
    desk.tamper(change.format(-1, of_first))
    assert room.poster.make_round() == 2
    assert room.posted == [(2, 2), (1, 2)]
    assert desk.found() == {}


def test_books_that_cannot_be_read_are_told_once_and_asked_again(
    desk: Desk, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(desk, [1])

    def unavailable(_limit: int) -> list[BatchHeader]:
        raise BankUnavailableError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(desk.bank.desk, "waiting", unavailable)
        for _ in range(3):
            assert room.poster.make_round() == 0
    assert room.failed == ["the disk is full"]
    assert room.poster.make_round() == 1


def test_told_to_stop_it_ends_after_the_batch_that_it_has_begun(desk: Desk) -> None:
    receive(desk, [1, 1])
    stop = threading.Event()
    told: list[PosterEvent] = []

    def tell(event: PosterEvent) -> None:
        told.append(event)
        stop.set()

    poster = Poster(desk.bank.desk, clock=desk.clock, tell=tell)
    thread = threading.Thread(target=poster.run, args=(stop,))
    thread.start()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    assert len(told) == 1
    assert waiting(desk) == 1


def test_what_nobody_foresaw_is_told_and_posting_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(desk, [1])
    stop = threading.Event()
    told: list[PosterEvent] = []
    right = desk.bank.desk.waiting

    def wrong_once(limit: int) -> list[BatchHeader]:
        monkeypatch.setattr(desk.bank.desk, "waiting", right)
        raise ZeroDivisionError("a bug")

    def tell(event: PosterEvent) -> None:
        told.append(event)
        if isinstance(event, Posted):
            stop.set()

    monkeypatch.setattr(desk.bank.desk, "waiting", wrong_once)
    poster = Poster(desk.bank.desk, clock=desk.clock, tell=tell)
    thread = threading.Thread(target=poster.run, args=(stop, 0.01))
    thread.start()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    first, second = told
    assert isinstance(first, PostingFailed)
    assert first.reason.startswith("ZeroDivisionError: a bug. It waits on")
    assert isinstance(second, Posted)
