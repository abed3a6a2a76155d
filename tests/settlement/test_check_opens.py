"""What was concluded about open records and audit logs is checked from the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from card import certificates
from card.profile import KeyUse
from settlement.audit_head import AuditHead
from settlement.check.bank import FindingCode, check_bank
from settlement.open_desk import OpenDesk

if TYPE_CHECKING:
    Desk = Any

DATABASES = ("sqlite", "postgresql")

OTHER_CID = bytes.fromhex("64 00 00 00 00 00 00 02")
OPEN, RECORD = FindingCode.OPEN, FindingCode.RECORD


def head(entries: int, journal: bytes = b"JOURNAL1") -> AuditHead:
    return AuditHead(journal=journal, entries=entries, digest=bytes([entries]) * 32)


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """Open records settled in each way and one that is open; an odd audit log."""
    purse, other = desk.loaded_purse(1_000), desk.loaded_purse(1_000, cid=OTHER_CID)
    by_payment = desk.customs.begin(purse, 70)
    desk.customs.pay(purse, 30)
    delivered = desk.customs.begin(purse, 40)
    proof = purse.debit(delivered)
    by_load = desk.customs.begin(other, 11)
    desk.send(by_payment, delivered, by_load, head=head(9))
    desk.customs.credit(delivered, proof)
    desk.load(other, 5)
    desk.send(by_payment, by_load, head=head(8))
    proved, given_up = desk.customs.begin(purse, 21), desk.customs.begin(other, 22)
    still_open = desk.customs.begin(other, 23)
    desk.send(proved, given_up, still_open, head=head(3, b"JOURNAL2"))
    ask = OpenDesk(desk.store, desk.keys, desk.clock)
    ask.debited(proved.open_record.tx, purse.debit(proved))
    tx = given_up.open_record.tx
    vmac = certificates.vmac(other.key(KeyUse.PURCHASE), tx)
    ask.given_up(tx, vmac)
    return desk


def test_open_records_in_every_state_are_no_finding(busy: Desk) -> None:
    assert busy.found() == {}
    assert busy.found(keys=False) == {}
    report = check_bank(busy.store)
    (totals,) = report.totals
    assert (totals.open_minor, totals.proved_minor) == (23, 21)
    assert (report.incidents, report.incidents_closed) == (3, 5)


@pytest.mark.parametrize(
    ("statements", "code", "words"),
    [
        (
            [
                "UPDATE open_resolution SET how = 'next payment'"
                " WHERE how = 'card desk' AND NOT debited"
            ],
            OPEN,
            "nothing that is stored proves that it was not debited",
        ),
        (
            ["UPDATE open_resolution SET how = 'delivered' WHERE debited"],
            OPEN,
            "it was not delivered",
        ),
        (
            [
                "DELETE FROM open_resolution WHERE how = 'load'",
            ],
            OPEN,
            "settled by load, which was not noted",
        ),
        (
            ["DELETE FROM incident_closed WHERE incident_id = 1"],
            OPEN,
            "it is settled, and its incident is open",
        ),
        (
            [
                "INSERT INTO incident_closed SELECT max(id), 'done',"
                " '2025-11-22T10:15:00.000000Z' FROM incident"
            ],
            OPEN,
            "nothing is known of it, and its incident is closed",
        ),
        (
            [
                "INSERT INTO incident_closed SELECT id, 'done',"
                " '2025-11-22T10:15:00.000000Z' FROM incident"
                " WHERE code = 'journal replaced'"
            ],
            FindingCode.INCIDENT,
            "closed, and nothing says why",
        ),
        (
            ["UPDATE incident_closed SET text = 'looked at' WHERE incident_id = 1"],
            OPEN,
            "its incident was closed for another reason",
        ),
        (
            ["UPDATE open_record SET incident_id = 2 WHERE incident_id = 1"],
            OPEN,
            "its incident is about something else",
        ),
        (
            ["DELETE FROM open_record WHERE incident_id = 1"],
            OPEN,
            "noted nowhere else",
        ),
        (
            ["UPDATE open_record SET lsn_then = 99 WHERE lsn_then = 2"],
            OPEN,
            "nothing that is stored proves",
        ),
        (
            [
                "UPDATE open_record SET otc = otc + 1",
            ],
            OPEN,
            "not the payment that was reported",
        ),
        (
            ["DELETE FROM incident WHERE code = 'audit log went back'"],
            RECORD,
            "audit head 2 of terminal T0000007: audit log went back, and not noted",
        ),
        (
            ["DELETE FROM audit_head WHERE serial = 2"],
            FindingCode.GAP,
            "audit head of terminal T0000007 2",
        ),
        (
            ["UPDATE audit_head SET entries = 0 WHERE serial = 1"],
            FindingCode.DATABASE,
            "audit_head row",
        ),
    ],
)
def test_what_was_changed_is_named(
    busy: Desk, statements: list[str], code: FindingCode, words: str
) -> None:
    busy.tamper(*statements)
    assert words in busy.found().get(code, "")


@pytest.mark.parametrize("column", ["tac", "mac2", "vmac"])
def test_what_a_purse_said_at_the_desk_is_verified_again(
    busy: Desk, column: str
) -> None:
    busy.tamper(
        f"UPDATE open_resolution SET {column} = zeroblob(8)"  # noqa: S608  our own names
        f" WHERE {column} IS NOT NULL"
    )
    assert "not its own word" in busy.found()[OPEN]
    assert busy.found(keys=False) == {}
