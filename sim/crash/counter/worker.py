"""A process that plays runs, so that several cores can; see `Workers`.

task      a story's name, and the kills
report    what the run came to, a `Played`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.crash.counter.child import REPORT
from sim.crash.counter.run import Played
from sim.crash.counter.stage import Stage
from sim.crash.errors import LineEndedError
from sim.crash.frames import Frame
from sim.crash.kill_points import TracedCall
from sim.crash.points import PointKind, kills_from, kills_text

if TYPE_CHECKING:
    from sim.crash.counter.plan import Task
    from sim.crash.frames import FrameSocket

__all__ = ["main", "played_from", "task_document"]


def main(line: FrameSocket) -> None:
    """Play what the campaign asks for, until it hangs up."""
    with Stage() as stage:
        while True:
            try:
                task = line.receive().document()
            except LineEndedError:
                return
            played = stage.run(task["story"], kills_from(task["kills"]))
            line.send(Frame.of(REPORT, _document(played)))


def task_document(task: Task) -> dict[str, str]:
    """A task as it is sent to a worker."""
    story, kills = task
    return {"story": story, "kills": kills_text(kills)}


def _document(played: Played) -> dict[str, Any]:
    return {
        "story": played.story,
        "kills": kills_text(played.kills),
        "struck": played.struck,
        "signals": played.signals,
        "told": played.told,
        "violations": played.violations,
        "journal": [[call.number, call.call, call.path] for call in played.journal],
        "passed": played.passed,
    }


def played_from(document: dict[str, Any]) -> Played:
    """A worker's report as what it was."""
    return Played(
        story=document["story"],
        kills=kills_from(document["kills"]),
        struck=document["struck"],
        signals=tuple(document["signals"]),
        told=tuple(document["told"]),
        violations=tuple(document["violations"]),
        journal=tuple(
            TracedCall(number=number, call=call, path=path)
            for number, call, path in document["journal"]
        ),
        passed={PointKind(kind): tuple(n) for kind, n in document["passed"].items()},
    )
