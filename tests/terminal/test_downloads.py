"""What came from the bank, at the counter: kept whole, used, and told."""

from __future__ import annotations

import json
import shutil
import sqlite3
import zlib
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from modem.errors import BusyError, CallLostError, ModemError
from settlement.bank import Bank
from settlement.download import (
    RAW_BYTES_MAX,
    DownloadForm,
    DownloadKind,
    Entries,
    Held,
)
from settlement.download_codec import content_digest, make_payload, offer_head
from settlement.download_events import ChunkReceived, DownloadBegun, Downloaded
from settlement.download_items import (
    Parameters,
    PaymentRequest,
    Service,
    encode_parameters,
    encode_request,
    encode_service,
)
from settlement.intake import IntakeMachine
from settlement.issuing import Issuing
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.messages import ResponseCode
from settlement.payment import PaymentKind
from settlement.store.books import BankStore
from terminal.__main__ import terminal
from terminal.day import DayPhase, DayVerdict
from terminal.download_files import DownloadFiles, Kept
from terminal.download_shelf import CLOCK_LIMIT_DEFAULT, Shelf
from terminal.errors import (
    CardProblemCode,
    CardProblemError,
    DownloadStoreError,
    InputError,
)
from terminal.journal import audit_journal
from terminal.orders import Paid, RefusalReason, Refused
from terminal.redial import FRUITLESS_CALLS_MAX
from terminal.wording_downloads import download_lines
from tests.terminal.conftest import CONFIG_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modem.events import CallEvent
    from settlement.download import OfferHead
    from terminal.day import DayProgress, DayResult
    from tests.terminal.conftest import Bench

OMR = 512
CID = bytes.fromhex("64000000 00000001")
MID = bytes.fromhex("43555300 00000007")
NOW = datetime(2025, 11, 22, 15, 0, tzinfo=UTC)
HOTLIST = DownloadKind.HOTLIST


def cards(count: int, *more: bytes) -> dict[bytes, bytes]:
    numbers = [
        bytes.fromhex(f"6400{7919 * place * place % 10**12:012d}")
        for place in range(1, count + 1)
    ]
    return dict.fromkeys([*numbers, *more], b"")


class Office:
    """A counter, a bank that publishes, and a line that can be cut."""

    def __init__(self, bench: Bench, store: BankStore) -> None:
        self.bench = bench
        self.store = store
        self.bank = Bank(store, MasterKeyStore(TEST_MASTERS))
        self.bank_time = NOW
        self.cut_after = -1
        # The same for the first calls, one each; and what a call fails with at once.
        self.cuts: list[int] = []
        self.no_call: dict[int, ModemError] = {}
        self.calls = 0
        self.bytes_down = 0
        issuing = Issuing(store, MasterKeyStore(TEST_MASTERS), lambda: NOW)
        issuing.register_customs_card(
            mid=MID, terminal_id="T0000007", office="SOHAR", currency=OMR, kv=1
        )
        bench.dial = self.dial

    @property
    def shelf(self) -> Shelf:
        """What a program that is started now finds on the disk."""
        return Shelf(self.bench.config.state_directory)

    def publish(self, kind: DownloadKind, entries: Entries) -> None:
        with self.store.write() as books:
            books.publications.publish(kind, entries, NOW)

    def stop_cards(self, entries: Entries) -> None:
        with self.store.write() as books:
            reasons = dict.fromkeys(entries, "stolen")
            books.publications.list_cards(reasons, listed=True, since=NOW)

    def dial(self, on_event: Callable[[CallEvent], None]) -> Call:
        del on_event
        self.calls += 1
        if self.calls in self.no_call:
            raise self.no_call[self.calls]
        if self.cuts:
            self.cut_after = self.cuts.pop(0)
        return Call(self, IntakeMachine("T0000007", self.bank, bytes(16)))

    def close_day(self) -> DayResult:
        return self.bench.counter.close_day(lambda _: None)

    def fetch(self) -> DayResult:
        return self.bench.counter.fetch_downloads(lambda _: None)


