"""Messages on their way into TLS, for both kinds of session."""

from __future__ import annotations

from collections import deque

__all__ = ["MessageQueue"]


class MessageQueue:
    """Framed messages that are not encrypted yet, in their order."""

    def __init__(self, *, record_bytes: int) -> None:
        """Begin empty; pieces of about ``record_bytes`` are taken from it."""
        self._record_bytes = record_bytes
        self._waiting: deque[bytes] = deque()
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait, each message with its length before it."""
        return self._bytes

    def add(self, framed: bytes) -> None:
        """Queue one message, as `modem.tls.frame_message` makes it."""
        self._waiting.append(framed)
        self._bytes += len(framed)

    def take(self) -> bytes:
        """The next messages, joined for one TLS record."""
        piece = bytearray()
        while self._waiting and len(piece) < self._record_bytes:
            piece += self._waiting.popleft()
        self._bytes -= len(piece)
        return bytes(piece)

    def clear(self) -> None:
        """They will never be sent."""
        self._waiting.clear()
        self._bytes = 0
