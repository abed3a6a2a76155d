"""The simulated line under a clock that nobody waits for: an hour takes a second.

For tests and measurements of anything that takes bytes and the time in and gives
bytes out: a whole call, a dialer, a link. Two ready-made worlds, and what both are::

    world = VirtualModems(script=[Attempt(cut_after_bytes=4_000)])
    near = world.plug(caller_machine, world.port(world.exchange.near))
    far = world.plug(host_machine, world.port(world.exchange.far))
    world.run_until(lambda: host_machine.done)      # moves from deadline to deadline

    world = VirtualWires(LineSettings(bit_error_rate=1e-4))
    world.plug(Untimed(near_link), world.near_port)
    world.plug(Untimed(far_link), world.far_port)

What is plugged in is looked at at each moment at which it, or the line, has something
to do. A world in which nothing is due any more, or that stays at one moment, raises
`StandstillError`: both are defects of what is tested. The same seed and the same
machines make the same run.
"""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from sim.modems.exchange import (
    Attempt,
    ExchangeSettings,
    Outcome,
    TelephoneExchange,
)
from sim.modems.line import LineSettings, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sim.modems.modem import SimulatedModem

__all__ = [
    "Machine",
    "ModemPort",
    "Plug",
    "Port",
    "StandstillError",
    "Untimed",
    "VirtualModems",
    "VirtualTime",
    "VirtualWires",
    "WirePort",
]

_STEPS_AT_ONE_TIME_MAX: Final = 60
_SLICE_BYTES_MAX: Final = 20
_START_MS: Final = 5_000
"""Not 0, so that a machine that takes 0 for "never" is found out."""
_LIMIT_MS: Final = 3_600_000


class StandstillError(Exception):
    """What is awaited does not come: nothing is due, time stands still, or it is up."""


class Machine(Protocol):
    """What can be plugged in. `modem.call_machine.CallMachine` is one."""

    def receive_data(self, data: bytes, now_ms: int) -> object:
        """Take bytes from the port."""

    def on_timer(self, now_ms: int) -> object:
        """Do what the time asks for."""

    def data_to_send(self, now_ms: int) -> bytes:
        """Bytes for the port now."""

    def deadline_ms(self, now_ms: int) -> int | None:
        """When to be looked at next; None when only bytes can change anything."""


class UntimedMachine(Protocol):
    """The same, but its deadlines do not depend on the time: a link, a dialer."""

    def receive_data(self, data: bytes, now_ms: int) -> object:
        """See `Machine`."""

    def on_timer(self, now_ms: int) -> object:
        """See `Machine`."""

    def data_to_send(self, now_ms: int) -> bytes:
        """See `Machine`."""

    def deadline_ms(self) -> int | None:
        """See `Machine`."""


class Untimed:
    """Makes a `Machine` of an `UntimedMachine`."""

    def __init__(self, machine: UntimedMachine) -> None:
        self._machine = machine
        self.receive_data = machine.receive_data
        self.on_timer = machine.on_timer
        self.data_to_send = machine.data_to_send

    def deadline_ms(self, now_ms: int) -> int | None:
        """See `Machine`."""
        del now_ms
        return self._machine.deadline_ms()


class Port(Protocol):
    """Where a machine is plugged in: the computer's side of a serial port."""

    def read(self, now_ms: int) -> bytes:
        """What has come for the computer."""

    def write(self, data: bytes, now_ms: int) -> None:
        """Take what the computer sends."""

    def set_dtr(self, high: bool, now_ms: int) -> None:
        """Take the DTR line, where there is one."""

    def deadline_ms(self, now_ms: int) -> int | None:
        """When there will be something to read; None when that is not known."""


