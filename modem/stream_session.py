"""One secured conversation over TCP: TLS on the stream itself, as a machine.

The same conversation as `modem.session` has over a telephone line, without the link:
TCP repeats and orders the bytes. What the link does besides is done here: patience for
the handshake, the orderly end, a bound on how long one call may last.

===========  ===========================================  ============================
state        until                                        then
===========  ===========================================  ============================
SECURING     both certificates are accepted               TALKING
TALKING      `close`: what waits and our farewell go out  LEAVING
             the other side's farewell comes              over, `CallClosedError`
LEAVING      the other side's farewell or end comes       over, clean
             nothing comes for 5 s                        over, not clean
===========  ===========================================  ============================

In each of them an end of the connection without a farewell is a lost call: anyone on
the way could have cut it short.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from modem.errors import CallClosedError, CallLostError, ModemError, SecurityError
from modem.events import Secured, Securing
from modem.message_queue import MessageQueue
from modem.session import SessionEnded, SessionEvent
from modem.tls import TLSSession, frame_message

if TYPE_CHECKING:
    from modem.certificates import CertificateTrouble
    from modem.link_state import LinkStatistics

__all__ = ["StreamSession"]

_FAREWELL_MS: Final = 5_000
"""How long the other side's farewell is waited for."""
_RECORD_BYTES: Final = 16_384
"""Messages that wait are encrypted in pieces of about this size."""


class StreamSession:
    """TLS and the messages inside it, from the first byte to the farewell."""

    def __init__(
        self,
        tls: TLSSession,
        *,
        now_ms: int,
        handshake_ms: int,
        call_ms: int | None = None,
    ) -> None:
        """Begin; the connection is up.

        Args:
            tls: fresh.
            now_ms: the time.
            handshake_ms: patience until both certificates are accepted.
            call_ms: how long the whole call may last; None for no bound.
        """
        self._tls = tls
        self._events: deque[SessionEvent] = deque([Securing()])
        self._waiting = MessageQueue(record_bytes=_RECORD_BYTES)
        self._received_bytes = 0
        self._out = b""
        self._closing = False
        self._farewell_until_ms: int | None = None
        self._secure_by_ms: int | None = now_ms + handshake_ms
        self._until_ms = None if call_ms is None else now_ms + call_ms
        self._ended = False
        tls.start()
        self._flush()

    @property
    def peer_name(self) -> str:
        """CN of the other side's certificate; empty before `Secured`."""
        return self._tls.peer_name

    @property
    def unsent_bytes(self) -> int:
        """Message bytes that have not been handed to the connection yet."""
        return self._waiting.waiting_bytes

    @property
    def under_way(self) -> tuple[int, int]:
        """Bytes not handed to the connection yet, and bytes that have come here."""
        return self._waiting.waiting_bytes, self._received_bytes

    @property
    def statistics(self) -> LinkStatistics | None:
        """There is no link that counts."""
        return None

    def receive_data(self, data: bytes, now_ms: int) -> None:
        """Take bytes of the stream."""
        del now_ms
        if self._ended:
            return
        self._received_bytes += len(data)
        try:
            self._tls.receive_data(data)
        except SecurityError as error:
            self._take_tls_events()
            self._flush()
            self._end(clean=False, error=error)
            return
        self._take_tls_events()
        self._flush()
        if self._tls.closed_by_peer:
            self._peer_has_left()

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
        if self._ended or self._closing:
            return
        try:
            self._tls.admit(trouble)
        except SecurityError as error:
            self._flush()
            self._end(clean=False, error=error)
            return
        self._take_tls_events()
        self._flush()

    def close(self) -> None:
        """Send what waits, say farewell; twice is once."""
        self._closing = True
        if not self._tls.ready:
            self._waiting.clear()

    def line_lost(self, reason: str, now_ms: int) -> None:
        """The connection is over."""
        del now_ms
        if self._farewell_until_ms is not None:
            # Our farewell was the last word; some just hang up on it.
            self._end(clean=True, error=None)
        else:
            self._end(clean=False, error=CallLostError(reason))

    def on_timer(self, now_ms: int) -> None:
        """Do what the time asks for."""
        if self._ended:
            return
        if self._farewell_until_ms is not None:
            if now_ms >= self._farewell_until_ms:
                self._end(clean=False, error=None)
        elif self._secure_by_ms is not None and now_ms >= self._secure_by_ms:
            late = SecurityError("The other side did not finish the handshake.")
            self._end(clean=False, error=late)
        elif self._until_ms is not None and now_ms >= self._until_ms:
            self._end(clean=False, error=CallLostError("it took too long"))

    def data_to_send(self, now_ms: int) -> bytes:
        """Bytes for the connection now."""
        if not self._ended:
            self._encrypt()
            if self._closing and not self._waiting and self._farewell_until_ms is None:
                self._leave(now_ms)
        out, self._out = self._out, b""
        return out

    def next_event(self) -> SessionEvent | None:
        """The oldest event not yet taken, or None."""
        return self._events.popleft() if self._events else None

    def deadline_ms(self, now_ms: int) -> int | None:
        """When to call `on_timer` and `data_to_send` next."""
        if self._out:
            return now_ms
        if self._ended:
            return None
        if self._farewell_until_ms is not None:
            return self._farewell_until_ms
        if (self._waiting and self._tls.ready) or self._closing:
            return now_ms
        times = (self._secure_by_ms, self._until_ms)
        return min((time for time in times if time is not None), default=None)

    def _take_tls_events(self) -> None:
        while (event := self._tls.next_event()) is not None:
            if isinstance(event, Secured):
                self._secure_by_ms = None
            self._events.append(event)

    def _encrypt(self) -> None:
        """Turn waiting messages into bytes, about one record of them."""
        if not self._tls.ready or not self._waiting:
            return
        self._tls.send(self._waiting.take())
        self._flush()

    def _leave(self, now_ms: int) -> None:
        if not self._tls.ready:
            self._end(clean=True, error=None)
            return
        self._tls.close()
        self._flush()
        self._farewell_until_ms = now_ms + _FAREWELL_MS

    def _peer_has_left(self) -> None:
        if self._farewell_until_ms is not None:
            self._end(clean=True, error=None)
        elif self._tls.ended_by_peer:
            self._end(clean=not self._waiting, error=CallClosedError())
        else:
            # A farewell in the middle of a message ends nothing that was begun.
            self._end(clean=False, error=CallLostError("it was cut short"))

    def _flush(self) -> None:
        self._out += self._tls.data_to_send()

    def _end(self, *, clean: bool, error: ModemError | None) -> None:
        if self._ended:
            return
        self._ended = True
        self._waiting.clear()
        if not isinstance(error, SecurityError):
            # So that the ticket of a call that was cut stays good as well.
            self._tls.close()
            self._flush()
        self._events.append(SessionEnded(clean=clean, error=error))
