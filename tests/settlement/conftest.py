"""A bank in a temporary directory, and purses that exist on paper only.

A `PaperPurse` and a `PaperCustomsCard` compute what real cards would, with the bank's
own certificate functions, so that clearing can be shown any history, also impossible
ones. Whether those functions are right is judged by the tests of `card/`; that bank and
cards fit together by the tests with simulated cards.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from card import certificates
from card.profile import KeyUse
from card.records import (
    CHAIN_START,
    BatchClose,
    DebitProof,
    LoadRecord,
    LoadRequest,
    OpenRecord,
    TransactionRecord,
    chain_next,
    payment_digest,
)
from settlement.bank import Bank
from settlement.check.bank import FindingCode, check_bank
from settlement.dual_control import DecidedBy
from settlement.issuing import Issuing, LoadAuthorisation
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.ledger import Account
from settlement.messages import BatchHeader, BatchTotals, Total
from settlement.officers import Officers, TwoOfficers
from settlement.payment import (
    BatchToUpload,
    OpenItem,
    PaymentDetails,
    PaymentKind,
    PaymentRecord,
)
from settlement.store.books import BankStore
from settlement.store.cards import PurseRow
from settlement.store.officers import OfficerRow, Role
from tests.databases import unguarded
from tests.settlement.acting import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from settlement.audit_head import AuditHead
    from settlement.payment import Closure
    from sim.postgres import PrivatePostgres
    from tests.databases import Place

OMR = 512
START = datetime(2025, 11, 22, 10, 15, tzinfo=UTC)
CID = bytes.fromhex("64 00 00 00 00 00 00 01")
MID = bytes.fromhex("43 55 53 00 00 00 00 07")
LID = b"DESK0001"
TERMINAL = "T0000007"
OFFICE = "SOHAR"
ACCOUNT = "0100000001"
FUNDS = 5_000_000
BALANCE_LIMIT = 2_000_000


@dataclass(slots=True)
class PaperClock:
    """A clock that stands until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **delta: int) -> None:
        self.now += timedelta(**delta)


@dataclass(slots=True)
class PaperPurse:
    """A purse's counters and keys."""

    keys: MasterKeyStore
    cid: bytes = CID
    kv: int = 1
    currency: int = OMR
    balance_minor: int = 0
    cumulative_minor: int = 0
    otc: int = 1
    ltc: int = 1
    challenges: int = 0

    def key(self, use: KeyUse) -> bytes:
        return self.keys.card_key(use, self.kv, self.cid)

    def ask_load(self, amount_minor: int, lid: bytes = LID) -> LoadRequest:
        self.challenges += 1
        request = LoadRequest(
            cid=self.cid,
            ltc=self.ltc,
            lid=lid,
            amount_minor=amount_minor,
            currency=self.currency,
            balance_minor=self.balance_minor,
            kv=self.kv,
            alg=1,
            rc=self.challenges.to_bytes(8, "big"),
            m1=bytes(8),
        )
        m1 = certificates.load_m1(self.key(KeyUse.LOAD), request)
        return replace(request, m1=m1)

    def take_load(self, request: LoadRequest, given: LoadAuthorisation) -> bytes:
        """Credit the purse as CREDIT LOAD does; LTAC."""
        lx = self.lx(request, given)
        kl = self.key(KeyUse.LOAD)
        assert certificates.load_m2(kl, lx=lx, rc=request.rc) == given.m2
        self.balance_minor += request.amount_minor
        self.ltc += 1
        kt = self.key(KeyUse.TRANSACTION_CERTIFICATE)
        return certificates.ltac(kt, lx, balance_after_minor=self.balance_minor)

    def burn_load(self, request: LoadRequest, given: LoadAuthorisation) -> bytes:
        """Void a load as VOID LOAD does; VMAC."""
        self.ltc += 1
        return certificates.load_vmac(
            self.key(KeyUse.LOAD),
            cid=self.cid,
            ltc=request.ltc,
            lid=request.lid,
            lsn=given.lsn,
        )

    def debit(self, item: OpenItem) -> DebitProof:
        """Debit for an open record as DEBIT does; its proof, which stays here."""
        record, tx = item.open_record, item.open_record.tx
        self.balance_minor -= tx.amount_minor
        self.cumulative_minor += tx.amount_minor
        self.otc += 1
        kt = self.key(KeyUse.TRANSACTION_CERTIFICATE)
        counters = {
            "balance_after_minor": self.balance_minor,
            "cumulative_debit_minor": self.cumulative_minor,
        }
        tac = certificates.tac(kt, tx, **counters)
        kp = self.key(KeyUse.PURCHASE)
        mac2 = certificates.mac2(kp, tx, rc=record.rc, tac=tac, **counters)
        return DebitProof(tac=tac, mac2=mac2, **counters)

    @staticmethod
    def lx(request: LoadRequest, given: LoadAuthorisation) -> LoadRecord:
        return LoadRecord(
            cid=request.cid,
            ltc=request.ltc,
            lid=request.lid,
            lsn=given.lsn,
            amount_minor=request.amount_minor,
            currency=request.currency,
            at=given.at,
        )

    def sign(self, record: PaymentRecord) -> PaymentRecord:
        """The same record with the TAC that this purse would give for it."""
        tac = certificates.tac(
            self.key(KeyUse.TRANSACTION_CERTIFICATE),
            record.tx,
            balance_after_minor=record.balance_after_minor,
            cumulative_debit_minor=record.cumulative_debit_minor,
        )
        return replace(record, tac=tac)


