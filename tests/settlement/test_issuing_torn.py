"""Loads torn at every point, on a simulated purse: no value lost, none created.

The bank is real, the purse is the simulated card, and the machines of `card.load` run
between them. Power fails at each step in turn, on the desk's side and inside the
purse's memory, before or after each of its commits; recovery is torn as well. In the
end the load is settled one way or the other, and the books agree with the card.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from card.apdu import ResponseAPDU
from card.load import (
    Authorise,
    LoadDone,
    LoadExchange,
    LoadProved,
    LoadRecovery,
    LoadResult,
    LoadTerms,
    LoadVoided,
    Transmit,
)
from card.pin import pin_block
from settlement.check.bank import check_bank
from sim.cards.errors import CardTakenError
from sim.cards.issue import PurseData, issue_purse
from sim.cards.tearing import TearingMemory

if TYPE_CHECKING:
    Desk = Any

DATABASES = ("sqlite", "postgresql")

CID = bytes.fromhex("64 00 00 00 00 00 00 01")
LID = b"DESK0001"
FUNDS = 5_000_000
AMOUNT = 5_000
SELECT = bytes.fromhex("00 A4 04 00 08 F0 52 41 53 45 45 44 01")
GET_BALANCE = bytes.fromhex("80 5C 00 02")
COMMITS_OF_A_LOAD = 3
COMMITS_OF_A_VOID = 1


class PowerLostError(Exception):
    """The desk's power went."""


CUT_SHORT = (PowerLostError, CardTakenError)


@dataclass
class Power:
    """Counts the purse's commits, and fails before or after a chosen one."""

    fail_at: int = -1
    applied: bool = False
    commits: int = 0

    def before_commit(self) -> None:
        self.commits += 1
        if self.commits == self.fail_at and not self.applied:
            raise CardTakenError

    def after_commit(self) -> None:
        if self.commits == self.fail_at:
            raise CardTakenError


@dataclass
class TornDesk:
    """A load desk whose steps can be cut short.

    ``cut`` names the step before or after which the power fails, once.
    """

    desk: Desk
    power: Power = field(default_factory=Power)
    cut: str = ""
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        memory = TearingMemory(self.power)
        self.purse = issue_purse(memory, PurseData(balance_minor=0))
        self.desk.issue()

    def step(self, name: str) -> None:
        self.steps.append(name)
        if name == self.cut:
            self.cut = ""
            raise PowerLostError

    def transmit(self, name: str, action: Transmit) -> ResponseAPDU:
        self.step(f"before {name}")
        answer = self.purse.process(action.command.to_bytes())
        self.step(f"after {name}")
        return ResponseAPDU.parse(answer)

    def power_up(self) -> None:
        self.purse.reset()
        self.purse.process(SELECT)

    def load(self) -> None:
        """One load, until it is done or the power fails."""
        self.power_up()
        terms = LoadTerms(kv=1, amount_minor=AMOUNT, currency=512, lid=LID, cid=CID)
        exchange = LoadExchange(terms, pin_block(b"1234"))
        while True:
            match exchange.next_action():
                case Transmit() as action:
                    exchange.receive(self.transmit(action.command.name, action))
                case Authorise(request=request):
                    self.step("before authorise")
                    given = self.desk.issuing.authorise_load(request)
                    self.step("after authorise")
                    exchange.authorised(lsn=given.lsn, at=given.at, m2=given.m2)
                case finished:
                    self.complete(finished.result)
                    return

    def complete(self, done: LoadResult) -> None:
        assert isinstance(done, LoadDone)
        self.step("before complete")
        self.desk.issuing.complete_load(
            CID,
            ltc=done.lx.ltc,
            balance_after_minor=done.balance_after_minor,
            ltac=done.ltac,
        )
        self.step("after complete")

    def recover(self) -> None:
        """Settle what is pending, until it is settled or the power fails."""
        self.power_up()
        for pending in self.desk.issuing.pending_loads(CID):
            recovery = LoadRecovery(
                ltc=pending.ltc, lid=pending.lid, lsn=pending.lsn, vreq=pending.vreq
            )
            while isinstance(action := recovery.next_action(), Transmit):
                name = f"recovery {action.command.name}"
                recovery.receive(self.transmit(name, action))
            self.step("before settle")
            match action.result:
                case LoadProved() as proved:
                    self.desk.issuing.complete_load(
                        CID,
                        ltc=proved.ltc,
                        balance_after_minor=proved.balance_after_minor,
                        ltac=proved.ltac,
                    )
                case LoadVoided() as voided:
                    self.desk.issuing.void_load(CID, ltc=voided.ltc, vmac=voided.vmac)
                case unknown:
                    pytest.fail(f"not settled: {unknown}")
            self.step("after settle")

    def run_torn(self) -> None:
        """A load with its one tear, then recovery until nothing is pending."""
        try:
            self.load()
        except CUT_SHORT:
            self.assert_nothing_was_created()
        self.recover_until_settled()

    def recover_until_settled(self) -> None:
        for _ in range(3):
            try:
                self.recover()
            except CUT_SHORT:
                self.assert_nothing_was_created()
        assert self.desk.issuing.pending_loads(CID) == []

    def purse_balance(self) -> int:
        self.power_up()
        return int.from_bytes(self.purse.process(GET_BALANCE)[:4], "big")

    def assert_nothing_was_created(self) -> None:
        float_minor = self.desk.issuing.status(CID).float_minor
        assert self.purse_balance() <= float_minor
        assert self.desk.balance(self.desk.account()) + float_minor == FUNDS

    def assert_everything_agrees(self) -> None:
        status = self.desk.issuing.status(CID)
        assert self.purse_balance() == status.float_minor
        assert status.float_minor == status.shadow.balance_minor
        assert self.desk.balance(self.desk.account()) + status.float_minor == FUNDS
        assert check_bank(self.desk.store, self.desk.keys).ok


