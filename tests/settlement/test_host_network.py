"""A host at a network: many at once, and none that holds up another."""

from __future__ import annotations

import datetime as dt
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from modem.dial_plan import DialPlan
from modem.errors import CallLostError, CertificateRefusedError, SecurityError
from modem.network import Listener, NetworkAddress
from modem.network_call import connect
from modem.profiles import PROFILES
from modem.tls import client_context, server_context
from settlement.admission import Admission
from settlement.host import CallEnded, CallOutcome, Host, LoggedOn, ModemTrouble
from settlement.host_events import GroupTaken
from settlement.host_network import NetworkLimits, Waiting
from settlement.iso8583 import encode
from settlement.message_codec import logon_message
from settlement.messages import LogonAnswer, ResponseCode, TerminalVersions
from settlement.pki import HOST_DNS_NAME, Authority
from settlement.pki_files import read_facts
from settlement.store.books import BankStore
from settlement.store.certificates import IssuedFor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modem.call import Call
    from modem.events import CallEvent
    from modem.tls_context import LinkContext
    from settlement.host_events import HostEvent

NOW = dt.datetime.now(dt.UTC)  # noqa: TID251 - TLS itself judges dates by this clock
PLAN = DialPlan(profile=PROFILES["direct"], rounds=1)
WAIT_MS = 20_000
WAIT_S = 20


class SlowBank:
    """Answers logons, each as soon as it may."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.may_answer.set()

    def logon(
        self, terminal_id: str, versions: TerminalVersions, now: dt.datetime
    ) -> LogonAnswer:
        del terminal_id, now
        assert self.may_answer.wait(WAIT_S)
        return LogonAnswer(code=ResponseCode.ACCEPTED, versions=versions)


class World:
    """An authority, terminals with certificates, a bank's door and a host at a port."""

    def __init__(self, folder: Path, store: BankStore) -> None:
        self.folder = folder
        self.store = store
        self.bank = SlowBank()
        self.authority = Authority.create(NOW)
        self.events: list[HostEvent | CallEvent] = []
        self.noted: list[CallEnded] = []
        self.changed = threading.Condition()
        self.stop = threading.Event()
        self.listener = Listener(NetworkAddress(host="127.0.0.1", port=0))
        host = self.authority.issue_host(HOST_DNS_NAME, NOW)
        self._write("ca", self.authority.certificate_pem)
        self._write("ca-terminals", self.authority.terminals_certificate_pem)
        self._write("host", host.certificate_pem, host.key_pem)

    def _write(self, name: str, pem: bytes, key: bytes = b"") -> None:
        (self.folder / f"{name}.pem").write_bytes(pem)
        (self.folder / f"{name}.key").write_bytes(key)

    def admit(self, terminal_id: str) -> LinkContext:
        """A terminal that the bank knows; its side of TLS."""
        made = self.authority.issue_terminal(terminal_id, NOW)
        self._write(terminal_id, made.certificate_pem, made.key_pem)
        facts = read_facts(made.certificate_pem)
        with self.store.write() as books:
            books.certificates.add(facts, IssuedFor.ADMISSION, "test", NOW)
        return client_context(
            self.folder / "ca.pem",
            self.folder / f"{terminal_id}.pem",
            self.folder / f"{terminal_id}.key",
        )

    def host(self, limits: NetworkLimits) -> Host:
        return Host(
            bank=self.bank,  # type: ignore[arg-type] # it is asked for logons only
            admission=Admission(self.store, lambda: NOW),
            tls_context=server_context(
                self.folder / "ca-terminals.pem",
                self.folder / "host.pem",
                self.folder / "host.key",
                clock=lambda: NOW,
            ),
            clock=lambda: NOW,
            random_bytes=bytes,
            on_event=self._note,
            note_call=lambda _line, ended: self.noted.append(ended),
            limits=limits,
        )

    def _note(self, _line: str, event: HostEvent | CallEvent) -> None:
        with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    def wait_for(self, kind: type, number: int = 1) -> list[object]:
        """So many events of a kind, once they have come."""

        def found() -> list[object]:
            return [event for event in self.events if isinstance(event, kind)]

        with self.changed:
            assert self.changed.wait_for(lambda: len(found()) >= number, WAIT_S)
            return found()

    def call(self, context: LinkContext) -> Call:
        return connect(
            self.listener.name, PLAN, context, HOST_DNS_NAME, lambda _event: None
        )

    def knock(self, said: bytes = b"") -> socket.socket:
        """A connection of somebody who is no terminal."""
        made = socket.create_connection(("127.0.0.1", self.listener.address.port))
        made.settimeout(WAIT_S)
        made.sendall(said)
        return made


