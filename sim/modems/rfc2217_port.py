"""A modem's serial port on the network: RFC 2217, with DTR, DCD, RI, CTS and DSR.

pyserial's own server code (`serial.rfc2217.PortManager`) speaks the protocol; here are
the socket, and the control lines of the modem that it believes to be a serial port.
Opening the connection raises DTR and closing it lets DTR fall, as opening and closing a
real port do, so a client that knows no RFC 2217 has that much. When this server dies,
pyserial's client goes on showing the DCD that it saw last.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
from typing import TYPE_CHECKING, Final

import serial.rfc2217

if TYPE_CHECKING:
    from sim.modems.modem import SimulatedModem

__all__ = ["Rfc2217Port"]

_READ_BYTES: Final = 4_096
_HELD_BYTES_MAX: Final = 65_536
"""Bytes that wait for the modem. So many are read ahead of the line, because DTR comes
on the same connection and must not wait behind them."""
_UNREAD_BYTES_MAX: Final = 65_536
"""Bytes that wait for a client that does not read; more are lost."""


class _ControlLines:
    """The modem as pyserial's server sees a serial port; settings change nothing."""

    def __init__(self, modem: SimulatedModem) -> None:
        self._modem = modem
        self._dtr = False
        self.now_ms = 0
        self.held = bytearray()
        self.baudrate = 9600
        self.bytesize = serial.EIGHTBITS
        self.parity = serial.PARITY_NONE
        self.stopbits = serial.STOPBITS_ONE
        self.xonxoff = self.rtscts = self.break_condition = False
        self.rts = self.cts = True

    @property
    def dtr(self) -> bool:
        return self._dtr

    @dtr.setter
    def dtr(self, high: bool) -> None:
        self._dtr = high
        self._modem.set_dtr(high, self.now_ms)

    @property
    def dsr(self) -> bool:
        return not self._modem.silent

    @property
    def ri(self) -> bool:
        return self._modem.ringing

    @property
    def cd(self) -> bool:
        return self._modem.dcd

    def reset_input_buffer(self) -> None:
        """Forget what the modem has said and nobody has read."""
        self._modem.to_terminal()

    def reset_output_buffer(self) -> None:
        """Forget what waits for the modem."""
        self.held.clear()


class _Client:
    """One connection, for as long as it lasts."""

    def __init__(self, connection: socket.socket, lines: _ControlLines) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = connection
        self.out = bytearray()
        self._lines = lines
        # The stubs ask for two real ports; anything with the same attributes will do.
        self.manager = serial.rfc2217.PortManager(lines, self)  # type: ignore[arg-type]

    def write(self, data: bytes) -> None:
        """Queue ``data``; pyserial's server calls this."""
        self.out += data

    def read(self) -> bool:
        """Take what has come; False once the client is gone."""
        try:
            data = self.connection.recv(_READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._lines.held += b"".join(self.manager.filter(data))
        return bool(data)

    def say(self, data: bytes) -> None:
        """Queue what the modem says, and what its control lines do."""
        if len(self.out) < _UNREAD_BYTES_MAX:
            self.out += b"".join(self.manager.escape(data))
        self.manager.check_modem_lines()

    def flush(self) -> bool:
        """Send what is queued; False once the client is gone."""
        try:
            while self.out:
                del self.out[: self.connection.send(self.out)]
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True


class Rfc2217Port:
    """One TCP port of this machine; one client at a time, others are sent away."""

    def __init__(self, modem: SimulatedModem, tcp_port: int = 0) -> None:
        """Listen on ``tcp_port``, or on a free one.

        Raises:
            OSError: it is taken.
        """
        self.modem = modem
        self._lines = _ControlLines(modem)
        self._lines.dtr = False
        self._client: _Client | None = None
        self._listener = socket.create_server(("127.0.0.1", tcp_port))
        self._listener.setblocking(False)

    @property
    def name(self) -> str:
        """See `ServedPort`."""
        host, port = self._listener.getsockname()
        return f"rfc2217://{host}:{port}"

    def take(self, room_bytes: int, now_ms: int) -> None:
        """See `ServedPort`."""
        self._lines.now_ms = now_ms
        held = self._lines.held
        self._accept()
        if self._client and len(held) < _HELD_BYTES_MAX and not self._client.read():
            self._hang_up()
        data = bytes(held[:room_bytes])
        if data:
            del held[:room_bytes]
            self.modem.from_terminal(data, now_ms)

    def give(self, now_ms: int) -> None:
        """See `ServedPort`; what the modem says while nobody is there is lost."""
        self._lines.now_ms = now_ms
        data = self.modem.to_terminal()
        if self._client is not None:
            self._client.say(data)
            if not self._client.flush():
                self._hang_up()

    def wanted(self, room_bytes: int) -> dict[int, int]:
        """See `ServedPort`."""
        del room_bytes
        wanted = {self._listener.fileno(): selectors.EVENT_READ}
        if self._client is not None:
            reads = len(self._lines.held) < _HELD_BYTES_MAX
            events = (selectors.EVENT_READ if reads else 0) | (
                selectors.EVENT_WRITE if self._client.out else 0
            )
            if events:
                wanted[self._client.connection.fileno()] = events
        return wanted

    def close(self) -> None:
        """See `ServedPort`."""
        if self._client is not None:
            self._hang_up()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            connection, _ = self._listener.accept()
            if self._client is None:
                self._client = _Client(connection, self._lines)
                self._lines.dtr = True
            else:
                connection.close()

    def _hang_up(self) -> None:
        """The client is gone: nothing holds DTR up any more."""
        assert self._client is not None
        self._client.connection.close()
        self._client = None
        self._lines.held.clear()
        self._lines.dtr = False
