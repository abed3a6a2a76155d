"""The journal: durable, append-only, one writer, no full card number."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from card.records import (
    BatchClose,
    CreditedRecord,
    DebitProof,
    OpenRecord,
    TransactionRecord,
    payment_digest,
)
from settlement.payment import LineClass, PaymentDetails, PaymentKind, PaymentLine
from terminal.entries import (
    BatchState,
    Begun,
    Credited,
    Debited,
    Intent,
    LeftToBank,
    NotDebited,
    Opened,
    OutcomeLost,
    PaymentState,
    RefusedEntry,
)
from terminal.errors import (
    JournalDamagedError,
    JournalError,
    JournalVersionError,
)
from terminal.journal import Journal, audit_journal
from terminal.journal_files import JournalFiles, read_head
from terminal.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from terminal.entries import Entry

CID = bytes.fromhex("64000000 00000001")
MID = bytes.fromhex("43555300 00000007")
RC = bytes.fromhex("A1A2A3A4 A5A6A7A8")
AT = datetime(2025, 11, 22, 10, 15, tzinfo=UTC)
DETAILS = PaymentDetails(
    declaration="INV-2025-000001",
    kind=PaymentKind.FEES,
    lines=(PaymentLine(line_class=LineClass.FINES, amount_minor=1234),),
    clerk="7",
    delivery_order="D/O 9",
)
INTENT = Intent(
    details=DETAILS, amount_minor=1234, currency=512, card_id=CID, mid=MID, batch=1
)
PROOF = DebitProof(
    balance_after_minor=498_766,
    cumulative_debit_minor=1234,
    tac=bytes.fromhex("33920C5D 66DC3A53"),
    mac2=bytes.fromhex("E8AC4FDD 98F94492"),
)


def record(tsn: int = 1, otc: int = 1) -> TransactionRecord:
    return TransactionRecord(
        cid=CID,
        otc=otc,
        mid=MID,
        tsn=tsn,
        amount_minor=1234,
        currency=512,
        at=AT,
        digest=payment_digest(DETAILS.declaration),
    )


def opened(tsn: int = 1) -> Opened:
    return Opened(tx=record(tsn), kv=1, rc=RC)


def debited(tsn: int = 1) -> Debited:
    return Debited(tx=record(tsn), proof=PROOF, kv=1)


def closing(batch: int = 1, count: int = 1) -> BatchClose:
    return BatchClose(
        batch=batch,
        count=count,
        sum_minor=1234 * count,
        open_count=0,
        open_sum_minor=0,
        chain=bytes(16),
        mac=bytes.fromhex("A250D5DF 8CB4A716 666EF9D6 CA19F749"),
    )


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal.open(tmp_path / "state", os.urandom)
    yield journal
    journal.close()


def events_of(folder: Path) -> list[str]:
    connection = sqlite3.connect(folder / "state" / "journal.sqlite")
    try:
        return [row[0] for row in connection.execute("SELECT kind FROM events")]
    finally:
        connection.close()


def test_a_payment_is_read_back_as_it_was_written(journal: Journal) -> None:
    number = journal.payments.intend(INTENT, AT, all_told=True)
    for entry in (Begun(otc=1, rc=RC), opened(), debited(), Credited(batch=3)):
        journal.payments.write(number, entry, AT)
    payment = journal.payments.get(number)
    assert payment.details == DETAILS
    assert payment.tx == record()
    assert payment.proof == PROOF
    assert (payment.card_id, payment.rc, payment.kv) == (CID, RC, 1)
    assert (payment.state, payment.batch) == (PaymentState.CREDITED, 3)
    assert (payment.position, payment.receipt) == (1, 1)
    assert 1 <= payment.stan <= 999_999
    assert payment.card_masked == "640000******0001"
    assert journal.payments.unfinished() == []


def test_stans_go_up_one_by_one_and_start_elsewhere_in_another_journal(
    tmp_path: Path,
) -> None:
    firsts = []
    for name in ("lost", "new"):
        journal = Journal.open(tmp_path / name, os.urandom)
        numbers = [journal.payments.intend(INTENT, AT, all_told=True) for _ in range(3)]
        stans = [journal.payments.get(number).stan for number in numbers]
        assert [(stan - stans[0]) % 999_999 for stan in stans] == [0, 1, 2]
        firsts.append(stans[0])
        journal.close()
    assert firsts[0] != firsts[1]


def test_what_was_written_survives_a_power_cut(
    tmp_path: Path, journal: Journal
) -> None:
    number = journal.payments.intend(INTENT, AT, all_told=True)
    journal.payments.write(number, Begun(otc=1, rc=RC), AT)
    journal.payments.write(number, opened(), AT)
    # What is on the disk now, with the journal still open, is all that is left.
    shutil.copytree(tmp_path / "state", tmp_path / "later")
    later = Journal.open(tmp_path / "later", os.urandom)
    assert later.payments.get(number).state is PaymentState.OPENED
    assert later.payments.get(number).tx == record()
    later.close()


def test_a_restart_finds_the_open_payments_by_index(journal: Journal) -> None:
    sql = (
        "EXPLAIN QUERY PLAN SELECT * FROM payments "
        "WHERE state NOT IN ('credited', 'refused', 'not-debited') AND card_ref = x'00'"
    )
    (plan,) = journal._database.query(sql)
    assert "payments_unfinished" in plan["detail"]


def test_only_debited_payments_get_a_receipt_number(journal: Journal) -> None:
    refused = journal.payments.intend(INTENT, AT, all_told=True)
    journal.payments.write(refused, RefusedEntry(reason="pin-wrong"), AT)
    paid = journal.payments.intend(INTENT, AT, all_told=True)
    for entry in (Begun(otc=1, rc=RC), opened(), debited()):
        journal.payments.write(paid, entry, AT)
    assert journal.payments.get(refused).receipt is None
    assert journal.payments.get(paid).receipt == 1


@pytest.mark.parametrize(
    ("entries", "state"),
    [
        pytest.param([], PaymentState.INTENDED, id="intended"),
        pytest.param([Begun(otc=1, rc=RC)], PaymentState.BEGUN, id="begun"),
        pytest.param(
            [Begun(otc=1, rc=RC), OutcomeLost(stage="init sam")],
            PaymentState.BEGUN,
            id="lost",
        ),
        pytest.param([Begun(otc=1, rc=RC), opened()], PaymentState.OPENED, id="opened"),
        pytest.param(
            [Begun(otc=1, rc=RC), opened(), debited()],
            PaymentState.DEBITED,
            id="debited",
        ),
        pytest.param(
            [Begun(otc=1, rc=RC), opened(), LeftToBank()],
            PaymentState.LEFT_TO_BANK,
            id="left",
        ),
    ],
)
def test_what_is_unfinished_is_found_after_a_restart(
    tmp_path: Path, entries: list[Entry], state: PaymentState
) -> None:
    journal = Journal.open(tmp_path / "state", os.urandom)
    number = journal.payments.intend(INTENT, AT, all_told=True)
    for entry in entries:
        journal.payments.write(number, entry, AT)
    journal.close()
    journal = Journal.open(tmp_path / "state", os.urandom)
    assert [p.state for p in journal.payments.unfinished()] == [state]
    assert [p.number for p in journal.payments.unfinished_of(CID)] == [number]
    assert journal.payments.unfinished_of(MID) == []
    journal.close()


def test_a_step_that_is_not_in_the_table_raises(journal: Journal) -> None:
    number = journal.payments.intend(INTENT, AT, all_told=True)
    journal.payments.write(number, RefusedEntry(reason="card-removed"), AT)
    with pytest.raises(AssertionError):
        journal.payments.write(number, Credited(batch=1), AT)
    assert journal.payments.get(number).state is PaymentState.REFUSED


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET kind = 'x'",
        "DELETE FROM events",
        "DELETE FROM payments",
        "UPDATE payments SET amount_minor = 1",
        "UPDATE payments SET details = NULL",
        "DELETE FROM batches",
        "UPDATE batches SET closing = x'00'",
    ],
)
def test_history_cannot_be_rewritten(
    tmp_path: Path, journal: Journal, statement: str
) -> None:
    journal.payments.intend(INTENT, AT, all_told=True)
    journal.batches.add(MID, closing(), (), AT)
    connection = sqlite3.connect(tmp_path / "state" / "journal.sqlite")
    try:
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(statement)
    finally:
        connection.close()


def test_every_commit_is_forced_to_the_disk(journal: Journal) -> None:
    rows = journal._database  # the pragma is not told otherwise
    assert rows.query("PRAGMA journal_mode")[0]["journal_mode"] == "wal"
    assert rows.query("PRAGMA synchronous")[0]["synchronous"] == 2


def test_a_second_program_is_told_to_wait(tmp_path: Path, journal: Journal) -> None:
    with pytest.raises(JournalError, match="Another program"):
        Journal.open(tmp_path / "state", os.urandom)
    journal.close()
    Journal.open(tmp_path / "state", os.urandom).close()


def test_a_reader_looks_on_beside_the_writer(tmp_path: Path, journal: Journal) -> None:
    number = journal.payments.intend(INTENT, AT, all_told=True)
    reader = Journal.read(tmp_path / "state")
    assert reader.payments.get(number).details == DETAILS
    with pytest.raises(JournalError):
        reader.note("x", AT, "")
    reader.close()


def test_a_journal_that_was_never_begun_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal"):
        Journal.read(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        pytest.param(
            lambda folder: (folder / "journal.sqlite").write_bytes(b"rubbish" * 999),
            JournalDamagedError,
            id="damaged",
        ),
        pytest.param(
            lambda folder: (folder / "journal.key").unlink(),
            JournalDamagedError,
            id="no key",
        ),
    ],
)
def test_a_journal_that_cannot_be_trusted_is_refused(
    tmp_path: Path, spoil: object, error: type[JournalError]
) -> None:
    Journal.open(tmp_path / "state", os.urandom).close()
    assert callable(spoil)
    spoil(tmp_path / "state")
    with pytest.raises(error):
        Journal.open(tmp_path / "state", os.urandom)


@pytest.mark.parametrize("version", [1, 2, 4])
def test_a_journal_of_another_version_is_left_alone(
    tmp_path: Path, version: int
) -> None:
    Journal.open(tmp_path / "state", os.urandom).close()
    connection = sqlite3.connect(tmp_path / "state" / "journal.sqlite")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with pytest.raises(JournalVersionError, match=f"version {version}") as caught:
        Journal.open(tmp_path / "state", os.urandom)
    assert "raseed-terminal recover" in str(caught.value)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(JournalError, match="state"):
        Journal.open(tmp_path / "state", os.urandom)


def test_a_database_error_says_that_no_further_step_was_taken(
    journal: Journal,
) -> None:
    journal.close()
    with pytest.raises(JournalError, match="No further step"):
        journal.payments.intend(INTENT, AT, all_told=True)


def test_no_card_number_lies_readable_on_the_disk(
    tmp_path: Path, journal: Journal
) -> None:
    number = journal.payments.intend(INTENT, AT, all_told=True)
    for entry in (Begun(otc=1, rc=RC), opened(), debited(), Credited(batch=1)):
        journal.payments.write(number, entry, AT)
    journal.batches.add(MID, closing(), (open_record(2),), AT)
    for path in (tmp_path / "state").iterdir():
        content = path.read_bytes()
        assert CID not in content
        assert CID.hex().encode() not in content.lower()
        assert MID not in content
    assert "6400000000000001" not in repr(journal.payments.get(number))


def open_record(tsn: int) -> OpenRecord:
    return OpenRecord(tx=record(tsn, otc=tsn), kv=1, rc=RC, vreq=bytes(8))


def test_an_unknown_open_record_is_taken_in_without_details(journal: Journal) -> None:
    number = journal.payments.adopt(record(5), kv=1, rc=RC, batch=2, at=AT)
    payment = journal.payments.get(number)
    assert (payment.state, payment.details) == (PaymentState.OPENED, None)
    assert payment.declaration == ""
    assert payment.matches(open_record(5)) is False
    assert payment.tx == record(5)
    journal.payments.write(number, NotDebited(how="void"), AT)


def credited_record(tsn: int, batch: int = 1) -> CreditedRecord:
    return CreditedRecord(
        batch=batch,
        tx=record(tsn),
        kv=1,
        balance_after_minor=PROOF.balance_after_minor,
        cumulative_debit_minor=PROOF.cumulative_debit_minor,
        tac=PROOF.tac,
    )


def test_the_customs_cards_own_order_wins(journal: Journal) -> None:
    numbers = [journal.payments.intend(INTENT, AT, all_told=True) for _ in range(2)]
    for tsn, number in enumerate(numbers, 1):
        journal.payments.write(number, Begun(otc=tsn, rc=RC), AT)
        journal.payments.write(number, opened(tsn), AT)
        journal.payments.write(number, debited(tsn), AT)
    journal.payments.write(numbers[0], Credited(batch=2), AT)
    order = [credited_record(2), credited_record(9), credited_record(1)]
    journal.payments.place(order, AT)
    placed = journal.payments.credited_in(MID, 1)
    assert [payment.tx.tsn for payment in placed if payment.tx] == [2, 9, 1]
    assert [payment.position for payment in placed] == [1, 2, 3]
    assert journal.payments.credited_in(MID, 2) == []
    assert placed[0].proof == PROOF
    assert placed[1].details is None


def test_a_batch_waits_across_restarts_until_it_is_acknowledged(
    tmp_path: Path,
) -> None:
    journal = Journal.open(tmp_path / "state", os.urandom)
    assert journal.batches.add(MID, closing(), (open_record(2),), AT)
    assert not journal.batches.add(MID, closing(), (), AT)
    journal.close()
    journal = Journal.open(tmp_path / "state", os.urandom)
    (batch,) = journal.batches.in_state(BatchState.CLOSED)
    assert (batch.close, batch.mid) == (closing(), MID)
    assert batch.opens == (open_record(2),)
    journal.batches.refused(batch, "95", "sums differ", AT)
    assert journal.batches.in_state(BatchState.CLOSED)[0].text == "sums differ"
    journal.batches.collected(batch, bytes(range(16)), AT)
    (batch,) = journal.batches.in_state(BatchState.COLLECTED)
    assert batch.ack_mac == bytes(range(16))
    journal.batches.acknowledged(batch, AT)
    found = journal.batches.find(MID, 1)
    assert found is not None
    assert found.state is BatchState.ACKNOWLEDGED
    journal.close()
    assert events_of(tmp_path) == [
        "journal-begun",
        "batch-closed",
        "batch-refused",
        "batch-collected",
        "batch-acknowledged",
    ]


def test_a_repeated_answer_does_not_take_an_acknowledged_batch_back(
    journal: Journal,
) -> None:
    journal.batches.add(MID, closing(), (), AT)
    for _ in range(2):
        batch = journal.batches.find(MID, 1)
        assert batch is not None
        journal.batches.collected(batch, bytes(16), AT)
        journal.batches.acknowledged(batch, AT)
    assert journal.batches.in_state(BatchState.COLLECTED) == []


def test_a_first_start_killed_while_it_made_the_file_is_simply_repeated(
    tmp_path: Path,
) -> None:
    folder, half_made = tmp_path / "state", tmp_path / "elsewhere.sqlite"
    folder.mkdir()
    with contextlib.closing(sqlite3.connect(half_made, isolation_level=None)) as writer:
        # The smallest cache: pages reach the disk before the transaction ends.
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN")
        writer.execute("CREATE TABLE half (made TEXT)")
        for _ in range(100):
            writer.execute("INSERT INTO half VALUES (hex(randomblob(500)))")
        for ending in ("", "-journal"):
            copy = folder / f"journal.sqlite{ending}"
            copy.write_bytes(Path(f"{half_made}{ending}").read_bytes())
    assert (folder / "journal.sqlite-journal").stat().st_size
    Vault.open(folder / "journal.key", create=True, random_bytes=os.urandom)
    (folder / "journal.head").touch()
    journal = Journal.open(folder, os.urandom)
    journal.payments.intend(INTENT, AT, all_told=True)
    journal.close()
    assert audit_journal(folder).is_whole


def test_a_head_that_was_torn_while_it_was_written_leaves_the_one_before(
    journal: Journal, tmp_path: Path
) -> None:
    folder = tmp_path / "state"
    kept = JournalFiles(folder).head
    before = b""
    for _ in range(3):
        before = kept.read_bytes()
        journal.payments.intend(INTENT, AT, all_told=True)
    head = journal.audit_head()
    assert head is not None
    journal.close()
    whole = kept.read_bytes()
    start = head.entries % 2 * (len(whole) // 2)
    found = set()
    for torn in range(len(whole) // 2):
        kept.write_bytes(whole[: start + torn] + before[start + torn :])
        newest = read_head(kept)
        assert newest is not None
        found.add(newest.entries)
        Journal.open(folder, os.urandom).close()
    assert found <= {head.entries - 1, head.entries}
    assert head.entries - 1 in found


def test_a_new_journal_whose_log_is_left_over_replaces_nothing(
    journal: Journal, tmp_path: Path
) -> None:
    journal.payments.intend(INTENT, AT, all_told=True)
    journal.close()
    files = JournalFiles(tmp_path / "state")
    before = files.database.read_bytes()
    new = files.prepare_rebuilding()
    new.database.write_bytes(before)
    new.log.write_bytes(b"entries that the database does not hold")
    with pytest.raises(JournalError, match="could not be taken over"):
        files.change_over("aside")
    assert files.database.read_bytes() == before
    assert not (files.folder / "aside").exists()
    Journal.open(files.folder, os.urandom).close()
