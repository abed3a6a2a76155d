"""runscript, which dials by script for people in front of minicom."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sim.modems.exchange import Outcome
from sim.modems.pair import ModemPair
from tests.interop.conftest import (
    FAST,
    NUMBER,
    PATIENCE_S,
    child,
    opened,
    program,
    read_until,
)

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = f"""\
timeout 50
send "ATZ"
expect {{
    "OK"
    timeout 20 goto silent
}}
send "ATE0 V1 X4"
expect {{
    "OK"
    timeout 20 goto silent
}}
send "ATDT{NUMBER}"
expect {{
    "CONNECT" goto connected
    "BUSY" goto busy
    "NO CARRIER" goto lost
    timeout 30 goto silent
}}
silent:
print "gave up: nothing heard"
exit 1
busy:
print "gave up: busy"
exit 1
lost:
print "gave up: no carrier"
exit 1
connected:
send "good day"
expect {{
    "who is there" goto told
    timeout 30 goto silent
}}
told:
print "was answered"
exit 0
"""


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        pytest.param([Outcome.BUSY], 1, "gave up: busy", id="busy"),
        pytest.param([Outcome.NO_CARRIER], 1, "gave up: no carrier", id="no-carrier"),
        pytest.param([], 0, "was answered", id="connects"),
    ],
)
def test_runscript_follows_what_the_modem_says(
    tmp_path: Path, script: list[Outcome], status: int, words: str
) -> None:
    path, log = tmp_path / "dial", tmp_path / "log"
    path.write_text(SCRIPT)
    with (
        ModemPair(FAST, script=script) as pair,
        opened(pair.far_path) as host,
        opened(pair.near_path) as terminal,
    ):
        os.write(host, b"ATE0S0=1\r")
        read_until(host, b"OK\r\n")
        arguments = [program("runscript"), str(path)]
        with child(arguments, log, terminal=terminal) as dialling:
            if not script:
                read_until(host, b"good day\r")
                os.write(host, b"who is there\r\n")
            assert dialling.wait(PATIENCE_S) == status, log.read_text()
    assert words in log.read_text()
