"""Dialling and answering with a Hayes modem (V.250), as machines without I/O.

Both first bring the modem to its senses (`modem.set_up`). Then, the dialer:

=========  ==================  ====================================================
state      on                  does
=========  ==================  ====================================================
SETTING_UP set-up ready        dials the next number: DIALLING
DIALLING   CONNECT             ONLINE
DIALLING   BUSY, NO ANSWER,    PAUSE, then dials on; after the last attempt, or when
           NO CARRIER, ERROR   there is no dial tone: FAILED
           or NO DIALTONE
DIALLING   time-out            a key pressed aborts it (V.250, 5.6.1); as NO ANSWER
PAUSE      time-out            DIALLING
=========  ==================  ====================================================

and the answerer, which goes on for ever:

=========  ==================  ====================================================
state      on                  does
=========  ==================  ====================================================
SETTING_UP set-up ready        WAITING
WAITING    RING                says ATA: ANSWERING
WAITING    time-out            checks with AT that the modem is still there: CHECKING
CHECKING   OK / RING           WAITING / ANSWERING; silence: FAILED
ANSWERING  CONNECT             ONLINE
ANSWERING  failure, time-out   WAITING
=========  ==================  ====================================================

Result codes that are not listed for a state are noise and change nothing.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto, unique
from typing import TYPE_CHECKING, Final, Protocol

from modem.command_port import CommandPort
from modem.errors import (
    BusyError,
    DialError,
    ModemError,
    ModemSilentError,
    NoAnswerError,
    NoCarrierError,
    NoDialToneError,
    NumberRefusedError,
)
from modem.events import (
    CallEvent,
    Connected,
    DialFailed,
    Dialling,
    Ringing,
    WaitingForCall,
)
from modem.result_codes import ModemResult, ResultCode
from modem.set_up import SetUp, SetUpState

if TYPE_CHECKING:
    from modem.dial_plan import AnswerPlan, DialPlan

__all__ = ["Answerer", "Connector", "Dialer"]

_CHECK_EVERY_MS: Final = 120_000
"""A modem that lost its power forgets its set-up: a waiting one is checked."""
_CHECK_PATIENCE_MS: Final = 5_000
_ABORT: Final = "\r"
_ERRORS: Final[dict[ResultCode, type[DialError]]] = {
    ResultCode.BUSY: BusyError,
    ResultCode.NO_ANSWER: NoAnswerError,
    ResultCode.NO_DIALTONE: NoDialToneError,
    ResultCode.NO_CARRIER: NoCarrierError,
    ResultCode.ERROR: NumberRefusedError,
}


class Connector(Protocol):
    """What `Dialer` and `Answerer` have in common for the call around them."""

    @property
    def rate_bps(self) -> int | None:
        """Bit rate of the connection; None until there is one."""

    @property
    def error(self) -> ModemError | None:
        """Why no connection will come; None while it still may."""

    def receive_data(self, data: bytes, now_ms: int) -> None:
        """Take bytes from the modem."""

    def on_timer(self, now_ms: int) -> None:
        """Do what the time asks for."""

    def data_to_send(self, now_ms: int) -> bytes:
        """Bytes for the modem now."""

    def deadline_ms(self) -> int | None:
        """When to call `on_timer` and `data_to_send` next."""

    def next_event(self) -> CallEvent | None:
        """The oldest event not yet taken, or None."""

    def take_rest(self) -> bytes:
        """Bytes after CONNECT, which are the other side's."""

    def abort(self) -> bytes:
        """Bytes that make the modem give up what it is doing; maybe none."""


@unique
class _State(Enum):
    SETTING_UP = auto()
    DIALLING = auto()
    PAUSE = auto()
    WAITING = auto()
    CHECKING = auto()
    ANSWERING = auto()
    ONLINE = auto()
    FAILED = auto()


