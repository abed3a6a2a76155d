"""Whoever gets past the bank to its database meets the same rules there."""
# ruff: noqa: S608  every statement is written here

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from settlement.audit_head import AuditHead
from settlement.store.books import BankStore
from settlement.store.migration import VERSION_TABLE
from settlement.store.triggers import APPEND_ONLY_TABLES
from tests.databases import RawIntegrityError, raw_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.postgres import PrivatePostgres
    from tests.databases import RawConnection

    Desk = Any

DATABASES = ("sqlite", "postgresql")
SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
POSTGRES = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.fixture
def posted(desk: Desk) -> Desk:
    """A load, a payment, an open record that it settles, and a collected batch."""
    purse = desk.loaded_purse()
    item = desk.customs.begin(purse, 70)
    desk.customs.pay(purse, 1234)
    head = AuditHead(journal=bytes(8), entries=1, digest=bytes(32))
    desk.send(item, head=head)
    return desk


@pytest.fixture
def raw(posted: Desk) -> Iterator[RawConnection]:
    """The same database as any other program would open it."""
    with raw_connection(posted.place) as connection:
        yield connection


def columns(raw: RawConnection, table: str) -> list[str]:
    if raw.is_sqlite:
        found = raw.execute(f"SELECT name FROM pragma_table_info('{table}')")
    else:
        found = raw.execute(
            "SELECT attname FROM pg_attribute WHERE attnum > 0"
            f" AND attrelid = '{table}'::regclass ORDER BY attnum"
        )
    return [name for (name,) in found]


def copy_of(raw: RawConnection, table: str, where: str = "", **changed: str) -> str:
    """A statement that inserts a table's rows again, with these columns otherwise."""
    names = columns(raw, table)
    values = ", ".join(changed.get(name, f'"{name}"') for name in names)
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"INSERT INTO {table} ({quoted}) SELECT {values} FROM {table} {where}"


@pytest.mark.parametrize("operation", ["update", "delete"])
def test_no_row_is_ever_changed_or_deleted(raw: RawConnection, operation: str) -> None:
    filled = 0
    for table in APPEND_ONLY_TABLES:
        column = columns(raw, table)[0]
        statement = {
            "update": f"UPDATE {table} SET {column} = {column}",
            "delete": f"DELETE FROM {table}",
        }[operation]
        if raw.execute(f"SELECT 1 FROM {table} LIMIT 1"):
            with pytest.raises(RawIntegrityError, match=f"{table} is append-only"):
                raw.execute(statement)
            raw.rollback()
            filled += 1
    assert filled > 12


@SQLITE
def test_every_table_of_a_file_is_append_only(raw: RawConnection) -> None:
    tables = raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    assert {name for (name,) in tables} == {*APPEND_ONLY_TABLES, VERSION_TABLE}
    triggers = raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    names = {name for (name,) in triggers}
    assert {f"{table}_no_update" for table in APPEND_ONLY_TABLES} <= names
    assert {f"{table}_no_delete" for table in APPEND_ONLY_TABLES} <= names


@pytest.fixture(scope="module")
def empty_server(postgres: PrivatePostgres) -> Iterator[RawConnection]:
    """An empty bank on PostgreSQL."""
    name = "append_only"
    url = postgres.create_database(name)
    BankStore.create(url).close()
    with raw_connection(url) as connection:
        yield connection
    postgres.drop_database(name)


@pytest.mark.parametrize("table", APPEND_ONLY_TABLES)
@pytest.mark.parametrize(
    "statement", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "TRUNCATE {0} CASCADE"]
)
def test_every_table_of_a_server_is_append_only(
    empty_server: RawConnection, table: str, statement: str
) -> None:
    column = columns(empty_server, table)[0]
    with pytest.raises(RawIntegrityError, match="append-only"):
        empty_server.execute(statement.format(table, column))
    empty_server.rollback()


def test_a_server_has_no_other_table(empty_server: RawConnection) -> None:
    tables = empty_server.execute(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')"
        " AND relnamespace = current_schema()::regnamespace"
    )
    assert {name for (name,) in tables} == {*APPEND_ONLY_TABLES, VERSION_TABLE}


