"""``raseed-bank incidents`` and ``audit``: what waits, what closed, what was told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from card import certificates
from card.profile import KeyUse
from card.records import CHAIN_START, BatchClose
from settlement.audit_head import AuditHead
from settlement.bank import Bank
from settlement.clearing import IncidentCode
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.messages import BatchHeader
from settlement.store.batches import IncidentRow
from settlement.store.books import BankStore

if TYPE_CHECKING:
    # The world of this folder's conftest: test folders are no packages.
    World = Any

MID = bytes.fromhex("43 55 53 00 00 00 00 07")
KEYS = MasterKeyStore(TEST_MASTERS)


def header(number: int) -> BatchHeader:
    close = BatchClose(
        batch=number,
        count=0,
        sum_minor=0,
        open_count=0,
        open_sum_minor=0,
        chain=CHAIN_START,
        mac=bytes(16),
    )
    key = KEYS.card_key(KeyUse.BATCH, 1, MID)
    mac = certificates.close_mac(key, mid=MID, close=close)
    signed = BatchClose.parse(close.to_bytes()[:-16] + mac)
    return BatchHeader(
        terminal_id="T0000007", office="SOHAR", mid=MID, currency=512, close=signed
    )


def head(entries: int) -> AuditHead:
    return AuditHead(
        journal=bytes.fromhex("00 01 02 03 04 05 06 07"),
        entries=entries,
        digest=bytes([entries]) * 32,
    )


@pytest.fixture
def told(branch: World) -> World:
    """A bank to which a terminal sent two batches, the second with an older log."""
    with BankStore.open(branch.bank_folder / "bank.sqlite") as store:
        bank = Bank(store, KEYS)
        for number, entries in ((1, 9), (2, 5)):
            answer = bank.begin_batch(header(number), branch.now, head(entries))
            assert answer.code == "00", answer.text
    return branch


def test_the_heads_are_listed_for_the_terminal_to_compare(told: World) -> None:
    assert told.json(told.bank("audit", "T0000007", "--json")) == [
        {
            "journal": "0001020304050607",
            "entries": entries,
            "digest": f"{entries:02X}" * 32,
            "batch": number,
            "received_at": "2026-03-04T08:30:00Z",
        }
        for number, entries in ((1, 9), (2, 5))
    ]
    shown = told.bank("audit", "T0000007").output
    assert "0001020304050607" in shown
    assert "2026-03-04 08:30" in shown


def test_a_terminal_that_told_nothing_has_an_empty_list(branch: World) -> None:
    assert branch.json(branch.bank("audit", "T0000007", "--json")) == []
    assert "not told the bank" in branch.bank("audit", "T0000007").output


def test_an_unknown_terminal_has_no_audit(branch: World) -> None:
    result = branch.bank("audit", "T0000099", "--json")
    assert result.exit_code == 1
    assert "raseed-bank terminal list" in branch.json(result)["error"]["message"]


def test_incidents_that_are_open_stand_apart_from_closed_ones(told: World) -> None:
    with (
        BankStore.open(told.bank_folder / "bank.sqlite") as store,
        store.write() as books,
    ):
        made = IncidentRow(
            code=IncidentCode.OUTCOME_OPEN, amount_minor=12_500, text="odd", at=told.now
        )
        number = books.batches.add_incident(made)
        books.batches.close_incident(number, "by itself (load)", told.now)
    document = told.json(told.bank("incidents", "--json"))
    assert (document["open"], document["closed"]) == (1, 1)
    (waiting,) = document["incidents"]
    assert (waiting["code"], waiting["batch"]) == ("audit log went back", 2)
    assert (waiting["closed_at"], waiting["closed_because"]) == (None, None)
    every = told.json(told.bank("incidents", "--all", "--json"))["incidents"]
    assert [one["closed_because"] for one in every] == [None, "by itself (load)"]
    assert every[1]["closed_at"] == "2026-03-04T08:30:00Z"

    shown = told.bank("incidents").output
    assert "audit log went back: " in shown
    assert "12.500" not in shown
    shown = told.bank("incidents", "--all").output
    assert "outcome open: odd. Closed by itself (load)" in shown
    assert "12.500" in shown
    assert "1 open, 1 closed" in told.bank("status").output
    assert "went back" in told.bank("status").output


def test_a_bank_without_incidents_says_so(branch: World) -> None:
    assert branch.bank("incidents").output == "No incident is open.\n"