class Call:
    def __init__(self, office: Office, intake: IntakeMachine) -> None:
        self._office = office
        self._intake = intake
        self._answers: list[bytes] = []
        office.bytes_down = 0

    def send(self, message: bytes) -> None:
        self._answers += self._intake.receive(message, self._office.bank_time)

    def receive(self, timeout_ms: int) -> bytes:
        if self._office.cut_after == 0:
            raise CallLostError("the line is dead")
        self._office.cut_after -= 1
        self._office.bytes_down += len(self._answers[0])
        return self._answers.pop(0)

    def close(self) -> None:
        pass


@pytest.fixture
def office(running: Bench, quick_path: Path) -> Iterator[Office]:
    with BankStore.create(quick_path / "bank.sqlite") as store:
        yield Office(running, store)


# At the counter.


def test_a_stopped_card_is_refused_before_its_pin_is_asked_for(office: Office) -> None:
    office.stop_cards(cards(100, CID))
    assert isinstance(office.bench.pay(), Paid)
    office.close_day()
    with pytest.raises(CardProblemError) as caught:
        office.bench.counter.read_purse()
    assert caught.value.code is CardProblemCode.STOPPED
    assert caught.value.message == (
        "The bank has stopped this card: it may not be used. No money moved. "
        "Keep to your office's rule for stopped cards, and call the bank."
    )


def test_a_card_is_refused_after_a_restart_too_and_served_when_it_is_let_go_on(
    office: Office,
) -> None:
    office.stop_cards({CID: b""})
    office.fetch()
    office.bench.restart()
    with pytest.raises(CardProblemError):
        office.bench.pay()
    with office.store.write() as books:
        books.publications.list_cards({CID: "found"}, listed=False, since=NOW)
    office.fetch()
    assert isinstance(office.bench.pay(), Paid)


def test_a_card_stopped_while_its_pin_is_typed_does_not_pay(office: Office) -> None:
    seen = office.bench.counter.read_purse()
    office.stop_cards({CID: b""})
    office.fetch()
    result = office.bench.pay(seen=seen)
    assert isinstance(result, Refused)
    assert result.reason is RefusalReason.CARD_STOPPED
    assert office.bench.balance() == 500_000


def test_a_stopped_card_is_noted_in_the_journal_with_its_number_masked(
    office: Office,
) -> None:
    office.stop_cards({CID: b""})
    office.fetch()
    with pytest.raises(CardProblemError):
        office.bench.counter.read_purse()
    assert noted(office, "stopped-card") == ["640000******0001"]


def noted(office: Office, kind: str) -> list[str]:
    path = office.bench.config.state_directory / "journal.sqlite"
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT detail FROM events WHERE kind = ?", (kind,))
        return [detail for (detail,) in rows]


def test_the_banks_payment_limit_holds_when_it_is_lower(office: Office) -> None:
    lower = encode_parameters(Parameters(payment_limit_minor=5_000))
    office.publish(DownloadKind.PARAMETERS, lower)
    office.fetch()
    assert office.bench.order("5.000").amount.amount_minor == 5_000
    with pytest.raises(InputError, match=r"over the limit of 5\.000 OMR"):
        office.bench.order("5.001")


def test_the_counters_own_limit_holds_when_the_banks_is_higher(office: Office) -> None:
    higher = encode_parameters(Parameters(payment_limit_minor=2_000_001))
    office.publish(DownloadKind.PARAMETERS, higher)
    office.fetch()
    with pytest.raises(InputError, match=r"over the limit of 2,000\.000 OMR"):
        office.bench.order("2000.001")


