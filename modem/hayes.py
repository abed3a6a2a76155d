"""Dialling and answering with a Hayes modem (V.250), as machines without I/O.

Both first bring the modem to its senses (`modem.set_up`). Then, the dialer:

=========  ==================  ====================================================
state      on                  does
=========  ==================  ====================================================
SETTING_UP set-up ready        dials the first number: DIALLING
DIALLING   CONNECT             ONLINE
DIALLING   a failure           as `modem.retries` says: PAUSE, or FAILED
DIALLING   FAX, VOICE          the same as NO CARRIER, told apart; gives up the attempt
DIALLING   time-out            a key pressed aborts it (V.250, 5.6.1): ABORTING
ABORTING   CONNECT             ONLINE
ABORTING   a failure, OK       as NO ANSWER: PAUSE, or FAILED
ABORTING   time-out            the same, and the modem's state is not known any more
PAUSE      CONNECT             ONLINE
PAUSE      time-out            DIALLING; SETTING_UP when its state is not known
=========  ==================  ====================================================

A CONNECT that crosses the abort, or that comes although the attempt has failed (the
NO CARRIER was still that of an earlier call), is the connection that was asked for: it
is used. To ignore it would leave the modem in data state, deaf to every further
command, and the host's line taken. And the answerer, which goes on for ever:

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

Result codes that are not listed for a state are noise and change nothing. What a modem
reports besides (carrier, protocol, who calls) is told as an event in any state.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto, unique
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from modem.command_port import CommandPort
from modem.errors import (
    BlacklistedError,
    BusyError,
    CallStoppedError,
    DelayedError,
    DialError,
    LineInUseError,
    ModemError,
    ModemSilentError,
    NoAnswerError,
    NoCarrierError,
    NoDialToneError,
    NoModemError,
    NumberRefusedError,
)
from modem.events import (
    CallEvent,
    Connected,
    DialFailed,
    Dialling,
    ModemSpoke,
    Ringing,
    WaitingForCall,
)
from modem.result_codes import ModemResult, ResultCode
from modem.retries import Retries
from modem.set_up import SetUp, SetUpState

if TYPE_CHECKING:
    from collections.abc import Callable

    from modem.dial_plan import AnswerPlan, DialPlan

__all__ = ["Answerer", "Connector", "Dialer"]

_CHECK_EVERY_MS: Final = 120_000
"""A modem that lost its power forgets its set-up: a waiting one is checked."""
_CHECK_PATIENCE_MS: Final = 5_000
_ABORT: Final = "\r"
_ABORT_PATIENCE_MS: Final = 2_000
"""An abort is answered at once; a CONNECT that crossed it has come by then."""
_LET_GO: Final = "ATH\r"
_ERRORS: Final[dict[ResultCode, type[DialError]]] = {
    ResultCode.BUSY: BusyError,
    ResultCode.NO_ANSWER: NoAnswerError,
    ResultCode.NO_DIALTONE: NoDialToneError,
    ResultCode.NO_PROMPTTONE: NoDialToneError,
    ResultCode.NO_CARRIER: NoCarrierError,
    ResultCode.ERROR: NumberRefusedError,
    ResultCode.CME_ERROR: NumberRefusedError,
    ResultCode.CMS_ERROR: NumberRefusedError,
    ResultCode.DELAYED: DelayedError,
    ResultCode.BLACKLISTED: BlacklistedError,
    ResultCode.BLACKLIST_FULL: BlacklistedError,
    ResultCode.LINE_IN_USE: LineInUseError,
    ResultCode.FAX: NoModemError,
    ResultCode.VOICE: NoModemError,
}
_GIVEN_UP: Final = frozenset({ResultCode.FAX, ResultCode.VOICE})
"""After these the modem still holds the line: it is told to let go."""


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

    @property
    def dtr(self) -> bool:
        """What DTR should be now."""

    @property
    def is_modem(self) -> bool:
        """Whether there is a modem that has to hang up afterwards."""


@unique
class _State(Enum):
    SETTING_UP = auto()
    DIALLING = auto()
    ABORTING = auto()
    PAUSE = auto()
    WAITING = auto()
    CHECKING = auto()
    ANSWERING = auto()
    ONLINE = auto()
    FAILED = auto()


_BUSY: Final = frozenset({_State.DIALLING, _State.ABORTING, _State.ANSWERING})


class _Connector:
    """Set-up, results in, commands out: all that both directions share."""

    is_modem = True

    def __init__(
        self,
        plan: DialPlan | AnswerPlan,
        *,
        now_ms: int,
        has_dtr: bool,
        blind: bool = False,
        told: bool = False,
    ) -> None:
        self._port = CommandPort()
        self._new_set_up = partial(
            SetUp,
            self._port,
            profile=plan.profile,
            init=plan.init_command,
            blind=blind,
            has_dtr=has_dtr,
        )
        self._baud = plan.baud
        self._told = told
        self._begin_set_up(now_ms)
        self._events: deque[CallEvent] = deque()
        self.rate_bps: int | None = None
        self.error: ModemError | None = None

    @property
    def state(self) -> str:
        """Where it stands, by the names of the tables above, for tests and logs.

        In the set-up after a space also where that stands (`modem.set_up`).
        """
        if self._state is _State.SETTING_UP:
            return f"{self._state.name} {self._set_up.state.name}"
        return self._state.name

    @property
    def dtr(self) -> bool:
        """See `Connector.dtr`."""
        return self._state is not _State.SETTING_UP or self._set_up.dtr

    def receive_data(self, data: bytes, now_ms: int) -> None:
        """See `Connector.receive_data`."""
        self._port.receive_data(data)
        while self.rate_bps is None and self.error is None:
            result = self._port.next_result()
            self._take_words()
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
        data = self._port.data_to_send(now_ms)
        self._take_words()
        return data

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
        return _ABORT.encode() if self._state in _BUSY else b""

    def _take_words(self) -> None:
        for event in self._port.take_events():
            if self._told or not isinstance(event, ModemSpoke):
                self._events.append(event)

    def _begin_set_up(self, now_ms: int) -> None:
        self._state = _State.SETTING_UP
        self._set_up = self._new_set_up(now_ms=now_ms)

    def _check_set_up(self, now_ms: int) -> None:
        if self._set_up.error is not None:
            self._fail(self._set_up.error)
        elif self._set_up.state is SetUpState.READY:
            self._ready(now_ms)

    def _online(self, result: ModemResult) -> None:
        self._state = _State.ONLINE
        self._port.listen()
        # With CONNECT many modems tell the port's speed, and the line's before it.
        rate_bps = self._port.line_rate_bps or result.rate_bps
        self.rate_bps = rate_bps or self._baud
        self._events.append(Connected(rate_bps=self.rate_bps, detail=result.detail))

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

    def __init__(
        self,
        plan: DialPlan,
        *,
        now_ms: int,
        has_dtr: bool = False,
        jitter: Callable[[int], int] = lambda _most: 0,
        told: bool = False,
        dials: bool = True,
    ) -> None:
        """Begin with the modem's set-up.

        Args:
            plan: of a profile with a modem.
            now_ms: the time.
            has_dtr: whether the port has a DTR line.
            jitter: gives a number from 0 up to its argument; see `modem.retries`.
            told: whether every line to and from the modem is told as an event.
            dials: False to stop after the set-up; `error` is then CallStoppedError.
        """
        super().__init__(
            plan, now_ms=now_ms, has_dtr=has_dtr, blind=plan.blind, told=told
        )
        self._plan = plan
        self._retries = Retries(plan, jitter)
        self._dials = dials
        self._unknown = False

    def _ready(self, now_ms: int) -> None:
        if not self._dials:
            self._fail(CallStoppedError())
            return
        number = self._retries.number
        self._state = _State.DIALLING
        self._events.append(Dialling(number=number, attempt=self._retries.attempt))
        self._port.line_rate_bps = None
        self._port.say(
            self._plan.dial_command(number) + "\r",
            now_ms=now_ms,
            patience_ms=self._plan.connect_timeout_ms,
        )

    def _on_result(self, result: ModemResult, now_ms: int) -> None:
        match self._state, result.code:
            case _, ResultCode.CONNECT:
                self._online(result)
            case _State.DIALLING, code if code in _ERRORS:
                say = _LET_GO if code in _GIVEN_UP else ""
                self._attempt_failed(code, now_ms, say=say)
            case _State.ABORTING, code if code in _ERRORS or code is ResultCode.OK:
                self._attempt_failed(ResultCode.NO_ANSWER, now_ms)
            case _:
                pass

    def _on_silence(self, now_ms: int) -> None:
        match self._state:
            case _State.DIALLING:
                self._state = _State.ABORTING
                # Half a result may be here already: of the CONNECT that comes now.
                self._port.say(
                    _ABORT, now_ms=now_ms, patience_ms=_ABORT_PATIENCE_MS, goes_on=True
                )
            case _State.ABORTING:
                self._unknown = True
                self._attempt_failed(ResultCode.NO_ANSWER, now_ms)
            case _ if self._unknown:
                self._unknown = False
                self._begin_set_up(now_ms)
            case _:
                self._ready(now_ms)

    def _attempt_failed(self, code: ResultCode, now_ms: int, *, say: str = "") -> None:
        number = self._retries.number
        pause_ms = self._retries.pause_ms(code, now_ms)
        if pause_ms is None:
            self._fail(_ERRORS[code](number))
            if say:
                self._port.say(say, now_ms=now_ms, patience_ms=0)
            return
        self._state = _State.PAUSE
        self._events.append(DialFailed(number=number, code=code, retry_in_ms=pause_ms))
        self._port.say(say, now_ms=now_ms, patience_ms=pause_ms, goes_on=True)


class Answerer(_Connector):
    """Waits for the telephone to ring and takes the call."""

    def __init__(self, plan: AnswerPlan, *, now_ms: int, has_dtr: bool = False) -> None:
        """Begin with the modem's set-up; see `Dialer`."""
        super().__init__(plan, now_ms=now_ms, has_dtr=has_dtr)
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
        self._port.line_rate_bps = None
        patience_ms = self._plan.connect_timeout_ms
        self._port.say("ATA\r", now_ms=now_ms, patience_ms=patience_ms)
