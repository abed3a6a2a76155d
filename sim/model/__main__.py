"""``python -m sim.model``: searches the model, prints a table, tells stories."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sim.model.cases import DEEP_RUNS, LIMITS, MUTANTS, RUNS, WITNESSES, Case
from sim.model.runner import Result, document, quick, rows, search_all
from sim.model.spin import Spin, SpinError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_ALL: Final = (*RUNS, *WITNESSES, *MUTANTS, *LIMITS)
_TOLD: Final = (*MUTANTS, *LIMITS, *WITNESSES)


@click.command()
@click.option("--quick", "is_quick", is_flag=True, help="Few faults only; seconds.")
@click.option("--deep", is_flag=True, help="Two larger runs besides; minutes.")
@click.option(
    "--story",
    metavar="NAME",
    help="Tell the shortest history that breaks mutant or limit NAME, or shows witness"
    " NAME, and search nothing else.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option(
    "--build",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("build/model"),
    help="Where Spin works.  [default: build/model]",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("build/reliability/model.json"),
    help="Where the results go.  [default: build/reliability/model.json]",
)
def main(
    *,
    is_quick: bool,
    deep: bool,
    story: str | None,
    as_json: bool,
    build: Path,
    output: Path,
) -> None:
    """Search the model of a payment through, with Spin.

    The right design must hold its properties, every witness must happen, every mutant
    and every limit must be caught by the property named for it. Exit code 1 when one of
    them is otherwise, or a search was cut short.
    """
    try:
        spin = Spin(build, is_quick=is_quick)
        if story is not None:
            _tell_story(spin, story)
            return
        cases = quick() if is_quick else [*_ALL, *(DEEP_RUNS if deep else ())]
        tell = _tell_nothing if as_json else _tell_row
        results = search_all(spin, cases, tell)
    except SpinError as error:
        click.echo(f"The model was not searched: {error}", err=True)
        sys.exit(1)
    text = document(results)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    click.echo(text if as_json else _summary(results, output), nl=not as_json)
    sys.exit(0 if all(result.verdict.is_right for result in results) else 1)


def _tell_nothing(_result: Result) -> None:
    """JSON is printed whole at the end."""


def _tell_row(result: Result) -> None:
    report = result.report
    cost = f"{report.states:>9} {report.transitions:>10} {report.seconds:>7} s"
    sign = "ok " if result.verdict.is_right else "BAD"
    for kind, asked, found in rows(result):
        click.echo(f"{sign} {kind:<8} {asked:<64} {cost}  {found}")
    if not result.case.is_short:
        click.echo(f"             {result.case.what}: {result.case.bounds}")


def _summary(results: Sequence[Result], output: Path) -> str:
    wrong = sum(not result.verdict.is_right for result in results)
    states = sum(result.report.states for result in results)
    return (
        f"{len(results)} searches, {states} states stored, {wrong} not as expected;"
        f" written to {output}"
    )


def _tell_story(spin: Spin, name: str) -> None:
    case = _find(name)
    verdict = search_all(spin, [case], _tell_nothing)[0].verdict
    click.echo(f"{case.kind.value} {case.name}: {case.what}")
    for line in spin.story(case):
        click.echo(f"  {line}")
    click.echo(f"  => {verdict.words}")


def _find(name: str) -> Case:
    wanted = name.upper().replace("-", "_").removeprefix("MUTANT_")
    for case in _TOLD:
        if case.name == wanted:
            return case
    known = ", ".join(case.name for case in _TOLD)
    raise click.BadParameter(f"no {name}; there are {known}", param_hint="--story")


if __name__ == "__main__":
    main()