def log_on(call: Call, terminal_id: str = "T0000007") -> None:
    message = logon_message(terminal_id, stan=1, versions=TerminalVersions(), now=NOW)
    call.send(encode(message, session_key=None))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with BankStore.create(tmp_path / "bank.sqlite") as store:
        yield World(tmp_path, store)


@pytest.fixture
def serve(world: World) -> Iterator[Callable[..., Callable[[], int]]]:
    """Starts the host; what ends it and gives how many calls it cut."""
    with ThreadPoolExecutor(1) as pool, ExitStack() as stack:

        def start(**limits: int) -> Callable[[], int]:
            host = world.host(NetworkLimits(**limits))
            work = pool.submit(host.serve, [], world.stop, listeners=[world.listener])

            def end() -> int:
                world.stop.set()
                return work.result(WAIT_S)

            stack.callback(end)
            return end

        yield start


def outcomes(world: World) -> list[CallOutcome]:
    return [one.outcome for one in world.events if isinstance(one, CallEnded)]


def test_a_terminal_logs_on_over_the_network(
    world: World, serve: Callable[..., object]
) -> None:
    serve()
    with world.call(world.admit("T0000007")) as call:
        log_on(call)
        assert call.receive(WAIT_MS)
    [ended] = world.wait_for(CallEnded)
    assert isinstance(ended, CallEnded)
    assert (ended.terminal_id, ended.messages, ended.trouble) == ("T0000007", 1, None)
    assert world.noted == [ended]
    assert isinstance(world.wait_for(LoggedOn)[0], LoggedOn)


def test_silent_and_garbled_connections_hold_up_nobody(
    world: World, serve: Callable[..., object]
) -> None:
    serve(handshakes_of_one_max=1_000)
    context = world.admit("T0000007")
    with ExitStack() as stack:
        for said in (b"", b"\x16\x03\x01", b"") * 15:
            stack.enter_context(world.knock(said))
        garbled = stack.enter_context(world.knock(b"GET / HTTP/1.1\r\n\r\n"))
        assert garbled.recv(100) == b"", "what is no TLS is let go at once"
        with world.call(context) as call:
            log_on(call)
            assert call.receive(WAIT_MS)


def test_one_address_with_too_many_silent_connections_loses_its_oldest(
    world: World, serve: Callable[..., object]
) -> None:
    serve(handshakes_of_one_max=3)
    context = world.admit("T0000007")
    with ExitStack() as stack:
        silent = [stack.enter_context(world.knock()) for _ in range(3)]
        # The terminal's own connection is the fourth from this address.
        with world.call(context) as call:
            log_on(call)
            assert call.receive(WAIT_MS)
        assert silent[0].recv(100) == b"", "the oldest was let go"
    assert any(
        "given up" in one.reason
        for one in world.events
        if isinstance(one, ModemTrouble)
    )


def test_a_full_house_pushes_out_the_oldest_and_one_address_its_own() -> None:
    waiting = Waiting(NetworkLimits(handshakes_max=3, handshakes_of_one_max=2))
    calls = [object() for _ in range(5)]
    add = waiting.add
    assert add(calls[0], "a") is None  # type: ignore[arg-type] # told apart, not used
    assert add(calls[1], "b") is None  # type: ignore[arg-type] # as above
    assert add(calls[2], "b") is None  # type: ignore[arg-type] # as above
    assert add(calls[3], "b") is calls[1]  # type: ignore[arg-type] # as above
    assert add(calls[4], "c") is calls[0]  # type: ignore[arg-type] # as above


