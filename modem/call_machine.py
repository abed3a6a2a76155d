"""One call from the first AT to the hang-up, as a machine without I/O.

============  =====================================  ==============================
phase         who has the line                       ends with
============  =====================================  ==============================
CONNECTING    `modem.hayes` dials or answers,        CONNECT: TALKING; error: DONE
              or `modem.direct` needs neither
TALKING       `modem.session` over the link          session over: HANGING_UP;
                                                     carrier gone: DONE
HANGING_UP    `modem.hang_up`                        hung up, or no use: DONE
DONE          nobody                                 --
============  =====================================  ==============================

A call that is only tried (no session is to be made) hangs up after CONNECT.
`modem.call` drives it over a serial port; a test, or a world with a clock of its
own, drives it without one.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto, unique
from typing import TYPE_CHECKING, Final, Protocol

from modem.errors import CallStoppedError, ModemError, PortError
from modem.events import CallEvent, Closed, Secured
from modem.hang_up import HangUp
from modem.session import SessionEnded

if TYPE_CHECKING:
    from collections.abc import Callable

    from modem.certificates import CertificateTrouble
    from modem.hayes import Connector
    from modem.link_state import LinkStatistics
    from modem.session import SessionEvent
    from modem.tls import AdmissionAsked, MessageReceived

__all__ = ["CallMachine", "CallPhase", "Session"]

_NO_CARRIER: Final = b"\r\nNO CARRIER\r\n"
"""What a modem says in the middle of the data when the connection ends. Fourteen
given bytes do not come up by chance in encrypted data."""


@unique
class CallPhase(Enum):
    """Who has the line."""

    CONNECTING = auto()
    TALKING = auto()
    HANGING_UP = auto()
    DONE = auto()


class Session(Protocol):
    """A secured conversation as a machine without I/O.

    `modem.session.SecureSession` over a telephone line, and over TCP
    `modem.stream_session.StreamSession`, where each part is described.
    """

    @property
    def peer_name(self) -> str:
        """CN of the other side's certificate."""

    @property
    def unsent_bytes(self) -> int:
        """Message bytes that have not been on the line yet."""

    @property
    def under_way(self) -> tuple[int, int]:
        """Bytes not known to have arrived there, and bytes that have come here."""

    @property
    def statistics(self) -> LinkStatistics | None:
        """Counters of the link, where there is one."""

    def receive_data(self, data: bytes, now_ms: int) -> None:
        """Take bytes from the line."""

    def send(self, message: bytes) -> None:
        """Queue one message."""

    def admit(self, trouble: CertificateTrouble | None) -> None:
        """Answer `AdmissionAsked`: why the terminal may not come in, or None."""

    def close(self) -> None:
        """Send what waits and end the session."""

    def line_lost(self, reason: str, now_ms: int) -> None:
        """There is no line any more."""

    def on_timer(self, now_ms: int) -> None:
        """Do what the time asks for."""

    def data_to_send(self, now_ms: int) -> bytes:
        """Bytes for the line now."""

    def next_event(self) -> SessionEvent | None:
        """The oldest event not yet taken, or None."""

    def deadline_ms(self, now_ms: int) -> int | None:
        """When to call `on_timer` and `data_to_send` next."""


