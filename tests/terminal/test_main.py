"""``raseed-terminal`` without its screens."""

from __future__ import annotations

import datetime as dt
import gettext
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from settlement.pki import Authority
from terminal import __main__ as program
from terminal.__main__ import terminal
from terminal.catalogue import CATALOGUE, SOURCE_LANGUAGE
from terminal.counter import Counter
from terminal.journal import Journal
from tests.terminal.conftest import CONFIG_TEXT

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.terminal.conftest import Bench

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def config(quick_path: Path) -> Path:
    path = quick_path / "terminal.toml"
    path.write_text(CONFIG_TEXT)
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(terminal, arguments, prog_name="raseed-terminal")


def test_check_config_names_what_is_wrong(config: Path) -> None:
    config.write_text(CONFIG_TEXT.replace('office = "SOHAR"', 'ofice = "SOHAR"'))
    result = run("check-config", "--config", str(config))
    assert result.exit_code == 1
    assert "terminal.ofice" in result.output
    assert "terminal.office is missing" in result.output
    assert "Traceback" not in result.output


def test_check_config_looks_at_the_certificate_files_too(config: Path) -> None:
    result = run("check-config", "--config", str(config))
    assert result.exit_code == 1
    for key in ("ca", "certificate", "key"):
        assert f"security.{key} is " in result.output
    authority = Authority.create(NOW)
    identity = authority.issue_terminal("T0000007", NOW)
    (config.parent / "ca.pem").write_bytes(authority.certificate_pem)
    (config.parent / "terminal.pem").write_bytes(identity.certificate_pem)
    (config.parent / "terminal.key").write_bytes(identity.key_pem)
    result = run("check-config", "--config", str(config))
    assert result.exit_code == 0
    assert "T0000007" in result.output


@pytest.mark.parametrize("command", ["status", "close"])
def test_errors_for_machines_have_one_shape(config: Path, command: str) -> None:
    config.write_text(CONFIG_TEXT.replace('"SOHAR"', '"?"'))
    result = run(command, "--json", "--config", str(config))
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert error["kind"] == "Config"
    assert "terminal.office is '?'" in error["message"]


def test_the_screens_refuse_to_run_without_a_terminal(config: Path) -> None:
    result = run("run", "--config", str(config))
    assert result.exit_code == 1
    assert "need a terminal" in result.output
    assert not (config.parent / "state").exists()


def test_status_without_a_journal_says_so(config: Path) -> None:
    result = run("status", "--config", str(config))
    assert result.exit_code == 1
    assert "no payment was ever taken" in result.output


class Shouting(gettext.NullTranslations):
    """A language in which every word of the source is written in capitals."""

    def gettext(self, message: str) -> str:
        return re.sub(r"[a-z]+(?![a-z]*})", lambda word: word[0].upper(), message)


def test_a_missing_journal_is_told_in_the_language_in_use(config: Path) -> None:
    CATALOGUE.use(Shouting(), language="xx")
    try:
        result = run("audit", "show", "--config", str(config))
    finally:
        CATALOGUE.use(gettext.NullTranslations(), language=SOURCE_LANGUAGE)
    assert result.exit_code == 1
    assert "THERE IS NO JOURNAL IN " in result.output
    assert str(config.parent) in result.output


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
    assert found["failed_phase"] == "dialling"
    assert found["certificate_until"] is None
    assert found["suspended"] == {"count": 0, "sum_minor": 0}
    (batch,) = found["batches"]
    assert (batch["number"], batch["sum_minor"]) == (1, 1_000)
    assert batch["collected"] is False


def test_it_refuses_to_run_without_its_assertions() -> None:
    done = subprocess.run(
        [sys.executable, "-O", "-m", "terminal", "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "does not run under python -O" in done.stderr
