"""What the system says when it refuses a file, in words for people."""

from __future__ import annotations

__all__ = ["told"]


def told(error: OSError) -> str:
    """The path and the reason, without the number.

    >>> told(FileNotFoundError(2, "No such file or directory", "/proc/nope"))
    '/proc/nope: No such file or directory'
    """
    path = error.filename2 or error.filename
    reason = error.strerror or str(error)
    return reason if path is None else f"{path}: {reason}"
