"""The host's loop: calls that fail, terminals that fall silent, ports that break."""

from __future__ import annotations

import datetime as dt
import ssl
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

import pytest

from modem.certificates import CertificateTrouble, PeerCertificate
from modem.errors import (
    CallClosedError,
    CallLostError,
    CallTimeoutError,
    ModemError,
    ModemSilentError,
    NoCarrierError,
    PortError,
)
from modem.events import CallEvent, WaitingForCall
from modem.line_loop import LineLoop
from settlement import host as host_module
from settlement.host import (
    MODEM_RETRY_S,
    MODEM_RETRY_S_MAX,
    SILENCE_MS,
    CallEnded,
    CallOutcome,
    Host,
    HostEvent,
    LoggedOn,
    ModemTrouble,
)
from settlement.iso8583 import encode
from settlement.message_codec import logon_message
from settlement.messages import LogonAnswer, ResponseCode, TerminalVersions

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from settlement.messages import RefusedMessage

    Serve = Callable[..., list[HostEvent | CallEvent]]

NOW = dt.datetime(2026, 3, 4, 8, 30, tzinfo=dt.UTC)
TERMINAL = PeerCertificate(
    name="T0000007", serial=7, not_before=NOW, not_after=NOW + dt.timedelta(days=1)
)


class FakeCall:
    """A call that gives what it was filled with, then raises its end."""

    peer_name = "T0000007"

    def __init__(self, arrives: list[bytes | ModemError]) -> None:
        self._arrives = deque(arrives)
        self.sent: list[bytes] = []
        self.waited_ms = 0
        self.is_closed = False
        self.is_ended = False

    def receive(self, timeout_ms: int) -> bytes:
        if self._arrives:
            item = self._arrives.popleft()
            if isinstance(item, ModemError):
                # What ends a call ends it for good.
                self._arrives.appendleft(item)
                raise item
            return item
        self.waited_ms += timeout_ms
        raise CallTimeoutError(timeout_ms)

    def fetch(self) -> bytes | None:
        if self._arrives and isinstance(self._arrives[0], bytes):
            return self.receive(0)
        return None

    def send(self, message: bytes) -> None:
        self.sent.append(message)

    def end(self) -> None:
        self.is_ended = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.is_closed = True


class FakeLine:
    """Stands for `modem.call.answer` on any number of ports."""

    def __init__(self, *outcomes: FakeCall | Exception) -> None:
        self._outcomes = deque(outcomes)

    def answer(
        self,
        _port: str,
        _context: ssl.SSLContext,
        *,
        stop: threading.Event,
        on_event: Callable[[CallEvent], None],
        plan: object,
        loop: LineLoop,
        admit: Callable[[PeerCertificate], CertificateTrouble | None],
    ) -> FakeCall | None:
        assert plan is None
        assert isinstance(loop, LineLoop)
        assert admit(TERMINAL) is None
        if not self._outcomes:
            stop.wait()
            return None
        outcome = self._outcomes.popleft()
        if not isinstance(outcome, PortError):
            on_event(WaitingForCall())
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class FakeBooks:
    """Lets everybody in."""

    def admit(self, terminal: PeerCertificate) -> None:
        assert terminal is TERMINAL

    def note_use(
        self, terminal: PeerCertificate, turn: AbstractContextManager[object]
    ) -> None:
        with turn:
            assert terminal is TERMINAL


