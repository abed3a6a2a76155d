"""SIGTERM and SIGHUP end a program of ours in order, as Ctrl-C does.

By default both end a process at once: what it started would be left behind, and so
would its files. Here they unwind the program instead, so that every ``with`` block
ends what it began.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["ended_by_signals"]

_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)
_STATUS_OF_SIGNALS: Final = 128


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP leave the ``with`` block by `SystemExit`.

    The first one counts; those that follow do not disturb the end that is under way.
    In `asyncio.run` it cancels the main task, as an interruption from the keyboard
    does, so that coroutines are unwound too.
    """
    came: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        if came:
            return
        came.append(number)
        interrupt = signal.getsignal(signal.SIGINT)
        if callable(interrupt) and interrupt is not signal.default_int_handler:
            interrupt(signal.SIGINT, frame)
        else:
            raise SystemExit(_STATUS_OF_SIGNALS + number)

    # Who ignores one (nohup, say) has chosen to outlive its cause.
    heard = [n for n in _SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, end) for number in heard}
    try:
        yield
    except KeyboardInterrupt:
        if not came:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise SystemExit(_STATUS_OF_SIGNALS + came[0])
