"""A PostgreSQL of one's own, for tests, measurements and demonstrations.

Debian's package starts a server for the whole machine; that one is left alone. This one
has its data in a temporary folder and listens on a socket there, on no network, and
ends with the program that started it, however that ends. PostgreSQL refuses to run as
root, so that root's server runs as the user that the package made for it.

With ``durable=False`` the server does not wait for the disk, and has its data in
memory where the system has a folder for that: right for tests, which throw everything
away, and wrong for measurements.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from sim.owned_folder import OwnedFolder, remove_abandoned

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import IO

__all__ = ["PrivatePostgres", "PrivatePostgresError"]

_FOLDER_PREFIX: Final = "raseed-postgres-"
_PROGRAMS: Final = Path("/usr/lib/postgresql")
_USERS: Final = ("postgres", "nobody")
"""Who runs root's server: the first one that there is."""
_READY: Final = "database system is ready to accept connections"
_STOP_TIMEOUT_S: Final = 20.0
_KEPT_LINES: Final = 30
_OWNER: Final = "raseed"
_SETTINGS: Final = {
    "listen_addresses": "",
    "max_connections": "60",
    "max_wal_senders": "0",
    "shared_buffers": "128MB",
    "wal_level": "minimal",
}
_NOT_DURABLE: Final = {"fsync": "off", "full_page_writes": "off"}
_MEMORY: Final = Path("/dev/shm")  # noqa: S108  its folders there are its own
_MEMORY_BYTES_MIN: Final = 2 << 30
"""Free room without which data stay on the disk: a test's database takes 10 MB."""


class PrivatePostgresError(Exception):
    """The private server could not be started; its own words are in the message."""


class PrivatePostgres:
    """One server, for as long as ``with`` lasts."""

    def __init__(
        self, *, durable: bool = True, settings: Mapping[str, str] | None = None
    ) -> None:
        """Nothing runs yet.

        Args:
            durable: whether a commit waits for the disk.
            settings: further settings of the server, by name.
        """
        self._settings = _SETTINGS | ({} if durable else _NOT_DURABLE)
        self._settings |= settings or {}
        self._where = None if durable else _memory()
        self._folder: OwnedFolder | None = None
        self._process: subprocess.Popen[str] | None = None
        self._said: deque[str] = deque(maxlen=_KEPT_LINES)

    def __enter__(self) -> Self:
        remove_abandoned(_FOLDER_PREFIX, self._where)
        self._folder = OwnedFolder(_FOLDER_PREFIX, self._where)
        try:
            self._lay_out()
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Number of the server's first process."""
        assert self._process is not None, "the server runs"
        return self._process.pid

    def url(self, database: str) -> str:
        """Where the bank finds a database of this server."""
        return f"postgresql+psycopg://{_OWNER}@/{database}?host={self._root() / 'run'}"

    def create_database(self, name: str, *, template: str = "template0") -> str:
        """Make a database that can hold a bank, empty or as a copy of another one.

        Returns:
            Its URL.
        """
        self.run_sql("postgres", f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database with all that is in it, also while it is in use."""
        self.run_sql("postgres", f'DROP DATABASE "{name}" WITH (FORCE)')

    def run_sql(self, database: str, statement: str) -> str:
        """Run one statement as the owner of everything; its rows, a line each.

        Raises:
            PrivatePostgresError: the statement failed, in the server's words.
        """
        done = subprocess.run(  # noqa: S603  our own fixed words
            [
                *(_program("psql"), "--no-psqlrc", "--quiet", "--tuples-only"),
                *("--no-align", "--set=ON_ERROR_STOP=1", "--host"),
                *(str(self._root() / "run"), "--username", _OWNER),
                *("--command", statement, database),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PrivatePostgresError(done.stderr.strip())
        return done.stdout

    def stop(self) -> None:
        """End the server and remove its folder; may be called again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait()
            self._process = None
        if self._folder is not None:
            self._folder.remove()
            self._folder = None

    def _root(self) -> Path:
        if self._folder is None:
            raise PrivatePostgresError("the private PostgreSQL is not running")
        return self._folder.path

    def _lay_out(self) -> None:
        root = self._root()
        user = _user()
        # Its user may pass through the folder, and see nothing but his own.
        root.chmod(0o711)
        for name in ("data", "run"):
            (root / name).mkdir(mode=0o700)
            if user is not None:
                os.chown(root / name, user.pw_uid, user.pw_gid)
        done = subprocess.run(  # noqa: S603  our own fixed words
            [
                *(*_as_user(), _program("initdb"), "--pgdata", str(root / "data")),
                *("--username", _OWNER, "--auth", "trust", "--encoding", "UTF8"),
                *("--locale", "C", "--no-sync", "--no-instructions"),
            ],
            cwd=root,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PrivatePostgresError(f"initdb failed: {done.stderr.strip()}")

    def _start(self) -> None:
        root = self._root()
        words = [*_as_user(), _program("postgres"), "-D", str(root / "data")]
        words += ["-k", str(root / "run")]
        for name, value in self._settings.items():
            words += ["-c", f"{name}={value}"]
        self._process = subprocess.Popen(  # noqa: S603  our own fixed words
            words,
            cwd=root,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        assert self._process.stderr is not None, "it was asked for"
        for line in self._process.stderr:
            self._said.append(line)
            if _READY in line:
                break
        else:
            self._process.stderr.close()
            words_of_it = "".join(self._said).strip() or "it said nothing"
            raise PrivatePostgresError(f"PostgreSQL did not start: {words_of_it}")
        listener = threading.Thread(
            target=self._listen, args=(self._process.stderr,), daemon=True
        )
        listener.start()

    def _listen(self, stderr: IO[str]) -> None:
        """Take what it says, so that it never waits for a reader."""
        with stderr:
            self._said.extend(stderr)


def _memory() -> Path | None:
    """A folder that is kept in memory, where there is one with room."""
    try:
        free = shutil.disk_usage(_MEMORY).free
    except OSError:
        return None
    has_room = free >= _MEMORY_BYTES_MIN and os.access(_MEMORY, os.W_OK)
    return _MEMORY if has_room else None


def _program(name: str) -> str:
    """Debian's newest one; its folder is on no search path."""
    found = sorted(
        _PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3])
    )
    if not found:
        raise PrivatePostgresError(
            "PostgreSQL is missing: install the Debian package postgresql (make does)."
        )
    return str(found[-1])


def _user() -> pwd.struct_passwd | None:
    """Who runs the server, or None for whoever runs this."""
    if os.geteuid() != 0:
        return None
    for name in _USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PrivatePostgresError(
        "PostgreSQL does not run as root, and nobody else is here"
    )


def _as_user() -> list[str]:
    """What goes before a program: it ends with us even when we are killed."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise PrivatePostgresError("setpriv is missing: it is in util-linux.")
    words = [setpriv, "--pdeathsig", "QUIT"]
    user = _user()
    if user is not None:
        words += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return words


def _environment() -> dict[str, str]:
    """English words whatever the user speaks, and no settings meant for others."""
    kept = {name: value for name, value in os.environ.items() if name[:2] != "PG"}
    return kept | {"LC_ALL": "C"}