class FakeBank:
    """Knows every terminal, and nothing else."""

    def logon(
        self, terminal_id: str, versions: TerminalVersions, now: dt.datetime
    ) -> LogonAnswer:
        del terminal_id, now
        return LogonAnswer(code=ResponseCode.ACCEPTED, versions=versions)

    def note_refused(
        self, terminal_id: str, refused: RefusedMessage, now: dt.datetime
    ) -> None:
        """Forgets it; what is kept of such messages is tested with the real bank."""


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Serves what a fake line brings; the events, once the line brings no more."""

    def run(
        *outcomes: FakeCall | Exception,
        once: bool = False,
        ports: tuple[str, ...] = ("/dev/fake",),
    ) -> list[HostEvent | CallEvent]:
        monkeypatch.setattr(host_module, "answer", FakeLine(*outcomes).answer)
        stop = threading.Event()
        events: list[HostEvent | CallEvent] = []

        def on_event(_port: str, event: HostEvent | CallEvent) -> None:
            events.append(event)
            ended = [seen for seen in events if isinstance(seen, CallEnded)]
            troubles = [seen for seen in events if isinstance(seen, ModemTrouble)]
            if not once and len(ended) + len(troubles) == len(outcomes):
                stop.set()

        Host(
            bank=FakeBank(),  # type: ignore[arg-type] # it is asked for a logon only
            admission=FakeBooks(),
            tls_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
            clock=lambda: NOW,
            random_bytes=bytes,
            on_event=on_event,
        ).serve(ports, stop, once=once)
        return events

    return run


def _troubles(events: list[HostEvent | CallEvent]) -> list[ModemTrouble]:
    return [event for event in events if isinstance(event, ModemTrouble)]


def _ended(events: list[HostEvent | CallEvent]) -> list[CallEnded]:
    return [event for event in events if isinstance(event, CallEnded)]


def test_a_logon_is_answered_and_told(serve: Serve) -> None:
    message = encode(
        logon_message("T0000007", stan=1, versions=TerminalVersions(), now=NOW),
        session_key=None,
    )
    call = FakeCall([message, CallClosedError()])
    events = serve(call)
    assert len(call.sent) == 1
    assert call.is_closed
    assert any(isinstance(event, LoggedOn) for event in events)
    [ended] = _ended(events)
    assert (ended.messages, ended.trouble) == (1, None)


def test_a_silent_terminal_frees_the_line(serve: Serve) -> None:
    call = FakeCall([])
    [ended] = _ended(serve(call))
    assert ended.trouble == "the terminal has been silent too long"
    assert call.waited_ms == SILENCE_MS
    assert call.is_closed


def test_a_lost_call_is_told_and_the_next_one_taken(serve: Serve) -> None:
    lost = FakeCall([CallLostError("carrier lost")])
    good = FakeCall([CallClosedError()])
    first, second = _ended(serve(lost, good))
    assert first.trouble is not None
    assert "carrier lost" in first.trouble
    assert second.trouble is None


def test_bytes_that_are_no_message_end_the_call(serve: Serve) -> None:
    call = FakeCall([b"login: root", CallClosedError()])
    [ended] = _ended(serve(call))
    assert ended.trouble is not None
    assert call.sent == []


@pytest.mark.parametrize(
    "error", [NoCarrierError("5551234"), ModemSilentError()], ids=type
)
def test_a_call_that_does_not_come_about_is_not_the_end(
    serve: Serve, error: ModemError
) -> None:
    call = FakeCall([CallClosedError()])
    if isinstance(error, ModemSilentError):
        # A modem that fails is rested; told to stop meanwhile, the host stops.
        events = serve(error)
    else:
        events = serve(error, call)
        assert call.is_closed
    assert error.what in [event.reason for event in _troubles(events)]


def test_once_ends_after_the_first_call(serve: Serve) -> None:
    first, second = FakeCall([CallClosedError()]), FakeCall([CallClosedError()])
    serve(first, second, once=True)
    assert first.is_closed
    assert not second.is_closed


def test_a_port_that_never_worked_ends_the_program(serve: Serve) -> None:
    with pytest.raises(PortError):
        serve(PortError("/dev/fake", "no such file"))


def test_a_port_that_goes_away_later_is_waited_for(serve: Serve) -> None:
    call = FakeCall([CallClosedError()])
    gone = PortError("/dev/fake", "it was unplugged")
    events = serve(call, gone)
    assert ModemTrouble(reason=gone.what, retry_in_s=MODEM_RETRY_S) in events


def test_a_port_that_fails_does_not_stop_the_others(serve: Serve) -> None:
    call = FakeCall([CallClosedError()])
    missing = PortError("/dev/fake", "no such file")
    events = serve(missing, call, ports=("/dev/one", "/dev/two"))
    assert _troubles(events) == [
        ModemTrouble(reason=missing.what, retry_in_s=MODEM_RETRY_S)
    ]
    assert [ended.trouble for ended in _ended(events)] == [None]


def test_no_port_that_works_ends_the_program(serve: Serve) -> None:
    missing = [PortError(port, "no such file") for port in ("/dev/one", "/dev/two")]
    with pytest.raises(PortError):
        serve(*missing, once=True, ports=("/dev/one", "/dev/two"))


def test_a_port_that_keeps_failing_is_left_alone_longer_each_time() -> None:
    rest = host_module._Rest()
    rests = [rest.next_s() for _ in range(7)]
    assert rests == [10, 20, 40, 80, 160, 300, 300]
    assert rests[-1] == MODEM_RETRY_S_MAX
    rest.begin_anew()
    assert rest.next_s() == MODEM_RETRY_S


class WaitingCall(FakeCall):
    """A call on which nothing comes until it is ended."""

    def __init__(self) -> None:
        super().__init__([])
        self.is_waited_for = threading.Event()
        self._over = threading.Event()

    def receive(self, timeout_ms: int) -> bytes:
        self.is_waited_for.set()
        assert self._over.wait(timeout_ms / 1000)
        raise CallLostError("it was ended on this side")

    def end(self) -> None:
        self._over.set()


def test_a_host_that_is_stopped_ends_the_calls_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = [WaitingCall(), WaitingCall()]
    monkeypatch.setattr(host_module, "answer", FakeLine(*calls).answer)
    stop = threading.Event()
    events: list[HostEvent | CallEvent] = []
    host = Host(
        bank=FakeBank(),  # type: ignore[arg-type] # it is asked for nothing
        admission=FakeBooks(),
        tls_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        clock=lambda: NOW,
        random_bytes=bytes,
        on_event=lambda _port, event: events.append(event),
    )
    with ThreadPoolExecutor(1) as pool:
        serving = pool.submit(host.serve, ("/dev/one", "/dev/two"), stop)
        for call in calls:
            assert call.is_waited_for.wait(10)
        stop.set()
        serving.result(10)
    assert all(call.is_closed for call in calls)
    told = [ended.trouble for ended in _ended(events)]
    assert told == ["the host is being stopped"] * 2


def test_a_bug_on_one_port_ends_the_whole_host(serve: Serve) -> None:
    with pytest.raises(ZeroDivisionError):
        serve(ZeroDivisionError(), ports=("/dev/one", "/dev/two"))


class CrossingCall(WaitingCall):
    """A call on which a message comes just as it is ended."""

    def receive(self, timeout_ms: int) -> bytes:
        if self.is_waited_for.is_set():
            raise CallLostError("it was ended on this side")
        self.is_waited_for.set()
        assert self._over.wait(timeout_ms / 1000)
        return encode(
            logon_message("T0000007", stan=1, versions=TerminalVersions(), now=NOW),
            session_key=None,
        )


def test_what_comes_when_the_host_stops_is_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = CrossingCall()
    monkeypatch.setattr(host_module, "answer", FakeLine(call).answer)
    stop = threading.Event()
    events: list[HostEvent | CallEvent] = []
    host = Host(
        bank=FakeBank(),  # type: ignore[arg-type] # it is asked for nothing
        admission=FakeBooks(),
        tls_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        clock=lambda: NOW,
        random_bytes=bytes,
        on_event=lambda _port, event: events.append(event),
    )
    with ThreadPoolExecutor(1) as pool:
        serving = pool.submit(host.serve, ("/dev/one",), stop)
        assert call.is_waited_for.wait(10)
        stop.set()
        assert serving.result(10) == 0
    [ended] = _ended(events)
    assert (ended.messages, ended.outcome) == (0, CallOutcome.STOPPED)
    assert call.sent == []


class EndlessCall(WaitingCall):
    """A call whose end in order never comes: only a cut frees its line."""

    def __init__(self) -> None:
        super().__init__()
        self.is_cut = threading.Event()

    def let_go(self) -> None:
        self.is_cut.set()

    def __exit__(self, *_: object) -> None:
        assert self.is_cut.wait(10)


def test_a_call_that_does_not_end_in_time_is_cut_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = EndlessCall()
    monkeypatch.setattr(host_module, "answer", FakeLine(call).answer)
    stop = threading.Event()
    host = Host(
        bank=FakeBank(),  # type: ignore[arg-type] # it is asked for nothing
        admission=FakeBooks(),
        tls_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        clock=lambda: NOW,
        random_bytes=bytes,
        on_event=lambda _port, _event: None,
        stop_seconds=0,
    )
    with ThreadPoolExecutor(1) as pool:
        serving = pool.submit(host.serve, ("/dev/one",), stop)
        assert call.is_waited_for.wait(10)
        stop.set()
        assert serving.result(10) == 1
