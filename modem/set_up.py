"""Bringing a modem, whatever state it is in, to the point where it can be used.

==========  =========================  =====================  =======================
state       says                       OK                     else
==========  =========================  =====================  =======================
SYNC        ``AT``                     INIT                   SPEAK
SPEAK       results on, in words       INIT                   the next way to recover
DTR_LOW     holds DTR low              --                     SYNC
ESCAPE      guard time, ``+++``        HANG_UP                HANG_UP
HANG_UP     ``ATH``                    SYNC                   SYNC
INIT        the plan's init string     CONFIGURE              ERROR: refused
CONFIGURE   the profile's settings     READY                  ERROR: SIMPLIFY
SIMPLIFY    echo off, words            READY                  ERROR: refused
==========  =========================  =====================  =======================

How each strange state ends:

*   A modem that is quiet (``Q1``) or speaks in numbers hears SPEAK.
*   A command that was half typed becomes one line with our ``AT``: whatever the modem
    answers, SPEAK comes next on a line of its own.
*   A modem that dials gives up at the first byte (V.250, 5.6.1), says NO CARRIER, and
    hears SPEAK.
*   A modem in data state does not hear ``AT``. Where the port has DTR, it hangs up
    when that goes low (if it was configured so); if not it is called back by ESCAPE.
*   A modem in fax mode leaves it by INIT, or by the profile's settings.
*   One that answers at another speed cannot be read: that is told apart from silence.

Silence after both ways to recover means: no modem. A modem that chatters without end is
given up after a number of steps, so every set-up ends.
"""

from __future__ import annotations

from enum import Enum, auto, unique
from typing import TYPE_CHECKING, Final, NamedTuple

from modem.errors import (
    ModemError,
    ModemGarbledError,
    ModemRefusedError,
    ModemSilentError,
)
from modem.result_codes import ResultCode

if TYPE_CHECKING:
    from modem.command_port import CommandPort
    from modem.profiles import ModemProfile

__all__ = [
    "ESCAPE_GUARD_MS",
    "ESCAPE_PATIENCE_MS",
    "SHORT_GUARD_MS",
    "SetUp",
    "SetUpState",
]

ESCAPE_GUARD_MS: Final = 1_100
"""Silence before and after ``+++``; modems ask for 1 s by themselves."""
SHORT_GUARD_MS: Final = 600
"""The same once the set-up has put register S12 at 25, which is 0.5 s: every call
ends a second sooner."""
ESCAPE_PATIENCE_MS: Final = 2_500
DTR_LOW_MS: Final = 600
"""Modems ignore DTR drops shorter than register S25, usually 50 ms, 500 at most."""
_SPEAK: Final = "ATQ0V1E0"
"""Results on, words, echo off."""
_SIMPLIFY: Final = "ATE0V1"
"""For modems that know only the beginnings."""
_STEPS_MAX: Final = 24
"""More than any way through the table, and the end for a modem that chatters."""
_UNREADABLE_MIN: Final = 3
"""Bytes that cannot be read, before silence is called another speed."""


@unique
class SetUpState(Enum):
    """Where the set-up stands."""

    SYNC = auto()
    SPEAK = auto()
    DTR_LOW = auto()
    ESCAPE = auto()
    HANG_UP = auto()
    INIT = auto()
    CONFIGURE = auto()
    SIMPLIFY = auto()
    READY = auto()
    FAILED = auto()


class _Step(NamedTuple):
    """What a state says, after which rest, and how long it waits for a result."""

    command: str
    wait_ms: int
    patience_ms: int


