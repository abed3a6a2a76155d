"""Loads: scripted answers, then simulated purses with any answer lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from card import certificates
from card.apdu import ResponseAPDU
from card.exchange import Finished, MachineMisuseError, Transmit
from card.load import (
    Authorise,
    LoadDeclined,
    LoadDeclineReason,
    LoadDone,
    LoadExchange,
    LoadProved,
    LoadRecovery,
    LoadTerms,
    LoadUnknown,
    LoadVoided,
)
from card.pin import pin_block
from card.profile import Role
from card.records import LoadRecord, LoadRequest
from card.sw import SW

if TYPE_CHECKING:
    from card.keys import MasterKeys
    from card.load import LoadRecoveryResult, LoadResult
    from tests.card.conftest import Bench, Exchange, Loss

CID = bytes.fromhex("64 00 00 00 00 00 00 01")
LID = b"DESK0001"
AT = datetime(2025, 11, 22, 11, 0, tzinfo=UTC)
TERMS = LoadTerms(kv=1, amount_minor=5000, currency=512, lid=LID, cid=CID)
M2 = bytes.fromhex("A5 94 1B 62 D2 E0 59 E8")
VERIFY, INIT_LOAD, CREDIT_LOAD = range(3)


def machine() -> LoadExchange:
    return LoadExchange(TERMS, pin_block(b"1234"))


def feed(load: LoadExchange, answers: list[ResponseAPDU | None]) -> LoadResult:
    waiting = iter(answers)
    while True:
        action = load.next_action()
        assert load.next_action() is action
        match action:
            case Transmit(role=role):
                assert role is Role.PURSE
                answer = next(waiting)
                if answer is None:
                    load.lost()
                else:
                    load.receive(answer)
            case Authorise():
                load.authorised(lsn=7, at=AT, m2=M2)
            case Finished(result=result):
                assert next(waiting, "all used") == "all used"
                return result


def good(transcript: list[Exchange]) -> list[ResponseAPDU]:
    return [exchange.response for exchange in transcript[19:22]]


def test_the_worked_vector_of_a_load_is_sent_byte_for_byte(
    transcript: list[Exchange],
) -> None:
    load = machine()
    for exchange in transcript[19:22]:
        action = load.next_action()
        if isinstance(action, Authorise):
            assert action.request.m1.hex() == "b91efb45704dbfcb"
            assert action.request.balance_minor == 498_766
            load.authorised(lsn=7, at=AT, m2=M2)
            action = load.next_action()
        assert isinstance(action, Transmit)
        assert action.command.to_bytes() == exchange.command
        load.receive(exchange.response)
    end = load.next_action()
    assert isinstance(end, Finished)
    assert isinstance(end.result, LoadDone)
    assert end.result.balance_after_minor == 503_766
    assert end.result.ltac.hex() == "27f76fb45eec7bdc"
    assert (end.result.lx.ltc, end.result.lx.lsn, end.result.lx.at) == (1, 7, AT)


REFUSALS = [
    (VERIFY, 0x63C1, LoadDeclineReason.PIN_WRONG, 1),
    (VERIFY, 0x63C0, LoadDeclineReason.PIN_BLOCKED, 0),
    (VERIFY, 0x6983, LoadDeclineReason.PIN_BLOCKED, 0),
    (VERIFY, 0x6A81, LoadDeclineReason.CARD_BLOCKED, None),
    (VERIFY, 0x6985, LoadDeclineReason.NOT_READY, None),
    (INIT_LOAD, 0x6982, LoadDeclineReason.NOT_READY, None),
    (INIT_LOAD, 0x6A88, LoadDeclineReason.KEY_VERSION, None),
    (INIT_LOAD, 0x6A80, LoadDeclineReason.AMOUNT_OR_CURRENCY, None),
    (INIT_LOAD, 0x9402, LoadDeclineReason.LIMIT_OR_COUNTER, None),
    (INIT_LOAD, 0x6581, LoadDeclineReason.CARD_FAULT, None),
]


@pytest.mark.parametrize(
    ("step", "sw", "reason", "tries_left"),
    REFUSALS,
    ids=[f"step {step}, {sw:04X}" for step, sw, _, _ in REFUSALS],
)
def test_a_refusal_before_the_bank_is_asked_is_declined(
    transcript: list[Exchange],
    step: int,
    sw: int,
    reason: LoadDeclineReason,
    tries_left: int | None,
) -> None:
    result = feed(machine(), [*good(transcript)[:step], ResponseAPDU(sw=sw)])
    assert result == LoadDeclined(reason=reason, sw=sw, tries_left=tries_left)


@pytest.mark.parametrize("step", [VERIFY, INIT_LOAD])
def test_a_card_that_leaves_before_the_bank_is_asked_is_declined(
    transcript: list[Exchange], step: int
) -> None:
    result = feed(machine(), [*good(transcript)[:step], None])
    assert result == LoadDeclined(reason=LoadDeclineReason.CARD_REMOVED)


@pytest.mark.parametrize(
    ("offset", "reason"),
    [
        pytest.param(7, LoadDeclineReason.OTHER_CARD, id="another CID"),
        pytest.param(16, LoadDeclineReason.CARD_FAULT, id="another key version"),
        pytest.param(17, LoadDeclineReason.CARD_FAULT, id="another algorithm"),
    ],
)
def test_a_purse_that_answers_for_another_never_reaches_the_bank(
    transcript: list[Exchange], offset: int, reason: LoadDeclineReason
) -> None:
    data = bytearray(good(transcript)[INIT_LOAD].data)
    data[offset] ^= 0xFF
    answers = [good(transcript)[VERIFY], ResponseAPDU(data=bytes(data), sw=SW.OK)]
    assert feed(machine(), [*answers]) == LoadDeclined(reason=reason)


def test_a_refusal_by_the_bank_is_declined(transcript: list[Exchange]) -> None:
    load = machine()
    for answer in good(transcript)[:CREDIT_LOAD]:
        load.receive(answer)
    load.refused()
    assert load.next_action() == Finished(
        result=LoadDeclined(reason=LoadDeclineReason.BANK_REFUSED)
    )


@pytest.mark.parametrize(
    ("answer", "sw"),
    [
        pytest.param(None, None, id="lost"),
        pytest.param(ResponseAPDU(sw=0x9302), 0x9302, id="9302"),
        pytest.param(ResponseAPDU(sw=0x9402), 0x9402, id="9402"),
        pytest.param(ResponseAPDU(sw=0x6581), 0x6581, id="6581"),
        pytest.param(ResponseAPDU(data=bytes(11), sw=0x9000), 0x9000, id="malformed"),
    ],
)
def test_once_booked_only_a_proof_ends_a_load_well(
    transcript: list[Exchange], answer: ResponseAPDU | None, sw: int | None
) -> None:
    result = feed(machine(), [*good(transcript)[:CREDIT_LOAD], answer])
    assert result == LoadUnknown(ltc=1, lsn=7, sw=sw)


def test_what_was_not_asked_for_is_misuse(transcript: list[Exchange]) -> None:
    load = machine()
    with pytest.raises(MachineMisuseError):
        load.authorised(lsn=7, at=AT, m2=M2)
    with pytest.raises(MachineMisuseError):
        load.refused()
    for answer in good(transcript)[:CREDIT_LOAD]:
        load.receive(answer)
    with pytest.raises(MachineMisuseError):
        load.receive(ResponseAPDU(sw=SW.OK))
    with pytest.raises(MachineMisuseError):
        load.lost()
    load.refused()
    with pytest.raises(MachineMisuseError):
        load.lost()


def recover(answers: list[ResponseAPDU | None]) -> LoadRecoveryResult:
    recovery = LoadRecovery(ltc=2, lid=LID, lsn=8, vreq=bytes(8))
    for answer in answers:
        assert isinstance(recovery.next_action(), Transmit)
        if answer is None:
            recovery.lost()
        else:
            recovery.receive(answer)
    action = recovery.next_action()
    assert isinstance(action, Finished)
    for more in (recovery.lost, lambda: recovery.receive(ResponseAPDU(sw=SW.OK))):
        with pytest.raises(MachineMisuseError):
            more()
    return action.result


NO_PROOF = ResponseAPDU(sw=SW.NO_PROOF)
PROOF = ResponseAPDU(data=bytes.fromhex("0007AFD6 27F76FB45EEC7BDC"), sw=SW.OK)
VMAC = ResponseAPDU(data=bytes.fromhex("C3A28D042EB5C577"), sw=SW.OK)


@pytest.mark.parametrize(
    ("answers", "result"),
    [
        pytest.param(
            [PROOF],
            LoadProved(
                ltc=2,
                lid=LID,
                lsn=8,
                balance_after_minor=503_766,
                ltac=PROOF.data[4:],
            ),
            id="proved",
        ),
        pytest.param(
            [NO_PROOF, VMAC],
            LoadVoided(ltc=2, lid=LID, lsn=8, vmac=VMAC.data),
            id="voided",
        ),
        pytest.param([None], LoadUnknown(ltc=2, lsn=8), id="PROVE lost"),
        pytest.param([NO_PROOF, None], LoadUnknown(ltc=2, lsn=8), id="VOID lost"),
        pytest.param(
            [NO_PROOF, NO_PROOF],
            LoadUnknown(ltc=2, lsn=8, sw=0x9406),
            id="neither",
        ),
        pytest.param(
            [ResponseAPDU(sw=0x6985)],
            LoadUnknown(ltc=2, lsn=8, sw=0x6985),
            id="refused",
        ),
        pytest.param(
            [ResponseAPDU(sw=0x9000)],
            LoadUnknown(ltc=2, lsn=8, sw=0x9000),
            id="PROVE malformed",
        ),
        pytest.param(
            [NO_PROOF, ResponseAPDU(sw=0x9000)],
            LoadUnknown(ltc=2, lsn=8, sw=0x9000),
            id="VOID malformed",
        ),
    ],
)
def test_a_load_is_recovered_by_proof_or_by_void(
    answers: list[ResponseAPDU | None], result: LoadRecoveryResult
) -> None:
    assert recover(answers) == result


@dataclass
class Bank:
    """The bank's side of loads: books before M2 leaves, unbooks against a VMAC."""

    masters: MasterKeys
    booked: dict[int, LoadRecord] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)

    def authorise(self, request: LoadRequest) -> dict[str, Any]:
        kl = self.masters.purse_keys(request.cid).load
        assert certificates.verify_load_m1(kl, request)
        lsn = 7 + len(self.booked)
        lx = LoadRecord(
            cid=request.cid,
            ltc=request.ltc,
            lid=request.lid,
            lsn=lsn,
            amount_minor=request.amount_minor,
            currency=request.currency,
            at=AT,
        )
        self.booked[lsn] = lx
        m2 = certificates.load_m2(kl, lx=lx, rc=request.rc)
        return {"lsn": lsn, "at": AT, "m2": m2}

    def load(self, bench: Bench, loss: Loss | None = None) -> LoadResult:
        """One load over the simulated purse, with the bank in its place."""
        load = machine()
        sent = 0
        while not isinstance(action := load.next_action(), Finished):
            if isinstance(action, Authorise):
                load.authorised(**self.authorise(action.request))
                continue
            here = loss if loss is not None and loss.index == sent else None
            sent += 1
            if here is None:
                load.receive(bench.transmit(action.role, action.command))
                continue
            if here.carried_out:
                bench.transmit(action.role, action.command)
            bench.put_back(Role.PURSE)
            load.lost()
        if isinstance(action.result, LoadDone):
            self.complete(
                action.result.lx.lsn,
                action.result.balance_after_minor,
                action.result.ltac,
            )
        return action.result

    def complete(self, lsn: int, balance_after_minor: int, ltac: bytes) -> None:
        lx = self.booked[lsn]
        kt = self.masters.purse_keys(lx.cid).transaction_certificate
        assert certificates.verify_ltac(
            kt, lx, balance_after_minor=balance_after_minor, claimed=ltac
        )
        self.done.add(lsn)

    def settle(self, bench: Bench, loss: Loss | None = None) -> None:
        """Asks the purse about every load that is booked and not done."""
        for lsn in sorted(set(self.booked) - self.done):
            lx = self.booked[lsn]
            kl = self.masters.purse_keys(lx.cid).load
            torn: Any = {"ltc": lx.ltc, "lid": lx.lid, "lsn": lsn}
            vreq = certificates.load_vreq(kl, cid=lx.cid, **torn)
            result = bench.run(LoadRecovery(vreq=vreq, **torn), loss)
            if isinstance(result, LoadProved):
                self.complete(lsn, result.balance_after_minor, result.ltac)
            elif isinstance(result, LoadVoided):
                assert certificates.verify_load_vmac(
                    kl, cid=lx.cid, claimed=result.vmac, **torn
                )
                del self.booked[lsn]

    @property
    def booked_minor(self) -> int:
        return sum(lx.amount_minor for lx in self.booked.values())


