"""A clerk declines a request: kept here until the bank has said its last word."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from settlement import request_desk
from settlement.errors import BankUnavailableError
from settlement.messages import RecordAnswer, ResponseCode
from settlement.payment_requests import RequestState
from terminal.day import DayVerdict
from terminal.journal import audit_journal
from tests.settlement.requests.conftest import request
from tests.terminal.test_downloads import NOW, Office, office

if TYPE_CHECKING:
    from settlement.decline_report import DeclineReport

__all__ = ["office"]


def take(office: Office, *numbers: str) -> None:
    with office.store.write() as books:
        requests = [request(number) for number in numbers]
        request_desk.add_requests(books, requests, "a test", NOW)


def decline(office: Office, number: str = "R-1") -> bool:
    at = office.bench.clock()
    return office.bench.journal.declines.decline(number, "another payer", "7", at)


def state(office: Office, number: str = "R-1") -> RequestState:
    with office.store.read() as books:
        stored = books.requests.get(number)
    assert stored is not None
    return stored.state


def waiting(office: Office) -> list[str]:
    return [one.report.number for one in office.bench.journal.declines.waiting()]


def test_a_decline_reaches_the_bank_with_the_next_call(office: Office) -> None:
    take(office, "R-1", "R-2")
    office.fetch()
    assert decline(office)
    assert waiting(office) == ["R-1"]
    result = office.fetch()
    assert result.downloads is not None
    assert result.downloads.is_complete
    assert state(office) is RequestState.DECLINED
    assert waiting(office) == []
    found = office.bench.journal.declines.find("R-1")
    assert found is not None
    assert (found.is_told, found.code) == (True, "00")
    # The call that has told it logged on before: the list comes with the next one.
    office.fetch()
    assert [one.number for one in office.shelf.requests()] == ["R-2"]


def test_the_end_of_day_tells_it_in_the_call_of_the_batch(office: Office) -> None:
    take(office, "R-1")
    decline(office)
    office.bench.pay()
    assert office.close_day().verdict is DayVerdict.COLLECTED
    assert state(office) is RequestState.DECLINED
    assert waiting(office) == []


def test_it_is_told_again_until_the_answer_has_come(office: Office) -> None:
    take(office, "R-1", "R-2", "R-3")
    for number in ("R-1", "R-2", "R-3"):
        decline(office, number)
    # The logon and one answer arrive; the bank has all of them by then.
    office.cut_after = 2
    office.fetch()
    assert waiting(office) == ["R-2", "R-3"]
    office.cut_after = -1
    office.bench.restart()
    office.fetch()
    assert waiting(office) == []
    with office.store.read() as books:
        steps = [len(books.requests.events(f"R-{at}")) for at in (1, 2, 3)]
    assert steps == [2, 2, 2]


def test_a_request_is_declined_once_here(office: Office) -> None:
    take(office, "R-1")
    assert decline(office)
    assert not decline(office)
    office.fetch()
    assert not decline(office)
    assert waiting(office) == []


def test_the_banks_last_word_is_kept_when_it_is_no(office: Office) -> None:
    take(office, "R-1")
    with office.store.write() as books:
        request_desk.cancel(books, ["R-1"], "bank", "sent in error", NOW)
    decline(office, "R-1")
    decline(office, "R-404")
    office.fetch()
    found = {
        number: office.bench.journal.declines.find(number)
        for number in ("R-1", "R-404")
    }
    assert {number: one.code for number, one in found.items() if one} == {
        "R-1": "94",
        "R-404": "12",
    }
    gone = found["R-1"]
    assert gone is not None
    assert gone.text == "request R-1 is cancelled; it cannot be declined any more"


def test_a_bank_that_cannot_store_now_is_told_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(terminal_id: str, report: DeclineReport, now: datetime) -> RecordAnswer:
        raise BankUnavailableError("locked")

    take(office, "R-1", "R-2")
    decline(office, "R-1")
    decline(office, "R-2")
    with monkeypatch.context() as patched:
        patched.setattr(office.bank, "take_decline", busy)
        office.fetch()
    assert waiting(office) == ["R-1", "R-2"]
    office.fetch()
    assert waiting(office) == []


def test_an_older_bank_that_does_not_know_the_message_costs_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(terminal_id: str, report: DeclineReport, now: datetime) -> RecordAnswer:
        return RecordAnswer(code=ResponseCode.FORMAT_ERROR, text="not an inquiry")

    take(office, "R-1")
    decline(office)
    monkeypatch.setattr(office.bank, "take_decline", unknown)
    result = office.fetch()
    assert result.downloads is not None
    assert result.downloads.is_complete
    assert waiting(office) == ["R-1"]


def test_a_decline_stands_in_the_audit_log_and_cannot_be_changed(
    office: Office,
) -> None:
    take(office, "R-1")
    decline(office)
    office.fetch()
    folder = office.bench.config.state_directory
    assert audit_journal(folder).is_whole
    with closing(sqlite3.connect(folder / "journal.sqlite")) as database:
        kinds = {kind for (kind,) in database.execute("SELECT kind FROM events")}
        assert {"request-declined", "decline-told"} <= kinds
        for statement in (
            "UPDATE declines SET reason = 'x'",
            "UPDATE declines SET code = '94'",
            "DELETE FROM declines",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                database.execute(statement)


def test_the_time_of_a_decline_is_the_counters(office: Office) -> None:
    take(office, "R-1")
    declined_at = office.bench.clock()
    decline(office)
    found = office.bench.journal.declines.find("R-1")
    assert found is not None
    assert abs(found.report.at - declined_at) < timedelta(seconds=1)
