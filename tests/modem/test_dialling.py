"""Dialling and answering between two simulated modems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modem.dial_plan import DialPlan
from modem.errors import (
    BusyError,
    CallStoppedError,
    DialError,
    ModemSilentError,
    NoAnswerError,
    NoCarrierError,
    NoDialToneError,
    NumberRefusedError,
)
from modem.events import (
    Connected,
    DialFailed,
    Dialling,
    Ringing,
    WaitingForCall,
)
from modem.result_codes import ResultCode
from sim.modems.exchange import ExchangeSettings, Outcome
from sim.modems.virtual import ModemPort

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.modem.conftest import CallWorld

ONCE = DialPlan(numbers=("5551234",), rounds=1)


def test_call_comes_about(call_world: Callable[..., CallWorld]) -> None:
    world = call_world()
    world.secure()
    assert world.near_events[:2] == [
        Dialling(number="5551234", attempt=1),
        Connected(rate_bps=9_600),
    ]
    assert world.far_events[:3] == [
        WaitingForCall(),
        Ringing(),
        Connected(rate_bps=9_600),
    ]


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        pytest.param(Outcome.BUSY, BusyError, id="busy"),
        pytest.param(Outcome.NO_ANSWER, NoAnswerError, id="no-answer"),
        pytest.param(Outcome.NO_CARRIER, NoCarrierError, id="no-carrier"),
        pytest.param(Outcome.NO_DIALTONE, NoDialToneError, id="no-dialtone"),
    ],
)
def test_failed_dialling_is_told_by_its_cause(
    call_world: Callable[..., CallWorld], outcome: Outcome, error: type[DialError]
) -> None:
    world = call_world(script=[outcome], plan=ONCE)
    world.run_until(lambda: world.near.done)
    assert type(world.near.error) is error
    assert world.near.error.number == "5551234"
    assert world.near_events == [Dialling(number="5551234", attempt=1)]


def test_number_that_the_modem_refuses_is_never_called_reached(
    call_world: Callable[..., CallWorld],
) -> None:
    world = call_world(plan=DialPlan(numbers=("W",), rounds=1))
    world.run_until(lambda: world.near.done)
    assert isinstance(world.near.error, NumberRefusedError)
    assert "was not dialled" in str(world.near.error)


def test_numbers_are_tried_in_turn_and_again(
    call_world: Callable[..., CallWorld],
) -> None:
    plan = DialPlan(numbers=("111", "222"), rounds=2, pause_ms=3_000)
    script = [Outcome.BUSY, Outcome.NO_ANSWER, Outcome.NO_CARRIER]
    world = call_world(script=script, plan=plan)
    took_ms = world.run_until(lambda: world.near.secured)
    assert world.near_events[:7] == [
        Dialling(number="111", attempt=1),
        DialFailed(number="111", code=ResultCode.BUSY, retry_in_ms=3_000),
        Dialling(number="222", attempt=2),
        DialFailed(number="222", code=ResultCode.NO_ANSWER, retry_in_ms=6_000),
        Dialling(number="111", attempt=3),
        DialFailed(number="111", code=ResultCode.NO_CARRIER, retry_in_ms=6_000),
        Dialling(number="222", attempt=4),
    ]
    assert took_ms > 15_000


def test_dead_line_is_not_dialled_on(call_world: Callable[..., CallWorld]) -> None:
    world = call_world(script=[Outcome.NO_DIALTONE])
    world.run_until(lambda: world.near.done)
    assert isinstance(world.near.error, NoDialToneError)


def test_ringing_without_end_is_given_up(call_world: Callable[..., CallWorld]) -> None:
    plan = DialPlan(numbers=("1",), rounds=1, connect_timeout_ms=10_000)
    world = call_world(plan=plan)
    world.exchange.far.silent = True
    took_ms = world.run_until(lambda: world.near.done)
    assert isinstance(world.near.error, NoAnswerError)
    assert took_ms < 11_000
    world.run_until(lambda: not world.exchange.near.carrier)


class LatePort(ModemPort):
    """A serial server on a slow network: all arrives later, in both directions."""

    def __init__(self, world: CallWorld, late_ms: int) -> None:
        super().__init__(world.exchange.near)
        self._world = world
        self._late_ms = late_ms
        self._arrived = bytearray()

    def read(self, now_ms: int) -> bytes:
        if said := super().read(now_ms):
            self._world.at(now_ms + self._late_ms, lambda: self._arrived.extend(said))
        data = bytes(self._arrived)
        self._arrived.clear()
        return data

    def write(self, data: bytes, now_ms: int) -> None:
        there_ms = now_ms + self._late_ms
        write = super().write
        self._world.at(there_ms, lambda: write(data, there_ms))


@pytest.mark.parametrize("rounds", [1, 2])
def test_connect_that_crosses_the_abort_becomes_a_call(
    call_world: Callable[..., CallWorld], rounds: int
) -> None:
    plan = DialPlan(numbers=("1",), rounds=rounds, connect_timeout_ms=10_000)
    world = call_world(ExchangeSettings(training_ms=9_700), plan=plan)
    world.use_near_port(LatePort(world, 400))
    world.secure()
    # Of the 10.1 s to CONNECT and the 0.8 s for both ways, patience was 10 s.
    assert world.near_events[:2] == [
        Dialling(number="1", attempt=1),
        Connected(rate_bps=9_600),
    ]
    world.close()
    assert not world.exchange.near.carrier


def test_connect_after_an_old_no_carrier_becomes_a_call(
    call_world: Callable[..., CallWorld],
) -> None:
    world = call_world(plan=DialPlan(numbers=("1",), pause_ms=10_000))
    world.run_until(lambda: bool(world.near_events))
    world.exchange.near.chatter(b"\r\nNO CARRIER\r\n")
    world.secure()
    assert world.near_events[:3] == [
        Dialling(number="1", attempt=1),
        DialFailed(number="1", code=ResultCode.NO_CARRIER, retry_in_ms=10_000),
        Connected(rate_bps=9_600),
    ]


def test_modem_that_is_online_without_having_told_is_recovered(
    call_world: Callable[..., CallWorld],
) -> None:
    plan = DialPlan(numbers=("1",), connect_timeout_ms=10_000)
    world = call_world(plan=plan)
    world.run_until(lambda: bool(world.near_events))
    world.exchange.near.silent = True
    world.run_until(lambda: len(world.near_events) == 2)
    world.exchange.near.silent = False
    assert world.exchange.near.carrier
    assert isinstance(world.near_events[1], DialFailed)
    world.run_until(lambda: world.far.done)
    world.answer_again()
    world.run_until(lambda: world.near.secured)
    assert Dialling(number="1", attempt=2) in world.near_events


def test_modem_without_power_is_silent(call_world: Callable[..., CallWorld]) -> None:
    world = call_world()
    world.exchange.near.silent = True
    world.run_until(lambda: world.near.done)
    assert isinstance(world.near.error, ModemSilentError)


def test_waiting_modem_that_loses_power_is_noticed(
    call_world: Callable[..., CallWorld],
) -> None:
    world = call_world()
    world.near.stop()
    world.run_until(lambda: world.far_events == [WaitingForCall()])
    world.exchange.far.silent = True
    took_ms = world.run_until(lambda: world.far.done)
    assert isinstance(world.far.error, ModemSilentError)
    assert took_ms <= 130_000


def test_waiting_modem_is_checked_and_waits_on(
    call_world: Callable[..., CallWorld],
) -> None:
    world = call_world()
    world.near.stop()
    hours = world.now_ms + 2 * 3_600_000
    world.run_until(lambda: world.now_ms >= hours, limit_ms=3 * 3_600_000)
    world.near = world.restarted_near()
    world.secure()
    assert world.far_events[:3] == [
        WaitingForCall(),
        Ringing(),
        Connected(rate_bps=9_600),
    ]


@pytest.mark.parametrize("dialling", [False, True], ids=["set-up", "dialling"])
def test_dialling_can_be_stopped(
    call_world: Callable[..., CallWorld],
    dialling: bool,
) -> None:
    world = call_world()
    if dialling:
        world.run_until(lambda: bool(world.near_events))
    world.near.stop()
    world.run_until(lambda: world.near.done)
    assert isinstance(world.near.error, CallStoppedError)
    # The modem has given up too: the next call finds it on hook.
    world.restart()
    world.secure()


def test_call_that_is_not_secured_yet_can_be_stopped(
    call_world: Callable[..., CallWorld],
) -> None:
    world = call_world()
    world.run_until(lambda: Connected(rate_bps=9_600) in world.near_events)
    world.near.stop()
    world.run_until(lambda: world.near.done and world.far.done)
    assert isinstance(world.near.error, CallStoppedError)
    assert not world.exchange.near.carrier
    assert not world.exchange.far.carrier


def test_rate_of_the_port_stands_in_for_one_not_told(
    call_world: Callable[..., CallWorld],
) -> None:
    world = call_world(ExchangeSettings(told_rate_bps=19_200))
    world.secure()
    assert Connected(rate_bps=19_200) in world.near_events
