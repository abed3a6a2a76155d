"""Searches the cases side by side, and says what came of each."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from sim.model.cases import LIMITS, MUTANTS, RUNS, WITNESSES, Case, Kind, Property
from sim.model.verdict import Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sim.model.pan_report import PanReport
    from sim.model.spin import Spin

__all__ = ["Result", "document", "quick", "rows", "search_all"]

_SIDE_BY_SIDE: Final = 2
_QUICK_FAULTS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One case, searched."""

    case: Case
    report: PanReport
    verdict: Verdict


def search_all(
    spin: Spin, cases: Sequence[Case], tell: Callable[[Result], None]
) -> list[Result]:
    """Search every case; ``tell`` hears of each, in their order, when it is known.

    Raises:
        SpinError: a case could not be searched; those before it were told.
    """

    def search(case: Case) -> Result:
        report = spin.search(case)
        return Result(case=case, report=report, verdict=judge(case, report))

    results = []
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        for result in pool.map(search, cases):
            tell(result)
            results.append(result)
    return results


def quick() -> list[Case]:
    """All kinds of cases, the runs with few faults: seconds in place of a minute."""
    runs = [
        replace(case, attempts=2, records=2, faults=_QUICK_FAULTS)
        for case in RUNS
        if not case.name.endswith("long")
    ]
    return [*runs, *WITNESSES, *MUTANTS, *LIMITS]


def rows(result: Result) -> Iterable[tuple[str, str, str]]:
    """What the table says of a result: its kind, what was asked, what was found.

    A run has a row for each property, since one search decides them all.
    """
    case, verdict = result.case, result.verdict
    if case.kind is not Kind.RUN:
        yield case.kind.value, f"{case.name.lower()}: {case.what}", verdict.words
        return
    for number in case.properties:
        words = verdict.words
        if result.report.errors and result.report.violated != number.value:
            words = "not decided"
        yield Kind.RUN.value, f"{case.name}: {number.words}", words


def document(results: Sequence[Result]) -> str:
    """All results for machines, as JSON."""
    wrong = [result for result in results if not result.verdict.is_right]
    cases = [_entry(result) for result in results]
    return json.dumps({"cases": cases, "wrong": len(wrong)}, indent=2) + "\n"


def _entry(result: Result) -> dict[str, object]:
    case, report = result.case, result.report
    return {
        "kind": case.kind.value,
        "name": case.name,
        "what": case.what,
        "properties": [number.words for number in case.properties],
        "defines": list(case.defines),
        "attempts": case.attempts,
        "records": case.records,
        "faults": case.faults,
        "states": report.states,
        "transitions": report.transitions,
        "depth": report.depth,
        "seconds": report.seconds,
        "memory_mb": report.memory_mb,
        "violated": Property(report.violated).words if report.violated else None,
        "result": result.verdict.words,
        "as_expected": result.verdict.is_right,
    }
