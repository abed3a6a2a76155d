"""`python -m sim.crash.bank`: kill the bank's host hundreds of times, and look."""

from __future__ import annotations

import secrets
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sim.crash.bank.plans import draw_plan
from sim.crash.bank.report import Report, replay_command
from sim.crash.bank.runs import run_plan
from sim.crash.bank.world import World
from sim.crash.children import ForkServer
from sim.crash.errors import CrashHarnessError
from sim.crash.kill_points import compiled
from sim.ending import ended_by_signals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.crash.bank.runs import Outcome

__all__ = ["HOST_ENTRY", "kill_bank", "main"]

HOST_ENTRY: Final = "sim.crash.bank.host:serve"
_POINTS: Final = 200
_IN_RAM: Final = Path("/dev/shm")  # noqa: S108  a fresh folder of ours in it
"""A database in RAM is as durable as any when only processes die, and much faster."""
_SEEDS: Final = 1 << 32
_WRONG_RUNS_MAX: Final = 3
"""So many stories of what is wrong are enough to read."""


@click.command(name="python -m sim.crash.bank")
@click.option("--seed", type=int, help="Of everything random; drawn when not given.")
@click.option(
    "--points",
    type=click.IntRange(min=1),
    default=_POINTS,
    show_default=True,
    help="How often a host is to be killed, at least.",
)
@click.option(
    "--run", "number", type=click.IntRange(min=0), help="Only this run, with its story."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/reliability"),
    show_default=True,
    help="Folder for bank-crash.json and the stories of all runs.",
)
@click.option(
    "--host",
    default=HOST_ENTRY,
    show_default=True,
    help="What serves the calls; another one shows that a wrong bank is noticed.",
)
def main(
    seed: int | None, points: int, number: int | None, output: Path, host: str
) -> None:
    """Kill the bank's host while it takes batches, and prove its books every time.

    Status 0 only when every payment was posted once, every answer was kept, every
    changed batch was refused and the books were clean after every single crash.
    """
    seed = secrets.randbelow(_SEEDS) if seed is None else seed
    click.echo(f"seed {seed}")
    report = Report(seed)
    started = time.monotonic()
    try:
        with ended_by_signals():
            for outcome in kill_bank(seed, points, number=number, entry=host):
                report.outcomes.append(outcome)
                _tell(report, outcome, whole_story=number is not None)
                if len(report.wrong_runs) >= _WRONG_RUNS_MAX:
                    break
    except CrashHarnessError as error:
        raise click.ClickException(f"the harness failed: {error}") from None
    report.seconds = time.monotonic() - started
    if number is None:
        report.write(output)
        click.echo("\n".join(report.table()))
    click.echo(report.last_line())
    if report.violations:
        sys.exit(1)


def kill_bank(
    seed: int, points: int, *, number: int | None = None, entry: str = HOST_ENTRY
) -> Iterator[Outcome]:
    """Run after run, until hosts were killed so often, or only one run.

    Points of runs with two hosts come on top: which of them land is up to the kernel,
    and the same seed is to make the same runs.

    Args:
        seed: of everything random.
        points: how often, at least.
        number: the one run to make.
        entry: what the fork server's children run; the production host if not given.

    Raises:
        CrashHarnessError: no host can be made.
    """
    report = Report(seed)
    with ExitStack() as stack:
        in_ram = _IN_RAM if _IN_RAM.is_dir() else None
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="raseed-bank-crash-", dir=in_ram)
        )
        server = stack.enter_context(ForkServer(entry, preload=compiled()))
        world = World(Path(folder), seed, server)
        turn = 0 if number is None else number
        while True:
            plan = draw_plan(seed, turn, len(world.counters), world.measure)
            outcome = run_plan(world, plan)
            report.outcomes.append(outcome)
            yield outcome
            turn += 1
            if number is not None or report.settled_points >= points:
                return


def _tell(report: Report, outcome: Outcome, *, whole_story: bool) -> None:
    if whole_story or outcome.violations:
        click.echo("\n".join(outcome.story))
    if outcome.violations:
        click.echo(f"again: {replay_command(report.seed, outcome.plan.number)}\n")


if __name__ == "__main__":
    main()
