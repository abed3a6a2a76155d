"""Two simulated modems in real time, each behind a PTY that looks like its port.

One thread waits in a selector for bytes from the two PTYs and for the time that the
exchange asks for; it never polls. Where a computer does not read, bytes are lost, as
on a serial port without handshake; where the line is busy, the PTY is not read, as
with RTS/CTS.
"""

from __future__ import annotations

import contextlib
import os
import pty
import selectors
import tempfile
import threading
import time
import tty
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from sim.modems.exchange import ExchangeSettings, Outcome, TelephoneExchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from sim.modems.modem import SimulatedModem

__all__ = ["ModemPair"]

_READ_BYTES: Final = 256
_HELD_BACK_MS: Final = 20
"""How soon a port that was not read because the line is busy is looked at again."""


class _Port:
    """One PTY: the master is the modem's, the slave stands for the serial port."""

    def __init__(self, modem: SimulatedModem, link: Path) -> None:
        self.modem = modem
        self.link = link
        self.master, self._slave = pty.openpty()
        # Without this the kernel would echo what the modem says back to it. The
        # slave stays open here, or the master would fail while nobody uses it.
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        self._device = Path(os.ttyname(self._slave))
        try:
            _point(link, self._device)
        except OSError:
            self._close_descriptors()
            raise

    def read(self, room_bytes: int) -> bytes:
        """What the computer sent, at most ``room_bytes``."""
        try:
            return os.read(self.master, min(room_bytes, _READ_BYTES))
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> None:
        """Give the computer ``data``; what it has no room for is lost."""
        with contextlib.suppress(BlockingIOError):
            os.write(self.master, data)

    def close(self) -> None:
        """Take the port away, and the link unless it is another's by now."""
        with contextlib.suppress(OSError):
            if self.link.readlink() == self._device:
                self.link.unlink()
        self._close_descriptors()

    def _close_descriptors(self) -> None:
        os.close(self.master)
        os.close(self._slave)


class ModemPair:
    """Two modems joined by a line, behind two paths, for as long as it is open.

    >>> with ModemPair() as pair:
    ...     pair.near_path.exists()
    True
    """

    def __init__(
        self,
        settings: ExchangeSettings | None = None,
        *,
        near_path: Path | None = None,
        far_path: Path | None = None,
        script: Iterable[Outcome] = (),
        seed: int = 0,
    ) -> None:
        """Prepare; nothing is open before ``with`` or `open`.

        Args:
            settings: of the line and the network.
            near_path: where to put a symbolic link to the near port; by default in
                a temporary directory.
            far_path: the same for the far port.
            script: outcomes of the first calls.
            seed: of the line's noise.
        """
        self._exchange = TelephoneExchange(settings, script=script, seed=seed)
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._near_path = near_path
        self._far_path = far_path
        self._ports: list[_Port] = []
        self._lock = threading.Lock()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._wake_read = self._wake_write = -1

    @property
    def near_path(self) -> Path:
        """Port of the near modem."""
        return self._ports[0].link

    @property
    def far_path(self) -> Path:
        """Port of the far modem."""
        return self._ports[1].link

    @property
    def calls_connected(self) -> int:
        """Connections that have come about."""
        return self._exchange.calls_connected

    def open(self) -> None:
        """Make the ports and start the thread.

        Raises:
            OSError: a path is taken by something that is not a symbolic link.
        """
        self._directory = tempfile.TemporaryDirectory(prefix="raseed-line-")
        directory = Path(self._directory.name)
        near = self._near_path or directory / "near"
        far = self._far_path or directory / "far"
        try:
            self._ports.append(_Port(self._exchange.near, near))
            self._ports.append(_Port(self._exchange.far, far))
        except OSError:
            self._free()
            raise
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="modem-pair")
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and take the ports away."""
        if self._thread is None:
            return
        self._stopping = True
        self._wake()
        self._thread.join()
        self._thread = None
        os.close(self._wake_read)
        os.close(self._wake_write)
        self._free()

    def drop_call(self) -> None:
        """Cut the connection, as an excavator does; both modems tell NO CARRIER."""
        self._change(lambda: self._exchange.drop(_now_ms()))

    def silence(self, *, near: bool = False, far: bool = False) -> None:
        """Switch modems off (True) or on; a modem that is off says nothing."""
        self._exchange.near.silent = near
        self._exchange.far.silent = far

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # The thread.

    def _change(self, change: Callable[[], None]) -> None:
        with self._lock:
            change()
        self._wake()

    def _wake(self) -> None:
        os.write(self._wake_write, b".")

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_read, selectors.EVENT_READ)
            while not self._stopping:
                with self._lock:
                    timeout_s = self._step(selector)
                for key, _ in selector.select(timeout_s):
                    if key.fd == self._wake_read:
                        os.read(self._wake_read, _READ_BYTES)

    def _step(self, selector: selectors.BaseSelector) -> float | None:
        """Move all bytes that can move now; seconds until something is due."""
        now_ms = _now_ms()
        held_back = False
        for port in self._ports:
            room_bytes = self._exchange.room_bytes(port.modem, now_ms)
            if room_bytes:
                port.modem.from_terminal(port.read(room_bytes), now_ms)
            held_back |= not room_bytes
            _watch(selector, port.master, wanted=bool(room_bytes))
        self._exchange.on_timer(now_ms)
        for port in self._ports:
            data = port.modem.to_terminal()
            if data:
                port.write(data)
        deadline_ms = self._exchange.deadline_ms()
        if held_back:
            soon_ms = now_ms + _HELD_BACK_MS
            deadline_ms = min(soon_ms, deadline_ms or soon_ms)
        return None if deadline_ms is None else max(0, deadline_ms - _now_ms()) / 1000

    def _free(self) -> None:
        for port in self._ports:
            port.close()
        if self._directory is not None:
            self._directory.cleanup()


def _watch(selector: selectors.BaseSelector, fd: int, *, wanted: bool) -> None:
    watched = fd in selector.get_map()
    if wanted and not watched:
        selector.register(fd, selectors.EVENT_READ)
    elif watched and not wanted:
        selector.unregister(fd)


def _point(link: Path, target: Path) -> None:
    """Make ``link`` point to ``target``, in place of an older link only."""
    if link.is_symlink():
        link.unlink()
    link.symlink_to(target)


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
