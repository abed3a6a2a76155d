"""One telephone call, from the last digit until both modems are on hook again.

=========  =======================  ================================================
state      on                       then
=========  =======================  ================================================
DIALLING   time                     rings a free modem: RINGING; or told by the
                                    script, or by the lack of one, as a failure: OVER
RINGING    time                     rings again; patience of the caller ends: OVER
RINGING    the callee picks up      TRAINING
TRAINING   time                     both modems are told: CONNECTED
CONNECTED  time                     bytes arrive; the script may cut the call: OVER
CONNECTED  a modem hangs up         CLEARING
CLEARING   time                     the other modem has noticed: OVER
=========  =======================  ================================================

In DIALLING, RINGING and TRAINING a modem that hangs up ends the call: OVER. A machine
without I/O, as all of them.
"""

from __future__ import annotations

import random
from enum import Enum, auto, unique
from typing import TYPE_CHECKING, Final

from modem.result_codes import ResultCode
from sim.modems.line import Wire
from sim.modems.script import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sim.modems.exchange import ExchangeSettings
    from sim.modems.modem import SimulatedModem
    from sim.modems.script import Attempt

__all__ = ["CallState", "TelephoneCall"]

_CODES: Final = {
    Outcome.BUSY: ResultCode.BUSY,
    Outcome.NO_DIALTONE: ResultCode.NO_DIALTONE,
    Outcome.STRANGE_DIALTONE: ResultCode.NO_DIALTONE,
    Outcome.NO_ANSWER: ResultCode.NO_ANSWER,
    Outcome.NO_CARRIER: ResultCode.NO_CARRIER,
    Outcome.ERROR: ResultCode.ERROR,
}


@unique
class CallState(Enum):
    """Where the call stands."""

    DIALLING = auto()
    RINGING = auto()
    TRAINING = auto()
    CONNECTED = auto()
    CLEARING = auto()
    OVER = auto()


