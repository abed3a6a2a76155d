"""The bank's host under the knife: a child of the fork server that serves one call.

It does what `settlement.host` does for one call (feed what arrived together to the
intake machine, send back what that answers), over a line to the harness instead of a
telephone line, so that the harness decides what arrives together. Bank, store and
intake machine are the production ones. Its first frame says what to serve and where to
die; in words of kind:

    from the harness    order, messages (those that arrived together), goodbye
    to the harness      ready, answers, closed (the store was closed in order)
"""

from __future__ import annotations

import datetime as dt
import os
import signal
from dataclasses import asdict, dataclass, field
from enum import StrEnum, unique
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from settlement.bank import Bank
from settlement.intake import IntakeMachine
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.store.books import BankStore
from sim.crash.frames import Frame
from sim.crash.kill_points import Moment, arm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from settlement.intake import IntakeBank
    from settlement.keystore import KeyStore
    from sim.crash.frames import FrameSocket

__all__ = [
    "ANSWERS",
    "BANK_FILE",
    "CLOSED",
    "GOODBYE",
    "MESSAGES",
    "ORDER",
    "READY",
    "Dies",
    "HostOrder",
    "KillPoint",
    "pack",
    "serve",
    "serve_bank",
    "unpack",
]

BANK_FILE: Final = "bank.sqlite"
ORDER: Final = "order"
READY: Final = "ready"
MESSAGES: Final = "messages"
ANSWERS: Final = "answers"
GOODBYE: Final = "goodbye"
CLOSED: Final = "closed"


@unique
class Dies(StrEnum):
    """At what a host dies; the number of a `KillPoint` counts these from 1.

    WRITE: at a call that changes the database's files. MESSAGE: what arrived together
    was received and nothing was done yet. COMMIT: the bank has decided something,
    durably, and no answer was sent. ANSWER: the answers were sent.
    """

    WRITE = "write"
    MESSAGE = "message"
    COMMIT = "commit"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class KillPoint:
    """Where a host is to die.

    Attributes:
        dies: at what.
        number: at which one, from 1.
        moment: when at a write.
    """

    dies: Dies
    number: int
    moment: Moment = Moment.AFTER

    def __str__(self) -> str:
        if self.dies is Dies.WRITE:
            return f"{self.moment.name.lower()} write {self.number}"
        when = "before" if self.dies is Dies.MESSAGE else "after"
        what = "handling message group" if self.dies is Dies.MESSAGE else self.dies
        return f"{when} {what} {self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOrder:
    """What a host is told first.

    Attributes:
        folder: where the bank's database is; nothing else is in it.
        trace: where the writes are named; elsewhere.
        terminal_id: of the certificate that the call would have shown.
        session_key: 16 bytes.
        now: the bank's time, aware; it stands still.
        kill: where to die, or None.
    """

    folder: Path
    trace: Path
    terminal_id: str
    session_key: bytes = field(repr=False)
    now: dt.datetime
    kill: KillPoint | None

    def to_frame(self) -> Frame:
        """The order as it goes over the line."""
        kill = None if self.kill is None else asdict(self.kill)
        document = {
            "folder": str(self.folder),
            "trace": str(self.trace),
            "terminal_id": self.terminal_id,
            "session_key": self.session_key.hex(),
            "now": self.now.isoformat(),
            "kill": kill,
        }
        return Frame.of(ORDER, document)

    @classmethod
    def of_frame(cls, frame: Frame) -> Self:
        """Read back what `to_frame` made."""
        assert frame.kind == ORDER, frame.kind
        document = frame.document()
        kill = document["kill"]
        return cls(
            folder=Path(document["folder"]),
            trace=Path(document["trace"]),
            terminal_id=document["terminal_id"],
            session_key=bytes.fromhex(document["session_key"]),
            now=dt.datetime.fromisoformat(document["now"]),
            kill=None
            if kill is None
            else KillPoint(
                dies=Dies(kill["dies"]),
                number=kill["number"],
                moment=Moment(kill["moment"]),
            ),
        )


def pack(kind: str, messages: Sequence[bytes]) -> Frame:
    """A frame of ISO 8583 messages."""
    return Frame.of(kind, [message.hex() for message in messages])


def unpack(frame: Frame) -> list[bytes]:
    """The messages of a frame that `pack` made."""
    return [bytes.fromhex(message) for message in frame.document()]


def serve(line: FrameSocket) -> None:
    """Serve one call as the bank does; the entry of the fork server's children."""
    serve_bank(line, Bank)


def serve_bank(
    line: FrameSocket, make_bank: Callable[[BankStore, KeyStore], IntakeBank]
) -> None:
    """Serve one call with the bank that ``make_bank`` makes."""
    order = HostOrder.of_frame(line.receive())
    fate = _Fate(order.kill)
    _arm(order)
    with BankStore.open(order.folder / BANK_FILE) as store:
        bank = make_bank(store, MasterKeyStore(TEST_MASTERS))
        machine = IntakeMachine(
            order.terminal_id, _CountingBank(bank, fate), order.session_key
        )
        line.send(Frame(READY))
        while (frame := line.receive()).kind == MESSAGES:
            fate.meets(Dies.MESSAGE)
            answers = machine.receive_group(unpack(frame), order.now)
            line.send(pack(ANSWERS, answers))
            fate.meets(Dies.ANSWER)
    line.send(Frame(CLOSED))


def _arm(order: HostOrder) -> None:
    at, moment = 0, Moment.AFTER
    if order.kill is not None and order.kill.dies is Dies.WRITE:
        at, moment = order.kill.number, order.kill.moment
    arm(order.folder, trace=order.trace, at=at, moment=moment)


class _Fate:
    """Counts what a host goes through, and ends it at its kill point."""

    def __init__(self, kill: KillPoint | None) -> None:
        self._kill = kill
        self._met = dict.fromkeys(Dies, 0)

    def meets(self, what: Dies) -> None:
        self._met[what] += 1
        kill = self._kill
        if kill is not None and (kill.dies, kill.number) == (what, self._met[what]):
            os.kill(os.getpid(), signal.SIGKILL)


class _CountingBank:
    """The bank; whenever it has decided something, the host may die."""

    def __init__(self, bank: IntakeBank, fate: _Fate) -> None:
        self._bank = bank
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._bank, name)

        def ask(*arguments: Any) -> Any:
            answer = method(*arguments)
            self._fate.meets(Dies.COMMIT)
            return answer

        return ask
