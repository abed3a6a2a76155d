"""A pcscd of one's own: real PC/SC, simulated readers, nothing real in reach.

The system's pcscd, its readers and its cards are left alone. A second daemon runs in
a mount namespace of its own, where it sees only the virtual reader driver `vpcd` (so
it can never open a real reader), and talks to its clients over a socket in a folder of
its own. The clients find it by the environment variable ``PCSCLITE_CSOCK_NAME``. Where
an ordinary user may have no namespace, the daemon runs without one.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from sim.owned_folder import OwnedFolder, remove_abandoned

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["PrivatePCSCD", "PrivatePCSCDError", "free_port_pair"]

SOCKET_VARIABLE: Final = "PCSCLITE_CSOCK_NAME"
_FOLDER_PREFIX: Final = "raseed-pcscd-"
_DRIVER: Final = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
_START_TIMEOUT_S: Final = 15.0
_STOP_TIMEOUT_S: Final = 5.0
_LOOK_AGAIN_S: Final = 0.02
_PORTS_TAKEN: Final = "Could not initialize connection to virtual ICC"
"""What the driver says when another program listens on one of its ports."""
_PORT_FIRST: Final = 36000
_PORT_LAST: Final = 60000

# setpriv ends the daemon with us even when we are killed. Newer daemons ask polkit who
# may use a reader; here are simulated ones only, and no polkit where nobody logged in.
_RUN: Final = """
if "$2" --help 2>&1 | grep -q -e --disable-polkit; then polkit=--disable-polkit; fi &&
exec setpriv --pdeathsig TERM "$2" --foreground --config "$1/conf" $polkit
"""
# pcscd's socket path is fixed when it is built, hence the bind mount; an empty folder
# over the hotplug drivers keeps it away from USB readers.
_ISOLATED: Final = f"""
mkdir -p /run/pcscd 2>/dev/null || {{ mount -t tmpfs tmpfs /run && mkdir /run/pcscd; }}
mount --bind "$1/run" /run/pcscd &&
mount --bind "$1/drivers" /usr/lib/pcsc/drivers &&
{_RUN}"""
# Where a user may make no namespace of his own (Ubuntu since 23.10), the daemon is
# handed a socket that listens already, as systemd does. It runs as that user, who may
# not open USB readers. (dash knows no descriptor above 9, bash does.)
_ACTIVATED: Final = f"""
exec 3<&"$3" && export LISTEN_FDS=1 LISTEN_PID=$$ &&
{_RUN}"""
_UNSHARE: Final = "/usr/bin/unshare"


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
        self._folder: OwnedFolder | None = None
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
        remove_abandoned(_FOLDER_PREFIX)
        self._folder = OwnedFolder(_FOLDER_PREFIX)
        try:
            if any(_is_taken(port) for port in (self.port, self.port + 1)):
                raise self._ports_in_use()
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
        if self._folder is not None:
            self._folder.remove()
            self._folder = None

    def _root(self) -> Path:
        if self._folder is None:
            raise PrivatePCSCDError("the private pcscd is not running")
        return self._folder.path

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
        isolation = _isolation()
        with ExitStack() as stack:
            log = stack.enter_context((root / "log").open("wb"))
            if isolation is not None:
                handed: tuple[int, ...] = ()
                words = [*isolation, "sh", "-c", _ISOLATED, "sh", str(root), daemon]
            else:
                listener = stack.enter_context(_listen(root / "run" / "pcscd.comm"))
                handed = (listener.fileno(),)
                (root / "run" / "pcscd.pid").touch()
                words = ["bash", "-c", _ACTIVATED, "bash", str(root), daemon]
                words.append(str(handed[0]))
            self._process = subprocess.Popen(  # noqa: S603  our own fixed words
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=handed,
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
            raise self._ports_in_use(f" pcscd said: {self._words()}")

    def _ports_in_use(self, evidence: str = "") -> PrivatePCSCDError:
        return PrivatePCSCDError(
            f"The virtual readers cannot use TCP ports {self.port} and "
            f"{self.port + 1}, probably because another program does.{evidence}"
        )

    def _slots_listen(self) -> bool:
        # The daemon writes its pid file last, after the driver has opened its ports;
        # where it cannot, the ports alone must do.
        return (self._root() / "run" / "pcscd.pid").exists() and all(
            _is_taken(port) for port in (self.port, self.port + 1)
        )

    def _words(self) -> str:
        log = self._root() / "log"
        return log.read_text(errors="replace").strip()[-500:] or "it said nothing"


def _isolation() -> list[str] | None:
    """How to get a mount namespace of one's own; None where that is not allowed."""
    if os.geteuid() == 0:
        return [_UNSHARE, "--mount"]
    words = [_UNSHARE, "--mount", "--map-root-user"]
    trial = subprocess.run(  # noqa: S603  our own fixed words
        [*words, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return words if trial.returncode == 0 else None


def _listen(path: Path) -> socket.socket:
    """A socket that listens at ``path``, for the daemon to accept from."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


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
