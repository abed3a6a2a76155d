"""The fork server's children as the harness has them: made, killed, reaped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from sim.crash.errors import ForkServerError
from sim.crash.fork_server import ENDED, MADE, REQUEST
from sim.crash.frames import FrameSocket

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Child", "ForkServer"]

_SERVER_S: Final = 30
"""How long the server may take to import, or to make or reap one child."""
_STOP_S: Final = 10
_BEYOND_LIMIT_S: Final = 5
"""A child whose time is up has been killed this much later for sure."""


class Child:
    """One process, from its making until it was reaped.

    Attributes:
        pid: its process id; signals go through a pidfd and never reach another.
        line: frames to and from it.
    """

    def __init__(
        self, server: ForkServer, pid: int, pidfd: int, line: FrameSocket
    ) -> None:
        """Use `ForkServer.child`."""
        self._server = server
        self._pidfd: int | None = pidfd
        self.pid: Final = pid
        self.line: Final = line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pidfd is not None:
            self.kill()
            self.wait()

    def kill(self) -> None:
        """SIGKILL, now; nothing happens when it has ended already."""
        assert self._pidfd is not None, "it was reaped"
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def wait(self) -> int:
        """Wait until it has ended, and close the line.

        Returns:
            Its exit code, or the negative number of the signal that ended it.
        """
        assert self._pidfd is not None, "it was reaped"
        code = self._server.reaped(self.pid)
        os.close(self._pidfd)
        self._pidfd = None
        self.line.close()
        return code


class ForkServer:
    """The fork server's process; close it, or leave its block, to end all children."""

    def __init__(self, entry: str, *, preload: Path | None = None) -> None:
        """Start it; it warms up while the caller goes on.

        Args:
            entry: ``module:function``; the function takes a `FrameSocket`.
            preload: the shim for its children, or None.
        """
        self._limit_s = 0.0
        self._ended: dict[int, int] = {}
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = dict(os.environ)
        if preload is not None:
            environment["LD_PRELOAD"] = str(preload)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  our own program
                [sys.executable, "-m", "sim.crash.fork_server", entry],
                stdin=theirs.fileno(),
                env=environment,
            )
        self.pid: Final = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it and its children, and wait until that is so; may be called again."""
        self._control.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def child(self, *, limit_s: float) -> Child:
        """Make a child; its function runs at once, and is killed after ``limit_s``.

        Raises:
            ForkServerError: the server has ended.
        """
        ours, theirs = socket.socketpair()
        ours.settimeout(limit_s + _BEYOND_LIMIT_S)
        self._limit_s = max(self._limit_s, limit_s)
        with theirs:
            request = REQUEST.pack(round(limit_s * 1000))
            try:
                socket.send_fds(self._control, [request], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise ForkServerError(f"the fork server has ended: {error}") from None
        message, pidfd = self._message()
        while pidfd is None:
            message, pidfd = self._message()
        _, pid = MADE.unpack(message)
        return Child(self, pid, pidfd, FrameSocket(ours))

    def reaped(self, pid: int) -> int:
        """Wait until a child has ended; its exit code, or minus the signal."""
        while pid not in self._ended:
            self._message()
        return os.waitstatus_to_exitcode(self._ended.pop(pid))

    def _message(self) -> tuple[bytes, int | None]:
        """The server's next message; that a child has ended is noted as well."""
        self._control.settimeout(_SERVER_S + self._limit_s + _BEYOND_LIMIT_S)
        try:
            message, descriptors, _, _ = socket.recv_fds(self._control, ENDED.size, 1)
        except OSError as error:
            raise ForkServerError(f"the fork server is silent: {error}") from None
        if not message:
            raise ForkServerError("the fork server has ended; see what it printed")
        if message[:1] == b"E":
            _, pid, status = ENDED.unpack(message)
            self._ended[pid] = status
        return message, descriptors[0] if descriptors else None
