"""Calls that somebody on the line ends in the name of the other side.

The link's frames prove nothing about their sender. Whoever holds the line can forge its
orderly end; only the farewell of TLS inside is the other side's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modem import session
from modem.errors import CallClosedError, CallLostError
from modem.events import Closed, Secured, Securing
from modem.framing import FrameDecoder, encode_frame
from modem.link_frames import (
    BARE_KINDS,
    OFFSET_MODULUS,
    Data,
    Disconnect,
    Hello,
    call_mark,
    encode,
    parse,
)
from modem.tls import TLSSession
from sim.modems.virtual import ModemPort

if TYPE_CHECKING:
    from collections.abc import Callable

    from modem.call_machine import CallMachine
    from tests.modem.conftest import CallWorld


class Overheard:
    """What one side says, read by someone in between."""

    def __init__(self) -> None:
        self._decoder = FrameDecoder(bare=BARE_KINDS)
        self.nonce = 0
        self.next_offset = 0

    def hear(self, data: bytes, other: Overheard) -> None:
        for byte in data:
            self._decoder.mark = self.mark_to(other)
            for content in self._decoder.receive_data(bytes((byte,))):
                match parse(content):
                    case Hello(nonce=nonce):
                        self.nonce = nonce
                    case Data(offset=offset, payload=payload):
                        self.next_offset = (offset + len(payload)) % OFFSET_MODULUS
                    case _:
                        pass

    def mark_to(self, other: Overheard) -> int:
        return call_mark(sender=self.nonce, receiver=other.nonce)


class Attacker(ModemPort):
    """Sits at the calling side's port, and at some point has the line for himself."""

    def __init__(self, world: CallWorld) -> None:
        super().__init__(world.exchange.near)
        self._near = Overheard()
        self._far = Overheard()
        self._has_line = False
        self._for_near = b""
        self._for_far = b""

    def take_line(self) -> None:
        """Nothing passes any more."""
        self._has_line = True

    def end_link(self, *, confirms: bool = False) -> None:
        """Tell both sides that the other one ends the link, or confirms its end."""
        self.take_line()
        self._for_near = self._forged(self._far, self._near, confirms=confirms)
        self._for_far = self._forged(self._near, self._far, confirms=False)

    def read(self, now_ms: int) -> bytes:
        data = super().read(now_ms)
        self._far.hear(data, self._near)
        if self._for_far:
            super().write(self._for_far, now_ms)
            self._for_far = b""
        if not self._has_line:
            return data
        data, self._for_near = self._for_near, b""
        return data

    def write(self, data: bytes, now_ms: int) -> None:
        self._near.hear(data, self._far)
        if not self._has_line:
            super().write(data, now_ms)

    @staticmethod
    def _forged(from_: Overheard, to: Overheard, *, confirms: bool) -> bytes:
        frame = Disconnect(next_offset=to.next_offset, confirms=confirms)
        return encode_frame(encode(frame), mark=from_.mark_to(to))


@pytest.fixture
def world(call_world: Callable[..., CallWorld]) -> CallWorld:
    return call_world()


@pytest.fixture
def attacker(world: CallWorld) -> Attacker:
    attacker = Attacker(world)
    world.use_near_port(attacker)
    return attacker


def assert_cut_short(machine: CallMachine, closed: object) -> None:
    assert type(machine.error) is CallLostError
    assert machine.error.reason == "it was cut short"
    assert closed == Closed(clean=False, reason="it was cut short")


def asked(world: CallWorld) -> None:
    world.secure()
    world.near.send(b"the last question")
    world.run_until(lambda: world.far_messages == [b"the last question"])


def answered(world: CallWorld) -> None:
    asked(world)
    world.far.send(b"the last answer")
    world.run_until(lambda: world.near_messages == [b"the last answer"])


def test_forged_end_before_the_last_answer_is_a_cut_to_both_sides(
    world: CallWorld, attacker: Attacker
) -> None:
    asked(world)
    attacker.end_link()
    world.run_until(lambda: world.near.done and world.far.done)
    assert_cut_short(world.near, world.near_events[-1])
    assert_cut_short(world.far, world.far_events[-1])


