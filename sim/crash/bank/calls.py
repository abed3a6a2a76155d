"""The terminal's side of calls, and the line that loses what it is told to lose.

A `Call` sends batches through the production machine `settlement.upload`, one after
another as a terminal does, to one host. It takes turns with the host: it says what the
machine has to say, then hears what the host answers, so that nothing depends on how
fast either runs. Two calls at once say both before either hears.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto, unique
from typing import TYPE_CHECKING, Final, TypeAlias

from settlement import iso8583
from settlement.detail_groups import payments_of
from settlement.message_parser import parse_request
from settlement.messages import BatchHeader, DetailRequest, GroupRequest
from settlement.upload import Collected, Refused, Session, UploadMachine, UploadPhase
from settlement.upload_pace import UploadPace
from sim.crash.bank.host import ANSWERS, GOODBYE, MESSAGES, READY, pack, unpack
from sim.crash.errors import LineEndedError
from sim.crash.frames import Frame

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    from settlement.iso8583 import Message
    from settlement.payment import PaymentRecord
    from settlement.upload import UploadEvent
    from sim.crash.bank.counters import Delivery
    from sim.crash.frames import FrameSocket

__all__ = ["Call", "Ended", "Loss", "OnAnswer", "Script"]

GROUP: Final = 2
"""Payments in one message: so few that a small batch has several."""
TURNS_MAX: Final = 400
"""No call of these batches takes a tenth of that; more is a machine that spins."""


OnAnswer: TypeAlias = "Callable[[Delivery, bytes, Sequence[PaymentRecord]], None]"
"""Told an answer, its batch, and the payments of the group that it answers."""


@unique
class Loss(Enum):
    """What the line does to one turn of a call."""

    UP = auto()
    """The messages do not arrive."""
    DOWN = auto()
    """The answers do not arrive."""


@unique
class Ended(Enum):
    """How a call ended."""

    DONE = auto()
    """Every batch has the bank's last word."""
    HOST_GONE = auto()
    HUNG_UP = auto()
    """The answer to the totals was lost, and the line with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How a call is to go.

    Attributes:
        window: messages of details that may be unanswered at a time.
        losses: what is lost, by number of the turn from 1; it counts once.
        cut_at_totals: the first answer to totals is lost and the call ends.
    """

    window: int
    losses: Mapping[int, Loss] = field(default_factory=dict)
    cut_at_totals: bool = False


