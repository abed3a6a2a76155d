"""What comes whole and cannot be used comes once, and not again while the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from settlement.download import DownloadForm, DownloadKind, DownloadQuery, Offer
from settlement.download_codec import make_payload, offer_head
from settlement.download_events import ChunkReceived, Downloaded, DownloadFailed
from settlement.download_machine import DownloadPhase
from settlement.errors import BankUnavailableError
from settlement.messages import TerminalVersions
from settlement.terminal_call import Session
from tests.settlement.downloads.conftest import HOTLIST, KEY, Counter, PublishingBank

if TYPE_CHECKING:
    from settlement.download import Entries

PARAMETERS = DownloadKind.PARAMETERS
RULES = {b"clock-limit-s": b"60"}


def cards(count: int, first: int = 1) -> dict[bytes, bytes]:
    numbers = range(first, first + count)
    return {bytes.fromhex(f"6400{7919 * n * n % 10**12:012d}"): b"" for n in numbers}


class Spoiling(PublishingBank):
    """A bank whose hotlist leads elsewhere than it says."""

    spoiled: frozenset[DownloadForm] = frozenset({DownloadForm.FULL})

    def download(self, query: DownloadQuery, terminal_id: str) -> Offer:
        offer = super().download(query, terminal_id)
        head = offer.head
        if query.kind is not HOTLIST or head is None or head.form not in self.spoiled:
            return offer
        base: Entries = {} if head.form is DownloadForm.FULL else cards(1200)
        form, payload = make_payload(HOTLIST, cards(1200, 7), base)
        wrong = offer_head(head.form, head.target, payload)
        assert form is head.form
        return Offer(version=offer.version, head=wrong, payload=payload)


@pytest.fixture
def spoiling(bank: PublishingBank) -> Spoiling:
    other = Spoiling(bank.tables)
    other.publish(PARAMETERS, RULES)
    other.publish(HOTLIST, cards(1000))
    return other


def failure(counter: Counter) -> DownloadFailed:
    (failed,) = counter.told(DownloadFailed)
    assert isinstance(failed, DownloadFailed)
    return failed


def fetched(counter: Counter) -> int:
    """The chunks of the hotlist that came in this call."""
    chunks = counter.told(ChunkReceived)
    return sum(isinstance(o, ChunkReceived) and o.kind is HOTLIST for o in chunks)


def test_all_of_it_that_came_in_this_call_is_not_fetched_a_second_time(
    spoiling: Spoiling, counter: Counter
) -> None:
    counter.call(spoiling)
    head = failure(counter).head
    assert head is not None
    assert fetched(counter) == head.chunks > 1
    assert head.target.version == 1
    assert counter.entries() == {}
    assert counter.entries(PARAMETERS) == RULES


def test_all_of_it_for_one_who_holds_something_is_not_fetched_a_second_time(
    spoiling: Spoiling, counter: Counter
) -> None:
    spoiling.spoiled = frozenset()
    counter.call(spoiling)
    spoiling.spoiled = frozenset({DownloadForm.FULL})
    spoiling.publish(HOTLIST, cards(1000, 5000))
    counter.call(spoiling)
    head = failure(counter).head
    assert head is not None
    assert head.form is DownloadForm.FULL
    assert fetched(counter) == head.chunks > 1
    assert counter.entries() == cards(1000)


def test_a_difference_that_leads_elsewhere_is_made_up_for_by_all_of_it(
    spoiling: Spoiling, counter: Counter
) -> None:
    spoiling.spoiled = frozenset()
    spoiling.publish(HOTLIST, cards(1200))
    counter.call(spoiling)
    spoiling.spoiled = frozenset({DownloadForm.DELTA})
    spoiling.publish(HOTLIST, cards(1201))
    counter.call(spoiling)
    assert counter.told(DownloadFailed) == []
    assert counter.entries() == cards(1201)


def test_what_was_kept_from_an_earlier_call_is_fetched_a_second_time(
    spoiling: Spoiling, counter: Counter
) -> None:
    counter.call(spoiling, cut_after=6)
    assert counter.stocks[HOTLIST].partial is not None
    kept = fetched(counter)
    counter.call(spoiling)
    head = failure(counter).head
    assert head is not None
    # The rest of it, and then once more from its beginning, for what was kept may be
    # what is spoiled.
    assert 0 < kept < head.chunks
    assert fetched(counter) == head.chunks - kept + head.chunks


def put_off(counter: Counter) -> None:
    """What a terminal does with a failure."""
    head = failure(counter).head
    assert head is not None
    counter.stocks[HOTLIST] = replace(counter.stocks[HOTLIST], failed=head.target)


def test_what_failed_is_not_asked_for_in_a_later_call_and_the_rest_is(
    spoiling: Spoiling, counter: Counter
) -> None:
    counter.call(spoiling)
    put_off(counter)
    other = {b"clock-limit-s": b"90"}
    spoiling.publish(PARAMETERS, other)
    spoiling.questions.clear()
    counter.call(spoiling)
    assert [query.kind for query in spoiling.questions] == [PARAMETERS]
    assert counter.entries(PARAMETERS) == other
    assert counter.told(DownloadFailed) == []


def test_another_content_than_what_failed_is_fetched(
    spoiling: Spoiling, counter: Counter
) -> None:
    counter.call(spoiling)
    put_off(counter)
    spoiling.spoiled = frozenset()
    spoiling.publish(HOTLIST, cards(1100))
    counter.call(spoiling)
    assert counter.entries() == cards(1100)
    assert [type(one) for one in counter.told(Downloaded)] == [Downloaded]


@pytest.mark.parametrize(
    ("version", "digest", "is_put_off"),
    [(1, "same", True), (1, "other", False), (2, "same", False), (1, "none", True)],
)
def test_what_failed_is_known_by_its_version_and_its_digest(
    spoiling: Spoiling, counter: Counter, version: int, digest: str, is_put_off: bool
) -> None:
    counter.call(spoiling)
    put_off(counter)
    failed = counter.stocks[HOTLIST].failed
    assert failed is not None
    held = {kind: one.held for kind, one in counter.stocks.items()}
    versions = TerminalVersions.of_held(
        {**held, HOTLIST: replace(failed, version=version)}
    )
    told = {
        "same": failed.digest[:8],
        "other": bytes(8),
        "none": b"",
    }[digest]
    digests = held[PARAMETERS].digest[:8] + told
    session = Session(key=KEY, versions=versions, digests=digests)
    machine = counter.machine(session)
    assert machine.put_off == ((HOTLIST,) if is_put_off else ())
    assert machine.finished is is_put_off
    assert (machine.phase is DownloadPhase.ASKING) is not is_put_off


def test_what_the_bank_refuses_is_no_payload_that_failed(
    spoiling: Spoiling, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_query: DownloadQuery, terminal_id: str) -> Offer:
        raise BankUnavailableError("not just now")

    monkeypatch.setattr(spoiling, "download", fail)
    counter.call(spoiling)
    assert {one.head for one in counter.told(DownloadFailed)} == {None}  # type: ignore[union-attr]  # of this kind
