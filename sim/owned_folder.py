"""Temporary folders that tell whether the program that made them still runs.

A program that is killed cannot tidy up. The next one can, when it knows that a folder
is abandoned: whoever makes one holds a lock on a file in it, and the kernel gives the
lock back when that process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["OwnedFolder", "remove_abandoned", "try_lock"]

_OWNER_FILE: Final = "owner"
_PID_FILE: Final = Path("run", "pcscd.pid")


class OwnedFolder:
    """A new folder for temporary files, ours until `remove` or until we end."""

    def __init__(self, prefix: str, where: Path | None = None) -> None:
        """Make it; its name begins with ``prefix``.

        Args:
            prefix: of its name.
            where: the folder it is made in, that for temporary files if not given.
        """
        self.path: Final = Path(tempfile.mkdtemp(prefix=prefix, dir=where))
        # Locked before it has its name: an owner file without a lock means that its
        # owner is gone, and must never be seen before that is so.
        unnamed = self.path / f"{_OWNER_FILE}.new"
        lock = try_lock(unnamed)
        assert lock is not None, "nobody else knows this file"
        self._lock: int | None = lock
        unnamed.rename(self.path / _OWNER_FILE)

    def remove(self) -> None:
        """Remove the folder and what is in it; may be called again."""
        if self._lock is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = None


def remove_abandoned(prefix: str, where: Path | None = None) -> None:
    """Remove the folders of this user whose makers ended without doing so.

    A folder of which that is not certain stays: one without an owner file, and one
    whose daemon still runs.
    """
    for path in Path(where or tempfile.gettempdir()).glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            if _is_abandoned(path):
                shutil.rmtree(path, ignore_errors=True)


def try_lock(path: Path) -> int | None:
    """Lock a file, made when it is not there; None when somebody else holds it.

    Returns:
        A descriptor; closing it gives the lock back.

    Raises:
        OSError: the file can be neither opened nor made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _is_abandoned(path: Path) -> bool:
    owner = path / _OWNER_FILE
    ours = not path.is_symlink() and path.stat().st_uid == os.geteuid()
    if not ours or not owner.is_file() or _is_daemon_alive(path):
        return False
    lock = try_lock(owner)
    if lock is None:
        return False
    os.close(lock)
    return True


def _is_daemon_alive(path: Path) -> bool:
    """Whether the process that the pid file names is there; it may end after us."""
    try:
        os.kill(int((path / _PID_FILE).read_text()), 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass  # Somebody else's, with a number that was used again.
    return True
