"""Which terminals have not settled for too long: pure rules, no clock, no database.

A terminal settles when the bank reconciles a batch of it. One that was in use and has
not settled since a bound is *overdue*: its customs card holds money that is nowhere
else, and nobody may have noticed that its line is dead. One that was never used has
nothing to settle, and one that was shut out cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from settlement.store.overview import TerminalFacts

__all__ = ["Settling", "SettlingState", "judge_settling"]


@unique
class SettlingState(StrEnum):
    """How a terminal stands; the values stand in JSON."""

    SETTLED = "settled"
    OVERDUE = "overdue"
    UNUSED = "never used"
    SHUT_OUT = "shut out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """How a terminal stands.

    Attributes:
        state: what it is.
        since: from when on it has not settled: its last reconciled batch, or else its
            first call or batch; None when it was never used.
    """

    state: SettlingState
    since: datetime | None


def judge_settling(
    facts: TerminalFacts, *, now: datetime, within: timedelta, shut_out: bool
) -> Settling:
    """How a terminal stands now.

    Args:
        facts: what the books say of it.
        now: the bank's time.
        within: how long a terminal may go without a reconciled batch.
        shut_out: whether none of its certificates is good any more by revocation.
    """
    since = facts.settled_at or facts.first_seen_at
    if shut_out:
        state = SettlingState.SHUT_OUT
    elif since is None:
        state = SettlingState.UNUSED
    elif now - since > within:
        state = SettlingState.OVERDUE
    else:
        state = SettlingState.SETTLED
    return Settling(state=state, since=since)
