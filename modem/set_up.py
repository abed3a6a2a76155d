"""Bringing a modem, whatever state it is in, to the point where it can be used.

==========  =========================  =====================  =======================
state       says                       OK                     else
==========  =========================  =====================  =======================
SYNC        ``AT``                     INIT                   again, then ESCAPE
ESCAPE      guard time, ``+++``        HANG_UP                HANG_UP
HANG_UP     ``ATH``                    SYNC                   SYNC
INIT        the plan's init string     CONFIGURE              ERROR: refused
CONFIGURE   echo off, words, X4, ...   READY                  ERROR: SIMPLIFY
SIMPLIFY    echo off, words            READY                  ERROR: refused
==========  =========================  =====================  =======================

A modem left in data state by a crash does not hear AT: it is called back by ESCAPE
and made to hang up. Silence everywhere in the second round means: no modem.
"""

from __future__ import annotations

from enum import Enum, auto, unique
from typing import TYPE_CHECKING, Final, NamedTuple

from modem.errors import ModemError, ModemRefusedError, ModemSilentError
from modem.result_codes import ResultCode

if TYPE_CHECKING:
    from modem.command_port import CommandPort

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
_CONFIGURE: Final = "ATE0V1X4&C1&D2S0=0S12=25"
"""Echo off, words, all result codes, DCD shows the carrier, DTR hangs up, no
automatic answer, 0.5 s of guard time."""
_SIMPLIFY: Final = "ATE0V1"
"""For modems that know only the beginnings."""
_SYNC_TRIES: Final = 2
_ROUNDS: Final = 2


@unique
class SetUpState(Enum):
    """Where the set-up stands."""

    SYNC = auto()
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
    _S.ESCAPE: _S.HANG_UP,
    _S.HANG_UP: _S.SYNC,
    _S.INIT: _S.FAILED,
    _S.CONFIGURE: _S.FAILED,
    _S.SIMPLIFY: _S.FAILED,
}
"""What follows when no result comes in time; SYNC counts its tries."""
_ENDED: Final = frozenset({_S.READY, _S.FAILED})


class SetUp:
    """Synchronises with a modem and configures it, over a shared `CommandPort`."""

    def __init__(self, port: CommandPort, *, init: str, now_ms: int) -> None:
        """Begin at SYNC.

        Args:
            port: the command port, which this object uses until it is READY.
            init: the plan's init string, such as ``"ATZ"``.
            now_ms: the time.
        """
        self._port = port
        self._steps = {
            _S.SYNC: _Step("AT\r", 0, 1_500),
            _S.ESCAPE: _Step("+++", ESCAPE_GUARD_MS, ESCAPE_PATIENCE_MS),
            _S.HANG_UP: _Step("ATH\r", 0, 3_000),
            _S.INIT: _Step(f"{init}\r", 0, 5_000),
            # A modem that has just been reset swallows what follows at once.
            _S.CONFIGURE: _Step(f"{_CONFIGURE}\r", 150, 3_000),
            _S.SIMPLIFY: _Step(f"{_SIMPLIFY}\r", 0, 3_000),
        }
        self._tries = 0
        self._rounds = 0
        self.state = _S.SYNC
        self.error: ModemError | None = None
        self._enter(_S.SYNC, now_ms)

    def on_result(self, code: ResultCode, now_ms: int) -> None:
        """Take the next result code from the port."""
        following = _NEXT.get((self.state, code))
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
            self.error = ModemSilentError()
        self._enter(following, now_ms)

    def _after_silence(self) -> SetUpState:
        if self.state is not _S.SYNC:
            return _NEXT_SILENT[self.state]
        self._tries += 1
        if self._tries < _SYNC_TRIES:
            return _S.SYNC
        self._tries = 0
        self._rounds += 1
        return _S.ESCAPE if self._rounds < _ROUNDS else _S.FAILED

    def _enter(self, state: SetUpState, now_ms: int) -> None:
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
