"""What reads the bytes of a call, as targets: the call from AT to hang-up, and TLS.

Keys and TLS's own numbers are drawn anew by the library. What is fed, and when, does
not depend on them.
"""

from __future__ import annotations

import datetime as dt
import ssl
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from modem.call_machine import CallMachine, CallPhase
from modem.framing import encode_frame
from modem.hayes import Dialer
from modem.link import Link
from modem.link_frames import Data, encode
from modem.session import SecureSession, SessionEnded
from modem.stream_session import StreamSession
from modem.tls import AdmissionAsked, TLSSession, client_context, server_context
from settlement.pki import HOST_DNS_NAME, Authority
from sim.fuzz.corpus import documented
from sim.fuzz.line_readers import DIAL_PLAN, MARK, NONCE, OUT_BYTES_MAX, STEP_MS_MAX
from sim.fuzz.reader import Reader

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from modem.session import SessionEvent
    from modem.tls_context import LinkContext

__all__ = ["Called", "Connections"]

_SET_UP: Final = b"OK\r\n"
_SET_UP_WORDS: Final = 3
_CONNECT: Final = b"CONNECT 33600\r\n"
_PIECE_BYTES_MAX: Final = 1_000
_FRESH_ONE_IN: Final = 8
_HANDSHAKE_MS: Final = 10_000


class _Ends(NamedTuple):
    terminal: LinkContext
    host: LinkContext


@cache
def _ends() -> _Ends:
    """A terminal and a host that trust each other."""
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 - TLS judges by the machine's clock
    authority = Authority.create(now)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hosts.pem").write_bytes(authority.certificate_pem)
        (folder / "terminals.pem").write_bytes(authority.terminals_certificate_pem)
        for file, identity in (
            ("host", authority.issue_host(HOST_DNS_NAME, now)),
            ("terminal", authority.issue_terminal("T0000007", now)),
        ):
            (folder / f"{file}.pem").write_bytes(identity.certificate_pem)
            (folder / f"{file}.key").write_bytes(identity.key_pem)
        return _Ends(
            terminal=client_context(
                *(folder / n for n in ("hosts.pem", "terminal.pem", "terminal.key"))
            ),
            host=server_context(
                *(folder / n for n in ("terminals.pem", "host.pem", "host.key"))
            ),
        )


class Called(Reader):
    """A call whose line goes mad in one of its phases, or before.

    What is said once the link is open comes in sound frames too, for TLS to read.
    """

    def __init__(self, draw: random.Random) -> None:
        """Begin; ``draw`` chooses phases and times."""
        self._draw = draw
        self._now_ms = 0
        self._call = self._fresh()

    @property
    def states(self) -> Sequence[str]:
        """See `Reader.states`."""
        return (self._call.phase.name,)

    def feed(self, data: bytes) -> None:
        """See `Reader.feed`."""
        self._now_ms += self._draw.randrange(STEP_MS_MAX)
        # All of them come at the stream's beginning; later ones are repeats for it.
        frame = encode(Data(offset=0, payload=data[:_PIECE_BYTES_MAX]))
        framed = encode_frame(frame, mark=MARK)
        self._hear(self._call, self._draw.choice((data, framed)))
        over = self._call.done and self._draw.randrange(_FRESH_ONE_IN) == 0
        if over or self._draw.randrange(_FRESH_ONE_IN) == 0:
            self._call = self._fresh()

    def _hear(self, call: CallMachine, data: bytes) -> None:
        call.receive_data(data, self._now_ms)
        call.on_timer(self._now_ms)
        assert len(call.data_to_send(self._now_ms)) < OUT_BYTES_MAX
        while call.next_event() is not None:
            pass

    def _fresh(self) -> CallMachine:
        has_dtr = self._draw.randrange(2) == 0
        call = CallMachine(
            Dialer(DIAL_PLAN, now_ms=self._now_ms, has_dtr=has_dtr),
            self._session,
            has_dtr=has_dtr,
        )
        wanted = self._draw.choice((*CallPhase, CallPhase.TALKING))
        if wanted is CallPhase.CONNECTING:
            return call
        for word in (*(_SET_UP,) * _SET_UP_WORDS, _CONNECT):
            self._hear(call, word)
            self._now_ms += 200
        assert call.phase is CallPhase.TALKING, "a modem with manners brings it there"
        if self._draw.randrange(2):
            for opening in documented("modem-link.md", by_line=True)[1:3]:
                self._hear(call, opening)
        if wanted is CallPhase.HANGING_UP:
            call.close()
        if wanted is CallPhase.DONE:
            call.carrier_lost("the carrier is gone", self._now_ms)
        return call

    def _session(self, rate_bps: int, now_ms: int) -> SecureSession:
        link = Link(nonce=NONCE, line_rate_bps=rate_bps, now_ms=now_ms)
        return SecureSession(
            link, TLSSession(_ends().terminal, server_name=HOST_DNS_NAME)
        )


class Connections(Reader):
    """A host's end of a connection, and whoever it is that connects.

    Before the handshake is done strings come where TLS is expected. Then most of them
    are what a terminal with a good certificate says inside of it.
    """

    def __init__(self, draw: random.Random) -> None:
        """Begin; ``draw`` chooses states and times."""
        self._draw = draw
        self._now_ms = 0
        self._begin()

    @property
    def states(self) -> Sequence[str]:
        """See `Reader.states`."""
        return (self._state,)

    def feed(self, data: bytes) -> None:
        """See `Reader.feed`."""
        self._now_ms += self._draw.randrange(STEP_MS_MAX)
        if data and self._state not in _UNSEALED and self._draw.randrange(8):
            self._peer.write(data)
            data = self._from_peer.read()
        self._host.receive_data(data, self._now_ms)
        self._host.on_timer(self._now_ms)
        assert len(self._host.data_to_send(self._now_ms)) < OUT_BYTES_MAX
        if any(isinstance(event, SessionEnded) for event in self._events()):
            self._begin()

    def _begin(self) -> None:
        """A new connection, which the other side has brought to a state."""
        self._state = self._draw.choice(_CONNECTION_STATES)
        self._host = StreamSession(
            TLSSession(_ends().host, server_name=None, asks_admission=True),
            now_ms=self._now_ms,
            handshake_ms=_HANDSHAKE_MS,
        )
        self._to_peer, self._from_peer = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._peer = _ends().terminal.wrap_bio(
            self._to_peer, self._from_peer, server_hostname=HOST_DNS_NAME
        )
        if self._state == "SECURING":
            return
        self._shake_hands()
        if self._state == "GREETED":
            return
        self._shake_hands()
        asked = any(isinstance(event, AdmissionAsked) for event in self._events())
        assert asked, "a good certificate is not refused"
        if self._state in {"TALKING", "LEAVING"}:
            self._host.admit(None)
        if self._state == "LEAVING":
            self._host.close()
            self._host.data_to_send(self._now_ms)

    def _shake_hands(self) -> None:
        """One flight of the terminal, and the host's answer."""
        with suppress(ssl.SSLWantReadError):
            self._peer.do_handshake()
        self._host.receive_data(self._from_peer.read(), self._now_ms)
        self._to_peer.write(self._host.data_to_send(self._now_ms))

    def _events(self) -> list[SessionEvent]:
        return list(iter(self._host.next_event, None))


_UNSEALED: Final = frozenset({"SECURING", "GREETED"})
_CONNECTION_STATES: Final = ("SECURING", "GREETED", "ASKED", "TALKING", "LEAVING")
"""Nothing came; ClientHello did; certificate too; was accepted; host has said farewell.
"""
