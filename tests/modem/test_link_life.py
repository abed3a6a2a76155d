"""How links open, end and break."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modem.framing import encode_frame
from modem.link import Link
from modem.link_frames import Control, Data, Hello, Kind, encode
from modem.link_state import (
    LinkCause,
    LinkClosed,
    LinkLost,
    LinkOpened,
    LinkState,
    next_state,
)
from sim.modems.line import LineSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from modem.link_frames import LinkFrame
    from tests.modem.conftest import LinkWorld


def new_link() -> Link:
    return Link(nonce=1, line_rate_bps=9_600, now_ms=0)


def line_bytes(*frames: LinkFrame) -> bytes:
    return b"".join(encode_frame(encode(frame)) for frame in frames)


def test_both_ends_open_within_a_round_trip(
    link_world: Callable[..., LinkWorld],
) -> None:
    world = link_world(LineSettings(delay_ms=100))
    took_ms = world.run_until(lambda: bool(world.near_events and world.far_events))
    assert world.near_events == world.far_events == [LinkOpened()]
    assert took_ms < 300


def test_close_delivers_everything_first(link_world: Callable[..., LinkWorld]) -> None:
    world = link_world(LineSettings(bit_error_rate=1e-4))
    world.open()
    world.near.send(bytes(3_000))
    world.near.close()
    world.run_until(lambda: bool(world.near_events and world.far_events))
    assert len(world.far_data) == 3_000
    assert world.near_events == [LinkClosed(clean=True, by_peer=False)]
    assert world.far_events == [LinkClosed(clean=True, by_peer=True)]


def test_both_may_close_at_once(link_world: Callable[..., LinkWorld]) -> None:
    world = link_world(LineSettings())
    world.open()
    world.near.close()
    world.far.close()
    world.run_until(lambda: bool(world.near_events and world.far_events))
    for events in (world.near_events, world.far_events):
        assert isinstance(events[0], LinkClosed)
        assert events[0].clean


def test_close_by_peer_with_data_waiting_is_not_clean(
    link_world: Callable[..., LinkWorld],
) -> None:
    world = link_world(LineSettings())
    world.open()
    world.far.send(bytes(10_000))
    world.near.close()
    world.run_until(lambda: bool(world.far_events))
    assert world.far_events == [LinkClosed(clean=False, by_peer=True)]


def test_link_takes_no_data_after_close() -> None:
    link = new_link()
    link.close()
    assert link.next_event() == LinkClosed(clean=True, by_peer=False)
    with pytest.raises(RuntimeError, match="no more data"):
        link.send(b"late")


def test_nobody_at_the_other_end_is_noticed() -> None:
    link = new_link()
    now_ms = 0
    while (event := link.next_event()) is None:
        deadline_ms = link.deadline_ms()
        assert deadline_ms is not None
        now_ms = max(now_ms, deadline_ms)
        link.on_timer(now_ms)
        link.data_to_send(now_ms)
    assert isinstance(event, LinkLost)
    assert "no answer" in event.reason
    assert now_ms <= 21_000
    assert link.deadline_ms() is None


def test_cut_line_is_noticed_by_both_ends(link_world: Callable[..., LinkWorld]) -> None:
    world = link_world(LineSettings())
    world.open()
    world.near.send(bytes(5_000))
    world.run_until(lambda: len(world.far_data) > 1_000)
    world.cut = True
    took_ms = world.run_until(lambda: bool(world.near_events and world.far_events))
    assert took_ms <= 30_000
    for events in (world.near_events, world.far_events):
        assert events == [LinkLost(reason="the line has gone silent")]


def test_cut_while_waiting_for_the_last_confirmation_counts_as_closed(
    link_world: Callable[..., LinkWorld],
) -> None:
    world = link_world(LineSettings())
    world.open()
    world.near.close()
    world.run_until(lambda: world.near.state is LinkState.DISCONNECTING)
    world.cut = True
    world.run_until(lambda: bool(world.near_events))
    assert world.near_events == [LinkClosed(clean=True, by_peer=False)]


def test_carrier_loss_ends_the_link_at_once(
    link_world: Callable[..., LinkWorld],
) -> None:
    world = link_world(LineSettings())
    world.open()
    world.near.line_lost("the modem reports NO CARRIER")
    assert world.near.next_event() == LinkLost(reason="the modem reports NO CARRIER")
    assert world.near.data_to_send(world.now_ms) == b""


def test_frames_of_an_earlier_call_open_nothing() -> None:
    link = new_link()
    stale = (
        Hello(nonce=9, heard=0xDEAD),
        Data(sequence=0, acknowledgement=0, payload=b"old"),
        Control(kind=Kind.DISC, acknowledgement=3),
    )
    link.receive_data(line_bytes(*stale), 10)
    assert link.next_event() is None
    assert link.state is LinkState.OPENING


def test_data_shows_that_the_lost_welcome_was_meant_for_us() -> None:
    link = new_link()
    data = Data(sequence=0, acknowledgement=0, payload=b"new")
    link.receive_data(line_bytes(Hello(nonce=9), data), 10)
    assert link.next_event() == LinkOpened()


def test_peer_that_starts_over_ends_the_link() -> None:
    link = new_link()
    link.receive_data(line_bytes(Hello(nonce=9), Hello(nonce=9, heard=1)), 10)
    assert link.next_event() == LinkOpened()
    link.receive_data(line_bytes(Hello(nonce=10)), 20)
    assert link.next_event() == LinkLost(reason="the other side has started over")


def test_repeated_data_is_delivered_once_and_acknowledged_again() -> None:
    link = new_link()
    data = Data(sequence=0, acknowledgement=0, payload=b"once")
    link.receive_data(line_bytes(Hello(nonce=9), data, data), 10)
    assert isinstance(link.next_event(), LinkOpened)
    assert link.next_event() is not None
    assert link.next_event() is None


def test_gap_is_rejected_once() -> None:
    link = new_link()
    ahead = [
        Data(sequence=number, acknowledgement=0, payload=b"x") for number in range(1, 6)
    ]
    link.receive_data(line_bytes(Hello(nonce=9), Hello(nonce=9, heard=1)), 0)
    while link.data_to_send(1_000_000):
        pass
    sent = b""
    for number, frame in enumerate(ahead):
        link.receive_data(line_bytes(frame), 2_000_000 + number)
        sent += link.data_to_send(2_000_000 + number)
    assert sent.count(line_bytes(Control(kind=Kind.REJECT, acknowledgement=0))) == 1


@pytest.mark.parametrize("state", list(LinkState), ids=lambda state: state.name)
@pytest.mark.parametrize("cause", list(LinkCause), ids=lambda cause: cause.name)
def test_steps_are_in_the_table_or_raise(state: LinkState, cause: LinkCause) -> None:
    try:
        following = next_state(state, cause)
    except KeyError:
        return
    assert following is not state


@given(st.lists(st.binary(max_size=50), max_size=30), st.booleans())
def test_any_bytes_in_frames_never_raise(
    contents: list[bytes],
    opened: bool,
) -> None:
    link = new_link()
    link.send(b"something to lose")
    if opened:
        link.receive_data(line_bytes(Hello(nonce=9), Hello(nonce=9, heard=1)), 0)
    for now_ms, content in enumerate(contents):
        link.receive_data(encode_frame(b"\x00" + content)[:-1] + content, now_ms)
        link.receive_data(encode_frame(content or b"\x06"), now_ms)
        link.on_timer(now_ms)
        link.data_to_send(now_ms)
        while link.next_event() is not None:
            pass
