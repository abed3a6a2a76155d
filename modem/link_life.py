"""Signs of life: PINGs, their answers, and what follows from silence.

Hearing the other side is not enough: a line can be cut in one direction. What counts
is proof that the other side hears this one, an ACK of something new. Without it for a
while the link asks with a PING; a PING that stays unanswered is repeated, sooner when
data waits. A slow line answers late, a half-open one never: where the other side is
heard, more patience is due, since its answer may stand in a long queue.

The answer to a PING also tells what was lost before it, since a serial line keeps the
order of its bytes. So the last frames of a burst, after which nothing follows that
could show their loss, cost one question and no long time-out.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from modem.link_frames import Ping

if TYPE_CHECKING:
    from modem.link_pace import HandedOut
    from modem.link_state import LinkSettings

__all__ = ["SignsOfLife"]

_NUMBERS: Final = 255
"""A PING has a number from 1 to this; 0 in an ACK stands for none."""
_ASKED_MAX: Final = 16
"""PINGs whose answers are waited for; an older answer says nothing new."""
_DOUBLINGS_MAX: Final = 6


class SignsOfLife:
    """Decides when to ask, and when the line counts as cut."""

    def __init__(self, settings: LinkSettings, *, now_ms: int) -> None:
        """Start as if the other side had just answered."""
        self._settings = settings
        self._proved_ms = self._heard_ms = now_ms
        self._asked: deque[tuple[int, HandedOut]] = deque(maxlen=_ASKED_MAX)
        self._last_number = 0
        self._asked_ms = now_ms
        self._doublings = 0

    def heard(self, now_ms: int) -> None:
        """A sound frame of this call has come."""
        self._heard_ms = now_ms

    def proved(self, now_ms: int) -> None:
        """The other side hears this one."""
        self._proved_ms = now_ms
        self._doublings = 0

    def next_ping(self) -> Ping:
        """The PING to send now."""
        self._last_number = self._last_number % _NUMBERS + 1
        return Ping(number=self._last_number)

    def handed_out(self, frame: HandedOut) -> None:
        """The PING of `next_ping` went to the line as ``frame``."""
        self._asked.append((self._last_number, frame))
        self._asked_ms = frame.free_ms
        self._doublings = min(self._doublings + 1, _DOUBLINGS_MAX)

    def answer(self, number: int) -> HandedOut | None:
        """The PING that an ACK answers; None when it was answered before."""
        numbers = [asked for asked, _ in self._asked]
        if number not in numbers:
            return None
        for _ in range(numbers.index(number)):
            self._asked.popleft()
        return self._asked.popleft()[1]

    def asked_after(self, frame: HandedOut) -> bool:
        """Whether a PING went out behind ``frame``."""
        return bool(self._asked) and self._asked[-1][1].position > frame.position

    def ask_ms(self, newest: HandedOut | None, timeout_ms: int) -> int:
        """When to ask next.

        Args:
            newest: the newest frame that waits to be acknowledged, if any does.
            timeout_ms: patience for an answer.
        """
        patience_ms = timeout_ms << self._doublings
        idle_ms = self._settings.keep_alive_ms
        if newest is not None:
            since_ms = max(newest.free_ms, self._proved_ms, self._asked_ms)
            return since_ms + min(patience_ms, idle_ms)
        if self._asked:
            return self._asked_ms + min(max(patience_ms, idle_ms // 2), idle_ms)
        return self._proved_ms + idle_ms

    @property
    def lost_ms(self) -> int:
        """When the line counts as cut, unless there is a sign before."""
        return min(
            self._heard_ms + self._settings.silent_ms,
            self._proved_ms + self._settings.unheard_ms,
        )

    def lost_reason(self, now_ms: int) -> str:
        """Why it does: nothing comes, or nothing of this side arrives."""
        if now_ms >= self._heard_ms + self._settings.silent_ms:
            return "the line has gone silent"
        return "the other side does not hear this one"
