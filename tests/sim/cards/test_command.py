"""``raseed-sim cards`` as a developer runs it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from sim.cards.command import cards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.sim.cards.conftest import FakeSlot

    Start = Callable[..., subprocess.Popen[str]]

ROOT = Path(__file__).parent.parent.parent.parent
PROGRAM = "from sim.cards.command import cards; cards()"
SELECT = "00 A4 04 00 08 F0 52 41 53 45 45 44 01 00"
WRONG_PIN = "00 20 00 80 08 24 99 99 FF FF FF FF FF"
_TIMEOUT_S = 20


@pytest.fixture
def start(tmp_path: Path, slot: FakeSlot) -> Iterator[Start]:
    """Start the command for the slot's port; it is ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*options: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(  # noqa: S603  our own fixed words
            [sys.executable, "-c", PROGRAM, "--state", tmp_path / "cards",
             "--port", str(slot.port), *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, cwd=ROOT,
        )  # fmt: skip
        started.append(process)
        return process

    yield run
    for process in started:
        with process:
            process.kill()


def say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def test_it_serves_both_cards_obeys_lines_and_keeps_their_state(
    start: Start, slot: FakeSlot, next_slot: FakeSlot
) -> None:
    process = start()
    slot.wait_for_card()
    next_slot.wait_for_card()
    assert (slot.ask(SELECT) or "").startswith("6F4E")
    assert next_slot.ask(SELECT) == "6A82"
    assert slot.ask(WRONG_PIN) == "63C2"
    say(process, "remove purse")
    assert slot.receive() is None
    say(process, "eat purse")
    say(process, "insert purse")
    slot.wait_for_card()
    slot.ask(SELECT)
    assert slot.ask(WRONG_PIN) == "63C1"
    say(process, "quit")
    output, _ = process.communicate(timeout=_TIMEOUT_S)
    assert process.returncode == 0
    assert f"purse card (T1) on port {slot.port}" in output
    assert "new, personalised" in output
    assert "Not understood" in output
    again = start("--protocol", "T0")
    slot.wait_for_card()
    assert slot.ask(SELECT) == "6150"
    assert slot.ask(WRONG_PIN) == "63C0"
    again.send_signal(signal.SIGTERM)
    output, _ = again.communicate(timeout=_TIMEOUT_S)
    assert "known, personalised" in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_also_after_the_end_of_input(
    start: Start, slot: FakeSlot, number: signal.Signals
) -> None:
    process = start("--blank")
    assert process.stdin is not None
    process.stdin.close()
    slot.wait_for_card()
    assert (slot.ask(SELECT) or "").startswith("6F1C")
    process.send_signal(number)
    assert process.stdout is not None
    output = process.stdout.read()
    assert process.wait(_TIMEOUT_S) == 0
    assert "new, blank" in output
    assert "Cards removed" in output


def test_a_damaged_card_is_named_and_nothing_is_served(tmp_path: Path) -> None:
    (tmp_path / "purse.card").write_text("nonsense")
    result = CliRunner().invoke(cards, ["--state", str(tmp_path)])
    assert result.exit_code == 1
    assert "purse.card is damaged" in result.output


def test_a_state_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(cards, ["--state", str(tmp_path / "file")])
    assert result.exit_code == 2


def test_a_state_that_cannot_be_made_is_told_without_a_number() -> None:
    result = CliRunner().invoke(cards, ["--state", "/proc/nope"])
    assert result.exit_code == 1
    assert "/proc/nope: No such file or directory" in result.output
    assert "--state" in result.output
    assert "Errno" not in result.output
