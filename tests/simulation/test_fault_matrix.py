"""The fault matrix strikes what it says, repeats itself, and sees what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from sim.__main__ import main
from sim.cards.errors import CardTakenError
from sim.cards.memory import Memory
from sim.cards.tearing import TearingMemory
from sim.faults.matrix import Tally, Task, tasks_of
from sim.faults.stories import STORIES
from sim.faults.workshop import Workshop
from sim.world.fate import FaultKind, Site
from terminal.interrupted import EarlierPayments
from terminal.recovery_desk import RecoveryDesk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sim.cards.memory import Value

ONE_PAYMENT = STORIES[0]
SAMPLE = ("faults", "--soak", "12", "--seed", "7", "--processes", "1", "--json")


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    with Workshop() as workshop:
        yield workshop


def strike_all(workshop: Workshop, *follow_ups: str) -> Tally:
    """Every single fault of one payment, with all follow-ups or with these."""
    tally = Tally()
    for task in tasks_of(workshop, [ONE_PAYMENT]):
        if follow_ups and task.follow_up.name not in follow_ups:
            continue
        tally.count(task.scenario, workshop.run(task.scenario))
    return tally


def test_no_single_fault_of_a_payment_violates_anything(workshop: Workshop) -> None:
    tally = strike_all(workshop)
    assert (tally.violations, tally.bad) == (0, [])
    kinds = {kind.name for site in Site for kind in site.kinds}
    messages = {kind.name for kind in Site.MESSAGE.kinds}
    assert set(tally.struck) == kinds - messages
    follow_ups = {follow_up for _, follow_up, _ in tally.scenarios}
    assert follow_ups == {one.name for one in ONE_PAYMENT.follow_ups}


def test_every_story_ends_well_when_nothing_goes_wrong(workshop: Workshop) -> None:
    plain = [task for task in tasks_of(workshop, STORIES) if task.first is None]
    assert len(plain) == sum(len(story.follow_ups) for story in STORIES)
    for task in plain:
        assert workshop.run(task.scenario).violations == ()


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_story_can_fail_at_cards_journal_bank_and_line(
    workshop: Workshop, story: object
) -> None:
    sites = {
        point.site
        for task in tasks_of(workshop, [s for s in STORIES if s is story])
        if task.first is None
        for point in workshop.run(task.scenario).points
    }
    assert {Site.COMMAND, Site.COMMIT} <= sites
    assert sites & {Site.JOURNAL, Site.BOOKS}


def test_the_same_seed_gives_the_same_transcript_whatever_the_hash_seed() -> None:
    transcripts = set()
    for hash_seed in ("1", "2"):
        ran = subprocess.run(  # noqa: S603  our own program
            [sys.executable, "-m", "sim", *SAMPLE],
            capture_output=True,
            check=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )
        report = json.loads(ran.stdout)
        assert (report["scenarios"], report["violations"]) == (12, 0)
        transcripts.add(report["transcript"])
    assert len(transcripts) == 1


def test_a_counter_that_does_not_tell_what_happened_is_found(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecoveryDesk, "tell_what_the_last_run_left", lambda _: None)
    tally = strike_all(workshop)
    found = {words for _, outcome in tally.bad for words in outcome.violations}
    assert any("debited 2 times" in words for words in found)


@pytest.mark.parametrize(
    ("story", "fault"),
    [("one payment", "12:TORN_AFTER"), ("one payment", "16:OFF_AFTER"),
     ("two payments", "10:OFF_AFTER"), ("batch close", "none")],
)  # fmt: skip
def test_a_lost_machine_is_replaced_and_the_story_ends(story: str, fault: str) -> None:
    name = f"{story} / terminal lost / {fault}"
    told = CliRunner().invoke(main, ["faults", "--replay", name])
    assert told.exit_code == 0
    assert "the machine is lost" in told.output
    assert "INV-2025-000001 paid 1" in told.output.splitlines()[-1]


def test_a_new_journal_that_does_not_name_what_was_paid_is_found(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecoveryDesk, "untold", lambda _: [])
    tally = strike_all(workshop, "terminal lost")
    found = {words for _, outcome in tally.bad for words in outcome.violations}
    assert any("debited 2 times" in words for words in found)


def test_a_new_journal_is_begun_with_points_that_can_fail(workshop: Workshop) -> None:
    (follow_up,) = [f for f in ONE_PAYMENT.follow_ups if f.name == "terminal lost"]
    task = Task(story=ONE_PAYMENT, follow_up=follow_up, first=None, seed=None)
    names = [point.name for point in workshop.run(task.scenario).points]
    reading = names.index("READ CREDITED to the customs card")
    assert "write of the journal" in names[reading:]


def test_a_clerk_who_was_warned_may_debit_a_declaration_twice() -> None:
    name = "one payment / warning overridden / 12:TORN_AFTER"
    told = CliRunner().invoke(main, ["faults", "--replay", name])
    assert told.exit_code == 0
    assert "goes on in spite of the warning" in told.output
    last = told.output.splitlines()[-1]
    assert "INV-2025-000001 paid 1; INV-2025-000001 with the other purse paid 1" in last


def test_a_counter_that_does_not_warn_is_found(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EarlierPayments, "of", lambda *_: [])
    tally = strike_all(workshop, "warning overridden")
    found = {words for _, outcome in tally.bad for words in outcome.violations}
    assert "INV-2025-000001 was debited 2 times" in found


def test_a_card_that_tears_in_the_middle_of_a_commit_is_found(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = TearingMemory.commit

    def torn(self: TearingMemory, changes: Mapping[str, Value | None]) -> None:
        try:
            whole(self, changes)
        except CardTakenError:
            half = dict(list(changes.items())[: len(changes) // 2])
            Memory.commit(self, half)
            raise

    monkeypatch.setattr(TearingMemory, "commit", torn)
    assert strike_all(workshop, "same card back").violations > 0


def test_one_scenario_is_told_as_a_story() -> None:
    name = "one payment / same card back / 8:LOST_OUT"
    told = CliRunner().invoke(main, ["faults", "--replay", name])
    assert told.exit_code == 0
    lines = told.output.splitlines()
    assert lines[0] == name
    assert FaultKind.LOST_OUT.value in lines[1]
    assert "in the end: INV-2025-000001 paid 1" in lines[-1]


@pytest.mark.parametrize(
    "name", ["", "one payment", "one payment / nobody / none", "a / b / 1:TORN"]
)
def test_what_is_no_scenario_is_refused_in_words(name: str) -> None:
    told = CliRunner().invoke(main, ["faults", "--replay", name])
    assert told.exit_code == 2
    assert "is no scenario" in told.output


@pytest.mark.parametrize(
    ("fault", "told"),
    [("8:FULL", "what can go wrong there: LOST_IN"), ("999:FULL", "no point 999")],
)
def test_a_fault_that_cannot_strike_there_is_refused_in_words(
    fault: str, told: str
) -> None:
    name = f"one payment / same card back / {fault}"
    ran = CliRunner().invoke(main, ["faults", "--replay", name])
    assert ran.exit_code == 2
    assert told in " ".join(ran.output.split())
