"""Officers at work with ``raseed-bank``: incidents, suspense and proof."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from card import certificates
from card.profile import KeyUse
from card.records import (
    CHAIN_START,
    BatchClose,
    TransactionRecord,
    chain_next,
    payment_digest,
)
from settlement.bank import Bank
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.messages import BatchHeader, BatchTotals, Total
from settlement.payment import PaymentDetails, PaymentKind, PaymentRecord
from settlement.store.books import BankStore
from tests.settlement.acting import keep_passwords

if TYPE_CHECKING:
    from pathlib import Path

    World = Any

CID = bytes.fromhex("6400000000000001")
MID = bytes.fromhex("4355530000000007")
KEYS = MasterKeyStore(TEST_MASTERS)
PASSWORDS = {
    "salim": "the first of two",
    "maryam": "the second of two",
    "huda": "operations it is",
    "said": "supervisor it is",
}
PAYMENTS = ((10_000, None), (20_000, "DEC-1"))
"""The first one's details are not known, the second one's TAC is forged."""


@pytest.fixture
def staffed(issued: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A branch with officers, whose passwords lie in a folder."""
    keep_passwords(tmp_path / "passwords", PASSWORDS, monkeypatch)
    for name in ("salim", "maryam"):
        made = issued.bank("officer", "add", name, "--role", "security")
        assert made.exit_code == 0, made.output
    for name, role in (("huda", "operations"), ("said", "supervisor")):
        made = issued.bank(
            *("officer", "add", name, "--role", role, "--reason", "joined"),
            *("--by", "salim", "--and", "maryam"),
        )
        assert made.exit_code == 0, made.output
    return issued


@pytest.fixture
def waiting(staffed: World) -> World:
    """A batch of which one payment is held and one suspended."""
    loaded = staffed.desk("load", "100", pins="731946")
    assert loaded.exit_code == 0, loaded.output
    records, debited = [], 0
    for number, (amount, declaration) in enumerate(PAYMENTS, start=1):
        debited += amount
        details = None
        if declaration:
            details = PaymentDetails(declaration=declaration, kind=PaymentKind.FEES)
        tx = TransactionRecord(
            cid=CID,
            otc=number,
            mid=MID,
            tsn=number,
            amount_minor=amount,
            currency=512,
            at=staffed.now,
            digest=payment_digest(declaration or "?"),
        )
        counters = {
            "balance_after_minor": 100_000 - debited,
            "cumulative_debit_minor": debited,
        }
        key = KEYS.card_key(KeyUse.TRANSACTION_CERTIFICATE, 1, CID)
        record = PaymentRecord(
            stan=number,
            sequence=number,
            details=details,
            tx=tx,
            kv=1,
            alg=1,
            tac=certificates.tac(key, tx, **counters),
            **counters,
        )
        records.append(record)
    records[1] = replace(records[1], tac=bytes(8))
    header = closed(records)
    with BankStore.open(staffed.bank_folder / "bank.sqlite") as store:
        bank = Bank(store, KEYS)
        assert bank.begin_batch(header, staffed.now).code == "00"
        bank.take_payments(header, records, staffed.now)
        totals = BatchTotals(
            fees=Total(count=1, sum_minor=20_000),
            deposits=Total(),
            purchase=Total(),
            unknown=Total(count=1, sum_minor=10_000),
            opened=Total(),
        )
        assert bank.reconcile(header, totals, staffed.now).code == "00"
    return staffed


def closed(records: list[PaymentRecord]) -> BatchHeader:
    chain = CHAIN_START
    for one in records:
        chain = chain_next(
            chain,
            one.tx,
            one.balance_after_minor,
            one.cumulative_debit_minor,
            one.tac,
        )
    close = BatchClose(
        batch=1,
        count=len(records),
        sum_minor=sum(one.tx.amount_minor for one in records),
        open_count=0,
        open_sum_minor=0,
        chain=chain,
        mac=bytes(16),
    )
    key = KEYS.card_key(KeyUse.BATCH, 1, MID)
    mac = certificates.close_mac(key, mid=MID, close=close)
    return BatchHeader(
        terminal_id="T0000007",
        office="SOHAR",
        mid=MID,
        currency=512,
        close=replace(close, mac=mac),
    )


