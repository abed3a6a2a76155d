"""Power lost at every write of a payment, and again at every write of its recovery.

After any of it: no value is created, all of it is accounted for, and both cards go on.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from sim.cards.errors import CardTakenError
from sim.cards.issue import default_customs_card, default_purse
from sim.cards.tearing import TearingMemory
from tests.conformance.links import InProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.drivers import CustomsDriver, PurseDriver
    from tests.conformance.formulas import Load, Purchase

VALUE = 500_000
NEVER = 10**6


class Power:
    """Counts the writes of both cards together and fails at one of them."""

    def __init__(self) -> None:
        self.writes = 0
        self.fails_at = NEVER
        self.write_is_kept = False

    def plan(self, fails_at: int, *, kept: bool) -> None:
        self.writes = 0
        self.fails_at = fails_at
        self.write_is_kept = kept

    def before_commit(self) -> None:
        index, self.writes = self.writes, self.writes + 1
        if index == self.fails_at and not self.write_is_kept:
            raise CardTakenError

    def after_commit(self) -> None:
        if self.writes - 1 == self.fails_at:
            raise CardTakenError


@pytest.fixture
def link() -> InProcess:
    """Cards whose memory tears are in this process only."""
    return InProcess()


def issue(purse: PurseDriver, customs: CustomsDriver) -> Power:
    """Both cards anew, on memories that share one fate."""
    power = Power()
    purse.put(default_purse(TearingMemory(power)))
    customs.put(default_customs_card(TearingMemory(power)))
    power.plan(NEVER, kept=True)
    restart(purse, customs)
    return power


def restart(purse: PurseDriver, customs: CustomsDriver) -> None:
    purse.restart()
    customs.restart()


def pay(purse: PurseDriver, customs: CustomsDriver) -> None:
    tsn = customs.status()["tsn"]
    begun = purse.begin(tsn=tsn)
    customs.open(begun)
    proof = purse.debit(begun).data
    assert proof == begun.proof
    assert customs.credit(begun).sw == "9000"
    assert purse.ack(begun) == "9000"


def recover(
    purse: PurseDriver, customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    """What the profile's recovery says, from LIST OPEN alone."""
    records = []
    index = 1
    while (answer := customs.list_open(index)).sw == "9000":
        records.append(answer.data)
        index += 1
    for record in records:
        tx, vreq = record[:47], record[56:]
        place = tx[10:14] + tx[14:22] + tx[22:26]
        proof = purse.command("80 5A 00 06", place)
        if proof.sw == "9000":
            credit = customs.command("80 72 00 00", tx[22:26] + proof.data)
            assert credit.sw == "9000"
            assert purse.command("80 56 00 00", place + credit.data[8:]) == "9000"
        else:
            vmac = purse.command("80 5A 01 06", tx + vreq)
            assert vmac.sw == "9000"
            assert customs.command("80 76 00 00", tx[22:26] + vmac.data) == "9000"


def attempt(action: Callable[[], object]) -> bool:
    """Whether it went through; a card that lost power raises out of its command."""
    try:
        action()
    except CardTakenError:
        return False
    return True


def writes_of_a_payment(purse: PurseDriver, customs: CustomsDriver) -> int:
    power = issue(purse, customs)
    pay(purse, customs)
    return power.writes


@pytest.mark.parametrize("kept", [False, True], ids=["before", "after"])
def test_value_survives_power_loss_at_any_write(
    purse: PurseDriver, customs: CustomsDriver, purchase: type[Purchase], kept: bool
) -> None:
    writes = writes_of_a_payment(purse, customs)
    assert writes == 6, "VERIFY 2, INIT SAM, DEBIT, CREDIT, ACK"
    for first in range(writes):
        for second in range(4):
            power = issue(purse, customs)
            power.plan(first, kept=kept)
            assert not attempt(lambda: pay(purse, customs))
            restart(purse, customs)
            power.plan(second, kept=kept)
            attempt(lambda: recover(purse, customs, purchase))
            restart(purse, customs)
            power.plan(NEVER, kept=True)
            recover(purse, customs, purchase)
            status = customs.status()
            assert purse.balance() + status["total"] == VALUE
            assert status["open"] == 0
            assert status["total"] in {0, 1234}
            pay(purse, customs)
            assert purse.balance() + customs.status()["total"] == VALUE


@pytest.mark.parametrize("kept", [False, True], ids=["before", "after"])
def test_a_torn_load_is_either_proved_or_voided(
    purse: PurseDriver, customs: CustomsDriver, load: type[Load], kept: bool
) -> None:
    for write in range(3):
        power = issue(purse, customs)
        power.plan(write, kept=kept)
        pending = load()
        begun = attempt(purse.load)
        assert not begun
        purse.restart()
        power.plan(0, kept=kept)
        proved = purse.prove_load(pending).sw == "9000"
        if not proved:
            attempt(functools.partial(purse.void_load, pending))
            purse.restart()
            power.plan(NEVER, kept=True)
            assert purse.void_load(pending) == pending.confirm(b"VOID")
        assert purse.balance() == VALUE + (5000 if proved else 0)
        assert proved == (kept and write == 2)


def test_a_tear_in_verify_may_cost_a_try_and_never_gives_one(
    purse: PurseDriver, customs: CustomsDriver
) -> None:
    power = issue(purse, customs)
    for _ in range(2):
        power.plan(0, kept=True)
        assert not attempt(purse.wrong_pin)
        purse.restart()
    power.plan(NEVER, kept=True)
    assert purse.wrong_pin() == "63C0"
    assert purse.verify() == "6983"
