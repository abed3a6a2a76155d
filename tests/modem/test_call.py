"""Real calls: pyserial on PTYs, simulated modems, threads, real time; few and quick."""

from __future__ import annotations

import contextlib
import gc
import os
import pty
import select
import subprocess
import sys
import textwrap
import threading
import time
import tty
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import modem.call
import modem.driver
from modem.call import Call, answer, dial, try_out
from modem.dial_plan import AnswerPlan, DialPlan
from modem.errors import (
    BusyError,
    CallClosedError,
    CallLostError,
    CallStoppedError,
    CallTimeoutError,
    CertificateRefusedError,
    PortError,
    SecurityError,
)
from modem.events import (
    Closed,
    Connected,
    Dialling,
    ModemSpoke,
    Ringing,
    WaitingForCall,
)
from modem.line_loop import LineLoop
from modem.profiles import DIRECT
from sim.modems.exchange import ExchangeSettings, Outcome
from sim.modems.line import LineSettings
from sim.modems.pair import ModemPair

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from modem.events import CallEvent
    from tests.modem.conftest import Certificates

SERVER_NAME = "host.bank.raseed"
FAST = ExchangeSettings(
    line=LineSettings(rate_bps=230_400, delay_ms=5),
    dial_ms=10,
    ring_every_ms=100,
    training_ms=20,
)
PLAN = DialPlan(numbers=("5551234",), rounds=1)
PATIENCE_MS = 20_000


class Bank:
    """Answers calls in a thread, one after the other, and hands them out."""

    def __init__(self, pair: ModemPair, context: ssl.SSLContext) -> None:
        self._port = str(pair.far_path)
        self._context = context
        self._pool = ThreadPoolExecutor(1)
        self.stop = threading.Event()
        self.waiting = threading.Event()
        self.events: list[CallEvent] = []

    def answer(self) -> Future[Call | None]:
        return self._pool.submit(
            answer, self._port, self._context, stop=self.stop, on_event=self._on_event
        )

    def close(self) -> None:
        self.stop.set()
        self._pool.shutdown()

    def _on_event(self, event: CallEvent) -> None:
        self.events.append(event)
        if isinstance(event, WaitingForCall):
            self.waiting.set()


@contextmanager
def running_bank(pair: ModemPair, context: ssl.SSLContext) -> Iterator[Bank]:
    bank = Bank(pair, context)
    try:
        yield bank
    finally:
        bank.close()


@contextmanager
def call_up(
    pair: ModemPair, certificates: Certificates
) -> Iterator[tuple[Call, Call, Bank]]:
    """A secured call: the terminal's end, the bank's end, the bank."""
    with running_bank(pair, certificates.server()) as bank:
        answering = bank.answer()
        near = dial(
            str(pair.near_path), PLAN, certificates.client(), SERVER_NAME, print
        )
        far = answering.result(PATIENCE_MS / 1000)
        assert far is not None
        yield near, far, bank


def descriptors() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def test_calls_follow_each_other_and_leave_nothing_behind(
    certificates: Certificates,
) -> None:
    threads, before, cpu_s = (
        threading.active_count(),
        descriptors(),
        time.process_time(),
    )
    began_s = time.monotonic()
    with ModemPair(FAST) as pair:
        for _ in range(2):
            with call_up(pair, certificates) as (near, far, bank):
                assert (near.peer_name, far.peer_name) == (SERVER_NAME, "T0000007")
                for number in range(30):
                    near.send(b"%d " % number * 80)
                for number in range(30):
                    far.send(far.receive(PATIENCE_MS)[::-1])
                    assert near.receive(PATIENCE_MS) == (b"%d " % number * 80)[::-1]
                with ThreadPoolExecutor(2) as both:
                    list(both.map(Call.close, (near, far)))
                near.close()
                closed = bank.events[-1]
                assert isinstance(closed, Closed)
                assert closed.clean
        assert pair.calls_connected == 2
    assert (threading.active_count(), descriptors()) == (threads, before)
    # Nothing spins: most of the time, both ends and the modems only wait.
    assert time.process_time() - cpu_s < 0.6 * (time.monotonic() - began_s)


