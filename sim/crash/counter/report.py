"""What a campaign is told as: a table, a last line, a document, and every violation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from sim.crash.counter.plan import in_words
from sim.crash.counter.stories import STORIES
from sim.crash.points import PointKind, kills_text
from sim.sources import commit_here

if TYPE_CHECKING:
    from sim.crash.counter.campaign import Campaign
    from sim.crash.counter.run import Played

__all__ = ["document", "last_line", "table", "violation_text"]


def table(campaign: Campaign) -> Table:
    """One row for each story: its points, and at how many it was killed."""
    shown = Table("story", title="killed at")
    for heading in ("points", *PointKind, "twice", "violations"):
        shown.add_column(heading, justify="right")
    for name in campaign.firsts:
        runs = [run for run in campaign.runs if run.story == name]
        violations = sum(run.story == name for run in campaign.violations)
        kinds = [_count(runs, kind) for kind in PointKind]
        twice = sum(run.struck > 1 for run in runs)
        row = (sum(kinds), *kinds, twice, violations)
        shown.add_row(f"{name}: {STORIES[name].title}", *map(str, row))
    return shown


def _count(runs: list[Played], kind: PointKind) -> int:
    return sum(run.struck > 0 and run.kills[0].kind is kind for run in runs)


def last_line(campaign: Campaign, seconds: float) -> str:
    """The campaign in one line."""
    journal, apdu, link = (campaign.count(kind) for kind in PointKind)
    return (
        f"kill points {campaign.kill_points} (journal {journal}, APDU {apdu}, "
        f"link {link}; double kills {campaign.double_kills}), "
        f"violations {len(campaign.violations)}, {seconds:.0f} s"
    )


def document(campaign: Campaign, *, seed: int, seconds: float) -> dict[str, Any]:
    """The campaign for machines."""
    return {
        "commit": commit_here(),
        "seed": seed,
        "kill_points": campaign.kill_points,
        **{str(kind): campaign.count(kind) for kind in PointKind},
        "double_kills": campaign.double_kills,
        "stories": {
            name: sum(run.story == name for run in campaign.runs)
            for name in campaign.firsts
        },
        "violations": [
            {
                "story": run.story,
                "point": kills_text(run.kills),
                "told": run.told,
                "differs": run.violations,
            }
            for run in campaign.violations
        ],
        "seconds": round(seconds, 1),
    }


def violation_text(run: Played, first: Played, *, seed: int) -> str:
    """One violation as a story, with the command that plays it again.

    Args:
        run: in which something did not hold.
        first: the same story without a kill.
        seed: of the campaign.
    """
    story = STORIES[run.story]
    killed = [f"killed {in_words(point, first)}" for point in run.kills[:1]]
    killed += [f"then killed again at {point}" for point in run.kills[1:]]
    return "\n".join(
        (
            f"VIOLATION (seed {seed}) in the story '{story.name}': {story.title}",
            f"  {'; '.join(killed) or 'nothing was killed'}",
            f"  told: {', '.join(run.told)}",
            *(f"  differs: {text}" for text in run.violations),
            f"  again: python -m sim.crash.counter --story {run.story} "
            f"--point {kills_text(run.kills)}",
        )
    )
