"""How a host is told to stop: once in order, twice at once."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["end_at_last", "stopped_by_signals"]

_GRACE_S: Final = 15
"""For what a cut leaves to do: a group that is being posted, a port that is slow."""
_SIGNALLED: Final = 128
"""Exit code of a program that a signal has ended, by the shells' custom."""
_AT_ONCE: Final = (
    b"Stopped at once, by a second signal. Calls under way are cut. All that was "
    b"answered is booked; their terminals call again and go on.\n"
)
_AT_LAST: Final = (
    b"Stopped: a line or the database did not let go in time. All that was answered is "
    b"booked; terminals call again and go on. Look at the ports and at the disk.\n"
)


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; a second one ends the program at once.

    At once is safe: what was answered is durable, and a group that is being posted is
    posted whole or not at all.
    """
    stop = threading.Event()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            _exit(_AT_ONCE, _SIGNALLED + number)
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        # Only the main thread may take signals; whoever runs us elsewhere keeps them.
        yield stop
        return
    before = {
        number: signal.signal(number, on_signal)
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_at_last(stop_seconds: int) -> threading.Timer:
    """Have the program end when even a cut did not; to be cancelled once it has."""
    timer = threading.Timer(stop_seconds + _GRACE_S, _exit, (_AT_LAST, 1))
    timer.daemon = True
    timer.start()
    return timer


def _exit(words: bytes, code: int) -> None:
    # Not by the log: its lock may be held by what is interrupted here.
    os.write(2, words)
    os._exit(code)
