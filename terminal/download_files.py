"""What came down from the bank, in files beside the journal.

The bank owns these contents: they can be fetched again at any time, nothing of this
counter's own is in them, and they are no part of the journal or its chain. So they have
a folder of their own, one file for each kind:

    hotlist          content: version, digest, when it came, all entries, a checksum
    hotlist.partial  what has come of the next one, chunk by chunk
    hotlist.failed   what came whole and could not be used, and how often
    clock            by how much the bank's clock was ahead, and when that was told

A content is written beside the old one, synced, and renamed into its place: a power cut
leaves the old or the new one, never a mixture. A partial file is written chunk by
chunk, each with its own checksum; what a power cut left of the last one is not counted.
A file that is damaged counts as absent, and is fetched again.
"""

from __future__ import annotations

import json
import os
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from settlement.download import (
    CHUNK_BYTES,
    HEAD_BYTES,
    HELD_BYTES,
    PAYLOAD_BYTES_MAX,
    RAW_BYTES_MAX,
    DownloadKind,
    Held,
    OfferHead,
    chunk_count,
)
from settlement.download_codec import content_digest, encode_content, parse_content
from settlement.download_machine import Partial
from settlement.errors import DownloadError
from terminal.download_failures import FailureNote, parse_failure
from terminal.errors import DownloadStoreError
from terminal.journal_files import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

    from settlement.download import Entries

__all__ = ["ClockNote", "DownloadFiles", "Kept"]

