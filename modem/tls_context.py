"""The TLS library, set up for a telephone line: who is trusted, and how few bytes.

What a full handshake sends (measured by ``python -m bench session``) is mostly
certificates. So neither side sends its authority's: the other one has it, or nothing
helps. OpenSSL leaves it out because it cannot find it: hosts' and terminals'
certificates have issuers of different names, and each side trusts only the other's.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from cryptography import x509

from modem.certificates import date_trouble
from modem.errors import CertificateFileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from modem.certificates import CertificateTrouble, PeerCertificate

__all__ = ["ClientContexts", "LinkContext", "client_context", "server_context"]

_OP_TLSEXT_PADDING: Final = 0x10
"""Pads a ClientHello of over 255 bytes to 512, for a web load balancer's old fault."""
_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python does not name."""


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - TLS itself judges dates by this clock


class LinkContext(ssl.SSLContext):
    """One side's TLS settings, and what it remembers from call to call.

    Attributes:
        valid_until: the end of our own certificate.
        clock: by which certificates are judged that TLS does not judge.
    """

    valid_until: datetime
    clock: Callable[[], datetime]

    def __new__(cls, protocol: ssl._SSLMethod) -> Self:
        """Make it for one side; `client_context` and `server_context` fill it."""
        context = super().__new__(cls, protocol)
        context.clock = _now
        context._tickets = {}
        return context

    _tickets: dict[str, tuple[ssl.SSLSession, datetime]]

    def keep_ticket(
        self, server_name: str, ticket: ssl.SSLSession, host: PeerCertificate
    ) -> None:
        """Keep the newest ticket of a host for the next call to it."""
        self._tickets[server_name] = (ticket, host.not_after)

    def ticket(self, server_name: str) -> ssl.SSLSession | None:
        """The ticket of a host, or None.

        It is kept until the next one takes its place, since a call that is cut in its
        first second may not have used it. One whose certificate has expired is thrown
        away: the full handshake then finds the new certificate, or tells both sides
        what is wrong.
        """
        ticket, not_after = self._tickets.get(server_name, (None, None))
        if not_after is not None and self.clock() > not_after:
            self.forget_ticket(server_name)
            return None
        return ticket

    def forget_ticket(self, server_name: str) -> None:
        """Let the next call to this host begin with a full handshake."""
        self._tickets.pop(server_name, None)

    def judge(self, terminal: PeerCertificate) -> CertificateTrouble | None:
        """Why a terminal may not come in by its certificate's dates, or None."""
        return date_trouble(terminal, self.clock())


class ClientContexts:
    """The terminal's context, kept from call to call while its files stay the same.

    The tickets live in it: so the second call of one program is short. Python can
    store no ticket in a file, and OpenSSL's are good for two hours only.
    """

    def __init__(
        self, ca: str | Path, certificate: str | Path, key: str | Path
    ) -> None:
        """Remember where the files are; see `client_context`."""
        self._paths = (Path(ca), Path(certificate), Path(key))
        self._made_of: tuple[bytes, ...] = ()
        self._context: LinkContext | None = None

    def current(self) -> LinkContext:
        """The context made of what the files hold now.

        Raises:
            CertificateFileError: a file is missing, damaged, or does not fit.
        """
        contents = tuple(_read(path) for path in self._paths)
        if self._context is None or contents != self._made_of:
            self._context = client_context(*self._paths)
            self._made_of = contents
        return self._context


def client_context(
    ca: str | Path, certificate: str | Path, key: str | Path
) -> LinkContext:
    """The terminal's side: trusts hosts of this CA, under the name it dialled.

    Args:
        ca: PEM file of the authority that signs hosts.
        certificate: PEM file of our own certificate.
        key: PEM file of its private key, without a passphrase.

    Raises:
        CertificateFileError: a file is missing, damaged, or does not fit.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT, Path(ca), Path(certificate), Path(key))
    context.check_hostname = True
    return context


def server_context(
    ca: str | Path,
    certificate: str | Path,
    key: str | Path,
    *,
    clock: Callable[[], datetime] = _now,
) -> LinkContext:
    """The bank's side: takes only terminals with a certificate of this CA.

    One ticket a session, kept here and not in the ticket, which makes it small:
    bytes cost time on a telephone line.

    Dates are left to `LinkContext.judge`, since TLS looks at them in full handshakes
    only, and cannot say whose certificate has expired.

    Args:
        ca: PEM file of the authority that signs terminals.
        certificate: PEM file of our own certificate.
        key: PEM file of its private key, without a passphrase.
        clock: the time, by which terminals' certificates are valid or not.

    Raises:
        CertificateFileError: a file is missing, damaged, or does not fit.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, Path(ca), Path(certificate), Path(key))
    context.num_tickets = 1
    context.options |= ssl.OP_NO_TICKET
    # Given as the number that the attribute has, for the enum knows no such member.
    context.verify_flags = ssl.VerifyFlags(context.verify_flags | _NO_CHECK_TIME)
    context.clock = clock
    return context


def _context(
    protocol: ssl._SSLMethod, ca: Path, certificate: Path, key: Path
) -> LinkContext:
    context = LinkContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    # One small key share: the hybrid post-quantum ones that newer OpenSSL prefers
    # are over a kilobyte each way, more than a second at 9600 bit/s. P-256 and not
    # X25519, which Python before 3.11.3 cannot name; both ends must offer the same.
    context.set_ecdh_curve("prime256v1")
    context.options &= ~_OP_TLSEXT_PADDING
    # What makes TLS 1.3 look like 1.2 to boxes on the way; a telephone line has none.
    context.options &= ~ssl.OP_ENABLE_MIDDLEBOX_COMPAT
    for path in (ca, certificate, key):
        _read(path)
    try:
        context.load_verify_locations(cafile=ca)
    except ssl.SSLError:
        raise CertificateFileError(str(ca), "it holds no PEM certificate") from None
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except ssl.SSLError as error:
        raise _pair_error(error, certificate, key) from None
    own = x509.load_pem_x509_certificate(certificate.read_bytes())
    context.valid_until = own.not_valid_after_utc
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


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise CertificateFileError(str(path), reason) from None
