"""What goes on when something goes wrong, and what people do about it afterwards.

A *story* has a beginning in which nothing fails, and a main part in which everything
may. A *follow-up* is what people do next, while a second fault may still strike. Then
the world is healed and brought to its end, where all value must be accounted for.
"""

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

__all__ = ["STORIES", "FollowUp", "Story"]

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


_OVERRIDDEN: Final = FollowUp(name="warning overridden", act=_warning_overridden)

_ONE_PAYMENT_FOLLOW_UPS: Final = (
    FollowUp(name="same card back", act=_same_card_back),
    FollowUp(name="other card first", act=_other_card_first),
    FollowUp(name="card never back", act=_card_never_back, purse_returns=False),
    FollowUp(name="terminal restarted", act=_terminal_restarted),
    FollowUp(name="customs card reset", act=_customs_card_reset),
    FollowUp(name="terminal lost", act=_terminal_lost),
    _OVERRIDDEN,
)
"""Here the other card pays, too; in the longer stories it is looked at, no more."""
_FOLLOW_UPS: Final = tuple(
    FollowUp(name="other card first", act=_other_card_looked_at)
    if one.name == "other card first"
    else one
    for one in _ONE_PAYMENT_FOLLOW_UPS
    if one is not _OVERRIDDEN
)
"""Nor does anybody pay twice where the payments are over and told."""


def _officer(people: People) -> Officer:
    assert people.officer is not None, "a load's story has a bank"
    return people.officer


def _load(people: People) -> None:
    _officer(people).load(0, LOAD_MINOR)


def _load_again(people: People) -> None:
    _officer(people).take_card_out()
    _load(people)


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
    _load(people)


def _load_after_restart(people: People) -> None:
    _pay_in_between(people, lambda people: people.world.switch_off())


def _load_after_reset(people: People) -> None:
    _pay_in_between(people, lambda people: people.clerk.remove(Role.CUSTOMS))


def _load_after_loss(people: People) -> None:
    _pay_in_between(people, lambda people: people.clerk.replace_machine())


_LOAD_FOLLOW_UPS: Final = (
    FollowUp(name="same card back", act=_load_again),
    FollowUp(name="other card first", act=_load_other_first),
    FollowUp(name="card never back", act=_load_never_again, purse_returns=False),
    FollowUp(name="terminal restarted", act=_load_after_restart),
    FollowUp(name="customs card reset", act=_load_after_reset),
    FollowUp(name="terminal lost", act=_load_after_loss),
)
"""At the card desk; in the last three the card pays at the counter in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One story.

    Attributes:
        name: as the report calls it.
        begin: happens before anything can fail, at a counter that is switched on.
        main: what may fail at every point.
        follow_ups: what people may do next.
        has_bank: whether there is a bank.
        ends_with_day: whether the bank has to have all of it in the end.
        one_pair_in: of so many pairs of faults a quick run strikes one.
    """

    name: str
    begin: Act
    main: Act
    follow_ups: tuple[FollowUp, ...] = _FOLLOW_UPS
    has_bank: bool = False
    ends_with_day: bool = False
    one_pair_in: int = 1


def _nothing(_people: People) -> None:
    """The story begins at once."""


def _pay_first(people: People) -> None:
    people.clerk.take(FIRST)


def _pay_both(people: People) -> None:
    people.clerk.take(FIRST)
    people.clerk.take(SECOND)


def _close(people: People) -> None:
    people.clerk.close_day()


def _close_without_line(people: People) -> None:
    bank = people.world.bank
    assert bank is not None, "the story has a bank"
    bank.line_is_dead = True
    people.clerk.close_day()
    bank.line_is_dead = False


def _closed_without_line(people: People) -> None:
    _pay_both(people)
    _close_without_line(people)


STORIES: Final = (
    Story(
        name="one payment",
        begin=_nothing,
        main=_pay_first,
        follow_ups=_ONE_PAYMENT_FOLLOW_UPS,
    ),
    Story(
        name="two payments",
        begin=_nothing,
        main=_pay_both,
        follow_ups=(*_FOLLOW_UPS, _OVERRIDDEN),
        one_pair_in=3,
    ),
    Story(
        name="load",
        begin=_nothing,
        main=_load,
        follow_ups=_LOAD_FOLLOW_UPS,
        has_bank=True,
        one_pair_in=96,
    ),
    Story(
        name="batch close",
        begin=_pay_both,
        main=_close_without_line,
        has_bank=True,
        ends_with_day=True,
        one_pair_in=96,
    ),
    Story(
        name="bank acknowledgement",
        begin=_closed_without_line,
        main=_close,
        has_bank=True,
        ends_with_day=True,
        one_pair_in=96,
    ),
)