class CallMachine:
    """The whole call; bytes and time in, bytes and events out."""

    def __init__(
        self,
        connector: Connector,
        make_session: Callable[[int, int], Session] | None,
        *,
        has_dtr: bool,
    ) -> None:
        """Begin with ``connector``.

        Args:
            connector: a fresh `Dialer`, `Answerer` or `DirectLine`.
            make_session: makes the session from the line's rate in bit/s and the
                time in ms, once the modems are connected; None to hang up then.
            has_dtr: whether the port has a DTR line.
        """
        self._connector = connector
        self._make_session = make_session
        self._has_dtr = has_dtr
        self._session: Session | None = None
        self._hang_up: HangUp | None = None
        self._events: deque[CallEvent | MessageReceived | AdmissionAsked] = deque()
        self._last_words = b""
        self._tail = b""
        self._carrier = True
        self._stopped = False
        self._ended: SessionEnded | None = None
        self.phase = CallPhase.CONNECTING
        self.secured = False
        self.error: ModemError | None = None

    # What goes in.

    def receive_data(self, data: bytes, now_ms: int) -> None:
        """Take bytes from the serial port."""
        match self.phase:
            case CallPhase.CONNECTING:
                self._connector.receive_data(data, now_ms)
                self._check_connector(now_ms)
            case CallPhase.TALKING:
                self._talk(data, now_ms)
            case CallPhase.HANGING_UP:
                assert self._hang_up is not None
                self._hang_up.receive_data(data, now_ms)
                self._check_hang_up()
            case CallPhase.DONE:
                pass

    def on_timer(self, now_ms: int) -> None:
        """Do what the time asks for."""
        match self.phase:
            case CallPhase.CONNECTING:
                self._connector.on_timer(now_ms)
                self._check_connector(now_ms)
            case CallPhase.TALKING:
                self._talking.on_timer(now_ms)
                self._check_session()
            case CallPhase.HANGING_UP:
                assert self._hang_up is not None
                self._hang_up.on_timer(now_ms)
                self._check_hang_up()
            case CallPhase.DONE:
                pass

    def send(self, message: bytes) -> None:
        """Queue a message of 1 to 65535 bytes; the call must be secured.

        Raises:
            ValueError: the message is empty or too long.
            RuntimeError: the call is ending or over.
        """
        self._talking.send(message)

    def admit(self, trouble: CertificateTrouble | None) -> None:
        """Answer `AdmissionAsked`: why the terminal may not come in, or None."""
        self._talking.admit(trouble)
        self._check_session()

    def close(self) -> None:
        """End the call in order and hang up."""
        if self._session is not None:
            self._session.close()
        else:
            self.stop()

    def stop(self) -> None:
        """Give up a call that is not secured yet; `error` is then CallStoppedError."""
        if self.phase is CallPhase.CONNECTING:
            self._last_words = self._connector.abort()
            self._fail(CallStoppedError())
        elif self._session is not None and not self.secured:
            self._stopped = True
            self._session.close()

    def port_failed(self, error: PortError, now_ms: int) -> None:
        """The serial port is gone."""
        if self.phase is CallPhase.CONNECTING:
            self._fail(error)
        else:
            self.carrier_lost(error.reason, now_ms)

    def carrier_lost(self, reason: str, now_ms: int) -> None:
        """The connection is gone; there is nothing left to hang up.

        While connecting it was an earlier one, which the set-up has just ended.
        """
        if self.phase is CallPhase.TALKING:
            self._carrier = False
            self._talking.line_lost(reason, now_ms)
            self._check_session()
        elif self.phase is CallPhase.HANGING_UP:
            self._done()

    # What comes out.

    def data_to_send(self, now_ms: int) -> bytes:
        """Bytes for the serial port now."""
        out, self._last_words = self._last_words, b""
        if self.phase is CallPhase.CONNECTING:
            out += self._connector.data_to_send(now_ms)
            # What was said is told, when it is asked for.
            self._take_connector_events()
        elif self.phase is CallPhase.TALKING:
            out += self._talking.data_to_send(now_ms)
            self._check_session()
            self._check_flushed(now_ms)
        if self.phase is CallPhase.HANGING_UP and self._hang_up is not None:
            out += self._hang_up.data_to_send(now_ms)
        return out

    def next_event(self) -> CallEvent | MessageReceived | AdmissionAsked | None:
        """The oldest event not yet taken, or None."""
        return self._events.popleft() if self._events else None

    def deadline_ms(self, now_ms: int) -> int | None:
        """When to call `on_timer` and `data_to_send` next; None when never."""
        if self._last_words:
            return now_ms
        match self.phase:
            case CallPhase.CONNECTING:
                return self._connector.deadline_ms()
            case CallPhase.TALKING:
                # Once the session is over only its last words are waited for.
                ended = self._ended is not None
                deadline_ms = self._talking.deadline_ms(now_ms)
                return now_ms if ended and deadline_ms is None else deadline_ms
            case CallPhase.HANGING_UP:
                assert self._hang_up is not None
                return self._hang_up.deadline_ms()
            case CallPhase.DONE:
                return None

    @property
    def done(self) -> bool:
        """Whether the call is over and the modem has hung up."""
        return self.phase is CallPhase.DONE and not self._last_words

    @property
    def dtr(self) -> bool:
        """What the DTR line should be now."""
        if self.phase is CallPhase.CONNECTING:
            return self._connector.dtr
        return self._hang_up is None or self._hang_up.dtr

    @property
    def peer_name(self) -> str:
        """CN of the other side's certificate; empty before `Secured`."""
        return "" if self._session is None else self._session.peer_name

    @property
    def unsent_bytes(self) -> int:
        """Message bytes that have not been on the line yet."""
        return 0 if self._session is None else self._session.unsent_bytes

    @property
    def under_way(self) -> tuple[int, int]:
        """Bytes not known to have arrived there, and bytes that have come here."""
        return (0, 0) if self._session is None else self._session.under_way

    @property
    def statistics(self) -> LinkStatistics | None:
        """Counters of the link; None before there is one."""
        return None if self._session is None else self._session.statistics

    # Steps from phase to phase.

    @property
    def _talking(self) -> Session:
        assert self._session is not None
        return self._session

    def _check_connector(self, now_ms: int) -> None:
        self._take_connector_events()
        if self._connector.error is not None:
            self._last_words = self._connector.data_to_send(now_ms)
            self._fail(self._connector.error)
        elif self._connector.rate_bps is None:
            return
        elif self._make_session is None:
            self._begin_hang_up(now_ms)
        else:
            self._session = self._make_session(self._connector.rate_bps, now_ms)
            self.phase = CallPhase.TALKING
            self._talk(self._connector.take_rest(), now_ms)

    def _take_connector_events(self) -> None:
        while (event := self._connector.next_event()) is not None:
            self._events.append(event)

    def _talk(self, data: bytes, now_ms: int) -> None:
        self._talking.receive_data(data, now_ms)
        self._check_session()
        if _NO_CARRIER in self._tail + data:
            self.carrier_lost("the modem reports NO CARRIER", now_ms)
        self._tail = (self._tail + data)[1 - len(_NO_CARRIER) :]

    def _check_session(self) -> None:
        while (event := self._talking.next_event()) is not None:
            if isinstance(event, SessionEnded):
                self._ended = event
                self.error = CallStoppedError() if self._stopped else event.error
            else:
                self.secured = self.secured or isinstance(event, Secured)
                self._events.append(event)
        if self._ended is not None and not self._carrier:
            self._done()

    def _check_flushed(self, now_ms: int) -> None:
        """Hang up once the link's last answer is out."""
        if self.phase is not CallPhase.TALKING or self._ended is None:
            return
        if self._talking.deadline_ms(now_ms) is None:
            self._begin_hang_up(now_ms)

    def _begin_hang_up(self, now_ms: int) -> None:
        self.phase = CallPhase.HANGING_UP
        is_modem = self._connector.is_modem
        self._hang_up = HangUp(has_dtr=self._has_dtr, now_ms=now_ms, is_modem=is_modem)
        self._check_hang_up()

    def _check_hang_up(self) -> None:
        if self._hang_up is not None and self._hang_up.done:
            self._done()

    def _fail(self, error: ModemError) -> None:
        self.error = error
        self.phase = CallPhase.DONE

    def _done(self) -> None:
        if self.phase is CallPhase.DONE:
            return
        self.phase = CallPhase.DONE
        reason = "ended on this side"
        if self.error is not None:
            reason = getattr(self.error, "reason", self.error.what)
        clean = self._ended is None or self._ended.clean
        self._events.append(Closed(clean=clean, reason=reason))
