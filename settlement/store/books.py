"""The one door to the bank's database, on SQLite or PostgreSQL.

`BankStore` owns the engine. Work happens inside a transaction: ``with store.write() as
books`` commits at the end of the block or, on any exception, leaves no trace. ``with
store.read() as books`` sees one consistent state. When the block has ended, the rows
survive a power cut.

On SQLite one transaction writes at a time. On PostgreSQL several do, on several hosts:
what a transaction reads and then writes upon it holds first, with ``books.holds``
(`settlement.store.holds`). A function that is a whole transaction is done again where
another one was in its way (`settlement.store.collisions`).

No exception of SQLAlchemy or of a driver leaves this package's store files: a rule of
the database that was broken is a `LedgerError`, a database that cannot be used just now
a `BankUnavailableError` (a `CollisionError` when it can be at once), a wrong or damaged
one a `StoreError`.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self, TypeVar

from sqlalchemy import exc

from settlement.errors import (
    BankUnavailableError,
    LedgerError,
    StoreError,
)
from settlement.store.api_tokens import TokenTables
from settlement.store.batches import BatchTables
from settlement.store.blocks import BlockTables
from settlement.store.calls import CallTables
from settlement.store.cards import CardTables
from settlement.store.certificates import CertificateTables
from settlement.store.collisions import repeated
from settlement.store.corrections import CorrectionTables
from settlement.store.deposits import DepositTables
from settlement.store.driver import plain_words
from settlement.store.fees import FeeTables
from settlement.store.groups import GroupTables
from settlement.store.heads import HeadTables
from settlement.store.history import HistoryTables
from settlement.store.holds import Holds
from settlement.store.incidents import IncidentTables
from settlement.store.ledger import LedgerTables
from settlement.store.migration import check_revision
from settlement.store.officers import OfficerTables
from settlement.store.offices import OfficeTables
from settlement.store.opens import OpenTables
from settlement.store.origins import OriginTables
from settlement.store.overview import OverviewTables
from settlement.store.place import driver_for
from settlement.store.proofs import ProofTables
from settlement.store.proposals import ProposalTables
from settlement.store.publications import PublicationTables
from settlement.store.records import RecordTables
from settlement.store.request_publications import RequestPublications
from settlement.store.requests import RequestTables
from settlement.store.staged import StagedTables
from settlement.store.statements import StatementTables
from settlement.store.suspense import SuspenseTables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    import sqlalchemy as sa

    from settlement.store.audit import StoredTables
    from settlement.store.driver import Driver

__all__ = ["BUSY_TIMEOUT_MS_DEFAULT", "BankStore", "Books"]

BUSY_TIMEOUT_MS_DEFAULT: Final = 10_000
"""How long one writer waits for another; a group of payments takes far less."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Books:
    """All tables, within one transaction, and what it holds."""

    holds: Holds
    ledger: LedgerTables
    cards: CardTables
    certificates: CertificateTables
    batches: BatchTables
    records: RecordTables
    groups: GroupTables
    staged: StagedTables
    opens: OpenTables
    heads: HeadTables
    publications: PublicationTables
    statements: StatementTables
    offices: OfficeTables
    origins: OriginTables
    deposits: DepositTables
    fees: FeeTables
    corrections: CorrectionTables
    history: HistoryTables
    officers: OfficerTables
    incidents: IncidentTables
    suspense: SuspenseTables
    proposals: ProposalTables
    proofs: ProofTables
    blocks: BlockTables
    requests: RequestTables
    request_lists: RequestPublications
    tokens: TokenTables
    calls: CallTables
    overview: OverviewTables


