"""The counter under SIGKILL: every kill kills, and whatever is broken is found."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from sim.crash.counter.__main__ import main
from sim.crash.counter.plan import all_points, choose
from sim.crash.counter.stage import Stage, quick_folder
from sim.crash.counter.stories import STORIES
from sim.crash.kill_points import Moment
from sim.crash.points import KillPoint, PointKind, kills_from, kills_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.crash.counter.run import Played

PAGE = Path(__file__).parents[3] / "docs" / "simulators.md"
POINTS = 30
WAIT_S = 180
BROKEN = "tests.sim.crash.broken_counters"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage


@pytest.fixture(scope="module")
def first(stage: Stage) -> Played:
    """The shortest story, without a kill."""
    return stage.run("payment", ())


def command(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603  our own program
        [sys.executable, "-m", "sim.crash.counter", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        start_new_session=True,
    )


def campaign(folder: Path, hash_seed: str) -> dict[str, object]:
    """A small campaign in ``folder``; its document."""
    chosen = ("--points", str(POINTS), "--doubles", "10", "--seed", "7")
    with command(
        *chosen, "--output", str(folder), "--json", PYTHONHASHSEED=hash_seed
    ) as process:
        printed, told = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, told
    assert "violations 0" in told
    assert "seed 7" in told
    found: dict[str, object] = json.loads((folder / "crash.json").read_text())
    assert json.loads(printed) == found
    return found


def test_a_seed_makes_one_transcript_whatever_the_hash_seed(tmp_path: Path) -> None:
    found = campaign(tmp_path / "one", "1")
    campaign(tmp_path / "two", "2")
    transcripts = [(tmp_path / n / "crash.txt").read_text() for n in ("one", "two")]
    assert transcripts[0] == transcripts[1]
    assert transcripts[0].count("all accounted\n") == POINTS + len(STORIES)
    assert found["kill_points"] == POINTS
    assert found["violations"] == []
    kinds = [found[str(kind)] for kind in PointKind]
    assert sum(n for n in kinds if isinstance(n, int)) == POINTS
    assert all(kinds), "every kind of point is among them"
    assert found["stories"] == dict.fromkeys(STORIES, POINTS // len(STORIES))
    assert 0 < found["double_kills"] <= 10  # type: ignore[operator]  # a number
    assert re.fullmatch(r"([0-9a-f]{40}\+?)|unknown", str(found["commit"]))


@pytest.mark.parametrize(
    "kills",
    [
        "journal:3:before",
        "journal:8:halfway",
        "journal:70:after",
        "apdu:9:before",
        "apdu:9:after",
        "link:6:before",
        "link:9:after",
        "apdu:9:after+journal:20:halfway",
        "journal:80:before+apdu:3:before",
        "link:9:after+link:2:after",
    ],
)
def test_every_kind_of_point_kills_and_nothing_is_lost(
    stage: Stage, kills: str
) -> None:
    played = stage.run("payment", kills_from(kills))
    assert played.violations == ()
    assert played.struck == len(played.kills)
    assert played.signals == (-signal.SIGKILL,) * len(played.kills)
    assert played.told.count("killed") == len(played.kills)


@pytest.mark.parametrize("name", list(STORIES))
def test_a_story_without_a_kill_ends_as_it_should(stage: Stage, name: str) -> None:
    played = stage.run(name, ())
    assert (played.violations, played.signals, played.struck) == ((), (), 0)
    assert "killed" not in played.told
    assert set(played.passed) == {PointKind.APDU, PointKind.LINK}
    assert all(played.passed.values())
    assert {call.call for call in played.journal} >= {"pwrite", "fdatasync"}


@pytest.mark.parametrize("kills", ["apdu:11:before", "apdu:11:after"])
def test_a_payment_that_was_finished_and_not_shown_is_not_taken_twice(
    stage: Stage, kills: str
) -> None:
    played = stage.run("payment", kills_from(kills))
    assert played.told == ("killed", "1 paid after all", "collected")
    assert played.violations == ()


@pytest.mark.parametrize(
    ("program", "story", "kills", "differs"),
    [
        ("forgetful", "payment", "apdu:9:after", "did not know an open record"),
        ("silent", "payment", "apdu:11:after", "(earlier-payment), debited 1 times"),
        ("optimist", "two-cards", "none", "told as paid, debited 0 times"),
        ("pessimist", "payment", "none", "(card-removed), debited 1 times"),
        ("lazy", "payment", "none", "told as collected, but value is held"),
        ("faulty", "payment", "none", "as it was made to"),
    ],
)
def test_a_broken_counter_is_found_out(
    program: str, story: str, kills: str, differs: str
) -> None:
    with Stage(f"{BROKEN}:{program}") as stage:
        played = stage.run(story, kills_from(kills))
    (violation,) = played.violations
    assert differs in violation


def test_a_kill_point_that_is_never_reached_is_a_violation(stage: Stage) -> None:
    played = stage.run("payment", kills_from("apdu:999:after"))
    assert played.violations == ("the kill point was never reached",)


def test_points_of_a_story_are_all_before_and_after_and_writes_halfway(
    first: Played,
) -> None:
    points = all_points(first)
    assert len(points) == len(set(points))
    writes = sum(call.is_write for call in first.journal)
    others = sum(map(len, first.passed.values()))
    assert len(points) == 2 * len(first.journal) + writes + 2 * others


def points(count: int) -> list[KillPoint]:
    return [
        KillPoint(kind=kind, at=at, moment=Moment.AFTER)
        for kind in PointKind
        for at in range(1, count + 1)
    ]


def test_stories_that_fit_are_taken_whole_and_the_others_by_turns() -> None:
    stories = {"short": points(2), "long": points(50), "longer": points(60)}
    tasks = choose(stories, points=30, doubles=0, source=random.Random(1))
    assert [kills for name, kills in tasks if name == "short"] == [
        (point,) for point in stories["short"]
    ]
    assert len(tasks) == len(set(tasks)) == 30
    for name in ("long", "longer"):
        kinds = [kills[0].kind for story, kills in tasks if story == name]
        assert [kinds.count(kind) for kind in PointKind] == [4, 4, 4]


def test_no_more_points_are_taken_than_there_are_and_doubles_are_counted() -> None:
    tasks = choose({"short": points(2)}, points=99, doubles=4, source=random.Random(1))
    assert sorted(len(kills) for _, kills in tasks) == [1, 1, 2, 2, 2, 2]


def test_another_seed_chooses_other_points() -> None:
    chosen = [
        choose({"a": points(50)}, points=9, doubles=3, source=random.Random(seed))
        for seed in (1, 1, 2)
    ]
    assert chosen[0] == chosen[1] != chosen[2]


@pytest.mark.parametrize("text", ["apdu:1", "apdu:0:after", "card:1:after", "apdu:1:x"])
def test_what_is_no_kill_point_is_refused_in_words(text: str) -> None:
    with command("--story", "day", "--point", text) as process:
        _, told = process.communicate(timeout=WAIT_S)
    assert process.returncode == 2
    assert "is no kill point" in told


def test_a_point_without_its_story_is_refused() -> None:
    with command("--point", "apdu:1:after") as process:
        _, told = process.communicate(timeout=WAIT_S)
    assert process.returncode == 2
    assert "--story" in told


def test_one_point_can_be_played_again() -> None:
    kills = "apdu:9:before+link:2:after"
    with command("--story", "payment", "--point", kills) as process:
        printed, told = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, told
    assert "killed before apdu 9 (54 to the purse card), 2 times in all" in printed
    assert kills_text(kills_from(kills)) == kills


def table(heading: str) -> dict[str, str]:
    """The first two cells of each row of a table in the section on killing."""
    section = PAGE.read_text("utf-8").partition("## Killing the counter\n")[2]
    rows = section.partition("\n## ")[0].partition(f"| {heading} |")[2]
    rows = rows.partition("\n\n")[0]
    return dict(re.findall(r"^\| `([^`]+)` \| ([^|]*?) \|", rows, re.MULTILINE))


def test_options_stories_and_kinds_are_documented_and_there() -> None:
    options = {option.opts[0]: option for option in main.params}
    told = table("option")
    assert list(told) == list(options)
    for name in ("--points", "--doubles", "--output"):
        assert str(options[name].default) in told[name]
    assert table("story") == {story.name: story.title for story in STORIES.values()}
    assert set(table("kind")) == set(PointKind)


def session_of(pid: str) -> int:
    """The session of a process that runs; its fields are counted after its name."""
    try:
        stat = Path("/proc", pid, "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return -1
    state, _parent, _group, session = stat.rpartition(")")[2].split()[:4]
    return -1 if state == "Z" else int(session)


def processes_in(session: int) -> int:
    names = (path.name for path in Path("/proc").iterdir())
    return sum(session_of(name) == session for name in names if name.isdecimal())


def folders() -> set[Path]:
    where = quick_folder()
    where.remove()
    return set(where.path.parent.glob("raseed-crash-counter-*"))


def test_a_harness_that_is_killed_leaves_no_process_behind() -> None:
    before = folders()
    with command("--points", "400", "--jobs", "1", "--seed", "1") as process:
        with closing(process.stdout) as told:  # type: ignore[type-var]  # it is a pipe
            assert told is not None
            assert "seed 1" in told.readline()
            # The harness, its worker and the worker's server, the counters' server.
            while processes_in(process.pid) < 5:
                assert process.poll() is None, "it runs"
            process.kill()
        # Everybody below it holds this pipe: it ends when the last of them has.
        assert process.communicate(timeout=WAIT_S)[1] == ""
    deadline = monotonic() + WAIT_S
    while processes_in(process.pid):
        assert monotonic() < deadline, "somebody stays"
    # What it left in memory is removed by the next one.
    assert not folders() - before
