"""``python -m sim.crash.counter``: the campaign that `make crash` runs."""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console

from sim.crash.counter.campaign import Workers, run_campaign
from sim.crash.counter.plan import in_words
from sim.crash.counter.report import (
    document,
    last_line,
    table,
    violation_text,
)
from sim.crash.counter.stage import Stage
from sim.crash.counter.stories import STORIES
from sim.crash.errors import CrashHarnessError
from sim.crash.points import KillPoint, kills_from
from sim.ending import ended_by_signals
from sim.sources import NO_COMMIT, commit_here

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.crash.counter.campaign import Campaign
    from sim.crash.counter.run import Played

POINTS_DEFAULT: Final = 700
DOUBLES_DEFAULT: Final = 150
_RESULT: Final = "crash.json"
_TRANSCRIPT: Final = "crash.txt"
_EVERY: Final = 100
"""After so many runs a word about how far it is."""
_SEED_DIGITS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """What was asked for on the command line."""

    seed: int | None
    points: int
    doubles: int
    story: str | None
    point: tuple[KillPoint, ...] | None
    jobs: int
    output: Path
    as_json: bool

    @property
    def seed_or_commit(self) -> int:
        """The seed; a commit without one always makes the same choice."""
        if self.seed is not None:
            return self.seed
        commit = commit_here()
        return 1 if commit == NO_COMMIT else int(commit[:_SEED_DIGITS], 16)


def _kills(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> tuple[KillPoint, ...] | None:
    try:
        return None if text is None else kills_from(text)
    except ValueError:
        raise click.BadParameter(
            f"'{text}' is no kill point; write such as journal:57:before, apdu:8:after "
            "or link:3:before, two of them joined by '+'."
        ) from None


@click.command()
@click.option("--seed", type=int, help="Of the choice; the commit's if not given.")
@click.option(
    "--points",
    type=click.IntRange(min=1),
    default=POINTS_DEFAULT,
    show_default=True,
    help="How many kill points; whole stories first, the rest by the seed.",
)
@click.option(
    "--doubles",
    type=click.IntRange(min=0),
    default=DOUBLES_DEFAULT,
    show_default=True,
    help="How many of them are followed by a second kill.",
)
@click.option(
    "--story", type=click.Choice(list(STORIES)), help="Only this story, not all."
)
@click.option(
    "--point", callback=_kills, help="Only this point of --story, such as apdu:8:after."
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=len(os.sched_getaffinity(0)),
    help="Runs at a time; as many as there are processors if not given.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("build/reliability"),
    show_default=True,
    help="Folder for crash.json and the transcript crash.txt.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the document of crash.json."
)
@click.pass_context
def main(context: click.Context, /, **given: Any) -> None:
    """Kill the counter's program with SIGKILL, restart it, and count the money.

    Real processes with a real journal, simulated cards, a real bank. Each run kills the
    program at one write to the journal's files, one command to a card or one step of a
    call, restarts it as a clerk would, and goes on with the story. Whatever was killed,
    every payment must be debited once, posted once and told truly. Status 1 when
    anything does not hold; the violation is printed with the command that repeats it.
    """
    options = _Options(**given)
    if options.point is not None and options.story is None:
        raise click.UsageError("--point is a point of a story: name it with --story.")
    try:
        with ended_by_signals():
            ok = _again(options) if options.point is not None else _campaign(options)
    except CrashHarnessError as error:
        raise click.ClickException(
            f"The harness itself failed, and nothing is proved: {error}"
        ) from None
    context.exit(0 if ok else 1)


def _again(options: _Options) -> bool:
    """Play one point again, and tell all of it."""
    assert options.story is not None, "it was checked"
    assert options.point is not None, "it was asked for"
    with Stage() as stage:
        first = stage.run(options.story, ())
        run = stage.run(options.story, options.point)
    if options.as_json:
        click.echo(json.dumps({"told": run.told, "differs": run.violations}))
    elif run.violations:
        click.echo(violation_text(run, first, seed=options.seed_or_commit))
    else:
        killed = "; ".join(in_words(point, first) for point in run.kills[:1])
        click.echo(f"killed {killed}, {run.struck} times in all; all accounted")
        click.echo(f"told: {', '.join(run.told)}")
    return not run.violations


def _campaign(options: _Options) -> bool:
    seed = options.seed_or_commit
    stories = [options.story] if options.story else list(STORIES)
    screen = Console(stderr=options.as_json, highlight=False)
    screen.print(f"seed {seed}, commit {commit_here()}, {options.jobs} at a time")
    began = monotonic()
    with Workers(options.jobs) as workers:
        campaign = run_campaign(
            workers,
            stories,
            points=options.points,
            doubles=options.doubles,
            source=random.Random(seed),
            on_played=_progress(screen, options.points),
        )
    seconds = monotonic() - began
    found = document(campaign, seed=seed, seconds=seconds)
    _write(options.output, campaign, found)
    for run in campaign.violations:
        screen.print(violation_text(run, campaign.firsts[run.story], seed=seed))
    screen.print(table(campaign))
    screen.print(last_line(campaign, seconds), soft_wrap=True)
    if options.as_json:
        click.echo(json.dumps(found))
    return not campaign.violations


def _progress(screen: Console, points: int) -> Callable[[Played], None]:
    done = count(1)

    def tell(_: Played) -> None:
        number = next(done)
        if number % _EVERY == 0:
            screen.print(f"{number} of {points} runs")

    return tell


def _write(output: Path, campaign: Campaign, found: dict[str, Any]) -> None:
    output.mkdir(parents=True, exist_ok=True)
    (output / _RESULT).write_text(json.dumps(found, indent=2) + "\n")
    (output / _TRANSCRIPT).write_text(campaign.transcript)


if __name__ == "__main__":
    main()