@dataclass(slots=True)
class PaperCustomsCard:
    """A customs card's counters, and the batch that its terminal would send."""

    keys: MasterKeyStore
    mid: bytes = MID
    kv: int = 1
    currency: int = OMR
    terminal: str = TERMINAL
    office: str = OFFICE
    batch: int = 1
    tsn: int = 1
    stan: int = 1
    records: list[PaymentRecord] = field(default_factory=list)

    def pay(
        self,
        purse: PaperPurse,
        amount_minor: int,
        *,
        declaration: str = "",
        kind: PaymentKind = PaymentKind.FEES,
        at: datetime = START,
        currency: int | None = None,
    ) -> PaymentRecord:
        """A whole payment at the counter; the record that goes to the bank."""
        declaration = declaration or f"DEC-2025-{self.stan:06d}"
        purse.balance_minor -= amount_minor
        purse.cumulative_minor += amount_minor
        tx = TransactionRecord(
            cid=purse.cid,
            otc=purse.otc,
            mid=self.mid,
            tsn=self.tsn,
            amount_minor=amount_minor,
            currency=currency or self.currency,
            at=at,
            digest=payment_digest(declaration),
        )
        unsigned = PaymentRecord(
            stan=self.stan,
            sequence=len(self.records) + 1,
            details=PaymentDetails(declaration=declaration, kind=kind, clerk="7"),
            tx=tx,
            kv=purse.kv,
            alg=1,
            balance_after_minor=purse.balance_minor,
            cumulative_debit_minor=purse.cumulative_minor,
            tac=bytes(8),
        )
        purse.otc += 1
        self.tsn += 1
        self.stan += 1
        self.records.append(purse.sign(unsigned))
        return self.records[-1]

    def begin(
        self, purse: PaperPurse, amount_minor: int, *, mid: bytes | None = None
    ) -> OpenItem:
        """A payment up to the open record; the purse is not debited yet."""
        purse.challenges += 1
        tx = TransactionRecord(
            cid=purse.cid,
            otc=purse.otc,
            mid=mid or self.mid,
            tsn=self.tsn,
            amount_minor=amount_minor,
            currency=OMR,
            at=START,
            digest=payment_digest(f"OPEN-{self.tsn}"),
        )
        self.tsn += 1
        key = purse.key(KeyUse.PURCHASE)
        rc = purse.challenges.to_bytes(8, "big")
        record = OpenRecord(tx=tx, kv=purse.kv, rc=rc, vreq=certificates.vreq(key, tx))
        return OpenItem(
            stan=500 + tx.tsn, sequence=900, details=None, open_record=record
        )

    def credit(self, item: OpenItem, proof: DebitProof) -> PaymentRecord:
        """The payment of an open record, credited after all."""
        tx = item.open_record.tx
        record = PaymentRecord(
            stan=item.stan,
            sequence=len(self.records) + 1,
            details=PaymentDetails(
                declaration=f"OPEN-{tx.tsn}", kind=PaymentKind.FEES, clerk="7"
            ),
            tx=tx,
            kv=item.open_record.kv,
            alg=1,
            balance_after_minor=proof.balance_after_minor,
            cumulative_debit_minor=proof.cumulative_debit_minor,
            tac=proof.tac,
        )
        self.records.append(record)
        return record

    def close(self, *, open_count: int = 0, open_sum_minor: int = 0) -> BatchHeader:
        """Close the batch as CLOSE BATCH does; the header that opens it at the bank."""
        chain = CHAIN_START
        for record in self.records:
            chain = chain_next(
                chain,
                record.tx,
                record.balance_after_minor,
                record.cumulative_debit_minor,
                record.tac,
            )
        return self.header(
            BatchClose(
                batch=self.batch,
                count=len(self.records),
                sum_minor=sum(record.tx.amount_minor for record in self.records),
                open_count=open_count,
                open_sum_minor=open_sum_minor,
                chain=chain,
                mac=bytes(16),
            )
        )

    def header(self, close: BatchClose) -> BatchHeader:
        """A header with the right CLOSE MAC for ``close``."""
        key = self.keys.card_key(KeyUse.BATCH, self.kv, self.mid)
        mac = certificates.close_mac(key, mid=self.mid, close=close)
        return BatchHeader(
            terminal_id=self.terminal,
            office=self.office,
            mid=self.mid,
            currency=self.currency,
            close=replace(close, mac=mac),
        )

    def next_batch(self) -> None:
        self.batch += 1
        self.records = []

    def totals(self, *, opened: Total | None = None) -> BatchTotals:
        """Field 63 as the terminal would send it."""

        def total(kind: PaymentKind | None) -> Total:
            amounts = [
                record.tx.amount_minor
                for record in self.records
                if (record.details.kind if record.details else None) is kind
            ]
            return Total(count=len(amounts), sum_minor=sum(amounts))

        return BatchTotals(
            fees=total(PaymentKind.FEES),
            deposits=total(PaymentKind.DEPOSITS),
            purchase=total(PaymentKind.PURCHASE),
            unknown=total(None),
            opened=opened or Total(),
        )


