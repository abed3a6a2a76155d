"""Several hosts write to one PostgreSQL at once, and nothing is missed or done twice.

Two connections meet at chosen points: one stands still inside its transaction while the
other one is under way, so that what is shown does not depend on luck.
"""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from settlement import loads
from settlement.bank import Bank
from settlement.check.bank import check_bank
from settlement.corrections import Corrections
from settlement.deposits import Deposits
from settlement.download import DownloadKind
from settlement.errors import (
    BankUnavailableError,
    CollisionError,
    LedgerError,
    LoadRefusedError,
)
from settlement.fees import Fees
from settlement.incident_desk import IncidentDesk
from settlement.issuing import Issuing
from settlement.ledger import Account, EntryKind, deposit_entry
from settlement.officers import Officers
from settlement.offices import Offices
from settlement.statements import Statements
from settlement.store.batches import IncidentRow
from settlement.store.books import BankStore
from settlement.store.cards import TerminalRow
from settlement.store.collisions import TRIES_MAX, repeated
from settlement.store.numbers import draw_entry_numbers
from settlement.suspense import SuspenseDesk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from settlement.store.books import Books

    Desk = Any

DATABASES = ("postgresql",)
AT = datetime(2025, 11, 22, 10, 15, tzinfo=UTC)
CUSTOMER = Account.customer("0100000001", 512)
OTHER_CID = bytes.fromhex("64 00 00 00 00 00 00 02")


@pytest.fixture
def other(desk: Desk) -> Iterator[BankStore]:
    """Another host's way to the same books."""
    with BankStore.open(desk.place) as store:
        yield store


@dataclass
class Standing:
    """A transaction that stands still before its end."""

    store: BankStore
    work: Callable[[Books], object]
    reached: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None

    def run(self) -> None:
        try:
            with self.store.write() as books:
                self.work(books)
                self.reached.set()
                assert self.go_on.wait(60)
        except Exception as error:  # It is handed to the test.
            self.failure = error
            self.reached.set()


@contextmanager
def standing(
    store: BankStore, work: Callable[[Books], object]
) -> Iterator[Callable[[], None]]:
    """Do ``work`` in a transaction that ends when the given function is called."""
    held = Standing(store, work)
    thread = threading.Thread(target=held.run)
    thread.start()
    assert held.reached.wait(60)
    assert held.failure is None

    def end() -> None:
        held.go_on.set()
        thread.join()
        assert held.failure is None

    try:
        yield end
    finally:
        held.go_on.set()
        thread.join()


def waits_for_a_lock(desk: Desk, *, count: int = 1) -> None:
    """Return when so many connections to the database wait for a lock."""
    url = desk.place.replace("+psycopg", "")
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND datname = current_database()"
    )
    pause = threading.Event()
    with psycopg.connect(url, autocommit=True) as watcher:
        for _ in range(6_000):
            row = watcher.execute(query).fetchone()
            if row is not None and row[0] >= count:
                return
            pause.wait(0.01)
    raise AssertionError("nobody waits for a lock")


def book(books: Books, number: int) -> int:
    entry = deposit_entry(account=CUSTOMER, number=number, amount_minor=1, booked_at=AT)
    return books.ledger.post(entry)


def test_a_statement_waits_for_an_entry_with_a_lower_number(
    desk: Desk, other: BankStore
) -> None:
    """Without waiting it would be cut above an entry that appears after it."""
    day = AT.date()
    statements = Statements(desk.store, desk.clock)
    with ThreadPoolExecutor() as pool:
        with standing(other, lambda books: book(books, 1)) as end:
            with desk.store.write() as books:
                higher = book(books, 2)
            issued = pool.submit(statements.issue, CUSTOMER, day, day)
            waits_for_a_lock(desk)
            assert not issued.done()
            end()
        entries = [entry.entry_id for entry in issued.result(60).entries]
    assert entries[-2:] == [higher - 1, higher]
    again = statements.issue(CUSTOMER, day, day)
    assert again.number == issued.result().number
    assert check_bank(desk.store).findings == ()


