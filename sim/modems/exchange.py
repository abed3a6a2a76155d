"""The telephone network between modems: numbers, hunt groups, calls, a script.

A machine without I/O: time goes in with every call, `deadline_ms` tells when to call
`on_timer` next. Each dialled call takes the next fitting entry of a script, so that a
test or a demonstration can have the first attempt meet a busy line.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from modem.result_codes import ResultCode
from sim.modems.line import LineSettings
from sim.modems.modem import SimulatedModem
from sim.modems.script import Attempt, Outcome, Script
from sim.modems.telephone_call import CallState, TelephoneCall

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "Attempt",
    "ExchangeSettings",
    "LineStatistics",
    "Outcome",
    "TelephoneExchange",
]

_SEND_BUFFER_BYTES: Final = 1_024
"""What a modem takes from its computer before it holds it back (RTS/CTS)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSettings:
    """The line and the times of the network (shorter than a real one's).

    Attributes:
        line: bit rate, delay and noise between the modems.
        line_back: the same for the direction from the answering modem back to the
            caller; None: as ``line``.
        dial_ms: from the dial command to the first ring or the busy tone.
        ring_every_ms: from one ring to the next.
        training_ms: from picking up to CONNECT.
        told_rate_bps: rate told with CONNECT, when it is not the line's own; many
            modems tell the speed of their serial port.
    """

    line: LineSettings = field(default_factory=LineSettings)
    line_back: LineSettings | None = None
    dial_ms: int = 200
    ring_every_ms: int = 2_000
    training_ms: int = 300
    told_rate_bps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineStatistics:
    """What has happened so far, over all calls.

    Attributes:
        calls_dialled: attempts, whatever came of them.
        calls_connected: those that came about.
        calls_cut: those that the script or `TelephoneExchange.drop` has ended.
        bytes_up: bytes sent by callers.
        bytes_down: bytes sent by answering modems.
        bytes_lost: of these, those that never arrived: cut off, or sent into a dead
            direction.
        bits_turned: bits that noise has turned over.
    """

    calls_dialled: int = 0
    calls_connected: int = 0
    calls_cut: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    bytes_lost: int = 0
    bits_turned: int = 0


