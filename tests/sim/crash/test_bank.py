"""The bank's host killed: nothing is lost, and the harness would notice if it were."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sim.crash.bank.__main__ import kill_bank, main
from sim.crash.bank.calls import Script
from sim.crash.bank.host import Dies, HostOrder, KillPoint
from sim.crash.bank.plans import (
    Cargo,
    Extent,
    Kind,
    Leg,
    Plan,
    Subject,
    Task,
    draw_plan,
)
from sim.crash.bank.promises import Promises
from sim.crash.bank.report import Report
from sim.crash.bank.runs import run_plan
from sim.crash.bank.verdict import book_problems, look_problems
from sim.crash.bank.world import World
from sim.crash.children import ForkServer
from sim.crash.kill_points import compiled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.crash.bank.runs import Outcome

ROOT = Path(__file__).parents[3]
HOSTS = "tests.sim.crash.bank_hosts"
SEED = 3
WINDOW = 8
DETAILS = 3
"""The first turn that carries details: logon and header come before."""
TIMEOUT_S = 120
EVERY_KIND = 6
"""Runs after which each kind has had its turn."""
LAST_LINE = re.compile(
    r"kill points \d+ \(syscall \d+, message \d+, answer \d+; double kills \d+; "
    r"two-host runs 1\), violations 0, \d+ s"
)


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """One run of each kind."""
    return list(islice(kill_bank(SEED, 1000), EVERY_KIND))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ForkServer("sim.crash.bank.host:serve", preload=compiled()) as server:
        yield World(tmp_path, SEED, server)


def test_a_bank_killed_anywhere_posts_every_payment_once(
    outcomes: list[Outcome],
) -> None:
    report = Report(SEED, outcomes)
    assert report.violations == []
    assert {outcome.plan.kind for outcome in outcomes} == set(Kind)
    assert report.settled_points >= EVERY_KIND
    assert sum(outcome.refused for outcome in outcomes) >= 2
    assert LAST_LINE.fullmatch(report.last_line())


def test_one_run_replayed_tells_the_same_story(outcomes: list[Outcome]) -> None:
    number = max(o.plan.number for o in outcomes if not o.plan.kind.is_race)
    [again] = kill_bank(SEED, 1, number=number)
    assert again.story == outcomes[number].story


def test_a_bank_that_answers_before_it_commits_is_noticed(tmp_path: Path) -> None:
    killed = leg(kill=KillPoint(dies=Dies.ANSWER, number=DETAILS))
    [violation, *_] = run_wrong("late", tmp_path, task(killed)).violations
    assert "was answered, and the bank holds it as nothing" in violation


def test_a_bank_that_posts_a_group_in_two_transactions_is_noticed(
    tmp_path: Path,
) -> None:
    with wrong_world("split", tmp_path) as world:
        writes = world.measure(plan().subject).writes
        # Somewhere in the middle lies the end of the first of the two.
        points = range(writes // 3, writes, writes // 12)
        killed = (leg(kill=KillPoint(dies=Dies.WRITE, number=n)) for n in points)
        runs = (run_plan(world, plan(task(one))) for one in killed)
        [violation] = next(run.violations for run in runs if run.violations)
    assert "which came together, only" in violation


def test_a_bank_that_opens_any_batch_is_noticed(tmp_path: Path) -> None:
    forged = Task(cargo=Cargo.FORGED, lines=((),))
    [violation, *_] = run_wrong("trusting", tmp_path, forged).violations
    assert "a shorter batch, not signed is answered" in violation


def test_a_bank_that_acknowledges_in_two_ways_is_noticed(tmp_path: Path) -> None:
    unheard = Leg(script=Script(window=WINDOW, cut_at_totals=True))
    outcome = run_wrong("moody", tmp_path, task(unheard))
    assert "was acknowledged and is not collected" in outcome.violations[0]
    assert outcome.story[-1] == f"VIOLATION: {outcome.violations[-1]}"


def test_the_command_tells_the_same_twice_whatever_the_hash_seed(
    tmp_path: Path,
) -> None:
    processes = [
        start(tmp_path / seed, "--seed", "5", hash_seed=seed) for seed in ("1", "2")
    ]
    shown = [process.communicate(timeout=TIMEOUT_S)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], shown
    first, second = (document(tmp_path / seed) for seed in ("1", "2"))
    assert first["transcript_sha256"] == second["transcript_sha256"]
    assert first["violations"] == []
    assert shown[0].splitlines()[0] == "seed 5"
    assert f"kill points {first['kill_points']} (" in shown[0].splitlines()[-1]
    assert sum(first["kill_points_by_place"].values()) == first["kill_points"] >= 3


def test_a_violation_is_told_with_its_story_and_how_to_see_it_again(
    tmp_path: Path,
) -> None:
    process = start(tmp_path, "--seed", "1", "--host", f"{HOSTS}:moody")
    shown, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert "call 1 on the first line: dies" in shown
    assert "again: python -m sim.crash.bank --seed 1 --run 0" in shown
    again = "python -m sim.crash.bank --seed 1 --run 0"
    assert document(tmp_path)["replay"][0] == again


def test_a_payment_missing_doubled_or_unbooked_is_told(world: World) -> None:
    stored = world.untouched
    delivery = world.counters[0].deliveries[0]
    paid = delivery.batch.payments[0].tx
    key = (paid.cid, paid.otc)
    nothing_there = list(book_problems(stored, [delivery], []))
    assert any(words.startswith("payments: ") for words in nothing_there)
    assert any("comes to" in words for words in nothing_there)
    doubled = replace(stored, payments=Counter({key: 2}))
    told = list(look_problems(doubled, Promises(), [delivery]))
    assert any("is there 2 times" in words for words in told)


def test_an_incident_too_many_or_too_few_is_told(world: World) -> None:
    stored = world.untouched
    expected = ("batch does not reconcile", "T0000001", 1, None)
    assert list(book_problems(stored, [], [])) == []
    [told] = book_problems(stored, [], [expected])
    assert f"missing [{expected}]" in told


def test_every_plan_is_drawn_from_seed_and_number_alone() -> None:
    extent = Extent(writes=60, turns=8)
    first = [draw_plan(SEED, number, 3, lambda _: extent) for number in range(60)]
    again = [draw_plan(SEED, n, 3, lambda _: extent) for n in reversed(range(60))]
    assert first == again[::-1]
    lines = [line for plan in first for task in plan.tasks for line in task.lines]
    kills = [leg.kill for line in lines for leg in line if leg.kill is not None]
    assert {kill.dies for kill in kills} == set(Dies)


def test_an_order_to_a_host_survives_the_line(tmp_path: Path, world: World) -> None:
    for plan in (draw_plan(SEED, number, 3, lambda _: Extent(writes=9, turns=3))
                 for number in range(12)):  # fmt: skip
        for kill in (leg.kill for t in plan.tasks for line in t.lines for leg in line):
            order = world.order(tmp_path, "T0000001", bytes(16), kill)
            assert HostOrder.of_frame(order.to_frame()) == order
            assert kill is None or isinstance(kill, KillPoint)


def test_the_page_tells_every_kind_of_run_and_every_option() -> None:
    page = (ROOT / "docs" / "simulators.md").read_text(encoding="utf-8")
    section = page.partition("## Killing the bank\n")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `?([^|`]+?)`? \|", section, re.MULTILINE)
    options = {option.opts[0] for option in main.params}
    heads = {"run", "---"}
    assert set(told) - heads == {str(kind) for kind in Kind} | options


def start(
    folder: Path, *options: str, hash_seed: str = "random"
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sim.crash.bank", "--points", "3", *options]
    return subprocess.Popen(  # noqa: S603  our own program
        [*command, "--output", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )


def document(folder: Path) -> Any:
    return json.loads((folder / "bank-crash.json").read_text())


@contextmanager
def wrong_world(bank: str, folder: Path) -> Iterator[World]:
    with ForkServer(f"{HOSTS}:{bank}", preload=compiled()) as server:
        yield World(folder, SEED, server)


def run_wrong(bank: str, folder: Path, *tasks: Task) -> Outcome:
    with wrong_world(bank, folder) as world:
        return run_plan(world, plan(*tasks))


def plan(*tasks: Task) -> Plan:
    subject = Subject(counter=0, batches=(0,), window=WINDOW)
    return Plan(number=0, kind=Kind.KILLED, subject=subject, tasks=tasks)


def task(first: Leg) -> Task:
    return Task(cargo=Cargo.TRUE, lines=((first,),))


def leg(kill: KillPoint) -> Leg:
    return Leg(script=Script(window=WINDOW), kill=kill)