@pytest.fixture
def bank(masters: MasterKeys) -> Bank:
    return Bank(masters)


def loaded_minor(bench: Bench) -> int:
    return -bench.debited_minor


def test_a_load_moves_its_amount_once(bench: Bench, bank: Bank) -> None:
    assert isinstance(bank.load(bench), LoadDone)
    assert loaded_minor(bench) == bank.booked_minor == 5000


@pytest.mark.parametrize("step", range(3))
@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("then", [None, (0, False), (0, True), (1, False), (1, True)])
def test_a_torn_load_neither_loses_nor_makes_money(
    bench: Bench,
    bank: Bank,
    lose: type[Loss],
    step: int,
    then: tuple[int, bool] | None,
    *,
    carried_out: bool,
) -> None:
    result = bank.load(bench, lose(step, carried_out))
    assert isinstance(result, LoadUnknown if step == CREDIT_LOAD else LoadDeclined)
    assert loaded_minor(bench) <= bank.booked_minor
    if then is not None:
        bank.settle(bench, lose(*then))
        assert loaded_minor(bench) <= bank.booked_minor
    bank.settle(bench)
    expected = 5000 if step == CREDIT_LOAD and carried_out else 0
    assert loaded_minor(bench) == bank.booked_minor == expected
    assert isinstance(bank.load(bench), LoadDone)
    assert loaded_minor(bench) == bank.booked_minor == expected + 5000
