"""The purchase machine against scripted answers: every status word at every step."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from card.apdu import ResponseAPDU
from card.exchange import MachineMisuseError
from card.pin import pin_block
from card.profile import INS, Role
from card.purchase import (
    Approved,
    CreditPending,
    CustomsCredited,
    Declined,
    DeclineReason,
    Finished,
    OutcomeUnknown,
    PurchaseBegun,
    PurchaseExchange,
    PurchaseOpened,
    PurchaseTerms,
    PurseDebited,
    Record,
    Stage,
    Transmit,
)
from card.records import TransactionRecord, payment_digest

if TYPE_CHECKING:
    from card.purchase import PurchaseResult
    from tests.card.conftest import Exchange

VERIFY, INIT_PURCHASE, INIT_SAM, DEBIT, CREDIT, ACK = range(6)
TERMS = PurchaseTerms(
    amount_minor=1234,
    currency=512,
    mid=bytes.fromhex("43 55 53 00 00 00 00 07"),
    kv=1,
    digest=payment_digest("INV-2025-000001"),
    at=datetime(2025, 11, 22, 10, 15, tzinfo=UTC),
    cid=bytes.fromhex("64 00 00 00 00 00 00 01"),
)


def machine() -> PurchaseExchange:
    return PurchaseExchange(TERMS, pin_block(b"1234"))


def good(transcript: list[Exchange]) -> list[ResponseAPDU]:
    """The six answers of the worked vector."""
    return [exchange.response for exchange in transcript[2:8]]


def feed(
    purchase: PurchaseExchange, answers: list[ResponseAPDU | None]
) -> PurchaseResult:
    """Run to the end; None stands for an answer that does not come."""
    waiting = iter(answers)
    while True:
        action = purchase.next_action()
        match action:
            case Transmit():
                answer = next(waiting)
                if answer is None:
                    purchase.lost()
                else:
                    purchase.receive(answer)
            case Record():
                purchase.recorded()
            case Finished(result=result):
                assert next(waiting, "all used") == "all used"
                return result


def stopped_at(
    transcript: list[Exchange], step: int, answer: ResponseAPDU | None
) -> PurchaseResult:
    """The result when ``step`` gets ``answer`` and all before went well."""
    return feed(machine(), [*good(transcript)[:step], answer])


def test_a_purchase_sends_and_records_in_this_order(
    transcript: list[Exchange],
) -> None:
    purchase = machine()
    answers = iter(good(transcript))
    seen: list[object] = []
    while not isinstance(action := purchase.next_action(), Finished):
        if isinstance(action, Transmit):
            seen.append((action.role, INS(action.command.ins)))
            purchase.receive(next(answers))
        else:
            seen.append(type(action.step))
            purchase.recorded()
    assert seen == [
        (Role.PURSE, INS.VERIFY),
        (Role.PURSE, INS.INIT),
        PurchaseBegun,
        (Role.CUSTOMS, INS.INIT_SAM),
        PurchaseOpened,
        (Role.PURSE, INS.DEBIT),
        PurseDebited,
        (Role.CUSTOMS, INS.CREDIT),
        CustomsCredited,
        (Role.PURSE, INS.ACK),
    ]


def test_a_purchase_sends_the_worked_vector(transcript: list[Exchange]) -> None:
    purchase = machine()
    for exchange in transcript[2:8]:
        while isinstance(action := purchase.next_action(), Record):
            purchase.recorded()
        assert isinstance(action, Transmit)
        assert action.role is exchange.role
        assert action.command.to_bytes() == exchange.command
        purchase.receive(exchange.response)


def test_a_purchase_ends_approved(
    transcript: list[Exchange], tx: TransactionRecord
) -> None:
    result = feed(machine(), [*good(transcript)])
    assert isinstance(result, Approved)
    assert (result.tx, result.kv, result.acked) == (tx, 1, True)
    assert result.proof.balance_after_minor == 498_766


def test_an_action_stays_until_it_was_fed(transcript: list[Exchange]) -> None:
    purchase = machine()
    assert purchase.next_action() is purchase.next_action()
    purchase.receive(good(transcript)[VERIFY])
    assert purchase.next_action() is purchase.next_action()


PIN_WORDS = [
    pytest.param(0x63C2, DeclineReason.PIN_WRONG, 2, id="63C2"),
    pytest.param(0x63C1, DeclineReason.PIN_WRONG, 1, id="63C1"),
    pytest.param(0x63C0, DeclineReason.PIN_BLOCKED, 0, id="63C0"),
    pytest.param(0x6983, DeclineReason.PIN_BLOCKED, 0, id="6983"),
]


@pytest.mark.parametrize(("sw", "reason", "tries_left"), PIN_WORDS)
def test_a_wrong_pin_is_declined_with_the_tries_left(
    transcript: list[Exchange], sw: int, reason: DeclineReason, tries_left: int
) -> None:
    result = stopped_at(transcript, VERIFY, ResponseAPDU(sw=sw))
    assert result == Declined(
        reason=reason, role=Role.PURSE, sw=sw, tries_left=tries_left
    )


REFUSALS = [
    (VERIFY, 0x6A81, DeclineReason.CARD_BLOCKED, False),
    (VERIFY, 0x6985, DeclineReason.NOT_READY, False),
    (VERIFY, 0x6A80, DeclineReason.AMOUNT_OR_CURRENCY, False),
    (VERIFY, 0x6581, DeclineReason.CARD_FAULT, False),
    (INIT_PURCHASE, 0x6A81, DeclineReason.CARD_BLOCKED, False),
    (INIT_PURCHASE, 0x6982, DeclineReason.NOT_READY, False),
    (INIT_PURCHASE, 0x6A88, DeclineReason.KEY_VERSION, False),
    (INIT_PURCHASE, 0x6A80, DeclineReason.AMOUNT_OR_CURRENCY, False),
    (INIT_PURCHASE, 0x9402, DeclineReason.COUNTER_AT_END, False),
    (INIT_PURCHASE, 0x9401, DeclineReason.BALANCE_TOO_LOW, False),
    (INIT_PURCHASE, 0x6F00, DeclineReason.CARD_FAULT, False),
    (INIT_SAM, 0x6985, DeclineReason.NOT_READY, False),
    (INIT_SAM, 0x6982, DeclineReason.NOT_ACTIVATED, False),
    (INIT_SAM, 0x6A88, DeclineReason.KEY_VERSION, False),
    (INIT_SAM, 0x9302, DeclineReason.NOT_AUTHENTIC, False),
    (INIT_SAM, 0x6A80, DeclineReason.AMOUNT_OR_CURRENCY, False),
    (INIT_SAM, 0x9402, DeclineReason.COUNTER_AT_END, False),
    (INIT_SAM, 0x6A84, DeclineReason.FULL, False),
    (INIT_SAM, 0x6E00, DeclineReason.CARD_FAULT, False),
    (INIT_SAM, 0x6581, DeclineReason.CARD_FAULT, True),
    (INIT_SAM, 0x6F00, DeclineReason.CARD_FAULT, True),
    (DEBIT, 0x6A81, DeclineReason.CARD_BLOCKED, True),
    (DEBIT, 0x6982, DeclineReason.NOT_READY, True),
    (DEBIT, 0x9302, DeclineReason.NOT_AUTHENTIC, True),
    (DEBIT, 0x6A80, DeclineReason.AMOUNT_OR_CURRENCY, True),
    (DEBIT, 0x9401, DeclineReason.BALANCE_TOO_LOW, True),
    (DEBIT, 0x6700, DeclineReason.CARD_FAULT, True),
]


@pytest.mark.parametrize(
    ("step", "sw", "reason", "open_left"),
    REFUSALS,
    ids=[f"step {step}, {sw:04X}" for step, sw, _, _ in REFUSALS],
)
def test_a_refusal_is_declined_with_its_reason(
    transcript: list[Exchange],
    step: int,
    sw: int,
    reason: DeclineReason,
    *,
    open_left: bool,
) -> None:
    result = stopped_at(transcript, step, ResponseAPDU(sw=sw))
    role = Role.CUSTOMS if step == INIT_SAM else Role.PURSE
    assert result == Declined(reason=reason, role=role, sw=sw, open_left=open_left)


@pytest.mark.parametrize("sw", [0x6985, 0x6581, 0x6F00, 0x9402, 0x9406, 0x6A83, 0x6200])
def test_debit_with_a_word_that_is_not_sure_is_outcome_unknown(
    transcript: list[Exchange], tx: TransactionRecord, sw: int
) -> None:
    result = stopped_at(transcript, DEBIT, ResponseAPDU(sw=sw))
    assert result == OutcomeUnknown(stage=Stage.DEBIT, tx=tx, sw=sw)


@pytest.mark.parametrize("step", [VERIFY, INIT_PURCHASE])
def test_a_card_that_leaves_before_init_sam_is_declined(
    transcript: list[Exchange], step: int
) -> None:
    result = stopped_at(transcript, step, None)
    assert result == Declined(reason=DeclineReason.CARD_REMOVED, role=Role.PURSE)


def test_init_sam_with_lost_response_is_outcome_unknown(
    transcript: list[Exchange],
) -> None:
    result = stopped_at(transcript, INIT_SAM, None)
    assert result == OutcomeUnknown(stage=Stage.INIT_SAM, tx=None)


def test_debit_with_lost_response_is_outcome_unknown(
    transcript: list[Exchange], tx: TransactionRecord
) -> None:
    result = stopped_at(transcript, DEBIT, None)
    assert result == OutcomeUnknown(stage=Stage.DEBIT, tx=tx)


@pytest.mark.parametrize("sw", [None, 0x6A83, 0x6581, 0x6F00])
def test_a_failed_credit_is_a_payment_made(
    transcript: list[Exchange], tx: TransactionRecord, sw: int | None
) -> None:
    answer = None if sw is None else ResponseAPDU(sw=sw)
    result = stopped_at(transcript, CREDIT, answer)
    assert isinstance(result, CreditPending)
    assert (result.tx, result.kv, result.sw) == (tx, 1, sw)


def test_a_proof_that_the_customs_card_rejects_proves_nothing(
    transcript: list[Exchange], tx: TransactionRecord
) -> None:
    result = stopped_at(transcript, CREDIT, ResponseAPDU(sw=0x9302))
    assert result == OutcomeUnknown(stage=Stage.DEBIT, tx=tx, sw=0x9302)


@pytest.mark.parametrize("answer", [None, ResponseAPDU(sw=0x9406)])
def test_a_failed_ack_is_still_approved(
    transcript: list[Exchange], answer: ResponseAPDU | None
) -> None:
    result = stopped_at(transcript, ACK, answer)
    assert isinstance(result, Approved)
    assert not result.acked


@pytest.mark.parametrize(
    ("step", "result"),
    [
        (
            INIT_PURCHASE,
            Declined(reason=DeclineReason.CARD_FAULT, role=Role.PURSE),
        ),
        (
            INIT_SAM,
            Declined(
                reason=DeclineReason.CARD_FAULT, role=Role.CUSTOMS, open_left=True
            ),
        ),
    ],
)
def test_a_malformed_answer_before_debit_is_declined(
    transcript: list[Exchange], step: int, result: PurchaseResult
) -> None:
    answer = ResponseAPDU(data=good(transcript)[step].data[:-1], sw=0x9000)
    assert stopped_at(transcript, step, answer) == result


def test_a_malformed_answer_to_debit_is_outcome_unknown(
    transcript: list[Exchange], tx: TransactionRecord
) -> None:
    answer = ResponseAPDU(data=good(transcript)[DEBIT].data + b"\x00", sw=0x9000)
    result = stopped_at(transcript, DEBIT, answer)
    assert result == OutcomeUnknown(stage=Stage.DEBIT, tx=tx, sw=0x9000)


def test_a_malformed_answer_to_credit_is_a_payment_made(
    transcript: list[Exchange],
) -> None:
    result = stopped_at(transcript, CREDIT, ResponseAPDU(data=b"", sw=0x9000))
    assert isinstance(result, CreditPending)


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        pytest.param(7, 0x02, DeclineReason.OTHER_CARD, id="another CID"),
        pytest.param(16, 0x02, DeclineReason.CARD_FAULT, id="another key version"),
        pytest.param(17, 0x02, DeclineReason.CARD_FAULT, id="another algorithm"),
    ],
)
def test_a_purse_that_answers_for_another_is_declined_before_anything_opens(
    transcript: list[Exchange], offset: int, value: int, reason: DeclineReason
) -> None:
    data = bytearray(good(transcript)[INIT_PURCHASE].data)
    data[offset] = value
    answer = ResponseAPDU(data=bytes(data), sw=0x9000)
    result = stopped_at(transcript, INIT_PURCHASE, answer)
    assert result == Declined(reason=reason, role=Role.PURSE)


def test_what_was_not_asked_for_is_misuse(transcript: list[Exchange]) -> None:
    purchase = machine()
    with pytest.raises(MachineMisuseError):
        purchase.recorded()
    answers = good(transcript)
    purchase.receive(answers[VERIFY])
    purchase.receive(answers[INIT_PURCHASE])
    assert isinstance(purchase.next_action(), Record)
    with pytest.raises(MachineMisuseError):
        purchase.receive(answers[INIT_SAM])
    with pytest.raises(MachineMisuseError):
        purchase.lost()


def test_a_finished_machine_takes_nothing(transcript: list[Exchange]) -> None:
    purchase = machine()
    feed(purchase, [*good(transcript)])
    for more in (purchase.lost, purchase.recorded):
        with pytest.raises(MachineMisuseError):
            more()
    with pytest.raises(MachineMisuseError):
        purchase.receive(ResponseAPDU(sw=0x9000))


def test_the_pin_is_forgotten_once_the_card_has_answered(
    transcript: list[Exchange],
) -> None:
    purchase = PurchaseExchange(TERMS, pin_block(b"736251"))
    block = pin_block(b"736251")
    assert "736251" not in repr(purchase) + repr(purchase.next_action())
    purchase.receive(good(transcript)[VERIFY])
    held = [value for value in vars(purchase).values() if block in bytes_of(value)]
    assert held == []


def bytes_of(value: object) -> bytes:
    if isinstance(value, Transmit):
        return value.command.to_bytes()
    return value if isinstance(value, bytes) else b""
