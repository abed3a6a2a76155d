"""What to dial next and when, after an attempt in vain; without clock or randomness.

==============================  ==================================================
cause                           what follows
==============================  ==================================================
BUSY, NO CARRIER, FAX, VOICE    the next number, after the pause of the round
NO ANSWER                       the next number, after twice that pause
LINE IN USE                     the same number, after four times that pause
DELAYED                         the next number; this one not before a minute
BLACKLISTED, BLACKLIST FULL,    the next number; this one not again in this call
ERROR
NO DIALTONE, NO PROMPTTONE      nothing: no number can be dialled on a dead line
==============================  ==================================================

The pause of a round doubles with each round, up to the plan's longest. A little is
added by a jitter that is passed in, so that the counters of a country that were cut
off together do not all ring again in the same second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from modem.result_codes import ResultCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from modem.dial_plan import DialPlan

__all__ = ["DEAD_LINE", "Retries"]

DEAD_LINE: Final = frozenset({ResultCode.NO_DIALTONE, ResultCode.NO_PROMPTTONE})
_NEVER_AGAIN: Final = frozenset(
    {
        ResultCode.BLACKLISTED,
        ResultCode.BLACKLIST_FULL,
        ResultCode.ERROR,
        ResultCode.CME_ERROR,
        ResultCode.CMS_ERROR,
    }
)
_WEIGHTS: Final = {ResultCode.NO_ANSWER: 2, ResultCode.LINE_IN_USE: 4}
"""A busy line is free in a moment; a host that does not answer is looked after first,
and whoever talks on our own line goes on talking."""
_DELAYED_MS: Final = 60_000
"""What a modem that says DELAYED asks for, in most countries' rules."""
_JITTER_SHARE: Final = 4
"""The jitter adds up to one part in so many of a pause."""


class Retries:
    """The attempts of one call."""

    def __init__(self, plan: DialPlan, jitter: Callable[[int], int]) -> None:
        """Begin before the first attempt.

        Args:
            plan: numbers, rounds and pauses.
            jitter: gives a number from 0 up to its argument.
        """
        self._plan = plan
        self._jitter = jitter
        self._round = 0
        self._waiting: list[str] = list(plan.numbers)
        self._dropped: set[str] = set()
        self._not_before_ms: dict[str, int] = {}
        self.number = self._waiting.pop(0)
        self.attempt = 1

    def pause_ms(self, code: ResultCode, now_ms: int) -> int | None:
        """Choose the next attempt: how long to rest before it; None when there is none.

        Args:
            code: why the present attempt was in vain.
            now_ms: the time.
        """
        if code in DEAD_LINE:
            return None
        if code in _NEVER_AGAIN:
            self._dropped.add(self.number)
        if code is ResultCode.DELAYED:
            self._not_before_ms[self.number] = now_ms + _DELAYED_MS
        pause_ms = self._pause_of_round_ms() * _WEIGHTS.get(code, 1)
        pause_ms = min(pause_ms, self._plan.pause_ms_max)
        if code is ResultCode.LINE_IN_USE:
            self._waiting.insert(0, self.number)
            # That attempt counts as well, or a call would have no end.
            self._waiting.pop()
        if not self._choose():
            return None
        pause_ms += self._jitter(pause_ms // _JITTER_SHARE)
        allowed_ms = self._not_before_ms.get(self.number, now_ms)
        return max(pause_ms, allowed_ms - now_ms)

    def _pause_of_round_ms(self) -> int:
        return min(self._plan.pause_ms << self._round, self._plan.pause_ms_max)

    def _choose(self) -> bool:
        """Go to the next number that may be dialled, if there is one."""
        while True:
            if not self._waiting:
                self._round += 1
                self._waiting = list(self._plan.numbers)
                if self._round >= self._plan.rounds:
                    return False
            if self._dropped >= set(self._plan.numbers):
                return False
            self.number = self._waiting.pop(0)
            if self.number not in self._dropped:
                self.attempt += 1
                return True
