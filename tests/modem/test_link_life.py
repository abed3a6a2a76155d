"""How links open, end and break."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modem.framing import encode_frame
from modem.link import Link
from modem.link_frames import (
    Ack,
    Data,
    Disconnect,
    Hello,
    Ping,
    call_mark,
    encode,
)
from modem.link_receive import RECEIVE_BYTES_MAX
from modem.link_state import (
    DataReceived,
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


OURS, THEIRS = 1, 9


def new_link() -> Link:
    return Link(nonce=OURS, line_rate_bps=9_600, now_ms=0)


def line_bytes(*frames: LinkFrame, theirs: int = THEIRS) -> bytes:
    """What the other side says in a call with ``new_link``."""
    mark = call_mark(sender=theirs, receiver=OURS)
    return b"".join(
        encode_frame(encode(frame), mark=0 if isinstance(frame, Hello) else mark)
        for frame in frames
    )


def said(link: Link, now_ms: int) -> bytes:
    """All that the link has to say, on a line that is free at once."""
    return b"".join(iter(lambda: link.data_to_send(now_ms), b""))


def our_bytes(*frames: LinkFrame) -> bytes:
    mark = call_mark(sender=OURS, receiver=THEIRS)
    return b"".join(encode_frame(encode(frame), mark=mark)[1:] for frame in frames)


def opened_link() -> Link:
    link = new_link()
    link.receive_data(
        line_bytes(Hello(nonce=THEIRS), Hello(nonce=THEIRS, heard=OURS)), 0
    )
    assert link.next_event() == LinkOpened()
    said(link, 0)
    return link


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
    world.die()
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
    world.die()
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
        Hello(nonce=THEIRS, heard=0xDEAD),
        Data(offset=0, payload=b"old"),
        Disconnect(next_offset=3),
    )
    link.receive_data(line_bytes(*stale), 10)
    assert link.next_event() is None
    assert link.state is LinkState.OPENING


@pytest.mark.parametrize(
    "stale",
    [
        pytest.param(Data(offset=0, payload=b"old"), id="data"),
        pytest.param(Ack(heard=0, next_offset=0), id="ack"),
        pytest.param(Ping(number=1), id="ping"),
        pytest.param(Disconnect(next_offset=0), id="disc"),
    ],
)
def test_frames_of_an_earlier_call_say_nothing_in_the_next(stale: LinkFrame) -> None:
    link = opened_link()
    link.receive_data(line_bytes(stale, theirs=8), 10)
    assert link.next_event() is None
    assert link.state is LinkState.OPEN
    assert said(link, 10_000) == b""
    assert link.statistics.frames_damaged == 1


def test_echo_of_a_modem_opens_nothing_and_says_nothing() -> None:
    link = new_link()
    for now_ms in range(0, 3_000, 100):
        link.on_timer(now_ms)
        link.receive_data(link.data_to_send(now_ms), now_ms)
    assert link.state is LinkState.OPENING
    assert link.next_event() is None


def test_echo_on_an_open_link_is_damage(link_world: Callable[..., LinkWorld]) -> None:
    world = link_world(LineSettings())
    world.open()
    world.near.send(b"once")
    sent = world.near.data_to_send(world.now_ms)
    world.near.receive_data(sent, world.now_ms)
    assert world.near.next_event() is None
    assert world.near.statistics.frames_damaged == 1


def test_data_shows_that_the_lost_welcome_was_meant_for_us() -> None:
    link = new_link()
    link.receive_data(line_bytes(Hello(nonce=THEIRS)), 10)
    assert link.state is LinkState.OPENING
    link.receive_data(line_bytes(Data(offset=0, payload=b"new")), 20)
    assert link.next_event() == LinkOpened()
    assert link.next_event() == DataReceived(data=b"new")


def test_peer_that_starts_over_ends_the_link() -> None:
    link = opened_link()
    link.receive_data(line_bytes(Hello(nonce=10)), 20)
    assert link.next_event() == LinkLost(reason="the other side has started over")


def test_repeated_data_is_delivered_once_and_acknowledged_again() -> None:
    link = opened_link()
    data = line_bytes(Data(offset=0, payload=b"once"))
    for now_ms in (1_000, 2_000):
        link.receive_data(data, now_ms)
        assert said(link, now_ms).endswith(our_bytes(Ack(heard=0, next_offset=4)))
    assert link.next_event() == DataReceived(data=b"once")
    assert link.next_event() is None


def test_every_ack_tells_all_that_is_held() -> None:
    link = opened_link()
    for now_ms, offset in ((1_000, 10), (2_000, 20), (3_000, 14)):
        link.receive_data(line_bytes(Data(offset=offset, payload=b"abcd")), now_ms)
    held = Ack(heard=0, next_offset=0, held=((10, 8), (2, 4)))
    assert said(link, 3_000).endswith(our_bytes(held))
    link.receive_data(line_bytes(Data(offset=0, payload=bytes(20))), 4_000)
    assert said(link, 4_000).endswith(our_bytes(Ack(heard=0, next_offset=24)))


def test_ping_is_answered_by_its_number() -> None:
    link = opened_link()
    link.receive_data(line_bytes(Ping(number=77)), 1_000)
    assert said(link, 1_000).endswith(our_bytes(Ack(heard=77, next_offset=0)))


def test_later_frame_acknowledged_has_the_lost_one_repeated_at_once() -> None:
    link = opened_link()
    for now_ms in (1_000, 2_000, 3_000):
        link.send(bytes(100))
        assert said(link, now_ms)
    later = Ack(heard=0, next_offset=0, held=((100, 100),))
    link.receive_data(line_bytes(later), 4_000)
    assert link.statistics.frames_resent == 0
    assert our_bytes(Data(offset=0, payload=bytes(100))) in said(link, 4_000)
    assert link.statistics.frames_resent == 1


def test_nothing_is_repeated_only_because_time_passes() -> None:
    link = opened_link()
    link.send(bytes(100))
    said(link, 1_000)
    for now_ms in range(1_000, 20_000, 100):
        link.on_timer(now_ms)
        link.data_to_send(now_ms)
    assert link.statistics.frames_resent == 0
    assert link.state is LinkState.OPEN


def test_answer_to_a_ping_tells_that_the_last_frame_was_lost() -> None:
    link = opened_link()
    link.send(bytes(100))
    said(link, 1_000)
    deadline_ms = link.deadline_ms()
    assert deadline_ms is not None
    link.on_timer(deadline_ms)
    assert our_bytes(Ping(number=1)) in said(link, deadline_ms)
    link.receive_data(line_bytes(Ack(heard=1, next_offset=0)), deadline_ms + 200)
    again = our_bytes(Data(offset=0, payload=bytes(100)))
    assert again in said(link, deadline_ms + 200)


@pytest.mark.parametrize(
    "ack",
    [
        pytest.param(Ack(heard=0, next_offset=101), id="more-than-was-sent"),
        pytest.param(Ack(heard=0, next_offset=0x7FFF), id="before-the-first"),
        pytest.param(Ack(heard=0, next_offset=50, held=((30, 30),)), id="held-unsent"),
        pytest.param(Ack(heard=5, next_offset=0), id="ping-never-sent"),
    ],
)
def test_ack_that_cannot_be_right_changes_nothing(ack: Ack) -> None:
    link = opened_link()
    link.send(bytes(100))
    said(link, 1_000)
    link.receive_data(line_bytes(ack), 1_500)
    assert link.unacknowledged_bytes == 100
    assert said(link, 1_500) == b""


def test_peer_cannot_make_the_link_hold_more_than_its_limits() -> None:
    link = opened_link()
    for offset in range(1, 31_000, 1_000):
        link.receive_data(line_bytes(Data(offset=offset, payload=bytes(999))), 1)
    assert link.next_event() is None
    taken = 0
    for offset in range(0, 200_000, 1_000):
        frame = Data(offset=offset % 0x8000, payload=bytes(1_000))
        link.receive_data(line_bytes(frame), offset)
    while (event := link.next_event()) is not None:
        assert isinstance(event, DataReceived)
        taken += len(event.data)
    assert 65_536 < taken < 65_536 + RECEIVE_BYTES_MAX + 1_000
    link.receive_data(line_bytes(Data(offset=taken % 0x8000, payload=b"more")), 1)
    assert link.next_event() == DataReceived(data=b"more")


@pytest.mark.parametrize("deaf", ["near", "far"])
def test_line_cut_in_one_direction_is_noticed_by_both_ends(
    link_world: Callable[..., LinkWorld], deaf: str
) -> None:
    world = link_world(LineSettings())
    world.open()
    wire = world.down if deaf == "near" else world.up

    def both_lost() -> bool:
        wire.clear()
        return bool(world.near_events and world.far_events)

    took_ms = world.run_until(both_lost)
    assert took_ms <= 45_000
    silent, unheard = world.near_events, world.far_events
    if deaf == "far":
        silent, unheard = unheard, silent
    assert silent == [LinkLost(reason="the line has gone silent")]
    assert unheard == [LinkLost(reason="the other side does not hear this one")]


def test_slow_line_is_not_taken_for_a_cut_one(
    link_world: Callable[..., LinkWorld],
) -> None:
    slow = LineSettings(rate_bps=1_200, delay_ms=3_000)
    world = link_world(slow, told_rate_bps=9_600)
    world.open()
    world.near.send(bytes(4_000))
    world.far.send(bytes(4_000))
    world.run_until(lambda: len(world.near_data) == len(world.far_data) == 4_000)
    world.run_for(600_000)
    assert not world.near_events
    assert not world.far_events


@pytest.mark.parametrize("state", list(LinkState), ids=lambda state: state.name)
@pytest.mark.parametrize("cause", list(LinkCause), ids=lambda cause: cause.name)
def test_steps_are_in_the_table_or_raise(state: LinkState, cause: LinkCause) -> None:
    try:
        following = next_state(state, cause)
    except KeyError:
        return
    assert following is not state


@given(st.lists(st.binary(max_size=50), max_size=30), st.booleans())
def test_any_bytes_in_frames_never_raise(contents: list[bytes], opened: bool) -> None:
    link = opened_link() if opened else new_link()
    link.send(b"something to lose")
    mark = call_mark(sender=THEIRS, receiver=OURS)
    for now_ms, content in enumerate(contents):
        link.receive_data(encode_frame(b"\x00" + content)[:-1] + content, now_ms)
        link.receive_data(encode_frame(content or b"\x06", mark=mark), now_ms)
        link.on_timer(now_ms)
        link.data_to_send(now_ms)
        while link.next_event() is not None:
            pass
