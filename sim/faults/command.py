"""``raseed-sim faults``: let everything go wrong everywhere, and count."""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sim.faults.matrix import exhaust, sample
from sim.faults.scenario import Scenario
from sim.faults.stories import STORIES
from sim.faults.workshop import Workshop
from sim.sources import NO_COMMIT, commit_here
from sim.world.fate import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.faults.matrix import Tally
    from sim.faults.scenario import Outcome
    from sim.faults.stories import Story

__all__ = ["faults"]

_LEAST: Final = 20_000
_PROGRESS_S: Final = 5.0
_STORIES_SHOWN: Final = 5


@click.command()
@click.option(
    "--story",
    "names",
    multiple=True,
    metavar="NAME",
    type=click.Choice([story.name for story in STORIES]),
    help="Only this story; may be repeated. By default all of them: "
    f"{', '.join(story.name for story in STORIES)}.",
)
@click.option(
    "--soak",
    type=click.IntRange(min=1),
    metavar="N",
    help="Instead of all pairs of faults, N scenarios of three faults each.",
)
@click.option(
    "--all-pairs",
    is_flag=True,
    help="Strike every pair of faults of every story; takes several times longer.",
)
@click.option("--seed", type=int, help="Chooses what is struck; else the commit does.")
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    default=os.cpu_count() or 1,
    help="How many scenarios run at once; by default one for each core.",
)
@click.option(
    "--least",
    type=click.IntRange(min=0),
    default=_LEAST,
    show_default=True,
    help="Fewer scenarios than this are a failure (not with --story or --soak).",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report to this file as JSON.",
)
@click.option(
    "--replay",
    metavar="SCENARIO",
    help="Tell one scenario as a story, as the report names it: "
    "'one payment / same card back / 8:LOST_OUT,31:FULL'.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def faults(  # noqa: PLR0913 - one argument for each option, as click hands them over
    *,
    names: tuple[str, ...],
    soak: int | None,
    all_pairs: bool,
    seed: int | None,
    processes: int,
    least: int,
    output: Path | None,
    replay: str | None,
    as_json: bool,
) -> None:
    """Tear cards, lose answers, fill disks, cut calls: everywhere, one by one.

    Every single fault strikes a payment, two payments, a load, the close of a batch,
    its acknowledgement by the bank, and open records that the bank settles; so does
    every pair of faults in a payment, and in the longer stories a share of the pairs,
    or all with --all-pairs. People then do what people do; one of them loses the
    terminal, one goes on in spite of a warning. No value may be created or lost, nobody
    debited twice unwarned, and every sentence of the counter must have been true. Exit
    code 1 when anything was not so.
    """
    if replay is not None:
        _tell(_parse(replay))
        return
    started = time.monotonic()
    stories = [story for story in STORIES if not names or story.name in names]
    seed = _seed() if seed is None else seed
    click.echo(f"seed {seed}", err=True)
    if soak is None:
        tally = exhaust(
            stories,
            seed=None if all_pairs else seed,
            processes=processes,
            on_progress=_progress(),
        )
    else:
        tally = sample(seed, soak, processes=processes, on_progress=_progress())
    report = _report(tally, seed, time.monotonic() - started)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(report, indent=2) + "\n")
    click.echo(json.dumps(report) if as_json else _table(tally, report))
    too_few = soak is None and not names and tally.total < least
    if too_few:
        click.echo(f"only {tally.total} scenarios; {least} are the least", err=True)
    if tally.violations or too_few:
        raise SystemExit(1)


def _progress() -> Callable[[int, int, Tally], None]:
    last = time.monotonic()

    def tell(done: int, of: int, tally: Tally) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PROGRESS_S or done == of:
            last = now
            click.echo(
                f"{done}/{of}: scenarios {tally.total}, violations {tally.violations}",
                err=True,
            )

    return tell


