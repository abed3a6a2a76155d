"""TLS 1.3 over the link, both sides with certificates, and the messages inside.

`TLSSession` is a machine without I/O around `ssl.MemoryBIO`: bytes of the link's
stream go in and out, whole messages come out as events. A message travels as its
length (2 bytes, big-endian) and its bytes.

With TLS 1.3 the client is done before the server has looked at the client's
certificate. So the server's first word is an empty message, the ready mark, and the
client counts as secured only when it has read that: a terminal whose certificate is
refused learns it before it has sent anything.
"""

from __future__ import annotations

import contextlib
import ssl
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from modem.errors import (
    CertificateFileError,
    CertificateOwner,
    CertificateRefusedError,
    SecurityError,
)

__all__ = [
    "MESSAGE_BYTES_MAX",
    "MessageReceived",
    "SessionReady",
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
_OP_TLSEXT_PADDING: Final = 0x10
"""Pads a ClientHello of over 255 bytes to 512, for a web load balancer's old fault."""
_ALERTS_ABOUT_CERTIFICATES: Final = (
    "ALERT_BAD_CERTIFICATE",
    "ALERT_UNSUPPORTED_CERTIFICATE",
    "ALERT_CERTIFICATE_",
    "ALERT_UNKNOWN_CA",
    "ALERT_ACCESS_DENIED",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReady:
    """Both certificates are accepted; ``peer_name`` is the other one's CN."""

    peer_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived:
    """One whole message of 1 to 65535 bytes."""

    message: bytes = field(repr=False)


TLSEvent = SessionReady | MessageReceived


def client_context(
    ca: str | Path, certificate: str | Path, key: str | Path
) -> ssl.SSLContext:
    """The terminal's side: trusts hosts of this CA, under the name it dialled.

    Args:
        ca: PEM file of the private CA.
        certificate: PEM file of our own certificate.
        key: PEM file of its private key, without a passphrase.

    Raises:
        CertificateFileError: a file is missing, damaged, or does not fit.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT, Path(ca), Path(certificate), Path(key))
    context.check_hostname = True
    return context


def server_context(
    ca: str | Path, certificate: str | Path, key: str | Path
) -> ssl.SSLContext:
    """The bank's side: takes only terminals with a certificate of this CA.

    One ticket a session, kept here and not in the ticket, which makes it small:
    bytes cost time on a telephone line. See `client_context` for the arguments.

    Raises:
        CertificateFileError: a file is missing, damaged, or does not fit.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, Path(ca), Path(certificate), Path(key))
    context.num_tickets = 1
    context.options |= ssl.OP_NO_TICKET
    return context


def _context(
    protocol: ssl._SSLMethod, ca: Path, certificate: Path, key: Path
) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    # One small key share: the hybrid post-quantum ones that newer OpenSSL prefers
    # are over a kilobyte each way, more than a second at 9600 bit/s. P-256 and not
    # X25519, which Python before 3.11.3 cannot name; both ends must offer the same.
    context.set_ecdh_curve("prime256v1")
    context.options &= ~_OP_TLSEXT_PADDING
    for path in (ca, certificate, key):
        _check_readable(path)
    try:
        context.load_verify_locations(cafile=ca)
    except ssl.SSLError:
        raise CertificateFileError(str(ca), "it holds no PEM certificate") from None
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except ssl.SSLError as error:
        raise _pair_error(error, certificate, key) from None
    return context


def _pair_error(
    error: ssl.SSLError, certificate: Path, key: Path
) -> CertificateFileError:
    """Which of the two files is wrong, for OpenSSL often gives no reason."""
    if b"-----BEGIN CERTIFICATE-----" not in certificate.read_bytes():
        return CertificateFileError(str(certificate), "it holds no PEM certificate")
    key_pem = key.read_bytes()
    if b" PRIVATE KEY-----" not in key_pem:
        return CertificateFileError(str(key), "it holds no PEM private key")
    if b"ENCRYPTED" in key_pem:
        reason = "its private key is locked by a passphrase"
        return CertificateFileError(str(key), reason)
    if "MISMATCH" in (error.reason or ""):
        reason = f"the private key in {key} does not belong to it"
        return CertificateFileError(str(certificate), reason)
    reason = f"it and {key} are damaged or do not belong together"
    return CertificateFileError(str(certificate), reason)


def _no_passphrase() -> bytes:
    """An empty one, so that OpenSSL never asks on the terminal."""
    return b""


def _check_readable(path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise CertificateFileError(str(path), reason) from None


class TLSSession:
    """One end of a TLS connection inside the link."""

    def __init__(self, context: ssl.SSLContext, *, server_name: str | None) -> None:
        """Prepare a handshake.

        Args:
            context: of `client_context` or `server_context`.
            server_name: DNS name the host's certificate must carry; None makes this
                end the host.
        """
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
        self._handshaken = False
        self.ready = False
        self.closed_by_peer = False
        self.peer_name = ""

    def start(self) -> None:
        """Begin the handshake; the client has bytes to send after this."""
        self._advance()

    def receive_data(self, data: bytes) -> None:
        """Take the next bytes of the link's stream.

        Raises:
            CertificateRefusedError: one side does not trust the other.
            SecurityError: the bytes are no TLS 1.3, or were tampered with. In both
                cases `data_to_send` still gives the alert for the other side.
        """
        self._incoming.write(data)
        self._advance()

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
        """Tell the other side that nothing more follows."""
        if self._handshaken:
            # The other side's own farewell is not waited for: the link ends next.
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()

    def _advance(self) -> None:
        try:
            if not self._handshaken:
                self._tls.do_handshake()
                self._handshake_done()
            self._read_all()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLZeroReturnError:
            self.closed_by_peer = True
        except ssl.SSLError as error:
            raise self._translate(error) from None

    def _handshake_done(self) -> None:
        self._handshaken = True
        self.peer_name = _common_name(self._tls.getpeercert())
        if self._is_server:
            self._tls.write(_READY_MARK)
            self._now_ready()

    def _now_ready(self) -> None:
        self.ready = True
        self._events.append(SessionReady(peer_name=self.peer_name))

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
        elif not message and not self.ready:
            self._now_ready()
        else:
            raise SecurityError("The other side does not keep to the session's order.")

    def _translate(self, error: ssl.SSLError) -> SecurityError:
        other, own = ("terminal", "bank") if self._is_server else ("bank", "terminal")
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = error.verify_message or _reason(error)
            return CertificateRefusedError(other, CertificateOwner.THEIRS, reason)
        reason = _reason(error)
        if "PEER_DID_NOT_RETURN_A_CERTIFICATE" in (error.reason or ""):
            return CertificateRefusedError(other, CertificateOwner.THEIRS, reason)
        if any(alert in (error.reason or "") for alert in _ALERTS_ABOUT_CERTIFICATES):
            return CertificateRefusedError(own, CertificateOwner.OURS, reason)
        return SecurityError(f"The secure session broke down: {reason}.")


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


def _reason(error: ssl.SSLError) -> str:
    """OpenSSL's reason in plain lower case, such as ``unknown ca``."""
    return (error.reason or "unknown reason").replace("_", " ").lower()


def _common_name(certificate: object) -> str:
    subject = certificate.get("subject", ()) if isinstance(certificate, dict) else ()
    for relative_name in subject:
        for kind, value in relative_name:
            if kind == "commonName":
                return str(value)
    return ""
