"""The database file: made once, opened only when it is ours, all or nothing."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from settlement.errors import BankUnavailableError, LedgerError, StoreError
from settlement.ledger import Account
from settlement.store.books import BankStore

if TYPE_CHECKING:
    from pathlib import Path

    Desk = Any

AT = datetime(2025, 11, 22, 14, 15, tzinfo=timezone(timedelta(hours=4)))
ACCOUNT = Account.customer("1", 512)


def test_a_bank_is_opened_as_it_was_made(tmp_path: Path) -> None:
    path = tmp_path / "bank.sqlite"
    with BankStore.create(path) as store, store.write() as books:
        books.ledger.open_account(ACCOUNT, "A", AT)
    with BankStore.open(path) as store, store.read() as books:
        assert books.ledger.account(ACCOUNT) is not None


def test_a_bank_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "bank.sqlite"
    path.write_bytes(b"something")
    with pytest.raises(StoreError, match="exists"):
        BankStore.create(path)
    assert path.read_bytes() == b"something"


def test_a_bank_in_a_missing_folder_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot make"):
        BankStore.create(tmp_path / "none" / "bank.sqlite")


def test_a_missing_bank_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no bank at"):
        BankStore.open(tmp_path / "bank.sqlite")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"x" * 5000, "not a database"), (b"", "not a bank's")],
    ids=["text", "empty"],
)
def test_what_is_no_bank_is_not_opened(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "bank.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=message):
        BankStore.open(path)


def test_a_bank_of_another_format_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "bank.sqlite"
    BankStore.create(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="format 99"):
        BankStore.open(path)


@pytest.mark.parametrize("older", [1, 2, 3, 5, 6])
def test_a_bank_of_an_older_format_is_refused_and_left_as_it_is(
    tmp_path: Path, older: int
) -> None:
    path = tmp_path / "bank.sqlite"
    BankStore.create(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {older}")
    before = path.read_bytes()
    words = rf"format {older}; .* reads 4 and 7\. Nothing was changed"
    with pytest.raises(StoreError, match=words):
        BankStore.open(path)
    assert path.read_bytes() == before


def test_an_exception_leaves_no_trace(tmp_path: Path) -> None:
    def open_and_fail(store: BankStore) -> None:
        with store.write() as books:
            books.ledger.open_account(ACCOUNT, "A", AT)
            raise ZeroDivisionError

    with BankStore.create(tmp_path / "bank.sqlite") as store:
        with pytest.raises(ZeroDivisionError):
            open_and_fail(store)
        with store.read() as books:
            assert books.ledger.account(ACCOUNT) is None


def test_reading_cannot_write(tmp_path: Path) -> None:
    with BankStore.create(tmp_path / "bank.sqlite") as store:
        with pytest.raises(BankUnavailableError, match="readonly"), store.read() as b:
            b.ledger.open_account(ACCOUNT, "A", AT)
        with store.write() as books:
            books.ledger.open_account(ACCOUNT, "A", AT)


def test_a_broken_rule_is_a_ledger_error_without_values(desk: Desk) -> None:
    desk.issue()
    purse = desk.issuing.status(bytes.fromhex("64 00 00 00 00 00 00 01")).purse
    with pytest.raises(LedgerError) as caught, desk.store.write() as books:
        books.cards.add_purse(purse, 1, AT)
    assert "6400" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_damaged_file_is_a_plain_error(desk: Desk) -> None:
    desk.loaded_purse()
    desk.store.close()
    content = bytearray(desk.path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    desk.path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"), desk.store.read() as books:
        books.ledger.accounts()


def test_a_writer_that_waits_too_long_is_told_to_try_again(desk: Desk) -> None:
    with closing(sqlite3.connect(desk.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        impatient = BankStore.open(desk.path, busy_timeout_ms=1)
        with (
            impatient,
            pytest.raises(BankUnavailableError, match="locked"),
            impatient.write(),
        ):
            pass


def test_durability_settings_hold_on_every_connection(tmp_path: Path) -> None:
    with BankStore.create(tmp_path / "bank.sqlite") as store, store.write() as books:
        connection = books.ledger._connection
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_writer_reads_only_what_the_writer_before_it_left(tmp_path: Path) -> None:
    """Two writers that both read, then write: the second sees the first one's rows."""
    with BankStore.create(tmp_path / "bank.sqlite") as store:
        first_has_read = threading.Event()
        seen: list[int] = []

        def second() -> None:
            first_has_read.wait()
            with store.write() as books:
                seen.append(len(books.ledger.accounts()))

        thread = threading.Thread(target=second)
        thread.start()
        with store.write() as books:
            assert books.ledger.accounts() == []
            first_has_read.set()
            books.ledger.open_account(ACCOUNT, "A", AT)
        thread.join()
        assert seen == [1]


def test_times_come_back_in_utc(tmp_path: Path) -> None:
    with BankStore.create(tmp_path / "bank.sqlite") as store, store.write() as books:
        books.publications.list_cards({bytes(8): "lost"}, listed=True, since=AT)
        text = books.ledger._connection.exec_driver_sql("SELECT since FROM hotlist")
        assert text.scalar() == "2025-11-22T10:15:00.000000Z"
    assert AT.astimezone(UTC).hour == 10


def test_a_sound_file_has_no_integrity_problems(desk: Desk) -> None:
    desk.loaded_purse()
    assert desk.store.integrity_problems() == []
