"""TLS 1.3 over the link, both sides with certificates, and the messages inside.

`TLSSession` is a machine without I/O around `ssl.MemoryBIO`: bytes of the link's
stream go in and out, whole messages come out as events. A message travels as its
length (2 bytes, big-endian) and its bytes.

With TLS 1.3 the client is done before the server has looked at the client's
certificate. So the server's first word is an empty message, the ready mark, and the
client counts as secured only when it has read that: a terminal whose certificate is
refused learns it before it has sent anything. Where TLS itself has nothing against a
certificate, but the bank has, its first word is a message of one byte instead: why.

What the bank's books say takes a look into them, which may take its time. So it is
asked for by an event, `AdmissionAsked`, and the first word waits for the answer.
"""

from __future__ import annotations

import contextlib
import ssl
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from modem.certificates import (
    CertificateOwner,
    CertificateTrouble,
    PeerCertificate,
    read_certificate,
)
from modem.errors import CertificateRefusedError, SecurityError
from modem.events import Secured
from modem.tls_alerts import tls_trouble
from modem.tls_context import LinkContext, client_context, server_context

__all__ = [
    "MESSAGE_BYTES_MAX",
    "AdmissionAsked",
    "MessageReceived",
    "TLSEvent",
    "TLSSession",
    "client_context",
    "frame_message",
    "server_context",
]

MESSAGE_BYTES_MAX: Final = 65_535
_LENGTH_BYTES: Final = 2
_READY_MARK: Final = bytes(_LENGTH_BYTES)
_READ_BYTES: Final = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived:
    """One whole message of 1 to 65535 bytes."""

    message: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionAsked:
    """TLS has proved a terminal's certificate; `TLSSession.admit` is waited for."""

    terminal: PeerCertificate


TLSEvent = Secured | MessageReceived | AdmissionAsked


