"""The shim `kill_points.c` from Python: compiled when needed, armed, its trace read."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from enum import IntEnum, unique
from pathlib import Path
from typing import Final

from sim.crash.errors import ShimError

__all__ = ["BUILD", "Moment", "TracedCall", "arm", "compiled", "read_trace"]

BUILD: Final = Path(__file__).parents[2] / "build" / "crash"
_SOURCE: Final = Path(__file__).with_name("kill_points.c")
_FLAGS: Final = ("-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror")
_COMPILE_S: Final = 60


@unique
class Moment(IntEnum):
    """When a process dies at a call; the numbers are the shim's."""

    BEFORE = 0
    HALFWAY = 1
    """Half of the bytes of a write; of any other call it is after it."""
    AFTER = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedCall:
    """One call that the shim counted.

    Attributes:
        number: from 1.
        call: such as ``"pwrite"``.
        path: below the folder that was watched.
    """

    number: int
    call: str
    path: str

    @property
    def is_write(self) -> bool:
        """Whether it can be cut halfway."""
        return self.call in {"write", "pwrite"}

    def __str__(self) -> str:
        return f"{self.call} {self.path}"


def compiled(folder: Path = BUILD) -> Path:
    """The shim as a library in ``folder``, compiled unless it is there already.

    Raises:
        ShimError: there is no C compiler, or it refuses the source.
    """
    digest = hashlib.sha256(_SOURCE.read_bytes() + " ".join(_FLAGS).encode())
    library = folder / f"kill-points-{digest.hexdigest()[:12]}.so"
    if library.is_file():
        return library
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise ShimError("no C compiler; install gcc (make packages does)")
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = library.with_name(f"{library.name}.{os.getpid()}")
    done = subprocess.run(  # noqa: S603  our own source, a compiler of this machine
        [compiler, *_FLAGS, "-o", str(unfinished), str(_SOURCE), "-ldl"],
        capture_output=True,
        text=True,
        timeout=_COMPILE_S,
        check=False,
    )
    if done.returncode != 0:
        raise ShimError(f"{compiler} refuses {_SOURCE}: {done.stderr.strip()}")
    # Others may compile at the same time: whoever is last replaces the same bytes.
    unfinished.replace(library)
    return library


def arm(
    below: Path, *, trace: Path, at: int = 0, moment: Moment = Moment.AFTER
) -> None:
    """Count this process's writes below a folder from now on, and die at one of them.

    Args:
        below: an absolute path, as the program under test calls it.
        trace: where each counted call is named; not below that folder.
        at: the call to die at, from 1; 0 only counts.
        moment: when at that call.

    Raises:
        ShimError: the shim is not loaded into this process.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
    descriptor = os.open(trace, flags, 0o600)
    try:
        function = ctypes.CDLL(None).kill_points_arm
    except AttributeError:
        raise ShimError("this process was started without the shim") from None
    function.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_long, ctypes.c_int]
    function.restype = ctypes.c_int
    if function(os.fsencode(below), descriptor, at, moment) != 0:
        raise ShimError(f"the folder's name is too long: {below}")


def read_trace(trace: Path) -> list[TracedCall]:
    """The calls that a process made until it ended, in order."""
    calls = []
    for line in trace.read_text(errors="replace").splitlines():
        number, call, path = line.split(" ", 2)
        calls.append(TracedCall(number=int(number), call=call, path=path))
    return calls