def new_entry(kind: str, subject: str = "'x'", amount_minor: int = 5) -> str:
    return (
        "INSERT INTO entry (id, kind, subject, number, cid, currency, amount_minor,"
        f" booked_at, memo) SELECT 999, '{kind}', {subject}, otc, cid, 512,"
        f" {amount_minor}, '2025-11-22T10:15:00.000000Z', ''"
        " FROM payment ORDER BY otc DESC LIMIT 1"
    )


def legs(*legs: tuple[int, int, int, int]) -> str:
    rows = ", ".join(f"(999, {n}, {a}, {d}, {c})" for n, a, d, c in legs)
    names = "entry_id, number, account_id, debit_minor, credit_minor"
    return f"INSERT INTO leg ({names}) VALUES {rows}"


BALANCED = legs((1, 2, 5, 0), (2, 1, 0, 5))
AGAIN = "WHERE kind = 'payment'"
RULES: dict[str, tuple[Any, str]] = {
    "add a leg to a complete entry": (
        lambda raw: [copy_of(raw, "leg", "WHERE number = 1", number="3")],
        "the entry is complete",
    ),
    "an entry without legs": (lambda _: [new_entry("opening deposit")], "must balance"),
    "an entry whose sides differ": (
        lambda _: [legs((1, 2, 5, 0), (2, 1, 0, 4)), new_entry("opening deposit")],
        "must balance",
    ),
    "an entry of another amount than its legs": (
        lambda _: [BALANCED, new_entry("opening deposit", amount_minor=4)],
        "must balance",
    ),
    "an entry in another currency than its accounts": (
        lambda raw: [
            copy_of(raw, "account", "WHERE id = 1", id="98", currency="840"),
            legs((1, 2, 5, 0), (2, 98, 0, 5)),
            new_entry("opening deposit"),
        ],
        "of its currency",
    ),
    "a leg that is debit and credit": (
        lambda _: [legs((1, 1, 5, 5))],
        "debit_or_credit",
    ),
    "a leg of nothing": (lambda _: [legs((1, 1, 0, 0))], "debit_or_credit"),
    "a leg below zero": (lambda _: [legs((1, 1, -5, 0))], "debit_or_credit"),
    "a leg on no account": (lambda _: [legs((1, 777, 5, 0))], "(?i)foreign key"),
    "post a payment's entry twice": (
        lambda raw: [
            copy_of(
                raw,
                "leg",
                f"WHERE entry_id = (SELECT id FROM entry {AGAIN})",
                entry_id="999",
            ),
            copy_of(raw, "entry", AGAIN, id="999"),
        ],
        "(?i)unique",
    ),
    "post a load's entry twice": (
        lambda raw: [
            copy_of(
                raw,
                "leg",
                "WHERE entry_id = (SELECT id FROM entry WHERE kind = 'load')",
                entry_id="999",
            ),
            copy_of(raw, "entry", "WHERE kind = 'load'", id="999"),
        ],
        "(?i)unique",
    ),
    "post a payment twice": (
        lambda raw: [copy_of(raw, "payment")],
        "append-only|payment_pkey",
    ),
    "post a payment under another number of its purse": (
        lambda raw: [copy_of(raw, "payment", otc="otc + 1", tsn="tsn + 1")],
        "verified TAC",
    ),
    "post a payment under another card": (
        lambda raw: [copy_of(raw, "payment", cid="zeroblob(8)", tsn="tsn + 1")],
        "(?i)verified TAC|foreign key",
    ),
    "credit a customs card twice under one number": (
        lambda raw: [
            copy_of(raw, "record", stan="stan + 1", otc="otc + 1"),
            copy_of(raw, "payment", stan="stan + 1", otc="otc + 1"),
        ],
        "(?i)unique",
    ),
    "post another amount than was signed": (
        lambda raw: [
            copy_of(raw, "record", stan="stan + 1", otc="otc + 1"),
            copy_of(
                raw,
                "payment",
                stan="stan + 1",
                otc="otc + 1",
                tsn="tsn + 1",
                amount_minor="amount_minor + 1",
            ),
        ],
        "verified TAC",
    ),
    "post a suspended record": (
        lambda raw: [
            copy_of(
                raw,
                "record",
                stan="stan + 1",
                otc="otc + 1",
                tac_verified="FALSE",
                decision="'suspended'",
            ),
            copy_of(raw, "payment", stan="stan + 1", otc="otc + 1", tsn="tsn + 1"),
        ],
        "verified TAC",
    ),
    "post a record that was decided otherwise though its TAC is good": (
        lambda raw: [
            copy_of(
                raw, "record", stan="stan + 1", otc="otc + 1", decision="'conflict'"
            ),
            copy_of(raw, "payment", stan="stan + 1", otc="otc + 1", tsn="tsn + 1"),
        ],
        "verified TAC",
    ),
    "a record posted without a verified TAC": (
        lambda raw: [copy_of(raw, "record", stan="stan + 1", tac_verified="FALSE")],
        "paid_on_the_tac",
    ),
    "a record of no batch": (
        lambda raw: [copy_of(raw, "record", batch="batch + 1")],
        "(?i)foreign key",
    ),
    "a record whose card number is cut short": (
        lambda raw: [copy_of(raw, "record", stan="stan + 1", cid="zeroblob(7)")],
        "cid_is_8_bytes",
    ),
    "an entry of a payment that is not there": (
        lambda _: [
            legs((1, 1, 5, 0), (2, 2, 0, 5)),
            new_entry("payment", "'6400000000000009'"),
        ],
        "verified TAC",
    ),
    "an entry of a payment that takes from another's float": (
        lambda raw: [
            copy_of(raw, "record", stan="stan + 1", otc="otc + 1"),
            copy_of(raw, "payment", stan="stan + 1", otc="otc + 1", tsn="tsn + 1"),
            legs((1, 1, 1234, 0), (2, 2, 0, 1234)),
            new_entry("payment", "hex(cid)", 1234),
        ],
        "own purse",
    ),
    "a load reversed that the purse did not void": (
        lambda _: [
            legs((1, 1, 5, 0), (2, 2, 0, 5)),
            new_entry("load reversal", "hex(cid)"),
        ],
        "only when the purse voided it",
    ),
    "an open record delivered without its payment": (
        lambda raw: [
            copy_of(raw, "open_report", tsn="tsn + 100"),
            copy_of(raw, "open_record", tsn="tsn + 100"),
            copy_of(
                raw,
                "open_resolution",
                tsn="tsn + 100",
                how="'delivered'",
                debited="TRUE",
            ),
        ],
        "only when its payment is booked",
    ),
    "an open record resolved twice": (
        lambda raw: [copy_of(raw, "open_resolution", how="'load'")],
        "append-only|open_resolution_pkey",
    ),
    "a batch collected twice": (
        lambda raw: [copy_of(raw, "batch_collected")],
        "(?i)unique",
    ),
    "a load settled twice": (
        lambda raw: [copy_of(raw, "load_outcome", outcome="'voided'")],
        "append-only|load_outcome_pkey",
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_the_database_refuses(raw: RawConnection, name: str) -> None:
    make, rule = RULES[name]
    *before, last = make(raw)
    for statement in before:
        raw.execute(statement)
    with pytest.raises(RawIntegrityError, match=rule):
        raw.execute(last)


def test_legs_without_an_entry_do_not_survive_the_commit(raw: RawConnection) -> None:
    raw.execute(legs((1, 1, 5, 0)))
    with pytest.raises(RawIntegrityError, match=r"(?i)foreign key"):
        raw.commit()


@SQLITE
@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        (
            "INSERT OR REPLACE INTO leg SELECT entry_id, number, account_id,"
            " debit_minor + 1, 0 FROM leg WHERE debit_minor > 0 LIMIT 1",
            "complete",
        ),
        (
            "INSERT OR REPLACE INTO entry SELECT id, kind, subject || 'X', number,"
            " cid, currency, amount_minor, booked_at, memo FROM entry LIMIT 1",
            "append-only",
        ),
        (
            "INSERT OR REPLACE INTO open_resolution SELECT mid, tsn, 'load', 0, NULL,"
            " NULL, NULL, NULL, NULL, at FROM open_resolution",
            "append-only",
        ),
        (
            "INSERT OR REPLACE INTO incident_closed SELECT incident_id, 'x', at"
            " FROM incident_closed",
            "append-only",
        ),
        (
            "INSERT OR REPLACE INTO audit_head SELECT terminal_id, serial, mid, batch,"
            " journal, 2, digest, received_at FROM audit_head",
            "append-only",
        ),
    ],
    ids=[
        "change a posted leg",
        "an entry",
        "what became of an open record",
        "why an incident was closed",
        "an audit head",
    ],
)
def test_nothing_is_replaced(raw: RawConnection, statement: str, rule: str) -> None:
    with pytest.raises(RawIntegrityError, match=rule):
        raw.execute(statement)