def test_services_and_requests_can_be_asked_for(office: Office) -> None:
    service = Service(code="C1", name="Copy", kind=PaymentKind.FEES, amount_minor=500)
    here, anywhere, elsewhere = (
        PaymentRequest(
            number=f"R-{place}",
            declaration=f"IMP-{place}",
            amount_minor=1_000,
            kind=PaymentKind.FEES,
            office=code,
        )
        for place, code in enumerate(("SOHAR", "", "MUSCAT"))
    )
    office.publish(DownloadKind.CATALOGUE, dict([encode_service(service)]))
    of_three = dict(encode_request(one) for one in (here, anywhere, elsewhere))
    office.publish(DownloadKind.REQUESTS, {**of_three, b"R-9": b"of a newer bank"})
    office.fetch()
    assert office.shelf.services() == [service]
    assert office.shelf.requests("SOHAR") == [here, anywhere]
    # The bank tells an office of its own requests only, and of what it cannot read.
    assert office.shelf.requests() == [here, anywhere]
    assert office.shelf.state(DownloadKind.REQUESTS).count == 3


def test_a_clock_that_is_off_is_told_in_minutes(office: Office) -> None:
    here = office.bench.clock()
    office.bank_time = here + CLOCK_LIMIT_DEFAULT + timedelta(seconds=90)
    result = office.fetch()
    assert result.downloads is not None
    (line,) = download_lines(result.downloads)
    assert line == (
        "Clock",
        "▲ This machine's clock is 3 minutes behind the bank's. Have it set right: "
        "payments carry its time.",
    )
    assert office.shelf.is_clock_off


def test_a_clock_within_the_banks_limit_is_not_told(office: Office) -> None:
    wide = encode_parameters(Parameters(clock_limit_s=600))
    office.publish(DownloadKind.PARAMETERS, wide)
    office.bank_time = office.bench.clock() - timedelta(minutes=9)
    result = office.fetch()
    assert result.downloads is not None
    assert result.downloads.clock_ahead is None
    office.bank_time = office.bench.clock() - timedelta(minutes=11)
    again = office.fetch()
    assert again.downloads is not None
    assert [name for name, _ in download_lines(again.downloads)] == ["Clock"]


# In the call.


def test_the_end_of_day_brings_what_is_new_after_the_batch(office: Office) -> None:
    office.stop_cards(cards(10_000))
    office.bench.pay()
    progress: list[DayProgress] = []
    result = office.bench.counter.close_day(progress.append)
    assert result.verdict is DayVerdict.COLLECTED
    assert result.downloads is not None
    (line,) = download_lines(replace(result.downloads, clock_ahead=None))
    assert line == (
        "Stopped cards",
        "✓ new list: 10000 cards are refused from now on",
    )
    fetching = [step for step in progress if step.phase is DayPhase.FETCHING]
    assert fetching[-1].done == fetching[-1].total > 0
    assert office.shelf.stopped_cards() == sorted(cards(10_000))


def test_ten_thousand_stopped_cards_cost_under_sixty_thousand_bytes_then_a_logon(
    office: Office,
) -> None:
    office.stop_cards(cards(10_000))
    office.fetch()
    assert 30_000 < office.bytes_down < 60_000
    office.fetch()
    assert office.bytes_down < 250


def test_a_call_cut_anywhere_ends_with_the_banks_list_and_no_batch_is_touched(
    office: Office,
) -> None:
    office.stop_cards(cards(1500))
    office.cut_after = 0
    calls = 0
    while office.shelf.stopped_cards() == []:
        office.cut_after = 3
        result = office.fetch()
        assert result.verdict is DayVerdict.NOTHING_TO_SEND
        office.bench.restart()
        calls += 1
    assert calls > 1
    assert office.shelf.stopped_cards() == sorted(cards(1500))
    state = office.shelf.state(HOTLIST)
    assert (state.version, state.count, state.unfinished_bytes) == (1, 1500, 0)


def test_a_cut_during_the_lists_leaves_the_batch_collected_and_is_told(
    office: Office,
) -> None:
    office.stop_cards(cards(3000))
    office.bench.pay()
    office.bench.counter.close_day(lambda _: None)
    office.stop_cards(cards(6000))
    office.bench.pay()
    office.cut_after = 6
    result = office.close_day()
    assert result.downloads is not None
    assert result.verdict is DayVerdict.COLLECTED
    ((name, news),) = download_lines(replace(result.downloads, clock_ahead=None))
    assert name == "Bank's lists"
    assert news.startswith("▲ The call to the bank was lost.")
    assert "the next call goes on from there" in news


