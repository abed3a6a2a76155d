"""How fast several hosts post on PostgreSQL, against COPY of the same rows.

Two databases of one server, which waits for the disk, with the same tables, indexes,
keys, triggers and purses. In one, several processes post batches, a batch a commit:
TACs verified, everything looked up, held, judged and written. Into the other, as many
processes copy the rows that came of it, by COPY of text that lies ready, as many a
commit; that is the reference. Both take turns, so that a busy machine is as busy for
one as for the other. A third database has no triggers: what COPY costs with indexes and
foreign keys alone.
"""

from __future__ import annotations

import multiprocessing
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from settlement.bank import Bank
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.store.books import BankStore
from sim.nation.country import BATCH_PAYMENTS, NOW, Country
from sim.nation.founding import connect, found_nation, without_triggers
from sim.postgres import PrivatePostgres

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection

    import psycopg

    from sim.nation.country import SentBatch

__all__ = ["RATIO_MIN", "measure_postgres"]

RATIO_MIN: Final = 0.5
CLIENTS: Final = 4
_BATCHES_EACH: Final = 16
"""Of each client in a round: 4000 payments, so that who ends last matters little."""
_ROWS_OF: Final = {
    "record": "SELECT * FROM record WHERE terminal_id = %s AND batch = %s",
    "payment": "SELECT * FROM payment WHERE terminal_id = %s AND batch = %s",
    "leg": "SELECT leg.* FROM leg JOIN entry ON entry.id = leg.entry_id "
    "JOIN payment USING (cid) WHERE entry.kind = 'payment' "
    "AND entry.number = payment.otc AND terminal_id = %s AND batch = %s "
    "ORDER BY leg.entry_id, leg.number",
    "entry": "SELECT entry.* FROM entry JOIN payment USING (cid) "
    "WHERE entry.kind = 'payment' AND entry.number = payment.otc "
    "AND terminal_id = %s AND batch = %s ORDER BY entry.id",
}
"""What a payment adds to, in the order in which the database's rules want it."""

_Rows: TypeAlias = "dict[str, bytes]"
"""The rows of one batch, for each table as COPY writes them."""


def measure_postgres(*, purses: int, rounds: int) -> dict[str, object]:
    """Post and copy by `CLIENTS` processes each, in turns.

    Args:
        purses: of the nation. Of few, two batches nearly always have one in common, and
            one host waits for the other.
        rounds: turns.
    """
    country = Country(purses=purses, counters=CLIENTS * _BATCHES_EACH)
    with (
        PrivatePostgres(settings={"max_wal_size": "4GB"}) as server,
        ExitStack() as ends,
    ):
        posted = server.create_database("posted")
        found_nation(posted, country)
        # Accounts of all offices are opened by this first round, which is not measured.
        with BankStore.open(posted) as store:
            bank = Bank(store, country.keys)
            for batch in _round(country):
                bank.begin_batch(batch.header, NOW)
                bank.take_payments(batch.header, batch.payments, NOW)
        ruled = server.create_database("ruled", template="posted")
        bare = server.create_database("bare", template="posted")
        ends.enter_context(
            without_triggers(ends.enter_context(connect(bare)), tuple(_ROWS_OF))
        )
        banks = ends.enter_context(closing(Clients(_post, posted)))
        copies = ends.enter_context(closing(Clients(_copy, ruled)))
        bares = ends.enter_context(closing(Clients(_copy, bare)))
        times = [_measure(country, posted, banks, copies, bares) for _ in range(rounds)]
    return _figures(times)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Times:
    """Seconds of one round."""

    posting: float
    copying: float
    copying_bare: float


class Clients:
    """Processes that do their shares of a round at the same time."""

    def __init__(self, work: Callable[[str, Connection], None], url: str) -> None:
        """Start them."""
        context = multiprocessing.get_context("spawn")
        self._lines: list[Connection] = []
        self._processes = []
        for _ in range(CLIENTS):
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(url, theirs), daemon=True)
            process.start()
            self._lines.append(ours)
            self._processes.append(process)

    def run(self, shares: Sequence[Sequence[Any]]) -> float:
        """Give each its share, wait until all are ready, let them go; seconds taken."""
        for line, share in zip(self._lines, shares, strict=True):
            line.send(share)
        self._hear("ready")
        started = time.perf_counter()
        for line in self._lines:
            line.send("go")
        self._hear("done")
        return time.perf_counter() - started

    def close(self) -> None:
        """End them."""
        for line in self._lines:
            line.send(None)
        for process in self._processes:
            process.join()

    def _hear(self, word: str) -> None:
        for line in self._lines:
            heard = line.recv()
            if heard != word:
                raise RuntimeError(f"a client of the benchmark failed: {heard}")


