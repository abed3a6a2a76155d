"""Evidence can be judged again from its bytes, and hides what people do not see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from card import certificates
from card.profile import KeyUse
from settlement import evidence, iso8583
from settlement.clearing import IncidentCode
from settlement.incident_severity import SEVERITIES, Severity, severity_of
from settlement.message_parser import parse_request
from settlement.messages import DetailRequest
from settlement.payment import OpenItem, PaymentRecord

if TYPE_CHECKING:
    Desk = Any

CID = bytes.fromhex("64 00 00 00 00 00 00 01")
MID = bytes.fromhex("43 55 53 00 00 00 00 07")


@pytest.fixture
def kept(desk: Desk) -> bytes:
    """The evidence of a payment of a card that is on the hotlist."""
    purse = desk.loaded_purse()
    with desk.store.write() as books:
        why = {purse.cid: "stolen"}
        books.publications.list_cards(why, listed=True, since=desk.clock())
    desk.customs.pay(purse, 1234)
    desk.send()
    with desk.store.read() as books:
        (piece,) = books.incidents.evidence(1)
    data: bytes = piece.data
    return data


def test_a_payment_is_verified_again_from_its_evidence_alone(
    desk: Desk, kept: bytes
) -> None:
    request = parse_request(iso8583.decode(kept))
    assert isinstance(request, DetailRequest)
    sent = request.record
    assert isinstance(sent, PaymentRecord)
    assert certificates.verify_tac(
        desk.keys.card_key(KeyUse.TRANSACTION_CERTIFICATE, sent.kv, sent.tx.cid),
        sent.tx,
        balance_after_minor=sent.balance_after_minor,
        cumulative_debit_minor=sent.cumulative_debit_minor,
        claimed=sent.tac,
    )
    with desk.store.read() as books:
        stored = books.records.payment(sent.tx.cid, sent.tx.otc)
    assert stored.tac == sent.tac


def test_an_open_record_is_kept_as_it_was_reported(desk: Desk) -> None:
    item = desk.customs.begin(desk.loaded_purse(), 70)
    desk.send(item)
    with desk.store.read() as books:
        (piece,) = books.incidents.evidence(1)
    request = parse_request(iso8583.decode(piece.data))
    assert isinstance(request, DetailRequest)
    assert isinstance(request.record, OpenItem)
    assert request.record.open_record == item.open_record


def test_the_middle_of_card_numbers_is_hidden(kept: bytes) -> None:
    hidden = evidence.card_number_places(kept)
    assert hidden is not None
    shown = bytes(0xFF if n in hidden else byte for n, byte in enumerate(kept))
    for number in (CID, MID):
        assert number in kept
        assert number not in shown
        assert number.hex().upper().encode() not in shown
    assert len(hidden) == 3 + 6 + 3, "CID in TX and in field 2, MID in TX"
    lines = list(evidence.hex_lines(kept, hidden))
    assert "".join(lines).count("**") == len(hidden)


def test_what_cannot_be_read_shows_nothing(kept: bytes) -> None:
    assert evidence.card_number_places(kept[:-9]) is None
    assert evidence.card_numbers(kept[:-9]) is None
    assert [name for name, _ in evidence.decoded(kept[:-9])] == ["not readable"]


def test_evidence_is_read_out_by_name(kept: bytes) -> None:
    told = dict(evidence.decoded(kept))
    assert told["message type"] == "0320"
    assert told["field 4"] == "000000001234"
    assert told["field 48 C0 declaration"] == "DEC-2025-000001"
    assert len(told["field 55 C4 tac"]) == 16
    assert told["field 55 C5 key version"] == "01"


def test_every_kind_of_incident_has_a_severity() -> None:
    assert SEVERITIES.keys() == set(IncidentCode)
    assert severity_of("tac wrong, as nobody writes it") is Severity.MAJOR
    assert severity_of(IncidentCode.TAC_WRONG.value) is Severity.CRITICAL
