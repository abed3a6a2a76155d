"""`python -m sim.soak`: a nation's day at a bank whose hosts are killed."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import Final

import click

from sim.ending import ended_by_signals
from sim.soak.run import Soak, run_soak

__all__ = ["main"]

_SEEDS: Final = 1 << 32


@click.command(
    name="python -m sim.soak",
    epilog="The whole of it takes half an hour and 14 GB of memory, most of "
    "that for the check: it holds all rows of the books at once.",
)
@click.option(
    "--terminals",
    type=click.IntRange(min=2),
    default=10_000,
    show_default=True,
    help="Each sends one batch. An even number.",
)
@click.option(
    "--payments",
    type=click.IntRange(min=1, max=250),
    default=250,
    show_default=True,
    help="In each batch.",
)
@click.option(
    "--purses",
    type=click.IntRange(min=2),
    default=500_000,
    show_default=True,
    help="Of the nation. An even number.",
)
@click.option(
    "--hosts",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Processes of the bank on one PostgreSQL. The first one is never killed.",
)
@click.option(
    "--kill-every",
    "kill_s",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between two kills (SIGKILL) of a host, on average; 0 for none.",
)
@click.option("--seed", type=int, help="Of who pays what and of the kills.")
@click.option(
    "--without-check",
    is_flag=True,
    help="Judge by the soak's own count alone, without the bank's own check.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("build/reliability/soak-bank.json"),
    show_default=True,
    help="Where the figures go.",
)
def main(  # noqa: PLR0913 - one argument for each option, as click hands them over
    *,
    terminals: int,
    payments: int,
    purses: int,
    hosts: int,
    kill_s: float,
    seed: int | None,
    without_check: bool,
    output: Path,
) -> None:
    """Bring a nation's batches to a bank of several hosts on one PostgreSQL.

    Hosts are killed and started again meanwhile; terminals whose call breaks off go on
    with another one. Status 0 only when every payment was posted once: to the purse
    that made it, to the office that it was paid at, and by the bank's own check.
    """
    soak = Soak(
        terminals=terminals - terminals % 2,
        payments=payments,
        purses=purses - purses % 2,
        hosts=hosts,
        kill_s=kill_s,
        seed=secrets.randbelow(_SEEDS) if seed is None else seed,
        with_check=not without_check,
    )
    click.echo(f"seed {soak.seed}")
    with ended_by_signals():
        outcome = run_soak(soak, click.echo)
    for words in outcome.violations:
        click.echo(f"WRONG: {words}")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(outcome.document(), indent=2) + "\n")
    click.echo(outcome.last_line())
    if outcome.violations:
        sys.exit(1)


if __name__ == "__main__":
    main()
