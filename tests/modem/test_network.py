"""Sockets as ports, addresses in words, and a call over TCP on this machine."""

from __future__ import annotations

import os
import select
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from modem.dial_plan import DialPlan
from modem.errors import (
    CallClosedError,
    CallLostError,
    CallStoppedError,
    NetworkError,
    PortError,
    SecurityError,
)
from modem.events import DialFailed, Dialling, Secured
from modem.line_loop import LineLoop
from modem.network import Listener, NetworkAddress, SocketPort, is_network_url
from modem.network_call import IncomingCall, connect, try_out
from modem.profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modem.call import Call
    from modem.events import CallEvent
    from tests.modem.conftest import Certificates

SERVER_NAME = "host.bank.raseed"
PLAN = DialPlan(profile=PROFILES["direct"], rounds=1)
HERE = NetworkAddress(host="127.0.0.1", port=0)
WAIT_S = 20
WAIT_MS = 20_000


@pytest.fixture
def listener() -> Iterator[Listener]:
    with closing(Listener(HERE)) as listener:
        yield listener


@pytest.fixture
def loop() -> Iterator[LineLoop]:
    with LineLoop() as loop:
        yield loop


@pytest.fixture
def answered(
    listener: Listener, certificates: Certificates, loop: LineLoop
) -> Iterator[Callable[[], Call]]:
    """Takes the next connection and secures it, meanwhile; the call."""
    with ThreadPoolExecutor(1) as pool:

        def answer() -> Call:
            accepted = listener.accept(WAIT_S)
            assert accepted is not None
            incoming = IncomingCall(
                accepted[0], certificates.server(), threading.Event()
            )
            return incoming.secure(lambda _event: None, loop, lambda _terminal: None)

        work = pool.submit(answer)
        yield lambda: work.result(WAIT_S)


def call_it(listener: Listener, certificates: Certificates) -> Call:
    return connect(
        listener.name, PLAN, certificates.client(), SERVER_NAME, lambda _event: None
    )


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("bank.example:7890", "bank.example", 7890),
        ("tls://10.0.0.1:1", "10.0.0.1", 1),
        ("tcp://[fe80::1]:65535", "fe80::1", 65_535),
    ],
)
def test_addresses_are_read_and_written(text: str, host: str, port: int) -> None:
    address = NetworkAddress.parse(text)
    assert (address.host, address.port) == (host, port)
    assert NetworkAddress.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "bank.example",
        "bank.example:",
        ":7890",
        "a:b:1",
        "bank:65536",
        "tls://",
        "a b:1",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a host and a port"):
        NetworkAddress.parse(text)


def test_only_our_urls_are_a_network() -> None:
    assert is_network_url("tcp://bank:1")
    assert not is_network_url("rfc2217://bank:1")


def test_a_call_brings_messages_both_ways_and_ends_in_order(
    listener: Listener, certificates: Certificates, answered: Callable[[], Call]
) -> None:
    message = os.urandom(60_000)
    with call_it(listener, certificates) as near:
        far = answered()
        for _ in range(10):
            near.send(message)
        assert [far.receive(WAIT_MS) for _ in range(10)] == [message] * 10
        far.send(b"answer")
        assert near.receive(WAIT_MS) == b"answer"
        assert (near.peer_name, far.peer_name) == (SERVER_NAME, "T0000007")
    with far, pytest.raises(CallClosedError):
        far.receive(WAIT_MS)


def test_a_call_that_is_let_go_is_a_lost_one_on_the_other_side(
    listener: Listener, certificates: Certificates, answered: Callable[[], Call]
) -> None:
    with call_it(listener, certificates) as near:
        far = answered()
        far.let_go()
        far.close()
        with pytest.raises(CallLostError) as caught:
            near.receive(WAIT_MS)
    assert not isinstance(caught.value, CallClosedError)


def test_a_host_that_is_not_there_is_tried_in_rounds_and_named(
    certificates: Certificates,
) -> None:
    with closing(Listener(HERE)) as gone:
        name = gone.name
    events: list[CallEvent] = []
    plan = DialPlan(profile=PROFILES["direct"], rounds=2, pause_ms=1_000)
    with pytest.raises(NetworkError, match="cannot be reached: Connection refused"):
        connect(name, plan, certificates.client(), SERVER_NAME, events.append)
    kinds = [type(event) for event in events]
    assert kinds == [Dialling, DialFailed, Dialling]


def test_who_gives_up_between_two_rounds_is_heard(certificates: Certificates) -> None:
    with closing(Listener(HERE)) as gone:
        name = gone.name
    stop = threading.Event()
    stop.set()
    plan = DialPlan(profile=PROFILES["direct"], pause_ms=600_000, pause_ms_max=600_000)
    context = certificates.client()
    with pytest.raises(CallStoppedError):
        connect(name, plan, context, SERVER_NAME, lambda _event: None, stop)


def test_to_try_the_network_says_nothing(listener: Listener) -> None:
    try_out(listener.name, PLAN, lambda _event: None)
    accepted = listener.accept(WAIT_S)
    assert accepted is not None
    port, sender = accepted
    assert sender == "127.0.0.1"
    assert port.descriptor is not None
    with closing(port):
        select.select([port.descriptor], [], [], WAIT_S)
        with pytest.raises(PortError, match="has closed the connection"):
            port.read()


def test_an_address_in_use_is_named(listener: Listener) -> None:
    with pytest.raises(NetworkError, match="Address already in use"):
        Listener(listener.address)


def test_a_call_that_is_dropped_before_it_is_secured_gives_up(
    listener: Listener, certificates: Certificates, loop: LineLoop
) -> None:
    with socket.create_connection(("127.0.0.1", listener.address.port)):
        accepted = listener.accept(WAIT_S)
        assert accepted is not None
        incoming = IncomingCall(accepted[0], certificates.server(), threading.Event())
        incoming.drop()
        with pytest.raises(CallStoppedError):
            incoming.secure(lambda _event: None, loop, lambda _terminal: None)


def test_a_refused_certificate_is_told_over_the_network_too(
    listener: Listener, certificates: Certificates, answered: Callable[[], Call]
) -> None:
    stranger = certificates.client(name="stranger-terminal")
    events: list[CallEvent] = []
    with pytest.raises(SecurityError, match="refused by the other side"):
        connect(listener.name, PLAN, stranger, SERVER_NAME, events.append)
    assert not [one for one in events if isinstance(one, Secured)]
    with pytest.raises(SecurityError, match="refused by this machine"):
        answered()


def test_a_port_takes_what_there_is_room_for() -> None:
    near, far = socket.socketpair()
    with closing(far), closing(SocketPort(near, "pair")) as port:
        taken = 0
        while (written := port.write(bytes(1 << 16))) > 0:
            taken += written
        assert taken > 0
        assert port.write(b"more") == 0
        far.close()
        with pytest.raises(PortError):
            port.write(b"nobody")
