"""Purchases over the simulated cards, with the answer to any command lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.exchange import CustomsCredited, PurchaseVoided, PurseDebited
from card.profile import INS, LogKind, Role
from card.purchase import (
    Approved,
    CreditPending,
    Declined,
    DeclineReason,
    OutcomeUnknown,
    Stage,
)
from card.recovery import (
    RecoveredDebited,
    RecoveredNotDebited,
    RecoveryInterrupted,
)

if TYPE_CHECKING:
    from card.apdu import CommandAPDU, ResponseAPDU
    from card.purchase import PurchaseResult
    from tests.card.conftest import Bench, Loss

AMOUNT_MINOR = 1234
VERIFY, INIT_PURCHASE, INIT_SAM, DEBIT, CREDIT, ACK = range(6)
LOSSES = [
    pytest.param(step, carried_out, id=f"step {step}, carried out: {carried_out}")
    for step in range(6)
    for carried_out in (False, True)
]
RECOVERY_LOSSES = [
    pytest.param(step, carried_out, id=f"then {step}, carried out: {carried_out}")
    for step in range(3)
    for carried_out in (False, True)
]


def is_as_the_profile_says(result: PurchaseResult, step: int) -> bool:
    """Whether a loss at ``step`` was told as what it is."""
    match result:
        case Declined(reason=reason, open_left=False):
            lost_early = step in {VERIFY, INIT_PURCHASE}
            return lost_early and reason is DeclineReason.CARD_REMOVED
        case OutcomeUnknown(stage=Stage.INIT_SAM):
            return step == INIT_SAM
        case OutcomeUnknown(stage=Stage.DEBIT):
            return step == DEBIT
        case CreditPending():
            return step == CREDIT
        case Approved(acked=acked):
            return step == ACK and not acked
        case _:
            return False


def test_a_payment_moves_its_amount_once(bench: Bench) -> None:
    result = bench.pay(AMOUNT_MINOR)
    assert isinstance(result, Approved)
    assert result.acked
    assert bench.debited_minor == bench.credited_minor == AMOUNT_MINOR
    assert bench.recover() == []


def test_a_payment_costs_what_the_profile_promises(bench: Bench) -> None:
    bench.pay()
    sent = bench.last.sent
    purse = [size for role, size in sent if role is Role.PURSE]
    customs = [size for role, size in sent if role is Role.CUSTOMS]
    assert (len(purse), len(customs)) == (4, 2)
    assert sum(purse) <= 170
    assert sum(customs) <= 130


@pytest.mark.parametrize(("step", "carried_out"), LOSSES)
def test_a_lost_answer_is_told_as_what_it_is(
    bench: Bench, lose: type[Loss], step: int, *, carried_out: bool
) -> None:
    result = bench.pay(AMOUNT_MINOR, loss=lose(step, carried_out))
    assert is_as_the_profile_says(result, step), result
    bench.check_value()


@pytest.mark.parametrize(("step", "carried_out"), LOSSES)
def test_a_lost_answer_never_debits_twice_or_for_nothing(
    bench: Bench, lose: type[Loss], step: int, *, carried_out: bool
) -> None:
    bench.pay(AMOUNT_MINOR, loss=lose(step, carried_out))
    bench.recover()
    debited = step > DEBIT or (step == DEBIT and carried_out)
    expected = AMOUNT_MINOR if debited else 0
    assert bench.debited_minor == bench.credited_minor == expected
    assert bench.open_minor == 0
    assert isinstance(bench.pay(AMOUNT_MINOR, "INV-2"), Approved)
    assert bench.debited_minor == bench.credited_minor == expected + AMOUNT_MINOR


@pytest.mark.parametrize(("step", "carried_out"), LOSSES)
@pytest.mark.parametrize(("then", "then_carried_out"), RECOVERY_LOSSES)
def test_a_recovery_that_is_torn_too_ends_in_the_same_place(
    bench: Bench,
    lose: type[Loss],
    step: int,
    then: int,
    *,
    carried_out: bool,
    then_carried_out: bool,
) -> None:
    bench.pay(AMOUNT_MINOR, loss=lose(step, carried_out))
    bench.recover(lose(then, then_carried_out))
    bench.check_value()
    bench.recover()
    debited = step > DEBIT or (step == DEBIT and carried_out)
    expected = AMOUNT_MINOR if debited else 0
    assert bench.debited_minor == bench.credited_minor == expected
    assert bench.open_minor == 0


def test_a_debit_that_was_carried_out_is_recovered_as_debited(
    bench: Bench, lose: type[Loss]
) -> None:
    unknown = bench.pay(loss=lose(DEBIT, carried_out=True))
    assert isinstance(unknown, OutcomeUnknown)
    [result] = bench.recover()
    assert isinstance(result, RecoveredDebited)
    assert result.acked
    assert result.tx == unknown.tx
    assert [type(step) for step in bench.last.steps] == [PurseDebited, CustomsCredited]


def test_a_debit_that_was_not_carried_out_is_recovered_as_not_debited(
    bench: Bench, lose: type[Loss]
) -> None:
    unknown = bench.pay(loss=lose(DEBIT, carried_out=False))
    assert isinstance(unknown, OutcomeUnknown)
    assert unknown.tx is not None
    [result] = bench.recover()
    assert result == RecoveredNotDebited(tx=unknown.tx)
    assert bench.last.steps == [PurchaseVoided(tx=unknown.tx)]


def test_a_voided_payment_shows_as_a_void_in_the_log(
    bench: Bench, lose: type[Loss]
) -> None:
    bench.pay(loss=lose(DEBIT, carried_out=False))
    bench.recover()
    bench.pay()
    bench.put_back(Role.PURSE)
    bench.pay(pin=b"9999")
    bench.purse.verify(bytes.fromhex("24 12 34 FF FF FF FF FF"))
    assert [(entry.kind, entry.acked) for entry in bench.purse.read_log()] == [
        (LogKind.PURCHASE, True),
        (LogKind.VOID, False),
    ]


def test_a_credit_pending_payment_is_recovered_with_its_own_proof(
    bench: Bench, lose: type[Loss]
) -> None:
    pending = bench.pay(loss=lose(CREDIT, carried_out=False))
    assert isinstance(pending, CreditPending)
    [result] = bench.recover()
    assert isinstance(result, RecoveredDebited)
    assert result.proof == pending.proof


def test_a_lost_credit_answer_can_be_asked_again_with_the_same_proof(
    bench: Bench, lose: type[Loss]
) -> None:
    pending = bench.pay(AMOUNT_MINOR, loss=lose(CREDIT, carried_out=True))
    assert isinstance(pending, CreditPending)
    answer = bench.customs.credit(pending.tx.tsn, pending.proof)
    assert answer.total_minor == AMOUNT_MINOR == bench.credited_minor


def test_an_interrupted_recovery_says_whether_the_customer_has_paid(
    bench: Bench, lose: type[Loss]
) -> None:
    bench.pay(loss=lose(DEBIT, carried_out=True))
    [early] = bench.recover(lose(0, carried_out=True))
    assert isinstance(early, RecoveryInterrupted)
    assert (early.role, early.proof) == (Role.PURSE, None)
    [late] = bench.recover(lose(1, carried_out=False))
    assert isinstance(late, RecoveryInterrupted)
    assert late.role is Role.CUSTOMS
    assert late.proof is not None


def test_a_lost_ack_in_recovery_is_still_recovered(
    bench: Bench, lose: type[Loss]
) -> None:
    bench.pay(loss=lose(DEBIT, carried_out=True))
    [result] = bench.recover(lose(2, carried_out=False))
    assert isinstance(result, RecoveredDebited)
    assert not result.acked


def test_a_wrong_pin_then_the_right_one_pays_once(bench: Bench) -> None:
    wrong = bench.pay(AMOUNT_MINOR, pin=b"9999")
    assert wrong == Declined(
        reason=DeclineReason.PIN_WRONG, role=Role.PURSE, sw=0x63C2, tries_left=2
    )
    assert isinstance(bench.pay(AMOUNT_MINOR), Approved)
    assert bench.debited_minor == bench.credited_minor == AMOUNT_MINOR


def test_three_wrong_pins_block_the_pin_and_move_nothing(bench: Bench) -> None:
    results = [bench.pay(pin=b"9999") for _ in range(4)]
    tries = [r.tries_left for r in results if isinstance(r, Declined)]
    reasons = [r.reason for r in results if isinstance(r, Declined)]
    assert tries == [2, 1, 0, 0]
    assert reasons == [DeclineReason.PIN_WRONG] * 2 + [DeclineReason.PIN_BLOCKED] * 2
    assert bench.debited_minor == bench.open_minor == 0


@pytest.mark.parametrize(
    ("amount_minor", "reason"),
    [
        (500_001, DeclineReason.BALANCE_TOO_LOW),
        (2_000_001, DeclineReason.AMOUNT_OR_CURRENCY),
    ],
)
def test_a_hopeless_payment_opens_nothing(
    bench: Bench, amount_minor: int, reason: DeclineReason
) -> None:
    result = bench.pay(amount_minor)
    assert isinstance(result, Declined)
    assert (result.reason, result.open_left) == (reason, False)
    assert bench.open_minor == 0


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["pay", "recover"]),
        st.none() | st.tuples(st.integers(0, 5), st.booleans()),
    ),
    max_size=8,
)


@given(actions=ACTIONS)
def test_any_run_of_losses_keeps_all_value_and_settles_in_the_end(
    new_bench: type[Bench],
    lose: type[Loss],
    actions: list[tuple[str, tuple[int, bool] | None]],
) -> None:
    bench = new_bench()
    settled_minor = 0
    for index, (name, where) in enumerate(actions):
        loss = None if where is None else lose(*where)
        if name == "recover":
            results = bench.recover(loss)
            debited = [r for r in results if isinstance(r, RecoveredDebited)]
            settled_minor += sum(result.tx.amount_minor for result in debited)
        elif bench.open_minor == 0:
            # A counter starts no other payment while one is open.
            result = bench.pay(AMOUNT_MINOR + index, f"INV-{index}", loss=loss)
            settled_minor += AMOUNT_MINOR + index if isinstance(result, Approved) else 0
        bench.check_value()
    last = bench.recover()
    assert all(isinstance(r, RecoveredDebited | RecoveredNotDebited) for r in last)
    assert bench.open_minor == 0
    assert bench.debited_minor == bench.credited_minor >= settled_minor


def test_a_debit_that_reaches_the_purse_twice_is_not_told_as_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = bench.transmit

    def twice(role: Role, command: CommandAPDU) -> ResponseAPDU:
        if command.ins == INS.DEBIT:
            once(role, command)
        return once(role, command)

    monkeypatch.setattr(bench, "transmit", twice)
    assert isinstance(bench.pay(AMOUNT_MINOR), OutcomeUnknown)
    [result] = bench.recover()
    assert isinstance(result, RecoveredDebited)
    assert bench.debited_minor == bench.credited_minor == AMOUNT_MINOR
