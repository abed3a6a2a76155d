"""The calls that a host has under way, on whatever kind of line, and their ends.

A call is *busy* from the moment a group of messages has come until its answers are on
their way. Who wants an end to calls (the host that is told to stop, a terminal that
calls again) asks for it here: an idle call ends at once, a busy one as soon as its
group is answered. So what was begun is answered, and nothing more is begun.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from modem.errors import CallClosedError, CallTimeoutError, ModemError
from settlement.errors import MessageError
from settlement.host_events import (
    CallEnded,
    CallOutcome,
    GroupAnswered,
    GroupTaken,
)
from settlement.host_turns import Turns
from settlement.intake import GROUP_MAX, IntakeMachine

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from modem.call import Call
    from modem.certificates import CertificateTrouble, PeerCertificate
    from modem.events import CallEvent
    from settlement.host_events import HostEvent
    from settlement.intake import IntakeBank

__all__ = ["SILENCE_MS", "Calls", "Desk", "Doorkeeper"]

SILENCE_MS: Final = 120_000
"""A terminal that says nothing for so long is gone; the line is for the next one."""
_SESSION_KEY_BYTES: Final = 16
_WORDS: Final = {
    CallOutcome.STOPPED: "the host is being stopped",
    CallOutcome.SUPERSEDED: "the terminal has called again",
    CallOutcome.CROWDED: "too many calls at once",
}


class Doorkeeper(Protocol):
    """The books, asked who may come in; `settlement.admission` has the bank's own."""

    def admit(self, terminal: PeerCertificate) -> CertificateTrouble | None:
        """Why a terminal whose certificate TLS has proved may not, or None."""

    def note_use(
        self, terminal: PeerCertificate, turn: AbstractContextManager[object]
    ) -> CertificateTrouble | None:
        """Note that it is in use, in its turn; why it may not come in, or None."""


class Desk(Protocol):
    """What conversations are held with; `settlement.host.Host` is one."""

    @property
    def bank(self) -> IntakeBank:
        """What the intake machines ask."""

    @property
    def admission(self) -> Doorkeeper:
        """Who may come in."""

    @property
    def clock(self) -> Callable[[], dt.datetime]:
        """The time, with its zone."""

    @property
    def random_bytes(self) -> Callable[[int], bytes]:
        """Source of session keys."""

    @property
    def on_event(self) -> Callable[[str, HostEvent | CallEvent], None]:
        """Told the line and what happens there."""

    @property
    def note_call(self) -> Callable[[str, CallEnded], None] | None:
        """Keeps the end of a call in the books."""


@dataclass(slots=True, eq=False)
class _Active:
    """One call; `Calls` alone changes it, under its lock.

    Attributes:
        busy: a group is being worked on.
        ending: why the call is to end, or None while it may go on.
    """

    call: Call
    line: str
    is_network: bool
    busy: bool = field(default=False)
    ending: CallOutcome | None = field(default=None)


