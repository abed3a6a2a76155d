"""``raseed-terminal modem check`` on simulated modems in real time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from sim.modems.exchange import ExchangeSettings, Outcome
from sim.modems.line import LineSettings
from sim.modems.pair import ModemPair
from terminal.__main__ import terminal
from tests.terminal.test_config import GOOD

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

FAST = ExchangeSettings(
    line=LineSettings(rate_bps=230_400, delay_ms=5),
    dial_ms=10,
    ring_every_ms=100,
    training_ms=20,
)


def check(folder: Path, port: Path | str, *options: str, extra: str = "") -> Result:
    text = GOOD.replace("/dev/ttyS0", str(port))
    text = text.replace("[security]", f"{extra}\n[security]")
    config = folder / "terminal.toml"
    config.write_text(text)
    return CliRunner().invoke(
        terminal, ["modem", "check", "--config", str(config), *options]
    )


def pick_up_by_itself(pair: ModemPair) -> None:
    """Tell the far modem to answer after the first ring."""
    with pair.far_path.open("wb", buffering=0) as port:
        port.write(b"ATS0=1\r")


def test_modem_that_reaches_the_number_works(tmp_path: Path) -> None:
    with ModemPair(FAST) as pair:
        pick_up_by_itself(pair)
        result = check(tmp_path, pair.near_path)
    assert result.exit_code == 0, result.output
    assert "> ATDT5551234\n< CONNECT 230400\n" in result.stderr
    assert result.stdout == (
        "The modem works: 5551234 was reached at 230400 bit/s, and the call ended "
        "again. Nothing was sent and no money moved. The end of day can be run.\n"
    )


def test_everything_is_there_for_machines(tmp_path: Path) -> None:
    with ModemPair(FAST) as pair:
        pick_up_by_itself(pair)
        result = check(tmp_path, pair.near_path, "--json")
    told = json.loads(result.stdout)
    assert (told["works"], told["error"], told["rate_bps"]) == (True, None, 230_400)
    assert told["number"] == "5551234"
    assert {"by": "computer", "text": "ATDT5551234"} in told["said"]
    assert {"by": "modem", "text": "CONNECT 230400"} in told["said"]


def test_set_up_alone_dials_nothing(tmp_path: Path) -> None:
    with ModemPair(FAST) as pair:
        result = check(tmp_path, pair.near_path, "--no-dial")
        assert pair.calls_connected == 0
    assert result.exit_code == 0, result.output
    assert "ATDT" not in result.stderr
    assert result.stdout.startswith("The modem works: it took all its settings.")


def test_what_went_wrong_is_told_with_what_to_do(tmp_path: Path) -> None:
    with ModemPair(FAST, script=[Outcome.NO_DIALTONE]) as pair:
        result = check(tmp_path, pair.near_path)
    assert result.exit_code == 1
    assert result.stdout == (
        "There is no dial tone on the telephone line. Nothing was sent and no money "
        "moved. Check the telephone cable; if a telephone hears a tone there, set "
        "modem.wait_for_dial_tone to false.\n"
    )


def test_every_attempt_in_vain_is_shown(tmp_path: Path) -> None:
    with ModemPair(FAST, script=[Outcome.BUSY] * 2) as pair:
        result = check(tmp_path, pair.near_path, "--json", extra="pause_seconds = 1")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["attempts"] == [{"number": "5551234", "result": "BUSY"}]
    assert (told["works"], told["error"]) == (False, "BusyError")


def test_missing_port_is_named(tmp_path: Path) -> None:
    result = check(tmp_path, "/dev/ttyNONE")
    assert result.exit_code == 1
    assert "No such file or directory" in result.stdout
    assert "modem.port" in result.stdout
