"""A nation's purses in a PostgreSQL database, made by few statements.

`found_nation` founds a bank for a country there. The program itself issues the first
purse and loads it; the rows of all others are those rows with other numbers in them, as
`bench.bank_rows` does it in a file. Triggers are away meanwhile and back afterwards.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, LiteralString, TypeAlias

import psycopg

from settlement.issuing import Issuing
from settlement.store.books import BankStore
from sim.nation.country import ACCOUNT, BROUGHT_MINOR, NOW, purse_row
from sim.nation.customs_day import OMR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.nation.country import Country

__all__ = ["RawBooks", "connect", "found_nation", "furnish", "without_triggers"]

RawBooks: TypeAlias = "psycopg.Connection[Any]"
"""The database without the bank's program."""

_TABLES: Final = ("account", "purse", "load", "load_outcome", "entry", "leg")
_GUARDS: Final = """
SELECT relname, tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE NOT tgisinternal AND relname = ANY (%s)
"""
_OTHERS: Final[LiteralString] = """
CREATE TEMPORARY TABLE other ON COMMIT DROP AS
SELECT place, int8send(%(first)s + place) AS cid,
       upper(encode(int8send(%(first)s + place), 'hex')) AS owner,
       'card ' || left(upper(encode(int8send(%(first)s + place), 'hex')), 6) || '******'
       || right(upper(encode(int8send(%(first)s + place), 'hex')), 4) AS memo
FROM generate_series(1::bigint, %(count)s) AS place
"""


def found_nation(url: str, country: Country) -> None:
    """Found a bank, with all purses and customs cards of a country."""
    with BankStore.create(url) as store:
        furnish(store, country)
    with connect(url) as connection, without_triggers(connection, _TABLES):
        _issue_others(connection, country)


def furnish(store: BankStore, country: Country) -> None:
    """Give an empty bank what its program makes: customs cards, and the first purse."""
    issuing = Issuing(store, country.keys, lambda: NOW.replace(month=1))
    issuing.open_account(
        number=ACCOUNT,
        holder="Al Bahr Trading LLC",
        currency=OMR,
        deposit_minor=BROUGHT_MINOR * len(country.cids),
    )
    for counter in country.counters:
        issuing.register_customs_card(
            mid=counter.mid,
            terminal_id=counter.terminal_id,
            office=counter.office,
            currency=OMR,
            kv=1,
        )
    issuing.register_card(purse_row(country.cids[0]), brought_minor=BROUGHT_MINOR)


def connect(url: str) -> RawBooks:
    """The database without the bank's program."""
    return psycopg.connect(url.replace("+psycopg", ""))


@contextmanager
def without_triggers(connection: RawBooks, tables: tuple[str, ...]) -> Iterator[None]:
    """The tables' triggers are away meanwhile; foreign keys stay."""
    guards = connection.execute(_GUARDS, (list(tables),)).fetchall()
    for table, name in guards:
        connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
    connection.commit()
    yield
    for table, name in guards:
        connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
    connection.commit()


def _issue_others(connection: RawBooks, country: Country) -> None:
    """The rows of the first purse once more for each of the others."""
    first = country.cids[0]
    known = {"first": int.from_bytes(first, "big"), "count": len(country.cids) - 1}
    of_first = {"cid": first, "owner": first.hex().upper()}
    connection.execute(_OTHERS, known)
    for table, replaced in (
        ("account", {"id": "id + place", "owner": "other.owner", "name": "name"}),
        ("purse", {"cid": "other.cid"}),
        ("load", {"cid": "other.cid", "lsn": "lsn + place"}),
        ("load_outcome", {"cid": "other.cid"}),
        (
            "entry",
            {
                "id": "id + place",
                "subject": "other.owner",
                "cid": "other.cid",
                "memo": "other.memo",
            },
        ),
    ):
        names = _names(connection, table)
        values = ", ".join(replaced.get(name, f"{table}.{name}") for name in names)
        key = "owner = %(owner)s" if table == "account" else f"{table}.cid = %(cid)s"
        ours = key.replace("owner =", "account.owner =")
        connection.execute(
            f"INSERT INTO {table} SELECT {values} FROM {table}, other WHERE {ours}",  # noqa: S608  names of our own
            of_first,
        )
    connection.execute(
        "INSERT INTO leg SELECT leg.entry_id + place, leg.number, "
        "CASE WHEN account.owner = %(owner)s THEN account.id + place ELSE account.id "
        "END, debit_minor, credit_minor FROM leg JOIN entry ON entry.id = entry_id "
        "JOIN account ON account.id = account_id, other WHERE entry.cid = %(cid)s",
        of_first,
    )
    connection.execute(
        "SELECT setval(pg_get_serial_sequence('entry', 'id'), MAX(id)) FROM entry"
    )
    connection.commit()


def _names(connection: RawBooks, table: str) -> list[str]:
    found = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass "
        "AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (table,),
    )
    return [name for (name,) in found]
