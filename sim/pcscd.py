"""A pcscd of one's own: real PC/SC, simulated readers, nothing real in reach.

The system's pcscd, its readers and its cards are left alone. A second daemon runs in
a mount namespace of its own, where it sees only the virtual reader driver `vpcd` (so
it can never open a real reader), and talks to its clients over a socket in a folder of
its own. The clients find it by the environment variable ``PCSCLITE_CSOCK_NAME``.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["PrivatePCSCD", "PrivatePCSCDError", "free_port_pair"]

SOCKET_VARIABLE: Final = "PCSCLITE_CSOCK_NAME"
_DRIVER: Final = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
_START_TIMEOUT_S: Final = 15.0
_STOP_TIMEOUT_S: Final = 5.0
_LOOK_AGAIN_S: Final = 0.02
_PORTS_TAKEN: Final = "Could not initialize connection to virtual ICC"
"""What the driver says when another program listens on one of its ports."""
_PORT_FIRST: Final = 36000
_PORT_LAST: Final = 60000

# pcscd's socket path is fixed when it is built, hence the bind mount; an empty folder
# over the hotplug drivers keeps it away from USB readers. setpriv ends the daemon
# with us even when we are killed. Newer daemons ask polkit who may use a reader; here
# are only simulated ones, and no polkit where nobody is logged in.
_SCRIPT: Final = """
mkdir -p /run/pcscd 2>/dev/null || { mount -t tmpfs tmpfs /run && mkdir /run/pcscd; }
mount --bind "$1/run" /run/pcscd &&
mount --bind "$1/drivers" /usr/lib/pcsc/drivers &&
if "$2" --help 2>&1 | grep -q -e --disable-polkit; then polkit=--disable-polkit; fi &&
exec setpriv --pdeathsig TERM "$2" --foreground --config "$1/conf" $polkit
"""


class PrivatePCSCDError(Exception):
    """The private daemon could not be started; its own words are in the message."""


class PrivatePCSCD:
    """One daemon with one virtual reader of two slots, for as long as ``with`` lasts.

    Attributes:
        name: reader name; the slots are ``"NAME 00 00"`` and ``"NAME 00 01"``.
        port: TCP port of slot 0; slot 1 is the next one.
    """

    def __init__(self, *, port: int | None = None, name: str = "Raseed") -> None:
        """Choose the port (a free pair when none is given); nothing runs yet."""
        self.name: Final = name
        self.port: Final = free_port_pair() if port is None else port
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def readers(self) -> tuple[str, str]:
        """Names of the two slots, purse first."""
        return f"{self.name} 00 00", f"{self.name} 00 01"

    @property
    def environment(self) -> dict[str, str]:
        """What a client process needs in its environment to find this daemon."""
        return {SOCKET_VARIABLE: str(self._root() / "run" / "pcscd.comm")}

    def __enter__(self) -> Self:
        self._directory = Path(tempfile.mkdtemp(prefix="raseed-pcscd-"))
        try:
            self._lay_out()
            self._start()
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise
        # The client library reads the variable once, at its first call.
        os.environ.update(self.environment)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the daemon and remove its folder; may be called again."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                # It waits for ever for a card that does not answer.
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def _root(self) -> Path:
        if self._directory is None:
            raise PrivatePCSCDError("the private pcscd is not running")
        return self._directory

    def _lay_out(self) -> None:
        root = self._root()
        for folder in ("run", "conf", "drivers"):
            (root / folder).mkdir()
        if not _DRIVER.exists():
            raise PrivatePCSCDError(
                "The virtual reader driver is missing: install the Debian package "
                "vsmartcard-vpcd (make does)."
            )
        driver = root / "libifdvpcd.so"
        shutil.copy(_DRIVER, driver)
        (root / "conf" / "vpcd").write_text(
            f'FRIENDLYNAME "{self.name}"\n'
            f"DEVICENAME /dev/null:{self.port:#x}\n"
            f"LIBPATH {driver}\n"
            f"CHANNELID {self.port:#x}\n"
        )

    def _start(self) -> None:
        root = self._root()
        daemon = shutil.which("pcscd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if daemon is None:
            raise PrivatePCSCDError("pcscd is missing: install the Debian package.")
        isolate = ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]
        with (root / "log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  our own fixed words
                ["/usr/bin/unshare", *isolate, "sh", "-c", _SCRIPT, "sh", root, daemon],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        pause = threading.Event()
        while not self._slots_listen():
            process = self._process
            if process is None or process.poll() is not None:
                raise PrivatePCSCDError(f"pcscd did not start: {self._words()}")
            self._require_own_ports()
            if time.monotonic() > deadline:
                raise PrivatePCSCDError(f"pcscd does not answer: {self._words()}")
            pause.wait(_LOOK_AGAIN_S)
        # Ports that listen may be another daemon's, and its readers with them.
        self._require_own_ports()

    def _require_own_ports(self) -> None:
        if _PORTS_TAKEN in self._words():
            raise PrivatePCSCDError(
                f"The virtual readers cannot use TCP ports {self.port} and "
                f"{self.port + 1}, probably because another program does. "
                f"pcscd said: {self._words()}"
            )

    def _slots_listen(self) -> bool:
        # The daemon writes its pid file last, after the driver has opened its ports.
        return (self._root() / "run" / "pcscd.pid").exists() and all(
            _is_taken(port) for port in (self.port, self.port + 1)
        )

    def _words(self) -> str:
        log = self._root() / "log"
        return log.read_text(errors="replace").strip()[-500:] or "it said nothing"


def free_port_pair() -> int:
    """A port that is free together with the one after it."""
    start = _PORT_FIRST + os.getpid() * 2 % (_PORT_LAST - _PORT_FIRST)
    for step in range(0, _PORT_LAST - _PORT_FIRST, 2):
        port = _PORT_FIRST + (start - _PORT_FIRST + step) % (_PORT_LAST - _PORT_FIRST)
        if not _is_taken(port) and not _is_taken(port + 1):
            return port
    raise PrivatePCSCDError("no two neighbouring TCP ports are free")


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104  vpcd listens on all addresses
        except OSError:
            return True
    return False