def test_forged_end_while_an_answer_is_under_way_is_a_cut_to_both_sides(
    world: CallWorld, attacker: Attacker
) -> None:
    asked(world)
    world.far.send(b"the last answer")
    attacker.take_line()
    # Taken off the line by the attacker, who knows from it what to confirm.
    world.run_until(lambda: not world.far.unsent_bytes)
    world.run_for(500)
    attacker.end_link()
    world.run_until(lambda: world.near.done and world.far.done)
    assert_cut_short(world.near, world.near_events[-1])
    assert_cut_short(world.far, world.far_events[-1])
    assert world.near_messages == []


def test_forged_end_after_the_last_answer_loses_only_the_farewell(
    world: CallWorld, attacker: Attacker
) -> None:
    answered(world)
    attacker.end_link()
    world.near.close()
    world.run_until(lambda: world.near.done and world.far.done)
    # Who asked for the end has all that it asked for; the other side cannot know.
    assert world.near.error is None
    assert world.near_events[-1] == Closed(clean=False, reason="ended on this side")
    assert_cut_short(world.far, world.far_events[-1])


def test_farewell_that_is_taken_off_the_line_is_missed_by_who_waits_for_it(
    world: CallWorld, attacker: Attacker
) -> None:
    answered(world)
    attacker.take_line()
    world.near.close()
    world.run_for(500)
    attacker.end_link(confirms=True)
    world.run_until(lambda: world.near.done and world.far.done)
    assert world.near.error is None
    assert_cut_short(world.far, world.far_events[-1])


def test_forged_end_within_the_handshake_secures_nothing(
    world: CallWorld, attacker: Attacker
) -> None:
    world.run_until(
        lambda: Securing() in world.near_events and Securing() in world.far_events
    )
    attacker.end_link()
    world.run_until(lambda: world.near.done and world.far.done)
    for machine, events in (
        (world.near, world.near_events),
        (world.far, world.far_events),
    ):
        assert_cut_short(machine, events[-1])
        assert not machine.secured
        assert not any(isinstance(event, Secured) for event in events)


@pytest.mark.parametrize("host_ends", [False, True], ids=["terminal", "host"])
def test_peer_that_ends_the_link_without_farewell_is_told_as_a_cut(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch, host_ends: bool
) -> None:
    monkeypatch.setattr(TLSSession, "close", lambda _self: None)
    answered(world)
    ends, other = (world.far, world.near) if host_ends else (world.near, world.far)
    ends.close()
    world.run_until(lambda: world.near.done and world.far.done)
    events = world.near_events if host_ends else world.far_events
    assert ends.error is None
    assert_cut_short(other, events[-1])


@pytest.mark.parametrize("host_ends", [False, True], ids=["terminal", "host"])
def test_farewell_within_a_message_is_told_as_a_cut(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch, host_ends: bool
) -> None:
    answered(world)
    monkeypatch.setattr(session, "frame_message", lambda message: message)
    ends, other = (world.far, world.near) if host_ends else (world.near, world.far)
    ends.send(b"\x00\x05half")
    ends.close()
    world.run_until(lambda: world.near.done and world.far.done)
    events = world.near_events if host_ends else world.far_events
    assert_cut_short(other, events[-1])


@pytest.mark.parametrize("host_ends", [False, True], ids=["terminal", "host"])
def test_farewell_between_messages_is_an_end_in_order(
    world: CallWorld, host_ends: bool
) -> None:
    answered(world)
    ends, other = (world.far, world.near) if host_ends else (world.near, world.far)
    ends.close()
    world.run_until(lambda: world.near.done and world.far.done)
    events = world.near_events if host_ends else world.far_events
    assert isinstance(other.error, CallClosedError)
    assert events[-1] == Closed(clean=True, reason="the other side has ended it")
