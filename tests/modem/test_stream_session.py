"""TLS straight on a stream: the same order of things as on a line, without the link."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from modem.errors import (
    CallClosedError,
    CallLostError,
    CertificateRefusedError,
    SecurityError,
)
from modem.events import Secured, Securing
from modem.session import SessionEnded
from modem.stream_session import StreamSession
from modem.tls import MessageReceived, TLSSession

if TYPE_CHECKING:
    from modem.session import SessionEvent
    from modem.tls_context import LinkContext
    from tests.modem.conftest import Certificates

SERVER_NAME = "host.bank.raseed"
HANDSHAKE_MS = 10_000
CALL_MS = 60_000


class Stream:
    """A near and a far session, and the bytes between them in random slices."""

    def __init__(
        self,
        certificates: Certificates,
        *,
        client: LinkContext | None = None,
        call_ms: int | None = None,
    ) -> None:
        self.now_ms = 1_000
        self.random = random.Random(1)
        self.near = self._session(client or certificates.client(), SERVER_NAME, None)
        self.far = self._session(certificates.server(), None, call_ms)
        self.near_events: list[SessionEvent] = []
        self.far_events: list[SessionEvent] = []

    def _session(
        self, context: LinkContext, server_name: str | None, call_ms: int | None
    ) -> StreamSession:
        return StreamSession(
            TLSSession(context, server_name=server_name),
            now_ms=self.now_ms,
            handshake_ms=HANDSHAKE_MS,
            call_ms=call_ms,
        )

    def carry(self) -> None:
        """Carry bytes until both are quiet, then collect what they tell."""
        while True:
            up = self.near.data_to_send(self.now_ms)
            down = self.far.data_to_send(self.now_ms)
            if not up and not down:
                break
            for data, session in ((up, self.far), (down, self.near)):
                rest = data
                while rest:
                    size = self.random.randint(1, 2_000)
                    session.receive_data(rest[:size], self.now_ms)
                    rest = rest[size:]
        for session, events in (
            (self.near, self.near_events),
            (self.far, self.far_events),
        ):
            while (event := session.next_event()) is not None:
                events.append(event)

    def wait(self, ms: int) -> None:
        self.now_ms += ms
        for session in (self.near, self.far):
            session.on_timer(self.now_ms)
        self.carry()

    def ends(self) -> tuple[SessionEnded | None, SessionEnded | None]:
        near, far = (
            next((one for one in events if isinstance(one, SessionEnded)), None)
            for events in (self.near_events, self.far_events)
        )
        return near, far


def messages(events: list[SessionEvent]) -> list[bytes]:
    return [one.message for one in events if isinstance(one, MessageReceived)]


@pytest.fixture
def stream(certificates: Certificates) -> Stream:
    made = Stream(certificates, call_ms=CALL_MS)
    made.carry()
    return made


def test_both_certificates_are_looked_at_before_anything_else(stream: Stream) -> None:
    assert isinstance(stream.near_events[0], Securing)
    near, far = stream.near_events[1], stream.far_events[1]
    assert isinstance(near, Secured)
    assert isinstance(far, Secured)
    assert (near.peer_name, far.peer_name) == (SERVER_NAME, "T0000007")


def test_messages_arrive_whole_and_in_order_both_ways(stream: Stream) -> None:
    sent = [bytes([number]) * (number * 317 + 1) for number in range(100)]
    for message in sent:
        stream.near.send(message)
        stream.far.send(message[::-1])
    assert stream.near.unsent_bytes > sum(map(len, sent))
    stream.carry()
    assert messages(stream.far_events) == sent
    assert messages(stream.near_events) == [message[::-1] for message in sent]
    assert stream.near.unsent_bytes == 0


def test_an_end_in_order_delivers_what_was_queued_and_is_known_on_both_sides(
    stream: Stream,
) -> None:
    stream.near.send(b"last words")
    stream.near.close()
    with pytest.raises(RuntimeError):
        stream.near.send(b"one more")
    stream.carry()
    assert messages(stream.far_events) == [b"last words"]
    near, far = stream.ends()
    assert near == SessionEnded(clean=True, error=None)
    assert far is not None
    assert far.clean
    assert isinstance(far.error, CallClosedError)


def test_what_comes_after_our_farewell_does_no_harm(stream: Stream) -> None:
    stream.near.close()
    farewell = stream.near.data_to_send(stream.now_ms)
    stream.far.send(b"crossing")
    crossing = stream.far.data_to_send(stream.now_ms)
    stream.near.receive_data(crossing, stream.now_ms)
    stream.far.receive_data(farewell, stream.now_ms)
    stream.carry()
    assert stream.ends()[0] == SessionEnded(clean=True, error=None)


def test_a_connection_that_just_ends_is_a_lost_call(stream: Stream) -> None:
    stream.near.line_lost("it was closed", stream.now_ms)
    stream.carry()
    near, _ = stream.ends()
    assert near is not None
    assert not near.clean
    assert isinstance(near.error, CallLostError)
    assert not isinstance(near.error, CallClosedError)


def test_who_hangs_up_on_our_farewell_has_heard_it(stream: Stream) -> None:
    stream.near.close()
    stream.near.data_to_send(stream.now_ms)
    stream.near.line_lost("it was closed", stream.now_ms)
    stream.carry()
    assert stream.ends()[0] == SessionEnded(clean=True, error=None)


def test_a_farewell_that_is_not_returned_is_waited_for_in_vain_for_a_while(
    stream: Stream,
) -> None:
    stream.near.close()
    stream.near.data_to_send(stream.now_ms)
    deadline = stream.near.deadline_ms(stream.now_ms)
    assert deadline is not None
    stream.near.on_timer(deadline - 1)
    assert stream.near.next_event() is None
    stream.near.on_timer(deadline)
    assert stream.near.next_event() == SessionEnded(clean=False, error=None)


def test_who_does_not_finish_the_handshake_is_let_go(
    certificates: Certificates,
) -> None:
    stream = Stream(certificates)
    stream.far.on_timer(stream.now_ms + HANDSHAKE_MS - 1)
    assert isinstance(stream.far.next_event(), Securing)
    assert stream.far.next_event() is None
    stream.far.on_timer(stream.now_ms + HANDSHAKE_MS)
    ended = stream.far.next_event()
    assert isinstance(ended, SessionEnded)
    assert isinstance(ended.error, SecurityError)


def test_a_call_that_trickles_on_is_ended_and_told_so(stream: Stream) -> None:
    stream.wait(CALL_MS - 1)
    assert stream.ends() == (None, None)
    stream.wait(1)
    near, far = stream.ends()
    assert far is not None
    assert "took too long" in str(far.error)
    assert near is not None
    assert isinstance(near.error, CallClosedError)


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\x16\x03\x01\x40\x00" + bytes(0x4000)],
    ids=["http", "zeros", "a record of nothing"],
)
def test_bytes_that_are_no_handshake_end_it_at_once(
    certificates: Certificates, garbage: bytes
) -> None:
    stream = Stream(certificates)
    stream.far.receive_data(garbage, stream.now_ms)
    assert isinstance(stream.far.next_event(), Securing)
    ended = stream.far.next_event()
    assert isinstance(ended, SessionEnded)
    assert isinstance(ended.error, SecurityError)


def test_a_terminal_of_another_authority_is_told_why_before_any_message(
    certificates: Certificates,
) -> None:
    stranger = certificates.client(name="stranger-terminal")
    stream = Stream(certificates, client=stranger)
    stream.near.send(b"never to be read")
    stream.carry()
    near, far = stream.ends()
    assert near is not None
    assert far is not None
    assert isinstance(far.error, CertificateRefusedError)
    assert isinstance(near.error, CertificateRefusedError)
    assert messages(stream.far_events) == []
