"""The counter's program as one that dies: killed, buried, and started again.

To the clerk it is one program, which has to be switched on again now and then.
"""

from __future__ import annotations

import signal
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sim.crash.counter.errors import KilledError, ViolationError
from sim.crash.kill_points import Moment, TracedCall, read_trace
from sim.crash.points import PointKind
from sim.world.clock import START

if TYPE_CHECKING:
    from pathlib import Path

    from sim.crash.children import Child, ForkServer
    from sim.crash.counter.world import CounterWorld
    from sim.crash.points import KillPoint

__all__ = ["MortalProgram"]

CHILD_LIMIT_S: Final = 30.0
"""A program that hangs is killed, and the run is a violation."""
_SESSION_APART: Final = timedelta(minutes=10)
"""Between one start and the next; the program's own clock goes on from there."""


class MortalProgram:
    """See the module.

    Attributes:
        struck: how many kills have come to pass.
        signals: how the killed processes ended: minus the signal of each.
        told: what it said, as the clerk puts it down, and where it was killed.
        journal: the calls that changed the journal's files, over all processes.
    """

    def __init__(
        self,
        server: ForkServer,
        world: CounterWorld,
        kills: tuple[KillPoint, ...],
        *,
        folder: Path,
    ) -> None:
        """It is off.

        Args:
            server: makes the processes.
            world: the devices.
            kills: where to kill, each counted from the one before it.
            folder: for the journal and the traces.
        """
        self._server = server
        self._world = world
        self._kills = kills
        self._folder = folder
        self._trace = folder / "trace"
        self._child: Child | None = None
        self._sessions = 0
        self._journal_before = 0
        self.struck = 0
        self.signals: list[int] = []
        self.told: list[str] = []
        self.journal: list[TracedCall] = []
        world.arm(self._next_kill)

    def talk(self, task: dict[str, Any]) -> Any:
        """Give it a task; what it reports.

        Raises:
            KilledError: it was killed on the way; `bury` it.
            ProgramFailedError: it raised.
        """
        assert self._child is not None, "it is on"
        return self._world.talk(self._child, task)

    def stop(self) -> None:
        """Stop it in order, when it runs; a kill on the way is as good."""
        if self._child is None:
            return
        try:
            self.talk({"do": "stop"})
        except KilledError:
            self.bury()
            return
        self._gone()

    def bury(self) -> None:
        """Take note that it was killed, by the world or by the shim in it.

        Raises:
            ViolationError: value was created or lost by then.
        """
        self.signals.append(self._gone())
        self.struck += 1
        self.told.append("killed")
        self._journal_before = 0
        self._world.arm(self._next_kill)
        problems = self._world.truth.problems()
        if problems:
            raise ViolationError(f"when it was killed: {'; '.join(problems)}")

    def kills_that_were_none(self) -> list[str]:
        """Programs that were not killed where they should be: the harness is wrong."""
        found = [
            f"the program was ended by {-number}, not by SIGKILL"
            for number in self.signals
            if number != -signal.SIGKILL
        ]
        if self._kills and self.struck == 0:
            found.append("the kill point was never reached")
        return found

    def end(self) -> None:
        """Leave nothing behind."""
        if self._child is not None:
            self._child.kill()
            self._gone()

    @property
    def _next_kill(self) -> KillPoint | None:
        left = self._kills[self.struck :]
        return left[0] if left else None

    def switch_on(self) -> list[dict[str, Any]]:
        """Start it, when it does not run; what it tells at its start.

        Raises:
            KilledError: see `talk`, and so is ProgramFailedError.
        """
        if self._child is not None:
            return []
        self._child = self._server.child(limit_s=CHILD_LIMIT_S)
        kill = self._next_kill
        at = 0
        if kill is not None and kill.kind is PointKind.JOURNAL:
            at = max(kill.at - self._journal_before, 0)
        now = START + self._sessions * _SESSION_APART
        self._sessions += 1
        news: list[dict[str, Any]] = self._world.talk(
            self._child,
            {
                "do": "start",
                "folder": str(self._folder / "counter"),
                "trace": str(self._trace),
                "at": at,
                "moment": Moment.AFTER if kill is None else kill.moment,
                "now": now.isoformat(),
            },
        )
        return news

    def _gone(self) -> int:
        assert self._child is not None, "it ran"
        ended_by = self._child.wait()
        self._child = None
        calls = read_trace(self._trace)
        self._journal_before += len(calls)
        self.journal += calls
        self._world.power_off()
        return ended_by