class _Connector:
    """Set-up, results in, commands out: all that both directions share."""

    def __init__(self, *, init: str, baud: int, now_ms: int) -> None:
        self._port = CommandPort()
        self._set_up = SetUp(self._port, init=init, now_ms=now_ms)
        self._baud = baud
        self._state = _State.SETTING_UP
        self._events: deque[CallEvent] = deque()
        self.rate_bps: int | None = None
        self.error: ModemError | None = None

    def receive_data(self, data: bytes, now_ms: int) -> None:
        """See `Connector.receive_data`."""
        self._port.receive_data(data)
        while self.rate_bps is None and self.error is None:
            result = self._port.next_result()
            if result is None:
                return
            if self._state is _State.SETTING_UP:
                self._set_up.on_result(result.code, now_ms)
                self._check_set_up(now_ms)
            else:
                self._on_result(result, now_ms)

    def on_timer(self, now_ms: int) -> None:
        """See `Connector.on_timer`."""
        if self._state is _State.SETTING_UP:
            self._set_up.on_timer(now_ms)
            self._check_set_up(now_ms)
        elif self._port.expired(now_ms):
            self._on_silence(now_ms)

    def data_to_send(self, now_ms: int) -> bytes:
        """See `Connector.data_to_send`."""
        return self._port.data_to_send(now_ms)

    def deadline_ms(self) -> int | None:
        """See `Connector.deadline_ms`."""
        return self._port.deadline_ms()

    def next_event(self) -> CallEvent | None:
        """See `Connector.next_event`."""
        return self._events.popleft() if self._events else None

    def take_rest(self) -> bytes:
        """See `Connector.take_rest`."""
        return self._port.take_rest()

    def abort(self) -> bytes:
        """See `Connector.abort`."""
        busy = self._state in (_State.DIALLING, _State.ANSWERING)
        return _ABORT.encode() if busy else b""

    def _check_set_up(self, now_ms: int) -> None:
        if self._set_up.error is not None:
            self._fail(self._set_up.error)
        elif self._set_up.state is SetUpState.READY:
            self._ready(now_ms)

    def _online(self, result: ModemResult) -> None:
        self._state = _State.ONLINE
        self._port.listen()
        self.rate_bps = result.rate_bps or self._baud
        self._events.append(Connected(rate_bps=self.rate_bps))

    def _fail(self, error: ModemError) -> None:
        self._state = _State.FAILED
        self._port.listen()
        self.error = error

    def _ready(self, now_ms: int) -> None:
        raise NotImplementedError

    def _on_result(self, result: ModemResult, now_ms: int) -> None:
        raise NotImplementedError

    def _on_silence(self, now_ms: int) -> None:
        raise NotImplementedError


class Dialer(_Connector):
    """Dials the plan's numbers in turn until one connects."""

    def __init__(self, plan: DialPlan, *, now_ms: int) -> None:
        """Begin with the modem's set-up."""
        super().__init__(init=plan.init, baud=plan.baud, now_ms=now_ms)
        self._plan = plan
        self._attempt = 0

    @property
    def _number(self) -> str:
        return self._plan.numbers[(self._attempt - 1) % len(self._plan.numbers)]

    def _ready(self, now_ms: int) -> None:
        self._attempt += 1
        self._state = _State.DIALLING
        self._events.append(Dialling(number=self._number, attempt=self._attempt))
        self._port.say(
            self._plan.dial_command(self._number) + "\r",
            now_ms=now_ms,
            patience_ms=self._plan.connect_timeout_ms,
        )

    def _on_result(self, result: ModemResult, now_ms: int) -> None:
        if self._state is not _State.DIALLING:
            return
        if result.code is ResultCode.CONNECT:
            self._online(result)
        elif result.code in _ERRORS:
            self._attempt_failed(result.code, now_ms, say="")

    def _on_silence(self, now_ms: int) -> None:
        if self._state is _State.DIALLING:
            self._attempt_failed(ResultCode.NO_ANSWER, now_ms, say=_ABORT)
        else:
            self._ready(now_ms)

    def _attempt_failed(self, code: ResultCode, now_ms: int, *, say: str) -> None:
        # No other number helps while the line itself is dead.
        last = self._attempt >= self._plan.rounds * len(self._plan.numbers)
        if last or code is ResultCode.NO_DIALTONE:
            self._fail(_ERRORS[code](self._number))
            if say:
                self._port.say(say, now_ms=now_ms, patience_ms=0)
            return
        self._state = _State.PAUSE
        pause_ms = self._plan.pause_ms
        self._events.append(
            DialFailed(number=self._number, code=code, retry_in_ms=pause_ms)
        )
        self._port.say(say, now_ms=now_ms, patience_ms=pause_ms)


class Answerer(_Connector):
    """Waits for the telephone to ring and takes the call."""

    def __init__(self, plan: AnswerPlan, *, now_ms: int) -> None:
        """Begin with the modem's set-up."""
        super().__init__(init=plan.init, baud=plan.baud, now_ms=now_ms)
        self._plan = plan

    def _ready(self, now_ms: int) -> None:
        self._events.append(WaitingForCall())
        self._wait(now_ms)

    def _wait(self, now_ms: int) -> None:
        self._state = _State.WAITING
        self._port.say("", now_ms=now_ms, patience_ms=_CHECK_EVERY_MS)

    def _on_result(self, result: ModemResult, now_ms: int) -> None:
        match self._state, result.code:
            case ((_State.WAITING | _State.CHECKING), ResultCode.RING):
                self._pick_up(now_ms)
            case _State.CHECKING, ResultCode.OK:
                self._wait(now_ms)
            case _, ResultCode.CONNECT:
                self._online(result)
            case _State.ANSWERING, code if code in _ERRORS:
                self._wait(now_ms)
            case _:
                pass

    def _on_silence(self, now_ms: int) -> None:
        match self._state:
            case _State.WAITING:
                self._state = _State.CHECKING
                self._port.say("AT\r", now_ms=now_ms, patience_ms=_CHECK_PATIENCE_MS)
            case _State.CHECKING:
                self._fail(ModemSilentError())
            case _:
                self._wait(now_ms)

    def _pick_up(self, now_ms: int) -> None:
        self._state = _State.ANSWERING
        self._events.append(Ringing())
        patience_ms = self._plan.connect_timeout_ms
        self._port.say("ATA\r", now_ms=now_ms, patience_ms=patience_ms)
