"""What goes on when something goes wrong.

A *story* has a beginning in which nothing fails, and a main part in which everything
may. A *follow-up* is what people do next, while a second fault may still strike. Then
the world is healed and brought to its end, where all value must be accounted for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sim.faults.follow_ups import (
    FIRST,
    FOLLOW_UPS,
    LOAD_FOLLOW_UPS,
    ONE_PAYMENT_FOLLOW_UPS,
    OPEN_FOLLOW_UPS,
    OTHER,
    OVERRIDDEN,
    SECOND,
    FollowUp,
    load,
)
from sim.world.fate import FaultKind

if TYPE_CHECKING:
    from sim.faults.follow_ups import Act
    from sim.world.people import People

__all__ = ["STORIES", "FollowUp", "Story"]

_DEBIT: Final = "DEBIT to the purse card"


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
    follow_ups: tuple[FollowUp, ...] = FOLLOW_UPS
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


def _torn_twice(people: People) -> None:
    """Two records stay open: one purse was debited, the other was not."""
    clerk, fate = people.clerk, people.world.fate
    fate.arm_next(FaultKind.TORN_AFTER, _DEBIT, "commit of the purse")
    clerk.take(FIRST)
    fate.arm_next(FaultKind.TAKEN, _DEBIT)
    clerk.take(OTHER)
    assert fate.all_struck, "both payments were torn"
    fate.heal()


STORIES: Final = (
    Story(
        name="one payment",
        begin=_nothing,
        main=_pay_first,
        follow_ups=ONE_PAYMENT_FOLLOW_UPS,
    ),
    Story(
        name="two payments",
        begin=_nothing,
        main=_pay_both,
        follow_ups=(*FOLLOW_UPS, OVERRIDDEN),
        one_pair_in=16,
    ),
    Story(
        name="load",
        begin=_nothing,
        main=load,
        follow_ups=LOAD_FOLLOW_UPS,
        has_bank=True,
        one_pair_in=48,
    ),
    Story(
        name="batch close",
        begin=_pay_both,
        main=_close_without_line,
        has_bank=True,
        ends_with_day=True,
        one_pair_in=48,
    ),
    Story(
        name="bank acknowledgement",
        begin=_closed_without_line,
        main=_close,
        has_bank=True,
        ends_with_day=True,
        one_pair_in=48,
    ),
    Story(
        name="open record",
        begin=_torn_twice,
        main=_close,
        follow_ups=OPEN_FOLLOW_UPS,
        has_bank=True,
        ends_with_day=True,
        one_pair_in=480,
    ),
)
