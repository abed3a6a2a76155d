"""What each office's counters are told: their own requests, and only what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from settlement import request_desk, service_catalogue
from settlement.download import DownloadForm, DownloadKind, DownloadQuery
from settlement.download_codec import apply_payload, content_digest, nothing_held
from settlement.download_items import PaymentRequest, encode_request, parse_request
from settlement.errors import InputError
from settlement.messages import TerminalVersions
from settlement.payment import PaymentKind
from settlement.payment_requests import counter_item
from settlement.store import request_publications
from tests.settlement.conftest import OMR, START, TERMINAL
from tests.settlement.requests.conftest import RequestDesk, request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settlement.download import Held, Offer

REQUESTS = DownloadKind.REQUESTS
MUSCAT = "T0000008"
DATABASES = ("sqlite", "postgresql")


class Shelf:
    """What the counters of one terminal hold."""

    def __init__(self, requests: RequestDesk, terminal: str = TERMINAL) -> None:
        self._bank = requests.desk.bank
        self._terminal = terminal
        self.held: Held = nothing_held(REQUESTS)
        self.entries: Mapping[bytes, bytes] = {}

    def call(self) -> Offer:
        query = DownloadQuery(kind=REQUESTS, held=self.held)
        offer = self._bank.download(query, self._terminal)
        if offer.head is not None:
            head, payload = offer.head, offer.payload
            self.entries = apply_payload(REQUESTS, head, payload, self.entries)
            self.held = head.target
        return offer

    def numbers(self) -> list[str]:
        return sorted(key.decode() for key in self.entries)


@pytest.fixture
def muscat(requests: RequestDesk) -> str:
    requests.desk.issuing.register_customs_card(
        mid=b"MUSCAT07", terminal_id=MUSCAT, office="MUSCAT", currency=OMR, kv=1
    )
    return MUSCAT


def test_each_office_is_told_of_its_own_requests(
    requests: RequestDesk, muscat: str
) -> None:
    requests.take(request("R-1"), request("R-2", office="MUSCAT"), request("R-3"))
    sohar, there = Shelf(requests), Shelf(requests, muscat)
    sohar.call()
    there.call()
    assert sohar.numbers() == ["R-1", "R-3"]
    assert there.numbers() == ["R-2"]
    told = parse_request(b"R-1", sohar.entries[b"R-1"])
    assert told == counter_item(request("R-1"))
    assert [line.amount_minor for line in told.lines] == [1_000, 500]


def test_a_change_comes_as_a_difference_and_another_offices_as_nothing(
    requests: RequestDesk, muscat: str
) -> None:
    requests.take(*(request(f"R-{at:03d}") for at in range(100)))
    sohar, there = Shelf(requests), Shelf(requests, muscat)
    sohar.call()
    requests.take(request("M-1", office="MUSCAT"))
    before = requests.desk.bank.logon(TERMINAL, TerminalVersions(), START)
    assert before.versions.requests == sohar.held.version
    requests.take(request("R-NEW"))
    offer = sohar.call()
    assert offer.head is not None
    assert offer.head.form is DownloadForm.DELTA
    assert len(offer.payload) < 250
    assert len(sohar.entries) == 101
    there.call()
    assert there.numbers() == ["M-1"]


def test_the_logon_tells_each_office_its_own_version_and_digest(
    requests: RequestDesk, muscat: str
) -> None:
    requests.take(request("R-1"))
    requests.take(request("R-2", office="MUSCAT"))
    for terminal in (TERMINAL, muscat):
        shelf = Shelf(requests, terminal)
        shelf.call()
        told = requests.desk.bank.logon(terminal, TerminalVersions(), START)
        assert told.versions.requests == shelf.held.version
        assert told.digests[24:] == shelf.held.digest[:8]


def test_a_terminal_that_moves_is_told_all_of_its_new_office(
    requests: RequestDesk, muscat: str
) -> None:
    requests.take(request("R-1"), request("R-2", office="MUSCAT"))
    moved = Shelf(requests, muscat)
    sohar = Shelf(requests)
    sohar.call()
    moved.held, moved.entries = sohar.held, sohar.entries
    moved.call()
    assert moved.numbers() == ["R-2"]


def test_what_is_paid_declined_or_cancelled_is_taken_off(requests: RequestDesk) -> None:
    requests.take(*(request(f"R-{at}") for at in range(4)))
    shelf = Shelf(requests)
    shelf.call()
    requests.pay("R-0")
    requests.desk.send()
    requests.decline("R-1")
    with requests.desk.store.write() as books:
        request_desk.cancel(books, ["R-2"], "bank", "", START)
    shelf.call()
    assert shelf.numbers() == ["R-3"]


def test_any_version_is_read_the_same_with_snapshots_as_from_the_beginning(
    requests: RequestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def history() -> list[bytes]:
        """A digest for each version."""
        with requests.desk.store.read() as books:
            newest = books.request_lists.newest("SOHAR")
            return [
                content_digest(REQUESTS, books.request_lists.entries("SOHAR", version))
                for version in range(1, newest + 1)
            ]

    monkeypatch.setattr(request_publications, "SNAPSHOT_ROWS_MIN", 5)
    expected: dict[bytes, bytes] = {}
    digests = []
    with requests.desk.store.write() as books:
        for at in range(40):
            number, gone = f"R-{at}", f"R-{at - 7}"
            changes: dict[str, bytes | None] = {number: b"%d" % at}
            expected[number.encode()] = b"%d" % at
            if at % 3 == 0 and at > 7:
                changes[gone] = None
                expected.pop(gone.encode(), None)
            books.request_lists.publish("SOHAR", changes, START)
            digests.append(content_digest(REQUESTS, expected))
    assert history() == digests
    requests.desk.tamper("DELETE FROM request_snapshot")
    assert history() == digests


def test_a_call_reads_no_more_than_the_snapshot_and_what_came_after(
    requests: RequestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_publications, "SNAPSHOT_ROWS_MIN", 10)
    with requests.desk.store.write() as books:
        for at in range(200):
            changes: dict[str, bytes | None] = {f"R-{at}": b"x"}
            if at >= 5:
                changes[f"R-{at - 5}"] = None
            books.request_lists.publish("SOHAR", changes, START)
    # What is older than the newest snapshot is gone, and nobody misses it.
    requests.desk.tamper(
        "DELETE FROM request_published WHERE version <="
        " (SELECT max(version) FROM request_snapshot)"
    )
    assert requests.offered() == [f"R-{at}" for at in range(195, 200)]


def test_the_published_file_is_told_beside_the_requests_that_the_bank_follows(
    requests: RequestDesk, muscat: str
) -> None:
    listed = [
        PaymentRequest(
            number=f"L-{place}",
            declaration="IMP-9",
            amount_minor=5,
            kind=PaymentKind.FEES,
            office=office,
        )
        for place, office in enumerate(("", "SOHAR", "MUSCAT"))
    ]
    shelf, there = Shelf(requests), Shelf(requests, muscat)
    requests.take(request("R-1"))
    for count in (1, 2, 3):
        with requests.desk.store.write() as books:
            entries = dict(encode_request(one) for one in listed[:count])
            books.publications.publish(REQUESTS, entries, START)
        shelf.call()
        there.call()
    assert shelf.numbers() == ["L-0", "L-1", "R-1"]
    assert there.numbers() == ["L-0", "L-2"]
    # A payment that names one of the file is none that nobody knows.
    requests.pay("L-1")
    requests.desk.send()
    assert requests.desk.incidents() == []


def test_more_than_a_counter_can_fetch_is_refused(
    requests: RequestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_catalogue, "PAYLOAD_BYTES_MAX", 300)
    with pytest.raises(InputError, match=r"SOHAR would have 60 open requests"):
        requests.take(*(request(f"R-{at}") for at in range(60)))
    assert requests.offered() == []
