"""Keys and MACs against published vectors and every MAC line of the worked vector."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card import certificates
from card.keys import (
    MasterKeys,
    PurseKeys,
    cmac,
    derive_card_key,
    encrypt_blocks,
    kdf,
)
from card.profile import KeyUse
from card.records import BatchClose, LoadRecord, LoadRequest, TransactionRecord

VECTORS = Path(__file__).parent.parent / "vectors" / "card-profile-1.txt"
LINE = re.compile(r"^(.+?) +K ([0-9A-F]+) IN ([0-9A-F]+) OUT ([0-9A-F]+)$")
LINES = [m for m in map(LINE.match, VECTORS.read_text().splitlines()) if m]

RFC_4493_KEY = bytes.fromhex("2b7e1516 28aed2a6 abf71588 09cf4f3c")
RFC_4493_MESSAGE = bytes.fromhex(
    "6bc1bee2 2e409f96 e93d7e11 7393172a ae2d8a57 1e03ac9c 9eb76fac 45af8e51"
    "30c81c46 a35ce411 e5fbc119 1a0a52ef f69f2445 df4f9b17 ad2b417b e66c3710"
)
RC = bytes.fromhex("A1 A2 A3 A4 A5 A6 A7 A8")
COUNTERS = {"balance_after_minor": 498_766, "cumulative_debit_minor": 1234}


@pytest.mark.parametrize(
    ("length", "mac"),
    [
        pytest.param(0, "bb1d6929 e9593728 7fa37d12 9b756746", id="example 1"),
        pytest.param(16, "070a16b4 6b4d4144 f79bdd9d d04a287c", id="example 2"),
        pytest.param(40, "dfa66747 de9ae630 30ca3261 1497c827", id="example 3"),
        pytest.param(64, "51f0bebf 7e3b9d92 fc497417 79363cfe", id="example 4"),
    ],
)
def test_cmac_gives_the_macs_of_rfc_4493(length: int, mac: str) -> None:
    assert cmac(RFC_4493_KEY, RFC_4493_MESSAGE[:length]) == bytes.fromhex(mac)


def test_kdf_is_one_cmac_over_counter_label_zero_context_and_length() -> None:
    key, context = bytes(range(16)), bytes.fromhex("01 64 00 00 00 00 00 00 01")
    message = b"\x01" + b"PUR" + b"\x00" + context + bytes.fromhex("00 80")
    assert len(message) == 16
    assert kdf(key, "PUR", context) == cmac(key, message)


def test_ecb_gives_the_blocks_of_sp_800_38a() -> None:
    expected = "3ad77bb4 0d7a3660 a89ecaf3 2466ef97 f5d3d585 03b9699d e785895a 96fdbaaf"
    assert encrypt_blocks(RFC_4493_KEY, RFC_4493_MESSAGE[:32]) == bytes.fromhex(
        expected
    )


def test_no_mac_line_of_the_worked_vector_is_overlooked() -> None:
    lines = VECTORS.read_text().splitlines()
    assert len(LINES) == sum(" OUT " in li for li in lines if not li.startswith("#"))
    assert len(LINES) == 30


@pytest.mark.parametrize(
    "line", LINES, ids=[f"{i} {m[1]}" for i, m in enumerate(LINES)]
)
def test_cmac_gives_every_mac_of_the_worked_vector(line: re.Match[str]) -> None:
    key, message, out = (bytes.fromhex(line[group]) for group in (2, 3, 4))
    assert cmac(key, message)[: len(out)] == out


def out(name: str, occurrence: int = 0) -> bytes:
    """OUT of the line called ``name`` in the worked vector."""
    return bytes.fromhex([m[4] for m in LINES if m[1].strip() == name][occurrence])


@pytest.mark.parametrize(
    ("use", "name"),
    [
        (KeyUse.PURCHASE, "KP"),
        (KeyUse.LOAD, "KL"),
        (KeyUse.TRANSACTION_CERTIFICATE, "KT"),
        (KeyUse.MAINTENANCE, "KM"),
    ],
)
def test_card_keys_are_those_of_the_worked_vector(
    masters: MasterKeys, tx: TransactionRecord, use: KeyUse, name: str
) -> None:
    assert masters.card_key(use, tx.cid) == out(name)


def test_the_batch_key_belongs_to_the_customs_card(
    masters: MasterKeys, tx: TransactionRecord
) -> None:
    assert masters.batch_key(tx.mid) == out("KB")


def test_many_card_keys_at_once_are_those_of_the_worked_vector(
    masters: MasterKeys, tx: TransactionRecord
) -> None:
    found = masters.card_keys(KeyUse.TRANSACTION_CERTIFICATE, [bytes(8), tx.cid])
    assert found[1] == out("KT")
    assert masters.card_keys(KeyUse.LOAD, []) == []


def test_the_tacs_of_a_group_are_judged_each_by_itself(
    masters: MasterKeys, tx: TransactionRecord
) -> None:
    kt = masters.card_key(KeyUse.TRANSACTION_CERTIFICATE, tx.cid)
    signed = certificates.signed_debit(tx, *COUNTERS.values())
    good, wrong = out("TAC"), bytes(8)
    debits = [(signed, good), (signed, wrong), (signed[:-1] + b"\x00", good)]
    assert certificates.verify_tacs([kt] * 3, debits) == [True, False, False]


def test_the_issuer_has_no_transport_master(masters: MasterKeys) -> None:
    with pytest.raises(ValueError, match="transport"):
        masters.of(KeyUse.TRANSPORT)


def test_the_transport_key_has_key_version_zero() -> None:
    serial = bytes(range(8))
    master = bytes(range(0x50, 0x60))
    expected = cmac(master, b"\x01TRN\x00" + b"\x00" + serial + b"\x00\x80")
    assert derive_card_key(master, KeyUse.TRANSPORT, 0, serial) == expected


def test_a_purchase_has_the_macs_of_the_worked_vector(
    masters: MasterKeys, tx: TransactionRecord
) -> None:
    keys = masters.purse_keys(tx.cid)
    kp, kt = keys.purchase, keys.transaction_certificate
    tac = certificates.tac(kt, tx, **COUNTERS)
    assert certificates.purchase_s(kp, tx=tx, rc=RC) == out("S")
    assert certificates.mac1(kp, tx=tx, rc=RC) == out("MAC1")
    assert tac == out("TAC")
    assert certificates.mac2(kp, tx, rc=RC, tac=tac, **COUNTERS) == out("MAC2")
    assert certificates.ack(kp, tx) == out("ACK")


def test_a_tac_verifies_only_as_it_was_made(
    masters: MasterKeys, tx: TransactionRecord
) -> None:
    kt = masters.purse_keys(tx.cid).transaction_certificate
    tac = out("TAC")
    assert certificates.verify_tac(kt, tx, claimed=tac, **COUNTERS)
    wrong: list[tuple[bytes, TransactionRecord, dict[str, int], bytes]] = [
        (bytes(16), tx, {}, tac),
        (kt, replace(tx, amount_minor=1235), {}, tac),
        (kt, replace(tx, otc=2), {}, tac),
        (kt, tx, {"balance_after_minor": 1}, tac),
        (kt, tx, {"cumulative_debit_minor": 1}, tac),
        (kt, tx, {}, bytes(8)),
        (kt, tx, {}, tac[:7]),
        (kt, tx, {}, b""),
    ]
    for key, payment, change, claimed in wrong:
        counters = COUNTERS | change
        assert not certificates.verify_tac(key, payment, claimed=claimed, **counters)


def test_a_vmac_verifies_only_for_its_payment(
    masters: MasterKeys, tx: TransactionRecord
) -> None:
    kp = masters.purse_keys(tx.cid).purchase
    vmac = certificates.vmac(kp, tx)
    assert certificates.verify_vmac(kp, tx, vmac)
    assert not certificates.verify_vmac(kp, replace(tx, tsn=2), vmac)
    assert vmac != certificates.vreq(kp, tx)


def load_request(tx: TransactionRecord, m1: bytes) -> LoadRequest:
    return LoadRequest(
        cid=tx.cid,
        ltc=1,
        lid=b"DESK0001",
        amount_minor=5000,
        currency=512,
        balance_minor=498_766,
        kv=1,
        alg=1,
        rc=bytes.fromhex("C1 C2 C3 C4 C5 C6 C7 C8"),
        m1=m1,
    )


def test_m1_verifies_only_for_its_request(
    masters: MasterKeys, tx: TransactionRecord
) -> None:
    kl = masters.purse_keys(tx.cid).load
    request = load_request(tx, out("M1"))
    assert certificates.verify_load_m1(kl, request)
    for change in ({"amount_minor": 5001}, {"balance_minor": 0}, {"ltc": 2}):
        changes: Any = change
        assert not certificates.verify_load_m1(kl, replace(request, **changes))


def test_an_ltac_verifies_only_for_its_load(
    masters: MasterKeys, tx: TransactionRecord
) -> None:
    lx = LoadRecord.parse(
        bytes.fromhex(
            "01 02 6400000000000001 00000001 4445534B30303031 00000007 00001388 0512"
            "20251122110000"
        )
    )
    kt = masters.purse_keys(tx.cid).transaction_certificate
    claimed = out("LTAC")
    verify = certificates.verify_ltac
    assert verify(kt, lx, balance_after_minor=503_766, claimed=claimed)
    assert not verify(kt, lx, balance_after_minor=503_767, claimed=claimed)
    other = replace(lx, lsn=8)
    assert not verify(kt, other, balance_after_minor=503_766, claimed=claimed)


def test_a_load_vmac_verifies_only_for_its_numbers(
    masters: MasterKeys, tx: TransactionRecord
) -> None:
    kl = masters.purse_keys(tx.cid).load
    torn: Any = {"cid": tx.cid, "ltc": 2, "lid": b"DESK0001", "lsn": 8}
    claimed = out("VMAC", 1)
    assert certificates.load_vreq(kl, **torn) == out("VREQ", 1)
    assert certificates.verify_load_vmac(kl, claimed=claimed, **torn)
    assert not certificates.verify_load_vmac(kl, claimed=claimed, **torn | {"lsn": 9})


def test_a_close_verifies_only_unchanged(
    masters: MasterKeys, tx: TransactionRecord
) -> None:
    kb = masters.batch_key(tx.mid)
    close = BatchClose(
        batch=1,
        count=1,
        sum_minor=1234,
        open_count=0,
        open_sum_minor=0,
        chain=bytes.fromhex("72FE720DEE1DA94244C837CC6A7A3AE4"),
        mac=out("CLOSE MAC"),
    )
    assert certificates.verify_close_mac(kb, mid=tx.mid, close=close)
    assert certificates.bank_ack_mac(kb, mid=tx.mid, close=close) == out("BANK ACK")
    for change in ({"sum_minor": 1235}, {"open_count": 1}, {"chain": bytes(16)}):
        changes: Any = change
        other = replace(close, **changes)
        assert not certificates.verify_close_mac(kb, mid=tx.mid, close=other)


def test_no_key_shows_in_a_repr(masters: MasterKeys, tx: TransactionRecord) -> None:
    keys = masters.purse_keys(tx.cid)
    shown = repr(masters) + repr(keys)
    for key in (masters.purchase, masters.batch, keys.purchase, keys.maintenance):
        assert key.hex() not in shown.lower()
        assert repr(key) not in shown


@given(st.binary(max_size=40).filter(lambda key: len(key) != 16))
def test_keys_have_sixteen_bytes(key: bytes) -> None:
    with pytest.raises(AssertionError):
        PurseKeys(
            kv=1,
            purchase=key,
            load=bytes(16),
            transaction_certificate=bytes(16),
            maintenance=bytes(16),
        )
