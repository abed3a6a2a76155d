"""What can go wrong with the harness itself, as opposed to what it tests.

CrashHarnessError
    ShimError           the shim cannot be compiled, or is not loaded
    ForkServerError     the process that makes the children has ended
    LineEndedError      the other process has gone; often that is what was wanted
    LineSilentError     the other process says nothing any more
    BadFrameError       what it says is no frame
"""

from __future__ import annotations

__all__ = [
    "BadFrameError",
    "CrashHarnessError",
    "ForkServerError",
    "LineEndedError",
    "LineSilentError",
    "ShimError",
]


class CrashHarnessError(Exception):
    """The root of this package's errors."""


class ShimError(CrashHarnessError):
    """The shim that kills at writes cannot be compiled, or is not loaded."""


class ForkServerError(CrashHarnessError):
    """The fork server has ended or does not answer; nothing can be run any more."""


class LineEndedError(CrashHarnessError):
    """The process at the other end has gone."""


class LineSilentError(CrashHarnessError):
    """The process at the other end has said nothing for too long."""


class BadFrameError(CrashHarnessError):
    """The bytes that came are no frame."""