@pytest.mark.parametrize("cut_after", [4, 5, 6])
def test_a_call_cut_during_the_lists_is_made_again_and_goes_on_there(
    office: Office, cut_after: int
) -> None:
    office.stop_cards(cards(6000))
    office.bench.pay()
    office.cuts = [cut_after, -1]
    progress: list[DayProgress] = []
    result = office.bench.counter.close_day(progress.append)
    assert office.calls == 2
    assert result.verdict is DayVerdict.COLLECTED
    assert len(result.batches) == 1
    assert result.downloads is not None
    assert result.downloads.is_complete
    assert [one.count for one in result.downloads.fetched] == [6000]
    assert office.shelf.stopped_cards() == sorted(cards(6000))
    again = [step.detail for step in progress if "Dialling again" in step.detail]
    assert again == [
        "The call was cut; nothing is lost. Dialling again (call 2 of at most 12)"
    ]
    done = [step.done for step in progress if step.phase is DayPhase.FETCHING]
    assert done[-1] == max(done)
    assert done.count(0) <= office.calls, "no chunk is fetched twice"


def test_each_chunk_that_comes_gives_the_line_new_credit(office: Office) -> None:
    office.stop_cards(cards(6000))
    office.cuts = [2] * (FRUITLESS_CALLS_MAX + 2) + [-1]
    result = office.fetch()
    assert result.downloads is not None
    assert result.downloads.is_complete
    assert office.calls == FRUITLESS_CALLS_MAX + 3
    assert office.shelf.stopped_cards() == sorted(cards(6000))


def test_a_line_that_brings_nothing_of_the_lists_is_given_up(office: Office) -> None:
    office.stop_cards(cards(10))
    office.cut_after = 0
    result = office.fetch()
    assert office.calls == FRUITLESS_CALLS_MAX
    assert result.downloads is not None
    assert result.downloads.trouble.startswith("The call to the bank was lost.")


def test_a_busy_line_after_a_cut_during_the_lists_leaves_the_batch_collected(
    office: Office,
) -> None:
    office.stop_cards(cards(6000))
    office.bench.pay()
    office.cuts = [5]
    office.no_call = {2: BusyError("5551234")}
    result = office.close_day()
    assert result.verdict is DayVerdict.COLLECTED
    assert [batch.collected for batch in result.batches] == [True]
    assert result.downloads is not None
    assert "busy" in result.downloads.trouble
    assert noted(office, "fetch-cut") == [result.downloads.trouble]


def test_a_bank_that_refuses_a_call_for_lists_alone_leaves_what_was_held(
    office: Office, quick_path: Path
) -> None:
    office.stop_cards(cards(10))
    office.fetch()
    with BankStore.create(quick_path / "without-terminals.sqlite") as store:
        office.bank = Bank(store, MasterKeyStore(TEST_MASTERS))
        result = office.fetch()
    assert result.downloads is not None
    assert not result.downloads.is_complete
    ((name, news),) = download_lines(replace(result.downloads, clock_ahead=None))
    assert (name, news) == (
        "Bank's lists",
        "▲ The bank gave nothing: the bank has no terminal T0000007; nothing was sent. "
        "No money moved. Call the bank and name this terminal. Those from before stay "
        "in use; the next call goes on from there.",
    )
    assert noted(office, "downloads-refused") == [ResponseCode.NOT_PERMITTED.value]
    assert office.shelf.stopped_cards() == sorted(cards(10))


def test_downloads_leave_the_audit_chain_whole(office: Office) -> None:
    office.stop_cards(cards(50))
    office.bench.pay()
    office.fetch()
    office.bench.stop()
    shutil.rmtree(office.bench.config.state_directory / "downloads")
    report = audit_journal(office.bench.config.state_directory)
    assert report.problems == ()
    assert report.entries > 5


