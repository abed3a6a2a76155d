"""Every exchange of the worked vector: we send these bytes, and read those."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from card import certificates, customs, purse
from card.apdu import CommandAPDU
from card.application import get_challenge, parse_challenge, select, verify
from card.fci import CardInfo, parse_fci
from card.fields import uint4
from card.maintenance import MaintenanceKey
from card.pin import pin_block
from card.profile import CardState, LogKind, Role
from card.records import (
    CHAIN_START,
    BatchClose,
    CreditedRecord,
    CustomsStatus,
    DebitProof,
    LoadRecord,
    LoadRequest,
    LogEntry,
    OpenRecord,
    TransactionRecord,
    chain_next,
    payment_digest,
)
from card.sw import SW

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.keys import MasterKeys
    from tests.card.conftest import Exchange

RC = bytes.fromhex("A1 A2 A3 A4 A5 A6 A7 A8")
RC_VOID = bytes.fromhex("B1 B2 B3 B4 B5 B6 B7 B8")
RC_LOAD = bytes.fromhex("C1 C2 C3 C4 C5 C6 C7 C8")
RC_RESET = bytes.fromhex("D1 D2 D3 D4 D5 D6 D7 D8")
LID = b"DESK0001"
BALANCE_AFTER = 498_766

Expected = tuple[Role, CommandAPDU, "Callable[[bytes], Any] | None", Any]


class Story:
    """All that the worked vector says, computed by the code under test."""

    def __init__(self, masters: MasterKeys, tx: TransactionRecord) -> None:
        self.tx = tx
        self.keys = masters.purse_keys(tx.cid)
        self.kb = masters.batch_key(tx.mid)
        counters = {
            "balance_after_minor": BALANCE_AFTER,
            "cumulative_debit_minor": 1234,
        }
        kp, kt = self.keys.purchase, self.keys.transaction_certificate
        tac = certificates.tac(kt, tx, **counters)
        mac2 = certificates.mac2(kp, tx, rc=RC, tac=tac, **counters)
        self.proof = DebitProof(tac=tac, mac2=mac2, **counters)
        second = replace(tx, otc=2, tsn=2, amount_minor=700, at=_at(10, 20))
        self.void_tx = replace(second, digest=payment_digest("INV-2025-000002"))
        close = BatchClose(
            batch=1,
            count=1,
            sum_minor=1234,
            open_count=0,
            open_sum_minor=0,
            chain=chain_next(CHAIN_START, tx, BALANCE_AFTER, 1234, tac),
            mac=bytes(16),
        )
        mac = certificates.close_mac(self.kb, mid=tx.mid, close=close)
        self.close = replace(close, mac=mac)

    def exchanges(self) -> list[Expected]:
        return [
            *self._selects(),
            *self._purchase(),
            *self._reading(),
            *self._void(),
            *self._batch(),
            *self._load(),
            *self._reset_pin(),
        ]

    def _selects(self) -> list[Expected]:
        common = {
            "state": CardState.ACTIVE,
            "currency": 512,
            "valid_from": date(2025, 1, 1),
            "expiry": date(2030, 12, 31),
            "key_version": 1,
            "language": "en",
        }
        purse_info = CardInfo(
            role=Role.PURSE,
            card_id=self.tx.cid,
            balance_limit_minor=2_000_000,
            payment_limit_minor=2_000_000,
            tries_left=3,
            holder_name="TEST PURSE",
            **common,  # type: ignore[arg-type] # the values are of many types
        )
        customs_info = CardInfo(
            role=Role.CUSTOMS,
            card_id=self.tx.mid,
            holder_name="TEST MERCHANT",
            **common,  # type: ignore[arg-type] # the values are of many types
        )
        return [
            (Role.PURSE, select(Role.PURSE), parse_fci, purse_info),
            (Role.CUSTOMS, select(Role.CUSTOMS), parse_fci, customs_info),
        ]

    def _purchase(self) -> list[Expected]:
        tx, kp = self.tx, self.keys.purchase
        s = certificates.purchase_s(kp, tx=tx, rc=RC)
        mac1 = certificates.mac1(kp, tx=tx, rc=RC)
        ack = certificates.ack(kp, tx)
        terms = {"kv": 1, "amount_minor": 1234, "currency": 512}
        init = purse.init_purchase(mid=tx.mid, digest=tx.digest, **terms)
        began = purse.InitAnswer(
            cid=tx.cid, balance_minor=500_000, counter=1, kv=1, alg=1, rc=RC, mac=s
        )
        opened = customs.InitSAMAnswer(tsn=1, mac1=mac1)
        init_sam = customs.init_sam(tx, rc=RC, kv=1, alg=1, s=s)
        debit = purse.debit(tsn=1, at=tx.at, mac1=mac1)
        credited = customs.CreditAnswer(total_minor=1234, ack=ack)
        credit = customs.credit(1, self.proof)
        return [
            (Role.PURSE, verify(Role.PURSE, pin_block(b"1234")), None, SW.OK),
            (Role.PURSE, init, purse.parse_init, began),
            (Role.CUSTOMS, init_sam, customs.InitSAMAnswer.parse, opened),
            (Role.PURSE, debit, DebitProof.parse, self.proof),
            (Role.CUSTOMS, credit, customs.CreditAnswer.parse, credited),
            (Role.PURSE, purse.ack(tx, ack), None, SW.OK),
        ]

    def _reading(self) -> list[Expected]:
        tx, proof = self.tx, self.proof
        entry = LogEntry(
            kind=LogKind.PURCHASE,
            tx=tx,
            balance_after_minor=BALANCE_AFTER,
            acked=True,
        )
        credited = CreditedRecord(
            batch=1,
            tx=tx,
            kv=1,
            balance_after_minor=BALANCE_AFTER,
            cumulative_debit_minor=1234,
            tac=proof.tac,
        )
        read = customs.read_credited(1)
        return [
            (Role.PURSE, purse.prove(tx), DebitProof.parse, proof),
            (Role.PURSE, purse.read_log(1), LogEntry.parse, entry),
            (Role.CUSTOMS, read, CreditedRecord.parse, credited),
        ]

    def _void(self) -> list[Expected]:
        tx, kp = self.void_tx, self.keys.purchase
        vreq, vmac = certificates.vreq(kp, tx), certificates.vmac(kp, tx)
        record = OpenRecord(tx=tx, kv=1, rc=RC_VOID, vreq=vreq)
        return [
            (Role.CUSTOMS, customs.list_open(1), OpenRecord.parse, record),
            (Role.PURSE, purse.prove(tx), None, SW.NO_PROOF),
            (Role.PURSE, purse.void(tx, vreq), purse.parse_vmac, vmac),
            (Role.CUSTOMS, customs.void(2, vmac), None, SW.OK),
        ]

    def _batch(self) -> list[Expected]:
        mid = self.tx.mid
        bank_mac = certificates.bank_ack_mac(self.kb, mid=mid, close=self.close)
        after = CustomsStatus(
            mid=mid,
            batch=2,
            tsn_next=3,
            count=0,
            sum_minor=0,
            total_minor=0,
            open_count=0,
            open_capacity=32,
            closed_count=0,
        )
        nothing_left = bytes(8).__eq__
        return [
            (Role.CUSTOMS, customs.close_batch(), BatchClose.parse, self.close),
            (Role.CUSTOMS, customs.waiting_batch(1), BatchClose.parse, self.close),
            (Role.CUSTOMS, customs.bank_ack(1, bank_mac), nothing_left, True),
            (Role.CUSTOMS, customs.status(), CustomsStatus.parse, after),
        ]

    def _load(self) -> list[Expected]:
        keys, cid = self.keys, self.tx.cid
        lx = LoadRecord(
            cid=cid,
            ltc=1,
            lid=LID,
            lsn=7,
            amount_minor=5000,
            currency=512,
            at=_at(11, 0),
        )
        request = LoadRequest(
            cid=cid,
            ltc=1,
            lid=LID,
            amount_minor=5000,
            currency=512,
            balance_minor=BALANCE_AFTER,
            kv=1,
            alg=1,
            rc=RC_LOAD,
            m1=bytes(8),
        )
        m1 = certificates.load_m1(keys.load, request)
        m2 = certificates.load_m2(keys.load, lx=lx, rc=RC_LOAD)
        kt, after = keys.transaction_certificate, BALANCE_AFTER + 5000
        ltac = certificates.ltac(kt, lx, balance_after_minor=after)
        proof = purse.LoadProof(balance_after_minor=after, ltac=ltac)
        began = purse.InitAnswer(
            cid=cid,
            balance_minor=BALANCE_AFTER,
            counter=1,
            kv=1,
            alg=1,
            rc=RC_LOAD,
            mac=m1,
        )
        init = purse.init_load(kv=1, amount_minor=5000, currency=512, lid=LID)
        credit = purse.credit_load(lsn=7, at=lx.at, m2=m2)
        prove = purse.prove_load(ltc=1, lid=LID, lsn=7)
        torn: Any = {"ltc": 2, "lid": LID, "lsn": 8}
        vreq = certificates.load_vreq(keys.load, cid=cid, **torn)
        vmac = certificates.load_vmac(keys.load, cid=cid, **torn)
        void = purse.void_load(vreq=vreq, **torn)
        return [
            (Role.PURSE, verify(Role.PURSE, pin_block(b"1234")), None, SW.OK),
            (Role.PURSE, init, purse.parse_init, began),
            (Role.PURSE, credit, purse.LoadProof.parse, proof),
            (Role.PURSE, prove, purse.LoadProof.parse, proof),
            (Role.PURSE, void, purse.parse_vmac, vmac),
        ]

    def _reset_pin(self) -> list[Expected]:
        key = MaintenanceKey(key=self.keys.maintenance, card_id=self.tx.cid)
        reset = key.reset_pin(pin_block(b"4321"), rc=RC_RESET)
        return [
            (Role.PURSE, get_challenge(), parse_challenge, RC_RESET),
            (Role.PURSE, reset, None, SW.OK),
        ]


def _at(hour: int, minute: int) -> datetime:
    return datetime.fromisoformat(f"2025-11-22T{hour:02}:{minute:02}:00+00:00")


@pytest.fixture
def story(masters: MasterKeys, tx: TransactionRecord) -> Story:
    return Story(masters, tx)


def test_every_command_is_sent_byte_for_byte(
    story: Story, transcript: list[Exchange]
) -> None:
    for expected, exchange in zip(story.exchanges(), transcript, strict=True):
        role, command, _, _ = expected
        assert role is exchange.role
        assert command.to_bytes().hex(" ") == exchange.command.hex(" ")


def test_every_answer_is_read_to_its_last_byte(
    story: Story, transcript: list[Exchange]
) -> None:
    for expected, exchange in zip(story.exchanges(), transcript, strict=True):
        _, command, parse, value = expected
        if parse is None:
            assert exchange.response.sw == value, command
            assert exchange.response.data == b""
        else:
            assert exchange.response.ok, command
            assert parse(exchange.response.data) == value


def test_records_are_written_as_the_cards_answer_them(
    story: Story, transcript: list[Exchange]
) -> None:
    written = 0
    for expected, exchange in zip(story.exchanges(), transcript, strict=True):
        value = expected[3]
        if hasattr(value, "to_bytes") and not isinstance(value, int):
            assert value.to_bytes() == exchange.response.data
            written += 1
    assert written == 8


def test_one_payment_costs_what_the_profile_promises(
    transcript: list[Exchange],
) -> None:
    payment = transcript[2:8]
    for role, exchanges, size_max in (Role.PURSE, 4, 170), (Role.CUSTOMS, 2, 130):
        sizes = [
            len(exchange.command) + len(exchange.response.data) + 2
            for exchange in payment
            if exchange.role is role
        ]
        assert len(sizes) == exchanges
        assert sum(sizes) <= size_max


def test_the_counters_of_the_story_are_four_bytes(story: Story) -> None:
    assert uint4(story.proof.balance_after_minor).hex(" ") == "00 07 9c 4e"
