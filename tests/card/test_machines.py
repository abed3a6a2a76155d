"""What holds for every card machine, whatever the cards answer."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card import errors
from card.apdu import ResponseAPDU
from card.exchange import Finished, Record, Transmit
from card.load import Authorise, LoadExchange, LoadRecovery, LoadTerms
from card.pin import pin_block
from card.profile import INS
from card.purchase import (
    Approved,
    CreditPending,
    Declined,
    PurchaseExchange,
    PurchaseTerms,
)
from card.records import OpenRecord, TransactionRecord
from card.recovery import RecoveredNotDebited, RecoveryExchange
from card.sw import SW

if TYPE_CHECKING:
    from collections.abc import Callable

CID = bytes.fromhex("64 00 00 12 34 56 78 01")
MID = bytes.fromhex("43 55 53 00 00 00 00 07")
AT = datetime(2025, 11, 22, 10, 15, tzinfo=UTC)
TX = TransactionRecord(
    cid=CID,
    otc=1,
    mid=MID,
    tsn=1,
    amount_minor=1234,
    currency=512,
    at=AT,
    digest=bytes(8),
)
INIT_ANSWER = CID + bytes(4) + b"\x00\x00\x00\x01" + b"\x01\x01" + bytes(16)


def purchase() -> PurchaseExchange:
    terms = PurchaseTerms(
        amount_minor=1234,
        currency=512,
        mid=MID,
        kv=1,
        digest=bytes(8),
        at=AT,
        cid=CID,
    )
    return PurchaseExchange(terms, pin_block(b"1234"))


def recovery() -> RecoveryExchange:
    return RecoveryExchange(OpenRecord(tx=TX, kv=1, rc=bytes(8), vreq=bytes(8)))


def load() -> LoadExchange:
    terms = LoadTerms(kv=1, amount_minor=5000, currency=512, lid=bytes(8), cid=CID)
    return LoadExchange(terms, pin_block(b"1234"))


def load_recovery() -> LoadRecovery:
    return LoadRecovery(ltc=1, lid=bytes(8), lsn=1, vreq=bytes(8))


MACHINES = [purchase, recovery, load, load_recovery]
DATA = st.sampled_from([bytes(size) for size in (0, 8, 12, 16, 28)]) | st.just(
    INIT_ANSWER
)
ANSWERS = st.none() | st.builds(
    ResponseAPDU,
    data=DATA | st.binary(max_size=40),
    sw=st.just(0x9000) | st.sampled_from(SW) | st.integers(0, 0xFFFF),
)


def feed(machine: Any, answers: st.DataObject) -> tuple[Any, list[Any]]:
    """Run to the end with drawn answers; the result, and what each command got."""
    log: list[Any] = []
    for _ in range(20):
        action = machine.next_action()
        match action:
            case Transmit(command=command):
                # Half of all answers are good ones, so that runs get far.
                size = {INS.INIT: INIT_ANSWER, INS.INIT_SAM: bytes(12)}
                size |= {INS.DEBIT: bytes(28), INS.CREDIT: bytes(16)}
                good = ResponseAPDU(data=size.get(INS(command.ins), b""), sw=0x9000)
                answer = answers.draw(st.just(good) | ANSWERS)
                log.append((INS(command.ins), answer))
                if answer is None:
                    machine.lost()
                else:
                    machine.receive(answer)
            case Record():
                machine.recorded()
            case Authorise():
                machine.authorised(lsn=1, at=AT, m2=bytes(8))
            case Finished(result=result):
                return result, log
            case _:
                raise AssertionError(action)
    raise AssertionError("the machine does not end")


@pytest.mark.parametrize("make", MACHINES, ids=lambda make: make.__name__)
@given(answers=st.data())
def test_any_answers_lead_to_an_end(
    make: Callable[[], Any], answers: st.DataObject
) -> None:
    machine = make()
    result, log = feed(machine, answers)
    assert result is not None
    assert len(log) <= 6
    assert machine.next_action().result is result


@given(answers=st.data())
def test_a_purchase_is_never_declined_once_debit_went_unanswered_or_well(
    answers: st.DataObject,
) -> None:
    result, log = feed(purchase(), answers)
    debits = [answer for ins, answer in log if ins is INS.DEBIT]
    if debits and (debits[0] is None or debits[0].ok):
        assert not isinstance(result, Declined)
    if isinstance(result, Approved | CreditPending):
        assert debits[0].ok


@given(answers=st.data())
def test_not_debited_is_only_said_when_both_cards_have_voided(
    answers: st.DataObject,
) -> None:
    result, log = feed(recovery(), answers)
    if isinstance(result, RecoveredNotDebited):
        (prove, no_proof), (void, vmac), (void_open, closed) = log
        assert (prove, void) == (INS.PROVE_OR_VOID, INS.PROVE_OR_VOID)
        assert void_open is INS.VOID_OPEN
        assert no_proof.sw == SW.NO_PROOF
        assert vmac.ok
        assert closed.ok


@pytest.mark.parametrize("make", MACHINES, ids=lambda make: make.__name__)
@given(answers=st.data())
def test_no_result_and_no_machine_shows_a_card_number(
    make: Callable[[], Any], answers: st.DataObject
) -> None:
    machine = make()
    shown = repr(machine) + repr(machine.next_action())
    result, _ = feed(machine, answers)
    shown += repr(machine) + repr(result)
    assert CID.hex() not in shown.lower()
    assert repr(CID)[2:-1] not in shown


def test_the_tree_in_the_errors_docstring_is_the_tree() -> None:
    drawn = [
        ((len(line) - len(line.lstrip())) // 4, line.split()[1])
        for line in (errors.__doc__ or "").splitlines()
        if line.lstrip().startswith("* ")
    ]
    depth = {
        name: len(value.__mro__) - len(errors.CardError.__mro__)
        for name, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, errors.CardError)
    }
    assert {name: level for level, name in drawn} == depth
