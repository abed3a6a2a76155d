"""The machine that asks a purse about one payment ends in what the purse said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from card.apdu import ResponseAPDU
from card.exchange import Finished, MachineMisuseError, Transmit
from card.records import TransactionRecord
from settlement.open_inquiry import (
    InquiryResult,
    OpenInquiry,
    PurseGaveUp,
    PurseProved,
    PurseSilent,
)

TX = TransactionRecord(
    cid=bytes.fromhex("64 00 00 00 00 00 00 01"),
    otc=5,
    mid=bytes.fromhex("43 55 53 00 00 00 00 07"),
    tsn=9,
    amount_minor=1234,
    currency=512,
    at=datetime(2025, 11, 22, 10, 15, tzinfo=UTC),
    digest=bytes(8),
)
VREQ = bytes.fromhex("A1 A2 A3 A4 A5 A6 A7 A8")
PROVE = "80 5A 00 06 10 00 00 00 05 43 55 53 00 00 00 00 07 00 00 00 09"
PROOF = bytes(3) + b"\x07" + bytes(7) + b"\x08" + b"T" * 8 + b"M" * 8
NO_PROOF, OK = b"\x94\x06", b"\x90\x00"


def asked(machine: OpenInquiry) -> bytes:
    action = machine.next_action()
    assert isinstance(action, Transmit)
    return action.command.to_bytes()


def run(*answers: bytes | None) -> InquiryResult:
    """What it comes to when these are the purse's answers; None is no answer."""
    machine = OpenInquiry(TX, VREQ)
    for answer in answers:
        assert isinstance(machine.next_action(), Transmit)
        if answer is None:
            machine.lost()
        else:
            machine.receive(ResponseAPDU.parse(answer))
    action = machine.next_action()
    assert isinstance(action, Finished)
    return action.result


def test_it_asks_for_a_proof_and_then_for_the_end() -> None:
    machine = OpenInquiry(TX, VREQ)
    assert asked(machine).startswith(bytes.fromhex(PROVE))
    machine.receive(ResponseAPDU.parse(NO_PROOF))
    assert asked(machine).startswith(
        bytes.fromhex("80 5A 01 06 37") + TX.to_bytes() + VREQ
    )
    assert repr(machine).startswith("OpenInquiry(VOID, ")
    assert TX.cid.hex() not in repr(machine).lower()


def test_a_proof_is_taken() -> None:
    result = run(PROOF + OK)
    assert isinstance(result, PurseProved)
    assert (result.proof.balance_after_minor, result.proof.tac) == (7, b"T" * 8)


def test_a_vmac_is_taken() -> None:
    assert run(NO_PROOF, b"V" * 8 + OK) == PurseGaveUp(vmac=b"V" * 8)


@pytest.mark.parametrize(
    ("answers", "sw"),
    [
        pytest.param([None], None, id="gone at once"),
        pytest.param([NO_PROOF, None], None, id="gone before it gave up"),
        pytest.param([NO_PROOF, NO_PROOF], 0x9406, id="it knows nothing any more"),
        pytest.param([NO_PROOF, b"\x93\x02"], 0x9302, id="VREQ refused"),
        pytest.param([b"\x65\x81"], 0x6581, id="memory failure"),
        pytest.param([PROOF[:-1] + OK], 0x9000, id="no proof after all"),
        pytest.param([NO_PROOF, b"V" * 7 + OK], 0x9000, id="no VMAC after all"),
    ],
)
def test_all_else_leaves_the_payment_open(
    answers: list[bytes | None], sw: int | None
) -> None:
    assert run(*answers) == PurseSilent(sw=sw)


def test_it_takes_no_answer_in_the_end() -> None:
    machine = OpenInquiry(TX, VREQ)
    machine.lost()
    with pytest.raises(MachineMisuseError):
        machine.receive(ResponseAPDU.parse(OK))
    with pytest.raises(MachineMisuseError):
        machine.lost()
