"""The model holds its properties, and catches each way to build the cards wrongly."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from sim.model.__main__ import main
from sim.model.cases import DEEP_RUNS, LIMITS, MUTANTS, RUNS, WITNESSES, Case
from sim.model.pan_report import PanReport
from sim.model.runner import Result, document, rows
from sim.model.spin import Spin, SpinError
from sim.model.verdict import judge

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "model.md").read_text(encoding="utf-8")
ALL = (*RUNS, *DEEP_RUNS, *WITNESSES, *MUTANTS, *LIMITS)
ASKED_FOR = {
    "MAC1_BEFORE_RECORD",
    "CREDIT_THEN_REMOVE",
    "VOID_WITHOUT_BURN",
    "SESSION_SURVIVES_DEBIT",
    "COUNTER_WRAPS",
    "OPEN_TABLE_IN_RAM",
}


def named(name: str) -> Case:
    return next(case for case in ALL if case.name == name)


@pytest.fixture
def spin(tmp_path: Path) -> Spin:
    return Spin(tmp_path, is_quick=True)


def test_the_right_design_holds_against_any_number_of_faults(spin: Spin) -> None:
    case = named("counter")
    report = spin.search(case)
    assert judge(case, report).words == "holds"
    # The page's figure is that of this very search.
    assert re.search(rf"^\| `counter` .*\| {report.states} \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", ["day", "settled"])
def test_the_right_design_holds_over_a_whole_day(spin: Spin, name: str) -> None:
    case = replace(named(name), faults=2)
    assert judge(case, spin.search(case)).words == "holds"


@pytest.mark.parametrize("case", MUTANTS, ids=lambda case: case.name)
def test_the_mutant_is_caught_by_the_property_named_for_it(
    spin: Spin, case: Case
) -> None:
    report = spin.search(case)
    assert judge(case, report).is_right, judge(case, report).words


@pytest.mark.parametrize("name", ["PROVED", "BANK_VOIDS"])
def test_what_has_to_be_possible_happens(spin: Spin, name: str) -> None:
    case = named(name)
    assert judge(case, spin.search(case)).words == "happens"


def test_a_search_cut_at_its_depth_is_not_taken_for_an_answer(tmp_path: Path) -> None:
    spin = Spin(tmp_path, is_quick=True, depth_max=20)
    case = named("counter")
    verdict = judge(case, spin.search(case))
    assert not verdict.is_right
    assert verdict.words == "search cut short: max search depth too small"


def test_a_model_that_cannot_be_read_is_an_error(spin: Spin) -> None:
    case = replace(named("counter"), attempts=9)
    with pytest.raises(SpinError, match="ATTEMPTS is 2 or 3"):
        spin.search(case)


def test_every_mutant_that_was_asked_for_is_there() -> None:
    assert {case.name for case in MUTANTS} >= ASKED_FOR


def test_every_mutant_and_witness_has_its_place_in_the_model() -> None:
    folder = ROOT / "sim" / "model"
    model = "".join(path.read_text() for path in folder.glob("*.pml"))
    put_in = set(re.findall(r"\bMUTANT_(\w+)", model)) - {"TEARS"}
    assert put_in == {case.name for case in MUTANTS}
    sought = set(re.findall(r"\bWITNESS\(([A-Z_0-9]+)\)", model))
    assert sought == {case.name for case in WITNESSES}


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_the_page_names_every_case(case: Case) -> None:
    assert f"`{case.name}`" in PAGE


def test_a_story_is_told_step_by_step(tmp_path: Path) -> None:
    words = ["--story", "remove-then-credit", "--build", str(tmp_path)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("mutant REMOVE_THEN_CREDIT")
    assert "  terminal        CREDIT, tsn 1" in lines
    assert any("nothing added" in line for line in lines)
    assert lines[-1] == "  => violates 2 all value accounted"


def test_a_story_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    words = ["--story", "nonsense", "--build", str(tmp_path)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "VOID_WITHOUT_BURN" in result.stderr


def test_without_spin_nothing_is_called_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(main, ["--quick", "--build", str(tmp_path)])
    assert result.exit_code == 1
    assert "spin is not installed" in result.stderr


def test_the_document_counts_what_is_not_as_expected() -> None:
    text = (
        "pan:1: assertion violated (2==0) (at depth 4)\nerrors: 1\n"
        "  3 states, stored\n  4 transitions\ndepth reached 4\nelapsed time 0 seconds\n"
    )
    report = PanReport.parse(text)
    case = named("counter")
    result = Result(case=case, report=report, verdict=judge(case, report))
    assert [row[2] for row in rows(result)] == [
        "not decided",
        "violates 2 all value accounted",
        "not decided",
    ]
    read = json.loads(document([result]))
    assert read["wrong"] == 1
    assert read["cases"][0]["violated"] == "2 all value accounted"