@POSTGRES
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO entry SELECT * FROM entry ON CONFLICT (id)"
        " DO UPDATE SET memo = 'x'",
        "INSERT INTO leg SELECT * FROM leg ON CONFLICT (entry_id, number)"
        " DO UPDATE SET debit_minor = leg.debit_minor",
        "MERGE INTO entry USING leg ON entry.id = leg.entry_id AND leg.number = 1"
        " WHEN MATCHED THEN DELETE",
    ],
    ids=["an entry", "a leg", "merged"],
)
def test_nothing_is_upserted(raw: RawConnection, statement: str) -> None:
    with pytest.raises(RawIntegrityError, match="append-only"):
        raw.execute(statement)


@POSTGRES
def test_a_session_that_plays_the_replica_meets_the_same_rules(
    raw: RawConnection,
) -> None:
    raw.execute("SET session_replication_role = replica")
    with pytest.raises(RawIntegrityError, match="append-only"):
        raw.execute("DELETE FROM entry")
    raw.rollback()
    raw.execute("SET session_replication_role = replica")
    with pytest.raises(RawIntegrityError, match="verified TAC"):
        raw.execute(copy_of(raw, "payment", otc="otc + 1", tsn="tsn + 1"))


@POSTGRES
def test_a_temporary_table_proves_nothing(raw: RawConnection) -> None:
    """Its name would be found before the bank's own."""
    raw.execute(
        copy_of(
            raw,
            "record",
            stan="stan + 1",
            otc="otc + 1",
            decision="'suspended'",
            tac_verified="FALSE",
        )
    )
    raw.execute("CREATE TEMPORARY TABLE forged AS SELECT * FROM record")
    raw.execute("UPDATE forged SET decision = 'posted', tac_verified = TRUE")
    posting = copy_of(
        raw, "payment", stan="stan + 1", otc="otc + 1", tsn="tsn + 1"
    ).replace("payment", "public.payment")
    raw.execute("ALTER TABLE forged RENAME TO record")
    raw.execute("SET search_path = pg_temp, public")
    with pytest.raises(RawIntegrityError, match="verified TAC"):
        raw.execute(posting)


