"""The recovery machine against scripted answers, and what the bank sends down."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from card import certificates
from card.apdu import ResponseAPDU
from card.errors import StatusError
from card.exchange import (
    CustomsCredited,
    Finished,
    MachineMisuseError,
    PurchaseVoided,
    PurseDebited,
    Record,
    Transmit,
)
from card.profile import Role
from card.purchase import OutcomeUnknown
from card.records import DebitProof, OpenRecord, TransactionRecord
from card.recovery import (
    LeftToBank,
    RecoveredDebited,
    RecoveredNotDebited,
    RecoveryExchange,
    RecoveryInterrupted,
)
from card.sw import SW

if TYPE_CHECKING:
    from card.exchange import JournalStep
    from card.keys import MasterKeys
    from card.recovery import RecoveryResult
    from tests.card.conftest import Bench, Exchange, Loss

NO_PROOF = ResponseAPDU(sw=SW.NO_PROOF)
OK = ResponseAPDU(sw=SW.OK)
VMAC = ResponseAPDU(data=bytes(8), sw=SW.OK)
DEBIT = 3


@pytest.fixture
def open_record(tx: TransactionRecord) -> OpenRecord:
    return OpenRecord(tx=tx, kv=1, rc=bytes(8), vreq=bytes(8))


@pytest.fixture
def proof(transcript: list[Exchange]) -> ResponseAPDU:
    return transcript[5].response


@pytest.fixture
def credited(transcript: list[Exchange]) -> ResponseAPDU:
    return transcript[6].response


def feed(
    record: OpenRecord, *answers: ResponseAPDU | None
) -> tuple[RecoveryResult, list[JournalStep]]:
    recovery = RecoveryExchange(record)
    waiting = iter(answers)
    steps: list[JournalStep] = []
    while True:
        action = recovery.next_action()
        match action:
            case Transmit():
                answer = next(waiting)
                if answer is None:
                    recovery.lost()
                else:
                    recovery.receive(answer)
            case Record(step=step):
                steps.append(step)
                recovery.recorded()
            case Finished(result=result):
                assert next(waiting, "all used") == "all used"
                return result, steps


def test_the_worked_vector_of_a_void_is_sent_byte_for_byte(
    transcript: list[Exchange],
) -> None:
    listed = transcript[11].response
    recovery = RecoveryExchange(OpenRecord.parse(listed.data))
    for exchange in transcript[12:15]:
        action = recovery.next_action()
        assert isinstance(action, Transmit)
        assert action.role is exchange.role
        assert action.command.to_bytes() == exchange.command
        recovery.receive(exchange.response)
    assert isinstance(recovery.next_action(), Record)
    recovery.recorded()
    assert isinstance(recovery.next_action(), Finished)


def test_a_proof_leads_to_credit(
    open_record: OpenRecord, proof: ResponseAPDU, credited: ResponseAPDU
) -> None:
    result, steps = feed(open_record, proof, credited, OK)
    parsed = DebitProof.parse(proof.data)
    assert result == RecoveredDebited(tx=open_record.tx, proof=parsed, acked=True)
    assert steps == [
        PurseDebited(tx=open_record.tx, proof=parsed, kv=1, rc=open_record.rc),
        CustomsCredited(tx=open_record.tx, proof=parsed, total_minor=1234),
    ]


def test_no_proof_leads_to_void_on_both_cards(open_record: OpenRecord) -> None:
    result, steps = feed(open_record, NO_PROOF, VMAC, OK)
    assert result == RecoveredNotDebited(tx=open_record.tx)
    assert steps == [PurchaseVoided(tx=open_record.tx)]


def test_no_proof_and_no_void_is_left_to_the_bank(open_record: OpenRecord) -> None:
    result, steps = feed(open_record, NO_PROOF, NO_PROOF)
    assert result == LeftToBank(tx=open_record.tx)
    assert steps == []


@pytest.mark.parametrize("sw", [SW.MAC_WRONG, SW.WRONG_DATA])
def test_a_void_that_the_purse_refuses_for_good_is_left_to_the_bank(
    open_record: OpenRecord, sw: SW
) -> None:
    result, _ = feed(open_record, NO_PROOF, ResponseAPDU(sw=sw))
    assert result == LeftToBank(tx=open_record.tx, role=Role.PURSE, sw=sw)


def test_a_vmac_that_the_customs_card_rejects_is_left_to_the_bank(
    open_record: OpenRecord,
) -> None:
    wrong = ResponseAPDU(sw=SW.MAC_WRONG)
    result, steps = feed(open_record, NO_PROOF, VMAC, wrong)
    assert result == LeftToBank(tx=open_record.tx, role=Role.CUSTOMS, sw=SW.MAC_WRONG)
    assert steps == []


def test_a_proof_that_the_customs_card_rejects_is_left_to_the_bank(
    open_record: OpenRecord, proof: ResponseAPDU
) -> None:
    result, _ = feed(open_record, proof, ResponseAPDU(sw=SW.MAC_WRONG))
    assert result == LeftToBank(tx=open_record.tx, role=Role.CUSTOMS, sw=SW.MAC_WRONG)


@pytest.mark.parametrize(
    ("answers", "role"),
    [
        pytest.param([None], Role.PURSE, id="PROVE lost"),
        pytest.param([NO_PROOF, None], Role.PURSE, id="VOID on the purse lost"),
        pytest.param([NO_PROOF, VMAC, None], Role.CUSTOMS, id="VOID on customs lost"),
    ],
)
def test_a_lost_answer_interrupts(
    open_record: OpenRecord, answers: list[ResponseAPDU | None], role: Role
) -> None:
    result, steps = feed(open_record, *answers)
    assert result == RecoveryInterrupted(tx=open_record.tx, role=role)
    assert steps == []


def test_a_lost_credit_interrupts_with_the_proof(
    open_record: OpenRecord, proof: ResponseAPDU
) -> None:
    result, _ = feed(open_record, proof, None)
    assert result == RecoveryInterrupted(
        tx=open_record.tx, role=Role.CUSTOMS, proof=DebitProof.parse(proof.data)
    )


@pytest.mark.parametrize(
    ("answers", "role", "sw"),
    [
        pytest.param([0x6985], Role.PURSE, 0x6985, id="PROVE refused"),
        pytest.param([0x6581], Role.PURSE, 0x6581, id="PROVE memory failure"),
        pytest.param([0x9000], Role.PURSE, 0x9000, id="PROVE malformed"),
        pytest.param([0x9406, 0x9000], Role.PURSE, 0x9000, id="VOID malformed"),
        pytest.param([0x9406, 0x6581], Role.PURSE, 0x6581, id="VOID memory failure"),
    ],
)
def test_an_answer_that_helps_neither_way_interrupts(
    open_record: OpenRecord, answers: list[int], role: Role, sw: int
) -> None:
    result, _ = feed(open_record, *(ResponseAPDU(sw=word) for word in answers))
    assert result == RecoveryInterrupted(tx=open_record.tx, role=role, sw=sw)


def test_a_record_that_is_not_open_any_more_interrupts(
    open_record: OpenRecord,
) -> None:
    gone = ResponseAPDU(sw=SW.NO_RECORD)
    result, _ = feed(open_record, NO_PROOF, VMAC, gone)
    assert isinstance(result, RecoveryInterrupted)
    assert result.sw == SW.NO_RECORD


@pytest.mark.parametrize("answer", [None, NO_PROOF])
def test_a_failed_ack_is_still_recovered(
    open_record: OpenRecord,
    proof: ResponseAPDU,
    credited: ResponseAPDU,
    answer: ResponseAPDU | None,
) -> None:
    result, _ = feed(open_record, proof, credited, answer)
    assert isinstance(result, RecoveredDebited)
    assert not result.acked


def test_what_was_not_asked_for_is_misuse(
    open_record: OpenRecord, proof: ResponseAPDU
) -> None:
    recovery = RecoveryExchange(open_record)
    with pytest.raises(MachineMisuseError):
        recovery.recorded()
    recovery.receive(proof)
    with pytest.raises(MachineMisuseError):
        recovery.lost()
    with pytest.raises(MachineMisuseError):
        recovery.receive(OK)


def test_another_purse_settles_nothing(bench: Bench, lose: type[Loss]) -> None:
    bench.pay(loss=lose(DEBIT, carried_out=False))
    [listed] = bench.customs.list_open()
    strange = replace(listed, tx=replace(listed.tx, cid=bytes(8)))
    result = bench.run(RecoveryExchange(strange))
    assert result == LeftToBank(tx=strange.tx, role=Role.PURSE, sw=SW.MAC_WRONG)
    assert bench.debited_minor == 0
    assert bench.open_minor == listed.tx.amount_minor


def test_the_bank_closes_a_record_of_which_it_knows_the_debit(
    bench: Bench, lose: type[Loss], masters: MasterKeys
) -> None:
    unknown = bench.pay(loss=lose(DEBIT, carried_out=True))
    assert isinstance(unknown, OutcomeUnknown)
    [listed] = bench.customs.list_open()
    keys = masters.purse_keys(listed.tx.cid)
    amount = listed.tx.amount_minor
    counters = {
        "balance_after_minor": 500_000 - amount,
        "cumulative_debit_minor": amount,
    }
    tac = certificates.tac(keys.transaction_certificate, listed.tx, **counters)
    mac2 = certificates.mac2(
        keys.purchase, listed.tx, rc=listed.rc, tac=tac, **counters
    )
    proof = DebitProof(tac=tac, mac2=mac2, **counters)
    assert bench.purse.prove(listed.tx) == proof
    answer = bench.customs.credit(listed.tx.tsn, proof)
    assert answer.total_minor == amount
    assert bench.open_minor == 0


def test_the_bank_closes_a_record_of_which_it_knows_the_void(
    bench: Bench, lose: type[Loss], masters: MasterKeys
) -> None:
    bench.pay(loss=lose(DEBIT, carried_out=False))
    [listed] = bench.customs.list_open()
    kp = masters.purse_keys(listed.tx.cid).purchase
    assert certificates.vreq(kp, listed.tx) == listed.vreq
    vmac = bench.purse.void(listed.tx, listed.vreq)
    assert certificates.verify_vmac(kp, listed.tx, vmac)
    bench.customs.void(listed.tx.tsn, certificates.vmac(kp, listed.tx))
    assert bench.customs.list_open() == []


def test_a_debit_cannot_be_voided(bench: Bench, lose: type[Loss]) -> None:
    bench.pay(loss=lose(DEBIT, carried_out=True))
    [listed] = bench.customs.list_open()
    with pytest.raises(StatusError) as caught:
        bench.purse.void(listed.tx, listed.vreq)
    assert caught.value.sw == SW.NO_PROOF
