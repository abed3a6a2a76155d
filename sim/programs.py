"""Raseed's own programs, run as other people run them: as processes.

A program is called with ``--json`` and its document comes back; what it says to people
is passed on. PINs go in by standard input, the bank's passphrase by the environment.
What runs when we are killed ends with us, where the system has `setpriv`.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

__all__ = ["BackgroundProgram", "ProgramError", "call", "program_path"]

_CALL_TIMEOUT_S: Final = 60
_STOP_TIMEOUT_S: Final = 20
# We may have ended before setpriv could say that it is to end with us.
_IF_OURS: Final = '[ "$PPID" = "$0" ] && exec "$@"'


class ProgramError(Exception):
    """A program ended with an error; its own words are in the message."""


def program_path(name: str) -> str:
    """Where one of the four commands lies: beside the Python that runs us."""
    return str(Path(sys.executable).with_name(name))


def call(
    name: str,
    *arguments: str,
    environment: Mapping[str, str],
    pin: str | None = None,
) -> dict[str, Any]:
    """Run ``name`` with ``--json`` and return its document.

    Args:
        name: such as ``"raseed-card"``.
        arguments: without ``--json`` and ``--pin-stdin``, which are added.
        environment: added to our own.
        pin: written to the program's standard input.

    Raises:
        ProgramError: it cannot be run, ended with another status than 0, did not end
            in time, or printed no document.
    """
    pin_option = [] if pin is None else ["--pin-stdin"]
    called = " ".join((name, *arguments[:1]))
    try:
        done = subprocess.run(  # noqa: S603  our own programs, our own words
            _command_line(name, *arguments, *pin_option, "--json"),
            input="" if pin is None else f"{pin}\n",
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            timeout=_CALL_TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        raise _cannot_run(name, error) from None
    except subprocess.TimeoutExpired:
        raise ProgramError(
            f"{called} did not end within {_CALL_TIMEOUT_S} s and was stopped"
        ) from None
    if done.returncode != 0:
        words = (done.stdout + done.stderr).strip()
        raise ProgramError(f"{called} ended with an error: {words}")
    return _document(called, done.stdout)


def _command_line(name: str, *arguments: str) -> list[str]:
    """What to run; the kernel ends it (SIGTERM) when the thread that runs it ends.

    Raises:
        FileNotFoundError: there is no such program to be run.
    """
    path = program_path(name)
    # Looked for here, because setpriv would find out only when it runs already.
    if shutil.which(path) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return [path, *arguments]
    bound = [setpriv, "--pdeathsig", "TERM", "sh", "-c", _IF_OURS, str(os.getpid())]
    return [*bound, path, *arguments]


def _document(called: str, printed: str) -> dict[str, Any]:
    try:
        document = json.loads(printed)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ProgramError(f"{called} printed no JSON document: {printed.strip()}")
    return document


def _cannot_run(name: str, error: OSError) -> ProgramError:
    return ProgramError(
        f"{name} cannot be run ({error.strerror}); install the project (make does)"
    )


class BackgroundProgram:
    """A program that runs until `stop`; its output goes to a log file."""

    def __init__(
        self, name: str, *arguments: str, environment: Mapping[str, str], log: Path
    ) -> None:
        """Start it.

        Raises:
            ProgramError: it cannot be run.
        """
        self._name = name
        self.log: Final = log
        with log.open("wb") as output:
            try:
                self._process = subprocess.Popen(  # noqa: S603  our own programs
                    _command_line(name, *arguments),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **environment},
                )
            except OSError as error:
                raise _cannot_run(name, error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def require_running(self) -> None:
        """Check that it has not ended by itself.

        Raises:
            ProgramError: it has.
        """
        if self._process.poll() is not None:
            words = self.log.read_text(errors="replace").strip()[-800:]
            raise ProgramError(f"{self._name} ended by itself: {words}")

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
