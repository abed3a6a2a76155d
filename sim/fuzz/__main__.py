"""``python -m sim.fuzz``: bytes by the million, and nothing may break or grow."""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sim.fuzz.campaign import Result, chunks_of, run_all
from sim.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["main"]

_FAILURES_TOLD: Final = 5
_PROGRESS_S: Final = 5.0


@click.command()
@click.option(
    "--count",
    type=click.IntRange(min=1),
    default=1_000_000,
    show_default=True,
    help="How many strings in all; each target gets its share.",
)
@click.option(
    "--target",
    "names",
    multiple=True,
    type=click.Choice([target.name for target in TARGETS]),
    help="Only this target; may be repeated. By default all of them.",
)
@click.option("--seed", type=int, help="Makes the strings; drawn when not given.")
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    default=os.cpu_count() or 1,
    help="How many run at once; by default one for each core.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report to this file as JSON.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def main(
    *,
    count: int,
    names: tuple[str, ...],
    seed: int | None,
    processes: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Throw random and damaged bytes at everything that reads what others sent.

    Frames, link, dialer, calls, network connections and settlement messages, each in
    every state that it has: the report counts the strings by state. A machine may
    refuse, but only with the errors of its package; it may not fail otherwise, answer
    without end, or keep what it is fed. Exit code 1 when one did; the seed makes the
    same strings again.
    """
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    click.echo(f"seed {seed}", err=True)
    started = time.monotonic()
    targets = [target for target in TARGETS if not names or target.name in names]
    chunks = chunks_of(targets, count, seed)
    results = run_all(chunks, processes=processes, on_result=_progress(count))
    report = _report(results, seed, time.monotonic() - started)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(report, indent=2) + "\n")
    click.echo(json.dumps(report) if as_json else _table(report))
    if report["failures"]:
        sys.exit(1)


def _progress(count: int) -> Callable[[Result], None]:
    told, fed = time.monotonic(), 0

    def tell(result: Result) -> None:
        nonlocal told, fed
        fed += result.fed
        if time.monotonic() - told >= _PROGRESS_S:
            told = time.monotonic()
            click.echo(f"strings {fed} of {count}", err=True)

    return tell


def _report(results: Sequence[Result], seed: int, seconds: float) -> dict[str, object]:
    targets: dict[str, dict[str, int]] = {}
    states: dict[str, Counter[str]] = {}
    for one in results:
        row = targets.setdefault(one.target, {"strings": 0, "bytes": 0, "kept": 0})
        states.setdefault(one.target, Counter()).update(one.states)
        row["strings"] += one.fed
        row["bytes"] += one.fed_bytes
        row["kept"] = max(row["kept"], one.kept_bytes or 0)
    return {
        "strings": sum(one.fed for one in results),
        "failures": sum(1 for one in results if one.failure),
        "seconds": round(seconds, 1),
        "seed": seed,
        "targets": targets,
        "states": {name: dict(counts) for name, counts in states.items() if counts},
        "bad": [asdict(one) for one in results if one.failure][:_FAILURES_TOLD],
    }


def _table(report: dict[str, object]) -> str:
    lines = [f"{'':12}{'strings':>10}{'bytes':>14}{'kept bytes':>12}"]
    targets = report["targets"]
    assert isinstance(targets, dict)
    for name, row in targets.items():
        lines.append(
            f"{name:12}{row['strings']:>10}{row['bytes']:>14}{row['kept']:>12}"
        )
    states = report["states"]
    assert isinstance(states, dict)
    for name, counts in states.items():
        told = ", ".join(f"{state} {count}" for state, count in sorted(counts.items()))
        lines.append(f"{name} by state: {told}")
    bad = report["bad"]
    assert isinstance(bad, list)
    lines += [f"\n{one['target']}, seed {one['seed']}: {one['failure']}" for one in bad]
    lines.append(
        f"strings {report['strings']}, failures {report['failures']} "
        f"({report['seconds']} s)"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
