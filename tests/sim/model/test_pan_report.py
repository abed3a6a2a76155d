"""A search that was cut short, or that says less than it seems, is not believed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sim.model.cases import LIMITS, MUTANTS, RUNS, WITNESSES, Property
from sim.model.pan_report import PanReport, PanReportError
from sim.model.verdict import judge

WHOLE = """
State-vector 132 byte, depth reached 309, errors: 0
   816331 states, stored
1.1468576e+08 transitions (= stored+matched)
  213.730\ttotal actual memory usage

unreached in proctype Monitor
\t/a/model/properties.pml:60, state 4, "assert((2==0))"
\t/a/model/properties.pml:71, state 17, "-end-"
\t(2 of 17 states)

pan: elapsed time 9.82 seconds
"""
BROKEN = """pan:1: assertion violated (3==0) (at depth 105)
pan: wrote payment.pml.trail

Warning: Search not completed
State-vector 132 byte, depth reached 105, errors: 1
      864 states, stored
     1022 transitions (= stored+matched)
pan: elapsed time 0.01 seconds
"""
SOUGHT = BROKEN.replace("(3==0)", " !(1)")
STUCK = BROKEN.replace("assertion violated (3==0)", "invalid end state")

RUN, WITNESS = RUNS[0], WITNESSES[0]
MUTANT = next(one for one in MUTANTS if one.properties == (Property.WORD_IS_TRUE,))


def test_a_whole_search_without_an_error_holds() -> None:
    report = PanReport.parse(WHOLE)
    assert (report.states, report.transitions) == (816331, 114685760)
    assert (report.depth, report.seconds, report.memory_mb) == (309, "9.82", "213.730")
    assert report.unreached == ()
    assert judge(RUN, report).is_right


@pytest.mark.parametrize(
    "said",
    [
        "error: max search depth too small",
        "pan: reached -DMEMLIM bound",
        "pan: out of memory",
        "Warning: Search not completed",
    ],
)
def test_a_search_that_was_cut_short_is_no_proof(said: str) -> None:
    report = PanReport.parse(f"{said}\n{WHOLE}")
    for case in (RUN, WITNESS, MUTANT, LIMITS[0]):
        verdict = judge(case, report)
        assert not verdict.is_right
        assert "cut short" in verdict.words


def test_a_search_without_a_state_is_no_proof() -> None:
    report = PanReport.parse(WHOLE.replace("816331", "0"))
    assert judge(RUN, report).words == "no state was stored"
    assert not judge(RUN, report).is_right


def test_a_step_that_no_history_takes_is_told() -> None:
    step = '\t/a/model/bank.pml:38, state 9, "open_known[n] = 2"\n\t(2 of'
    report = PanReport.parse(WHOLE.replace("\t(2 of", step))
    assert report.unreached == ("bank.pml:38 open_known[n] = 2",)
    assert not judge(RUN, report).is_right


def test_a_run_with_a_violation_names_the_property() -> None:
    verdict = judge(RUN, PanReport.parse(BROKEN))
    assert not verdict.is_right
    assert verdict.words == "violates 3 word is true"


def test_a_mutant_is_caught_by_the_property_that_is_named_only() -> None:
    assert judge(MUTANT, PanReport.parse(BROKEN)).is_right
    other = replace(MUTANT, properties=(Property.NO_VALUE_CREATED,))
    assert not judge(other, PanReport.parse(BROKEN)).is_right
    assert judge(MUTANT, PanReport.parse(WHOLE)).words == "not caught"
    assert not judge(MUTANT, PanReport.parse(WHOLE)).is_right


def test_a_witness_is_what_was_sought_and_no_other_error() -> None:
    assert judge(WITNESS, PanReport.parse(SOUGHT)).is_right
    for other in (WHOLE, BROKEN, STUCK):
        assert not judge(WITNESS, PanReport.parse(other)).is_right
    assert not judge(MUTANT, PanReport.parse(STUCK)).is_right


def test_what_is_no_report_is_an_error() -> None:
    with pytest.raises(PanReportError, match="segmentation fault"):
        PanReport.parse("segmentation fault")
