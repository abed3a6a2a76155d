"""A list that cannot be used is fetched once a day, not with every call."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from settlement.bank import Bank
from settlement.download import DownloadForm, DownloadKind, Held, Offer
from settlement.download_codec import content_digest, make_payload, offer_head
from terminal.day import DayVerdict
from terminal.download_failures import (
    RETRY_AFTER,
    FailureNote,
    note_failure,
    parse_failure,
)
from terminal.download_files import DownloadFiles
from terminal.download_shelf import Shelf
from terminal.wording_downloads import download_lines
from tests.terminal.test_downloads import (
    HOTLIST,
    NOW,
    Office,
    cards,
    downloaded,
    kept,
    noted,
    office,
    run_command,
)

if TYPE_CHECKING:
    from pathlib import Path

    from settlement.download import DownloadQuery, OfferHead
    from terminal.day import DayResult
    from terminal.downloads import DownloadsResult

__all__ = ["office"]

A_MINUTE = timedelta(minutes=1)


@pytest.fixture
def spoiled(office: Office, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An office whose bank sends a hotlist that leads elsewhere than it says."""
    right = Bank.download

    def download(bank: Bank, query: DownloadQuery, terminal_id: str) -> Offer:
        offer = right(bank, query, terminal_id)
        if query.kind is not HOTLIST or offer.head is None:
            return offer
        payload = make_payload(HOTLIST, cards(2000), None)[1]
        head = offer_head(DownloadForm.FULL, offer.head.target, payload)
        return Offer(version=offer.version, head=head, payload=payload)

    monkeypatch.setattr(Bank, "download", download)
    office.stop_cards(cards(1990))
    return office


def brought(result: DayResult) -> DownloadsResult:
    assert result.downloads is not None
    return replace(result.downloads, clock_ahead=None)


def test_a_list_that_cannot_be_used_is_fetched_once_and_then_left_at_the_bank(
    spoiled: Office,
) -> None:
    first = brought(spoiled.fetch())
    assert spoiled.bytes_down > 7_000
    (unusable,) = first.unusable
    assert (unusable.kind, unusable.came, unusable.note.times) == (HOTLIST, True, 1)
    assert not first.is_complete
    for _ in range(3):
        spoiled.bench.restart()
        again = brought(spoiled.fetch())
        assert spoiled.bytes_down < 300
        assert [(one.came, one.note.times) for one in again.unusable] == [(False, 1)]
        assert not again.is_complete
        assert again.trouble == ""
    assert len(noted(spoiled, "download-failed")) == 1
    assert noted(spoiled, "download-put-off") == ["hotlist version 1"] * 3


def test_the_operator_is_told_what_cannot_be_used_and_when_it_is_tried_again(
    spoiled: Office,
) -> None:
    first, second = (brought(spoiled.fetch()) for _ in range(2))
    for result in (first, second):
        ((name, news),) = download_lines(result)
        assert name == "Stopped cards"
        assert news.startswith(
            "▲ what the bank sends cannot be used (the content has another digest than "
            "the bank said); it came 1 time, last at "
        )
        assert "Those from before stay in use. Tell the bank." in news
    ((_, news),) = download_lines(second)
    state = spoiled.shelf.state(HOTLIST)
    assert state.failure is not None
    assert f"{state.failure.again_at.astimezone():%Y-%m-%d %H:%M}" in news
    _, text = run_command(spoiled.bench.folder)
    assert news in text
    _, text = run_command(spoiled.bench.folder, "--json")
    shown = json.loads(text)["downloads"][1]["unusable"]
    assert (shown["version"], shown["times"]) == (1, 1)


def test_it_is_tried_again_after_a_day_and_counted(spoiled: Office) -> None:
    spoiled.fetch()
    at = spoiled.shelf.state(HOTLIST).failure
    assert at is not None
    now = at.at + RETRY_AFTER - A_MINUTE
    spoiled.bench.clock.now = now
    spoiled.fetch()
    assert spoiled.bytes_down < 300
    spoiled.bench.clock.now = now + A_MINUTE
    (unusable,) = brought(spoiled.fetch()).unusable
    assert spoiled.bytes_down > 7_000
    assert (unusable.came, unusable.note.times) == (True, 2)
    ((_, news),) = download_lines(brought(spoiled.fetch()))
    assert "it came 2 times" in news


