"""What all runs came to: a table for the screen and a file for machines."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sim.crash.bank.host import Dies
from sim.crash.bank.plans import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sim.crash.bank.runs import Death, Outcome

__all__ = ["Report", "replay_command"]

_FORMAT: Final = 1
_PLACES: Final = {
    Dies.MESSAGE: "messages received, nothing done yet",
    Dies.COMMIT: "decided and stored, not answered yet",
    Dies.ANSWER: "answered",
}
_ANSWERS: Final = frozenset({Dies.COMMIT, Dies.ANSWER})


@dataclass(slots=True)
class Report:
    """All runs so far.

    Attributes:
        seed: of all of them.
        outcomes: in the order of the runs.
        seconds: how long they took.
    """

    seed: int
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def settled_points(self) -> int:
        """Kill points of the runs in which nothing depends on a race."""
        return sum(len(o.deaths) for o in self.outcomes if not o.plan.kind.is_race)

    @property
    def wrong_runs(self) -> list[int]:
        """Numbers of the runs in which something was wrong."""
        return [o.plan.number for o in self.outcomes if o.violations]

    @property
    def violations(self) -> list[str]:
        """Everything that must not be."""
        return [words for outcome in self.outcomes for words in outcome.violations]

    def table(self) -> Iterator[str]:
        """What is shown, a line each, before the `last_line`."""
        head = ("runs", "calls", "killed", "refused", "settled", "violations")
        yield f"{'':<38}" + "".join(f"{name:>11}" for name in head)
        for kind in Kind:
            ours = [o for o in self.outcomes if o.plan.kind is kind]
            numbers = (
                len(ours),
                sum(o.calls for o in ours),
                sum(len(o.deaths) for o in ours),
                sum(o.refused for o in ours),
                sum(o.settled for o in ours),
                sum(len(o.violations) for o in ours),
            )
            yield f"{kind:<38}" + "".join(f"{number:>11}" for number in numbers)
        yield ""
        for place, count in sorted(self._places().items()):
            yield f"{place:<38}{count:>11}"

    def last_line(self) -> str:
        """The line that says it all."""
        dies = self._dies()
        answers = sum(dies[kind] for kind in _ANSWERS)
        races = sum(o.plan.kind.is_race for o in self.outcomes)
        return (
            f"kill points {dies.total()} (syscall {dies[Dies.WRITE]}, message "
            f"{dies[Dies.MESSAGE]}, answer {answers}; double kills "
            f"{self._double_kills()}; two-host runs {races}), violations "
            f"{len(self.violations)}, {self.seconds:.0f} s"
        )

    def write(self, folder: Path) -> None:
        """Put ``bank-crash.json`` and ``bank-crash.txt``, the stories, there."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self._document(), indent=2, sort_keys=True)
        (folder / "bank-crash.json").write_text(text + "\n")
        stories = [line for outcome in self.outcomes for line in outcome.story]
        (folder / "bank-crash.txt").write_text("\n".join(stories) + "\n")

    def _document(self) -> dict[str, Any]:
        dies = self._dies()
        return {
            "format": _FORMAT,
            "seed": self.seed,
            "kill_points": dies.total(),
            "kill_points_by_moment": {str(kind): dies[kind] for kind in Dies},
            "kill_points_by_place": dict(self._places()),
            "double_kills": self._double_kills(),
            "runs": {
                str(kind): sum(o.plan.kind is kind for o in self.outcomes)
                for kind in Kind
            },
            "calls": sum(o.calls for o in self.outcomes),
            "payments": sum(o.payments for o in self.outcomes),
            "changed_batches_refused": sum(o.refused for o in self.outcomes),
            "open_records_settled": sum(o.settled for o in self.outcomes),
            "violations": self.violations,
            "replay": [replay_command(self.seed, turn) for turn in self.wrong_runs],
            "transcript_sha256": self._digest(),
            "seconds": round(self.seconds, 1),
        }

    def _dies(self) -> Counter[Dies]:
        return Counter(death.kill.dies for death in self._deaths())

    def _places(self) -> Counter[str]:
        return Counter(
            death.write or _PLACES[death.kill.dies] for death in self._deaths()
        )

    def _deaths(self) -> Iterator[Death]:
        for outcome in self.outcomes:
            yield from outcome.deaths

    def _double_kills(self) -> int:
        return sum(len(outcome.deaths) > 1 for outcome in self.outcomes)

    def _digest(self) -> str:
        """Of the stories of all runs but races: the same for the same seed."""
        digest = hashlib.sha256()
        for outcome in self.outcomes:
            if not outcome.plan.kind.is_race:
                digest.update("\n".join(outcome.story).encode())
        return digest.hexdigest()


def replay_command(seed: int, number: int) -> str:
    """What runs one run again and tells its story."""
    return f"python -m sim.crash.bank --seed {seed} --run {number}"
