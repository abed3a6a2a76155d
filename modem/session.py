"""One secured conversation: the link with TLS inside it, as one machine.

Messages in, bytes for the line out, and back. Messages that wait are joined into one
TLS record while the line is busy, so that each costs 2 bytes more and not 24.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from modem.errors import CallClosedError, CallLostError, ModemError, SecurityError
from modem.events import Secured, Securing
from modem.link_state import (
    DataReceived,
    LinkClosed,
    LinkEvent,
    LinkLost,
    LinkOpened,
    LinkStatistics,
)
from modem.message_queue import MessageQueue
from modem.tls import (
    AdmissionAsked,
    MessageReceived,
    TLSSession,
    frame_message,
)

if TYPE_CHECKING:
    from modem.certificates import CertificateTrouble
    from modem.link import Link

__all__ = ["SecureSession", "SessionEnded", "SessionEvent"]

_HANDSHAKE_MS: Final = 180_000
"""Patience for TLS: 2.5 s at 9600 bit/s, 20 s at 1200, far more on a bad line."""
_LINK_BYTES_LOW: Final = 512
"""Unsent bytes in the link below which more messages are encrypted."""
_RECORD_BYTES: Final = 2_048
"""Messages are joined into one TLS record until it has this size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """The link is over.

    Attributes:
        clean: everything sent has arrived, and the other side knows of the end.
        error: None when this side ended it in order.
    """

    clean: bool
    error: ModemError | None


SessionEvent = Securing | AdmissionAsked | Secured | MessageReceived | SessionEnded