def test_what_the_bank_publishes_next_is_fetched_at_once_and_the_note_is_gone(
    spoiled: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoiled.fetch()
    monkeypatch.undo()
    spoiled.stop_cards({bytes.fromhex("6499000000000001"): b""})
    result = brought(spoiled.fetch())
    assert result.is_complete
    assert len(spoiled.shelf.stopped_cards()) == 1991
    assert spoiled.shelf.state(HOTLIST).failure is None
    folder = spoiled.bench.config.state_directory / "downloads"
    assert not (folder / "hotlist.failed").exists()


def test_a_call_that_is_made_again_does_not_fetch_it_again_and_tells_of_it_once(
    spoiled: Office,
) -> None:
    requests = {b"R-%d" % number: b"{}" * number for number in range(300)}
    spoiled.publish(DownloadKind.REQUESTS, requests)
    # The logon, all 8 chunks of the hotlist, and the first ones of the requests.
    spoiled.cuts = [11, -1]
    result = brought(spoiled.fetch())
    assert spoiled.calls == 2
    (unusable,) = result.unusable
    assert (unusable.came, unusable.note.times) == (True, 1)
    assert [one.kind for one in result.fetched] == [DownloadKind.REQUESTS]
    assert len(noted(spoiled, "download-failed")) == 1
    assert result.trouble == ""


def test_a_batch_is_collected_while_a_list_cannot_be_used(spoiled: Office) -> None:
    for _ in range(2):
        spoiled.bench.pay()
        result = spoiled.close_day()
        assert result.verdict is DayVerdict.COLLECTED
        assert len(brought(result).unusable) == 1


def test_a_note_that_cannot_be_written_is_told_and_fetches_it_again(
    spoiled: Office,
) -> None:
    spoiled.fetch()
    folder = spoiled.bench.config.state_directory / "downloads"
    (folder / "hotlist.failed").unlink()
    (folder / "hotlist.failed.new").mkdir()
    result = brought(spoiled.fetch())
    assert result.trouble == "What came could not be kept: Is a directory."
    assert not result.is_complete


# The note.


def head(version: int, count: int = 3) -> OfferHead:
    target = Held(version=version, digest=content_digest(HOTLIST, cards(count)))
    return offer_head(DownloadForm.FULL, target, b"payload")


def note(times: int = 1) -> FailureNote:
    found: FailureNote | None = None
    for _ in range(times):
        found = note_failure(found, head(4), "spoiled", NOW)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("after", "is_due"),
    [
        (timedelta(0), False),
        (RETRY_AFTER - timedelta(seconds=1), False),
        (RETRY_AFTER, True),
        (timedelta(seconds=-1), True),
    ],
)
def test_a_day_later_it_is_due_and_when_the_clock_was_set_back(
    after: timedelta, is_due: bool
) -> None:
    assert note().is_due(NOW + after) is is_due


def test_the_same_content_is_counted_and_another_one_begins_anew() -> None:
    assert note(times=3).times == 3
    assert note_failure(note(times=3), head(5), "spoiled", NOW).times == 1
    assert note_failure(note(times=3), head(4, count=9), "spoiled", NOW).times == 1


def test_a_note_is_read_back_as_it_was(quick_path: Path) -> None:
    files = DownloadFiles(quick_path)
    files.write_failure(HOTLIST, note(times=2))
    assert files.read_failure(HOTLIST) == note(times=2)
    assert files.read_failure(DownloadKind.REQUESTS) is None
    path = quick_path / "downloads" / "hotlist.failed"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_note_of_what_is_in_use_by_now_is_none(quick_path: Path) -> None:
    shelf = Shelf(quick_path)
    shelf.note_failure(HOTLIST, head(1), "spoiled", NOW)
    assert shelf.failure(HOTLIST) is not None
    data = (quick_path / "downloads" / "hotlist.failed").read_bytes()
    shelf.put(downloaded(kept(1, cards(3))), NOW)
    # As after a power cut between the two files.
    (quick_path / "downloads" / "hotlist.failed").write_bytes(data)
    assert Shelf(quick_path).failure(HOTLIST) is None


GOOD = json.loads(note().to_bytes())


@pytest.mark.parametrize(
    "change",
    [
        {"version": -1},
        {"version": 1 << 32},
        {"version": True},
        {"version": 1.0},
        {"digest": "00"},
        {"digest": "zz" * 32},
        {"digest": None},
        {"payload": "00" * 9},
        {"times": 0},
        {"times": 10**9},
        {"times": "1"},
        {"at": "yesterday"},
        {"at": "9999-12-31T23:59:59+00:00"},
        {"at": 5},
        {"reason": 5},
        {"reason": "\x1b[2J"},
        {"reason": "\u202e"},
        {"reason": "x" * 301},
    ],
)
def test_a_note_with_anything_wrong_is_none(change: dict[str, object]) -> None:
    assert parse_failure(json.dumps(GOOD | change).encode()) is None
    assert parse_failure(json.dumps(GOOD).encode()) == note()


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"5", b"\xff", b"[" * 2000, b"9" * 2000]
)
def test_any_bytes_are_no_note(quick_path: Path, data: bytes) -> None:
    files = DownloadFiles(quick_path)
    files.write_failure(HOTLIST, note())
    (quick_path / "downloads" / "hotlist.failed").write_bytes(data)
    assert files.read_failure(HOTLIST) is None


def test_a_note_tells_its_time_in_utc() -> None:
    east = NOW.astimezone().replace(microsecond=5)
    found = note_failure(None, head(1), "spoiled", east)
    assert found.at == datetime(2025, 11, 22, 15, 0, tzinfo=UTC)
