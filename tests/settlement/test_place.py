"""A bank's place is a path or a URL, and its password is in no message."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from settlement.errors import BankUnavailableError, LedgerError, StoreError
from settlement.ledger import Account
from settlement.store.books import BankStore
from settlement.store.place import database_name, driver_for, without_password

if TYPE_CHECKING:
    from sim.postgres import PrivatePostgres
    from tests.databases import Place

BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
SECRET = "gh31mnis"
ACCOUNT = Account.customer("1", 512)
AT = datetime(2025, 11, 22, 10, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        (Path("bank.sqlite"), "bank.sqlite"),
        ("bank.sqlite", "bank.sqlite"),
        ("sqlite:////srv/bank.sqlite", "/srv/bank.sqlite"),
        ("postgresql://raseed@db/books", "postgresql+psycopg://raseed@db/books"),
        (
            f"postgresql+psycopg://raseed:{SECRET}@db/books",
            "postgresql+psycopg://raseed:***@db/books",
        ),
        (
            f"postgresql+psycopg://raseed@db/books?password={SECRET}",
            "postgresql+psycopg://raseed@db/books",
        ),
    ],
    ids=["path", "text", "file URL", "server", "with a password", "in its query"],
)
def test_a_place_is_shown_without_its_password(place: Place, shown: str) -> None:
    assert driver_for(place, 1).shown == shown


@pytest.mark.parametrize(
    "place",
    [f"mysql://raseed:{SECRET}@db/books", f"postgresql://raseed:{SECRET}@db:x/books"],
    ids=["another kind", "no URL"],
)
def test_what_is_no_place_is_refused_without_its_password(place: str) -> None:
    with pytest.raises(StoreError) as caught:
        BankStore.open(place)
    assert SECRET not in str(caught.value)
    assert "postgresql+psycopg://USER@HOST" in str(caught.value)


@pytest.mark.parametrize("make", [BankStore.open, BankStore.create])
def test_a_server_that_is_not_there_is_told_without_the_password(
    make: object, tmp_path: Path
) -> None:
    assert callable(make)
    url = f"postgresql+psycopg://raseed:{SECRET}@/books?host={tmp_path}"
    with pytest.raises((BankUnavailableError, StoreError)) as caught:
        make(url)
    assert SECRET not in str(caught.value)
    assert "connection" in str(caught.value)


def test_what_is_kept_of_a_url_has_no_password() -> None:
    given = f"postgresql+psycopg://raseed:{SECRET}@db:5432/books?sslmode=require"
    bare = "postgresql+psycopg://raseed@db:5432/books?sslmode=require"
    assert without_password(given) == (bare, True)
    assert without_password(bare) == (bare, False)
    assert database_name(given) == "books"


@BOTH
def test_a_bank_is_opened_as_it_was_made(empty_place: Place) -> None:
    with BankStore.create(empty_place) as store, store.write() as books:
        number = books.ledger.open_account(ACCOUNT, "A", AT)
    with BankStore.open(empty_place) as store, store.read() as books:
        assert books.ledger.account_id(ACCOUNT) == number


@BOTH
def test_a_bank_is_never_made_over_another(empty_place: Place) -> None:
    BankStore.create(empty_place).close()
    with pytest.raises(StoreError, match="already"):
        BankStore.create(empty_place)
    BankStore.open(empty_place).close()


@BOTH
def test_reading_cannot_write(empty_place: Place) -> None:
    with BankStore.create(empty_place) as store:
        with (
            pytest.raises(BankUnavailableError, match=r"read-?only"),
            store.read() as books,
        ):
            books.ledger.open_account(ACCOUNT, "A", AT)
        with store.read() as books:
            assert books.ledger.account_id(ACCOUNT) is None


@BOTH
def test_a_broken_rule_is_told_without_values(empty_place: Place) -> None:
    statement = "INSERT INTO leg VALUES (4711, 1, 777, 0, 0)"
    with (
        BankStore.create(empty_place) as store,
        pytest.raises(LedgerError, match="rules forbid") as caught,
        store.write() as books,
    ):
        books.ledger._connection.exec_driver_sql(statement)
    assert "4711" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_empty_database_is_no_bank(postgres: PrivatePostgres) -> None:
    url = postgres.create_database("nothing")
    try:
        with pytest.raises(StoreError, match="no bank at"):
            BankStore.open(url)
        postgres.run_sql("nothing", "CREATE TABLE other (id int)")
        with pytest.raises(StoreError, match="but not a bank's"):
            BankStore.open(url)
        with pytest.raises(StoreError, match="holds tables already"):
            BankStore.create(url)
    finally:
        postgres.drop_database("nothing")


def test_a_database_that_sorts_otherwise_is_refused(postgres: PrivatePostgres) -> None:
    """Texts must come in the order in which the program compares them."""
    statement = "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
    postgres.run_sql("postgres", statement)
    try:
        with pytest.raises(StoreError, match=r"in LATIN1, sorted by C; .* createdb"):
            BankStore.create(postgres.url("latin"))
    finally:
        postgres.drop_database("latin")


def test_durability_holds_whatever_the_server_says(postgres: PrivatePostgres) -> None:
    url = postgres.create_database("hasty")
    postgres.run_sql("hasty", "ALTER DATABASE hasty SET synchronous_commit = off")
    try:
        with BankStore.create(url) as store, store.write() as books:
            shown = books.ledger._connection.exec_driver_sql("SHOW synchronous_commit")
            assert shown.scalar_one() == "on"
    finally:
        postgres.drop_database("hasty")


def test_a_connection_that_the_server_ended_is_replaced(
    postgres: PrivatePostgres,
) -> None:
    url = postgres.create_database("ended")
    try:
        with BankStore.create(url) as store:
            with pytest.raises(BankUnavailableError), store.write() as books:  # noqa: PT012 - as above
                books.ledger.open_account(ACCOUNT, "A", AT)
                postgres.run_sql(
                    "postgres",
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = 'ended'",
                )
                books.ledger.open_account(Account.customer("2", 512), "B", AT)
            with store.write() as books:
                assert books.ledger.account_id(ACCOUNT) is None
                books.ledger.open_account(ACCOUNT, "A", AT)
            with store.read() as books:
                assert books.ledger.account_id(ACCOUNT) is not None
    finally:
        postgres.drop_database("ended")
