"""``raseed-terminal`` without its screens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from terminal import __main__ as program
from terminal.__main__ import terminal
from terminal.counter import Counter
from terminal.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.terminal.conftest import Bench

CONFIG = """
[terminal]
id = "T0000007"
office = "SOHAR"
currency = "OMR"
[readers]
purse = "00 00"
customs = "00 01"
[modem]
port = "/dev/null"
numbers = ["5551234"]
server_name = "host.bank.raseed"
[security]
ca = "ca.pem"
certificate = "terminal.pem"
key = "terminal.key"
[state]
directory = "state"
[payment]
limit = "2000.000"
"""


@pytest.fixture
def config(quick_path: Path) -> Path:
    path = quick_path / "terminal.toml"
    path.write_text(CONFIG)
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(terminal, arguments, prog_name="raseed-terminal")


def test_check_config_names_what_is_wrong(config: Path) -> None:
    config.write_text(CONFIG.replace('office = "SOHAR"', 'ofice = "SOHAR"'))
    result = run("check-config", "--config", str(config))
    assert result.exit_code == 1
    assert "terminal.ofice" in result.output
    assert "terminal.office is missing" in result.output
    assert "Traceback" not in result.output


def test_check_config_misses_the_certificate_files(config: Path) -> None:
    result = run("check-config", "--config", str(config))
    assert result.exit_code == 1
    assert "ca.pem" in result.output
    for name in ("ca.pem", "terminal.pem", "terminal.key"):
        (config.parent / name).touch()
    result = run("check-config", "--config", str(config))
    assert result.exit_code == 0
    assert "T0000007" in result.output


def test_status_without_a_journal_says_so(config: Path) -> None:
    result = run("status", "--config", str(config))
    assert result.exit_code == 1
    assert "no payment was ever taken" in result.output


def test_status_reads_beside_a_running_counter(running: Bench, config: Path) -> None:
    running.pay("1.000")
    running.counter.close_day(lambda _: None)
    seen = running.counter.read_purse()
    running.faults.arm("lost", 3, removes=True)
    running.pay(seen=seen)
    result = run("status", "--json", "--config", str(config))
    assert result.exit_code == 0
    found = json.loads(result.output)
    assert found["unsettled_batches"][0]["sum_minor"] == 1_000
    assert found["interrupted_payments"][0]["state"] == "opened"
    assert found["interrupted_payments"][0]["card"] == "640000******0001"
    plain = run("status", "--config", str(config))
    assert "640000******0001" in plain.output


def test_close_without_screens_tells_each_phase_and_how_it_ended(
    running: Bench, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.pay("1.000")
    running.stop()
    journal = Journal.open(running.config.state_directory, os.urandom)
    counter = Counter(
        running.config, journal, running.readers, running.dial, running.clock
    )
    monkeypatch.setattr(program, "open_counter", lambda _: counter)
    result = run("close", "--json", "--config", str(config))
    assert result.exit_code == 1
    assert "closing the batch" in result.stderr
    found = json.loads(result.stdout)
    assert found["verdict"] == "pending"
    assert "no dial tone" in found["advice"]


def test_it_refuses_to_run_without_its_assertions() -> None:
    done = subprocess.run(
        [sys.executable, "-O", "-m", "terminal", "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "does not run under python -O" in done.stderr
