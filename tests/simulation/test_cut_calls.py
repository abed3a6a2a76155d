"""A call that is cut anywhere: the batch is posted once, and nothing is sent twice.

The whole session is cut after every so many bytes in turn, TLS and link included, and
another call follows. ``RASEED_CUT_STEP=1`` cuts at every byte; 100 unless given.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.virtual_call import CallReport, Ends, VirtualLine, new_ends, upload_once
from settlement import iso8583
from settlement.bank import Bank
from settlement.check.bank import check_bank
from settlement.clearing import IncidentCode
from settlement.detail_groups import GROUP_PAYMENTS_MAX, payments_of
from settlement.intake import IntakeMachine
from settlement.issuing import Issuing
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.ledger import Account, payee_account
from settlement.message_parser import parse_request
from settlement.messages import BatchHeader, GroupRequest, ResponseCode
from settlement.payment import PaymentKind
from settlement.store.books import BankStore
from settlement.store.cards import PurseRow
from settlement.upload import (
    WINDOW_DEFAULT,
    Collected,
    Progress,
    RecordRefused,
    UploadMachine,
)
from settlement.upload_pace import GROUP_PAYMENTS_SMALLEST, UploadPace
from sim.modems.line import LineSettings
from sim.nation.customs_day import MID, OFFICE, OMR, TERMINAL, close_of, draw_day
from terminal.redial import FRUITLESS_CALLS_MAX, Redial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from settlement.payment import BatchToUpload

NOW = datetime(2025, 11, 22, 15, 0, tzinfo=UTC)
PAYMENTS = 40
GROUP = 8
FORGED = frozenset({4, 29})
"""Payments, from 0, whose TACs are wrong: what became of them has to be told."""
CUT_STEP = int(os.environ.get("RASEED_CUT_STEP", "100"))
CALLS_MAX = 40
DAYS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A bank as it was founded, to be copied, and a batch that it does not have."""

    bank: Path
    keys: MasterKeyStore
    batch: BatchToUpload
    ends: Ends


class Bench:
    """A bank of its own, and the calls that one batch takes."""

    def __init__(self, site: Site, store: BankStore) -> None:
        self._site = site
        self.store = store
        self._bank = Bank(store, site.keys)
        self.reports: list[CallReport] = []

    def call(
        self,
        cut_after_bytes: int | None = None,
        *,
        window: int = WINDOW_DEFAULT,
        pace: UploadPace | None = None,
    ) -> CallReport:
        """One call with the batch."""
        number = len(self.reports)
        upload = UploadMachine(
            self._site.batch,
            stan_start=1,
            window=window,
            pace=pace or UploadPace(largest=GROUP),
        )
        report = upload_once(
            upload,
            IntakeMachine(TERMINAL, self._bank, number.to_bytes(16, "big")),
            ends=self._site.ends,
            now=NOW + timedelta(minutes=number),
            line=VirtualLine(
                settings=LineSettings(), seed=number, cut_after_bytes=cut_after_bytes
            ),
        )
        self.reports.append(report)
        return report

    def end_of_day(self, cut_after_bytes: int, pace: UploadPace) -> bool:
        """Calls, all cut, as `terminal.day_calls` makes them; whether one ends."""
        redial = Redial()
        known = 0
        while True:
            redial.call_begins()
            before = self.held()
            report = self.call(cut_after_bytes, pace=pace)
            assert not before & set(places_sent(report, self._site.batch))
            if report.finished_ms is not None:
                return True
            told = [e.answered for e in report.events if isinstance(e, Progress)]
            if max(told, default=0) > known:
                known = max(told)
                redial.bank_confirmed()
            pace.call_cut(fruitless=redial.call_is_fruitless)
            if not redial.goes_on_after_cut():
                return False

    def held(self) -> set[int]:
        """Places of the payments that the bank holds."""
        with self.store.read() as books:
            records = books.records.records(BatchHeader.of(self._site.batch))
        return {row.payment.sequence for row in records}

    def assert_posted_once(self) -> None:
        """The whole batch is there, once, and the terminal knows."""
        batch = self._site.batch
        posted_minor = sum(
            payment.tx.amount_minor
            for place, payment in enumerate(batch.payments)
            if place not in FORGED
        )
        ended = self.reports[-1].events[-1]
        assert isinstance(ended, Collected)
        assert (ended.posted_count, ended.posted_sum) == (
            PAYMENTS - len(FORGED),
            posted_minor,
        )
        assert ended.suspended.count == len(FORGED)
        with self.store.read() as books:
            codes = [row.code for row in books.batches.incidents()]
            balances = [
                books.ledger.balance_minor(payee_account(kind, OFFICE, OMR))
                for kind in PaymentKind
            ]
        assert codes == [IncidentCode.TAC_WRONG] * len(FORGED)
        assert sum(balances) == posted_minor
        report = check_bank(self.store, self._site.keys)
        assert report.findings == ()
        assert (report.payments, report.batches) == (PAYMENTS - len(FORGED), 1)


def groups_sent(report: CallReport, batch: BatchToUpload) -> list[list[int]]:
    """The places of the payments in each group that went up."""
    requests = [parse_request(iso8583.decode(message)) for message in report.sent]
    return [
        [payment.sequence for payment in payments_of(request, BatchHeader.of(batch))]
        for request in requests
        if isinstance(request, GroupRequest)
    ]


