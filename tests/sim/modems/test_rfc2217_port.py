"""Modems behind RFC 2217 ports, seen by pyserial's client and by a bare socket."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import serial

from sim.modems.exchange import Attempt, ExchangeSettings, TelephoneExchange
from sim.modems.line import LineSettings
from sim.modems.rfc2217_port import Rfc2217Port
from sim.modems.server import ModemServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAST = ExchangeSettings(
    line=LineSettings(rate_bps=115_200, delay_ms=5),
    dial_ms=10,
    ring_every_ms=200,
    training_ms=20,
)
# pyserial 3.5 sets its reader thread up by methods that Python will lose one day.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")
PATIENCE_S = 20
IAC = b"\xff"


@contextmanager
def served(modems_a_side: int = 1) -> Iterator[ModemServer]:
    exchange = TelephoneExchange(FAST, callers=modems_a_side, answerers=modems_a_side)
    makers = [Rfc2217Port] * len(exchange.modems)
    with ModemServer(exchange, makers) as server:
        yield server


def opened(url: str) -> serial.Serial:
    return serial.serial_for_url(url, timeout=PATIENCE_S)


@contextmanager
def connected(server: ModemServer) -> Iterator[tuple[serial.Serial, serial.Serial]]:
    with (
        opened(server.caller_ports[0]) as near,
        opened(server.answerer_ports[0]) as far,
    ):
        far.write(b"ATE0S0=1\r")
        near.write(b"ATE0DT1\r")
        assert b"CONNECT" in near.read_until(b"CONNECT 115200\r\n")
        assert b"CONNECT" in far.read_until(b"CONNECT 115200\r\n")
        yield near, far


def wait_for(port: serial.Serial, lines: Callable[[], bool]) -> None:
    """pyserial's client asks for the lines again at each look."""
    pause = threading.Event()
    for _ in range(PATIENCE_S * 20):
        if lines():
            return
        pause.wait(0.05)
    pytest.fail(f"the lines of {port.port} did not change")


def test_every_byte_passes_both_ways() -> None:
    every = bytes(range(256)) * 4
    with served() as server, connected(server) as (near, far):
        near.write(every)
        assert far.read(len(every)) == every
        far.write(every)
        assert near.read(len(every)) == every


def test_carrier_ring_and_readiness_are_lines() -> None:
    with served() as server, opened(server.answerer_ports[0]) as far:
        assert (far.dsr, far.cts) == (True, True)
        assert (far.cd, far.ri) == (False, False)
        with opened(server.caller_ports[0]) as near:
            near.write(b"ATE0DT1\r")
            wait_for(far, lambda: bool(far.ri))
            far.write(b"ATA\r")
            wait_for(far, lambda: bool(far.cd) and not far.ri)
            wait_for(near, lambda: bool(near.cd))
            server.drop_call()
            wait_for(near, lambda: not near.cd)
            wait_for(far, lambda: not far.cd)


def test_dtr_hangs_up() -> None:
    with served() as server, connected(server) as (near, far):
        near.dtr = False
        assert far.read_until(b"NO CARRIER\r\n") == b"\r\nNO CARRIER\r\n"
        wait_for(near, lambda: not near.cd)


def test_client_that_goes_away_lets_dtr_fall() -> None:
    with served() as server, connected(server) as (near, far):
        near.close()
        assert far.read_until(b"NO CARRIER\r\n") == b"\r\nNO CARRIER\r\n"
        # And the next client finds the modem ready for another call.
        with opened(server.caller_ports[0]) as again:
            again.write(b"ATE0DT1\r")
            assert again.read_until(b"CONNECT 115200\r\n").endswith(b"115200\r\n")


def test_dtr_is_heard_while_much_waits_for_the_line() -> None:
    exchange = TelephoneExchange(FAST, script=[Attempt(rate_bps=2_400)])
    with ModemServer(exchange, [Rfc2217Port, Rfc2217Port]) as server:
        near = opened(server.caller_ports[0])
        with near, opened(server.answerer_ports[0]) as far:
            far.write(b"ATE0S0=1\r")
            near.write(b"ATE0DT1\r")
            assert near.read_until(b"2400\r\n").endswith(b"CONNECT 2400\r\n")
            # Over two minutes of line.
            near.write(bytes(32_000))
            near.dtr = False
            assert far.read_until(b"NO CARRIER\r\n").endswith(b"NO CARRIER\r\n")


def test_what_waits_can_be_purged() -> None:
    with served() as server, opened(server.caller_ports[0]) as near:
        near.reset_input_buffer()
        near.reset_output_buffer()
        near.write(b"ATE0\r")
        assert near.read_until(b"OK\r\n") == b"ATE0\r\r\nOK\r\n"


def test_second_client_is_sent_away() -> None:
    with served() as server:
        host, port = server.caller_ports[0].removeprefix("rfc2217://").split(":")
        with opened(server.caller_ports[0]) as near:
            with socket.create_connection((host, int(port)), PATIENCE_S) as second:
                assert second.recv(10) == b""
            near.write(b"AT\r")
            assert near.read_until(b"OK\r\n").endswith(b"OK\r\n")


def test_client_without_the_protocol_has_bytes_and_dtr() -> None:
    with served() as server, opened(server.answerer_ports[0]) as far:
        far.write(b"ATE0S0=1\r")
        host, port = server.caller_ports[0].removeprefix("rfc2217://").split(":")
        with socket.create_connection((host, int(port)), PATIENCE_S) as plain:
            plain.sendall(b"ATE0DT1\r")
            assert far.read_until(b"CONNECT 115200\r\n").endswith(b"115200\r\n")
            plain.sendall(b"a" + IAC * 2 + b"b")
            assert far.read(3) == b"a\xffb"
        assert far.read_until(b"NO CARRIER\r\n") == b"\r\nNO CARRIER\r\n"


def test_client_that_does_not_read_holds_nobody_up() -> None:
    with served() as server, connected(server) as (near, far):
        # `near` reads nothing: its client library piles up what comes.
        for _ in range(50):
            far.write(bytes(500))
        near.dtr = False
        assert far.read_until(b"NO CARRIER\r\n").endswith(b"NO CARRIER\r\n")


def test_taken_tcp_port_is_told_and_leaves_nothing_behind() -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with socket.create_server(("127.0.0.1", 0)) as taken:
        before = count()
        second = partial(Rfc2217Port, tcp_port=taken.getsockname()[1])
        server = ModemServer(TelephoneExchange(FAST), (Rfc2217Port, second))
        with pytest.raises(OSError, match="in use"):
            server.open()
        assert count() == before


def test_hunt_group_serves_several_callers_at_once() -> None:
    with served(2) as server:
        hosts = [opened(url) for url in server.answerer_ports]
        callers = [opened(url) for url in server.caller_ports]
        try:
            for host in hosts:
                host.write(b"ATE0S0=1\r")
                assert host.read_until(b"OK\r\n").endswith(b"OK\r\n")
            for number, (caller, host) in enumerate(zip(callers, hosts, strict=True)):
                caller.write(b"ATE0DT1\r")
                assert caller.read_until(b"115200\r\n").endswith(b"115200\r\n")
                assert host.read_until(b"115200\r\n").endswith(b"115200\r\n")
                caller.write(b"%d" % number)
                assert host.read(1) == b"%d" % number
        finally:
            for port in hosts + callers:
                port.close()
    assert server.calls_connected == 2