def test_a_statement_waits_for_a_number_that_is_drawn_and_not_used_yet(
    desk: Desk, other: BankStore
) -> None:
    """Its entry is to come, below what another host has booked since."""

    def draw(books: Books) -> None:
        draw_entry_numbers(books.ledger._connection, 1)

    day = AT.date()
    with ThreadPoolExecutor() as pool:
        with standing(other, draw) as end:
            statements = Statements(desk.store, desk.clock)
            issued = pool.submit(statements.issue, CUSTOMER, day, day)
            waits_for_a_lock(desk)
            end()
        assert issued.result(60).entries


def test_who_books_waits_while_a_statement_is_cut(desk: Desk, other: BankStore) -> None:
    with ThreadPoolExecutor() as pool:
        with standing(other, lambda books: books.holds.whole_ledger()) as end:

            def post() -> int:
                with desk.store.write() as books:
                    return book(books, 1)

            posting = pool.submit(post)
            waits_for_a_lock(desk)
            assert not posting.done()
            end()
        assert posting.result(60)


def test_two_hosts_that_book_do_not_wait_for_each_other(
    desk: Desk, other: BankStore
) -> None:
    with standing(other, lambda books: book(books, 1)) as end:
        with desk.store.write() as books:
            number = book(books, 2)
        end()
    with desk.store.read() as books:
        account = books.ledger.account(CUSTOMER)
    assert account is not None
    assert number > 1
    assert check_bank(desk.store).findings == ()


