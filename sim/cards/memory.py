"""A card's non-volatile memory: named values, changed by atomic commits.

A commit is applied whole or not at all, whenever the power goes. In a file that is a
new file beside the old one, synced and renamed over it; a checksum tells a file that
something else has written. Subclasses may tear commits: `commit` is the only way in.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from sim.cards.errors import (
    MemoryDamagedError,
    MemoryFailureError,
    MemoryInUseError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

__all__ = ["Changes", "FileMemory", "Memory", "Value"]

Value: TypeAlias = int | bytes
Changes: TypeAlias = dict[str, Value | None]
"""What one commit does: a new value for each key, None to forget the key."""

_MAGIC: Final = "RASEED-CARD-MEMORY-1"


class Memory:
    """The memory of one card in RAM: lost with the process, else like the real one."""

    def __init__(self) -> None:
        """Start blank."""
        self._values: dict[str, Value] = {}

    def __repr__(self) -> str:
        # Keys and PIN live here: only how much there is may be shown.
        return f"{type(self).__name__}({len(self._values)} values)"

    def __contains__(self, key: str) -> bool:
        return key in self._values

    @property
    def is_blank(self) -> bool:
        """Whether nothing was ever written."""
        return not self._values

    def value(self, key: str) -> Value:
        """Whatever is kept under ``key``; KeyError when there is nothing."""
        return self._values[key]

    def integer(self, key: str) -> int:
        """The number kept under ``key``; KeyError when there is none."""
        value = self._values[key]
        assert isinstance(value, int)
        return value

    def octets(self, key: str) -> bytes:
        """The bytes kept under ``key``; KeyError when there are none."""
        value = self._values[key]
        assert isinstance(value, bytes)
        return value

    def keys_from(self, prefix: str) -> list[str]:
        """The keys that begin with ``prefix``, in ascending order."""
        return sorted(key for key in self._values if key.startswith(prefix))

    def image(self) -> dict[str, Value]:
        """A copy of all that is kept, keys and PIN included: never show it."""
        return dict(self._values)

    def commit(self, changes: Mapping[str, Value | None]) -> None:
        """Apply all ``changes`` durably, or none of them.

        Raises:
            MemoryFailureError: the memory could not be written.
        """
        values = {**self._values, **changes}
        self._store({key: value for key, value in values.items() if value is not None})

    def _store(self, values: dict[str, Value]) -> None:
        self._values = values


class FileMemory(Memory):
    """The memory of one card in a file that only one process may have at a time."""

    def __init__(self, path: Path) -> None:
        """Open the memory kept at ``path``, blank when there is no such file.

        Raises:
            MemoryDamagedError: the file is not a card's memory, or was changed.
            MemoryInUseError: another process, or another object here, has it.
        """
        super().__init__()
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock: int | None = _lock(path)
        try:
            if path.exists():
                self._values = _parse(path)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let others have the file; may be called again."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _store(self, values: dict[str, Value]) -> None:
        if self._lock is None:
            raise MemoryFailureError("the card's memory is closed")
        beside = self._path.with_name(self._path.name + ".new")
        try:
            _write_synced(beside, _render(values))
            beside.replace(self._path)
            # From here on the new values are what a fresh start would read.
            super()._store(values)
            _sync_directory(self._path.parent)
        except OSError as error:
            raise MemoryFailureError(
                f"the card's memory was not written: {error.strerror}"
            ) from error


def _lock(path: Path) -> int:
    lock = os.open(
        path.with_name(path.name + ".lock"),
        os.O_RDWR | os.O_CREAT | os.O_CLOEXEC,
        0o600,
    )
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise MemoryInUseError(
            f"The simulated card in {path} is already in use. Nothing was changed; "
            "stop the other program that serves it first."
        ) from error
    return lock


def _render(values: Mapping[str, Value]) -> bytes:
    plain = {
        key: value if isinstance(value, int) else value.hex()
        for key, value in sorted(values.items())
    }
    body = json.dumps(plain, indent=0).encode()
    return f"{_MAGIC} {hashlib.sha256(body).hexdigest()}\n".encode() + body


def _parse(path: Path) -> dict[str, Value]:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        head, _, body = path.read_bytes().partition(b"\n")
        if head == f"{_MAGIC} {hashlib.sha256(body).hexdigest()}".encode():
            plain: dict[str, int | str] = json.loads(body)
            return {
                key: value if isinstance(value, int) else bytes.fromhex(value)
                for key, value in plain.items()
            }
    raise MemoryDamagedError(
        f"{path} is damaged or is not a simulated card. It was left as it is; move it "
        "away to start with a new card, or put back a good copy."
    )


def _write_synced(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
