"""Whether a search answered as it has to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.model.cases import Kind, Property

if TYPE_CHECKING:
    from sim.model.cases import Case
    from sim.model.pan_report import PanReport

__all__ = ["Verdict", "judge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one case.

    Attributes:
        is_right: it is as it has to be.
        words: what was found, for people.
    """

    is_right: bool
    words: str


def judge(case: Case, report: PanReport) -> Verdict:
    """Compare what pan found with what the case expects.

    A search that was cut short proves nothing, also when it found no error; a run that
    leaves a step of the model unreached proves less than it seems to.
    """
    if report.states == 0:
        return Verdict(is_right=False, words="no state was stored")
    if report.errors == 0 and not report.completed:
        why = report.why_not or "not completed"
        return Verdict(is_right=False, words=f"search cut short: {why}")
    match case.kind:
        case Kind.RUN:
            return _judge_run(report)
        case Kind.WITNESS:
            found = report.is_witnessed
            return Verdict(
                is_right=found, words="happens" if found else "never happens"
            )
        case Kind.MUTANT | Kind.LIMIT:
            return _judge_broken(case, report)


def _judge_run(report: PanReport) -> Verdict:
    if report.errors:
        return Verdict(is_right=False, words=_violated(report))
    if report.unreached:
        return Verdict(is_right=False, words=f"never reached: {report.unreached[0]}")
    return Verdict(is_right=True, words="holds")


def _judge_broken(case: Case, report: PanReport) -> Verdict:
    if not report.errors:
        return Verdict(is_right=False, words="not caught")
    named = report.violated in {number.value for number in case.properties}
    return Verdict(is_right=named, words=_violated(report))


def _violated(report: PanReport) -> str:
    if report.violated is None:
        return "ended in a state it cannot leave"
    return f"violates {Property(report.violated).words}"