class TelephoneCall:
    """The call of one modem to another."""

    def __init__(
        self,
        settings: ExchangeSettings,
        attempt: Attempt,
        *,
        caller: SimulatedModem,
        number: str,
        now_ms: int,
        noise: random.Random,
    ) -> None:
        """Begin with the last digit dialled.

        Args:
            settings: times, and the line where ``attempt`` has none of its own.
            attempt: what is to come of the call.
            caller: the modem that dials.
            number: what it dials.
            now_ms: the time.
            noise: of the line, and of garbage.
        """
        self._settings = settings
        self._attempt = attempt
        self._number = number
        self._noise = noise
        self._line = attempt.on(settings.line)
        back = attempt.on(settings.line_back or settings.line)
        self.up, self.down = (
            Wire(line, random.Random(noise.getrandbits(64)), dead_after_bytes=dead)
            for line, dead in (
                (self._line, attempt.near_dead_after_bytes),
                (back, attempt.far_dead_after_bytes),
            )
        )
        self._back = back
        self._next_ms: int | None = (
            now_ms + settings.dial_ms + caller.dial_pause_ms(number)
        )
        self._patience_until_ms = now_ms + caller.carrier_wait_ms
        self._left: SimulatedModem | None = None
        self._arrived_bytes = 0
        self._cut_ms: int | None = None
        self.caller = caller
        self.callee: SimulatedModem | None = None
        self.state = CallState.DIALLING
        self.was_connected = False
        self.was_cut = False

    # What the modems do.

    def pick_up(self, now_ms: int) -> None:
        """The callee answers; the call must be RINGING."""
        assert self.callee is not None
        self.callee.stop_ringing()
        self.state = CallState.TRAINING
        self._next_ms = now_ms + self._settings.training_ms

    def put_through(self, callee: SimulatedModem, now_ms: int) -> None:
        """Connect the call with ``callee`` at once, without ringing."""
        self.callee = callee
        self._connect(now_ms)

    def hang_up(self, modem: SimulatedModem, now_ms: int) -> None:
        """One of the two goes on hook."""
        match self.state:
            case CallState.CONNECTED:
                self._left = modem
                self.state = CallState.CLEARING
                self._cut_ms = None
                line = self._line if modem is self.caller else self._back
                self._next_ms = now_ms + line.delay_ms
            case CallState.TRAINING:
                other = self._other(modem)
                self._over()
                other.failed(ResultCode.NO_CARRIER)
            case CallState.DIALLING | CallState.RINGING:
                self._over()
            case CallState.CLEARING | CallState.OVER:
                pass

    def send(self, modem: SimulatedModem, data: bytes, now_ms: int) -> None:
        """Carry ``data`` from ``modem`` to the other."""
        if self.state is CallState.CONNECTED:
            self.wire_from(modem).send(data, now_ms)

    def wire_from(self, modem: SimulatedModem) -> Wire:
        """The direction in which ``modem`` sends."""
        return self.up if modem is self.caller else self.down

    # What the world does.

    def cut(self, now_ms: int) -> None:
        """End the connection: both modems lose the carrier at once."""
        if self.state in (CallState.CONNECTED, CallState.CLEARING):
            caller, callee = self.caller, self._other(self.caller)
            self.was_cut = self.state is CallState.CONNECTED
            self._over()
            caller.carrier_lost(now_ms)
            callee.carrier_lost(now_ms)

    def clear(self, now_ms: int) -> None:
        """Let the side that did not hang up notice now, in CLEARING."""
        left = self._left
        if self.state is CallState.CLEARING and left is not None:
            self._deliver(now_ms)
            self._over()
            self._other(left).carrier_lost(now_ms)

    def on_timer(
        self,
        now_ms: int,
        find_callee: Callable[[SimulatedModem], SimulatedModem | None],
    ) -> None:
        """Do what the time asks for; ``find_callee`` finds a free modem to ring."""
        self._deliver(now_ms)
        if self._cut_ms is not None and now_ms >= self._cut_ms:
            self.cut(now_ms)
        if self._next_ms is not None and now_ms >= self._next_ms:
            match self.state:
                case CallState.DIALLING:
                    self._dialled(now_ms, find_callee)
                case CallState.RINGING:
                    self._ring(now_ms)
                case CallState.TRAINING:
                    self._connect(now_ms)
                case CallState.CLEARING:
                    self.clear(now_ms)
                case CallState.CONNECTED | CallState.OVER:
                    self._next_ms = None

    def times(self) -> Iterator[int | None]:
        """When `on_timer` is due next."""
        yield self._next_ms
        yield self._cut_ms
        yield self.up.deadline_ms()
        yield self.down.deadline_ms()

    # Steps.

    def _dialled(
        self,
        now_ms: int,
        find_callee: Callable[[SimulatedModem], SimulatedModem | None],
    ) -> None:
        outcome = self._attempt.outcome
        deaf = self.caller.profile.waits_for_dialtone or "W" in self._number
        if outcome is Outcome.STRANGE_DIALTONE and not deaf:
            outcome = Outcome.CONNECT
        if outcome is not Outcome.CONNECT:
            self._fail(_CODES[outcome])
            return
        self.callee = find_callee(self.caller)
        if self.callee is None:
            self._fail(ResultCode.BUSY)
            return
        self.state = CallState.RINGING
        self._ring(now_ms)

    def _ring(self, now_ms: int) -> None:
        if now_ms >= self._patience_until_ms:
            self._fail(ResultCode.NO_ANSWER)
            return
        self._next_ms = now_ms + self._settings.ring_every_ms
        self._other(self.caller).ring(now_ms)

    def _connect(self, now_ms: int) -> None:
        self.state = CallState.CONNECTED
        self._next_ms = None
        self.was_connected = True
        if self._attempt.cut_after_ms is not None:
            self._cut_ms = now_ms + self._attempt.cut_after_ms
        # As modems do, each tells the rate at which it receives.
        told_bps = self._settings.told_rate_bps
        callee = self._other(self.caller)
        for modem, line in ((self.caller, self._back), (callee, self._line)):
            modem.chatter(self._noise.randbytes(self._attempt.garbage_bytes))
            modem.connected(told_bps or line.rate_bps)
            modem.chatter(self._noise.randbytes(self._attempt.garbage_bytes))
        self._check_script(now_ms)

    def _deliver(self, now_ms: int) -> None:
        """Hand over what has arrived, up to the byte at which the script ends it."""
        if self.callee is None:
            return
        for wire, modem in ((self.up, self.callee), (self.down, self.caller)):
            data = wire.receive(now_ms)
            if data:
                cut_after_bytes = self._attempt.cut_after_bytes
                if cut_after_bytes is not None:
                    data = data[: cut_after_bytes - self._arrived_bytes]
                self._arrived_bytes += len(data)
                modem.from_line(data)
                self._check_script(now_ms)

    def _check_script(self, now_ms: int) -> None:
        if self.state is not CallState.CONNECTED:
            return
        attempt = self._attempt
        if self._reached(attempt.cut_after_bytes):
            self.cut(now_ms)
        elif self._reached(attempt.near_hangs_up_after_bytes):
            self.caller.carrier_lost(now_ms)
        elif self._reached(attempt.far_hangs_up_after_bytes):
            self._other(self.caller).carrier_lost(now_ms)

    def _reached(self, bytes_: int | None) -> bool:
        return bytes_ is not None and self._arrived_bytes >= bytes_

    def _fail(self, code: ResultCode) -> None:
        self._over()
        self.caller.failed(code)

    def _over(self) -> None:
        if self.state is CallState.RINGING and self.callee is not None:
            self.callee.stop_ringing()
        self.state = CallState.OVER
        self._next_ms = self._cut_ms = None
        self.up.clear()
        self.down.clear()

    def _other(self, modem: SimulatedModem) -> SimulatedModem:
        assert self.callee is not None
        return self.callee if modem is self.caller else self.caller