@dataclass(slots=True)
class Desk:
    """A bank with everything at hand."""

    place: Place
    store: BankStore
    keys: MasterKeyStore
    clock: PaperClock
    issuing: Issuing
    bank: Bank
    customs: PaperCustomsCard

    @property
    def path(self) -> Path:
        """The file, on SQLite."""
        assert isinstance(self.place, Path)
        return self.place

    def account(self) -> Account:
        return Account.customer(ACCOUNT, OMR)

    def issue(self, cid: bytes = CID) -> PaperPurse:
        """A registered, empty purse."""
        self.issuing.register_card(
            PurseRow(
                cid=cid,
                account=self.account(),
                holder="Al Bahr Trading LLC",
                currency=OMR,
                kv=1,
                balance_limit_minor=BALANCE_LIMIT,
                payment_limit_minor=BALANCE_LIMIT,
                valid_from=date(2025, 1, 1),
                expiry=date(2030, 12, 31),
            )
        )
        return PaperPurse(keys=self.keys, cid=cid)

    def load(self, purse: PaperPurse, amount_minor: int) -> None:
        """A load without any tear."""
        request = purse.ask_load(amount_minor)
        given = self.issuing.authorise_load(request)
        ltac = purse.take_load(request, given)
        self.issuing.complete_load(
            purse.cid,
            ltc=request.ltc,
            balance_after_minor=purse.balance_minor,
            ltac=ltac,
        )

    def loaded_purse(self, amount_minor: int = 500_000, cid: bytes = CID) -> PaperPurse:
        purse = self.issue(cid)
        self.load(purse, amount_minor)
        return purse

    def closed(self, *opens: OpenItem, head: AuditHead | None = None) -> BatchToUpload:
        """Close the batch; what its terminal makes of it to send it.

        Args:
            opens: what the customs card lists as open.
            head: where the terminal's audit log stands.
        """
        records = self.customs.records
        amounts = [item.open_record.tx.amount_minor for item in opens]
        header = self.customs.close(
            open_count=len(amounts), open_sum_minor=sum(amounts)
        )
        return BatchToUpload(
            terminal_id=header.terminal_id,
            office=header.office,
            mid=header.mid,
            currency=header.currency,
            close=header.close,
            payments=tuple(records),
            opens=tuple(
                replace(item, sequence=place)
                for place, item in enumerate(opens, len(records) + 1)
            ),
            audit_head=head,
        )

    def send(
        self, *opens: OpenItem, head: AuditHead | None = None
    ) -> list[Closure | None]:
        """Send the next batch with its payments and these open records.

        Args:
            opens: what the customs card lists as open.
            head: where the terminal's audit log stands.

        Returns:
            The closure that was answered for each open record.
        """
        amounts = [item.open_record.tx.amount_minor for item in opens]
        header = self.customs.close(
            open_count=len(amounts), open_sum_minor=sum(amounts)
        )
        totals = self.customs.totals(
            opened=Total(count=len(amounts), sum_minor=sum(amounts))
        )
        now = self.clock()
        assert self.bank.begin_batch(header, now, head).code == "00"
        self.bank.take_payments(header, self.customs.records, now)
        answers = [self.bank.take_open(header, item, now) for item in opens]
        ended = self.bank.reconcile(header, totals, now)
        assert ended.code == "00", ended.text
        self.customs.next_batch()
        return [answer.closure for answer in answers]

    def outcome(self, item: OpenItem) -> tuple[str, bool] | None:
        """How an open record was settled, and whether as debited."""
        tx = item.open_record.tx
        with self.store.read() as books:
            made = books.opens.resolution(tx.mid, tx.tsn)
        return None if made is None else (made.how.value, made.debited)

    def found(self, *, keys: bool = True) -> dict[FindingCode, str]:
        """What the check finds, by code; a line for each finding."""
        texts: dict[FindingCode, str] = {}
        for finding in check_bank(self.store, self.keys if keys else None).findings:
            texts[finding.code] = f"{texts.get(finding.code, '')}{finding.text}\n"
        return texts

    def tamper(self, *statements: str) -> None:
        """Change rows past the bank and leave every rule as it was."""
        with unguarded(self.place) as raw:
            for statement in statements:
                assert raw.change(statement), "it changed something"

    def officers(self) -> Officers:
        """The bank's officers; a guess of a password costs little here."""
        return Officers(self.store, self.clock, bytes, memory_kib=64)

    def staff(self) -> dict[str, OfficerRow]:
        """Two security officers, two supervisors and an officer of operations."""
        officers = self.officers()
        made = {
            name: officers.add(name, "", Role.SECURITY, PASSWORD, None)
            for name in ("salim", "maryam")
        }
        two = TwoOfficers(first=made["salim"], second=made["maryam"], reason="joined")
        for name, role in (
            ("huda", Role.OPERATIONS),
            ("said", Role.SUPERVISOR),
            ("zahra", Role.SUPERVISOR),
        ):
            made[name] = officers.add(name, "", role, PASSWORD, two)
        return made

    def by(self, officer: OfficerRow, reason: str = "seen by us") -> DecidedBy:
        """This officer decides now."""
        return DecidedBy(officer=officer, reason=reason, at=self.clock())

    def open_incidents(self) -> list[str]:
        with self.store.read() as books:
            noted = books.batches.noted_incidents()
        return [one.incident.code for one in noted if one.is_open]

    def balance(self, account: Account) -> int:
        with self.store.read() as books:
            return books.ledger.balance_minor(account)

    def incidents(self) -> list[str]:
        with self.store.read() as books:
            return [row.code for row in books.batches.incidents()]


