"""Programs that no one here wrote, at our simulated modems; they are never skipped."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from modem.call import Call, answer, dial
from modem.dial_plan import DialPlan
from modem.errors import CallLostError
from sim.modems.exchange import ExchangeSettings
from sim.modems.line import LineSettings
from sim.modems.profile import Register
from tests.modem.conftest import SERVER_NAME, certificates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sim.modems.exchange import TelephoneExchange
    from sim.modems.server import ModemServer
    from tests.modem.conftest import Certificates

__all__ = ["certificates"]

PATIENCE_S: Final = 60
"""For anything of another program's: generous, since it only ends what has failed."""
NUMBER: Final = "5551234"
FAST: Final = ExchangeSettings(
    line=LineSettings(rate_bps=115_200, delay_ms=5),
    dial_ms=50,
    ring_every_ms=500,
    training_ms=50,
)
_LISTENS: Final = "0A"
"""State of a listening socket in /proc/net/tcp."""
_READ_BYTES: Final = 4_096


def program(name: str) -> str:
    """Path of a program of a package in debian-packages.txt."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        pytest.fail(
            f"{name} is not installed: see debian-packages.txt, `make packages`"
        )
    return path


@contextmanager
def child(
    arguments: Sequence[str], log: Path, *, terminal: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a session of its own, which is over when the test is.

    Args:
        arguments: path and arguments.
        log: a file for what it tells the person in front of it.
        terminal: descriptor for its input and output; None: no input, and its output
            goes to ``log`` as well.
    """
    with (
        log.open("wb") as told,
        subprocess.Popen(  # noqa: S603  named programs, this test's own arguments
            list(arguments),
            stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=told if terminal is None else terminal,
            stderr=told,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program, in order if it will, and whatever it has started."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A descriptor of a serial port."""
    terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        yield terminal
    finally:
        os.close(terminal)


def read_until(terminal: int, end: bytes) -> bytes:
    """What comes from a serial port up to ``end`` and a little more."""
    said = b""
    while end not in said:
        ready, _, _ = select.select([terminal], [], [], PATIENCE_S)
        assert ready, f"no {end!r} after {said!r}"
        said += os.read(terminal, _READ_BYTES)
    return said


def wait_until(done: Callable[[], bool], what: str) -> None:
    """Look again and again, where nothing tells when it is done."""
    pause = threading.Event()
    for _ in range(PATIENCE_S * 20):
        if done():
            return
        pause.wait(0.05)
    pytest.fail(f"in {PATIENCE_S} s there was no {what}")


def free_tcp_port() -> int:
    """A TCP port that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def listens(tcp_port: int) -> bool:
    """Whether somebody listens there; found out without connecting."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(
        row[1].endswith(f":{tcp_port:04X}") and row[3] == _LISTENS for row in rows
    )


@contextmanager
def secured_call(
    near: str, far: str, certificates: Certificates
) -> Iterator[tuple[Call, Call]]:
    """A call of the production dialer to the production host: the ends of both.

    Whoever uses it closes both ends, in whatever order the test is about.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        answering = pool.submit(
            answer, far, certificates.server(), stop=stop, on_event=lambda _: None
        )
        try:
            plan = DialPlan(numbers=(NUMBER,), rounds=1)
            near_end = dial(
                near, plan, certificates.client(), SERVER_NAME, lambda _: None
            )
            far_end = answering.result(PATIENCE_S)
            assert far_end is not None
            yield near_end, far_end
        finally:
            stop.set()


def close_both(near: Call, far: Call) -> None:
    """End a call in order: each end waits for the other while it does."""
    with ThreadPoolExecutor(2) as both:
        list(both.map(Call.close, (near, far)))


def carry_messages(near: Call, far: Call) -> None:
    """Send messages both ways, of every byte, and see that they arrive."""
    for size in (1, 256, 3_000):
        message = (bytes(range(256)) * 12)[:size]
        near.send(message)
        assert far.receive(PATIENCE_S * 1000) == message
        far.send(message[::-1])
        assert near.receive(PATIENCE_S * 1000) == message[::-1]


def leave_dtr_alone(exchange: TelephoneExchange, _now_ms: int) -> None:
    """Let nothing but the caller's DTR be able to end the call that stands."""
    for modem in exchange.modems:
        modem.profile.registers[Register.ESCAPE_CHARACTER] = 255
    exchange.far.profile.dtr_level = 0


def leave_carrier_alone(exchange: TelephoneExchange, _now_ms: int) -> None:
    """Let nothing but DCD tell that a connection is gone."""
    for modem in exchange.modems:
        modem.profile.quiet = True


def is_over(server: ModemServer) -> bool:
    """Whether both modems are on hook."""
    seen: list[bool] = []
    server.change(
        lambda exchange, _now_ms: seen.extend(one.free for one in exchange.modems)
    )
    return all(seen)


def see_dtr_hang_up(url: str, server: ModemServer, certificates: Certificates) -> None:
    """A call through ``url`` that is closed, and must be hung up by DTR."""
    with secured_call(url, server.answerer_ports[0], certificates) as ends:
        server.change(leave_dtr_alone)
        close_both(*ends)
        wait_until(lambda: is_over(server), "end of the call")


def see_carrier_drop(url: str, server: ModemServer, certificates: Certificates) -> None:
    """A call through ``url`` that is cut, which only DCD can tell."""
    with secured_call(url, server.answerer_ports[0], certificates) as (near, far):
        server.change(leave_carrier_alone)
        # A carrier can only drop that was seen before: DCD comes by its own way, and
        # is looked at now and then. So the call must have stood for a while.
        for _ in range(5):
            carry_messages(near, far)
        server.drop_call()
        for end in (near, far):
            with pytest.raises(CallLostError, match="the modem has lost the carrier"):
                end.receive(PATIENCE_S * 1000)
            end.close()
