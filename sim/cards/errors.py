"""Everything that can go wrong with a simulated card, as one tree.

* SimulatedCardError
    * MemoryFailureError    a write did not go through; the card answers 6581
    * MemoryDamagedError    a state file is not what a card wrote
    * MemoryInUseError      another process serves the same state file
    * CardTakenError        the card left the reader in the middle of a command

A status word is an answer of the card, not an error: see `application.Refused`.
"""

from __future__ import annotations

__all__ = [
    "CardTakenError",
    "MemoryDamagedError",
    "MemoryFailureError",
    "MemoryInUseError",
    "SimulatedCardError",
]


class SimulatedCardError(Exception):
    """Root of all errors of this package."""


class MemoryFailureError(SimulatedCardError):
    """The memory could not be written; what it held before is what it holds now."""


class MemoryDamagedError(SimulatedCardError):
    """A state file cannot be read as a card's memory; it was left as it is."""


class MemoryInUseError(SimulatedCardError):
    """Another process has this card: served twice, its value would exist twice."""


class CardTakenError(SimulatedCardError):
    """Raised out of ``process`` by a card that is pulled before it answers.

    Whether the command was carried out is what the one who raises it decides; the
    reader sees a card that is gone and no answer.
    """
