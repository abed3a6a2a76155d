"""Calls from AT to the hang-up: messages, ends, breaks, certificates."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from modem import tls_context
from modem.call_machine import CallPhase
from modem.errors import (
    CallClosedError,
    CallLostError,
    CertificateOwner,
    CertificateRefusedError,
    PortError,
    SecurityError,
)
from modem.events import Closed, Secured, Securing
from sim.modems.exchange import ExchangeSettings
from sim.modems.line import LineSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.modem.conftest import CallWorld, Certificates


def noisy(bit_error_rate: float) -> ExchangeSettings:
    return ExchangeSettings(line=LineSettings(bit_error_rate=bit_error_rate))


def test_both_sides_learn_who_the_other_is(
    call_world: Callable[..., CallWorld],
) -> None:
    world = call_world()
    world.secure()
    for events, peer_name in (
        (world.near_events, "host.bank.raseed"),
        (world.far_events, "T0000007"),
    ):
        securing, secured = events[-2:]
        assert securing == Securing()
        assert isinstance(secured, Secured)
        assert secured.peer_name == peer_name
        assert secured.peer_until is not None
    assert world.near.peer_name == "host.bank.raseed"


def test_a_call_after_a_cut_one_resumes_and_is_secured_in_half_the_time(
    call_world: Callable[..., CallWorld],
) -> None:
    world = call_world()
    world.run_until(lambda: Securing() in world.near_events)
    full_ms = world.run_until(lambda: world.near.secured)
    world.near.carrier_lost("the line was cut", world.now_ms)
    world.far.carrier_lost("the line was cut", world.now_ms)
    world.drop()
    world.restart()
    world.run_until(lambda: Securing() in world.near_events)
    again_ms = world.run_until(lambda: world.near.secured and world.far.secured)
    assert again_ms < full_ms * 0.6
    secured = [event for event in world.far_events if isinstance(event, Secured)]
    assert [event.resumed for event in secured] == [True]


def test_securing_takes_less_than_three_seconds(
    call_world: Callable[..., CallWorld],
) -> None:
    world = call_world()
    world.run_until(lambda: Securing() in world.near_events)
    assert world.run_until(lambda: world.near.secured) < 3_000


@pytest.mark.parametrize("bit_error_rate", [0.0, 1e-4], ids=["clean", "noisy"])
def test_messages_arrive_whole_and_in_order(
    call_world: Callable[..., CallWorld], bit_error_rate: float
) -> None:
    world = call_world(noisy(bit_error_rate))
    world.secure()
    sizes = [1, 250, 3_000, 2, 700]
    messages = [random.Random(size).randbytes(size) for size in sizes]
    for message in messages:
        world.near.send(message)
        world.far.send(message[::-1])
    world.run_until(lambda: len(world.far_messages) == len(world.near_messages) == 5)
    assert world.far_messages == messages
    assert world.near_messages == [message[::-1] for message in messages]


def test_longest_message_passes(call_world: Callable[..., CallWorld]) -> None:
    world = call_world(ExchangeSettings(line=LineSettings(rate_bps=115_200)))
    world.secure()
    message = random.Random(1).randbytes(65_535)
    world.near.send(message)
    world.run_until(lambda: bool(world.far_messages))
    assert world.far_messages == [message]


@pytest.mark.parametrize("size", [0, 65_536])
def test_message_has_limits(call_world: Callable[..., CallWorld], size: int) -> None:
    world = call_world()
    world.secure()
    with pytest.raises(ValueError, match="1 to 65535 bytes"):
        world.near.send(bytes(size))


def test_batch_comes_close_to_the_rate_of_the_line(
    call_world: Callable[..., CallWorld],
) -> None:
    world = call_world()
    world.secure()
    for number in range(96):
        world.near.send(random.Random(number).randbytes(250))
    # 24,000 bytes take 25 s at 9600 bit/s, and 0.1 s to get there.
    took_ms = world.run_until(lambda: len(world.far_messages) == 96)
    assert took_ms < 27_500


def test_answers_do_not_slow_the_batch_down(
    call_world: Callable[..., CallWorld],
) -> None:
    world = call_world()
    world.secure()
    for number in range(96):
        world.near.send(random.Random(number).randbytes(250))
        world.far.send(random.Random(number).randbytes(120))
    took_ms = world.run_until(
        lambda: len(world.far_messages) == len(world.near_messages) == 96
    )
    assert took_ms < 27_500


def test_traffic_both_ways_after_a_quiet_start_repeats_nothing(
    call_world: Callable[..., CallWorld], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A handshake of this length left round trips so short that the first frames under
    # load looked lost: three were sent again, and a second was gone.
    monkeypatch.setattr(tls_context, "_OP_TLSEXT_PADDING", 0)
    world = call_world()
    world.secure()
    for number in range(96):
        world.near.send(random.Random(number).randbytes(250))
        world.far.send(random.Random(number).randbytes(120))
    world.run_until(lambda: len(world.far_messages) == len(world.near_messages) == 96)
    for end in (world.near, world.far):
        assert end.statistics is not None
        assert end.statistics.frames_resent == 0


@pytest.mark.parametrize("has_dtr", [False, True], ids=["escape", "dtr"])
def test_close_delivers_hangs_up_and_leaves_room_for_the_next_call(
    call_world: Callable[..., CallWorld],
    has_dtr: bool,
) -> None:
    world = call_world(has_dtr=has_dtr)
    for _ in range(3):
        world.restart()
        world.secure()
        world.near.send(b"last words")
        world.close()
        assert world.far_messages == [b"last words"]
        assert world.near_events[-1] == Closed(clean=True, reason="ended on this side")
        assert isinstance(world.far_events[-1], Closed)
        assert world.far_events[-1].clean
        assert isinstance(world.far.error, CallClosedError)
        assert world.near.error is None
        assert not world.exchange.near.carrier
        assert not world.exchange.far.carrier
    assert world.exchange.calls_connected == 3


@pytest.mark.parametrize("bit_error_rate", [0.0, 2e-4], ids=["clean", "noisy"])
def test_hanging_up_is_quick(
    call_world: Callable[..., CallWorld], bit_error_rate: float
) -> None:
    world = call_world(noisy(bit_error_rate))
    world.secure()
    world.near.close()
    assert world.run_until(lambda: world.near.done and world.far.done) < 12_000


def test_cut_line_is_told_to_both_sides(call_world: Callable[..., CallWorld]) -> None:
    world = call_world()
    world.secure()
    world.near.send(bytes(5_000))
    world.run_until(lambda: world.near.unsent_bytes < 4_000)
    world.exchange.drop(world.now_ms)
    took_ms = world.run_until(lambda: world.near.done and world.far.done)
    assert took_ms < 100
    for machine, events in (
        (world.near, world.near_events),
        (world.far, world.far_events),
    ):
        assert type(machine.error) is CallLostError
        closed = events[-1]
        assert closed == Closed(clean=False, reason="the modem reports NO CARRIER")


def test_carrier_line_ends_the_call_at_once(
    call_world: Callable[..., CallWorld],
) -> None:
    world = call_world()
    world.secure()
    world.near.carrier_lost("the modem has lost the carrier", world.now_ms)
    world.run_until(lambda: world.near.done)
    assert isinstance(world.near.error, CallLostError)
    assert world.near.error.reason == "the modem has lost the carrier"


def test_carrier_line_of_an_earlier_call_ends_nothing(
    call_world: Callable[..., CallWorld],
) -> None:
    world = call_world()
    world.near.carrier_lost("the modem has lost the carrier", world.now_ms)
    world.secure()


def test_port_that_fails_while_connecting_is_told_as_such(
    call_world: Callable[..., CallWorld],
) -> None:
    world = call_world()
    error = PortError("/dev/ttyS0", "Input/output error")
    world.near.port_failed(error, world.now_ms)
    assert world.near.done
    assert world.near.error is error


def test_modem_that_dies_in_mid_call_is_noticed(
    call_world: Callable[..., CallWorld],
) -> None:
    world = call_world()
    world.secure()
    world.exchange.far.silent = True
    world.run_until(lambda: world.near.done, limit_ms=60_000)
    assert type(world.near.error) is CallLostError


def test_words_no_carrier_inside_a_message_end_nothing(
    call_world: Callable[..., CallWorld],
) -> None:
    world = call_world()
    world.secure()
    world.near.send(b"\r\nNO CARRIER\r\n")
    world.run_until(lambda: bool(world.far_messages))
    assert world.far.phase is CallPhase.TALKING


@pytest.mark.parametrize(
    ("host", "server_name_fits"),
    [
        pytest.param(("stranger-host", "stranger-ca"), False, id="another-ca"),
        pytest.param(("other-host", "ca"), True, id="another-name"),
    ],
)
def test_wrong_host_certificate_is_refused_before_any_message(
    call_world: Callable[..., CallWorld],
    certificates: Certificates,
    host: tuple[str, str],
    server_name_fits: bool,
) -> None:
    world = call_world()
    world.server_context = certificates.server(name=host[0], ca=host[1])
    world.run_until(lambda: world.near.done and world.far.done)
    error = world.near.error
    assert isinstance(error, CertificateRefusedError)
    assert error.owner is CertificateOwner.THEIRS
    assert "bank's certificate" in error.what
    assert "no money moved" in str(error)
    assert ("another name" in error.reason) == server_name_fits
    assert not world.near.secured
    assert not world.far.secured
    assert isinstance(world.far.error, SecurityError)
    assert not world.exchange.near.carrier


def test_unknown_terminal_is_refused_and_told_so(
    call_world: Callable[..., CallWorld], certificates: Certificates
) -> None:
    world = call_world()
    world.client_context = certificates.client(name="stranger-terminal")
    world.run_until(lambda: world.near.done and world.far.done)
    assert isinstance(world.far.error, CertificateRefusedError)
    assert world.far.error.owner is CertificateOwner.THEIRS
    assert "terminal's certificate" in world.far.error.what
    assert isinstance(world.near.error, CertificateRefusedError)
    assert world.near.error.owner is CertificateOwner.OURS
    assert not world.near.secured
    assert not world.far.secured


def test_call_after_a_refused_one_is_taken(
    call_world: Callable[..., CallWorld], certificates: Certificates
) -> None:
    world = call_world()
    world.client_context = certificates.client(name="stranger-terminal")
    world.run_until(lambda: world.near.done and world.far.done)
    world.client_context = certificates.client()
    world.restart()
    world.secure()


@pytest.mark.parametrize("seed", range(6))
def test_whole_call_over_a_bad_line(
    call_world: Callable[..., CallWorld], seed: int
) -> None:
    world = call_world(noisy(2e-4), seed=seed)
    world.secure()
    messages = [random.Random(number).randbytes(200) for number in range(20)]
    for message in messages:
        world.near.send(message)
        world.far.send(message)
    world.run_until(lambda: len(world.near_messages) == len(world.far_messages) == 20)
    world.close()
    assert world.near_messages == world.far_messages == messages
    assert not world.exchange.near.carrier


def test_chatter_before_and_after_connect_is_skipped(
    call_world: Callable[..., CallWorld],
) -> None:
    world = call_world()
    world.exchange.near.chatter(b"\x00\xff+++ login: \r\n")
    world.run_until(lambda: bool(world.near.statistics))
    world.exchange.near.chatter(b"\r\nPlease log in:~~}~" * 20)
    world.secure()
