"""The one door to pyserial: a port by path or URL, its bytes, its control lines.

A local port (a tty, a PTY) has a descriptor: whoever runs it waits for that, and reads
and writes what can be moved at once. ``rfc2217://host:port`` has none: there a reader
thread hands over what arrives, and writing waits. No exception of pyserial leaves this
file.

What ports do differently, with pyserial 3.5: a PTY has no control lines and answers
``OSError 25``; a port that goes away raises SerialException or ``OSError 5``, or is
ready to be read and gives nothing; ``read`` waits its whole time-out for all bytes it
is asked for, so only what is there is asked for; RFC 2217 has no write time-out;
pyserial's own ``write`` waits with ``select``, which fails from descriptor 1024 on.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from typing import TYPE_CHECKING, Final

import serial

from modem.errors import PortError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SerialPort"]

_READ_TIMEOUT_S: Final = 0.25
"""How long closing an RFC 2217 port may wait for its reader; bytes end a read at
once."""
_READ_BYTES: Final = 4_096
_FAILURES: Final = (serial.SerialException, OSError, ValueError, NotImplementedError)
"""All that pyserial lets out; SerialException is an OSError today, by its own word
not for ever. A port closed under the reader shows as TypeError as well."""
_NOT_NOW: Final = frozenset({errno.EAGAIN, errno.EINTR})


class SerialPort:
    """An open serial port, 8 data bits, no parity, exclusive where that exists."""

    def __init__(self, port: str, baud: int) -> None:
        """Open the port.

        Args:
            port: device path or pyserial URL.
            baud: speed in bit/s.

        Raises:
            PortError: it does not exist, is in use, or cannot be set up.
        """
        self.name = port
        self._stopping = False
        self._serial = _open(port, baud)
        self._had_carrier = False
        self._reader: threading.Thread | None = None
        local = "://" not in port
        self.descriptor: int | None = self._serial.fileno() if local else None
        self.has_control_lines = self._probe_control_lines()
        self._use_handshake(local=local)

    def start_reading(
        self,
        on_data: Callable[[bytes], None],
        on_failure: Callable[[PortError], None],
    ) -> None:
        """Read a port without a descriptor in a thread of its own.

        Args:
            on_data: called from the reader thread with bytes that have arrived.
            on_failure: called from the reader thread, once, when the port fails.
        """
        self._reader = threading.Thread(
            target=self._read_all,
            args=(on_data, on_failure),
            name=f"read {self.name}",
            daemon=True,
        )
        self._reader.start()

    def read(self) -> bytes:
        """What is there now, of a port with a descriptor that is ready to be read.

        Raises:
            PortError: the port is gone.
        """
        assert self.descriptor is not None
        try:
            data = os.read(self.descriptor, _READ_BYTES)
        except OSError as error:
            if error.errno in _NOT_NOW:
                return b""
            raise PortError(self.name, _reason(error)) from None
        if not data:
            raise PortError(self.name, _GONE)
        return data

    def write(self, data: bytes) -> int:
        """Send ``data``; how many bytes of it were taken.

        A port with a descriptor takes what it has room for; others take all, and wait.

        Raises:
            PortError: the port is gone.
        """
        try:
            if self.descriptor is None:
                self._serial.write(data)
                return len(data)
            if not self._serial.is_open:
                raise serial.PortNotOpenError
            return os.write(self.descriptor, data)
        except _FAILURES as error:
            if isinstance(error, BlockingIOError):
                return 0
            raise PortError(self.name, _reason(error)) from None

    def set_dtr(self, *, high: bool) -> None:
        """Set the DTR line, where there is one."""
        if self.has_control_lines:
            with contextlib.suppress(*_FAILURES):
                self._serial.dtr = high

    def carrier_dropped(self) -> bool:
        """Whether DCD was on at the last call of this method and is now off.

        A cable without that line never has it on, and nothing is concluded.
        """
        if not self.has_control_lines:
            return False
        try:
            carrier = bool(self._serial.cd)
        except _FAILURES:
            return False
        dropped = self._had_carrier and not carrier
        self._had_carrier = carrier
        return dropped

    def close(self) -> None:
        """Stop reading and free the port; twice is once.

        A tty may hold the caller up while its last bytes leave.
        """
        if self._stopping:
            return
        self._stopping = True
        with contextlib.suppress(AttributeError, *_FAILURES):
            self._serial.cancel_read()
        if self._reader is not None:
            self._reader.join()
        with contextlib.suppress(*_FAILURES):
            self._serial.close()

    def _probe_control_lines(self) -> bool:
        try:
            _ = self._serial.cd
        except _FAILURES:
            return False
        return True

    def _use_handshake(self, *, local: bool) -> None:
        """Let CTS hold us back, but only where the modem shows that it drives it.

        With a cable that lacks the line, or a modem that is off, nothing could be
        sent at all and the reason would not be seen.
        """
        if local and self.has_control_lines:
            with contextlib.suppress(*_FAILURES):
                self._serial.rtscts = bool(self._serial.cts)

    def _read_all(
        self,
        on_data: Callable[[bytes], None],
        on_failure: Callable[[PortError], None],
    ) -> None:
        try:
            while not self._stopping:
                data = self._serial.read(max(1, self._serial.in_waiting))
                if data:
                    on_data(data)
        except (*_FAILURES, TypeError) as error:
            if not self._stopping:
                on_failure(PortError(self.name, _reason(error)))


def _open(port: str, baud: int) -> serial.Serial:
    try:
        opened = serial.serial_for_url(port, do_not_open=True)
        opened.baudrate = baud
        opened.timeout = _READ_TIMEOUT_S
        if "://" not in port:
            opened.exclusive = True
        opened.open()
    except _FAILURES as error:
        raise PortError(port, _reason(error)) from None
    # `serial_for_url` is typed as the class for local ports; the others share what
    # is used here.
    return opened


_GONE: Final = "it is gone, or does not work"
_WORDS: Final = {
    errno.EAGAIN: "another program uses it",
    errno.ENOTTY: "it is no serial port",
}
"""For what the system has no word that a person at a counter understands."""
_WORDS_OF_KINDS: Final = {
    serial.SerialTimeoutException: "it takes no bytes",
    serial.PortNotOpenError: "it is closed",
    ValueError: "there is no serial port of such a name",
    TypeError: "there is no serial port of such a name",
}
"""For what comes out of pyserial and not out of the system."""
_CONTROL_OPTION: Final = "option 'control'"
"""How pyserial names DTR, RTS and flow control of RFC 2217: when no answer to a setting
came in time (SerialException), and when it was another one (ValueError)."""
_UNCONFIRMED: Final = (
    "the serial server does not confirm that control lines are set; if its port has "
    "none, add ?ign_set_control to the port's name"
)


def _reason(error: Exception) -> str:
    """Why it failed, in words: the system's, once, and not pyserial's text around them.

    pyserial puts the system's number, words and the path into its own sentence, and
    keeps the error itself only as the context of its own.
    """
    if _CONTROL_OPTION in str(error):
        return _UNCONFIRMED
    number = _system_number(error)
    if number is not None:
        return _WORDS.get(number) or os.strerror(number)
    if isinstance(error.__context__, OSError) and error.__context__.strerror:
        # A host's name that nobody knows has a negative number, and words.
        return error.__context__.strerror
    for kind, words in _WORDS_OF_KINDS.items():
        if isinstance(error, kind) or isinstance(error.__context__, kind):
            return words
    return _GONE


def _system_number(error: BaseException | None) -> int | None:
    """The number of the system's error that is at the root of an exception."""
    while error is not None:
        # termios.error is no OSError: it has its number as the first argument.
        number = getattr(error, "errno", None) or next(iter(error.args), None)
        if isinstance(number, int) and number > 0:
            return number
        error = error.__context__
    return None
