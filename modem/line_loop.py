"""One thread that runs the calls on any number of serial ports.

It waits in one place for bytes of all ports, for the nearest deadline of all machines
and for requests of other threads. A line on which nothing happens costs nothing. While
many lines are busy the thread rests a little between two rounds: bytes come in small
pieces from a serial port, and one step for several pieces costs as much as for one.

Ports without a descriptor (RFC 2217) wait when they write: each needs a loop of its
own, or one server that hangs would hold up all lines. `modem.call` sees to that.
"""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections import deque
from contextlib import suppress
from enum import Enum, auto, unique
from functools import partial
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from modem.driver import Driver

__all__ = ["LineLoop", "now_ms"]

_LOOK_MS: Final = 200
"""How often stop flags and DCD are looked at: neither can wake us."""
_FEW_LINES_MAX: Final = 4
"""With more lines than these the thread rests between two rounds."""
_REST_MS: Final = 10
"""The rest: 34 bytes of a 33,600 bit/s line, and far below any round trip."""
_DRAIN_BYTES: Final = 16


@unique
class _Request(Enum):
    ADD = auto()
    STEP = auto()
    REMOVE = auto()


class LineLoop:
    """Runs drivers until each of them is done; use it in a ``with``, or `close` it."""

    def __init__(self) -> None:
        """Start the thread."""
        self._requests: deque[tuple[_Request, Driver]] = deque()
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        for descriptor in (self._wake_read, self._wake_write):
            os.set_blocking(descriptor, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._signalled = False
        self._over = False
        self._stopping = threading.Event()
        # Only the thread itself touches what follows.
        self._drivers: set[Driver] = set()
        self._look_ms: int | None = None
        self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
        self._thread.start()

    def add(self, driver: Driver) -> None:
        """Run ``driver`` from now on, until it is done or removed."""
        self._ask(_Request.ADD, driver)

    def remove(self, driver: Driver) -> None:
        """Let go of ``driver`` as it stands, and wait until that is so."""
        self.let_go(driver)
        with driver.changed:
            driver.changed.wait_for(lambda: driver.finished)

    def let_go(self, driver: Driver) -> None:
        """Let go of ``driver`` as it stands, soon; waits for nothing."""
        self._ask(_Request.REMOVE, driver)

    def close(self) -> None:
        """Let go of all drivers as they stand and end the thread; twice is once."""
        self._stopping.set()
        self._signal()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Other threads.

    def _ask(self, request: _Request, driver: Driver) -> None:
        self._requests.append((request, driver))
        if not self._signal():
            driver.finish()

    def _wake(self, driver: Driver) -> None:
        self._ask(_Request.STEP, driver)

    def _signal(self) -> bool:
        """Wake the thread, or say that there is none any more.

        Once is enough for all that is asked until the thread looks.
        """
        with self._lock:
            if not self._signalled and not self._over:
                self._signalled = True
                os.write(self._wake_write, b".")
            return not self._over

    # The thread.

    def _run(self) -> None:
        failure: Exception | None = None
        try:
            while not self._stopping.is_set():
                self._round()
        except Exception as error:
            failure = error
            raise
        finally:
            self._let_all_go(failure)

    def _round(self) -> None:
        found = self._selector.select(self._patience_s())
        began_ms = now_ms()
        due = self._take_requests()
        for key, events in found:
            driver: Driver | None = key.data
            if driver in self._drivers:
                if events & selectors.EVENT_READ:
                    self._guard(driver, driver.read)
                due.add(driver)
        due |= self._look_around(began_ms)
        for driver in self._drivers:
            if driver.due_ms is not None and driver.due_ms <= began_ms:
                due.add(driver)
        for driver in due & self._drivers:
            self._step(driver)
        if len(self._drivers) > _FEW_LINES_MAX:
            self._rest(began_ms)

    def _patience_s(self) -> float | None:
        times = [driver.due_ms for driver in self._drivers if driver.due_ms is not None]
        if self._look_ms is not None:
            times.append(self._look_ms)
        if self._requests:
            return 0
        return max(0, min(times) - now_ms()) / 1000 if times else None

    def _take_requests(self) -> set[Driver]:
        """Do what was asked; the drivers that are to be stepped."""
        # First the flag, then the requests: one that comes between wakes the next
        # round in vain, and none is missed.
        with self._lock:
            if self._signalled:
                os.read(self._wake_read, _DRAIN_BYTES)
                self._signalled = False
        due: set[Driver] = set()
        while self._requests:
            request, driver = self._requests.popleft()
            if request is _Request.REMOVE:
                self._let_go(driver)
            elif request is _Request.ADD:
                self._drivers.add(driver)
                self._guard(driver, partial(driver.start, self._wake))
                self._watch(driver)
                due.add(driver)
            else:
                due.add(driver)
        return due

    def _look_around(self, at_ms: int) -> set[Driver]:
        """Look at what wakes nobody, on the lines that have any of it."""
        if self._look_ms is not None and at_ms < self._look_ms:
            return set()
        looked = [d for d in self._drivers if d.may_be_stopped or d.watches_carrier]
        self._look_ms = at_ms + _LOOK_MS if looked else None
        return {driver for driver in looked if driver.look_around(at_ms)}

    def _step(self, driver: Driver) -> None:
        self._guard(driver, lambda: driver.step(now_ms()))
        if driver not in self._drivers:
            return
        if driver.is_ready:
            self._let_go(driver)
        else:
            self._watch(driver)

    def _rest(self, began_ms: int) -> None:
        left_ms = began_ms + _REST_MS - now_ms()
        if left_ms > 0:
            self._stopping.wait(left_ms / 1000)

    def _guard(self, driver: Driver, action: Callable[[], None]) -> None:
        """A mistake on one line ends that line; whoever holds its call is told."""
        try:
            action()
        except Exception as error:
            self._let_go(driver, error)

    def _watch(self, driver: Driver) -> None:
        descriptor = driver.port.descriptor
        if descriptor is None or driver not in self._drivers:
            return
        events = selectors.EVENT_READ
        if driver.has_unsent:
            events |= selectors.EVENT_WRITE
        known = self._selector.get_map().get(descriptor)
        if known is None:
            self._selector.register(descriptor, events, driver)
        elif known.events != events:
            self._selector.modify(descriptor, events, driver)

    def _let_go(self, driver: Driver, failure: Exception | None = None) -> None:
        self._drivers.discard(driver)
        if driver.port.descriptor is not None:
            with suppress(KeyError):
                self._selector.unregister(driver.port.descriptor)
        driver.finish(failure)

    def _let_all_go(self, failure: Exception | None) -> None:
        with self._lock:
            self._over = True
            for descriptor in (self._wake_read, self._wake_write):
                os.close(descriptor)
        asked = {driver for _, driver in self._requests}
        for driver in self._drivers | asked:
            self._let_go(driver, failure)
        self._selector.close()


def now_ms() -> int:
    """The time of all machines that a loop runs, in ms from some moment on."""
    return time.monotonic_ns() // 1_000_000