class ModemPort:
    """The serial port of a simulated modem."""

    def __init__(self, modem: SimulatedModem) -> None:
        self._modem = modem

    def read(self, now_ms: int) -> bytes:
        """See `Port`; of the time nothing depends."""
        del now_ms
        return self._modem.to_terminal()

    def write(self, data: bytes, now_ms: int) -> None:
        """See `Port`."""
        self._modem.from_terminal(data, now_ms)

    def set_dtr(self, high: bool, now_ms: int) -> None:
        """See `Port`."""
        self._modem.set_dtr(high, now_ms)

    def deadline_ms(self, now_ms: int) -> int | None:
        """See `Port`; what the line brings, the exchange itself knows."""
        return now_ms if self._modem.has_output else None


class WirePort:
    """One end of a line without modems."""

    def __init__(self, *, out: Wire, back: Wire) -> None:
        self.connect(out=out, back=back)

    def connect(self, *, out: Wire, back: Wire) -> None:
        """Put other wires in the place of those there are."""
        self._out = out
        self._back = back

    def read(self, now_ms: int) -> bytes:
        """See `Port`."""
        return self._back.receive(now_ms)

    def write(self, data: bytes, now_ms: int) -> None:
        """See `Port`."""
        self._out.send(data, now_ms)

    def set_dtr(self, high: bool, now_ms: int) -> None:
        """See `Port`; a line without modems has no such thing."""

    def deadline_ms(self, now_ms: int) -> int | None:
        """See `Port`."""
        del now_ms
        return self._back.deadline_ms()


@dataclass(slots=True, kw_only=True)
class Plug:
    """A machine at a port; another may take its place at any time.

    Attributes:
        machine: what is plugged in.
        port: where.
        dtr: the machine's DTR line; None: the port has no such line.
        after: called after each look at the machine, to collect what it has told.
    """

    machine: Machine
    port: Port
    dtr: Callable[[], bool] | None
    after: Callable[[], None] | None


class VirtualTime:
    """The clock, and what is plugged in."""

    def __init__(self, *, seed: int = 1, in_slices: bool = True) -> None:
        """Begin with nothing plugged in.

        Args:
            seed: of everything random in this world.
            in_slices: machines get their bytes in pieces of random size, 1 to 20, as
                a serial port delivers them; False is faster and as true.
        """
        self.random = random.Random(seed)
        self.now_ms = _START_MS
        self.steps = 0
        self._in_slices = in_slices
        self._plugs: list[Plug] = []
        self._planned: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._still_steps = 0

    def plug(
        self,
        machine: Machine,
        port: Port,
        *,
        dtr: Callable[[], bool] | None = None,
        after: Callable[[], None] | None = None,
    ) -> Plug:
        """Put ``machine`` at ``port``; see `Plug` for the arguments."""
        plug = Plug(machine=machine, port=port, dtr=dtr, after=after)
        self._plugs.append(plug)
        return plug

    def at(self, time_ms: int, action: Callable[[], None]) -> None:
        """Do ``action`` when it is ``time_ms``, before the machines are looked at."""
        heapq.heappush(self._planned, (time_ms, next(self._order), action))

    def run_until(self, done: Callable[[], bool], *, limit_ms: int = _LIMIT_MS) -> int:
        """Let time pass until ``done``; the milliseconds that took.

        Raises:
            StandstillError: it is not done within ``limit_ms``, or cannot ever be.
        """
        start_ms = self.now_ms
        while True:
            self.step()
            if done():
                return self.now_ms - start_ms
            self._move_on()
            if self.now_ms - start_ms > limit_ms:
                raise StandstillError(f"not done within {limit_ms} ms")

    def run_for(self, time_ms: int) -> None:
        """Let so much time pass, whatever happens or does not."""
        self.at(self.now_ms + time_ms, lambda: None)
        until_ms = self.now_ms + time_ms
        self.run_until(lambda: self.now_ms >= until_ms, limit_ms=time_ms)

    def step(self) -> None:
        """Look at everything once, at the time that it is."""
        self.steps += 1
        while self._planned and self._planned[0][0] <= self.now_ms:
            heapq.heappop(self._planned)[2]()
        self._on_timer()
        for plug in self._plugs:
            self._look_at(plug)

    def _look_at(self, plug: Plug) -> None:
        now_ms = self.now_ms
        data = plug.port.read(now_ms)
        machine = plug.machine
        for piece in self._slices(data) if self._in_slices else [data]:
            if piece:
                machine.receive_data(piece, now_ms)
        machine.on_timer(now_ms)
        out = machine.data_to_send(now_ms)
        if out:
            plug.port.write(out, now_ms)
        if plug.dtr is not None:
            plug.port.set_dtr(plug.dtr(), now_ms)
        if plug.after is not None:
            plug.after()

    def _slices(self, data: bytes) -> Iterator[bytes]:
        while data:
            size = self.random.randint(1, _SLICE_BYTES_MAX)
            yield data[:size]
            data = data[size:]

    def _move_on(self) -> None:
        times = [time_ms for time_ms in self._times() if time_ms is not None]
        if not times:
            raise StandstillError("everything waits for nothing")
        next_ms = max(self.now_ms, min(times))
        self._still_steps = self._still_steps + 1 if next_ms == self.now_ms else 0
        if self._still_steps > _STEPS_AT_ONE_TIME_MAX:
            raise StandstillError(f"a busy loop at {self.now_ms} ms")
        self.now_ms = next_ms

    def _times(self) -> Iterator[int | None]:
        yield self._planned[0][0] if self._planned else None
        for plug in self._plugs:
            yield plug.machine.deadline_ms(self.now_ms)
            yield plug.port.deadline_ms(self.now_ms)

    def _on_timer(self) -> None:
        """Let the line itself do what is due; for worlds that have one."""