def _round(country: Country) -> list[SentBatch]:
    return list(country.batches(CLIENTS * _BATCHES_EACH))


def _measure(
    country: Country, posted: str, banks: Clients, copies: Clients, bares: Clients
) -> _Times:
    batches = _round(country)
    shares = [batches[client::CLIENTS] for client in range(CLIENTS)]
    posting = banks.run(shares)
    with connect(posted) as connection:
        rows = [[_rows_of(connection, one) for one in share] for share in shares]
        headers = [
            connection.execute(
                "SELECT * FROM batch WHERE terminal_id = %s AND batch = %s",
                (one.header.terminal_id, one.header.close.batch),
            ).fetchone()
            for one in batches
        ]
    both = [(rows[client], headers[client::CLIENTS]) for client in range(CLIENTS)]
    return _Times(
        posting=posting, copying=copies.run(both), copying_bare=bares.run(both)
    )


def _rows_of(connection: psycopg.Connection[Any], batch: SentBatch) -> _Rows:
    key = (batch.header.terminal_id, batch.header.close.batch)
    rows = {}
    for table, query in _ROWS_OF.items():
        with connection.cursor().copy(f"COPY ({query}) TO STDOUT", key) as copy:
            rows[table] = b"".join(copy)
    return rows


def _post(url: str, line: Connection) -> None:
    """A host: opens its batches, which is not measured, and posts each in a commit."""
    with BankStore.open(url) as store:
        bank = Bank(store, MasterKeyStore(TEST_MASTERS))
        while (share := line.recv()) is not None:
            for batch in share:
                bank.begin_batch(batch.header, NOW)
            line.send("ready")
            line.recv()
            for batch in share:
                answers = bank.take_payments(batch.header, batch.payments, NOW)
                if any((one.code, one.text) != ("00", "") for one in answers):
                    line.send("a payment was not simply posted")
            line.send("done")


def _copy(url: str, line: Connection) -> None:
    """The reference: each batch's rows by COPY, in a commit."""
    with connect(url) as connection:
        connection.execute("SET synchronous_commit = on")
        connection.commit()
        while (share := line.recv()) is not None:
            rows, headers = share
            with connection.cursor() as cursor:
                marks = ", ".join(["%s"] * len(headers[0]))
                cursor.executemany(f"INSERT INTO batch VALUES ({marks})", headers)  # noqa: S608  our own names
            connection.commit()
            line.send("ready")
            line.recv()
            for batch in rows:
                for table, text in batch.items():
                    statement = f"COPY {table} FROM STDIN"
                    with connection.cursor().copy(statement) as copy:
                        copy.write(text)
                connection.commit()
            line.send("done")


def _figures(times: Sequence[_Times]) -> dict[str, object]:
    payments = CLIENTS * _BATCHES_EACH * BATCH_PAYMENTS
    posting, copying, bare = (
        payments / median(getattr(one, name) for one in times)
        for name in ("posting", "copying", "copying_bare")
    )
    ratio = posting / copying
    met = ratio >= RATIO_MIN
    print(
        f"bank: PostgreSQL, {CLIENTS} clients, {BATCH_PAYMENTS} payments a commit: "
        f"{posting:.0f} payments a second posted, {ratio:.2f} of {copying:.0f} whose "
        f"rows are only copied into the same tables (target: at least {RATIO_MIN}, "
        f"{'met' if met else 'MISSED'}), {posting / bare:.2f} of {bare:.0f} into "
        f"tables without triggers. Medians of {len(times)} rounds of {payments}."
    )
    return {
        "clients": CLIENTS,
        "rounds": len(times),
        "posted_a_second": round(posting),
        "only_copied_a_second": round(copying),
        "only_copied_without_triggers_a_second": round(bare),
        "ratio": round(ratio, 3),
        "ratio_without_triggers": round(posting / bare, 3),
        "target": RATIO_MIN,
        "target_met": met,
    }