def by(name: str, reason: str = "seen") -> tuple[str, ...]:
    return ("--officer", name, "--reason", reason)


def test_a_bank_begins_with_two_security_officers(
    issued: World, tmp_path: Path
) -> None:
    password = tmp_path / "new"
    password.write_text("long enough it is\n")
    refused = issued.bank(
        *("officer", "add", "huda", "--role", "operations"),
        *("--new-password-file", str(password)),
    )
    assert refused.exit_code == 1
    assert "begins with two security officers" in refused.output
    no_keys = issued.bank(
        *("officer", "add", "salim", "--role", "security"),
        *("--new-password-file", str(password)),
        env={"RASEED_PASSPHRASE": "a guess"},
    )
    assert no_keys.exit_code == 1
    assert "keys do not open" in no_keys.output


def test_officers_are_listed_disabled_and_given_passwords(
    staffed: World, tmp_path: Path
) -> None:
    two = ("--by", "salim", "--and", "maryam", "--reason", "as agreed")
    alone = staffed.bank("officer", "disable", "huda", "--reason", "x")
    assert alone.exit_code == 1
    assert "two security officers together" in alone.output
    new = tmp_path / "new"
    new.write_text("something else now\n")
    changed = staffed.bank("officer", "passwd", "said", "--new-password-file", str(new))
    assert changed.exit_code == 0, changed.output
    wrong = staffed.bank("incidents", "note", "1", "--text", "x", "--officer", "said")
    assert "password is wrong" in wrong.output
    staffed.bank("officer", "disable", "huda", *two)
    listed = staffed.json(staffed.bank("officer", "list", "--json"))["officers"]
    assert {one["name"]: one["disabled_at"] is not None for one in listed} == {
        "huda": True,
        "maryam": False,
        "said": False,
        "salim": False,
    }
    assert "disabled 2026-03-04" in staffed.bank("officer", "list").output
    said = "".join(staffed.said)
    assert not any(password in said for password in PASSWORDS.values())


def test_incidents_are_filtered_assigned_noted_and_resolved(waiting: World) -> None:
    def numbers(*options: str) -> list[int]:
        document = waiting.json(waiting.bank("incidents", "--json", *options))
        return [one["number"] for one in document["incidents"]]

    assert numbers() == [1, 2]
    assert numbers("--severity", "critical") == [2]
    assert numbers("--code", "details unknown") == [1]
    assert numbers("--terminal", "T0000008") == []
    assert numbers("--older-than", "0") == []
    waiting.now = waiting.now.replace(day=20)
    assert numbers("--older-than", "15") == [1, 2]
    assert numbers("--older-than", "16") == []
    done = waiting.bank(
        *("incidents", "assign", "1", "2", "--to", "huda", "--officer", "said")
    )
    assert done.exit_code == 0, done.output
    assert numbers("--owner", "huda") == [1, 2]
    assert numbers("--owner", "") == []
    early = waiting.bank(
        *("incidents", "resolve", "2", "explained", "--officer", "huda"),
        *("--text", "nothing to see"),
    )
    assert early.exit_code == 1
    assert "waits in suspense" in early.output
    noted = waiting.bank(
        *("incidents", "note", "2", "--officer", "huda", "--text", "called the office")
    )
    assert noted.exit_code == 0
    shown = waiting.bank("incidents", "show", "2").output
    for words in ("TAC wrong", "called the office", "huda", "0320", "SHA-256", "**"):
        assert words in shown
    document = waiting.json(waiting.bank("incidents", "show", "2", "--json"))
    (evidence,) = document["evidence"]
    assert evidence["fields"]["field 55 C4 tac"] == "00" * 8
    assert evidence["fields"]["field 2"] == "640000******0001"
    whole = waiting.bank("incidents", "show", "2", "--json", "--full-number")
    assert CID.hex() in whole.output


