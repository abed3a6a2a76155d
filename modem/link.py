"""The link: a reliable byte stream over a noisy line, as a machine without I/O.

Bytes from the line and the time go in (`receive_data`, `on_timer`), bytes for the
line and events come out (`data_to_send`, `next_event`); `deadline_ms` tells when to
call again. The states, and how the parts of a link work together, stand in
`modem.link_state`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from modem.framing import FrameDecoder
from modem.link_closing import Closing
from modem.link_frames import (
    BARE_KINDS,
    Ack,
    Data,
    Disconnect,
    Hello,
    Ping,
    parse,
)
from modem.link_life import SignsOfLife
from modem.link_opening import Opening
from modem.link_outgoing import Outgoing
from modem.link_receive import Receiver
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
from modem.link_turns import Turns

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Link"]

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
        self._decoder = FrameDecoder(bare=BARE_KINDS)
        self._opening = Opening(nonce, hello_ms=self._settings.hello_ms)
        self._closing = Closing(tries=self._settings.disconnect_tries)
        self._outgoing = Outgoing(
            self._settings, line_rate_bps=line_rate_bps, now_ms=now_ms
        )
        self._receiver = Receiver()
        self._life = SignsOfLife(self._settings, now_ms=now_ms)
        self._events: deque[LinkEvent] = deque()
        self._state = LinkState.OPENING
        self._turns = Turns(
            opening=self._opening,
            closing=self._closing,
            outgoing=self._outgoing,
            receiver=self._receiver,
            life=self._life,
        )
        self._opening_until_ms = now_ms + self._settings.opening_ms
        self._received_bytes = 0

    # What goes in.

    def receive_data(self, data: bytes, now_ms: int) -> None:
        """Take any bytes from the line; whatever they are, nothing is raised."""
        self._received_bytes += len(data)
        for content in self._decoder.receive_data(data):
            frame = parse(content)
            if self._state is LinkState.LOST:
                return
            if isinstance(frame, Hello):
                self._handle_hello(frame, now_ms)
            elif frame is not None:
                self._handle(frame, now_ms)

    def send(self, data: bytes) -> None:
        """Queue ``data``; what is queued before the link opens waits for it.

        Raises:
            RuntimeError: `close` was called or the link is over; ask `closing` first.
        """
        if self.closing:
            raise RuntimeError("the link takes no more data")
        self._outgoing.window.queue(data)

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
        while now_ms >= self._outgoing.ready_ms and self._turns.hand_out(now_ms):
            pass
        return self._outgoing.take_bytes()

    def next_event(self) -> LinkEvent | None:
        """The oldest event not yet taken, or None."""
        if not self._events:
            return None
        event = self._events.popleft()
        if isinstance(event, DataReceived):
            self._receiver.fetched(len(event.data))
        return event

    def deadline_ms(self) -> int | None:
        """When to call `on_timer` and `data_to_send` next; None when never."""
        if self._state is LinkState.LOST:
            return None
        times = list(self._timers())
        if self._turns.any_due:
            times.append(self._outgoing.ready_ms)
        return min(times, default=None)

    @property
    def unsent_bytes(self) -> int:
        """Stream bytes queued that have never been on the line."""
        return self._outgoing.window.unsent_bytes

    @property
    def unacknowledged_bytes(self) -> int:
        """Stream bytes queued that are not known to have arrived."""
        return self._outgoing.window.kept_bytes

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
            frames_sent=self._outgoing.frames,
            frames_resent=self._outgoing.window.frames_resent,
            frames_damaged=self._decoder.frames_damaged,
            line_bytes_sent=self._outgoing.bytes,
            line_bytes_received=self._received_bytes,
        )

    # Frames that came in.

    def _handle(self, frame: Data | Ack | Ping | Disconnect, now_ms: int) -> None:
        self._life.heard(now_ms)
        self._opened(now_ms)
        match frame:
            case Data():
                self._handle_data(frame, now_ms)
            case Ack():
                self._handle_ack(frame, now_ms)
            case Ping():
                self._receiver.asked(frame)
            case Disconnect():
                self._handle_disconnect(frame, now_ms)

    def _handle_data(self, frame: Data, now_ms: int) -> None:
        if self._state not in _ENDED:
            data = self._receiver.take(frame, now_ms)
            if data:
                self._events.append(DataReceived(data=data))

    def _handle_hello(self, hello: Hello, now_ms: int) -> None:
        if self._state in _ENDED or not self._opening.concerns_this_call(hello):
            return
        # While still opening, the HELLO before was left over from an earlier call.
        if self._opening.starts_over(hello) and self._state is not LinkState.OPENING:
            self.line_lost("the other side has started over")
            return
        self._opening.meet(hello)
        self._outgoing.mark = self._opening.mark_out
        self._decoder.mark = self._opening.mark_in
        if hello.heard is not None and self._state is LinkState.OPENING:
            self._outgoing.welcomed(self._opening, now_ms)
            self._opened(now_ms)

    def _opened(self, now_ms: int) -> None:
        if self._state is LinkState.OPENING:
            self._move(LinkCause.HEARD_BY_PEER)
            self._opening.hello_due = False
            self._life.heard(now_ms)
            self._life.proved(now_ms)
            self._events.append(LinkOpened())

    def _handle_ack(self, ack: Ack, now_ms: int) -> None:
        news = self._outgoing.acknowledged(
            ack,
            self._life.answer(ack.heard),
            now_ms,
            other_frame_bytes=self._receiver.other_frame_bytes(now_ms),
        )
        if news:
            self._life.proved(now_ms)
        self._check_drained()

    def _handle_disconnect(self, frame: Disconnect, now_ms: int) -> None:
        # What it tells to have arrived decides whether the end is clean.
        told = Ack(heard=0, next_offset=frame.next_offset)
        self._outgoing.window.acknowledge(told, now_ms)
        self._check_drained()
        if not frame.confirms:
            self._closing.confirm_due = True
            self._end(LinkCause.DISCONNECTED_BY_PEER, by_peer=True)
        elif self._state is LinkState.DISCONNECTING:
            self._end(LinkCause.DISCONNECT_CONFIRMED, by_peer=False)

    # Time.

    def _timers(self) -> Iterator[int]:
        match self._state:
            case LinkState.OPENING:
                yield self._opening_until_ms
                if not self._opening.hello_due:
                    yield self._opening.repeat_ms
            case LinkState.OPEN | LinkState.DRAINING:
                yield self._life.lost_ms
                if not self._turns.ping_due:
                    yield self._ask_ms
            case LinkState.DISCONNECTING:
                if not self._closing.disconnect_due:
                    yield self._closing.repeat_ms
            case LinkState.CLOSED | LinkState.LOST:
                pass

    @property
    def _ask_ms(self) -> int:
        newest = self._outgoing.window.newest
        return self._life.ask_ms(newest, self._turns.timeout_ms)

    def _hello_timer(self, now_ms: int) -> None:
        if now_ms >= self._opening_until_ms:
            self._line_dead("no answer from the machine at the other end")
        elif now_ms >= self._opening.repeat_ms:
            self._opening.hello_due = True

    def _data_timer(self, now_ms: int) -> None:
        waiting_ms = self._outgoing.window.waiting_ms(now_ms)
        if now_ms >= self._life.lost_ms:
            self._line_dead(self._life.lost_reason(now_ms))
        elif waiting_ms >= self._settings.stalled_ms:
            self._line_dead("data does not get through")
        elif now_ms >= self._ask_ms:
            self._turns.ping_due = True

    def _disconnect_timer(self, now_ms: int) -> None:
        if now_ms >= self._closing.repeat_ms:
            if self._closing.in_vain:
                self._line_dead("the end was not confirmed")
            else:
                self._closing.disconnect_due = True

    # Steps from state to state.

    def _move(self, cause: LinkCause) -> None:
        self._state = next_state(self._state, cause)
        self._turns.data_allowed = self._state in _SENDING

    def _check_drained(self) -> None:
        if self._state is LinkState.DRAINING and not self.unacknowledged_bytes:
            self._move(LinkCause.DRAINED)
            self._closing.disconnect_due = True

    def _end(self, cause: LinkCause, *, by_peer: bool) -> None:
        if self._state in _ENDED:
            return
        self._move(cause)
        self._turns.fall_silent()
        clean = not self.unacknowledged_bytes
        self._events.append(LinkClosed(clean=clean, by_peer=by_peer))

    def _line_dead(self, reason: str) -> None:
        self._move(LinkCause.LINE_DEAD)
        self._turns.fall_silent()
        if self._state is LinkState.CLOSED:
            self._events.append(LinkClosed(clean=True, by_peer=False))
        else:
            self._events.append(LinkLost(reason=reason))
