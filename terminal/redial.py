"""When a call that was cut is made again within one end of day.

Each call begins by hearing what the bank holds already and goes on from there, so a
line that holds for a few seconds at a time still brings a batch through. The dial plan
says how each call is dialled, with its numbers, rounds and pauses; here is only how
often.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CALLS_MAX", "FRUITLESS_CALLS_MAX", "Redial"]

CALLS_MAX: Final = 12
"""Calls of one end of day: a clerk should not wait on a hopeless line for an hour."""
FRUITLESS_CALLS_MAX: Final = 3
"""Calls cut one after the other that brought the bank nothing it has confirmed."""


class Redial:
    """Counts the calls of one end of day, and what they brought."""

    def __init__(self) -> None:
        """No call was made yet."""
        self._calls = 0
        self._fruitless = 0
        self._brought_something = False

    @property
    def next_call(self) -> int:
        """Number of the next call, from 1."""
        return self._calls + 1

    def call_begins(self) -> None:
        """A call is being made."""
        self._calls += 1
        self._brought_something = False

    def bank_confirmed(self) -> None:
        """The bank has confirmed something for the first time in this call."""
        self._brought_something = True

    @property
    def call_is_fruitless(self) -> bool:
        """Whether the bank has confirmed nothing in this call so far."""
        return not self._brought_something

    def goes_on_after_cut(self) -> bool:
        """Whether another call is worth it, now that this one was cut."""
        self._fruitless = self._fruitless + 1 if self.call_is_fruitless else 0
        return self._calls < CALLS_MAX and self._fruitless < FRUITLESS_CALLS_MAX
