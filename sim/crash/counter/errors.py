"""How a run can end before its story does.

KilledError           the program was killed; the run goes on
ViolationError        something that must hold does not
ProgramFailedError    the program raised
"""

from __future__ import annotations

__all__ = ["KilledError", "ProgramFailedError", "ViolationError"]


class KilledError(Exception):
    """The program has been killed; it says nothing more."""


class ViolationError(Exception):
    """Something that must hold does not; the run ends here."""


class ProgramFailedError(ViolationError):
    """The program ended with an exception, which no story may lead to."""
