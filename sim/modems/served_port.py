"""What a modem's serial port must be able to do to be served, and the PTY.

A PTY is what most programs can open: it has no control lines, so DTR counts as on and
nobody can read the carrier from it. `sim.modems.rfc2217_port` has them.
"""

from __future__ import annotations

import contextlib
import os
import pty
import selectors
import tty
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from sim.modems.modem import SimulatedModem

__all__ = ["PtyPort", "ServedPort"]

_READ_BYTES: Final = 256


class ServedPort(Protocol):
    """The serial port of one modem, towards the programs of this machine."""

    @property
    def modem(self) -> SimulatedModem:
        """Whose port it is."""

    @property
    def name(self) -> str:
        """Path or pyserial URL by which a program opens it."""

    def take(self, room_bytes: int, now_ms: int) -> None:
        """Give the modem what programs have sent, at most ``room_bytes``."""

    def give(self, now_ms: int) -> None:
        """Give programs what the modem has for them."""

    def wanted(self, room_bytes: int) -> dict[int, int]:
        """Descriptors to wait for, each with its selector events."""

    def close(self) -> None:
        """Take the port away."""


class PtyPort:
    """One PTY: the master is the modem's, the slave stands for the serial port."""

    def __init__(self, modem: SimulatedModem, link: Path) -> None:
        """Make the PTY and point ``link`` to it.

        Raises:
            OSError: ``link`` is taken by something that is not a symbolic link.
        """
        self.modem = modem
        self.link = link
        self._master, self._slave = pty.openpty()
        # Without this the kernel would echo what the modem says back to it. The
        # slave stays open here, or the master would fail while nobody uses it.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._device = Path(os.ttyname(self._slave))
        try:
            _point(link, self._device)
        except OSError:
            self._close_descriptors()
            raise

    @property
    def name(self) -> str:
        """See `ServedPort`."""
        return str(self.link)

    def take(self, room_bytes: int, now_ms: int) -> None:
        """See `ServedPort`."""
        if not room_bytes:
            return
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._master, min(room_bytes, _READ_BYTES))
            self.modem.from_terminal(data, now_ms)

    def give(self, now_ms: int) -> None:
        """See `ServedPort`; what nobody has room for is lost."""
        del now_ms
        data = self.modem.to_terminal()
        if data:
            with contextlib.suppress(BlockingIOError):
                os.write(self._master, data)

    def wanted(self, room_bytes: int) -> dict[int, int]:
        """See `ServedPort`; a PTY that is not read holds its program back."""
        return {self._master: selectors.EVENT_READ} if room_bytes else {}

    def close(self) -> None:
        """Take the port away, and the link unless it is another's by now."""
        with contextlib.suppress(OSError):
            if self.link.readlink() == self._device:
                self.link.unlink()
        self._close_descriptors()

    def _close_descriptors(self) -> None:
        os.close(self._master)
        os.close(self._slave)


def _point(link: Path, target: Path) -> None:
    """Make ``link`` point to ``target``, in place of an older link only."""
    if link.is_symlink():
        link.unlink()
    link.symlink_to(target)
