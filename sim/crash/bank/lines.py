"""One line of a task: call after call, each to a host of its own."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.crash.bank.calls import Call
from sim.crash.bank.world import EVENING
from sim.crash.kill_points import read_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from sim.crash.bank.calls import OnAnswer
    from sim.crash.bank.counters import Delivery
    from sim.crash.bank.host import HostOrder
    from sim.crash.bank.plans import Leg
    from sim.crash.bank.world import World
    from sim.crash.children import Child
    from sim.crash.kill_points import TracedCall

__all__ = ["CallEnd", "Dialling", "Line"]

_STANS_OF_CALLS = 900_000
_STANS_A_CALL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialling:
    """What all calls of a run have in common.

    Attributes:
        world: makes the hosts.
        bank: folder of the run's bank.
        terminal_id: who calls.
        session_key: makes one for the next call, 16 bytes.
        on_answer: told each answer that left a host, and to which batch.
    """

    world: World
    bank: Path
    terminal_id: str
    session_key: Callable[[], bytes]
    on_answer: OnAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnd:
    """A call that is over, and its host with it.

    Attributes:
        call: as it was when it ended.
        leg: how it was to go.
        code: the host's exit code, or the negative number of the signal.
        writes: every write that the host began.
    """

    call: Call
    leg: Leg
    code: int
    writes: tuple[TracedCall, ...]


class Line:
    """Makes one call after another; the caller decides what each is to send."""

    def __init__(self, name: str, legs: Iterable[Leg], dialling: Dialling) -> None:
        """Prepare to make a call for each of ``legs``."""
        self.name = name
        self.through = False
        self._legs = deque(legs)
        self._dialling = dialling
        self._under_way: tuple[Leg, Call, Child, HostOrder] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a call goes on."""
        return self._under_way is not None

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to do."""
        return not self.is_busy and (self.through or not self._legs)

    def dial(self, deliveries: Sequence[Delivery], number: int) -> str:
        """Begin the next call; the story's line about it.

        Args:
            deliveries: what it is to send, at least one.
            number: of the call in this run, from 1.
        """
        leg = self._legs.popleft()
        dialling = self._dialling
        order = dialling.world.order(
            dialling.bank, dialling.terminal_id, dialling.session_key(), leg.kill
        )
        host = dialling.world.host(order)
        call = Call(
            line=host.line,
            deliveries=deliveries,
            script=leg.script,
            now=EVENING,
            stan=_STANS_OF_CALLS + _STANS_A_CALL * number,
            on_answer=dialling.on_answer,
        )
        self._under_way = (leg, call, host, order)
        call.await_host()
        fate = "nothing happens to its host" if leg.kill is None else f"dies {leg.kill}"
        return f"call {number} on the {self.name} line: {fate}"

    def say(self) -> None:
        """The terminal's turn."""
        assert self._under_way is not None, "no call goes on"
        _, call, _, _ = self._under_way
        if call.ended is None:
            call.say()

    def hear(self) -> CallEnd | None:
        """The host's turn; the call when that was its end."""
        assert self._under_way is not None, "no call goes on"
        leg, call, host, order = self._under_way
        call.hear()
        if call.ended is None:
            return None
        self._under_way = None
        code = host.wait()
        writes = tuple(read_trace(order.trace)) if order.trace.exists() else ()
        order.trace.unlink(missing_ok=True)
        return CallEnd(call=call, leg=leg, code=code, writes=writes)

    def drop(self) -> None:
        """End the host of a call that is not wanted any more."""
        if self._under_way is not None:
            with self._under_way[2]:
                self._under_way = None