def test_suspense_is_shown_proposed_approved_and_proved(waiting: World) -> None:
    document = waiting.json(waiting.bank("suspense", "list", "--json"))
    assert [one["payment"] for one in document["payments"]] == [
        "T0000007/1/1",
        "T0000007/1/2",
    ]
    assert [(one["age_days"], one["sum_minor"]) for one in document["ages"]] == [
        ("0-7", 10_000),
        ("0-7", 20_000),
    ]
    shown = waiting.bank("suspense", "show", "T0000007/1/1").output
    assert "10.000 OMR" in shown
    assert "details unknown" not in shown
    assert "0000  " in shown
    proof = waiting.json(waiting.bank("batch-proof", "T0000007", "1", "--json"))
    assert proof["agrees"]
    assert proof["unproved"] == {"count": 1, "sum_minor": 20_000}
    assert proof["suspense"] == {"count": 1, "sum_minor": 10_000}

    proposed = waiting.bank(
        *("suspense", "propose", "T0000007/1/1", "pay", "--kind", "deposits"),
        *by("huda", "the office wrote"),
    )
    assert proposed.exit_code == 0, proposed.output
    assert "waits for another officer" in proposed.output
    assert "customs deposits" in waiting.bank("suspense", "show", "T0000007/1/1").output
    for name, words in (("huda", "another officer"), ("salim", "may not approve")):
        refused = waiting.bank("suspense", "approve", "3", *by(name))
        assert refused.exit_code == 1
        assert words in refused.output
    approved = waiting.bank("suspense", "approve", "3", *by("said"), "--json")
    assert approved.exit_code == 0, approved.output
    assert waiting.json(approved)["ended"]["account"] == "customs deposits SOHAR"

    accept = waiting.bank("suspense", "propose", "T0000007/1/2", "accept", *by("huda"))
    assert accept.exit_code == 1
    assert "can only be written off" in accept.output
    for step in (
        ("suspense", "propose", "T0000007/1/2", "write-off", *by("said")),
        ("suspense", "reject", "4", *by("said", "a slip")),
        ("suspense", "propose", "T0000007/1/2", "write-off", *by("huda")),
        ("suspense", "approve", "5", *by("said")),
    ):
        result = waiting.bank(*step)
        assert result.exit_code == 0, result.output
    assert "Nothing waits in suspense" in waiting.bank("suspense", "list").output
    assert "written off" in waiting.bank("suspense", "list", "--all").output
    assert "No incident is open" in waiting.bank("incidents").output
    assert "approved (proposal 3)" in waiting.bank("incidents", "--all").output
    assert waiting.bank("batch-proof", "T0000007", "1").exit_code == 0
    checked = waiting.bank("check")
    assert checked.exit_code == 0, checked.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("suspense", "show", "T0000007/1/9"), "No payment T0000007/1/9"),
        (("suspense", "approve", "99", *by("said")), "no such proposal 99"),
        (("suspense", "approve", "1", *by("said")), "no such proposal 1"),
        (("batch-proof", "T0000007", "9"), "No batch 9"),
        (("incidents", "show", "99"), "no incident 99"),
        (
            ("incidents", "assign", "1", "--to", "salim", "--officer", "said"),
            "no officer who works on incidents",
        ),
        (
            ("incidents", "note", "1", "--text", "x", "--officer", "salim"),
            "does not work on incidents",
        ),
        (("suspense", "show", "T0000007/1"), "No payment"),
    ],
)
def test_what_is_not_there_or_not_allowed_is_told(
    waiting: World, words: tuple[str, ...], message: str
) -> None:
    result = waiting.bank(*words)
    assert result.exit_code == 1
    assert message in result.output
    assert "Nothing was changed" in result.output