def _report(tally: Tally, seed: int, seconds: float) -> dict[str, Any]:
    by_story: dict[str, dict[str, int]] = {}
    for (story, _follow_up, count), scenarios in sorted(tally.scenarios.items()):
        row = by_story.setdefault(story, {})
        name = f"{count} faults"
        row[name] = row.get(name, 0) + scenarios
    by_follow_up: dict[str, int] = {}
    for (_story, follow_up, _count), scenarios in sorted(tally.scenarios.items()):
        by_follow_up[follow_up] = by_follow_up.get(follow_up, 0) + scenarios
    return {
        "scenarios": tally.total,
        "violations": tally.violations,
        "seconds": round(seconds, 1),
        "seed": seed,
        "commit": commit_here(),
        "by_story": by_story,
        "by_follow_up": by_follow_up,
        "faults": dict(sorted(tally.struck.items())),
        "transcript": tally.transcript,
        "bad": [
            {"scenario": name, "violations": outcome.violations, "story": outcome.story}
            for name, outcome in tally.bad
        ],
    }


def _seed() -> int:
    """Another one for each commit; drawn where there is none."""
    commit = commit_here()
    if commit == NO_COMMIT:
        return secrets.randbelow(1 << 32)
    return int(commit[:8], 16)


def _table(tally: Tally, report: dict[str, Any]) -> str:
    lines = [f"{'':22}{'none':>8}{'one':>8}{'two':>8}{'three':>8}  faults"]
    for story, row in report["by_story"].items():
        counts = "".join(f"{row.get(f'{n} faults', 0):>8}" for n in range(4))
        lines.append(f"{story:22}{counts}")
    struck = ", ".join(f"{kind} {count}" for kind, count in report["faults"].items())
    lines.append(f"struck: {struck}")
    for name, outcome in tally.bad[:_STORIES_SHOWN]:
        lines += ["", f"VIOLATED: {name}", *_story(outcome)]
        lines.append(f"  again: raseed-sim faults --replay '{name}'")
    seconds = report["seconds"]
    lines.append(
        f"scenarios {tally.total}, violations {tally.violations} ({seconds} s)"
    )
    return "\n".join(lines)


def _story(outcome: Outcome) -> list[str]:
    return [f"  {line}" for line in outcome.story]


def _tell(scenario: Scenario) -> None:
    with Workshop() as workshop:
        _require_possible(workshop, scenario)
        outcome = workshop.run(scenario)
    click.echo(str(scenario))
    click.echo("\n".join(_story(outcome)))
    click.echo(f"  in the end: {outcome.ending}")
    if outcome.violations:
        sys.exit(1)


def _require_possible(workshop: Workshop, scenario: Scenario) -> None:
    """See that each fault can strike where it is to strike."""
    for place, fault in enumerate(scenario.faults):
        before = replace(scenario, faults=scenario.faults[:place])
        points = workshop.run(before).points
        if fault.at >= len(points):
            raise click.UsageError(
                f"There is no point {fault.at} by then; the last one is "
                f"{len(points) - 1}."
            )
        point = points[fault.at]
        if fault.kind not in point.site.kinds:
            kinds = ", ".join(kind.name for kind in point.site.kinds)
            raise click.UsageError(
                f"Point {fault.at} is a {point.name}; what can go wrong there: {kinds}."
            )


def _parse(text: str) -> Scenario:
    try:
        story_name, follow_up_name, fault_list = text.split(" / ")
        story = _named(story_name)
        (follow_up,) = [f for f in story.follow_ups if f.name == follow_up_name]
        wanted = [] if fault_list == "none" else fault_list.split(",")
        strikes = [one.split(":") for one in wanted]
        found = tuple(Fault(int(at), FaultKind[kind]) for at, kind in strikes)
    except (ValueError, KeyError):
        raise click.UsageError(
            f"'{text}' is no scenario. One looks like this: "
            "one payment / same card back / 8:LOST_OUT,31:FULL"
        ) from None
    return Scenario(story=story, follow_up=follow_up, faults=found)


def _named(name: str) -> Story:
    (story,) = [one for one in STORIES if one.name == name]
    return story