def test_bank_in_another_process(certificates: Certificates) -> None:
    program = """
        import sys, threading
        from pathlib import Path
        from modem.call import answer
        from modem.errors import CallClosedError
        from modem.tls import server_context

        port, folder = sys.argv[1], Path(sys.argv[2])
        context = server_context(
            folder / "ca.pem", folder / "host.pem", folder / "host.key"
        )
        with answer(
            port, context, stop=threading.Event(), on_event=lambda event: None
        ) as call:
            try:
                while True:
                    call.send(b"seen " + call.receive(20_000))
            except CallClosedError:
                print("closed by", call.peer_name)
    """
    with ModemPair(FAST) as pair:
        command = [sys.executable, "-c", textwrap.dedent(program)]
        command += [str(pair.far_path), str(certificates.directory)]
        # The program and its arguments are this test's own.
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bank:  # noqa: S603
            try:
                with dial(
                    str(pair.near_path), PLAN, certificates.client(), SERVER_NAME, print
                ) as call:
                    call.send(b"one")
                    call.send(b"two")
                    assert call.receive(PATIENCE_MS) == b"seen one"
                    assert call.receive(PATIENCE_MS) == b"seen two"
                output, _ = bank.communicate(timeout=PATIENCE_MS / 1000)
            finally:
                bank.kill()
    assert (bank.returncode, output) == (0, "closed by T0000007\n")


def test_cut_line_ends_the_call_for_both(certificates: Certificates) -> None:
    with ModemPair(FAST) as pair, call_up(pair, certificates) as (near, far, bank):
        pair.drop_call()
        for call in (near, far):
            with pytest.raises(CallLostError, match="NO CARRIER"):
                call.receive(PATIENCE_MS)
            with pytest.raises(CallLostError, match="NO CARRIER"):
                call.send(b"too late")
            call.close()
        assert isinstance(bank.events[-1], Closed)


def test_port_that_vanishes_ends_the_call(certificates: Certificates) -> None:
    pair = ModemPair(FAST)
    with pair, call_up(pair, certificates) as (near, far, _):
        pair.close()
        for call in (near, far):
            with pytest.raises(CallLostError):
                call.receive(PATIENCE_MS)
            call.close()


def test_messages_before_the_end_are_still_delivered(
    certificates: Certificates,
) -> None:
    with ModemPair(FAST) as pair, call_up(pair, certificates) as (near, far, _):
        with pytest.raises(CallTimeoutError, match=r"0\.01 seconds"):
            far.receive(10)
        for number in range(5):
            near.send(b"%d" % number)
        near.close()
        assert [far.receive(PATIENCE_MS) for _ in range(5)] == [
            b"0", b"1", b"2", b"3", b"4"
        ]  # fmt: skip
        for _ in range(2):
            with pytest.raises(CallClosedError):
                far.receive(PATIENCE_MS)
        with pytest.raises(CallLostError, match="ended on this side"):
            near.send(b"after the end")
        far.close()


def test_patience_does_not_run_while_a_message_is_on_its_way(
    certificates: Certificates,
) -> None:
    """To say it again on a slow line would take as long, and the link repeats."""
    slow = ExchangeSettings(line=LineSettings(rate_bps=4_800, delay_ms=0))
    message = os.urandom(1_500)  # over three seconds
    with ModemPair(slow) as pair, call_up(pair, certificates) as (near, far, _):
        near.send(message)
        with pytest.raises(CallTimeoutError):
            near.receive(500)
        assert far.receive(10) == message
        near.end()
        far.close()


def test_what_has_come_is_fetched_while_an_answer_is_on_its_way(
    certificates: Certificates,
) -> None:
    """A host that waited for its own answers would keep a slow line idle."""
    slow = ExchangeSettings(line=LineSettings(rate_bps=4_800, delay_ms=0))
    answer_bytes = os.urandom(4_000)  # over eight seconds
    with ModemPair(slow) as pair, call_up(pair, certificates) as (near, far, _):
        for number in range(2):
            near.send(b"%d" % number)
        assert far.receive(PATIENCE_MS) == b"0"
        far.send(answer_bytes)
        assert far.receive(PATIENCE_MS) == b"1"
        assert far.fetch() is None
        assert far.unsent_bytes
        near.end()
        far.close()


