"""chat (Debian package ppp), which dials for pppd: what it makes of our modems."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from sim.modems.exchange import Attempt, Outcome
from sim.modems.pair import ModemPair
from tests.interop.conftest import FAST, NUMBER, PATIENCE_S, child, opened, program

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ABORT = ["BUSY", "NO CARRIER", "NO DIALTONE", "NO ANSWER", "ERROR"]
DIAL = ["", "ATZ", "OK", "AT&F E0 V1 X4 &C1 &D2", "OK", f"ATDT{NUMBER}"]
ANSWER = ["", "ATZ", "OK", r"\c", "RING", "ATA", "CONNECT", r"\c"]
TIMED_OUT, FIRST_ABORT = 3, 4
"""Status of chat: 4 and more for the ABORT strings in their order."""


@contextmanager
def chat(
    port: Path, script: Sequence[str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    aborts = [word for text in ABORT for word in ("ABORT", text)]
    arguments = [program("chat"), "-v", "-s", "-t", "30", *aborts, *script]
    with (
        opened(port) as terminal,
        child(arguments, log, terminal=terminal) as process,
    ):
        yield process


def test_chat_dials_and_answers_and_is_heard(tmp_path: Path) -> None:
    dials = [*DIAL, "CONNECT", r"\d\d\c", "hello", "well met"]
    answers = [*ANSWER[:-1], r"\d\dhello", "well met", r"\c"]
    with (
        ModemPair(FAST) as pair,
        chat(pair.far_path, answers, tmp_path / "far") as answering,
        chat(pair.near_path, dials, tmp_path / "near") as dialling,
    ):
        assert dialling.wait(PATIENCE_S) == 0, (tmp_path / "near").read_text()
        assert answering.wait(PATIENCE_S) == 0, (tmp_path / "far").read_text()
        assert pair.calls_connected == 1


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        pytest.param(Outcome.BUSY, "BUSY", id="busy"),
        pytest.param(Outcome.NO_CARRIER, "NO CARRIER", id="no-carrier"),
        pytest.param(Outcome.NO_DIALTONE, "NO DIALTONE", id="no-dialtone"),
        pytest.param(Outcome.NO_ANSWER, "NO ANSWER", id="no-answer"),
        pytest.param(Outcome.ERROR, "ERROR", id="error"),
    ],
)
def test_chat_gives_up_with_the_reason(
    tmp_path: Path, outcome: Outcome, text: str
) -> None:
    with (
        ModemPair(FAST, script=[outcome]) as pair,
        chat(pair.near_path, [*DIAL, "CONNECT", ""], tmp_path / "log") as dialling,
    ):
        status = dialling.wait(PATIENCE_S)
    assert status == FIRST_ABORT + ABORT.index(text), (tmp_path / "log").read_text()


def test_chat_notices_a_call_that_is_cut(tmp_path: Path) -> None:
    waits = [*DIAL, "CONNECT", r"\c", "login:", ""]
    with (
        ModemPair(FAST, script=[Attempt(cut_after_ms=500)]) as pair,
        chat(pair.far_path, ANSWER, tmp_path / "far"),
        chat(pair.near_path, waits, tmp_path / "near") as dialling,
    ):
        status = dialling.wait(PATIENCE_S)
    assert status == FIRST_ABORT + ABORT.index("NO CARRIER")
