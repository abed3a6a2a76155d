"""The host's log: a line for each event, no secret, whatever becomes of its file."""

from __future__ import annotations

import io
import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modem.events import Connected, Ringing
from settlement.commands.bank_log import HostLog, LogFile, without_secrets
from settlement.host_events import (
    CallEnded,
    CallOutcome,
    GroupTaken,
    Listening,
    ModemTrouble,
)
from settlement.money import currency_by_code

if TYPE_CHECKING:
    from modem.events import CallEvent
    from settlement.host_events import HostEvent

NOW = datetime(2026, 3, 4, 8, 30, tzinfo=UTC)
CARD = "6400000000000001"


def log_to(file: io.StringIO | LogFile, *, as_json: bool = True) -> HostLog:
    return HostLog(
        file, as_json=as_json, clock=lambda: NOW, currency=currency_by_code("OMR")
    )


def ended(trouble: str | None) -> CallEnded:
    return CallEnded(
        terminal_id="T0000007",
        messages=3,
        trouble=trouble,
        outcome=CallOutcome.LOST if trouble else CallOutcome.ENDED,
        began_at=NOW,
        ended_at=NOW,
    )


@pytest.mark.parametrize(
    ("event", "level", "told"),
    [
        (Ringing(), "info", "ringing"),
        (Listening(), "info", "taking connections"),
        (Connected(rate_bps=0), "info", "connected over the network"),
        (Connected(rate_bps=9600), "info", "connected at 9600 bit/s"),
        (ended(None), "info", "terminal T0000007 has ended the call after 3 messages"),
        (ended("cut"), "warning", "call of T0000007 ended after 3 messages: cut"),
        (
            ModemTrouble(reason="It is off."),
            "warning",
            "no call: It is off. Others come in as before; raseed-bank terminals shows "
            "every terminal's certificate and last call.",
        ),
        (
            ModemTrouble(reason="It is off.", retry_in_s=10),
            "warning",
            "no call: It is off. Tried again in 10 s; if it goes on, check this port, "
            "its modem and the cables.",
        ),
    ],
)
def test_an_event_is_a_line_for_people_and_one_for_machines(
    event: HostEvent | CallEvent, level: str, told: str
) -> None:
    text, machine = io.StringIO(), io.StringIO()
    log_to(text, as_json=False).write("/dev/ttyS0", event)
    log_to(machine).write("/dev/ttyS0", event)
    assert text.getvalue() == f"2026-03-04T08:30:00Z /dev/ttyS0: {told}\n"
    document = json.loads(machine.getvalue())
    assert document["at"] == "2026-03-04T08:30:00Z"
    assert (document["level"], document["port"]) == (level, "/dev/ttyS0")
    assert document["event"] == type(event).__name__


def test_steps_that_nobody_looks_for_are_no_lines() -> None:
    file = io.StringIO()
    log_to(file).write("/dev/ttyS0", GroupTaken(terminal_id="T0000007", messages=1))
    assert file.getvalue() == ""


@pytest.mark.parametrize("as_json", [True, False])
def test_what_slips_in_is_taken_out(as_json: bool) -> None:
    key = "404142434445464748494A4B4C4D4E4F"
    file = io.StringIO()
    log = log_to(file, as_json=as_json)
    log.write("/dev/ttyS0", ModemTrouble(reason=f"card {CARD} with key {key}"))
    log.tell("Odd", f"{CARD} again", key=bytes.fromhex(key), held=[CARD, {"a": key}])
    said = file.getvalue()
    assert CARD not in said
    assert key not in said
    assert "640000******0001" in said


def test_a_card_number_within_a_longer_number_is_no_card_number() -> None:
    line = without_secrets(None, "info", {"event": f"serial {CARD}{CARD}"})
    assert line["event"] == "serial [32 hex digits]"


def test_a_log_that_was_moved_away_goes_on_under_its_name(tmp_path: Path) -> None:
    path = tmp_path / "host.log"
    with closing(LogFile(path)) as file:
        log = log_to(file, as_json=False)
        log.write("one", Ringing())
        path.rename(tmp_path / "host.log.1")
        log.write("two", Ringing())
    assert "one: ringing" in (tmp_path / "host.log.1").read_text()
    assert path.read_text() == "2026-03-04T08:30:00Z two: ringing\n"
    assert oct(path.stat().st_mode)[-3:] in {"640", "600"}


def test_lines_are_added_and_nothing_is_lost_at_a_new_start(tmp_path: Path) -> None:
    path = tmp_path / "host.log"
    for port in ("one", "two"):
        with closing(LogFile(path)) as file:
            log_to(file, as_json=False).write(port, Ringing())
    assert len(path.read_text().splitlines()) == 2


def test_a_full_disk_loses_lines_and_not_the_host() -> None:
    with closing(LogFile(Path("/dev/full"))) as full:
        log = log_to(full)
        log.write("one", Ringing())
        log.tell("Two", "is lost too")
        assert log.lost == 2
