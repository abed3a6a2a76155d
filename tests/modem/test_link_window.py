"""What is sent again, when, and what a round trip is taken from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modem.framing import FrameDecoder, encode_frame
from modem.link import Link
from modem.link_frames import (
    Ack,
    Data,
    Hello,
    LinkFrame,
    Ping,
    call_mark,
    encode,
    parse,
)
from modem.link_pace import HandedOut
from modem.link_window import SendWindow
from sim.modems.line import LineSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.modem.conftest import LinkWorld

OURS, THEIRS = 1, 2
OUR_MARK = call_mark(sender=OURS, receiver=THEIRS)
THEIR_MARK = call_mark(sender=THEIRS, receiver=OURS)


def frame_at(position: int) -> HandedOut:
    return HandedOut(position=position, size=107, handed_ms=0, free_ms=100)


def window_with_three_pieces() -> SendWindow:
    window = SendWindow(frame_bytes_max=1_000)
    window.queue(bytes(range(150)) * 2)
    for number in range(3):
        piece = window.next_piece(100)
        window.handed_out(*piece, frame_at(107 * (number + 1)), 0)
    return window


def opened_link() -> Link:
    link = Link(nonce=OURS, line_rate_bps=9_600, now_ms=0)
    for hello in (Hello(nonce=THEIRS), Hello(nonce=THEIRS, heard=OURS)):
        link.receive_data(encode_frame(encode(hello)), 0)
    link.data_to_send(0)
    return link


def hears(link: Link, frame: LinkFrame, now_ms: int) -> None:
    link.receive_data(encode_frame(encode(frame), mark=THEIR_MARK), now_ms)


def says(link: Link, now_ms: int) -> list[LinkFrame]:
    decoder = FrameDecoder()
    decoder.mark = OUR_MARK
    contents = decoder.receive_data(link.data_to_send(now_ms))
    return [frame for frame in map(parse, contents) if frame is not None]


def test_what_stands_before_an_arrived_frame_is_lost_and_nothing_else() -> None:
    window = window_with_three_pieces()
    position, _ = window.acknowledge(
        Ack(heard=0, next_offset=0, held=((100, 100),)), 500
    )
    window.lost_before(position)
    assert window.next_piece(1_000) == (0, 100)
    assert not window.has_next()


def test_what_was_lost_is_cut_anew_with_its_neighbours() -> None:
    window = window_with_three_pieces()
    position, _ = window.acknowledge(
        Ack(heard=0, next_offset=0, held=((200, 100),)), 500
    )
    window.lost_before(position)
    pieces = [window.next_piece(64) for _ in range(4)]
    assert pieces == [(0, 64), (64, 128), (128, 192), (192, 200)]
    assert window.data(64, 128).payload == (bytes(range(150)) * 2)[64:128]


def test_repeat_that_is_lost_as_well_is_noticed_by_what_came_after_it() -> None:
    window = window_with_three_pieces()
    first, _ = window.acknowledge(Ack(heard=0, next_offset=0, held=((100, 100),)), 500)
    window.lost_before(first)
    window.handed_out(*window.next_piece(100), frame_at(428), 600)
    then, _ = window.acknowledge(Ack(heard=0, next_offset=0, held=((100, 200),)), 700)
    window.lost_before(then)
    # The third piece went out before the repeat, and says nothing of it.
    assert not window.has_next()
    window.lost_before(429)
    assert window.next_piece(100) == (0, 100)


def test_late_piece_that_was_taken_for_lost_is_not_sent_again() -> None:
    window = window_with_three_pieces()
    position, _ = window.acknowledge(
        Ack(heard=0, next_offset=0, held=((200, 100),)), 500
    )
    window.lost_before(position)
    window.acknowledge(Ack(heard=0, next_offset=0, held=((50, 250),)), 600)
    assert window.next_piece(1_000) == (0, 50)
    window.acknowledge(Ack(heard=0, next_offset=300), 700)
    assert not window.has_next()
    assert not window.kept_bytes


def test_round_trip_is_not_taken_from_a_repeat() -> None:
    window = window_with_three_pieces()
    position, frame = window.acknowledge(
        Ack(heard=0, next_offset=0, held=((100, 100),)), 500
    )
    assert frame == frame_at(214)
    window.lost_before(position)
    window.handed_out(*window.next_piece(100), frame_at(428), 600)
    _, frame = window.acknowledge(Ack(heard=0, next_offset=200), 700)
    assert frame is None


def test_gap_is_told_before_own_data() -> None:
    link = opened_link()
    link.send(bytes(5_000))
    assert [type(frame) for frame in says(link, 1_000)] == [Data]
    hears(link, Data(offset=10, payload=b"early"), 1_100)
    frames = says(link, 2_000)
    assert frames[0] == Ack(heard=0, next_offset=0, held=((10, 5),))
    assert isinstance(frames[-1], Data)


def test_data_without_a_gap_waits_for_one_own_frame_at_most() -> None:
    link = opened_link()
    link.send(bytes(5_000))
    says(link, 1_000)
    hears(link, Data(offset=0, payload=b"in order"), 1_100)
    kinds = [type(says(link, now_ms)[0]) for now_ms in (2_000, 3_000)]
    assert kinds == [Data, Ack]


@pytest.mark.parametrize(
    ("bit_error_rate", "kinds"),
    [
        pytest.param(0.0, [Data], id="clean"),
        pytest.param(3e-4, [Data, Data, Ping], id="bad"),
    ],
)
def test_end_of_a_stream_goes_twice_and_is_asked_after_at_once_on_a_bad_line(
    link_world: Callable[..., LinkWorld],
    bit_error_rate: float,
    kinds: list[type[LinkFrame]],
) -> None:
    world = link_world(LineSettings(bit_error_rate=bit_error_rate))
    world.near.send(bytes(10_000))
    world.run_until(world.all_known_at_near())
    world.run_for(1_000)
    world.near.send(b"the end" * 5)
    # No longer than until an answer could come.
    later_ms = (0, 60, 120)
    line = b"".join(world.near.data_to_send(world.now_ms + ms) for ms in later_ms)
    decoder = FrameDecoder()
    decoder.mark = call_mark(sender=0x11111111, receiver=0x22222222)
    frames = [parse(one) for one in decoder.receive_data(line)]
    assert [type(frame) for frame in frames] == kinds
    assert len({frame for frame in frames if isinstance(frame, Data)}) == 1