def test_sender_is_held_back_and_nothing_is_lost(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modem.call, "_UNSENT_BYTES_MAX", 100)
    with ModemPair(FAST) as pair, call_up(pair, certificates) as (near, far, _):
        for number in range(20):
            near.send(bytes((number,)) * 500)
            assert near.unsent_bytes <= 700
        assert [far.receive(PATIENCE_MS)[0] for _ in range(20)] == list(range(20))
        pair.drop_call()
        near.close()
        far.close()


def test_messages_nobody_fetches_end_the_call(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modem.driver, "_RECEIVED_BYTES_MAX", 1_000)
    with ModemPair(FAST) as pair, call_up(pair, certificates) as (near, far, _):
        near.send(bytes(1_001))
        with pytest.raises(CallLostError):
            near.receive(PATIENCE_MS)
        assert far.receive(PATIENCE_MS) == bytes(1_001)
        with pytest.raises(CallLostError, match="too much came that nobody fetched"):
            far.receive(PATIENCE_MS)
        near.close()
        far.close()


def test_host_of_another_ca_is_refused(certificates: Certificates) -> None:
    strangers = certificates.server(name="stranger-host", ca="stranger-ca")
    with ModemPair(FAST) as pair, running_bank(pair, strangers) as bank:
        answering = bank.answer()
        with pytest.raises(CertificateRefusedError, match="no money moved"):
            dial(str(pair.near_path), PLAN, certificates.client(), SERVER_NAME, print)
        with pytest.raises(SecurityError):
            answering.result(PATIENCE_MS / 1000)


def test_busy_line_is_told_and_frees_the_port(certificates: Certificates) -> None:
    context = certificates.client()
    events: list[CallEvent] = []
    with ModemPair(FAST, script=[Outcome.BUSY] * 2) as pair:
        for _ in range(2):
            with pytest.raises(BusyError):
                dial(str(pair.near_path), PLAN, context, SERVER_NAME, events.append)
    assert events == [Dialling(number="5551234", attempt=1)] * 2


def test_waiting_and_dialling_can_be_stopped(certificates: Certificates) -> None:
    stop = threading.Event()

    def on_event(event: CallEvent) -> None:
        if isinstance(event, Dialling):
            stop.set()

    with ModemPair(FAST) as pair:
        with running_bank(pair, certificates.server()) as bank:
            answering = bank.answer()
            assert bank.waiting.wait(PATIENCE_MS / 1000)
            bank.stop.set()
            assert answering.result(PATIENCE_MS / 1000) is None
            assert Ringing() not in bank.events
        with pytest.raises(CallStoppedError):
            dial(
                str(pair.near_path),
                PLAN,
                certificates.client(),
                SERVER_NAME,
                on_event,
                stop,
            )


def test_modem_is_tried_without_a_session(certificates: Certificates) -> None:
    events: list[CallEvent] = []
    with (
        ModemPair(FAST) as pair,
        running_bank(pair, certificates.server()) as bank,
    ):
        answering = bank.answer()
        assert bank.waiting.wait(PATIENCE_MS / 1000)
        try_out(str(pair.near_path), PLAN, events.append)
        # Its modem has hung up, and the host was told nothing.
        with pytest.raises(CallLostError):
            answering.result(PATIENCE_MS / 1000)
    said = [event.text for event in events if isinstance(event, ModemSpoke)]
    assert said[:2] == ["AT", "AT"]
    assert "ATDT5551234" in said
    assert any(isinstance(event, Connected) for event in events)
    assert isinstance(events[-1], Closed)


def test_busy_line_is_told_by_who_tries_it() -> None:
    with ModemPair(FAST, script=[Outcome.BUSY]) as pair, pytest.raises(BusyError):
        try_out(str(pair.near_path), PLAN, print)