class TelephoneExchange:
    """Subscribers on two sides, each with a modem, and the calls between them.

    Every number reaches the other side, where the first free modem rings: a hunt
    group. A modem is in one call at most.
    """

    def __init__(
        self,
        settings: ExchangeSettings | None = None,
        *,
        script: Iterable[Attempt | Outcome] = (),
        later: Attempt | None = None,
        seed: int = 0,
        callers: int = 1,
        answerers: int = 1,
    ) -> None:
        """Plug in the modems.

        Args:
            settings: line and times, or None for 9600 bit/s and 100 ms.
            script: what the first calls come to.
            later: what all others come to; None: they connect and stay up.
            seed: of the line's noise.
            callers: modems on the near side.
            answerers: modems on the far side.
        """
        self._settings = settings or ExchangeSettings()
        self._script = Script(script, later)
        self.callers = tuple(SimulatedModem(self) for _ in range(callers))
        self.answerers = tuple(SimulatedModem(self) for _ in range(answerers))
        self._noise = random.Random(seed)
        self._calls: list[TelephoneCall] = []
        self._call_by_modem: dict[SimulatedModem, TelephoneCall] = {}
        self._past = LineStatistics()

    @property
    def near(self) -> SimulatedModem:
        """The first modem of the calling side."""
        return self.callers[0]

    @property
    def far(self) -> SimulatedModem:
        """The first modem of the answering side."""
        return self.answerers[0]

    @property
    def modems(self) -> tuple[SimulatedModem, ...]:
        """All modems, those of the calling side first."""
        return self.callers + self.answerers

    @property
    def calls_connected(self) -> int:
        """Connections that have come about."""
        return self.statistics.calls_connected

    @property
    def statistics(self) -> LineStatistics:
        """What has happened so far, calls under way included."""
        total = self._past
        for call in self._calls:
            total = _with(total, call)
        return total

    # What the modems do.

    def dial(self, caller: SimulatedModem, number: str, now_ms: int) -> None:
        """See `sim.modems.modem.Exchange`."""
        if not any(character.isdigit() for character in number):
            caller.failed(ResultCode.ERROR)
            return
        earlier = self._call_of(caller)
        if earlier is not None:
            # Its own last call is not cleared on the other side yet.
            earlier.clear(now_ms)
        self._forget()
        self._begin(self._script.take(number), caller, number, now_ms)

    def pick_up(self, callee: SimulatedModem, now_ms: int) -> None:
        """See `sim.modems.modem.Exchange`."""
        call = self._call_of(callee)
        if (
            call is not None
            and call.callee is callee
            and call.state is CallState.RINGING
        ):
            call.pick_up(now_ms)
        else:
            callee.failed(ResultCode.NO_CARRIER)

    def hang_up(self, modem: SimulatedModem, now_ms: int) -> None:
        """See `sim.modems.modem.Exchange`."""
        call = self._call_of(modem)
        if call is not None:
            call.hang_up(modem, now_ms)

    def send(self, modem: SimulatedModem, data: bytes, now_ms: int) -> None:
        """See `sim.modems.modem.Exchange`."""
        call = self._call_of(modem)
        if call is not None:
            call.send(modem, data, now_ms)

    # What the world does.

    def put_through(self, caller: SimulatedModem, now_ms: int) -> SimulatedModem:
        """Connect ``caller`` at once with the first free modem, past the script.

        Both must be on hook. Returns the other modem.
        """
        callee = self._find_callee(caller)
        assert callee is not None, "no modem is free"
        call = self._begin(Attempt(), caller, "", now_ms)
        self._call_by_modem[callee] = call
        call.put_through(callee, now_ms)
        return callee

    def drop(self, now_ms: int) -> None:
        """Cut every connection: all modems lose the carrier at once."""
        for call in self._calls:
            call.cut(now_ms)
        self._forget()

    def go_half_open(self, *, near: bool = False, far: bool = False) -> None:
        """Let what one side sends arrive no more, in the calls that stand now."""
        for call in self._calls:
            if near:
                call.up.die()
            if far:
                call.down.die()

    def room_bytes(self, modem: SimulatedModem, now_ms: int) -> int:
        """How many bytes ``modem`` takes from its computer now."""
        call = self._call_of(modem)
        if call is None:
            return _SEND_BUFFER_BYTES
        backlog_bytes = call.wire_from(modem).backlog_bytes(now_ms)
        return max(0, _SEND_BUFFER_BYTES - backlog_bytes)

    def on_timer(self, now_ms: int) -> None:
        """Do what the time asks for."""
        for modem in self.modems:
            modem.on_timer(now_ms)
        for call in self._calls:
            call.on_timer(now_ms, self._call_callee)
        self._forget()

    def deadline_ms(self) -> int | None:
        """When `on_timer` is due next; None when nothing is under way."""
        return min((time for time in self._times() if time is not None), default=None)

    def _times(self) -> Iterator[int | None]:
        for modem in self.modems:
            yield modem.deadline_ms()
        for call in self._calls:
            yield from call.times()

    def _begin(
        self, attempt: Attempt, caller: SimulatedModem, number: str, now_ms: int
    ) -> TelephoneCall:
        call = TelephoneCall(
            self._settings,
            attempt,
            caller=caller,
            number=number,
            now_ms=now_ms,
            noise=random.Random(self._noise.getrandbits(64)),
        )
        self._calls.append(call)
        self._call_by_modem[caller] = call
        return call

    def _call_of(self, modem: SimulatedModem) -> TelephoneCall | None:
        call = self._call_by_modem.get(modem)
        return None if call is None or call.state is CallState.OVER else call

    def _call_callee(self, caller: SimulatedModem) -> SimulatedModem | None:
        """Find a modem for the call of ``caller`` and make it part of it."""
        callee = self._find_callee(caller)
        if callee is not None:
            self._call_by_modem[callee] = self._call_by_modem[caller]
        return callee

    def _find_callee(self, caller: SimulatedModem) -> SimulatedModem | None:
        group = self.answerers if caller in self.callers else self.callers
        free = (modem for modem in group if modem.free and not self._call_of(modem))
        return next(free, None)

    def _forget(self) -> None:
        """Keep of the calls that are over what is counted."""
        if any(call.state is CallState.OVER for call in self._calls):
            for call in self._calls:
                if call.state is CallState.OVER:
                    self._past = _with(self._past, call)
            self._calls = [
                call for call in self._calls if call.state is not CallState.OVER
            ]


def _with(total: LineStatistics, call: TelephoneCall) -> LineStatistics:
    up, down = call.up, call.down
    return LineStatistics(
        calls_dialled=total.calls_dialled + 1,
        calls_connected=total.calls_connected + call.was_connected,
        calls_cut=total.calls_cut + call.was_cut,
        bytes_up=total.bytes_up + up.bytes_carried,
        bytes_down=total.bytes_down + down.bytes_carried,
        bytes_lost=total.bytes_lost + up.bytes_lost + down.bytes_lost,
        bits_turned=total.bits_turned + up.bits_turned + down.bits_turned,
    )
