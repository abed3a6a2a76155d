"""The hand that puts cards in and out, seen from the PC/SC side."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from card import pcsc
from card.application import select
from card.errors import NoCardError
from card.profile import Role
from sim import slots as slots_module
from sim.cards.issue import default_customs_card, default_purse
from sim.pcscd import PrivatePCSCD, free_port_pair
from sim.slots import Slots, SlotsError
from tests.card_slots import ScriptedCard

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.pcsc


@pytest.fixture
def slots(private_pcscd: PrivatePCSCD) -> Iterator[Slots]:
    with Slots(private_pcscd) as slots:
        yield slots
        for role in Role:
            slots.remove(role)


def holds(reader: str, role: Role) -> bool:
    with pcsc.open_card(reader) as card:
        return card.channel.transmit(select(role)).ok


def test_a_card_can_be_used_as_soon_as_it_is_in(slots: Slots) -> None:
    slots.insert(Role.PURSE, default_purse())
    slots.insert(Role.CUSTOMS, default_customs_card())
    assert all(holds(slots.reader(role), role) for role in Role)


def test_another_card_takes_the_place_of_the_one_before(slots: Slots) -> None:
    slots.remove(Role.PURSE)
    slots.insert(Role.PURSE, ScriptedCard())
    slots.insert(Role.PURSE, default_purse())
    assert holds(slots.reader(Role.PURSE), Role.PURSE)
    slots.remove(Role.PURSE)
    with pytest.raises(NoCardError):
        pcsc.open_card(slots.reader(Role.PURSE))


def test_a_card_that_nobody_notices_is_an_error(
    private_pcscd: PrivatePCSCD, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots_module, "_SEEN_TIMEOUT_S", 0.05)
    elsewhere = PrivatePCSCD(port=free_port_pair())
    assert elsewhere.readers == private_pcscd.readers
    threads = set(threading.enumerate())
    with Slots(elsewhere) as slots, pytest.raises(SlotsError, match="not noticed"):
        slots.insert(Role.PURSE, default_purse())
    assert set(threading.enumerate()) == threads
