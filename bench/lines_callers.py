"""Terminals that call all at once, each over its own simulated line, in one process.

A terminal is the production machine (`modem.call_machine`) joined to its modem in
memory; the bank's modem at the other end stands behind a PTY, where the host finds it.
"""

from __future__ import annotations

import contextlib
import os
import pty
import secrets
import selectors
import time
import tty
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.lines_batches import EVENING
from modem.call_machine import CallMachine
from modem.dial_plan import DialPlan
from modem.hayes import Dialer
from modem.line_loop import now_ms
from modem.link import Link
from modem.session import SecureSession
from modem.tls import MessageReceived, TLSSession, client_context
from settlement.pki import HOST_DNS_NAME
from settlement.upload import Collected, UploadMachine
from sim.modems.exchange import ExchangeSettings, TelephoneExchange
from sim.modems.line import LineSettings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from multiprocessing.connection import Connection
    from pathlib import Path

    from bench.lines_batches import Terminal

__all__ = ["DELAY_MS", "RATE_BPS", "CallOutcome", "run_callers"]

RATE_BPS: Final = 33_600
DELAY_MS: Final = 100
_READ_BYTES: Final = 4_096
_ROUND_S: Final = 0.01
"""A modem hands bytes over every 10 ms."""
_LIMIT_S: Final = 180
"""A call that takes longer has failed; an idle machine needs a tenth of it."""
_WINDOW: Final = 32
"""Details that may be unanswered: enough to keep the line busy."""
_STAN_START: Final = 900_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOutcome:
    """How one call ended.

    Attributes:
        collected: the bank has taken the batch, whole.
        why_not: the error, or what the bank said, when it has not.
        connected_ms: time of CONNECT, on the clock of all processes.
        answered_ms: time of the bank's last answer.
        line_bytes_up: bytes that the terminal has put on the line.
    """

    collected: bool
    why_not: str
    connected_ms: int
    answered_ms: int
    line_bytes_up: int


def run_callers(folder: Path, terminals: list[Terminal], parent: Connection) -> None:
    """Make the ports and tell their paths; call when told; tell all `CallOutcome`."""
    lines = [_Line(folder, terminal) for terminal in terminals]
    with contextlib.ExitStack() as ports:
        for line in lines:
            ports.callback(line.close)
        parent.send([line.path for line in lines])
        with selectors.DefaultSelector() as selector:
            for line in lines:
                selector.register(line.master, selectors.EVENT_READ, line)
            selector.register(parent, selectors.EVENT_READ)
            _run(selector, lines, parent)
        parent.send([line.outcome() for line in lines])
        # The host may still be hanging up.
        parent.recv()


def _run(
    selector: selectors.BaseSelector, lines: list[_Line], parent: Connection
) -> None:
    until_ms: int | None = None
    while not all(line.is_over for line in lines):
        began_s = time.monotonic()
        ready = {key.data for key, _ in selector.select(_patience_s(lines))}
        if until_ms is None and parent.poll():
            parent.recv()
            until_ms = now_ms() + 1_000 * _LIMIT_S
            for line in lines:
                line.dial()
        if until_ms is not None and now_ms() > until_ms:
            return
        for line in lines:
            if line in ready or line.due_ms() <= now_ms():
                line.step(readable=line in ready)
        _rest(began_s + _ROUND_S)


def _patience_s(lines: Iterable[_Line]) -> float:
    return max(0, min(line.due_ms() for line in lines) - now_ms()) / 1_000


def _rest(until_s: float) -> None:
    left_s = until_s - time.monotonic()
    if left_s > 0:
        time.sleep(left_s)  # noqa: TID251  bytes are handed over in rounds


class _Line:
    """A terminal, its modem, the line, the bank's modem, and the PTY."""

    def __init__(self, folder: Path, terminal: Terminal) -> None:
        line = LineSettings(rate_bps=RATE_BPS, delay_ms=DELAY_MS)
        self._exchange = TelephoneExchange(ExchangeSettings(line=line))
        self._context = client_context(
            folder / "ca.pem",
            folder / f"{terminal.id}.pem",
            folder / f"{terminal.id}.key",
        )
        self._upload = UploadMachine(
            terminal.batch, stan_start=_STAN_START, window=_WINDOW
        )
        self._machine: CallMachine | None = None
        self._why_not = ""
        self._collected = False
        self._connected_ms = self._answered_ms = 0
        self._line_bytes_up = 0
        self.master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self._slave)

    def dial(self) -> None:
        """Begin the call."""
        plan = DialPlan(numbers=("5551234",), baud=115_200)
        self._machine = CallMachine(
            Dialer(plan, now_ms=now_ms()), self._make_session, has_dtr=True
        )

    def _make_session(self, rate_bps: int, at_ms: int) -> SecureSession:
        self._connected_ms = at_ms
        nonce = secrets.randbits(32)
        link = Link(nonce=nonce, line_rate_bps=rate_bps, now_ms=at_ms)
        return SecureSession(link, TLSSession(self._context, server_name=HOST_DNS_NAME))

    @property
    def is_over(self) -> bool:
        """Whether the terminal has hung up."""
        return self._machine is not None and self._machine.done

    def due_ms(self) -> int:
        """When `step` has something to do."""
        at_ms = now_ms()
        times = [at_ms + 1_000, self._exchange.deadline_ms()]
        if self._machine is not None:
            times.append(self._machine.deadline_ms(at_ms))
        return min(due for due in times if due is not None)

    def step(self, *, readable: bool) -> None:
        """Move what can be moved now."""
        at_ms = now_ms()
        far, near = self._exchange.far, self._exchange.near
        if readable and (room_bytes := self._exchange.room_bytes(far, at_ms)):
            with contextlib.suppress(BlockingIOError):
                data = os.read(self.master, min(room_bytes, _READ_BYTES))
                far.from_terminal(data, at_ms)
        self._exchange.on_timer(at_ms)
        if self._machine is not None and not self._machine.done:
            self._machine.receive_data(near.to_terminal(), at_ms)
            self._machine.on_timer(at_ms)
            self._converse(self._machine)
            near.from_terminal(self._machine.data_to_send(at_ms), at_ms)
            near.set_dtr(self._machine.dtr, at_ms)
        if data := far.to_terminal():
            os.write(self.master, data)

    def _converse(self, machine: CallMachine) -> None:
        while (event := machine.next_event()) is not None:
            if not isinstance(event, MessageReceived):
                continue
            for told in self._upload.receive(event.message, EVENING):
                self._collected |= isinstance(told, Collected)
        if machine.secured and not self._upload.finished:
            for message in self._upload.messages_to_send(EVENING):
                machine.send(message)
        elif self._upload.finished and not self._answered_ms:
            self._answered_ms = now_ms()
            assert machine.statistics is not None
            self._line_bytes_up = machine.statistics.line_bytes_sent
            machine.close()

    def outcome(self) -> CallOutcome:
        """How it ended."""
        error = None if self._machine is None else self._machine.error
        return CallOutcome(
            collected=self._collected,
            why_not="" if self._collected else str(error or self._upload.phase),
            connected_ms=self._connected_ms,
            answered_ms=self._answered_ms,
            line_bytes_up=self._line_bytes_up,
        )

    def close(self) -> None:
        """Take the port away."""
        os.close(self.master)
        os.close(self._slave)