def test_a_terminal_that_calls_again_ends_its_earlier_call(
    world: World, serve: Callable[..., object]
) -> None:
    serve()
    context = world.admit("T0000007")
    with world.call(context) as first:
        log_on(first)
        assert first.receive(WAIT_MS)
        with world.call(context) as second:
            log_on(second)
            assert second.receive(WAIT_MS)
            with pytest.raises(CallLostError):
                first.receive(WAIT_MS)
    world.wait_for(CallEnded, 2)
    assert outcomes(world) == [CallOutcome.SUPERSEDED, CallOutcome.ENDED]


def test_more_calls_than_there_may_be_are_turned_away(
    world: World, serve: Callable[..., object]
) -> None:
    serve(calls_max=1)
    one, two = world.admit("T0000001"), world.admit("T0000002")
    with world.call(one) as first:
        log_on(first, "T0000001")
        assert first.receive(WAIT_MS)
        with world.call(two) as second, pytest.raises(CallLostError):
            second.receive(WAIT_MS)
        log_on(first, "T0000001")
        assert first.receive(WAIT_MS), "the first goes on"
    world.wait_for(CallEnded, 2)
    assert outcomes(world) == [CallOutcome.CROWDED, CallOutcome.ENDED]


def test_a_revoked_terminal_gets_no_word_in(
    world: World, serve: Callable[..., object]
) -> None:
    serve()
    context = world.admit("T0000007")
    with world.store.write() as books:
        [row] = books.certificates.of_terminal("T0000007")
        books.certificates.revoke(row, "stolen", "test", NOW)
    with pytest.raises(CertificateRefusedError, match="the bank has revoked it"):
        world.call(context)
    [trouble] = world.wait_for(ModemTrouble)
    assert isinstance(trouble, ModemTrouble)
    assert "T0000007" in trouble.reason
    assert not [one for one in world.events if isinstance(one, GroupTaken)]


def test_a_terminal_of_another_bank_gets_no_word_in(
    world: World, serve: Callable[..., object]
) -> None:
    serve()
    made = Authority.create(NOW).issue_terminal("T0000007", NOW)
    world._write("stranger", made.certificate_pem, made.key_pem)
    context = client_context(
        world.folder / "ca.pem",
        world.folder / "stranger.pem",
        world.folder / "stranger.key",
    )
    with pytest.raises(SecurityError):
        world.call(context)
    world.wait_for(ModemTrouble)
    assert not [one for one in world.events if isinstance(one, GroupTaken)]


def test_a_host_that_stops_answers_what_it_has_begun_and_ends_idle_calls(
    world: World, serve: Callable[..., Callable[[], int]]
) -> None:
    end = serve()
    busy, idle = world.admit("T0000001"), world.admit("T0000002")
    with world.call(busy) as first, world.call(idle) as second:
        log_on(second, "T0000002")
        assert second.receive(WAIT_MS)
        world.bank.may_answer.clear()
        log_on(first, "T0000001")
        world.wait_for(GroupTaken, 2)
        with ThreadPoolExecutor(1) as pool:
            ending = pool.submit(end)
            with pytest.raises(CallLostError):
                second.receive(WAIT_MS)
            assert not ending.done(), "a group is still being worked on"
            world.bank.may_answer.set()
            assert first.receive(WAIT_MS), "what was begun is answered"
            with pytest.raises(CallLostError):
                first.receive(WAIT_MS)
            assert ending.result(WAIT_S) == 0
    assert outcomes(world) == [CallOutcome.STOPPED] * 2
    assert [ended.messages for ended in world.noted] == [1, 1]


def test_a_host_that_stops_takes_no_more_connections(
    world: World, serve: Callable[..., Callable[[], int]]
) -> None:
    end = serve()
    with world.call(world.admit("T0000007")):
        pass
    end()
    with pytest.raises(ConnectionRefusedError):
        world.knock()