class SecureSession:
    """A link and the TLS session inside it, from HELLO to the confirmed end."""

    def __init__(self, link: Link, tls: TLSSession) -> None:
        """Join the two; both must be fresh."""
        self._link = link
        self._tls = tls
        self._events: deque[SessionEvent] = deque()
        self._waiting = MessageQueue(record_bytes=_RECORD_BYTES)
        self._received_bytes = 0
        self._closing = False
        self._error: ModemError | None = None
        self._secure_by_ms: int | None = None
        self._ended = False

    @property
    def peer_name(self) -> str:
        """CN of the other side's certificate; empty before `Secured`."""
        return self._tls.peer_name

    @property
    def unsent_bytes(self) -> int:
        """Message bytes that have not been on the line yet."""
        return self._waiting.waiting_bytes + self._link.unsent_bytes

    @property
    def under_way(self) -> tuple[int, int]:
        """Bytes not known to have arrived there, and bytes that have come here."""
        undelivered = self._waiting.waiting_bytes + self._link.unacknowledged_bytes
        return undelivered, self._received_bytes

    @property
    def statistics(self) -> LinkStatistics:
        """Counters of the link."""
        return self._link.statistics

    def receive_data(self, data: bytes, now_ms: int) -> None:
        """Take any bytes from the line."""
        self._link.receive_data(data, now_ms)
        self._take_link_events(now_ms)

    def send(self, message: bytes) -> None:
        """Queue one message of 1 to 65535 bytes.

        Raises:
            ValueError: the message is empty or too long.
            RuntimeError: `close` was called, or the session has ended.
        """
        framed = frame_message(message)
        if self._closing or self._ended:
            raise RuntimeError("the session takes no more messages")
        self._waiting.add(framed)

    def admit(self, trouble: CertificateTrouble | None) -> None:
        """Answer `AdmissionAsked`; a session that has ended meanwhile lets nobody in.

        Args:
            trouble: why the terminal may not come in, or None.
        """
        if self._ended or self._closing or self._error is not None:
            return
        try:
            self._tls.admit(trouble)
        except SecurityError as error:
            self._fail(error)
            return
        self._take_tls_events()
        self._flush_tls()

    def close(self) -> None:
        """Send what waits, say farewell, end the link; twice is once."""
        self._closing = True
        if not self._tls.ready:
            self._waiting.clear()

    def line_lost(self, reason: str, now_ms: int) -> None:
        """The carrier is gone."""
        self._link.line_lost(reason)
        self._take_link_events(now_ms)

    def on_timer(self, now_ms: int) -> None:
        """Do what the time asks for."""
        self._link.on_timer(now_ms)
        self._take_link_events(now_ms)
        if self._secure_by_ms is not None and now_ms >= self._secure_by_ms:
            self._fail(SecurityError("The other side did not finish the handshake."))

    def data_to_send(self, now_ms: int) -> bytes:
        """Bytes for the line now."""
        self._feed_link()
        out = self._link.data_to_send(now_ms)
        self._take_link_events(now_ms)
        return out

    def next_event(self) -> SessionEvent | None:
        """The oldest event not yet taken, or None."""
        return self._events.popleft() if self._events else None

    def deadline_ms(self, now_ms: int) -> int | None:
        """When to call `on_timer` and `data_to_send` next."""
        if self._ended:
            return self._link.deadline_ms()
        if self._can_encrypt() or self._can_say_farewell():
            return now_ms
        times = [self._link.deadline_ms(), self._secure_by_ms]
        return min((time for time in times if time is not None), default=None)

    # The stream that comes in.

    def _take_link_events(self, now_ms: int) -> None:
        while (event := self._link.next_event()) is not None:
            self._take_link_event(event, now_ms)

    def _take_link_event(self, event: LinkEvent, now_ms: int) -> None:
        match event:
            case LinkOpened():
                self._secure_by_ms = now_ms + _HANDSHAKE_MS
                self._events.append(Securing())
                self._tls.start()
                self._flush_tls()
            case DataReceived(data=data):
                self._received_bytes += len(data)
                self._take_stream(data)
            case LinkClosed():
                self._link_closed(event)
            case LinkLost(reason=reason):
                self._end(clean=False, error=self._error or CallLostError(reason))

    def _take_stream(self, data: bytes) -> None:
        if self._error is not None:
            return
        try:
            self._tls.receive_data(data)
        except SecurityError as error:
            self._fail(error)
            return
        finally:
            self._take_tls_events()
        self._flush_tls()

    def _take_tls_events(self) -> None:
        while (event := self._tls.next_event()) is not None:
            if isinstance(event, Secured):
                self._secure_by_ms = None
            self._events.append(event)

    def _link_closed(self, event: LinkClosed) -> None:
        if self._error is not None:
            self._end(clean=False, error=self._error)
        elif self._closing and not self._waiting:
            # A DISC that is no answer to ours must be theirs, not just anybody's.
            theirs = not event.by_peer or self._tls.ended_by_peer
            self._end(clean=event.clean and theirs, error=None)
        elif self._tls.ended_by_peer:
            clean = event.clean and not self._waiting
            self._end(clean=clean, error=CallClosedError())
        else:
            # Without TLS's farewell anyone on the line could have cut it short, and
            # one in the middle of a message ends nothing that the other side began.
            self._end(clean=False, error=CallLostError("it was cut short"))

    # The stream that goes out.

    def _can_encrypt(self) -> bool:
        return (
            bool(self._waiting)
            and self._tls.ready
            and self._error is None
            and not self._link.closing
            and self._link.unsent_bytes < _LINK_BYTES_LOW
        )

    def _can_say_farewell(self) -> bool:
        return self._closing and not self._waiting and not self._link.closing

    def _feed_link(self) -> None:
        while self._can_encrypt():
            self._tls.send(self._waiting.take())
            self._flush_tls()
        if self._can_say_farewell():
            self._tls.close()
            self._flush_tls()
            self._link.close()

    def _flush_tls(self) -> None:
        data = self._tls.data_to_send()
        if data and not self._link.closing:
            self._link.send(data)

    def _fail(self, error: SecurityError) -> None:
        """End the link, but let the alert get through first."""
        if self._error is None:
            self._error = error
            self._secure_by_ms = None
            self._waiting.clear()
            self._flush_tls()
            self._link.close()

    def _end(self, *, clean: bool, error: ModemError | None) -> None:
        if not self._ended:
            self._ended = True
            self._secure_by_ms = None
            if not isinstance(self._error, SecurityError):
                # Nobody hears it any more, but the ticket of a cut call stays good.
                self._tls.close()
            self._events.append(SessionEnded(clean=clean, error=error))