class VirtualModems(VirtualTime):
    """Simulated modems and the network between them."""

    def __init__(
        self,
        settings: ExchangeSettings | None = None,
        *,
        script: Iterable[Attempt | Outcome] = (),
        seed: int = 1,
        callers: int = 1,
        answerers: int = 1,
        in_slices: bool = True,
    ) -> None:
        """Plug the modems into a network; see `TelephoneExchange`, `VirtualTime`."""
        super().__init__(seed=seed, in_slices=in_slices)
        self.exchange = TelephoneExchange(
            settings, script=script, seed=seed, callers=callers, answerers=answerers
        )

    @staticmethod
    def port(modem: SimulatedModem) -> ModemPort:
        """The serial port of ``modem``, one of the exchange's."""
        return ModemPort(modem)

    def drop(self) -> None:
        """Cut every connection now."""
        self.exchange.drop(self.now_ms)

    def _on_timer(self) -> None:
        self.exchange.on_timer(self.now_ms)

    def _times(self) -> Iterator[int | None]:
        yield from super()._times()
        yield self.exchange.deadline_ms()


class VirtualWires(VirtualTime):
    """A line without modems: a wire each way, as after CONNECT."""

    def __init__(
        self,
        line: LineSettings | None = None,
        *,
        line_back: LineSettings | None = None,
        seed: int = 1,
        in_slices: bool = True,
    ) -> None:
        """Lay the wires.

        Args:
            line: from near to far; None: 9600 bit/s and 100 ms.
            line_back: from far to near; None: as ``line``.
            seed: see `VirtualTime`; the noise of both wires comes from it too.
            in_slices: see `VirtualTime`.
        """
        super().__init__(seed=seed, in_slices=in_slices)
        there = line or LineSettings()
        self.up = Wire(there, random.Random(seed + 1))
        self.down = Wire(line_back or there, random.Random(seed + 2))
        self.near_port = WirePort(out=self.up, back=self.down)
        self.far_port = WirePort(out=self.down, back=self.up)

    def lay(self, up: Wire, down: Wire) -> None:
        """Put other wires in the place of those there are, and what is on them."""
        self.up, self.down = up, down
        self.near_port.connect(out=up, back=down)
        self.far_port.connect(out=down, back=up)

    def die(self) -> None:
        """Let nothing arrive any more, in neither direction."""
        self.up.die()
        self.down.die()