_S = SetUpState
_R = ResultCode
_NEXT: Final[dict[tuple[SetUpState, ResultCode], SetUpState]] = {
    (_S.SYNC, _R.OK): _S.INIT,
    (_S.SYNC, _R.ERROR): _S.SPEAK,
    (_S.SYNC, _R.NO_CARRIER): _S.SPEAK,
    (_S.SPEAK, _R.OK): _S.INIT,
    (_S.SPEAK, _R.ERROR): _S.INIT,
    (_S.SPEAK, _R.NO_CARRIER): _S.SPEAK,
    (_S.ESCAPE, _R.OK): _S.HANG_UP,
    (_S.ESCAPE, _R.ERROR): _S.HANG_UP,
    (_S.ESCAPE, _R.NO_CARRIER): _S.SYNC,
    (_S.HANG_UP, _R.OK): _S.SYNC,
    (_S.HANG_UP, _R.ERROR): _S.SYNC,
    (_S.HANG_UP, _R.NO_CARRIER): _S.SYNC,
    (_S.INIT, _R.OK): _S.CONFIGURE,
    (_S.INIT, _R.ERROR): _S.FAILED,
    (_S.CONFIGURE, _R.OK): _S.READY,
    (_S.CONFIGURE, _R.ERROR): _S.SIMPLIFY,
    (_S.SIMPLIFY, _R.OK): _S.READY,
    (_S.SIMPLIFY, _R.ERROR): _S.FAILED,
}
"""Results; a code that is not here for a state is noise and changes nothing."""
_NEXT_SILENT: Final = {
    _S.SYNC: _S.SPEAK,
    _S.DTR_LOW: _S.SYNC,
    _S.ESCAPE: _S.HANG_UP,
    _S.HANG_UP: _S.SYNC,
    _S.INIT: _S.FAILED,
    _S.CONFIGURE: _S.FAILED,
    _S.SIMPLIFY: _S.FAILED,
}
"""What follows when no result comes in time; after SPEAK, see `SetUp`."""
_ALIASES: Final = {_R.CME_ERROR: _R.ERROR, _R.CMS_ERROR: _R.ERROR}
"""A GSM modem that was told to explain its errors means the same."""
_ENDED: Final = frozenset({_S.READY, _S.FAILED})


class SetUp:
    """Synchronises with a modem and configures it, over a shared `CommandPort`."""

    def __init__(
        self,
        port: CommandPort,
        *,
        profile: ModemProfile,
        init: str,
        blind: bool = False,
        has_dtr: bool = False,
        now_ms: int,
    ) -> None:
        """Begin at SYNC.

        Args:
            port: the command port, which this object uses until it is READY.
            profile: the kind of modem.
            init: the plan's init string, such as ``"ATZ"``.
            blind: dial without waiting for a dial tone.
            has_dtr: whether the port has a DTR line.
            now_ms: the time.
        """
        self._port = port
        configure = profile.configure_command(blind=blind)
        self._steps = {
            _S.SYNC: _Step("AT\r", 0, 1_500),
            _S.SPEAK: _Step(f"{_SPEAK}\r", 0, 1_500),
            _S.DTR_LOW: _Step("", 0, DTR_LOW_MS),
            _S.ESCAPE: _Step("+++", ESCAPE_GUARD_MS, ESCAPE_PATIENCE_MS),
            _S.HANG_UP: _Step("ATH\r", 0, 3_000),
            _S.INIT: _Step(f"{init}\r", 0, 5_000),
            # A modem that has just been reset swallows what follows at once.
            _S.CONFIGURE: _Step(f"{configure}\r", 150, 3_000),
            _S.SIMPLIFY: _Step(f"{_SIMPLIFY}\r", 0, 3_000),
        }
        self._ways_left = [_S.DTR_LOW, _S.ESCAPE] if has_dtr else [_S.ESCAPE]
        self._steps_left = _STEPS_MAX
        self.state = _S.SYNC
        self.error: ModemError | None = None
        self._enter(_S.SYNC, now_ms)

    @property
    def dtr(self) -> bool:
        """What DTR should be now."""
        return self.state is not _S.DTR_LOW

    def on_result(self, code: ResultCode, now_ms: int) -> None:
        """Take the next result code from the port."""
        following = _NEXT.get((self.state, _ALIASES.get(code, code)))
        if following is _S.FAILED:
            self.error = ModemRefusedError(self._steps[self.state].command.strip())
        if following is not None:
            self._enter(following, now_ms)

    def on_timer(self, now_ms: int) -> None:
        """Notice that no result came."""
        if self.state in _ENDED or not self._port.expired(now_ms):
            return
        following = self._after_silence()
        if following is _S.FAILED:
            self.error = self._silent()
        self._enter(following, now_ms)

    def _after_silence(self) -> SetUpState:
        if self.state is not _S.SPEAK:
            return _NEXT_SILENT[self.state]
        return self._ways_left.pop(0) if self._ways_left else _S.FAILED

    def _silent(self) -> ModemError:
        garbled = self._port.unreadable_bytes >= _UNREADABLE_MIN
        return ModemGarbledError() if garbled else ModemSilentError()

    def _enter(self, state: SetUpState, now_ms: int) -> None:
        self._steps_left -= 1
        if self._steps_left < 0 and state not in _ENDED:
            self.error = self._silent()
            state = _S.FAILED
        self.state = state
        if state in _ENDED:
            self._port.listen()
            return
        step = self._steps[state]
        self._port.say(
            step.command,
            now_ms=now_ms,
            patience_ms=step.patience_ms,
            wait_ms=step.wait_ms,
        )
