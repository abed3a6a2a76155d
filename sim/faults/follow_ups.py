"""What people do after a story's faults, while a second fault may still strike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from card.profile import Role
from sim.world.beliefs import Want

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.world.officer import Officer
    from sim.world.people import People

    Act: TypeAlias = Callable[[People], None]

__all__ = [
    "FIRST",
    "FOLLOW_UPS",
    "LOAD_FOLLOW_UPS",
    "ONE_PAYMENT_FOLLOW_UPS",
    "OPEN_FOLLOW_UPS",
    "OTHER",
    "OVERRIDDEN",
    "SECOND",
    "FollowUp",
    "load",
]

FIRST: Final = Want("INV-2025-000001", "1.234")
SECOND: Final = Want("INV-2025-000002", "0.500")
OTHER: Final = Want("INV-2025-000009", "2.000", purse=1)
IMPATIENT: Final = replace(FIRST, purse=OTHER.purse, in_spite=True)
LOAD_MINOR: Final = 75_000
OTHER_LOAD_MINOR: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """What people do after the main part.

    Attributes:
        purse_returns: whether the customer's card is ever seen again.
    """

    name: str
    act: Act
    purse_returns: bool = True


def _put_back(people: People) -> None:
    people.clerk.remove(Role.PURSE)
    people.clerk.insert(Role.PURSE)


def _same_card_back(people: People) -> None:
    people.put_right()
    _put_back(people)


def _other_card_first(people: People) -> None:
    people.put_right()
    people.clerk.remove(Role.PURSE)
    people.clerk.take(OTHER)
    _put_back(people)


def _other_card_looked_at(people: People) -> None:
    people.put_right()
    people.clerk.remove(Role.PURSE)
    people.clerk.look_at(OTHER.purse)
    people.clerk.remove(Role.PURSE)
    people.clerk.insert(Role.PURSE)


def _card_never_back(people: People) -> None:
    people.clerk.remove(Role.PURSE)
    people.put_right()
    people.clerk.close_day()


def _terminal_restarted(people: People) -> None:
    people.world.switch_off()
    people.put_right()
    people.clerk.insert(Role.PURSE)


def _customs_card_reset(people: People) -> None:
    people.clerk.remove(Role.CUSTOMS)
    people.put_right()
    people.clerk.insert(Role.PURSE)


def _terminal_lost(people: People) -> None:
    people.clerk.replace_machine()
    people.put_right()
    _put_back(people)


def _warning_overridden(people: People) -> None:
    people.put_right()
    people.clerk.remove(Role.PURSE)
    people.clerk.take_in_spite(IMPATIENT)
    _put_back(people)


OVERRIDDEN: Final = FollowUp(name="warning overridden", act=_warning_overridden)

ONE_PAYMENT_FOLLOW_UPS: Final = (
    FollowUp(name="same card back", act=_same_card_back),
    FollowUp(name="other card first", act=_other_card_first),
    FollowUp(name="card never back", act=_card_never_back, purse_returns=False),
    FollowUp(name="terminal restarted", act=_terminal_restarted),
    FollowUp(name="customs card reset", act=_customs_card_reset),
    FollowUp(name="terminal lost", act=_terminal_lost),
    OVERRIDDEN,
)
"""Here the other card pays, too; in the longer stories it is looked at, no more."""
FOLLOW_UPS: Final = tuple(
    FollowUp(name="other card first", act=_other_card_looked_at)
    if one.name == "other card first"
    else one
    for one in ONE_PAYMENT_FOLLOW_UPS
    if one is not OVERRIDDEN
)
"""Nor does anybody pay twice where the payments are over and told."""


def _officer(people: People) -> Officer:
    assert people.officer is not None, "a load's story has a bank"
    return people.officer


def load(people: People) -> None:
    """The officer loads the first customer's purse."""
    _officer(people).load(0, LOAD_MINOR)


def _load_again(people: People) -> None:
    _officer(people).take_card_out()
    load(people)


def _load_other_first(people: People) -> None:
    _officer(people).load(1, OTHER_LOAD_MINOR)
    _load_again(people)


def _load_never_again(people: People) -> None:
    _officer(people).take_card_out()


def _pay_in_between(people: People, before: Act) -> None:
    """The customer goes to the counter with a card whose load is not settled."""
    _officer(people).take_card_out()
    before(people)
    people.put_right()
    people.clerk.take(FIRST)
    people.clerk.remove(Role.PURSE)
    load(people)


def _load_after_restart(people: People) -> None:
    _pay_in_between(people, lambda people: people.world.switch_off())


def _load_after_reset(people: People) -> None:
    _pay_in_between(people, lambda people: people.clerk.remove(Role.CUSTOMS))


def _load_after_loss(people: People) -> None:
    _pay_in_between(people, lambda people: people.clerk.replace_machine())


LOAD_FOLLOW_UPS: Final = (
    FollowUp(name="same card back", act=_load_again),
    FollowUp(name="other card first", act=_load_other_first),
    FollowUp(name="card never back", act=_load_never_again, purse_returns=False),
    FollowUp(name="terminal restarted", act=_load_after_restart),
    FollowUp(name="customs card reset", act=_load_after_reset),
    FollowUp(name="terminal lost", act=_load_after_loss),
)
"""At the card desk; in the last three the card pays at the counter in between."""


def _settled_at_desk(people: People) -> None:
    """Both customers go to the card desk first; its word comes with the next call."""
    people.put_right()
    people.clerk.remove(Role.PURSE)
    for purse in (FIRST.purse, OTHER.purse):
        _officer(people).recover(purse)
        _officer(people).take_card_out()
    people.clerk.close_day()


def _settled_by_load(people: People) -> None:
    people.put_right()
    people.clerk.remove(Role.PURSE)
    load(people)
    _officer(people).take_card_out()
    people.clerk.close_day()


def _settled_by_payment(people: People) -> None:
    people.put_right()
    people.clerk.remove(Role.PURSE)
    people.clerk.take(SECOND)
    people.clerk.remove(Role.PURSE)
    people.clerk.close_day()


OPEN_FOLLOW_UPS: Final = (
    *FOLLOW_UPS,
    FollowUp(name="card's next payment", act=_settled_by_payment),
    FollowUp(name="card's next load", act=_settled_by_load),
    FollowUp(name="card desk", act=_settled_at_desk),
)
"""In the last three the bank settles a record, or is told how it was settled."""
