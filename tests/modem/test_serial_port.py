"""The door to pyserial, on its loopback port and on PTYs."""

from __future__ import annotations

import os
import pty
import queue
import select
import socket
import threading
import tty
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import serial
import serial.rfc2217

from modem.errors import PortError
from modem.serial_port import SerialPort

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 10
# pyserial 3.5 sets its reader thread up by methods that Python will lose one day.
RFC2217_CLIENT = pytest.mark.filterwarnings(
    "ignore:set(Daemon|Name):DeprecationWarning"
)
Inbox = queue.SimpleQueue[bytes | PortError]


@contextmanager
def opened(url: str) -> Iterator[tuple[SerialPort, Inbox]]:
    inbox: Inbox = queue.SimpleQueue()
    port = SerialPort(url, 115_200)
    if port.descriptor is None:
        port.start_reading(inbox.put, inbox.put)
    try:
        yield port, inbox
    finally:
        port.close()


@contextmanager
def terminal() -> Iterator[tuple[int, int, str]]:
    """Master, slave and path of a PTY."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        yield master, slave, os.ttyname(slave)
    finally:
        for descriptor in (master, slave):
            # A test may have hung it up.
            with suppress(OSError):
                os.close(descriptor)


class ServerWithoutControlLines:
    """A serial server, pyserial's, that does not confirm what sets control lines."""

    def __init__(self, client: socket.socket, answer: bytes) -> None:
        """Say ``answer`` in the place of each confirmation."""
        self._client = client
        self._answer = answer
        device = serial.serial_for_url("loop://")
        self._manager = serial.rfc2217.PortManager(device, self)  # type: ignore[arg-type]  # the stubs ask for two ports

    def write(self, data: bytes) -> None:
        """Send to the client; `PortManager` calls this."""
        confirms = data[3:4] == serial.rfc2217.SERVER_SET_CONTROL
        self._client.sendall(self._answer if confirms else data)

    def serve(self) -> None:
        """Talk with the client until it is gone."""
        with suppress(ConnectionError):
            while data := self._client.recv(1024):
                b"".join(self._manager.filter(data))


@contextmanager
def without_control_lines(answer: bytes) -> Iterator[str]:
    """URL of a `ServerWithoutControlLines`, for one client."""

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            ServerWithoutControlLines(client, answer).serve()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"rfc2217://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def take(inbox: Inbox, size: int) -> bytes:
    data = b""
    while len(data) < size:
        item = inbox.get(timeout=PATIENCE_S)
        assert isinstance(item, bytes)
        data += item
    return data


def read(port: SerialPort, size: int) -> bytes:
    """From a port with a descriptor, as a loop does."""
    assert port.descriptor is not None
    data = b""
    while len(data) < size:
        assert select.select([port.descriptor], [], [], PATIENCE_S)[0]
        data += port.read()
    return data


def test_bytes_go_both_ways_over_a_pty() -> None:
    with terminal() as (master, _, path), opened(path) as (port, _):
        every = bytes(range(256))
        os.write(master, every)
        assert read(port, 256) == every
        assert port.write(every) == 256
        assert os.read(master, 256) == every


def test_a_port_takes_what_it_has_room_for_and_waits_for_nothing() -> None:
    with terminal() as (master, _, path), opened(path) as (port, _):
        taken = 0
        while count := port.write(bytes(1_000)):
            taken += count
        assert taken > 0
        assert os.read(master, 1_000) == bytes(1_000)
        while not port.write(b"."):
            os.read(master, 1_000)


def test_pty_has_no_control_lines() -> None:
    with terminal() as (_, _, path), opened(path) as (port, _):
        assert not port.has_control_lines
        assert not port.carrier_dropped()
        port.set_dtr(high=False)


def test_url_ports_work_alike() -> None:
    with opened("loop://") as (port, inbox):
        port.write(b"there and back")
        assert take(inbox, 14) == b"there and back"
        assert port.has_control_lines


