"""The terminals of one part of the nation: they pay, call, and go on after a cut.

A caller is a process with some lines. On each it takes the next batch, calls one host
after the other until the bank has said its last word, and keeps what it was told. What
the bank has only received it asks about again later.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Client
from typing import TYPE_CHECKING, Final

from settlement.payment import BatchToUpload
from settlement.upload import Collected, Received, RecordRefused, Refused, UploadMachine
from sim.nation.country import NOW, Country

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from settlement.upload import UploadEvent

__all__ = ["CallerOrder", "Told", "call"]

_PAUSE_S: Final = 0.05
"""After a call that did not come about, for the host to be started again."""
_TRIES_MAX: Final = 2_000
_TOLD_EVERY: Final = 20
_CUT: Final = (EOFError, ConnectionError, FileNotFoundError)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerOrder:
    """What a caller is to do.

    Attributes:
        part: of the nation, from 0.
        purses: in each part.
        terminals: in each part.
        payments: in each batch.
        lines: calls at once.
        hosts: sockets of the hosts.
        seed: of who pays what.
    """

    part: int
    purses: int
    terminals: int
    payments: int
    lines: int
    hosts: tuple[str, ...]
    seed: int


@dataclass(slots=True, kw_only=True)
class Told:
    """What the terminals of a caller were told, and what they have paid.

    Attributes:
        batches: that the bank has acknowledged.
        calls: that came about.
        cuts: of these, that broke off.
        received: batches of which the bank said that it posts them later.
        payees: sums and counts of acknowledged payments by office and kind.
        paid: by purse, how often it has paid and how much.
        wrong: what should not have been, in words.
    """

    batches: int = 0
    calls: int = 0
    cuts: int = 0
    received: int = 0
    payees: Counter[tuple[str, str]] = field(default_factory=Counter)
    paid: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def call(order: CallerOrder, to_parent: Connection) -> None:
    """Bring all batches to the bank; tells how many are there, then a `Told`."""
    office = _Office(order, to_parent)
    with ThreadPoolExecutor(order.lines) as pool:
        for line in [pool.submit(office.work, at) for at in range(order.lines)]:
            line.result()
    office.told.paid = office.country.paid()
    to_parent.send(office.told)


class _Office:
    """Batches and what became of them; the lines share it."""

    def __init__(self, order: CallerOrder, to_parent: Connection) -> None:
        self.country = Country(
            purses=order.purses,
            counters=order.terminals,
            part=order.part,
            seed=order.seed + order.part,
        )
        self.told = Told()
        self._order = order
        self._to_parent = to_parent
        self._lock = threading.Lock()
        self._fresh = self._drawn()
        self._asked_again: deque[BatchToUpload] = deque()
        self._pause = threading.Event()

    def work(self, at: int) -> None:
        """Send batches over one line until there are none."""
        host = at
        while (batch := self._next()) is not None:
            for _ in range(_TRIES_MAX):
                address = self._order.hosts[host % len(self._order.hosts)]
                host += 1
                if self._has_called(address, batch):
                    break
                self._pause.wait(_PAUSE_S)
            else:
                self._note(f"{_name(batch)} never came through")

    def _next(self) -> BatchToUpload | None:
        """A batch that nobody has sent yet, else one to be asked about again."""
        with self._lock:
            fresh = next(self._fresh, None)
            if fresh is not None:
                return fresh
            return self._asked_again.popleft() if self._asked_again else None

    def _drawn(self) -> Iterator[BatchToUpload]:
        for sent in self.country.batches(self._order.terminals, self._order.payments):
            header = sent.header
            yield BatchToUpload(
                terminal_id=header.terminal_id,
                office=header.office,
                mid=header.mid,
                currency=header.currency,
                close=header.close,
                payments=tuple(sent.payments),
            )

    def _has_called(self, address: str, batch: BatchToUpload) -> bool:
        """One call; whether the bank has said its last word of it."""
        machine = UploadMachine(batch, stan_start=1)
        try:
            line = Client(address, "AF_UNIX")
        except _CUT:
            return False
        with self._lock:
            self.told.calls += 1
        try:
            with line:
                line.send(batch.terminal_id)
                while not machine.finished:
                    line.send(list(machine.messages_to_send(NOW)))
                    for answer in line.recv():
                        self._hear(batch, machine.receive(answer, NOW))
        except _CUT:
            with self._lock:
                self.told.cuts += 1
            return False
        return True

    def _hear(self, batch: BatchToUpload, events: list[UploadEvent]) -> None:
        for event in events:
            match event:
                case Collected():
                    self._collected(batch, event)
                case Received():
                    with self._lock:
                        self.told.received += 1
                        self._asked_again.append(batch)
                case Refused(code=code, text=text):
                    self._refused(batch, f"{code.value} {text}")
                case RecordRefused(stan=stan, code=code, text=text):
                    self._note(f"{_name(batch)}, STAN {stan}: {code.value} {text}")
                case _:
                    pass

    def _refused(self, batch: BatchToUpload, words: str) -> None:
        # Who waited too long for the books is told so, and asks again.
        if words.startswith(("91 ", "96 ")):
            with self._lock:
                self._asked_again.append(batch)
        else:
            self._note(f"{_name(batch)} was refused: {words}")

    def _collected(self, batch: BatchToUpload, event: Collected) -> None:
        posted = (event.posted.count, event.posted.sum_minor, event.suspended.count)
        if posted != (batch.close.count, batch.close.sum_minor, 0):
            self._note(f"{_name(batch)}: posted and in suspense are {posted}")
        with self._lock:
            self.told.batches += 1
            for payment in batch.payments:
                assert payment.details is not None, "drawn with them"
                payee = (batch.office, payment.details.kind.value)
                self.told.payees[payee] += payment.tx.amount_minor
            if self.told.batches % _TOLD_EVERY == 0:
                self._to_parent.send(self.told.batches)

    def _note(self, words: str) -> None:
        with self._lock:
            self.told.wrong.append(words)


def _name(batch: BatchToUpload) -> str:
    return f"terminal {batch.terminal_id} batch {batch.close.batch}"