# On the disk.


def kept(version: int, entries: Entries) -> Kept:
    held = Held(version=version, digest=content_digest(HOTLIST, entries))
    return Kept(kind=HOTLIST, held=held, at=NOW, entries=entries)


def test_a_power_cut_while_a_list_is_written_leaves_the_one_before(
    quick_path: Path,
) -> None:
    files = DownloadFiles(quick_path)
    files.write(kept(1, cards(3)))
    other = DownloadFiles(quick_path / "other")
    other.write(kept(2, cards(5)))
    whole = (quick_path / "other" / "downloads" / "hotlist").read_bytes()
    for length in range(len(whole) + 1):
        # What is there before the rename: any beginning of the new file, beside.
        (quick_path / "downloads" / "hotlist.new").write_bytes(whole[:length])
        assert files.read(HOTLIST) == kept(1, cards(3))
    files.write(kept(2, cards(5)))
    assert files.read(HOTLIST) == kept(2, cards(5))


def test_a_damaged_list_counts_as_none_and_is_fetched_again(office: Office) -> None:
    office.stop_cards(cards(3))
    office.fetch()
    path = office.bench.config.state_directory / "downloads" / "hotlist"
    whole = path.read_bytes()
    for place in range(len(whole)):
        spoiled = bytearray(whole)
        spoiled[place] ^= 0x10
        path.write_bytes(spoiled)
        assert DownloadFiles(office.bench.config.state_directory).read(HOTLIST) is None
    assert office.shelf.state(HOTLIST).is_damaged
    office.bench.restart()
    office.fetch()
    assert office.shelf.stopped_cards() == sorted(cards(3))


def unfinished(count: int) -> tuple[OfferHead, bytes]:
    form, payload = make_payload(HOTLIST, cards(count), None)
    target = Held(version=1, digest=content_digest(HOTLIST, cards(count)))
    assert form is DownloadForm.FULL
    return offer_head(form, target, payload), payload


@pytest.mark.parametrize("tail", ["cut off", "zeros", "noise"])
def test_of_a_payload_torn_by_a_power_cut_the_whole_chunks_are_kept(
    quick_path: Path, tail: str
) -> None:
    head, payload = unfinished(1500)
    files = DownloadFiles(quick_path)
    base = Held(version=0, digest=content_digest(HOTLIST, {}))
    files.begin_partial(HOTLIST, base, head)
    for start in (0, 900):
        files.add_chunk(HOTLIST, payload[start : start + 900])
    path = quick_path / "downloads" / "hotlist.partial"
    whole = path.read_bytes()
    one = whole[: len(whole) - 906]
    for length in range(len(one), len(whole)):
        rest = {
            "cut off": b"",
            "zeros": bytes(len(whole) - length),
            "noise": b"\xa5" * 300,
        }[tail]
        path.write_bytes(whole[:length] + rest)
        partial = files.resume_partial(HOTLIST)
        assert partial is not None
        assert partial.data == payload[:900]
        # What follows is written where the torn chunk stood.
        files.add_chunk(HOTLIST, payload[900:1800])
        again = files.read_partial(HOTLIST)
        assert again is not None
        assert again.data == payload[:1800]


def test_any_bytes_in_the_files_are_read_as_nothing(quick_path: Path) -> None:
    folder = quick_path / "downloads"
    folder.mkdir()
    for junk in (b"", b"RSDL", bytes(200), b"RSDL\x01\x02" + bytes(300), b"{}", b"["):
        for name in ("hotlist", "hotlist.partial", "clock"):
            (folder / name).write_bytes(junk)
        files = DownloadFiles(quick_path)
        assert files.read(HOTLIST) is None
        assert files.read_partial(HOTLIST) is None
        assert files.read_clock() is None