def test_a_transaction_that_was_undone_leaves_a_gap_that_is_no_finding(
    desk: Desk,
) -> None:
    def fail() -> None:
        with desk.store.write() as books:
            book(books, 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with desk.store.write() as books:
        book(books, 1)
    assert desk.found() == {}


def test_the_same_payments_at_two_hosts_are_paid_once(
    desk: Desk, other: BankStore
) -> None:
    """Both hosts take the same batch; the one that comes second waits for the first."""
    purses = [desk.loaded_purse(500_000), desk.loaded_purse(400_000, cid=OTHER_CID)]
    records = [desk.customs.pay(purses[n % 2], 1_000 + n) for n in range(12)]
    header = desk.customs.close()
    desk.bank.begin_batch(header, desk.clock())
    banks = [desk.bank, Bank(other, desk.keys)]
    with ThreadPoolExecutor() as pool:
        takings = [
            pool.submit(bank.take_payments, header, order, desk.clock())
            for bank, order in zip(banks, (records, records[::-1]), strict=True)
        ]
        answers = [[answer.code for answer in one.result(60)] for one in takings]
    assert answers == [["00"] * 12] * 2
    assert desk.bank.reconcile(header, desk.customs.totals(), desk.clock()).ack_mac
    report = check_bank(desk.store, desk.keys)
    assert report.findings == ()
    assert report.payments == 12


def test_a_group_of_payments_waits_for_a_load_of_one_of_its_purses(
    desk: Desk, other: BankStore
) -> None:
    first = desk.loaded_purse(500_000)
    record = desk.customs.pay(first, 1_000)
    header = desk.customs.close()
    desk.bank.begin_batch(header, desk.clock())
    with ThreadPoolExecutor() as pool:
        with standing(other, lambda books: books.holds.purses([first.cid])) as end:
            taking = pool.submit(
                desk.bank.take_payments, header, [record], desk.clock()
            )
            waits_for_a_lock(desk)
            assert not taking.done()
            end()
        assert [answer.code for answer in taking.result(60)] == ["00"]


def test_an_account_is_not_overdrawn_by_two_desks_at_once(
    desk: Desk, other: BankStore
) -> None:
    """Each load alone is covered, both together are not."""
    desk.loaded_purse(2_000_000, cid=bytes.fromhex("64 00 00 00 00 00 00 03"))
    purses = [desk.issue(), desk.issue(OTHER_CID)]
    with desk.store.read() as books:
        amount = books.ledger.balance_minor(desk.account()) // 2 + 1
    requests = [purse.ask_load(amount) for purse in purses]

    def authorise(books: Books) -> None:
        loads.check_request(books, desk.keys, requests[0])
        loads.book_load(books, requests[0], AT)

    with ThreadPoolExecutor() as pool:
        with standing(other, authorise) as end:
            second = pool.submit(desk.issuing.authorise_load, requests[1])
            waits_for_a_lock(desk)
            end()
        with pytest.raises(LoadRefusedError, match="does not cover"):
            second.result(60)
    assert check_bank(desk.store).findings == ()


def serial_of(books: Books) -> None:
    row = TerminalRow(
        terminal_id="T0000008", mid=bytes(8), office="SOHAR", currency=512, kv=1
    )
    books.cards.bind_terminal(row, AT)


def incident_of(books: Books) -> None:
    text = f"incident {threading.get_ident()}"
    books.batches.add_incident(IncidentRow(code="trial", text=text, at=AT))


def publication_of(books: Books) -> None:
    before = books.publications.newest(DownloadKind.HOTLIST)
    cid = bytes(7) + bytes([before])
    books.publications.list_cards({cid: "lost"}, listed=True, since=AT)


def account_of(books: Books) -> None:
    name = str(threading.get_ident())
    books.ledger.open_account(Account.customer(name, 512), name, AT)


@pytest.mark.parametrize(
    ("give", "numbers"),
    [
        (serial_of, "SELECT serial FROM terminal WHERE terminal_id = 'T0000008'"),
        (incident_of, "SELECT id FROM incident"),
        (publication_of, "SELECT version FROM hotlist"),
        (account_of, "SELECT id FROM account"),
        (lambda books: books.cards.next_lsn(), "SELECT lsn FROM load"),
    ],
    ids=["a terminal's serial", "incident", "hotlist version", "account", "load"],
)
def test_numbers_follow_each_other_without_a_gap(
    desk: Desk, other: BankStore, give: Callable[[Books], object], numbers: str
) -> None:
    """The second one waits until it is known whether the first one's number is used."""
    with ThreadPoolExecutor() as pool:
        with standing(other, give) as end:

            def second() -> None:
                with desk.store.write() as books:
                    give(books)

            giving = pool.submit(second)
            waits_for_a_lock(desk)
            assert not giving.done()
            end()
        giving.result(60)
    with desk.store.read() as books:
        found = books.ledger._connection.exec_driver_sql(numbers).scalars()
        there = sorted(set(found))
    assert there == list(range(1, len(there) + 1))


def test_the_same_incident_at_two_hosts_is_noted_once(
    desk: Desk, other: BankStore
) -> None:
    row = IncidentRow(code="trial", text="the same", at=AT)
    with ThreadPoolExecutor() as pool:
        with standing(other, lambda books: books.batches.add_incident(row)) as end:

            def second() -> int:
                with desk.store.write() as books:
                    number: int = books.batches.add_incident(row)
                return number

            noting = pool.submit(second)
            waits_for_a_lock(desk)
            end()
        assert noting.result(60) == 1
    assert desk.incidents() == ["trial"]


def test_work_that_met_a_deadlock_is_done_again(desk: Desk, other: BankStore) -> None:
    """Two transactions take the same two accounts in opposite orders."""
    one, two = Account.customer("1", 512), Account.customer("2", 512)
    meeting = threading.Barrier(2, timeout=60)
    tries: Counter[str] = Counter()

    def work(store: BankStore, name: str, accounts: list[Account]) -> Callable[[], str]:
        @repeated
        def hold() -> str:
            tries[name] += 1
            with store.write() as books:
                books.holds.accounts(accounts[:1])
                if tries[name] == 1:
                    meeting.wait()
                books.holds.accounts(accounts[1:])
                books.ledger.open_account(accounts[0], name, AT)
            return name

        return hold

    with ThreadPoolExecutor() as pool:
        first = pool.submit(work(desk.store, "a", [one, two]))
        second = pool.submit(work(other, "b", [two, one]))
        assert (first.result(60), second.result(60)) == ("a", "b")
    assert sum(tries.values()) == 3
    with desk.store.read() as books:
        assert books.ledger.account_id(one) is not None
        assert books.ledger.account_id(two) is not None


def test_a_deadlock_is_a_collision_and_leaves_no_trace(
    desk: Desk, other: BankStore
) -> None:
    one, two = Account.customer("1", 512), Account.customer("2", 512)
    meeting = threading.Barrier(2, timeout=60)

    def run(store: BankStore, number: int, accounts: list[Account]) -> str:
        try:
            with store.write() as books:
                books.holds.accounts(accounts[:1])
                book(books, number)
                meeting.wait()
                books.holds.accounts(accounts[1:])
        except CollisionError as error:
            return str(error)
        return "done"

    with ThreadPoolExecutor() as pool:
        outcomes = [
            pool.submit(run, desk.store, 1, [one, two]),
            pool.submit(run, other, 2, [two, one]),
        ]
        told = sorted(outcome.result(60) for outcome in outcomes)
    assert told[0] == "done"
    assert "in each other's way" in told[1]
    with desk.store.read() as books:
        assert books.ledger.count_of(EntryKind.DEPOSIT, CUSTOMER.owner) == 1


def test_work_is_not_done_for_ever() -> None:
    tries = []

    @repeated
    def collide() -> None:
        tries.append(1)
        raise CollisionError("in the way")

    with pytest.raises(CollisionError):
        collide()
    assert len(tries) == TRIES_MAX


def test_work_that_is_refused_is_not_done_again(desk: Desk) -> None:
    tries = []

    @repeated
    def refuse() -> None:
        tries.append(1)
        with desk.store.write() as books:
            book(books, 1)
            book(books, 1)

    with pytest.raises(LedgerError, match="already"):
        refuse()
    assert len(tries) == 1


@pytest.mark.parametrize(
    "method",
    [
        Bank.begin_batch,
        BankStore._again,
        Bank.take_open,
        Bank._reconcile,
        Issuing.open_account,
        Issuing.deposit,
        Issuing.register_customs_card,
        Issuing.register_card,
        Issuing.authorise_load,
        Issuing.complete_load,
        Issuing.void_load,
        Statements.issue,
        Bank.take_decline,
        Corrections.propose,
        Corrections.approve,
        Corrections.reject,
        Deposits.carry_out,
        Fees.set_tariff,
        Fees.charge,
        IncidentDesk.assign,
        IncidentDesk.note,
        IncidentDesk.resolve,
        Officers.add,
        Officers.disable,
        Officers.reset_password,
        Offices.add,
        SuspenseDesk.propose,
        SuspenseDesk.approve,
        SuspenseDesk.reject,
    ],
)
def test_what_a_host_or_desk_writes_is_done_again(method: Any) -> None:
    """Each is one transaction, and is marked so."""
    marked = repeated(lambda: None)
    assert method.__code__ is marked.__code__


def test_who_waits_too_long_is_told_to_try_again(desk: Desk, other: BankStore) -> None:
    with (
        standing(other, lambda books: books.holds.accounts([CUSTOMER])) as end,
        BankStore.open(desk.place, busy_timeout_ms=1) as impatient,
    ):
        with (
            pytest.raises(BankUnavailableError, match="lock timeout"),
            impatient.write() as books,
        ):
            books.holds.accounts([CUSTOMER])
        end()


def test_a_reader_sees_one_state_from_its_begin_to_its_end(
    desk: Desk, other: BankStore
) -> None:
    with desk.store.read() as books:
        before = len(books.ledger.accounts())
        with other.write() as writing:
            writing.ledger.open_account(Account.customer("1", 512), "A", AT)
        assert len(books.ledger.accounts()) == before
    with desk.store.read() as books:
        assert len(books.ledger.accounts()) == before + 1


def test_an_account_that_two_hosts_open_is_opened_once(
    desk: Desk, other: BankStore
) -> None:
    account = Account.customer("1", 512)

    def open_it(books: Books) -> int:
        return books.ledger.open_account(account, "A", AT)

    with ThreadPoolExecutor() as pool:
        with standing(other, open_it) as end:

            def second() -> int:
                with desk.store.write() as books:
                    return open_it(books)

            opening = pool.submit(second)
            waits_for_a_lock(desk)
            end()
        number = opening.result(60)
    with desk.store.read() as books:
        assert books.ledger.account_id(account) == number