class Calls:
    """All calls of one host. Threads share it."""

    def __init__(self, desk: Desk, stop: threading.Event) -> None:
        """Begin without any call.

        Args:
            desk: the bank, the clock, the log.
            stop: set when the host is to stop.
        """
        self._desk = desk
        self._stop = stop
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._active: set[_Active] = set()

    def admit(self, terminal: PeerCertificate) -> CertificateTrouble | None:
        """Why a terminal whose certificate TLS has proved may not come in, or None.

        Waits as long as the books need; for the thread that waits for the call.
        """
        trouble = self._desk.admission.admit(terminal)
        if trouble is None:
            trouble = self._desk.admission.note_use(terminal, self._turn)
        return trouble

    def converse(
        self, line: str, call: Call, *, network_calls_max: int | None = None
    ) -> None:
        """Let a terminal upload until the call ends; closes it.

        Args:
            line: where it came in, for the log.
            call: secured.
            network_calls_max: for a call over a network: how many there may be.
        """
        # Noted until it is closed: an end in order may be what has to be cut.
        with self._noted(call, line, network_calls_max) as active, call:
            self._converse(active)

    def end_all(self) -> None:
        """Have every call end, each as soon as its group is answered."""
        with self._lock:
            for active in self._active:
                self._ask_to_end(active, CallOutcome.STOPPED)

    def cut_all(self) -> int:
        """Leave every line as it stands; how many calls that cut."""
        with self._lock:
            for active in self._active:
                active.call.let_go()
            return len(self._active)

    @contextmanager
    def _noted(
        self, call: Call, line: str, network_calls_max: int | None
    ) -> Iterator[_Active]:
        is_network = network_calls_max is not None
        active = _Active(call=call, line=line, is_network=is_network)
        with self._lock:
            if network_calls_max is not None:
                self._make_room(active, network_calls_max)
            self._active.add(active)
            # Whoever set the flag before may have asked all calls before this one.
            if self._stop.is_set():
                self._ask_to_end(active, CallOutcome.STOPPED)
        try:
            yield active
        finally:
            with self._lock:
                self._active.discard(active)

    def _make_room(self, newest: _Active, most: int) -> None:
        """A terminal has one call over a network: the newest, and it ends the others.

        The earlier one may be what is left of a connection that was cut on the way,
        and cannot be known from one that lives.
        """
        others = [active for active in self._active if active.is_network]
        same = [
            active
            for active in others
            if active.call.peer_name == newest.call.peer_name
        ]
        for active in same:
            self._ask_to_end(active, CallOutcome.SUPERSEDED)
        if len(others) - len(same) >= most:
            self._ask_to_end(newest, CallOutcome.CROWDED)

    def _ask_to_end(self, active: _Active, why: CallOutcome) -> None:
        active.ending = active.ending or why
        if not active.busy:
            active.call.end()

    def _converse(self, active: _Active) -> None:
        began_at = self._desk.clock()
        terminal_id = active.call.peer_name
        counted = _Counted()
        outcome, trouble = CallOutcome.ENDED, None
        try:
            self._answer_all(active, counted)
        except CallClosedError:
            pass
        except CallTimeoutError:
            outcome = CallOutcome.SILENT
            trouble = "the terminal has been silent too long"
        except ModemError as error:
            outcome, trouble = CallOutcome.LOST, error.what
        except MessageError as error:
            outcome, trouble = CallOutcome.UNREADABLE, str(error)
        if active.ending is not None:
            outcome, trouble = active.ending, _WORDS[active.ending]
        ended = CallEnded(
            terminal_id=terminal_id,
            messages=counted.messages,
            trouble=trouble,
            outcome=outcome,
            began_at=began_at,
            ended_at=self._desk.clock(),
        )
        if self._desk.note_call is not None:
            with self._turn:
                self._desk.note_call(active.line, ended)
        self._desk.on_event(active.line, ended)

    def _answer_all(self, active: _Active, counted: _Counted) -> None:
        desk, line, call = self._desk, active.line, active.call
        machine = IntakeMachine(
            call.peer_name,
            Turns(desk.bank, self._turn, lambda event: desk.on_event(line, event)),
            desk.random_bytes(_SESSION_KEY_BYTES),
        )
        while True:
            arrived = _next_messages(call)
            with self._busy(active, len(arrived)) as goes_on:
                if not goes_on:
                    return
                counted.messages += len(arrived)
                for reply in machine.receive_group(arrived, desk.clock()):
                    call.send(reply)

    @contextmanager
    def _busy(self, active: _Active, messages: int) -> Iterator[bool]:
        """Whether a group may be begun; until its end the call is left alone."""
        with self._lock:
            goes_on = active.ending is None
            active.busy = goes_on
        if not goes_on:
            yield False
            return
        terminal_id = active.call.peer_name
        self._desk.on_event(
            active.line, GroupTaken(terminal_id=terminal_id, messages=messages)
        )
        try:
            yield True
        finally:
            with self._lock:
                active.busy = False
                if active.ending is not None:
                    active.call.end()
            self._desk.on_event(
                active.line, GroupAnswered(terminal_id=terminal_id, messages=messages)
            )


@dataclass(slots=True)
class _Counted:
    """How many messages a call has brought."""

    messages: int = 0


def _next_messages(call: Call) -> list[bytes]:
    """The terminal's next message and all that came with it, in their order.

    What has arrived together is posted together, in as few transactions as the intake
    machine allows; more messages than one of them takes payments are never collected,
    so that the first answers do not wait for a terminal that sends without end.

    Raises:
        CallTimeoutError: nothing came for `SILENCE_MS`.
        CallLostError: the call is over.
    """
    arrived = [call.receive(SILENCE_MS)]
    while len(arrived) < GROUP_MAX and (message := call.fetch()) is not None:
        arrived.append(message)
    return arrived
