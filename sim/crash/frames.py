"""Frames between the harness and a child: a word for the kind, and bytes.

    length of what follows (4 bytes) || length of the word (1) || word || body

Either side blocks until the other has said something. Nothing is buffered in between,
so a frame that was received was wholly sent, and a process that is killed says nothing
more.
"""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from sim.crash.errors import BadFrameError, LineEndedError, LineSilentError

if TYPE_CHECKING:
    import socket

__all__ = ["FRAME_BYTES_MAX", "Frame", "FrameSocket"]

FRAME_BYTES_MAX: Final = 1 << 20
"""More than any command, message or report; a longer frame is a bug."""
_LENGTH: Final = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        kind: 1 to 255 ASCII characters; each pair of programs has its own words.
        body: whatever the kind calls for.
    """

    kind: str
    body: bytes = b""

    @classmethod
    def of(cls, kind: str, document: object) -> Self:
        """A frame whose body is ``document`` as JSON."""
        return cls(kind, json.dumps(document, sort_keys=True).encode())

    def document(self) -> Any:
        """The body of a frame that `of` made."""
        return json.loads(self.body)

    def to_bytes(self) -> bytes:
        """The frame as it is sent.

        >>> Frame("apdu", bytes.fromhex("00A4")).to_bytes().hex(" ")
        '00 00 00 07 04 61 70 64 75 00 a4'
        """
        word = self.kind.encode("ascii")
        assert 1 <= len(word) <= 255
        content = bytes((len(word),)) + word + self.body
        assert len(content) <= FRAME_BYTES_MAX
        return _LENGTH.pack(len(content)) + content


class FrameSocket:
    """One end of a stream socket, which it owns."""

    def __init__(self, end: socket.socket) -> None:
        """Speak on ``end``, a connected stream socket."""
        self._end = end

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; may be called again."""
        self._end.close()

    def fileno(self) -> int:
        """The descriptor, to wait for several lines at a time."""
        return self._end.fileno()

    def patience(self, seconds: float | None) -> None:
        """How long `receive` waits for a frame to begin and go on; None is for ever."""
        self._end.settimeout(seconds)

    def send(self, frame: Frame) -> None:
        """Send ``frame``.

        Raises:
            LineEndedError: the other process has gone; it may not have got it.
            LineSilentError: it takes nothing any more.
        """
        try:
            self._end.sendall(frame.to_bytes())
        except TimeoutError:
            raise LineSilentError("the other process takes no frame") from None
        except OSError as error:
            raise LineEndedError(str(error)) from None

    def receive(self) -> Frame:
        """The next frame.

        Raises:
            LineEndedError: the other process has gone, perhaps within a frame.
            LineSilentError: nothing came in time.
            BadFrameError: what came is no frame.
        """
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        if not 2 <= length <= FRAME_BYTES_MAX:
            raise BadFrameError(f"a frame of {length} bytes")
        content = self._exactly(length)
        end = 1 + content[0]
        with suppress(UnicodeDecodeError):
            if 1 < end <= length:
                return Frame(content[1:end].decode("ascii"), content[end:])
        raise BadFrameError("the frame has no kind")

    def _exactly(self, count: int) -> bytes:
        parts: list[bytes] = []
        while count:
            try:
                part = self._end.recv(count)
            except TimeoutError:
                raise LineSilentError("the other process says nothing") from None
            except OSError as error:
                raise LineEndedError(str(error)) from None
            if not part:
                raise LineEndedError("the other process has gone")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)