@pytest.fixture(scope="session")
def paper_keys() -> MasterKeyStore:
    return MasterKeyStore(TEST_MASTERS)


@pytest.fixture(scope="session")
def fresh_bank(
    tmp_path_factory: pytest.TempPathFactory, paper_keys: MasterKeyStore
) -> Path:
    """A closed bank with one funded account and one bound terminal, to be copied."""
    path = tmp_path_factory.mktemp("bank") / "bank.sqlite"
    with BankStore.create(path) as store:
        furnish(store, paper_keys)
    return path


@pytest.fixture(scope="session")
def fresh_database(postgres: PrivatePostgres, paper_keys: MasterKeyStore) -> str:
    """The same on PostgreSQL: the name of a database that others are copied from."""
    name = "fresh"
    with BankStore.create(postgres.create_database(name)) as store:
        furnish(store, paper_keys)
    return name


def furnish(store: BankStore, keys: MasterKeyStore) -> None:
    issuing = Issuing(store, keys, PaperClock())
    issuing.open_account(
        number=ACCOUNT,
        holder="Al Bahr Trading LLC",
        currency=OMR,
        deposit_minor=FUNDS,
    )
    issuing.register_customs_card(
        mid=MID, terminal_id=TERMINAL, office=OFFICE, currency=OMR, kv=1
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a file's tests on every database that it names in ``DATABASES``."""
    databases = getattr(metafunc.module, "DATABASES", None)
    marks = metafunc.definition.iter_markers("parametrize")
    is_chosen = any(mark.args[0] == "database" for mark in marks)
    if databases and not is_chosen and "database" in metafunc.fixturenames:
        metafunc.parametrize("database", databases, indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """Which database the test's bank is on."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def empty_place(
    request: pytest.FixtureRequest, database: str, tmp_path: Path
) -> Iterator[Place]:
    """Where a bank can be made."""
    if database == "sqlite":
        yield tmp_path / "bank.sqlite"
        return
    server: PrivatePostgres = request.getfixturevalue("postgres")
    name = f"empty_{secrets.token_hex(6)}"
    yield server.create_database(name)
    server.drop_database(name)


@pytest.fixture
def new_place(
    request: pytest.FixtureRequest, database: str, tmp_path: Path
) -> Iterator[Callable[[], Place]]:
    """Makes copies of the bank that every test begins with."""
    if database == "sqlite":
        bank: Path = request.getfixturevalue("fresh_bank")

        def copy_file() -> Place:
            folder = Path(tempfile.mkdtemp(dir=tmp_path))
            return Path(shutil.copy(bank, folder))

        yield copy_file
        return
    server: PrivatePostgres = request.getfixturevalue("postgres")
    template: str = request.getfixturevalue("fresh_database")
    made: list[str] = []

    def copy_database() -> Place:
        made.append(f"bank_{secrets.token_hex(6)}")
        return server.create_database(made[-1], template=template)

    yield copy_database
    for name in made:
        server.drop_database(name)


@pytest.fixture
def new_desk(
    new_place: Callable[[], Place], paper_keys: MasterKeyStore
) -> Iterator[Callable[[], Desk]]:
    """Makes banks with one funded customer account and one bound terminal."""
    with ExitStack() as stores:

        def make() -> Desk:
            clock = PaperClock()
            place = new_place()
            store = stores.enter_context(BankStore.open(place))
            return Desk(
                place=place,
                store=store,
                keys=paper_keys,
                clock=clock,
                issuing=Issuing(store, paper_keys, clock),
                bank=Bank(store, paper_keys),
                customs=PaperCustomsCard(keys=paper_keys),
            )

        yield make


@pytest.fixture
def desk(new_desk: Callable[[], Desk]) -> Desk:
    """One such bank."""
    return new_desk()


@pytest.fixture(scope="session")
def documented_codes() -> set[str]:
    """The response codes that the profile documents."""
    page = Path(__file__).parents[2] / "docs" / "iso8583.md"
    section = page.read_text(encoding="utf-8").split("## Response codes")[1]
    rows = section.split("## ")[0].splitlines()
    return {row[2:4] for row in rows if row.startswith("| ") and row[2:4].isdigit()}
