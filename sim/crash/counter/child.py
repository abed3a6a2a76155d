"""The counter's program in a child process: real journal, real counter, wired devices.

The harness gives tasks, one at a time, and gets a report for each. What the clerk would
read on the screen is in the reports, and nothing else leaves this process.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from card.profile import Role
from settlement.payment import PaymentKind
from sim.crash.counter.wire import WiredReaders, dialler
from sim.crash.frames import Frame
from sim.crash.kill_points import Moment, arm
from sim.world.clock import WorldClock
from sim.world.readers import READERS
from sim.world.world import counter_config
from terminal.counter import Counter
from terminal.errors import CardProblemError
from terminal.journal import Journal
from terminal.orders import Paid, Refused
from terminal.readers import ReaderEventKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.crash.frames import FrameSocket
    from terminal.orders import PaymentResult, RecoveryOutcome

__all__ = ["REPORT", "TASK", "main"]

TASK: Final = "task"
REPORT: Final = "report"
_TELLS: Final = {
    "inserted": ReaderEventKind.INSERTED,
    "removed": ReaderEventKind.REMOVED,
}


def main(line: FrameSocket) -> None:
    """Start the program, and do what the harness asks until it is to stop."""
    start = line.receive().document()
    arm(
        Path(start["folder"]),
        trace=Path(start["trace"]),
        at=start["at"],
        moment=Moment(start["moment"]),
    )
    program = _Program(
        line, Path(start["folder"]), datetime.fromisoformat(start["now"])
    )
    line.send(Frame.of(REPORT, program.start()))
    while True:
        task = line.receive().document()
        line.send(Frame.of(REPORT, program.do(task)))
        if task["do"] == "stop":
            return


class _Program:
    """The running program."""

    def __init__(self, line: FrameSocket, folder: Path, now: datetime) -> None:
        config = counter_config(folder)
        self._journal = Journal.open(config.state_directory, os.urandom)
        self._readers = WiredReaders(line, READERS)
        self._counter = Counter(
            config, self._journal, self._readers, dialler(line), WorldClock(now)
        )

    def start(self) -> object:
        """What the program says at its start."""
        return _news(self._counter.start())

    def do(self, task: dict[str, Any]) -> object:
        """Carry out one task; what the clerk is told."""
        match task["do"]:
            case "pay":
                return self._pay(task)
            case "inserted" | "removed" as what:
                self._readers.tell(Role(task["role"]), _TELLS[what])
                if what == "removed":
                    return []
                return _news(self._counter.on_card_inserted())
            case "close":
                return self._close()
            case "stop":
                self._counter.stop()
                return None
            case other:
                raise AssertionError(f"no such task: {other}")

    def _pay(self, task: dict[str, Any]) -> object:
        try:
            seen = self._counter.read_purse()
        except CardProblemError as error:
            return {"told": "problem", "reason": error.code.value}
        order = self._counter.check_order(
            task["declaration"], task["amount"], PaymentKind.FEES
        )
        return _result(self._counter.pay(order, seen, bytearray(task["pin"].encode())))

    def _close(self) -> object:
        result = self._counter.close_day(lambda _: None)
        return {
            "verdict": result.verdict.value,
            "suspended": result.suspended is not None,
            "waiting": [one.number for one in self._counter.snapshot().unsettled],
        }


def _result(result: PaymentResult) -> object:
    match result:
        case Paid():
            return {"told": "paid"}
        case Refused():
            return {"told": "refused", "reason": result.reason.value}
        case _:
            return {"told": "unknown"}


def _news(outcomes: Sequence[RecoveryOutcome]) -> list[object]:
    return [
        {
            "verdict": one.verdict.value,
            "declaration": one.declaration,
        }
        for one in outcomes
    ]
