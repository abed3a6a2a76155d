"""The production dialer through pyserial's own RFC 2217 server.

The server is that of pyserial's ``examples/rfc2217_server.py``: a serial port, a
`PortManager`, two threads, and a look at the modem's lines now and then. Its serial
port is a simulated modem.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import pytest
import serial
import serial.rfc2217

from modem.errors import BusyError
from sim.modems.exchange import Outcome, TelephoneExchange
from sim.modems.rfc2217_port import Rfc2217Port
from sim.modems.server import ModemServer
from tests.interop.conftest import (
    FAST,
    carry_messages,
    close_both,
    secured_call,
    see_carrier_drop,
    see_dtr_hang_up,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.modem.conftest import Certificates

# pyserial 3.5 sets its reader thread up by methods that Python will lose one day.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")
_POLL_S: Final = 0.1


class Redirector:
    """One client after the other at one serial port, as pyserial's example does it."""

    def __init__(self, port: serial.Serial) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._client: socket.socket | None = None

    @property
    def url(self) -> str:
        host, port = self._listener.getsockname()
        return f"rfc2217://{host}:{port}"

    def write(self, data: bytes) -> None:
        """Send to the client; `PortManager` calls this."""
        with self._lock, suppress(OSError):
            assert self._client is not None
            self._client.sendall(data)

    def __enter__(self) -> Redirector:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                self._client = client
                self._redirect(client)

    def _redirect(self, client: socket.socket) -> None:
        manager = serial.rfc2217.PortManager(self._port, self)  # type: ignore[arg-type]  # the stubs ask for two ports
        self._port.dtr = self._port.rts = True
        gone = threading.Event()

        def read() -> None:
            while not gone.is_set():
                data = self._port.read(self._port.in_waiting or 1)
                if data:
                    self.write(b"".join(manager.escape(data)))

        def look() -> None:
            while not gone.wait(_POLL_S):
                manager.check_modem_lines()

        threads = [threading.Thread(target=work) for work in (read, look)]
        for thread in threads:
            thread.start()
        try:
            while data := client.recv(1024):
                self._port.write(b"".join(manager.filter(data)))
        except OSError:
            pass
        finally:
            gone.set()
            for thread in threads:
                thread.join()
            self._port.dtr = self._port.rts = False


@contextmanager
def redirected(
    script: Sequence[Outcome] = (),
) -> Iterator[tuple[ModemServer, str]]:
    """Modems, and the URL of the calling one through pyserial's server."""
    exchange = TelephoneExchange(FAST, script=script)
    with (
        ModemServer(exchange, (Rfc2217Port, Rfc2217Port)) as server,
        serial.serial_for_url(server.caller_ports[0], timeout=_POLL_S) as port,
        Redirector(port) as redirector,
    ):
        yield server, redirector.url


def test_whole_calls_pass(certificates: Certificates) -> None:
    with redirected() as (server, url):
        for _ in range(2):
            with secured_call(url, server.answerer_ports[0], certificates) as ends:
                carry_messages(*ends)
                close_both(*ends)
        assert server.calls_connected == 2


def test_busy_line_is_told(certificates: Certificates) -> None:
    with (
        redirected([Outcome.BUSY]) as (server, url),
        pytest.raises(BusyError),
        secured_call(url, server.answerer_ports[0], certificates),
    ):
        pass


def test_carrier_that_drops_ends_the_call(certificates: Certificates) -> None:
    with redirected() as (server, url):
        see_carrier_drop(url, server, certificates)


def test_dtr_hangs_up(certificates: Certificates) -> None:
    with redirected() as (server, url):
        see_dtr_hang_up(url, server, certificates)
