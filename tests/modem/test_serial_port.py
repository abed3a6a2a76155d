"""The door to pyserial, on its loopback port and on PTYs."""

from __future__ import annotations

import os
import pty
import queue
import tty
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import serial

from modem.errors import PortError
from modem.serial_port import SerialPort

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 10
Inbox = queue.SimpleQueue[bytes | PortError]


@contextmanager
def opened(url: str) -> Iterator[tuple[SerialPort, Inbox]]:
    inbox: Inbox = queue.SimpleQueue()
    port = SerialPort(url, 115_200, on_data=inbox.put, on_failure=inbox.put)
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


def take(inbox: Inbox, size: int) -> bytes:
    data = b""
    while len(data) < size:
        item = inbox.get(timeout=PATIENCE_S)
        assert isinstance(item, bytes)
        data += item
    return data


def test_bytes_go_both_ways_over_a_pty() -> None:
    with terminal() as (master, _, path), opened(path) as (port, inbox):
        every = bytes(range(256))
        os.write(master, every)
        assert take(inbox, 256) == every
        port.write(every)
        assert os.read(master, 256) == every


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


def test_hang_up_of_the_device_is_told_once() -> None:
    with terminal() as (master, slave, path), opened(path) as (port, inbox):
        os.close(slave)
        os.close(master)
        failure = inbox.get(timeout=PATIENCE_S)
        assert isinstance(failure, PortError)
        assert failure.port == path
        with pytest.raises(PortError):
            port.write(b"anyone there?")
        port.close()
        assert inbox.empty()


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
        SerialPort(url, 9_600, on_data=print, on_failure=print)
    assert caught.value.what == f"The serial port {url} cannot be used: {reason}."


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