class TLSSession:
    """One end of a TLS connection inside the link."""

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        server_name: str | None,
        asks_admission: bool = False,
    ) -> None:
        """Prepare a handshake.

        Args:
            context: of `client_context` or `server_context`.
            server_name: DNS name the host's certificate must carry; None makes this
                end the host.
            asks_admission: on the host, whether `admit` decides who comes in; False
                lets in whomever TLS and the dates let in.

        Raises:
            TypeError: ``context`` is of neither, and would let anyone in.
        """
        if not isinstance(context, LinkContext):
            raise TypeError("the context must be of client_context or server_context")
        self._context = context
        self._server_name = server_name
        self._is_server = server_name is None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=self._is_server,
            server_hostname=server_name,
        )
        self._events: deque[TLSEvent] = deque()
        self._plain = bytearray()
        self._peer: PeerCertificate | None = None
        self._asks_admission = asks_admission
        self.ready = False
        self.closed_by_peer = False

    @property
    def peer_name(self) -> str:
        """CN of the other side's certificate; empty before it is proved."""
        return "" if self._peer is None else self._peer.name

    @property
    def ended_by_peer(self) -> bool:
        """Whether the other side has said farewell, and not within a message."""
        return self.closed_by_peer and not self._plain

    def start(self) -> None:
        """Begin the handshake; the client has bytes to send after this."""
        if self._server_name is not None:
            ticket = self._context.ticket(self._server_name)
            if ticket is not None:
                self._tls.session = ticket
        self._advance()

    def receive_data(self, data: bytes) -> None:
        """Take the next bytes of the link's stream.

        Raises:
            CertificateRefusedError: one side does not trust the other.
            SecurityError: the bytes are no TLS 1.3, or were tampered with. In both
                cases `data_to_send` still gives the alert for the other side.
        """
        self._incoming.write(data)
        try:
            self._advance()
        except SecurityError:
            # A ticket that leads to trouble must not do so again.
            if self._server_name is not None:
                self._context.forget_ticket(self._server_name)
            raise

    def admit(self, trouble: CertificateTrouble | None) -> None:
        """Answer `AdmissionAsked`: why the terminal may not come in, or None.

        Raises:
            CertificateRefusedError: it may not; `data_to_send` gives what tells it so.
        """
        assert self._is_server
        assert self._peer is not None
        assert not self.ready
        if trouble is not None:
            self._tls.write(frame_message(bytes([trouble])))
            raise self._refused(trouble)
        self._tls.write(_READY_MARK)
        self._now_ready(self._peer)

    def send(self, messages: bytes) -> None:
        """Encrypt ``messages``, already framed by `frame_message`, as one piece."""
        assert self.ready
        self._tls.write(messages)

    def data_to_send(self) -> bytes:
        """Bytes for the link's stream."""
        return self._outgoing.read()

    def next_event(self) -> TLSEvent | None:
        """The oldest event not yet taken, or None."""
        return self._events.popleft() if self._events else None

    def close(self) -> None:
        """Tell the other side that nothing more follows, if it can still hear it.

        To be called at the end of every session, also of one whose line is gone: the
        library forgets the ticket of a session that was not closed, and a call that
        was cut is the very one after which the next should be short.
        """
        if self._peer is not None:
            # The other side's own farewell is not waited for: the link ends next.
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()

    def _advance(self) -> None:
        try:
            if self._peer is None:
                self._tls.do_handshake()
                self._handshake_done()
            self._read_all()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLZeroReturnError:
            self.closed_by_peer = True
        except ssl.SSLError as error:
            raise tls_trouble(error, is_server=self._is_server) from None

    def _handshake_done(self) -> None:
        try:
            self._peer = read_certificate(self._tls.getpeercert() or {})
        except (KeyError, ValueError):
            raise self._refused(CertificateTrouble.NOT_SOUND) from None
        if not self._is_server:
            return
        trouble = self._context.judge(self._peer)
        if trouble is None and self._asks_admission:
            self._events.append(AdmissionAsked(terminal=self._peer))
        else:
            self.admit(trouble)

    def _refused(self, trouble: CertificateTrouble) -> CertificateRefusedError:
        """We refuse the other side's certificate."""
        holder = "terminal" if self._is_server else "bank"
        theirs = CertificateOwner.THEIRS
        return CertificateRefusedError(holder, theirs, trouble, name=self.peer_name)

    def _now_ready(self, peer: PeerCertificate) -> None:
        self.ready = True
        if self._server_name is not None and self._tls.session is not None:
            self._context.keep_ticket(self._server_name, self._tls.session, peer)
        self._events.append(
            Secured(
                peer_name=peer.name,
                resumed=bool(self._tls.session_reused),
                peer_until=peer.not_after,
                own_until=self._context.valid_until,
            )
        )

    def _read_all(self) -> None:
        while data := self._tls.read(_READ_BYTES):
            self._plain += data
            self._take_messages()
        # An end of data without an error is the other side's farewell.
        self.closed_by_peer = True

    def _take_messages(self) -> None:
        while len(self._plain) >= _LENGTH_BYTES:
            length = int.from_bytes(self._plain[:_LENGTH_BYTES], "big")
            end = _LENGTH_BYTES + length
            if len(self._plain) < end:
                return
            message = bytes(self._plain[_LENGTH_BYTES:end])
            del self._plain[:end]
            self._take(message)

    def _take(self, message: bytes) -> None:
        if message and self.ready:
            self._events.append(MessageReceived(message=message))
        elif self.ready or self._is_server or self._peer is None:
            raise SecurityError("The other side does not keep to the session's order.")
        elif not message:
            self._now_ready(self._peer)
        else:
            raise _refusal(message)


def frame_message(message: bytes) -> bytes:
    """Length and bytes of one message, for `TLSSession.send`.

    >>> frame_message(b"hello").hex(" ")
    '00 05 68 65 6c 6c 6f'

    Raises:
        ValueError: the message is empty or longer than 65535 bytes.
    """
    if not 1 <= len(message) <= MESSAGE_BYTES_MAX:
        raise ValueError(f"a message has 1 to {MESSAGE_BYTES_MAX} bytes")
    return len(message).to_bytes(_LENGTH_BYTES, "big") + message


def _refusal(message: bytes) -> SecurityError:
    """What a host says in place of the ready mark: a byte that tells why not.

    Bytes after it, and numbers that are not known here, are for later versions.
    """
    try:
        trouble = CertificateTrouble(message[0])
    except ValueError:
        trouble = CertificateTrouble.NOT_SOUND
    return CertificateRefusedError("terminal", CertificateOwner.OURS, trouble)