@POSTGRES
def test_a_leg_is_not_slipped_under_an_entry_that_is_being_posted(
    posted: Desk, raw: RawConnection
) -> None:
    """Neither transaction sees the other's rows before its commit."""
    raw.execute(BALANCED)
    raw.execute(new_entry("opening deposit"))
    with raw_connection(posted.place) as other:
        other.execute(legs((3, 2, 7, 0), (4, 1, 0, 7)))
        raw.commit()
        with pytest.raises(RawIntegrityError, match="the entry is complete"):
            other.commit()


@POSTGRES
def test_a_leg_that_is_there_first_keeps_its_entry_from_being_posted(
    posted: Desk, raw: RawConnection
) -> None:
    with raw_connection(posted.place) as other:
        other.execute(legs((1, 2, 7, 0), (2, 1, 0, 7)))
        refused: list[str] = []

        def post() -> None:
            try:
                raw.execute(BALANCED)
            except RawIntegrityError as error:
                refused.append(str(error))

        thread = threading.Thread(target=post)
        thread.start()
        with pytest.raises(RawIntegrityError, match=r"(?i)foreign key"):
            other.commit()
        thread.join()
    assert refused == []
    raw.execute(new_entry("opening deposit"))
    raw.commit()


@POSTGRES
def test_the_legs_of_an_entry_are_numbered_from_one(raw: RawConnection) -> None:
    raw.execute(legs((1, 2, 5, 0), (3, 1, 0, 5)))
    with pytest.raises(RawIntegrityError, match="numbered from 1"):
        raw.execute(new_entry("opening deposit"))
