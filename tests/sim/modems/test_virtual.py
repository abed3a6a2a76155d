"""The clock that nobody waits for."""

from __future__ import annotations

from collections import deque

import pytest

from modem.dial_plan import DialPlan
from modem.hayes import Dialer
from sim.modems.exchange import Attempt, ExchangeSettings, Outcome
from sim.modems.line import LineSettings
from sim.modems.virtual import (
    StandstillError,
    Untimed,
    VirtualModems,
    VirtualTime,
    VirtualWires,
)

HOUR_MS = 3_600_000


class Typist:
    """Says lines at given times and writes down what it reads."""

    def __init__(self, *lines: tuple[int, bytes]) -> None:
        self.lines = deque(lines)
        self.pieces: list[bytes] = []
        self.dtr = True

    @property
    def read(self) -> bytes:
        return b"".join(self.pieces)

    def receive_data(self, data: bytes, now_ms: int) -> None:
        self.pieces.append(data)

    def on_timer(self, now_ms: int) -> None:
        pass

    def data_to_send(self, now_ms: int) -> bytes:
        if self.lines and self.lines[0][0] <= now_ms:
            return self.lines.popleft()[1]
        return b""

    def deadline_ms(self, now_ms: int) -> int | None:
        return self.lines[0][0] if self.lines else None


def called(
    *, script: tuple[Attempt | Outcome, ...] = (), seed: int = 1, noise: float = 0.0
) -> tuple[VirtualModems, Typist, Typist]:
    """A call that connects, with a typist at each end."""
    settings = ExchangeSettings(line=LineSettings(bit_error_rate=noise))
    world = VirtualModems(settings, script=script, seed=seed)
    near = Typist((5_000, b"ATE0DT1\r"))
    far = Typist((5_000, b"ATE0S0=1\r"))
    world.plug(near, world.port(world.exchange.near), dtr=lambda: near.dtr)
    world.plug(far, world.port(world.exchange.far), dtr=lambda: far.dtr)
    world.run_until(lambda: b"CONNECT" in near.read and b"CONNECT" in far.read)
    world.run_for(100)
    return world, near, far


def test_an_hour_on_the_line_passes_from_deadline_to_deadline() -> None:
    world, near, far = called()
    steps, start_ms = world.steps, world.now_ms
    for minute in range(60):
        near.lines.append((start_ms + minute * 60_000, b"%02d " % minute))
    world.run_for(HOUR_MS)
    assert world.now_ms == start_ms + HOUR_MS
    assert far.read.endswith(b"57 58 59 ")
    assert world.steps - steps < 1_000


def test_bytes_come_in_slices_and_lose_nothing() -> None:
    world, near, far = called()
    sent = bytes(range(256)) * 2
    del far.pieces[:]
    near.lines.append((world.now_ms, sent))
    world.run_until(lambda: len(far.read) >= 512)
    assert far.read == sent
    assert len({len(piece) for piece in far.pieces}) > 5


def test_same_seed_makes_the_same_run() -> None:
    def run(seed: int) -> tuple[list[bytes], int]:
        world, near, far = called(seed=seed, noise=1e-3)
        near.lines.append((world.now_ms, bytes(2_000)))
        world.run_until(lambda: len(far.read) > 2_000)
        return far.pieces, world.steps

    assert run(7) == run(7)
    assert run(7) != run(8)


def test_planned_actions_happen_at_their_time_in_order() -> None:
    world, near, far = called()
    done: list[tuple[int, str]] = []
    start_ms = world.now_ms
    world.at(start_ms + 700, lambda: done.append((world.now_ms - start_ms, "later")))
    world.at(start_ms + 500, lambda: done.append((world.now_ms - start_ms, "first")))
    world.at(start_ms + 500, world.drop)
    world.run_for(1_000)
    assert done == [(500, "first"), (700, "later")]
    assert near.read.endswith(b"NO CARRIER\r\n")
    assert far.read.endswith(b"NO CARRIER\r\n")


def test_dtr_of_the_machine_is_that_of_its_port() -> None:
    world, near, far = called()
    near.dtr = False
    world.run_until(lambda: far.read.endswith(b"NO CARRIER\r\n"))
    assert not world.exchange.near.carrier


def test_machine_can_be_replaced_at_its_port() -> None:
    world = VirtualModems()
    plug = world.plug(Typist(), world.port(world.exchange.near))
    later = Typist((6_000, b"ATI\r"))
    plug.machine = later
    world.run_until(lambda: b"OK" in later.read)
    assert world.now_ms == 6_000


def test_dialer_alone_can_be_plugged_in() -> None:
    world = VirtualModems(script=[Outcome.BUSY])
    dialer = Dialer(DialPlan(numbers=("1",), rounds=1), now_ms=world.now_ms)
    world.plug(Untimed(dialer), world.port(world.exchange.near))
    world.run_until(lambda: dialer.error is not None)
    assert "busy" in str(dialer.error).lower()


def test_wires_carry_both_ways_until_they_die() -> None:
    world = VirtualWires(LineSettings(delay_ms=50), line_back=LineSettings(delay_ms=10))
    near, far = Typist((5_000, b"there")), Typist((5_000, b"back"))
    world.plug(near, world.near_port)
    world.plug(far, world.far_port)
    assert world.run_until(lambda: near.read == b"back") < 20
    assert world.run_until(lambda: far.read == b"there") > 20
    near.lines.append((world.now_ms, b"lost"))
    world.die()
    with pytest.raises(StandstillError, match="waits for nothing"):
        world.run_until(lambda: far.read == b"therelost")


def test_what_never_comes_is_told() -> None:
    world, _, _ = called()
    with pytest.raises(StandstillError, match="waits for nothing"):
        world.run_until(lambda: False)
    world.at(world.now_ms + HOUR_MS, lambda: None)
    with pytest.raises(StandstillError, match="not done within 10 ms"):
        world.run_until(lambda: False, limit_ms=10)


def test_machine_that_spins_is_told() -> None:
    class Spinning(Typist):
        def deadline_ms(self, now_ms: int) -> int | None:
            return now_ms - 1

    world = VirtualTime()
    world.plug(Spinning(), VirtualWires().near_port)
    with pytest.raises(StandstillError, match="busy loop at 5000 ms"):
        world.run_until(lambda: False)