def test_a_list_that_cannot_be_written_is_told_and_the_one_before_stays(
    office: Office,
) -> None:
    office.stop_cards(cards(3))
    office.fetch()
    folder = office.bench.config.state_directory / "downloads"
    (folder / "hotlist.partial.new").mkdir()
    office.stop_cards(cards(6))
    result = office.fetch()
    assert result.downloads is not None
    assert result.downloads.trouble == "What came could not be kept: Is a directory."
    assert office.shelf.stopped_cards() == sorted(cards(3))


def test_a_shelf_that_cannot_write_a_content_goes_on_with_the_one_before(
    quick_path: Path,
) -> None:
    shelf = Shelf(quick_path)
    before = kept(1, cards(3))
    shelf.put(downloaded(before), NOW)
    (quick_path / "downloads" / "hotlist.new").mkdir()
    with pytest.raises(DownloadStoreError):
        shelf.put(downloaded(kept(2, cards(5))), NOW)
    assert shelf.stopped_cards() == sorted(cards(3))


def downloaded(content: Kept) -> Downloaded:
    return Downloaded(
        kind=content.kind,
        held=content.held,
        entries=content.entries,
        form=DownloadForm.FULL,
        payload_bytes=1,
    )


def test_the_files_can_be_read_by_their_owner_only(office: Office) -> None:
    office.stop_cards(cards(3))
    office.fetch()
    folder = office.bench.config.state_directory / "downloads"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


# The command.


def run_command(folder: Path, *arguments: str) -> tuple[int, str]:
    path = folder / "terminal.toml"
    path.write_text(CONFIG_TEXT)
    done = CliRunner().invoke(
        terminal, ["downloads", "--config", str(path), *arguments]
    )
    return done.exit_code, done.stdout


def test_the_command_shows_versions_counts_and_lists_with_cards_masked(
    office: Office,
) -> None:
    office.stop_cards({CID: b""})
    office.fetch()
    code, text = run_command(office.bench.folder, "--json", "--list", "hotlist")
    shown = json.loads(text)
    assert code == 0
    assert [one["kind"] for one in shown["downloads"]] == [
        kind.name.lower() for kind in DownloadKind
    ]
    assert (shown["downloads"][1]["version"], shown["downloads"][1]["count"]) == (1, 1)
    assert shown["downloads"][0]["fetched_at"] is None
    assert shown["entries"] == [{"card": "640000******0001"}]
    code, text = run_command(office.bench.folder, "--list", "hotlist")
    assert code == 0
    assert "Services: never fetched" in text
    assert "Stopped cards: version 1, 1 entries, fetched" in text
    assert text.splitlines()[-1] == "  640000******0001"
    assert CID.hex() not in text


def test_the_command_on_a_new_counter_says_that_nothing_was_fetched(
    quick_path: Path,
) -> None:
    code, text = run_command(quick_path)
    assert code == 0
    assert text.count("never fetched") == 4
    assert "Clock: not compared with the bank's yet" in text


def test_what_was_begun_is_kept_and_told(quick_path: Path) -> None:
    head, payload = unfinished(1500)
    base = Held(version=0, digest=content_digest(HOTLIST, {}))
    shelf = Shelf(quick_path / "state")
    shelf.begin(DownloadBegun(kind=HOTLIST, base=base, head=head))
    chunk = payload[:900]
    shelf.add(
        ChunkReceived(kind=HOTLIST, data=chunk, done=900, total=head.payload_bytes)
    )
    _, text = run_command(quick_path)
    assert "Stopped cards: never fetched; 900 bytes of a newer one" in text


# What the files say of themselves.


def with_sum(body: bytes) -> bytes:
    return body + zlib.crc32(body).to_bytes(4, "big")


def test_a_list_whose_entries_are_not_those_of_its_digest_counts_as_none(
    quick_path: Path,
) -> None:
    files = DownloadFiles(quick_path)
    other = Held(version=1, digest=content_digest(HOTLIST, cards(4)))
    files.write(replace(kept(1, cards(3)), held=other))
    assert files.read(HOTLIST) is None
    assert files.is_damaged(HOTLIST)


