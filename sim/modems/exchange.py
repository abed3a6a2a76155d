"""The telephone network between two modems: dialling, ringing, the line itself.

A machine without I/O: time goes in with every call, `deadline_ms` tells when to call
`on_timer` next. Each dialled call takes the next entry of a script, so that a test
or a demonstration can have the first attempt meet a busy line.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto, unique
from typing import TYPE_CHECKING, Final

from modem.result_codes import ResultCode
from sim.modems.line import LineSettings, Wire
from sim.modems.modem import SimulatedModem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["ExchangeSettings", "Outcome", "TelephoneExchange"]

_SEND_BUFFER_BYTES: Final = 1_024
"""What a modem takes from its computer before it holds it back (RTS/CTS)."""


@unique
class Outcome(StrEnum):
    """What a dialled call comes to, as written in a script."""

    CONNECT = "connect"
    BUSY = "busy"
    NO_DIALTONE = "no-dialtone"
    NO_ANSWER = "no-answer"
    NO_CARRIER = "no-carrier"


_CODES: Final = {
    Outcome.BUSY: ResultCode.BUSY,
    Outcome.NO_DIALTONE: ResultCode.NO_DIALTONE,
    Outcome.NO_ANSWER: ResultCode.NO_ANSWER,
    Outcome.NO_CARRIER: ResultCode.NO_CARRIER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSettings:
    """The line and the times of the network (shorter than a real one's).

    Attributes:
        line: bit rate, delay and noise between the modems.
        dial_ms: from the dial command to the first ring or the busy tone.
        ring_every_ms: from one ring to the next.
        training_ms: from picking up to CONNECT.
        told_rate_bps: rate told with CONNECT, when it is not the line's own; many
            modems tell the speed of their serial port.
    """

    line: LineSettings = field(default_factory=LineSettings)
    dial_ms: int = 200
    ring_every_ms: int = 2_000
    training_ms: int = 300
    told_rate_bps: int | None = None


@unique
class _State(Enum):
    IDLE = auto()
    DIALLING = auto()
    RINGING = auto()
    TRAINING = auto()
    CONNECTED = auto()
    CLEARING = auto()


class TelephoneExchange:
    """Two subscribers, each with a modem, and at most one call between them."""

    def __init__(
        self,
        settings: ExchangeSettings | None = None,
        *,
        script: Iterable[Outcome] = (),
        seed: int = 0,
    ) -> None:
        """Plug in two modems.

        Args:
            settings: line and times, or None for 9600 bit/s and 100 ms.
            script: outcomes of the first calls, in order; all later ones connect.
            seed: of the line's noise.
        """
        self._settings = settings or ExchangeSettings()
        self._script = deque(script)
        self.near = SimulatedModem(self)
        self.far = SimulatedModem(self)
        noise = random.Random(seed)
        self._wires = {
            modem: Wire(self._settings.line, random.Random(noise.getrandbits(64)))
            for modem in (self.near, self.far)
        }
        self._state = _State.IDLE
        self._caller: SimulatedModem | None = None
        self._outcome = Outcome.CONNECT
        self._next_ms: int | None = None
        self._patience_until_ms = 0
        self._left: SimulatedModem | None = None
        self.calls_connected = 0

    # What the modems do.

    def dial(self, caller: SimulatedModem, number: str, now_ms: int) -> None:
        """See `sim.modems.modem.Exchange`; any number reaches the other modem."""
        if not any(character.isdigit() for character in number):
            caller.failed(ResultCode.ERROR)
            return
        if self._state is _State.CLEARING:
            self._cleared(now_ms)
        if self._state is not _State.IDLE:
            # The other modem is ringing this one, or has not hung up yet.
            caller.failed(ResultCode.BUSY)
            return
        self._state = _State.DIALLING
        self._caller = caller
        self._outcome = self._script.popleft() if self._script else Outcome.CONNECT
        self._next_ms = now_ms + self._settings.dial_ms
        self._patience_until_ms = now_ms + caller.carrier_wait_ms

    def pick_up(self, callee: SimulatedModem, now_ms: int) -> None:
        """See `sim.modems.modem.Exchange`."""
        if self._state is _State.RINGING and callee is not self._caller:
            callee.stop_ringing()
            self._state = _State.TRAINING
            self._next_ms = now_ms + self._settings.training_ms
        else:
            callee.failed(ResultCode.NO_CARRIER)

    def hang_up(self, modem: SimulatedModem, now_ms: int) -> None:
        """See `sim.modems.modem.Exchange`."""
        match self._state:
            case _State.CONNECTED:
                self._left = modem
                self._state = _State.CLEARING
                self._next_ms = now_ms + self._settings.line.delay_ms
            case _State.DIALLING | _State.RINGING if modem is self._caller:
                self._other(modem).stop_ringing()
                self._idle()
            case _State.TRAINING:
                self._idle()
                self._other(modem).failed(ResultCode.NO_CARRIER)
            case _:
                pass

    def send(self, modem: SimulatedModem, data: bytes, now_ms: int) -> None:
        """See `sim.modems.modem.Exchange`."""
        if self._state is _State.CONNECTED:
            self._wires[modem].send(data, now_ms)

    # What the world does.

    def drop(self, now_ms: int) -> None:
        """Cut the connection: both modems lose the carrier at once."""
        if self._state in (_State.CONNECTED, _State.CLEARING):
            self._idle()
            self.near.carrier_lost(now_ms)
            self.far.carrier_lost(now_ms)

    def room_bytes(self, modem: SimulatedModem, now_ms: int) -> int:
        """How many bytes ``modem`` takes from its computer now."""
        return max(0, _SEND_BUFFER_BYTES - self._wires[modem].backlog_bytes(now_ms))

    def on_timer(self, now_ms: int) -> None:
        """Do what the time asks for."""
        for modem in (self.near, self.far):
            data = self._wires[self._other(modem)].receive(now_ms)
            if data:
                modem.from_line(data)
            modem.on_timer(now_ms)
        if self._next_ms is not None and now_ms >= self._next_ms:
            self._next_step(now_ms)

    def deadline_ms(self) -> int | None:
        """When `on_timer` is due next; None when nothing is under way."""
        return min((time for time in self._times() if time is not None), default=None)

    # Steps of a call.

    def _times(self) -> Iterator[int | None]:
        yield self._next_ms
        for modem in (self.near, self.far):
            yield modem.deadline_ms()
            yield self._wires[modem].deadline_ms()

    def _next_step(self, now_ms: int) -> None:
        match self._state:
            case _State.DIALLING:
                self._dialled(now_ms)
            case _State.RINGING:
                self._ring(now_ms)
            case _State.TRAINING:
                self._connect()
            case _State.CLEARING:
                self._cleared(now_ms)
            case _State.IDLE | _State.CONNECTED:
                self._next_ms = None

    def _cleared(self, now_ms: int) -> None:
        """The end of the call has reached the side that did not hang up."""
        left = self._left
        self._idle()
        if left is not None:
            self._other(left).carrier_lost(now_ms)

    def _dialled(self, now_ms: int) -> None:
        if self._outcome is Outcome.CONNECT:
            self._state = _State.RINGING
            self._ring(now_ms)
        else:
            self._fail(_CODES[self._outcome])

    def _ring(self, now_ms: int) -> None:
        if now_ms >= self._patience_until_ms:
            self._callee.stop_ringing()
            self._fail(ResultCode.NO_ANSWER)
            return
        self._next_ms = now_ms + self._settings.ring_every_ms
        self._callee.ring(now_ms)

    def _connect(self) -> None:
        self._state = _State.CONNECTED
        self._next_ms = None
        self.calls_connected += 1
        rate_bps = self._settings.told_rate_bps or self._settings.line.rate_bps
        self.near.connected(rate_bps)
        self.far.connected(rate_bps)

    def _fail(self, code: ResultCode) -> None:
        caller = self._caller
        self._idle()
        assert caller is not None
        caller.failed(code)

    def _idle(self) -> None:
        self._state = _State.IDLE
        self._caller = self._left = self._next_ms = None
        for wire in self._wires.values():
            wire.clear()

    @property
    def _callee(self) -> SimulatedModem:
        assert self._caller is not None
        return self._other(self._caller)

    def _other(self, modem: SimulatedModem) -> SimulatedModem:
        return self.far if modem is self.near else self.near