LOAD_STEPS = [
    f"{when} {what}"
    for what in ("VERIFY", "INIT", "authorise", "CREDIT LOAD", "complete")
    for when in ("before", "after")
]
RECOVERY_STEPS = [
    "before recovery PROVE OR VOID",
    "after recovery PROVE OR VOID",
    "before settle",
    "after settle",
]


def test_the_steps_torn_below_are_all_there_are(desk: Desk) -> None:
    torn = TornDesk(desk)
    power = torn.power
    issued = power.commits
    torn.load()
    assert sorted(torn.steps) == sorted(LOAD_STEPS)
    assert power.commits - issued == COMMITS_OF_A_LOAD
    torn.cut = "after authorise"
    with pytest.raises(PowerLostError):
        torn.load()
    loaded = power.commits
    torn.recover()
    assert power.commits - loaded == COMMITS_OF_A_VOID


@pytest.mark.parametrize("cut", LOAD_STEPS)
def test_a_load_torn_at_the_desk_neither_loses_nor_creates_money(
    desk: Desk, cut: str
) -> None:
    torn = TornDesk(desk, cut=cut)
    torn.run_torn()
    torn.assert_everything_agrees()
    assert cut in torn.steps
    before = torn.purse_balance()
    torn.load()
    assert torn.purse_balance() == before + AMOUNT
    torn.assert_everything_agrees()


@pytest.mark.parametrize("cut", RECOVERY_STEPS)
@pytest.mark.parametrize("load_cut", ["after authorise", "after CREDIT LOAD"])
def test_a_recovery_torn_at_the_desk_is_simply_repeated(
    desk: Desk, cut: str, load_cut: str
) -> None:
    torn = TornDesk(desk, cut=load_cut)
    with pytest.raises(PowerLostError):
        torn.load()
    torn.cut = cut
    with pytest.raises(PowerLostError):
        torn.recover()
    torn.assert_nothing_was_created()
    torn.recover()
    torn.assert_everything_agrees()
    assert torn.purse_balance() == (AMOUNT if load_cut == "after CREDIT LOAD" else 0)


@pytest.mark.parametrize("applied", [False, True], ids=["not written", "written"])
@pytest.mark.parametrize("commit", range(1, COMMITS_OF_A_LOAD + 1))
def test_a_load_torn_inside_the_purse_neither_loses_nor_creates_money(
    desk: Desk, commit: int, *, applied: bool
) -> None:
    torn = TornDesk(desk, Power(applied=applied))
    torn.power.fail_at = torn.power.commits + commit
    torn.run_torn()
    torn.assert_everything_agrees()
    torn.load()
    torn.assert_everything_agrees()


@pytest.mark.parametrize("applied", [False, True], ids=["not written", "written"])
@pytest.mark.parametrize("commit", range(1, COMMITS_OF_A_VOID + 1))
def test_a_void_torn_inside_the_purse_is_simply_repeated(
    desk: Desk, commit: int, *, applied: bool
) -> None:
    torn = TornDesk(desk, Power(applied=applied), cut="after authorise")
    with pytest.raises(PowerLostError):
        torn.load()
    torn.power.fail_at = torn.power.commits + commit
    torn.recover_until_settled()
    assert torn.power.commits >= torn.power.fail_at
    torn.assert_everything_agrees()
    assert torn.purse_balance() == 0
