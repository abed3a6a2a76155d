"""``raseed-terminal audit`` and ``recover``, as people and machines meet them."""

from __future__ import annotations

import json
import shutil
from functools import partial
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from terminal import __main__ as program
from terminal.__main__ import terminal
from terminal.commands import recover as recover_command
from terminal.errors import JournalDamagedError
from terminal.journal import audit_journal
from terminal.machine import open_counter, recover_journal
from tests.terminal.conftest import CONFIG_TEXT
from tests.terminal.test_audit import tamper

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.terminal.conftest import Bench

DECLARATION = "INV-2025-000001"


@pytest.fixture
def config(running: Bench) -> Path:
    path = running.folder / "terminal.toml"
    path.write_text(CONFIG_TEXT)
    running.pay("1.000", DECLARATION)
    return path


@pytest.fixture
def at_readers(running: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands find the bench's readers."""
    at_bench = partial(recover_journal, layer=running.readers, clock=running.clock)
    monkeypatch.setattr(recover_command, "recover_journal", at_bench)


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(
        terminal, arguments, input=answer, prog_name="raseed-terminal"
    )


def spoil(bench: Bench) -> None:
    bench.stop()
    tamper(
        bench.config.state_directory,
        "UPDATE payments SET receipt = 7 WHERE number = 1",
    )


def test_a_whole_log_is_told_with_its_head(config: Path, running: Bench) -> None:
    head = audit_journal(running.config.state_directory).head
    assert head is not None
    told = run("audit", "verify", "--config", str(config))
    assert told.exit_code == 0
    assert "whole" in told.stdout
    assert head.digest.hex() in told.stdout
    found = json.loads(run("audit", "verify", "--json", "--config", str(config)).stdout)
    assert found == {
        "journal": head.journal.hex(),
        "entries": head.entries,
        "digest": head.digest.hex(),
        "whole": True,
        "problems": [],
        "heads": [],
    }


def test_the_first_bad_entry_is_named(config: Path, running: Bench) -> None:
    spoil(running)
    told = run("audit", "verify", "--config", str(config))
    assert told.exit_code == 1
    assert "Entry 6 of " in told.stdout
    assert "(credited, payment 1)" in told.stdout
    assert "altered" in told.stdout
    assert "raseed-terminal recover" in told.stdout
    result = run("audit", "verify", "--json", "--config", str(config))
    assert result.exit_code == 1
    (problem,) = json.loads(result.stdout)["problems"]
    assert (problem["code"], problem["entry"], problem["payment"]) == ("altered", 6, 1)


def heads(running: Bench, **changes: object) -> str:
    """What ``raseed-bank audit --json`` prints of one batch."""
    head = running.journal.audit_head()
    assert head is not None
    kept = {
        "journal": head.journal.hex().upper(),
        "entries": head.entries,
        "digest": head.digest.hex().upper(),
        "batch": 1,
        "received_at": "2025-11-22T15:00:00Z",
    }
    path = running.folder / "heads.json"
    path.write_text(json.dumps([{**kept, **changes}]))
    return str(path)


@pytest.mark.parametrize(
    ("changes", "code", "fit"),
    [
        pytest.param({}, 0, "fits", id="fits"),
        pytest.param({"entries": 99}, 1, "differs", id="cut"),
        pytest.param({"digest": "00" * 32}, 1, "differs", id="other entry"),
        pytest.param({"journal": "00" * 8}, 1, "other-journal", id="other journal"),
    ],
)
def test_the_heads_that_the_bank_has_kept_are_compared(
    config: Path, running: Bench, changes: dict[str, object], code: int, fit: str
) -> None:
    path = heads(running, **changes)
    running.journal.note("call-failed", running.clock(), "BusyError")
    arguments = ("audit", "verify", "--heads", path, "--config", str(config))
    result = run(*arguments, "--json")
    assert result.exit_code == code
    assert [one["fit"] for one in json.loads(result.stdout)["heads"]] == [fit]
    assert "Head of batch 1" in run(*arguments).stdout


def verify(config: Path, path: str, *more: str) -> tuple[int, list[str]]:
    """Exit code of ``audit verify --heads``, and how each head fits."""
    words = ("audit", "verify", "--heads", path, "--config", str(config), *more)
    result = run(*words, "--json")
    return result.exit_code, [one["fit"] for one in json.loads(result.stdout)["heads"]]


def replace_journal(config: Path, bench: Bench) -> Path:
    """Make the journal anew; the folder of the old one."""
    folder = bench.config.state_directory
    before = set(folder.glob("replaced-*"))
    bench.stop()
    tamper(folder, "UPDATE payments SET receipt = receipt + 7")
    assert run("recover", "--config", str(config)).exit_code == 0
    (old,) = set(folder.glob("replaced-*")) - before
    bench.start()
    return old


@pytest.mark.usefixtures("at_readers")
def test_heads_of_a_replaced_journal_are_compared_with_its_own_log(
    config: Path, running: Bench
) -> None:
    path = heads(running)
    old = replace_journal(config, running)
    assert verify(config, path) == (0, ["fits"])
    told = run("audit", "verify", "--heads", path, "--config", str(config)).stdout
    assert f"fits the log in {old}" in told
    # In the old folder itself the log is named that is not whole.
    assert verify(config, path, "--journal", str(old)) == (1, ["fits"])


@pytest.mark.usefixtures("at_readers")
def test_heads_of_the_journal_before_the_last_but_one_are_no_alarm(
    config: Path, running: Bench
) -> None:
    path = heads(running)
    replace_journal(config, running)
    replace_journal(config, running)
    assert verify(config, path) == (0, ["fits"])


@pytest.mark.usefixtures("at_readers")
def test_a_replaced_log_that_was_cut_off_does_not_fit(
    config: Path, running: Bench
) -> None:
    path = heads(running, entries=99)
    replace_journal(config, running)
    assert verify(config, path) == (1, ["differs"])


@pytest.mark.usefixtures("at_readers")
@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_a_head_that_was_compared_with_nothing_is_not_passed_over(
    config: Path, running: Bench, how: str
) -> None:
    path = heads(running)
    old = replace_journal(config, running)
    if how == "gone":
        shutil.rmtree(old)
    else:
        (old / "journal.sqlite").write_bytes(b"rubbish" * 999)
    assert verify(config, path) == (1, ["replaced"])
    told = run("audit", "verify", "--heads", path, "--config", str(config)).stdout
    assert "not compared" in told
    assert "--journal" in told
    # The log in use is whole: nobody is sent to make another one.
    assert "recover" not in told


@pytest.mark.usefixtures("at_readers")
def test_an_old_folder_is_checked_together_with_the_journal_in_use(
    config: Path, running: Bench
) -> None:
    heads(running)
    old = replace_journal(config, running)
    assert verify(config, heads(running), "--journal", str(old)) == (1, ["fits"])


@pytest.mark.parametrize("text", ["{}", "[1]", "[{}]", "nothing", '[{"entries": -1}]'])
def test_a_file_of_heads_that_is_none_is_refused(config: Path, text: str) -> None:
    path = config.with_name("heads.json")
    path.write_text(text)
    result = run(
        *("audit", "verify", "--json", "--heads", str(path), "--config", str(config))
    )
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["kind"] == "AuditFile"


def test_entries_are_shown_for_people_and_machines(config: Path) -> None:
    told = run("audit", "show", "--last", "2", "--config", str(config)).stdout
    lines = told.splitlines()
    assert len(lines) == 2
    assert "credited payment 1: batch 1" in lines[1]
    shown = json.loads(run("audit", "show", "--json", "--config", str(config)).stdout)
    assert [one["entry"] for one in shown] == list(range(1, 7))
    assert "6400000000000001" not in told + json.dumps(shown)


def test_the_counters_start_and_end_are_in_the_log(
    config: Path, running: Bench
) -> None:
    running.stop()
    open_counter(running.config, layer=running.readers, clock=running.clock).stop()
    shown = json.loads(run("audit", "show", "--json", "--config", str(config)).stdout)
    assert [one["kind"] for one in shown[-2:]] == ["started", "stopped"]
    assert "clerk 7, configuration " in shown[-2]["detail"]


@pytest.mark.usefixtures("at_readers")
def test_recover_says_what_it_found_and_what_to_do_next(
    config: Path, running: Bench
) -> None:
    spoil(running)
    told = run("recover", "--config", str(config))
    assert told.exit_code == 0
    assert "1 payment of 1.000 OMR" in told.stdout
    # Whoever altered the row may have altered what was paid for.
    assert "the declarations of 0 payments are known" in told.stdout
    assert "no payment is lost" in told.stdout
    assert "Take none of them again. Then run the end of day" in told.stdout
    assert "The old journal is kept in " in told.stdout
    found = json.loads(run("recover", "--json", "--config", str(config)).stdout)
    assert found["credited"] == {"count": 1, "sum_minor": 1_000}
    assert (found["open"], found["set_aside"]) == (0, None)


@pytest.mark.usefixtures("at_readers")
def test_recover_without_a_customs_card_says_what_to_do(
    config: Path, running: Bench
) -> None:
    running.stop()
    running.readers.cards.clear()
    result = run("recover", "--json", "--config", str(config))
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert error["kind"] == "CardProblem"
    assert "Insert the customs card" in error["message"]


def test_recover_beside_a_running_counter_is_refused(config: Path) -> None:
    result = run("recover", "--config", str(config))
    assert result.exit_code == 1
    assert "Another program uses the journal" in result.stderr


@pytest.mark.usefixtures("at_readers")
@pytest.mark.parametrize("answer", ["y\n", "n\n"])
def test_a_start_with_a_damaged_journal_offers_to_rebuild_it(
    config: Path, running: Bench, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(running)
    folder = running.config.state_directory
    before = (folder / "journal.sqlite").read_bytes()
    opened = []

    def open_or_say(*_: object) -> object:
        counter = open_counter(
            running.config, layer=running.readers, clock=running.clock
        )
        opened.append(counter)
        return counter

    monkeypatch.setattr(program, "open_counter", open_or_say)
    monkeypatch.setattr(program, "_has_screen", lambda: True)
    monkeypatch.setattr("terminal.app.CounterApp.run", lambda _: None)
    result = run("run", "--config", str(config), answer=answer)
    assert "damaged" in result.stderr
    assert "the customs card still holds every payment" in result.stderr
    if answer == "n\n":
        assert result.exit_code == 1
        assert opened == []
        assert (folder / "journal.sqlite").read_bytes() == before
        with pytest.raises(JournalDamagedError):
            running.start()
        return
    assert result.exit_code == 0
    assert len(opened) == 1
    assert audit_journal(folder).is_whole
