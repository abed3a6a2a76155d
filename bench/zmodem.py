"""ZMODEM over a simulated telephone line: lrzsz, as Debian has it, in real time.

The programs `sz` and `rz` sit on two PTYs. Between them every byte takes its time on
the same simulated wire that our own link is measured on. All transfers asked for run
at once, since they mostly wait: one thread moves their bytes.
"""

from __future__ import annotations

import contextlib
import os
import pty
import random
import select
import subprocess
import tempfile
import time
import tty
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sim.modems.line import LineSettings, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["SETTINGS", "Transfer", "run_all"]

SETTINGS: Final = {
    "sz": (),
    "sz -w 2048": ("-w", "2048"),
    "sz -w 1024": ("-w", "1024"),
}
"""By the name in the table: the streaming protocol, and two windows that it offers."""

_TICK_S: Final = 0.004
_READ_AHEAD_BYTES: Final = 64
"""So much leaves the PTY before its time, as into a UART's FIFO."""
_PROGRESS_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One file to be carried once.

    Attributes:
        setting: a key of `SETTINGS`.
        line: the wire in each direction.
        seed: of the noise.
        data: the file.
    """

    setting: str
    line: LineSettings
    seed: int
    data: bytes


class _Side:
    """A program, the PTY that is its line, and what its PTY had no room for."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(self.master, False)
        self.process = subprocess.Popen(  # noqa: S603  our own words
            command, cwd=folder, stdin=slave, stdout=slave, stderr=subprocess.DEVNULL
        )
        os.close(slave)
        self._late = b""

    def read(self) -> bytes:
        """What the program wants to send next."""
        # EIO: the program has ended and let go of its end.
        with contextlib.suppress(BlockingIOError, OSError):
            return os.read(self.master, _READ_AHEAD_BYTES)
        return b""

    def write(self, data: bytes) -> None:
        """Give the program ``data``, or what it has room for, and the rest later."""
        self._late += data
        if self._late:
            with contextlib.suppress(BlockingIOError, OSError):
                self._late = self._late[os.write(self.master, self._late) :]

    def close(self) -> None:
        """Stop the program, if it still runs."""
        self.process.kill()
        self.process.wait()
        os.close(self.master)


class _Running:
    """One transfer under way."""

    def __init__(self, transfer: Transfer, folder: Path) -> None:
        (folder / "sent").mkdir(parents=True)
        (folder / "received").mkdir()
        (folder / "sent" / "file").write_bytes(transfer.data)
        self._transfer = transfer
        self._received = folder / "received" / "file"
        options = SETTINGS[transfer.setting]
        self._receiver = _Side(("rz", "-q", "-b", "-y"), folder / "received")
        self._sender = _Side(("sz", "-q", "-b", *options, "file"), folder / "sent")
        self._up = Wire(transfer.line, random.Random(transfer.seed + 1))
        self._down = Wire(transfer.line, random.Random(transfer.seed + 2))

    def move(self, now_ms: int) -> None:
        """Carry what is due."""
        _carry(self._sender, self._up, self._receiver, now_ms)
        _carry(self._receiver, self._down, self._sender, now_ms)

    def open_ends(self, now_ms: int) -> list[int]:
        """The PTYs from which the wires could take something now."""
        sides = ((self._sender, self._up), (self._receiver, self._down))
        return [side.master for side, wire in sides if _has_room(wire, now_ms)]

    @property
    def has_ended(self) -> bool:
        """Whether the sender has."""
        return self._sender.process.poll() is not None

    @property
    def is_whole(self) -> bool:
        """Whether the sender says so, and the file is there byte for byte."""
        return (
            self._sender.process.returncode == 0
            and self._received.is_file()
            and self._received.read_bytes() == self._transfer.data
        )

    def close(self) -> None:
        """Stop what still runs."""
        self._sender.close()
        self._receiver.close()


def run_all(
    transfers: Sequence[Transfer],
    *,
    limit_s: float,
    on_progress: Callable[[int, int, float], None],
) -> list[float | None]:
    """Carry every file.

    Args:
        transfers: what to carry; all at once.
        limit_s: a transfer that takes longer has failed.
        on_progress: told now and then how many have ended, of how many, and the
            seconds since the beginning.

    Returns:
        Seconds from the start of both programs to the sender's end, in the order of
        ``transfers``; None for one that failed.
    """
    seconds: list[float | None] = [None] * len(transfers)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running: dict[int, _Running] = {}
        for place, transfer in enumerate(transfers):
            running[place] = _Running(transfer, folder / str(place))
            stack.callback(running[place].close)
        started = told = time.monotonic()
        while running and (now_s := time.monotonic() - started) < limit_s:
            for place, one in list(running.items()):
                one.move(round(now_s * 1000))
                if one.has_ended:
                    seconds[place] = now_s if one.is_whole else None
                    del running[place]
            if now_s + started - told >= _PROGRESS_S:
                told = now_s + started
                on_progress(len(transfers) - len(running), len(transfers), now_s)
            _wait(running.values(), round(now_s * 1000))
    return seconds


def _wait(running: Iterable[_Running], now_ms: int) -> None:
    """Until a program sends, or for as long as something may arrive."""
    open_ends = [end for one in running for end in one.open_ends(now_ms)]
    select.select(open_ends, [], [], _TICK_S)


def _carry(source: _Side, wire: Wire, target: _Side, now_ms: int) -> None:
    if _has_room(wire, now_ms):
        wire.send(source.read(), now_ms)
    target.write(wire.receive(now_ms))


def _has_room(wire: Wire, now_ms: int) -> bool:
    return wire.backlog_bytes(now_ms) < _READ_AHEAD_BYTES