def test_carrier_that_drops_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with opened("loop://") as (port, _):
        carrier = iter([False, False, True, True, False, False, True, False])
        monkeypatch.setattr(type(port._serial), "cd", property(lambda _: next(carrier)))
        told = [port.carrier_dropped() for _ in range(8)]
        assert told == [False, False, False, False, True, False, False, True]


def test_dtr_is_set_where_there_is_one() -> None:
    with opened("loop://") as (port, _):
        port.set_dtr(high=False)
        assert port._serial.dtr is False
        port.set_dtr(high=True)
        assert port._serial.dtr is True


@pytest.mark.parametrize("driven", [False, True], ids=["no-cts", "cts"])
def test_handshake_is_used_only_where_the_modem_drives_cts(
    driven: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with opened("loop://") as (port, _):
        monkeypatch.setattr(type(port._serial), "cts", property(lambda _: driven))
        port._use_handshake(local=True)
        assert port._serial.rtscts is driven


def test_hang_up_of_the_device_is_told() -> None:
    with terminal() as (master, slave, path), opened(path) as (port, _):
        os.close(slave)
        os.close(master)
        with pytest.raises(PortError) as caught:
            read(port, 1)
        assert caught.value.port == path
        with pytest.raises(PortError):
            port.write(b"anyone there?")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        pytest.param("/dev/ttyNONE", "No such file or directory", id="no-device"),
        pytest.param("/etc/hostname", "it is no serial port", id="no-terminal"),
        pytest.param(
            "rfc2217://127.0.0.1:1", "Connection refused", id="nobody-listens"
        ),
        pytest.param(
            "nonsense://x",
            "there is no serial port of such a name",
            id="unknown-protocol",
        ),
        pytest.param(
            "rfc2217://x", "there is no serial port of such a name", id="no-number"
        ),
    ],
)
def test_port_that_cannot_be_opened_is_named_once_with_the_reason_in_words(
    url: str, reason: str
) -> None:
    with pytest.raises(PortError) as caught:
        SerialPort(url, 9_600)
    assert caught.value.what == f"The serial port {url} cannot be used: {reason}."


UNCONFIRMED = pytest.mark.parametrize(
    "answer",
    [b"", bytes.fromhex("FFFA 2C69 00 FFF0")],
    ids=["no-answer", "another-value"],
)


@UNCONFIRMED
@RFC2217_CLIENT
def test_server_that_confirms_no_control_lines_is_told_with_the_remedy(
    answer: bytes,
) -> None:
    with without_control_lines(answer) as url:
        with pytest.raises(PortError) as caught:
            SerialPort(url, 9_600)
        assert caught.value.reason == (
            "the serial server does not confirm that control lines are set; if its "
            "port has none, add ?ign_set_control to the port's name"
        )


@UNCONFIRMED
@RFC2217_CLIENT
def test_the_remedy_opens_a_port_without_control_lines(answer: bytes) -> None:
    with (
        without_control_lines(answer) as url,
        opened(f"{url}?ign_set_control") as (port, _),
    ):
        assert port.write(b"AT\r") == 3


def test_port_is_opened_by_one_only() -> None:
    with (
        terminal() as (_, _, path),
        opened(path),
        pytest.raises(PortError, match="another program uses it"),
        opened(path),
    ):
        pass


def test_closing_twice_is_closing_once() -> None:
    with opened("loop://") as (port, _):
        port.close()
        port.close()
        with pytest.raises(PortError):
            port.write(b"late")


@pytest.mark.parametrize(
    "error",
    [
        serial.SerialException("read failed"),
        serial.PortNotOpenError(),
        serial.SerialTimeoutException("Write timeout"),
        OSError(5, "Input/output error"),
        OSError(25, "Inappropriate ioctl for device"),
        ValueError("not a valid parameter"),
        NotImplementedError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_exception_of_pyserial_comes_through(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened("loop://") as (port, _):

        def fail(_data: bytes) -> None:
            raise error

        monkeypatch.setattr(port._serial, "write", fail)
        with pytest.raises(PortError) as caught:
            port.write(b"x")
        assert caught.value.reason
        assert "[Errno" not in str(caught.value)
