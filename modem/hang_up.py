"""Making a modem hang up, as a machine without I/O.

==========  =========================  ===============================================
state       does                       then
==========  =========================  ===============================================
LINGER      waits a moment             so that the last bytes leave the modem
DTR_LOW     holds DTR low              DONE: with ``&D2`` that hangs up
GUARD       silence, ``+++``           OK: ATH; silence: with a longer guard, then DONE
ATH         ``ATH``                    any result: DONE; silence: DONE
==========  =========================  ===============================================

NO CARRIER in any state is DONE: the other side was quicker. A port without control
lines (a PTY) goes the way of the escape sequence. Where there is no modem, DTR alone
tells the device at the other end of the cable; without it there is nothing to do.
"""

from __future__ import annotations

from enum import Enum, auto, unique
from typing import Final

from modem.command_port import CommandPort
from modem.result_codes import ResultCode
from modem.set_up import (
    DTR_LOW_MS,
    ESCAPE_GUARD_MS,
    ESCAPE_PATIENCE_MS,
    SHORT_GUARD_MS,
)

__all__ = ["HangUp"]

_LINGER_MS: Final = 400
_ATH_PATIENCE_MS: Final = 3_000
_GUARDS_MS: Final = (SHORT_GUARD_MS, ESCAPE_GUARD_MS)
"""One escape each: a simple modem may not have taken the short guard time."""


@unique
class _State(Enum):
    LINGER = auto()
    DTR_LOW = auto()
    GUARD = auto()
    ATH = auto()
    DONE = auto()


class HangUp:
    """Ends the telephone call; the link has ended before."""

    def __init__(self, *, has_dtr: bool, now_ms: int, is_modem: bool = True) -> None:
        """Begin.

        Args:
            has_dtr: the port has a DTR line, which the modem obeys.
            now_ms: the time.
            is_modem: there is a modem, which hears the escape sequence.
        """
        self._port = CommandPort()
        self._escapes = 0
        self._state = _State.LINGER
        if has_dtr:
            self._port.say("", now_ms=now_ms, patience_ms=_LINGER_MS)
        elif is_modem:
            self._escape(now_ms)
        else:
            self._done()

    @property
    def state(self) -> str:
        """Where it stands, by the names of the table above, for tests and logs."""
        return self._state.name

    @property
    def done(self) -> bool:
        """Whether the modem has hung up, or nothing more can be done about it."""
        return self._state is _State.DONE

    @property
    def dtr(self) -> bool:
        """What DTR should be now."""
        return self._state is not _State.DTR_LOW

    def receive_data(self, data: bytes, now_ms: int) -> None:
        """Take bytes from the modem, whichever state it is in."""
        self._port.receive_data(data)
        while not self.done and (result := self._port.next_result()) is not None:
            self._on_result(result.code, now_ms)

    def on_timer(self, now_ms: int) -> None:
        """Do what the time asks for."""
        if not self._port.expired(now_ms):
            return
        if self._state is _State.LINGER:
            self._state = _State.DTR_LOW
            self._port.say("", now_ms=now_ms, patience_ms=DTR_LOW_MS)
        elif self._state is _State.GUARD and self._escapes < len(_GUARDS_MS):
            self._escape(now_ms)
        else:
            self._done()

    def data_to_send(self, now_ms: int) -> bytes:
        """Bytes for the modem now."""
        return self._port.data_to_send(now_ms)

    def deadline_ms(self) -> int | None:
        """When to call `on_timer` and `data_to_send` next."""
        return self._port.deadline_ms()

    def _on_result(self, code: ResultCode, now_ms: int) -> None:
        if code is ResultCode.NO_CARRIER or self._state is _State.ATH:
            self._done()
        elif self._state is _State.GUARD and code is ResultCode.OK:
            self._state = _State.ATH
            self._port.say("ATH\r", now_ms=now_ms, patience_ms=_ATH_PATIENCE_MS)

    def _escape(self, now_ms: int) -> None:
        self._state = _State.GUARD
        guard_ms = _GUARDS_MS[self._escapes]
        self._escapes += 1
        self._port.say(
            "+++",
            now_ms=now_ms,
            patience_ms=ESCAPE_PATIENCE_MS,
            wait_ms=guard_ms,
        )

    def _done(self) -> None:
        self._state = _State.DONE
        self._port.listen()