def places_sent(report: CallReport, batch: BatchToUpload) -> list[int]:
    return [place for group in groups_sent(report, batch) for place in group]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    keys = MasterKeyStore(TEST_MASTERS)
    day = draw_day(7, payments=PAYMENTS)
    payments = tuple(
        replace(payment, tac=bytes(8)) if place in FORGED else payment
        for place, payment in enumerate(day.batch.payments)
    )
    close = close_of(day.batch.close.batch, payments)
    with BankStore.create(folder / "bank.sqlite") as store:
        issuing = Issuing(store, keys, lambda: NOW - timedelta(days=30))
        issuing.open_account(
            number="0100000001", holder="ALI", currency=OMR, deposit_minor=10**12
        )
        issuing.register_customs_card(
            mid=MID, terminal_id=TERMINAL, office=OFFICE, currency=OMR, kv=1
        )
        for purse in day.purses:
            row = PurseRow(
                cid=purse.cid,
                account=Account.customer("0100000001", OMR),
                holder="TEST PURSE",
                currency=OMR,
                kv=1,
                balance_limit_minor=2**31 - 1,
                payment_limit_minor=2**31 - 1,
                valid_from=date(2025, 1, 1),
                expiry=date(2030, 12, 31),
            )
            issuing.register_card(row, brought_minor=purse.loaded_minor)
    return Site(
        bank=folder / "bank.sqlite",
        keys=keys,
        batch=replace(day.batch, payments=payments, close=close),
        ends=new_ends(TERMINAL),
    )


@pytest.fixture
def new_bench(site: Site, tmp_path: Path) -> Iterator[Callable[[], Bench]]:
    """Makes banks of their own, one for each cut."""
    memory = Path("/dev/shm")  # noqa: S108  a fresh folder of our own in it
    where = memory if os.access(memory, os.W_OK) else tmp_path
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=where)))
        stores: list[BankStore] = []

        def make() -> Bench:
            path = folder / f"{len(stores)}.sqlite"
            shutil.copy(site.bank, path)
            stores.append(stack.enter_context(BankStore.open(path)))
            return Bench(site, stores[-1])

        yield make


def test_a_call_cut_at_any_byte_ends_with_the_batch_posted_once(
    site: Site, new_bench: Callable[[], Bench]
) -> None:
    whole = new_bench()
    session_bytes = whole.call().line_bytes
    whole.assert_posted_once()
    assert places_sent(whole.reports[0], site.batch) == list(range(1, PAYMENTS + 1))
    for cut in range(CUT_STEP, session_bytes, CUT_STEP):
        bench = new_bench()
        first = bench.call(cut)
        held = bench.held()
        if first.finished_ms is not None:
            # The bank's last word had come; what was cut is the farewell.
            continue
        again = bench.call()
        bench.assert_posted_once()
        sent = places_sent(again, site.batch)
        assert sorted(sent) == sorted(set(range(1, PAYMENTS + 1)) - held), cut
        told = {e.stan for e in again.events if isinstance(e, RecordRefused)}
        assert told == {site.batch.payments[place].stan for place in FORGED}, cut
        if held:
            progress = next(e for e in again.events if isinstance(e, Progress))
            assert progress.answered == len(held), cut


def test_a_line_that_never_holds_long_brings_a_batch_through(
    site: Site, new_bench: Callable[[], Bench]
) -> None:
    """Each call is cut soon after its first group has gone up."""
    asking = new_bench()
    asking.call()
    asking_bytes = asking.call().line_bytes
    bench = new_bench()
    for _ in range(CALLS_MAX):
        before = bench.held()
        # One group at a time: those that wait together go out in one piece.
        report = bench.call(asking_bytes + 250, window=1)
        if report.finished_ms is not None:
            break
        assert not before & set(places_sent(report, site.batch))
    bench.assert_posted_once()
    assert len(bench.reports) > 2
    assert all(
        event.code is ResponseCode.SUSPENDED
        for report in bench.reports
        for event in report.events
        if isinstance(event, RecordRefused)
    )


@pytest.mark.parametrize(
    ("smallest", "comes_through"),
    [(GROUP_PAYMENTS_SMALLEST, True), (GROUP_PAYMENTS_MAX, False)],
    ids=["smaller-groups", "always-full-groups"],
)
def test_a_line_on_which_no_full_group_gets_through_needs_smaller_groups(
    site: Site,
    new_bench: Callable[[], Bench],
    smallest: int,
    *,
    comes_through: bool,
) -> None:
    """Every call is cut after as many bytes as a logon and half a full group take."""
    asking = new_bench()
    asking.call()
    asking_bytes = asking.call().line_bytes
    bench = new_bench()
    for _ in range(DAYS):
        if bench.end_of_day(asking_bytes + 250, UploadPace(smallest=smallest)):
            break
    if comes_through:
        bench.assert_posted_once()
        groups = [groups_sent(report, site.batch) for report in bench.reports[:3]]
        sizes = [[len(group) for group in call] for call in groups]
        assert sizes == [[32, 8], [16], [8, 16]]
    else:
        assert bench.held() == set()
        with bench.store.read() as books:
            assert books.batches.incidents() == []
        assert len(bench.reports) == DAYS * FRUITLESS_CALLS_MAX