def test_a_list_that_ends_anywhere_and_has_a_sum_all_the_same_counts_as_none(
    quick_path: Path,
) -> None:
    files = DownloadFiles(quick_path)
    files.write(kept(1, cards(3)))
    path = quick_path / "downloads" / "hotlist"
    body = path.read_bytes()[:-4]
    for length in range(len(body)):
        path.write_bytes(with_sum(body[:length]))
        assert files.read(HOTLIST) is None
    path.write_bytes(with_sum(body))
    assert files.read(HOTLIST) == kept(1, cards(3))


def test_a_list_of_another_form_or_kind_or_of_no_time_counts_as_none(
    quick_path: Path,
) -> None:
    files = DownloadFiles(quick_path)
    files.write(kept(1, cards(3)))
    path = quick_path / "downloads" / "hotlist"
    body = path.read_bytes()[:-4]
    for start, other in ((4, b"\x02"), (5, b"\x03"), (42, b"\xff" * 8)):
        path.write_bytes(with_sum(body[:start] + other + body[start + len(other) :]))
        assert files.read(HOTLIST) is None


def test_a_list_longer_than_any_counts_as_none(quick_path: Path) -> None:
    files = DownloadFiles(quick_path)
    files.write(kept(1, cards(3)))
    path = quick_path / "downloads" / "hotlist"
    body = path.read_bytes()[:-4]
    path.write_bytes(with_sum(body + bytes(RAW_BYTES_MAX)))
    assert files.read(HOTLIST) is None


def test_what_was_begun_of_another_form_or_kind_or_length_counts_as_none(
    quick_path: Path,
) -> None:
    head, payload = unfinished(1500)
    files = DownloadFiles(quick_path)
    base = Held(version=0, digest=content_digest(HOTLIST, {}))
    files.begin_partial(HOTLIST, base, head)
    files.add_chunk(HOTLIST, payload[:900])
    path = quick_path / "downloads" / "hotlist.partial"
    whole = path.read_bytes()
    end = len(whole) - 906
    header, rest = whole[: end - 4], whole[end:]
    form, length = 6 + 36, len(header) - 4
    strange = [(4, b"\x02"), (5, b"\x03"), (form, b"\x09"), (length, bytes(4))]
    for start, other in strange:
        spoiled = header[:start] + other + header[start + len(other) :]
        path.write_bytes(with_sum(spoiled) + rest)
        assert files.read_partial(HOTLIST) is None
    for shorter in range(len(header)):
        path.write_bytes(with_sum(header[:shorter]))
        assert files.read_partial(HOTLIST) is None
    path.write_bytes(with_sum(header) + rest)
    assert files.read_partial(HOTLIST) is not None


def test_nothing_is_read_after_a_short_chunk_an_empty_one_or_a_wrong_sum(
    quick_path: Path,
) -> None:
    head, payload = unfinished(1500)
    files = DownloadFiles(quick_path)
    base = Held(version=0, digest=content_digest(HOTLIST, {}))
    whole, other = payload[:900], payload[900:1800]

    def chunk(data: bytes) -> bytes:
        return len(data).to_bytes(2, "big") + with_sum(data)

    wrong = bytearray(chunk(whole))
    wrong[-1] ^= 1
    for chunks, left in (
        (chunk(whole) + chunk(other), whole + other),
        (chunk(whole[:899]) + chunk(other), whole[:899]),
        (chunk(whole) + chunk(b"") + chunk(other), whole),
        (chunk(whole) + chunk(whole + b"x") + chunk(other), whole),
        (bytes(wrong) + chunk(other), b""),
    ):
        files.begin_partial(HOTLIST, base, head)
        with (quick_path / "downloads" / "hotlist.partial").open("ab") as file:
            file.write(chunks)
        partial = files.read_partial(HOTLIST)
        assert partial is not None
        assert partial.data == left
