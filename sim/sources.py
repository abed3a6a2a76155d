"""Which commit of the sources a run is of: its report says so, its seed comes of it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

__all__ = ["NO_COMMIT", "commit_here"]

NO_COMMIT: Final = "unknown"
"""What stands for a commit where there is none to be asked for."""


def commit_here(folder: Path = Path(__file__).parent) -> str:
    """The commit that ``folder`` stands at, as 40 hex digits.

    Args:
        folder: within a working tree; by default that of these sources.

    Returns:
        The commit, with ``+`` behind it when files that git knows were changed since;
        `NO_COMMIT` where there is no git, or nothing that it knows.
    """
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return NO_COMMIT
    return f"{commit}+" if changed else commit


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(  # noqa: S603  our own fixed words
        ["git", *words],  # noqa: S607  whichever git there is
        capture_output=True,
        check=True,
        text=True,
        cwd=folder,
    )
    return done.stdout.strip()
