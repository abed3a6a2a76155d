"""Batches to send, a bank in memory, and a line between the two machines."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from card.records import (
    CHAIN_START,
    BatchClose,
    DebitProof,
    OpenRecord,
    TransactionRecord,
    chain_next,
    payment_digest,
)
from settlement.download import Offer
from settlement.intake import (
    BatchAnswer,
    HeldRecord,
    IntakeBank,
    IntakeMachine,
    LogonAnswer,
    OpenAnswer,
    ReconcileAnswer,
    RecordAnswer,
    RefusedMessage,
    ResponseCode,
    TerminalVersions,
    Total,
)
from settlement.payment import (
    BatchToUpload,
    Closure,
    DebitClosure,
    OpenItem,
    PaymentDetails,
    PaymentKind,
    PaymentRecord,
    VoidClosure,
)
from settlement.upload import UploadMachine
from settlement.upload_pace import UploadPace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from settlement.audit_head import AuditHead
    from settlement.decline_report import DeclineReport
    from settlement.download import DownloadQuery
    from settlement.intake import BatchHeader, BatchTotals
    from settlement.upload import UploadEvent

MID = bytes.fromhex("43 55 53 00 00 00 00 07")
ACK_MAC = bytes.fromhex("AC" * 16)

Ledger = dict[tuple[int, int], PaymentRecord]


def transaction(index: int) -> TransactionRecord:
    return TransactionRecord(
        cid=bytes.fromhex("64 00 00 00 00 00 00 01"),
        otc=index,
        mid=MID,
        tsn=index,
        amount_minor=1000 + index,
        currency=512,
        at=datetime(2025, 11, 22, 6, 15, tzinfo=UTC) + timedelta(seconds=index),
        digest=payment_digest(f"IMP-{index:04d}"),
    )


def payment(index: int) -> PaymentRecord:
    tx = transaction(index)
    kinds = list(PaymentKind)
    return PaymentRecord(
        stan=100 + index,
        sequence=index,
        details=PaymentDetails(
            declaration=f"IMP-{index:04d}", kind=kinds[index % 3], clerk="1"
        ),
        tx=tx,
        kv=1,
        alg=1,
        balance_after_minor=5_000_000 - 1000 * index,
        cumulative_debit_minor=1000 * index,
        tac=hashlib.sha256(tx.to_bytes()).digest()[:8],
    )


def open_item(index: int) -> OpenItem:
    rc = hashlib.sha256(b"rc %d" % index).digest()[:8]
    vreq = hashlib.sha256(b"vreq %d" % index).digest()[:8]
    opened = OpenRecord(tx=transaction(index), kv=1, rc=rc, vreq=vreq)
    return OpenItem(stan=100 + index, sequence=index, details=None, open_record=opened)


def chain_of(payments: Sequence[PaymentRecord]) -> bytes:
    chain = CHAIN_START
    for paid in payments:
        chain = chain_next(
            chain,
            paid.tx,
            paid.balance_after_minor,
            paid.cumulative_debit_minor,
            paid.tac,
        )
    return chain


class MemoryBank:
    """A bank that keeps what it takes in a dictionary and forgets nothing."""

    def __init__(self, ledger: Ledger, closures: dict[int, Closure]) -> None:
        self._ledger = ledger
        self._closures = closures
        self._headers: dict[int, BatchHeader] = {}
        self.refused: list[RefusedMessage] = []

    def logon(
        self, terminal_id: str, versions: TerminalVersions, now: datetime
    ) -> LogonAnswer:
        if terminal_id != "T0000007":
            unknown = ResponseCode.NOT_PERMITTED
            return LogonAnswer(code=unknown, versions=versions, text="who is that?")
        held = TerminalVersions(parameters=3, hotlist=4)
        return LogonAnswer(code=ResponseCode.ACCEPTED, versions=held)

    def begin_batch(
        self, header: BatchHeader, now: datetime, audit_head: AuditHead | None = None
    ) -> BatchAnswer:
        known = self._headers.setdefault(header.close.batch, header)
        if known != header:
            text = "this batch was closed with other figures"
            return BatchAnswer(code=ResponseCode.CONFLICT, text=text)
        held = tuple(
            HeldRecord(record=record, answer=RecordAnswer(code=ResponseCode.ACCEPTED))
            for (batch, _), record in self._ledger.items()
            if batch == header.close.batch
        )
        return BatchAnswer(code=ResponseCode.ACCEPTED, held=held)

    def take_payments(
        self, header: BatchHeader, payments: Sequence[PaymentRecord], now: datetime
    ) -> list[RecordAnswer]:
        return [self._take(header, record) for record in payments]

    def _take(self, header: BatchHeader, record: PaymentRecord) -> RecordAnswer:
        known = self._ledger.setdefault((header.close.batch, record.stan), record)
        if known != record:
            text = "this payment was sent with other content"
            return RecordAnswer(code=ResponseCode.CONFLICT, text=text)
        return RecordAnswer(code=ResponseCode.ACCEPTED)

    def note_refused(
        self, terminal_id: str, refused: RefusedMessage, now: datetime
    ) -> None:
        self.refused.append(refused)

    def download(self, query: DownloadQuery, terminal_id: str) -> Offer:
        return Offer(version=query.held.version)

    def take_decline(
        self, terminal_id: str, report: DeclineReport, now: datetime
    ) -> RecordAnswer:
        """A request that begins with P is paid already."""
        if report.number.startswith("P"):
            text = f"request {report.number} is paid; it cannot be declined any more"
            return RecordAnswer(code=ResponseCode.CONFLICT, text=text)
        return RecordAnswer(code=ResponseCode.ACCEPTED)

    def take_open(
        self, header: BatchHeader, item: OpenItem, now: datetime
    ) -> OpenAnswer:
        closure = self._closures.get(item.stan)
        return OpenAnswer(code=ResponseCode.ACCEPTED, closure=closure)

    def reconcile(
        self, header: BatchHeader, totals: BatchTotals, now: datetime
    ) -> ReconcileAnswer:
        close = header.close
        held = sorted(
            (record for key, record in self._ledger.items() if key[0] == close.batch),
            key=lambda record: record.sequence,
        )
        posted = Total(
            count=len(held), sum_minor=sum(record.tx.amount_minor for record in held)
        )
        if posted.count != close.count:
            text = f"{posted.count} payments came, {close.count} were closed"
            return ReconcileAnswer(code=ResponseCode.INCOMPLETE, text=text)
        if (posted.sum_minor, chain_of(held)) != (close.sum_minor, close.chain):
            text = f"the sum is {posted.sum_minor}, {close.sum_minor} was closed"
            return ReconcileAnswer(code=ResponseCode.SUMS_DIFFER, text=text)
        return ReconcileAnswer(
            code=ResponseCode.ACCEPTED, ack_mac=ACK_MAC, posted=posted
        )


@pytest.fixture
def now() -> datetime:
    """The end of a working day in Muscat."""
    return datetime(2025, 11, 22, 14, 20, tzinfo=timezone(timedelta(hours=4)))


@pytest.fixture
def make_batch() -> Callable[..., BatchToUpload]:
    """A closed batch of so many payments and open records."""

    def make(payments: int = 3, opens: int = 0, number: int = 1) -> BatchToUpload:
        paid = tuple(payment(index) for index in range(1, payments + 1))
        items = tuple(open_item(payments + i) for i in range(1, opens + 1))
        close = BatchClose(
            batch=number,
            count=payments,
            sum_minor=sum(record.tx.amount_minor for record in paid),
            open_count=opens,
            open_sum_minor=sum(i.open_record.tx.amount_minor for i in items),
            chain=chain_of(paid),
            mac=bytes.fromhex("C1" * 16),
        )
        return BatchToUpload(
            terminal_id="T0000007",
            office="SOHAR",
            mid=MID,
            currency=512,
            close=close,
            payments=paid,
            opens=items,
        )

    return make


@pytest.fixture
def ledger() -> Ledger:
    """What the bank in memory has posted, by batch and STAN."""
    return {}


@pytest.fixture
def closures() -> dict[int, Closure]:
    """What the bank in memory knows about open records, by STAN."""
    void = VoidClosure(tx=transaction(3), vmac=bytes.fromhex("B1" * 8))
    proof = DebitProof(
        balance_after_minor=7,
        cumulative_debit_minor=8,
        tac=bytes.fromhex("B2" * 8),
        mac2=bytes.fromhex("B3" * 8),
    )
    return {103: void, 104: DebitClosure(tx=transaction(4), proof=proof)}


@pytest.fixture
def bank(ledger: Ledger, closures: dict[int, Closure]) -> IntakeBank:
    """A bank in memory."""
    return MemoryBank(ledger, closures)


@pytest.fixture
def session_key() -> bytes:
    return bytes.fromhex("60 61 62 63 64 65 66 67 68 69 6A 6B 6C 6D 6E 6F")


@pytest.fixture
def cut_after() -> Callable[[int], Callable[[list[bytes]], list[bytes]]]:
    """A line that is dead once it has passed on so many messages."""

    def make(count: int) -> Callable[[list[bytes]], list[bytes]]:
        left = count

        def pass_on(messages: list[bytes]) -> list[bytes]:
            nonlocal left
            passed = messages[: max(left, 0)]
            left -= len(messages)
            return passed

        return pass_on

    return make


@pytest.fixture
def call(
    desk: Any, session_key: bytes, run_call: Callable[..., list[UploadEvent]]
) -> Callable[..., list[UploadEvent]]:
    """One call that sends a batch to the bank of the desk."""

    def send(batch: BatchToUpload, **lines: object) -> list[UploadEvent]:
        machine = IntakeMachine(batch.terminal_id, desk.bank, session_key)
        upload = UploadMachine(
            batch, stan_start=1, window=2, pace=UploadPace(largest=1)
        )
        return run_call(upload, machine, **lines)

    return send


@pytest.fixture
def intake(bank: IntakeBank, session_key: bytes) -> IntakeMachine:
    """The host's machine for one call of the known terminal."""
    return IntakeMachine("T0000007", bank, session_key)


@pytest.fixture
def run_call(now: datetime) -> Callable[..., list[UploadEvent]]:
    """Let both machines talk until the upload is finished; lines may do harm."""

    def untouched(messages: list[bytes]) -> list[bytes]:
        return messages

    def run(
        upload: UploadMachine,
        intake: IntakeMachine,
        up: Callable[[list[bytes]], list[bytes]] = untouched,
        down: Callable[[list[bytes]], list[bytes]] = untouched,
    ) -> list[UploadEvent]:
        events: list[UploadEvent] = []
        while not upload.finished:
            sent = upload.messages_to_send(now) or upload.repeat_unanswered()
            for response in down(intake.receive_group(up(sent), now)):
                events += upload.receive(response, now)
        return events

    return run
