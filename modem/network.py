"""The one door to TCP: connections as ports, and the socket that takes them.

A `SocketPort` stands where a `modem.serial_port.SerialPort` stands: it has a descriptor
and no control lines, so `modem.line_loop` runs it beside all other lines. No `OSError`
leaves this file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from modem.errors import NetworkError, PortError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Listener", "NetworkAddress", "SocketPort", "connect_to", "is_network_url"]

SCHEMES: Final = ("tls://", "tcp://")
"""Two names of one thing: TLS over TCP. Nothing is ever sent without TLS."""
CONNECT_S: Final = 10
"""Patience for one address; a host that is up answers within one round trip."""
_KEEP_IDLE_S: Final = 30
_KEEP_EVERY_S: Final = 10
_KEEP_PROBES: Final = 3
_UNHEARD_MS: Final = 60_000
"""Bytes that the other side has not confirmed for so long: it is gone."""
_READ_BYTES: Final = 65_536
_BACKLOG: Final = 128
_ADDRESS: Final = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.%]+)\]|(?P<host>[^\s\[\]:/]+))"
    r":(?P<port>[0-9]{1,5})"
)
_PORT_MAX: Final = 65_535
_NOT_NOW: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR})
_CLOSED: Final = "the other side has closed the connection"


def is_network_url(port: str) -> bool:
    """Whether a line is reached over a network and not at a serial port.

    >>> is_network_url("tls://bank.example:7890"), is_network_url("/dev/ttyS0")
    (True, False)
    """
    return port.startswith(SCHEMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkAddress:
    """A host and a TCP port.

    Attributes:
        host: a DNS name, an IPv4 or an IPv6 address, without brackets.
        port: 0 to 65535; 0 lets the system choose, for a listener.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``host:port``, ``[IPv6]:port``, or either as a ``tls://`` URL.

        >>> NetworkAddress.parse("tls://[::1]:7890")
        NetworkAddress(host='::1', port=7890)

        Raises:
            ValueError: it is none of these.
        """
        for scheme in SCHEMES:
            text = text.removeprefix(scheme)
        found = _ADDRESS.fullmatch(text)
        if found is None or int(found["port"]) > _PORT_MAX:
            raise ValueError(
                f"not a host and a port, such as bank.example:7890: {text!r}"
            )
        return cls(host=found["six"] or found["host"], port=int(found["port"]))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class SocketPort:
    """A TCP connection in the place of a serial port; see `modem.driver.Port`."""

    has_control_lines = False

    def __init__(self, connection: socket.socket, name: str) -> None:
        """Take over a connection; ``name`` is for logs and errors."""
        self.name = name
        self._socket = connection
        self._is_closed = False
        with contextlib.suppress(OSError):
            _set_up(connection)
        connection.setblocking(False)
        self.descriptor: int | None = connection.fileno()

    def start_reading(
        self,
        on_data: Callable[[bytes], None],
        on_failure: Callable[[PortError], None],
    ) -> None:
        """Never asked for: the descriptor is waited for."""
        raise NotImplementedError

    def read(self) -> bytes:
        """What is there now.

        Raises:
            PortError: the connection is over.
        """
        try:
            data = self._socket.recv(_READ_BYTES)
        except OSError as error:
            if error.errno in _NOT_NOW:
                return b""
            raise PortError(self.name, _reason(error)) from None
        if not data:
            raise PortError(self.name, _CLOSED)
        return data

    def write(self, data: bytes) -> int:
        """Send what there is room for; how many bytes of ``data`` that was.

        Raises:
            PortError: the connection is over.
        """
        try:
            return self._socket.send(data)
        except OSError as error:
            if error.errno in _NOT_NOW:
                return 0
            raise PortError(self.name, _reason(error)) from None

    def set_dtr(self, *, high: bool) -> None:
        """There is no such line."""

    def carrier_dropped(self) -> bool:
        """There is no such line; an end of the connection shows when it is read."""
        return False

    def close(self) -> None:
        """End the connection; twice is once."""
        if self._is_closed:
            return
        self._is_closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            # Bytes that nobody has read would make the system reset the connection,
            # and the other side might lose our last words.
            while self._socket.recv(_READ_BYTES):
                pass
        self._socket.close()


class Listener:
    """A TCP port on which a host takes connections."""

    def __init__(self, address: NetworkAddress) -> None:
        """Begin to listen.

        Raises:
            NetworkError: the address is not this machine's, or in use.
        """
        try:
            info = socket.getaddrinfo(
                address.host,
                address.port,
                type=socket.SOCK_STREAM,
                flags=socket.AI_PASSIVE,
            )[0]
            self._socket = socket.create_server(
                info[4][:2],
                family=info[0],
                backlog=_BACKLOG,
            )
        except OSError as error:
            raise NetworkError(
                f"The network address {address} cannot be listened on: "
                f"{_reason(error)}."
            ) from None
        self._socket.setblocking(False)
        port = self._socket.getsockname()[1]
        self.address: Final = NetworkAddress(host=address.host, port=port)
        self.name: Final = f"tls://{self.address}"

    def accept(self, patience_s: float) -> tuple[SocketPort, str] | None:
        """The next connection and its sender's IP address, or None in vain.

        Raises:
            NetworkError: the system gives no more connections just now.
        """
        if not select.select([self._socket], [], [], patience_s)[0]:
            return None
        try:
            connection, peer = self._socket.accept()
        except OSError as error:
            if error.errno in _NOT_NOW | {errno.ECONNABORTED}:
                return None
            raise NetworkError(
                f"No connection can be taken at {self.address}: {_reason(error)}."
            ) from None
        sender = NetworkAddress(host=peer[0], port=peer[1])
        return SocketPort(connection, f"{self.name} from {sender}"), str(peer[0])

    def close(self) -> None:
        """Take no more connections; those that were taken stay."""
        self._socket.close()


def connect_to(address: NetworkAddress, name: str) -> SocketPort:
    """A connection to ``address``: all that its name stands for are tried in turn.

    Raises:
        NetworkError: none of them answers.
    """
    try:
        connection = socket.create_connection(
            (address.host, address.port), timeout=CONNECT_S
        )
    except OSError as error:
        raise NetworkError(
            f"The bank's host {address} cannot be reached: {_reason(error)}."
        ) from None
    return SocketPort(connection, name)


def _set_up(connection: socket.socket) -> None:
    """Send small messages at once, and notice another side that is gone."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, _KEEP_IDLE_S),
        (socket.TCP_KEEPINTVL, _KEEP_EVERY_S),
        (socket.TCP_KEEPCNT, _KEEP_PROBES),
        (socket.TCP_USER_TIMEOUT, _UNHEARD_MS),
    ):
        connection.setsockopt(socket.IPPROTO_TCP, option, value)


def _reason(error: OSError) -> str:
    """Why, in the system's words."""
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, socket.gaierror):
        return "nobody knows a host of that name"
    if error.errno:
        return os.strerror(error.errno)
    return "the network does not work"
