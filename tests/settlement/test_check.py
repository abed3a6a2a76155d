"""The check finds whatever does not add up, and finds nothing when all does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from settlement.check.bank import FindingCode, check_bank
from settlement.keystore import IssuerMasters, MasterKeyStore
from settlement.ledger import payee_account
from settlement.payment import PaymentKind
from settlement.statements import Statements
from tests.databases import raw_connection

if TYPE_CHECKING:
    Desk = Any
    Purse = Any

DATABASES = ("sqlite", "postgresql")

OTHER_CID = bytes.fromhex("64 00 00 00 00 00 00 02")


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """A bank with two cards, a collected batch with every outcome, and a statement."""
    first = desk.loaded_purse(500_000)
    second = desk.loaded_purse(300_000, cid=OTHER_CID)
    records = [
        desk.customs.pay(first, 1_000),
        desk.customs.pay(second, 2_000, kind=PaymentKind.DEPOSITS),
        replace(desk.customs.pay(first, 300), details=None),
        desk.customs.pay(second, 40),
    ]
    records[3] = replace(records[3], tac=bytes(8))
    desk.customs.records = records
    header = desk.customs.close()
    desk.bank.begin_batch(header, desk.clock())
    desk.bank.take_payments(header, records, desk.clock())
    assert desk.bank.reconcile(header, desk.customs.totals(), desk.clock()).ack_mac
    desk.customs.next_batch()
    desk.customs.pay(first, 70)
    desk.load(first, 5)
    desk.issuing.authorise_load(second.ask_load(9))
    day = desk.clock().date()
    account = payee_account(PaymentKind.FEES, "SOHAR", 512)
    Statements(desk.store, desk.clock).issue(account, day, day)
    return desk


def tamper(desk: Desk, table: str, statement: str) -> None:
    """Change a row as somebody would who knows how to get past the triggers."""
    with raw_connection(desk.place) as raw:
        if raw.is_sqlite:
            raw.execute("PRAGMA foreign_keys = OFF")
            raw.execute(f"DROP TRIGGER {table}_no_update")
            raw.execute(f"DROP TRIGGER {table}_no_delete")
        else:
            raw.execute("SET session_replication_role = replica")
            raw.execute(f"DROP TRIGGER {table}_append_only ON {table}")
        raw.execute(statement)
        raw.commit()


def found(desk: Desk) -> set[FindingCode]:
    report = check_bank(desk.store, desk.keys)
    assert not report.ok
    return {finding.code for finding in report.findings}


def test_a_sound_bank_has_no_findings(busy: Desk) -> None:
    report = check_bank(busy.store, busy.keys)
    assert report.findings == ()
    assert report.ok
    assert report.ledger_balanced
    assert report.value_accounted
    assert (report.purses, report.payments, report.batches) == (2, 3, 1)
    assert (report.statements, report.incidents, report.tacs_verified) == (1, 2, 3)


def test_every_unit_is_in_one_place(busy: Desk) -> None:
    (totals,) = check_bank(busy.store).totals
    assert totals.debits_minor == totals.credits_minor
    assert totals.floats_minor == (
        totals.purses_minor + totals.uncollected_minor + totals.pending_minor
    )
    assert (totals.payees_minor, totals.suspense_minor) == (3_000, 300)
    # The forged 40 were debited by nobody that certified it; the 70 are on the
    # customs card; the 9 are a load of which the bank does not know yet.
    assert (totals.unbooked_minor, totals.uncollected_minor) == (40, 110)
    assert totals.pending_minor == 9
    everything = totals.customers_minor + totals.floats_minor
    assert everything + totals.payees_minor + totals.suspense_minor == 5_000_000


def test_an_empty_bank_is_sound(desk: Desk) -> None:
    report = check_bank(desk.store)
    assert report.ok
    assert report.tacs_verified is None


@pytest.mark.parametrize(
    ("table", "statement", "code"),
    [
        (
            "leg",
            "UPDATE leg SET credit_minor = credit_minor + 1 WHERE credit_minor = 1000",
            FindingCode.UNBALANCED,
        ),
        (
            "leg",
            "UPDATE leg SET account_id = (SELECT id FROM account WHERE kind ="
            " 'purse float' AND owner LIKE '%2') WHERE debit_minor = 1000",
            FindingCode.FLOAT,
        ),
        (
            "payment",
            "UPDATE payment SET tac = zeroblob(8) WHERE amount_minor = 1000",
            FindingCode.TAC,
        ),
        (
            "payment",
            "UPDATE payment SET cumulative_debit_minor = 5 WHERE amount_minor = 1000",
            FindingCode.TAC,
        ),
        (
            "record",
            "UPDATE record SET tac_verified = FALSE, decision = 'suspended'"
            " WHERE amount_minor = 1000",
            FindingCode.TAC,
        ),
        (
            "record",
            "UPDATE record SET balance_after_minor = 5 WHERE amount_minor = 1000",
            FindingCode.COUNTERS,
        ),
        (
            "record",
            "UPDATE record SET tac = zeroblob(8) WHERE amount_minor = 1000",
            FindingCode.BATCH,
        ),
        (
            "batch_collected",
            "UPDATE batch_collected SET posted_minor = posted_minor + 1",
            FindingCode.BATCH,
        ),
        (
            "load",
            "UPDATE load SET amount_minor = amount_minor + 1 WHERE amount_minor = 5",
            FindingCode.FLOAT,
        ),
        (
            "load_outcome",
            "DELETE FROM load_outcome WHERE balance_after_minor = 300000",
            FindingCode.LOAD,
        ),
        (
            "load_outcome",
            "UPDATE load_outcome SET proof = zeroblob(8)",
            FindingCode.LOAD,
        ),
        (
            "statement",
            "UPDATE statement SET document = replace(document, '1000', '2000')",
            FindingCode.STATEMENT,
        ),
        (
            "entry",
            "UPDATE entry SET number = 99"
            " WHERE kind = 'payment' AND amount_minor = 300",
            FindingCode.NOT_BOOKED,
        ),
    ],
    ids=[
        "a leg raised",
        "a leg moved to another card",
        "a TAC changed",
        "a counter changed",
        "a verdict changed",
        "a balance changed",
        "a record's TAC changed",
        "an answer changed",
        "a load raised",
        "an outcome deleted",
        "a proof changed",
        "a statement changed",
        "an entry renumbered",
    ],
)
def test_whatever_is_changed_behind_the_bank_is_found(
    busy: Desk, table: str, statement: str, code: FindingCode
) -> None:
    tamper(busy, table, statement)
    assert code in found(busy)


def test_other_keys_do_not_verify_the_payments(busy: Desk) -> None:
    report = check_bank(busy.store, MasterKeyStore(IssuerMasters.random(1)))
    codes = {finding.code for finding in report.findings}
    assert codes == {
        FindingCode.TAC,
        FindingCode.LOAD,
        FindingCode.BATCH,  # CLOSE MAC and BANK ACK MAC
    }
    assert not report.value_accounted


def test_a_missing_row_is_damage_to_the_database(busy: Desk) -> None:
    tamper(busy, "account", "DELETE FROM account WHERE kind = 'core-bank clearing'")
    assert FindingCode.DATABASE in found(busy)


def test_a_finding_names_no_card_in_full(busy: Desk) -> None:
    tamper(busy, "leg", "DELETE FROM leg WHERE debit_minor = 1000")
    text = " ".join(
        finding.text for finding in check_bank(busy.store, busy.keys).findings
    )
    assert "640000******0001" in text
    assert "6400000000000001" not in text