class BankStore:
    """The bank's database. Threads may share it: each block has its own connection."""

    def __init__(self, driver: Driver) -> None:
        """Use `create` or `open`."""
        self._driver = driver
        self._engine = driver.engine()

    @classmethod
    def create(cls, place: Path | str) -> Self:
        """Make a new, empty bank.

        Args:
            place: a file that is not there yet, or the URL of an empty database
                (``postgresql+psycopg://USER@HOST/NAME``).

        Raises:
            StoreError: something is there already, or it cannot be made.
        """
        driver = driver_for(place, BUSY_TIMEOUT_MS_DEFAULT)
        driver.refuse_taken()
        store = cls(driver)
        try:
            with store._begin(write=True) as connection:
                driver.make(connection)
        except BankUnavailableError as error:
            store.close()
            message = f"cannot make the bank {driver.shown}: {error}"
            raise StoreError(message) from None
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def open(
        cls, place: Path | str, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS_DEFAULT
    ) -> Self:
        """Open a bank that `create` made.

        Args:
            place: the database file, or the URL of the database.
            busy_timeout_ms: how long a writer waits for another one.

        Raises:
            StoreError: there is no bank, or it is not of this version.
            BankUnavailableError: the server does not answer.
        """
        driver = driver_for(place, busy_timeout_ms)
        driver.refuse_missing()
        store = cls(driver)
        try:
            with store._begin(write=False) as connection:
                check_revision(driver, driver.revision(connection))
        except BaseException:
            store.close()
            raise
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def write(self) -> Iterator[Books]:
        """One transaction that writes: all of it is durable afterwards, or nothing.

        Raises:
            LedgerError: a rule of the database was broken; nothing was written.
            BankUnavailableError: the database is locked, full or gone; nothing was
                written, and the same may be tried again.
        """
        with self._begin(write=True) as connection:
            yield _books(connection)

    @property
    def one_writer(self) -> bool:
        """Whether one transaction writes at a time, so that others had better wait."""
        return self._engine.dialect.name == "sqlite"

    def transact(self, work: Callable[[Books], T]) -> T:
        """Do ``work`` in one transaction; again when another one was in its way.

        Work that fails half-way is done once more from its beginning, with books of its
        own: it must read there all that it decides by, and change nothing else.

        Returns:
            What ``work`` returned in the transaction that was committed.

        Raises:
            CollisionError: others were in its way every time; nothing was written.
            LedgerError: as `write`.
            BankUnavailableError: as `write`.
        """
        return self._again(lambda connection: work(_books(connection)))

    def write_together(
        self, works: Sequence[Callable[[Books], T]], hold: Callable[[Books], None]
    ) -> list[T | Exception]:
        """Several pieces of work in one transaction, each all or nothing by itself.

        Args:
            works: done in their order; each may be done again, as in `transact`.
            hold: first holds what all of them need, in the order of
                `settlement.store.holds`.

        Returns:
            For each what it returned, or what it raised: nothing of that one was
            written, and the others are not concerned.

        Raises:
            BankUnavailableError: as `write`; nothing of any of them was written.
        """

        def plainly(connection: sa.Connection) -> list[T | Exception]:
            hold(_books(connection))
            return [work(_books(connection)) for work in works]

        def apart(connection: sa.Connection) -> list[T | Exception]:
            hold(_books(connection))
            return [self._apart(connection, work) for work in works]

        # A savepoint has SQLite keep every page as it was before. Hardly ever does one
        # of the works fail; then all is undone, and done again with savepoints.
        try:
            return self._again(plainly)
        except (BankUnavailableError, StoreError):
            raise
        except Exception:
            return self._again(apart)

    @contextmanager
    def read(self) -> Iterator[Books]:
        """One consistent view; nothing can be written.

        Raises:
            BankUnavailableError: the database is locked or gone.
        """
        with self._begin(write=False) as connection:
            yield _books(connection)

    @property
    def kind(self) -> str:
        """What the books are kept in: ``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    def copy_into(self, path: Path) -> dict[str, int]:
        """Copy all books as they stand at one moment; posting goes on meanwhile.

        The copy of a file is a bank of its own, which `open` opens; that of a server is
        what `settlement.store.place.load_copy` makes a bank of.

        Args:
            path: a file that is not there yet.

        Returns:
            How many rows each table has in the copy.

        Raises:
            StoreError: the copy could not be made; what there is of it is of no use.
        """
        try:
            return self._driver.copy_into(
                self._engine, path, lambda it: OverviewTables(it).counts()
            )
        except exc.DBAPIError as error:
            words = plain_words(error)
            raise StoreError(f"the books cannot be copied: {words}") from None

    def check_writable(self) -> None:
        """Begin a transaction that could write, and end it; nothing is written.

        Raises:
            BankUnavailableError: nothing could be written now.
        """
        with self._begin(write=True) as connection:
            self._driver.refuse_read_only(connection)

    def integrity_problems(self) -> list[str]:
        """What the database itself finds wrong; empty when it is sound."""
        with self.audit() as stored:
            return stored.integrity_problems()

    @contextmanager
    def audit(self) -> Iterator[StoredTables]:
        """One consistent view of every row as it is stored, damaged or not.

        Raises:
            BankUnavailableError: the database is locked or gone.
        """
        was_read = False
        try:
            with self._begin(write=False) as connection:
                yield self._driver.stored_tables(connection)
                was_read = True
        except StoreError:
            # A damaged page can make even the end of reading fail; it was told.
            if not was_read:
                raise

    @repeated
    def _again(self, work: Callable[[sa.Connection], T]) -> T:
        """Do ``work`` in a transaction of its own until it is not in another's way."""
        with self._begin(write=True) as connection:
            return work(connection)

    def _apart(
        self, connection: sa.Connection, work: Callable[[Books], T]
    ) -> T | Exception:
        """Do work within a savepoint; or why nothing of it is there."""
        try:
            with connection.begin_nested():
                return work(_books(connection))
        except exc.DBAPIError as error:
            meaning = self._driver.translated(error)
            if isinstance(meaning, LedgerError):
                return meaning
            # Not this work but the database: it ends the whole transaction.
            raise
        except Exception as error:
            return error

    @contextmanager
    def _begin(self, *, write: bool) -> Iterator[sa.Connection]:
        try:
            with (
                self._driver.begin(self._engine, write=write) as connection,
                connection.begin(),
            ):
                yield connection
        except exc.DBAPIError as error:
            raise self._driver.translated(error) from None
        except exc.TimeoutError:
            message = "the bank's database cannot be used now: all connections are busy"
            raise BankUnavailableError(message) from None


def _books(connection: sa.Connection) -> Books:
    return Books(
        holds=Holds(connection),
        ledger=LedgerTables(connection),
        cards=CardTables(connection),
        certificates=CertificateTables(connection),
        batches=BatchTables(connection),
        records=RecordTables(connection),
        groups=GroupTables(connection),
        staged=StagedTables(connection),
        opens=OpenTables(connection),
        heads=HeadTables(connection),
        publications=PublicationTables(connection),
        statements=StatementTables(connection),
        offices=OfficeTables(connection),
        origins=OriginTables(connection),
        deposits=DepositTables(connection),
        fees=FeeTables(connection),
        corrections=CorrectionTables(connection),
        history=HistoryTables(connection),
        officers=OfficerTables(connection),
        incidents=IncidentTables(connection),
        suspense=SuspenseTables(connection),
        proposals=ProposalTables(connection),
        proofs=ProofTables(connection),
        blocks=BlockTables(connection),
        requests=RequestTables(connection),
        request_lists=RequestPublications(connection),
        tokens=TokenTables(connection),
        calls=CallTables(connection),
        overview=OverviewTables(connection),
    )