def test_two_calls_over_lines_without_modems(certificates: Certificates) -> None:
    near, far = pty.openpty(), pty.openpty()
    for _, slave in (near, far):
        tty.setraw(slave)
    paths = [os.ttyname(slave) for _, slave in (near, far)]
    stop = threading.Event()

    def join() -> None:
        while not stop.is_set():
            ready = select.select([near[0], far[0]], [], [], 0.05)[0]
            for master in ready:
                other = far[0] if master == near[0] else near[0]
                os.write(other, os.read(master, 4_096))

    with ThreadPoolExecutor(2) as pool, LineLoop() as loop:
        joining = pool.submit(join)
        answering = pool.submit(
            answer,
            paths[1],
            certificates.server(),
            stop=stop,
            on_event=print,
            plan=AnswerPlan(profile=DIRECT, baud=115_200),
            loop=loop,
        )
        plan = DialPlan(profile=DIRECT, baud=115_200)
        with dial(paths[0], plan, certificates.client(), SERVER_NAME, print) as call:
            taken = answering.result(PATIENCE_MS / 1000)
            assert taken is not None
            call.send(b"there")
            assert taken.receive(PATIENCE_MS) == b"there"
        with pytest.raises(CallClosedError):
            taken.receive(PATIENCE_MS)
        taken.close()
        stop.set()
        joining.result()
    for descriptor in (*near, *far):
        os.close(descriptor)


def test_one_loop_runs_many_calls_and_ends_each_by_itself(
    certificates: Certificates,
) -> None:
    stop = threading.Event()
    with contextlib.ExitStack() as opened:
        loop = opened.enter_context(LineLoop())
        pairs = [opened.enter_context(ModemPair(FAST)) for _ in range(6)]
        pool = opened.enter_context(ThreadPoolExecutor(2 * len(pairs)))
        far = [
            pool.submit(
                answer,
                str(pair.far_path),
                certificates.server(),
                stop=stop,
                on_event=print,
                loop=loop,
            )
            for pair in pairs
        ]
        near = [
            pool.submit(
                dial,
                str(pair.near_path),
                PLAN,
                certificates.client(),
                SERVER_NAME,
                print,
            )
            for pair in pairs
        ]
        for number, (caller, callee) in enumerate(zip(near, far, strict=True)):
            call, taken = caller.result(PATIENCE_MS / 1000), callee.result(1)
            assert taken is not None
            call.send(b"%d" % number)
            assert taken.receive(PATIENCE_MS) == b"%d" % number
            pairs[number].drop_call()
            with pytest.raises(CallLostError):
                taken.receive(PATIENCE_MS)
            taken.close()
            call.close()


def test_waiting_call_is_let_go_when_its_loop_ends(certificates: Certificates) -> None:
    waiting = threading.Event()

    def on_event(event: CallEvent) -> None:
        if isinstance(event, WaitingForCall):
            waiting.set()

    with ModemPair(FAST) as pair, ThreadPoolExecutor(1) as pool:
        with LineLoop() as loop:
            answering = pool.submit(
                answer,
                str(pair.far_path),
                certificates.server(),
                stop=threading.Event(),
                on_event=on_event,
                loop=loop,
            )
            assert waiting.wait(PATIENCE_MS / 1000)
        assert answering.result(PATIENCE_MS / 1000) is None


def test_missing_port_is_told_by_name(certificates: Certificates) -> None:
    with pytest.raises(PortError, match=r"/dev/ttyNONE cannot be used"):
        dial("/dev/ttyNONE", PLAN, certificates.client(), SERVER_NAME, print)


def test_port_in_use_is_told(certificates: Certificates) -> None:
    with ModemPair(FAST) as pair, call_up(pair, certificates) as (near, far, _):
        with pytest.raises(PortError, match="cannot be used"):
            dial(str(pair.near_path), PLAN, certificates.client(), SERVER_NAME, print)
        pair.drop_call()
        near.close()
        far.close()


def test_failing_listener_frees_the_port(certificates: Certificates) -> None:
    def on_event(_event: CallEvent) -> None:
        raise ZeroDivisionError

    before = descriptors()
    with ModemPair(FAST) as pair, pytest.raises(ZeroDivisionError):
        dial(str(pair.near_path), PLAN, certificates.client(), SERVER_NAME, on_event)
    assert descriptors() == before
