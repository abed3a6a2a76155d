"""Keys in the order they were typed, each with its whole effect before the next.

Theory of operation. Textual gives a key to the widget that has the focus when the key
arrives, while what the key before it does (move the focus, open a screen) may still
be on its way through the queues. A barcode scanner, or a clerk who types ahead, would
so write the amount into the declaration number. Here a key waits until the one before
it has had its effect: a marker is sent after it along its own way, from the widget in
focus through all that contain it up to the app, and again until neither screen nor
focus changes any more. A new screen lets a marker pass only when it is there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

from textual.events import Key, Paste
from textual.worker import WorkerError

from terminal.screens.background import HOLDS_KEYS, begin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.app import App
    from textual.message_pump import MessagePump

Keystroke: TypeAlias = Key | Paste

# A key posts a message, which is answered by another one at most; each needs its turn.
_ROUNDS: Final = 2
# More than any key here sets in motion; the keyboard must never stand still for good.
_ROUNDS_MAX: Final = 8
_PATIENCE_S: Final = 1.0


class Keystrokes:
    """What was typed and has not been given out yet.

    Args:
        app: whose keys these are.
        deliver: gives one key to the widget that has the focus now.
    """

    def __init__(
        self, app: App[None], deliver: Callable[[Keystroke], Awaitable[None]]
    ) -> None:
        self._app = app
        self._deliver = deliver
        self._waiting: deque[Keystroke] = deque()
        self._is_giving = False

    def take(self, keystroke: Keystroke) -> None:
        """Give this one out when its turn comes."""
        self._waiting.append(keystroke)
        if not self._is_giving:
            self._is_giving = True
            begin(self._app, self._give, group="keys")

    async def _give(self) -> None:
        try:
            while self._waiting:
                await self._deliver(self._waiting.popleft())
                await self._effect()
        finally:
            self._is_giving = False

    async def _effect(self) -> None:
        for _ in range(_ROUNDS_MAX):
            before = self._app.screen, self._app.focused
            for _ in range(_ROUNDS):
                await self._pass_through()
            await self._wait_for_work()
            if (self._app.screen, self._app.focused) == before:
                return

    async def _pass_through(self) -> None:
        for node in (self._app.focused or self._app.screen).ancestors_with_self:
            await _pass(node)

    async def _wait_for_work(self) -> None:
        for worker in tuple(self._app.workers):
            if worker.group == HOLDS_KEYS and not worker.is_finished:
                with suppress(WorkerError):
                    await worker.wait()


async def _pass(node: MessagePump) -> None:
    """Wait until everything in this queue has been dealt with."""
    passed = asyncio.Event()
    if node.call_later(passed.set):
        # A screen that is taken away drops its queue, and the marker with it.
        with suppress(TimeoutError):
            await asyncio.wait_for(passed.wait(), _PATIENCE_S)
