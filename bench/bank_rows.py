"""Rows written straight into a bank's file: histories, and inserts to compare with.

`make_bank` founds a bank for a country. One purse is issued by the program itself; the
rows of all others are those rows with other numbers in them. A history is what clearing
would have stored for it, row by row: `settlement.check` finds nothing wrong with it.
While such rows are written the triggers are away and nothing is flushed, for it is only
the way to a bank of that size; before anything is measured all is as it always is.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from card.records import TX_BYTES, mask_card_number
from settlement.clearing import content_of, evidence_of, signed_debit
from settlement.store.books import BankStore
from settlement.store.records import details_to_text
from sim.nation.customs_day import OMR
from sim.nation.founding import furnish

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from sim.nation.country import Country, SentBatch

__all__ = ["PRAGMAS", "insert", "make_bank"]

PRAGMAS: Final = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "recursive_triggers = ON",
    "cache_size = -8192",
)
"""As the bank's own store sets them."""
_ROWS_TOGETHER: Final = 20_000
_BEFORE: Final = "2025-11-02T20:00:00.000000Z"
_Row = tuple[Any, ...]


def make_bank(path: Path, country: Country) -> None:
    """Found a bank, issue all cards, and write the country's history into it."""
    with BankStore.create(path) as store:
        furnish(store, country)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode = DELETE", "synchronous = OFF"):
            connection.execute(f"PRAGMA {pragma}").close()
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("BEGIN")
        _issue_others(connection, country)
        _write_past(connection, country)
        connection.execute("COMMIT")
        for _, sql in triggers:
            connection.execute(sql)


def insert(connection: sqlite3.Connection, table: str, rows: Sequence[_Row]) -> None:
    """Insert whole rows, all columns in the order of the table."""
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608  our own names


def _issue_others(connection: sqlite3.Connection, country: Country) -> None:
    """The rows of the first purse again for each of the others."""
    first = country.cids[0]
    owner, memo = first.hex().upper(), f"card {mask_card_number(first)}"
    of_card = {
        table: _only(connection, f"SELECT * FROM {table} WHERE cid = ?", first)  # noqa: S608  our own names
        for table in ("purse", "load", "load_outcome", "entry")
    }
    account = _only(connection, "SELECT * FROM account WHERE owner = ?", owner)
    legs = connection.execute(
        "SELECT * FROM leg WHERE entry_id = ? ORDER BY number", (of_card["entry"][0],)
    ).fetchall()
    lsn_at = _names(connection, "load").index("lsn")
    for place, cid in enumerate(country.cids[1:], 1):
        numbers = {
            first: cid,
            owner: cid.hex().upper(),
            memo: f"card {mask_card_number(cid)}",
        }
        account_id, entry_id = account[0] + place, of_card["entry"][0] + place

        def like(row: _Row, numbers: dict[Any, Any] = numbers) -> list[Any]:
            return [numbers.get(value, value) for value in row]

        insert(connection, "account", [(account_id, *like(account)[1:])])
        for table in ("purse", "load_outcome"):
            insert(connection, table, [tuple(like(of_card[table]))])
        load = like(of_card["load"])
        load[lsn_at] += place
        insert(connection, "load", [tuple(load)])
        for _, number, of_account, *amounts in legs:
            side = account_id if of_account == account[0] else of_account
            insert(connection, "leg", [(entry_id, number, side, *amounts)])
        insert(connection, "entry", [(entry_id, *like(of_card["entry"])[1:])])


def _write_past(connection: sqlite3.Connection, country: Country) -> None:
    """What was paid before, as clearing would have stored it."""
    floats = dict(connection.execute("SELECT owner, id FROM account"))
    batches = country.past()
    while some := list(islice(batches, _ROWS_TOGETHER // 250)):
        _write_batches(connection, floats, some)


def _write_batches(
    connection: sqlite3.Connection,
    floats: Mapping[str, int],
    batches: Iterable[SentBatch],
) -> None:
    ((number,),) = connection.execute("SELECT MAX(id) FROM entry")
    rows: dict[str, list[_Row]] = {
        name: [] for name in ("terminal", "batch", "record", "payment", "leg", "entry")
    }
    for batch in batches:
        header, close = batch.header, batch.header.close
        if close.batch == 1:
            binding = (header.mid, header.office, OMR, 1, _BEFORE)
            rows["terminal"].append((header.terminal_id, 1, *binding))
        sums = (close.count, close.sum_minor, close.open_count, close.open_sum_minor)
        key = (header.terminal_id, header.mid, close.batch)
        proofs = (close.chain, close.mac, _BEFORE)
        rows["batch"].append((*key, header.office, OMR, *sums, *proofs))
        payee = _revenue(connection, header.office)
        # All payments of the past are alike in this.
        paid = batch.payments[0]
        paid_at = f"{paid.tx.at:%Y-%m-%dT%H:%M:%S}.000000Z"
        details = None if paid.details is None else details_to_text(paid.details)
        for sent in batch.payments:
            number += 1
            tx, signed_bytes = sent.tx, signed_debit(sent)
            evidence = evidence_of(signed_bytes, sent.tac)
            content = content_of(sent, evidence, details)
            owner = tx.cid.hex().upper()
            certified = (
                sent.balance_after_minor,
                sent.cumulative_debit_minor,
                sent.tac,
            )
            received = (content, evidence, signed_bytes[:TX_BYTES])
            judged = (details, True, "posted", "", _BEFORE)
            signed = (tx.cid, tx.otc, tx.amount_minor, sent.kv, sent.alg, *certified)
            rows["record"].append(
                (*key, sent.stan, sent.sequence, *received, *signed, *judged)
            )
            place = (tx.cid, tx.otc, tx.mid, tx.tsn, key[0], key[2], sent.stan)
            proved = (tx.amount_minor, OMR, *certified, evidence, paid_at)
            rows["payment"].append((*place, *proved))
            rows["leg"].append((number, 1, floats[owner], tx.amount_minor, 0))
            rows["leg"].append((number, 2, payee, 0, tx.amount_minor))
            event = ("payment", owner, tx.otc, tx.cid)
            rows["entry"].append((number, *event, OMR, tx.amount_minor, _BEFORE, ""))
    for table, those in rows.items():
        insert(connection, table, those)


def _revenue(connection: sqlite3.Connection, office: str) -> int:
    """Row of the account for the fees of an office, which is opened when it is not."""
    wanted = ("customs revenue", office, OMR)
    query = "SELECT id FROM account WHERE kind = ? AND owner = ? AND currency = ?"
    found = connection.execute(query, wanted).fetchone()
    if found is None:
        ((newest,),) = connection.execute("SELECT MAX(id) FROM account")
        row = (newest + 1, *wanted, "customs revenue", _BEFORE)
        insert(connection, "account", [row])
        return _revenue(connection, office)
    return int(found[0])


def _only(connection: sqlite3.Connection, query: str, value: object) -> _Row:
    (row,) = connection.execute(query, (value,)).fetchall()
    return tuple(row)


def _names(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
