"""The link: a reliable byte stream over a noisy line, as a machine without I/O.

Bytes from the line and the time go in (`receive_data`, `on_timer`), bytes for the
line and events come out (`data_to_send`, `next_event`); `deadline_ms` tells when to
call again. The states are in `modem.link_state`, the frames in `modem.link_frames`.

Theory of operation
    Both sides say HELLO with a nonce of their own until they are WELCOMEd, or until
    a frame shows that the other side was. Data frames are numbered; the receiver
    takes them in order, acknowledges, and REJECTs when one is missing.

    Frames are handed out only when the line is about to be free, by the bit rate
    that the modem told. So acknowledgements never wait behind a modem's full
    buffer, and what is on its way stays small. Should the modem have told too high
    a rate, the window still bounds what it can swallow.

    A silent line is asked for a sign of life (PING, answered by ACK), which tells a
    line that has nothing to say from one that is cut.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from modem.framing import OVERHEAD_BYTES, FrameDecoder, encode_frame
from modem.link_frames import (
    DATA_HEADER_BYTES,
    SEQUENCE_MODULUS,
    Control,
    Data,
    Hello,
    Kind,
    LinkFrame,
    encode,
    parse,
)
from modem.link_state import (
    DataReceived,
    LinkCause,
    LinkClosed,
    LinkEvent,
    LinkLost,
    LinkOpened,
    LinkSettings,
    LinkState,
    LinkStatistics,
    next_state,
)
from modem.link_window import SendWindow

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Link"]

_BITS_PER_BYTE: Final = 10
"""Start bit, eight data bits, stop bit."""
_US_PER_S: Final = 1_000_000
_ENDED: Final = frozenset({LinkState.CLOSED, LinkState.LOST})
_SENDING: Final = frozenset({LinkState.OPEN, LinkState.DRAINING})


class Link:
    """One end of a link."""

    def __init__(
        self,
        *,
        nonce: int,
        line_rate_bps: int,
        now_ms: int,
        settings: LinkSettings | None = None,
    ) -> None:
        """Start opening.

        Args:
            nonce: 32 random bits that name this link.
            line_rate_bps: bit rate of the line as the modem told it.
            now_ms: the time, on the clock of all later calls.
            settings: sizes and times, or None for the usual ones.
        """
        self._settings = settings or LinkSettings()
        self._byte_us = max(1, _BITS_PER_BYTE * _US_PER_S // line_rate_bps)
        frame_bytes = self._settings.frame_bytes + DATA_HEADER_BYTES + OVERHEAD_BYTES
        self._window = SendWindow(
            self._settings, frame_ms=frame_bytes * self._byte_us // 1000
        )
        self._decoder = FrameDecoder()
        self._events: deque[LinkEvent] = deque()
        self._state = LinkState.OPENING
        self._nonce = nonce
        self._peer_nonce: int | None = None
        self._welcome_due = False
        self._expected = 0
        self._acknowledge_due = False
        self._reject_due = False
        self._last_ahead: int | None = None
        self._ping_due = False
        self._confirm_due = False
        self._disconnect_due = False
        self._disconnects = 0
        self._repeat_ms = now_ms
        self._hello_due = True
        self._opening_until_ms = now_ms + self._settings.opening_ms
        self._heard_ms = now_ms
        self._keep_alive_ms = now_ms + self._settings.keep_alive_ms
        self._line_free_us = now_ms * 1000
        self._sent_frames = self._sent_bytes = self._received_bytes = 0

    # What goes in.

    def receive_data(self, data: bytes, now_ms: int) -> None:
        """Take any bytes from the line; whatever they are, nothing is raised."""
        self._received_bytes += len(data)
        for content in self._decoder.receive_data(data):
            frame = parse(content)
            if frame is not None and self._state is not LinkState.LOST:
                self._heard(now_ms)
                self._handle(frame, now_ms)

    def send(self, data: bytes) -> None:
        """Queue ``data``; what is queued before the link opens waits for it.

        Raises:
            RuntimeError: `close` was called or the link is over; ask `closing` first.
        """
        if self.closing:
            raise RuntimeError("the link takes no more data")
        self._window.queue(data)

    def close(self) -> None:
        """Send what is queued, then end the link in order; twice is once."""
        if self._state is LinkState.OPENING:
            self._end(LinkCause.CLOSE_ASKED, by_peer=False)
        elif self._state is LinkState.OPEN:
            self._move(LinkCause.CLOSE_ASKED)
            self._check_drained()

    def line_lost(self, reason: str) -> None:
        """The carrier is gone: nothing more will come or go."""
        if self._state not in _ENDED:
            self._line_dead(reason)

    def on_timer(self, now_ms: int) -> None:
        """Do what the time asks for; harmless when nothing is due."""
        match self._state:
            case LinkState.OPENING:
                self._hello_timer(now_ms)
            case LinkState.OPEN | LinkState.DRAINING:
                self._data_timer(now_ms)
            case LinkState.DISCONNECTING:
                self._disconnect_timer(now_ms)
            case LinkState.CLOSED | LinkState.LOST:
                pass

    # What comes out.

    def data_to_send(self, now_ms: int) -> bytes:
        """Bytes for the line now, often none; ask again at `deadline_ms`."""
        if self._state is LinkState.LOST:
            return b""
        out = bytearray()
        self._line_free_us = max(self._line_free_us, now_ms * 1000)
        while now_ms >= self._line_ready_ms():
            frame = self._next_frame(now_ms)
            if frame is None:
                break
            line = encode_frame(encode(frame))
            self._line_free_us += len(line) * self._byte_us
            self._sent_frames += 1
            out += line
        self._sent_bytes += len(out)
        return bytes(out)

    def next_event(self) -> LinkEvent | None:
        """The oldest event not yet taken, or None."""
        return self._events.popleft() if self._events else None

    def deadline_ms(self) -> int | None:
        """When to call `on_timer` and `data_to_send` next; None when never."""
        if self._state is LinkState.LOST:
            return None
        times = list(self._timers())
        if self._has_output():
            times.append(self._line_ready_ms())
        return min(times, default=None)

    @property
    def unsent_bytes(self) -> int:
        """Stream bytes queued that have never been on the line."""
        return self._window.unsent_bytes

    @property
    def closing(self) -> bool:
        """Whether `send` takes no more: the link is ending or over."""
        return self._state not in (LinkState.OPENING, LinkState.OPEN)

    @property
    def state(self) -> LinkState:
        """The present state, for tests and logs."""
        return self._state

    @property
    def statistics(self) -> LinkStatistics:
        """What the link has done so far."""
        return LinkStatistics(
            frames_sent=self._sent_frames,
            frames_resent=self._window.frames_resent,
            frames_damaged=self._decoder.frames_damaged,
            line_bytes_sent=self._sent_bytes,
            line_bytes_received=self._received_bytes,
        )

    # Frames that came in.

    def _heard(self, now_ms: int) -> None:
        self._heard_ms = now_ms
        self._keep_alive_ms = now_ms + self._settings.keep_alive_ms

    def _handle(self, frame: LinkFrame, now_ms: int) -> None:
        if isinstance(frame, Hello):
            self._handle_hello(frame)
            return
        if self._peer_nonce is None:
            return  # Left over from an earlier call: this one has not begun.
        self._opened()
        match frame:
            case Data():
                self._handle_data(frame, now_ms)
            case Control():
                self._handle_control(frame, now_ms)

    def _handle_hello(self, hello: Hello) -> None:
        if hello.heard not in (None, self._nonce):
            return  # It welcomes an earlier call.
        another = self._peer_nonce not in (None, hello.nonce)
        # While still opening, the HELLO before was left over from an earlier call.
        if another and self._state is not LinkState.OPENING:
            self.line_lost("the other side has started over")
            return
        self._peer_nonce = hello.nonce
        if hello.heard is None:
            self._welcome_due = True
        else:
            self._opened()

    def _opened(self) -> None:
        if self._state is LinkState.OPENING:
            self._move(LinkCause.HEARD_BY_PEER)
            self._hello_due = False
            self._events.append(LinkOpened())

    def _handle_data(self, frame: Data, now_ms: int) -> None:
        self._acknowledged(frame.acknowledgement, now_ms)
        if self._state in _ENDED:
            return
        ahead = (frame.sequence - self._expected) % SEQUENCE_MODULUS
        if ahead == 0:
            self._expected = (self._expected + 1) % SEQUENCE_MODULUS
            self._last_ahead = None
            self._reject_due = False
            self._events.append(DataReceived(data=frame.payload))
        elif ahead < SEQUENCE_MODULUS // 2:
            # Frames keep their order on a line. So one that is not further ahead than
            # the last shows that the other side went back, and in vain.
            if self._last_ahead is None or ahead <= self._last_ahead:
                self._reject_due = True
            self._last_ahead = ahead
        self._acknowledge_due = True

    def _handle_control(self, frame: Control, now_ms: int) -> None:
        if frame.kind is Kind.PING:
            self._acknowledge_due = True
            return
        self._acknowledged(frame.acknowledgement, now_ms)
        if frame.kind is Kind.REJECT:
            self._window.reject(now_ms)
        elif frame.kind is Kind.DISC:
            self._confirm_due = True
            self._end(LinkCause.DISCONNECTED_BY_PEER, by_peer=True)
        elif frame.kind is Kind.DISC_ACK and self._state is LinkState.DISCONNECTING:
            self._end(LinkCause.DISCONNECT_CONFIRMED, by_peer=False)

    def _acknowledged(self, acknowledgement: int, now_ms: int) -> None:
        self._window.acknowledge(acknowledgement, now_ms)
        self._check_drained()

    # Frames that go out.

    def _has_output(self) -> bool:
        return (
            self._hello_due
            or self._welcome_due
            or self._confirm_due
            or self._disconnect_due
            or self._reject_due
            or self._acknowledge_due
            or self._ping_due
            or (self._state in _SENDING and self._window.has_next())
        )

    def _next_frame(self, now_ms: int) -> LinkFrame | None:
        """The most urgent frame; sending it settles what it was due for."""
        if self._welcome_due:
            self._welcome_due = False
            return Hello(nonce=self._nonce, heard=self._peer_nonce)
        if self._hello_due:
            self._hello_due = False
            self._repeat_ms = now_ms + self._settings.hello_ms
            return Hello(nonce=self._nonce)
        if self._confirm_due:
            self._confirm_due = self._acknowledge_due = False
            return self._control(Kind.DISC_ACK)
        if self._reject_due:
            self._reject_due = self._acknowledge_due = False
            return self._control(Kind.REJECT)
        if self._state in _SENDING and self._window.has_next():
            self._acknowledge_due = False
            sequence, payload = self._window.next_piece(now_ms)
            return Data(
                sequence=sequence, acknowledgement=self._expected, payload=payload
            )
        return self._next_idle_frame(now_ms)

    def _next_idle_frame(self, now_ms: int) -> LinkFrame | None:
        if self._disconnect_due:
            self._disconnect_due = self._acknowledge_due = False
            self._disconnects += 1
            self._repeat_ms = now_ms + self._window.timeout_ms
            return self._control(Kind.DISC)
        if self._acknowledge_due:
            self._acknowledge_due = False
            return self._control(Kind.ACK)
        if self._ping_due:
            self._ping_due = False
            return self._control(Kind.PING)
        return None

    def _control(self, kind: Kind) -> Control:
        return Control(kind=kind, acknowledgement=self._expected)

    # Time.

    def _line_ready_ms(self) -> int:
        """When the next frame may be handed out, a little before the line is free."""
        return -(-self._line_free_us // 1000) - self._settings.lead_ms

    def _timers(self) -> Iterator[int]:
        match self._state:
            case LinkState.OPENING:
                yield self._opening_until_ms
                if not self._hello_due:
                    yield self._repeat_ms
            case LinkState.OPEN | LinkState.DRAINING:
                yield self._heard_ms + self._settings.dead_ms
                if not self._ping_due:
                    yield self._keep_alive_ms
                window_ms = self._window.deadline_ms()
                if window_ms is not None:
                    yield window_ms
            case LinkState.DISCONNECTING:
                if not self._disconnect_due:
                    yield self._repeat_ms
            case LinkState.CLOSED | LinkState.LOST:
                pass

    def _hello_timer(self, now_ms: int) -> None:
        if now_ms >= self._opening_until_ms:
            self._line_dead("no answer from the machine at the other end")
        elif now_ms >= self._repeat_ms:
            self._hello_due = True

    def _data_timer(self, now_ms: int) -> None:
        self._window.on_timer(now_ms)
        if now_ms - self._heard_ms >= self._settings.dead_ms:
            self._line_dead("the line has gone silent")
        elif self._window.stalled(now_ms):
            self._line_dead("data does not get through")
        elif now_ms >= self._keep_alive_ms:
            self._ping_due = True
            self._keep_alive_ms = now_ms + self._settings.keep_alive_ms

    def _disconnect_timer(self, now_ms: int) -> None:
        if now_ms < self._repeat_ms:
            return
        if self._disconnects >= self._settings.disconnect_tries:
            self._line_dead("the end was not confirmed")
        else:
            self._disconnect_due = True

    # Steps from state to state.

    def _move(self, cause: LinkCause) -> None:
        self._state = next_state(self._state, cause)

    def _check_drained(self) -> None:
        if self._state is LinkState.DRAINING and self._window.idle:
            self._move(LinkCause.DRAINED)
            self._disconnect_due = True

    def _end(self, cause: LinkCause, *, by_peer: bool) -> None:
        if self._state in _ENDED:
            return
        self._move(cause)
        self._disconnect_due = self._hello_due = self._ping_due = False
        self._events.append(LinkClosed(clean=self._window.idle, by_peer=by_peer))

    def _line_dead(self, reason: str) -> None:
        self._move(LinkCause.LINE_DEAD)
        self._hello_due = self._disconnect_due = self._ping_due = False
        if self._state is LinkState.CLOSED:
            self._events.append(LinkClosed(clean=True, by_peer=False))
        else:
            self._events.append(LinkLost(reason=reason))
