"""Whether the disk of the journal can take another payment to its end.

A payment that has begun must be finished, and every step of it goes to the disk before
the next command goes to a card. So a new one is not begun on a disk that might not hold
all of its steps: the question is asked before any card is touched.
"""

from __future__ import annotations

import errno
import os
from enum import StrEnum, unique
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["FREE_BYTES_MIN", "DiskTrouble", "disk_trouble", "trouble_of"]

FREE_BYTES_MIN: Final = 16 * 1024 * 1024
"""Below this no new payment is begun. The journal's log grows to 4 MiB before SQLite
copies it into the database, which may then grow by as much; reading back the 990
credits of a full batch is written as one step and may double both. So all that may
follow a payment (its steps, its recovery, the close of its batch) fits in what is left
when it begins."""
_PROBE: Final = "journal.lock"
"""Opened for writing to see whether that is allowed. Never the database: to close any
descriptor of it would take SQLite's own locks away from it."""


@unique
class DiskTrouble(StrEnum):
    """Why nothing new may be written; each asks for something else to be done."""

    FULL = "full"
    READ_ONLY = "read-only"
    NO_PERMISSION = "no-permission"
    """The disk takes writes, but not those of the user that this program runs as."""
    MISSING = "missing"
    """The folder, or the journal's file in it, is not there: a disk not mounted."""
    FAILED = "failed"
    """The disk, or what stands in the file's place, answers with an error."""


_BY_ERROR_NUMBER: Final[Mapping[int, DiskTrouble]] = MappingProxyType(
    {
        errno.ENOSPC: DiskTrouble.FULL,
        errno.EDQUOT: DiskTrouble.FULL,
        errno.EROFS: DiskTrouble.READ_ONLY,
        errno.EACCES: DiskTrouble.NO_PERMISSION,
        errno.EPERM: DiskTrouble.NO_PERMISSION,
        errno.ENOENT: DiskTrouble.MISSING,
        errno.ENOTDIR: DiskTrouble.MISSING,
    }
)


def trouble_of(error: OSError) -> DiskTrouble:
    """What an error of the operating system says about the disk."""
    return _BY_ERROR_NUMBER.get(error.errno or 0, DiskTrouble.FAILED)


def disk_trouble(folder: Path) -> DiskTrouble | None:
    """What keeps the journal in ``folder`` from growing; None when nothing does."""
    try:
        # A disk that failed while in use does not always carry the mark of one that
        # was mounted so; it refuses to open a file for writing all the same.
        os.close(os.open(folder / _PROBE, os.O_WRONLY | os.O_CLOEXEC))
        free_bytes = os.statvfs(folder)
    except OSError as error:
        return trouble_of(error)
    if free_bytes.f_bavail * free_bytes.f_frsize < FREE_BYTES_MIN:
        return DiskTrouble.FULL
    return None