@dataclass(slots=True)
class Call:
    """One call of one terminal to one host, until it ends.

    Attributes:
        line: to the host.
        deliveries: what is to be sent, in this order.
        script: how it goes.
        now: the terminal's clock, aware; it stands still.
        stan: the next STAN for what is not a detail.
        on_answer: told each answer that left the host, to which batch, and to which
            payments of it.
        events: what the machines told, with the batch.
        story: what was said, a line each.
        problems: what must not be, in words.
        ended: how, or None while it goes on.
        sent: STANs of payments and open records that are on their way; after a crash,
            those of which the host did not say what it has done with them.
        handled: those that were answered, whether that arrived or not, as number of
            the batch and STAN.
    """

    line: FrameSocket
    deliveries: Sequence[Delivery]
    script: Script
    now: dt.datetime
    stan: int
    on_answer: OnAnswer
    events: list[tuple[Delivery, UploadEvent]] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    ended: Ended | None = None
    sent: frozenset[int] = frozenset()
    handled: set[tuple[int, int]] = field(default_factory=set)
    _session: Session | None = None
    _at: int = 0
    _turn: int = 0
    _machine: UploadMachine | None = None
    _groups: dict[str, tuple[PaymentRecord, ...]] = field(default_factory=dict)
    _given: dict[tuple[int, str, str, str], bytes] = field(default_factory=dict)

    @property
    def delivery(self) -> Delivery:
        """The batch that is being sent."""
        return self.deliveries[self._at]

    def await_host(self) -> None:
        """Wait until the host has opened the bank; it may die of that."""
        frame = self._heard()
        if frame is not None and frame.kind != READY:
            self._give_up(frame)

    def say(self) -> None:
        """Send what the terminal has to send now."""
        machine = self._machine or self._begin()
        messages = machine.messages_to_send(self.now) or machine.repeat_unanswered()
        self._turn += 1
        assert self._turn <= TURNS_MAX, "the call goes round in circles"
        lost = self._loss is Loss.UP
        self.story.append(f"  > {_shown(messages)}{' (lost)' if lost else ''}")
        if lost:
            return
        self.sent = self._note_details(messages)
        try:
            self.line.send(pack(MESSAGES, messages))
        except LineEndedError:
            self._host_is_gone()

    def hear(self) -> None:
        """Take what the host answers; nothing, when it never heard the question."""
        if self.ended is not None or self._loss is Loss.UP:
            return
        frame = self._heard()
        if frame is None:
            return
        if frame.kind != ANSWERS:
            self._give_up(frame)
            return
        arrived = unpack(frame)
        batch = self.delivery.batch.close.batch
        self.handled |= {(batch, stan) for stan in self.sent}
        self.sent = frozenset()
        for data in arrived:
            self._note(data)
        cut = self.script.cut_at_totals and self._phase is UploadPhase.TOTALS
        lost = cut or self._loss is Loss.DOWN
        self.story.append(f"  < {_shown(arrived)}{' (lost)' if lost else ''}")
        if not lost:
            self._take(arrived)
        elif cut:
            self._hang_up(Ended.HUNG_UP)

    def _begin(self) -> UploadMachine:
        self._machine = UploadMachine(
            self.delivery.batch,
            stan_start=self.stan,
            window=self.script.window,
            pace=UploadPace(largest=GROUP),
            session=self._session,
        )
        return self._machine

    @property
    def _phase(self) -> UploadPhase:
        assert self._machine is not None, "the terminal speaks first"
        return self._machine.phase

    @property
    def _loss(self) -> Loss | None:
        return self.script.losses.get(self._turn)

    def _heard(self) -> Frame | None:
        """What the host says; None when it is gone."""
        try:
            return self.line.receive()
        except LineEndedError:
            self._host_is_gone()
            return None

    def _host_is_gone(self) -> None:
        self.ended = Ended.HOST_GONE
        self.story.append("  the host is gone")

    def _give_up(self, frame: Frame) -> None:
        """The host said what none should say: its traceback, most likely."""
        self.ended = Ended.HOST_GONE
        self.problems.append(f"the host said: {frame.body.decode(errors='replace')}")

    def _note_details(self, messages: Sequence[bytes]) -> frozenset[int]:
        """Which STANs go out in these messages; groups are kept for their answers."""
        stans: set[int] = set()
        for data in messages:
            request = parse_request(iso8583.decode(data))
            if isinstance(request, GroupRequest):
                group = payments_of(request, BatchHeader.of(self.delivery.batch))
                self._groups[iso8583.decode(data).text(11)] = group
                stans |= {payment.stan for payment in group}
            elif isinstance(request, DetailRequest):
                stans.add(request.record.stan)
        return frozenset(stans)

    def _note(self, data: bytes) -> None:
        """An answer has left the host; the same request must get the same bytes."""
        message = iso8583.decode(data)
        key = (self._at, message.mti, message.text(11), str(message.fields.get(3)))
        if self._given.setdefault(key, data) != data:
            self.problems.append(f"{message} was answered in two ways in one call")
        payments = self._groups.get(message.text(11), ())
        self.on_answer(self.delivery, data, payments)

    def _take(self, arrived: Sequence[bytes]) -> None:
        machine = self._machine
        assert machine is not None, "the terminal speaks first"
        for data in arrived:
            for event in machine.receive(data, self.now):
                self.events.append((self.delivery, event))
        if not machine.finished:
            return
        self._session, self.stan = machine.session, machine.next_stan
        self._machine = None
        refused = any(isinstance(event, Refused) for _, event in self.events)
        self._at += 1
        if refused or self._at == len(self.deliveries):
            self._hang_up(Ended.DONE)

    def _hang_up(self, how: Ended) -> None:
        self.ended = how
        # A host that died after its last answer is told by its exit code.
        with suppress(LineEndedError):
            self.line.send(Frame(GOODBYE))

    def collected(self) -> dict[int, Collected]:
        """What the terminal may mark as collected, by number of the batch."""
        return {
            event.batch: event
            for _, event in self.events
            if isinstance(event, Collected)
        }


def _shown(messages: Sequence[bytes]) -> str:
    """Messages for the story: neither keys nor card numbers."""
    return (
        ", ".join(_name(iso8583.decode(message)) for message in messages) or "nothing"
    )


def _name(message: Message) -> str:
    answer = f" code {message.text(39)}" if 39 in message.fields else ""
    return f"{message}{answer}"