FOLDER: Final = "downloads"
_CONTENT: Final = b"RSDL\x01"
_PARTIAL: Final = b"RSDP\x01"
_SUM_BYTES: Final = 4
_TIME_BYTES: Final = 8
_HEADER_BYTES: Final = len(_CONTENT) + 1 + HELD_BYTES + _TIME_BYTES
_PARTIAL_HEADER_BYTES: Final = len(_PARTIAL) + 1 + HELD_BYTES + HEAD_BYTES
_SIZE_BYTES: Final = 2
_CLOCK_BYTES_MAX: Final = 256
_FAILURE_BYTES_MAX: Final = 2048
_FILE_BYTES_MAX: Final = RAW_BYTES_MAX + _HEADER_BYTES + _SUM_BYTES
_PARTIAL_BYTES_MAX: Final = 2 * PAYLOAD_BYTES_MAX
_PRIVATE_MODE: Final = 0o600
_PRIVATE_FOLDER_MODE: Final = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A content as it came down.

    Attributes:
        at: when it came, aware UTC.
    """

    kind: DownloadKind
    held: Held
    at: datetime
    entries: Entries = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockNote:
    """How this machine's clock stood to the bank's at the last call.

    Attributes:
        ahead: by how much the bank's was ahead; less than nothing when behind.
        at: when, by this machine's clock, aware UTC.
    """

    ahead: timedelta
    at: datetime


class DownloadFiles:
    """The files of one counter. One thread writes; any may read."""

    def __init__(self, state: Path) -> None:
        """Keep them in a folder of ``state``, which is made when something comes."""
        self._folder = state / FOLDER

    def read(self, kind: DownloadKind) -> Kept | None:
        """The content of a kind; None when there is none, or none that is sound."""
        data = _read(self._path(kind), _FILE_BYTES_MAX)
        if data is None or not _is_summed(data):
            return None
        body = data[:-_SUM_BYTES]
        is_of_kind = body.startswith(_CONTENT + bytes([kind]))
        if len(body) < _HEADER_BYTES or not is_of_kind:
            return None
        header, content = body[len(_CONTENT) + 1 : _HEADER_BYTES], body[_HEADER_BYTES:]
        held = Held.parse(header[:HELD_BYTES])
        try:
            entries = parse_content(kind, content)
            at = datetime.fromtimestamp(int.from_bytes(header[HELD_BYTES:]), UTC)
        except (DownloadError, ValueError, OverflowError, OSError):
            return None
        if content_digest(kind, entries) != held.digest:
            return None
        return Kept(kind=kind, held=held, at=at, entries=entries)

    def is_damaged(self, kind: DownloadKind) -> bool:
        """Whether there is a file of this kind that cannot be used."""
        return self._path(kind).exists() and self.read(kind) is None

    def write(self, kept: Kept) -> None:
        """Put a content into the place of the one before, durably and at once.

        Raises:
            DownloadStoreError: it could not be written; the one before is in place.
        """
        body = (
            _CONTENT
            + bytes([kept.kind])
            + kept.held.to_bytes()
            + int(kept.at.timestamp()).to_bytes(_TIME_BYTES)
            + encode_content(kept.kind, kept.entries)
        )
        self._replace(self._path(kept.kind), body + _sum(body))
        self.forget_partial(kept.kind)
        # A note that stays is of another content, and is never looked at again.
        with suppress(OSError):
            self._failure(kept.kind).unlink(missing_ok=True)

    def read_partial(self, kind: DownloadKind) -> Partial | None:
        """What has come of an unfinished payload, whole chunks only."""
        data = _read(self._partial(kind), _PARTIAL_BYTES_MAX)
        end = _PARTIAL_HEADER_BYTES + _SUM_BYTES
        if data is None or len(data) < end or not _is_summed(data[:end]):
            return None
        if data[: len(_PARTIAL) + 1] != _PARTIAL + bytes([kind]):
            return None
        start = len(_PARTIAL) + 1
        base = Held.parse(data[start : start + HELD_BYTES])
        try:
            head = OfferHead.parse(data[start + HELD_BYTES : _PARTIAL_HEADER_BYTES])
        except ValueError:
            return None
        return Partial(base=base, head=head, data=_chunks(data[end:]))

    def resume_partial(self, kind: DownloadKind) -> Partial | None:
        """The same, and what a power cut left after it is cut off: more will follow."""
        partial = self.read_partial(kind)
        if partial is None:
            return None
        chunks = chunk_count(len(partial.data))
        whole = _PARTIAL_HEADER_BYTES + _SUM_BYTES + len(partial.data)
        with suppress(OSError):
            os.truncate(
                self._partial(kind), whole + chunks * (_SIZE_BYTES + _SUM_BYTES)
            )
        return partial

    def begin_partial(self, kind: DownloadKind, base: Held, head: OfferHead) -> None:
        """A payload begins; what was kept of another one is dropped.

        Raises:
            DownloadStoreError: it could not be written.
        """
        header = _PARTIAL + bytes([kind]) + base.to_bytes() + head.to_bytes()
        self._replace(self._partial(kind), header + _sum(header))

    def add_chunk(self, kind: DownloadKind, data: bytes) -> None:
        """Keep the next chunk of the payload that was begun.

        Raises:
            DownloadStoreError: it could not be written.
        """
        try:
            with self._partial(kind).open("ab") as file:
                file.write(len(data).to_bytes(_SIZE_BYTES) + data + _sum(data))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _store_error(error) from None

    def forget_partial(self, kind: DownloadKind) -> None:
        """The payload that was begun is of no use any more."""
        # What cannot be removed is told by the payload it names, and is not used.
        with suppress(OSError):
            self._partial(kind).unlink(missing_ok=True)

    def read_failure(self, kind: DownloadKind) -> FailureNote | None:
        """What could not be used when it came last, or None."""
        data = _read(self._failure(kind), _FAILURE_BYTES_MAX)
        return None if data is None else parse_failure(data)

    def write_failure(self, kind: DownloadKind, note: FailureNote) -> None:
        """Note what could not be used. Raises DownloadStoreError when it cannot."""
        self._replace(self._failure(kind), note.to_bytes())

    def read_clock(self) -> ClockNote | None:
        """What was noted of the clocks, or None."""
        data = _read(self._folder / "clock", _CLOCK_BYTES_MAX)
        try:
            found = json.loads(data or b"")
            return ClockNote(
                ahead=timedelta(seconds=int(found["ahead_s"])),
                at=datetime.fromisoformat(found["at"]).astimezone(UTC),
            )
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return None

    def write_clock(self, note: ClockNote) -> None:
        """Note how the clocks stood.

        Raises:
            DownloadStoreError: it could not be written.
        """
        noted = {
            "ahead_s": round(note.ahead.total_seconds()),
            "at": note.at.astimezone(UTC).isoformat(timespec="seconds"),
        }
        self._replace(self._folder / "clock", json.dumps(noted).encode())

    def _path(self, kind: DownloadKind) -> Path:
        return self._folder / kind.name.lower()

    def _partial(self, kind: DownloadKind) -> Path:
        return self._folder / f"{kind.name.lower()}.partial"

    def _failure(self, kind: DownloadKind) -> Path:
        return self._folder / f"{kind.name.lower()}.failed"

    def _replace(self, path: Path, data: bytes) -> None:
        new = path.with_name(f"{path.name}.new")
        try:
            self._folder.mkdir(mode=_PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            with os.fdopen(os.open(new, flags, _PRIVATE_MODE), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
            sync_folder(self._folder)
        except OSError as error:
            raise _store_error(error) from None


def _read(path: Path, bytes_max: int) -> bytes | None:
    """All of a file, or None when it is not there, not readable, or too long."""
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError:
        return None
    return data if len(data) <= bytes_max else None


def _sum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(_SUM_BYTES)


def _is_summed(data: bytes) -> bool:
    body, found = data[:-_SUM_BYTES], data[-_SUM_BYTES:]
    return len(data) > _SUM_BYTES and _sum(body) == found


def _chunks(data: bytes) -> bytes:
    """The payload of all whole chunks from the front."""
    whole = bytearray()
    offset = 0
    # Only the last chunk may be short: nothing can follow it.
    while offset + _SIZE_BYTES <= len(data) and len(whole) % CHUNK_BYTES == 0:
        start = offset + _SIZE_BYTES
        size = int.from_bytes(data[offset:start])
        end = start + size + _SUM_BYTES
        if not 0 < size <= CHUNK_BYTES or not _is_summed(data[start:end]):
            break
        whole += data[start : start + size]
        offset = end
    return bytes(whole)


def _store_error(error: OSError) -> DownloadStoreError:
    return DownloadStoreError(error.strerror or str(error))
