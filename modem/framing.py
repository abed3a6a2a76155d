"""Frames on the line: flags, byte stuffing and a CRC-32 (after RFC 1662).

A frame travels as ``7E stuffed(content || check) 7E``; 7E and 7D inside become
``7D 5E`` and ``7D 5D``. One flag may end a frame and begin the next. The check is the
CRC-32 of RFC 1662, appendix C.3, four bytes big-endian, with a mark of 32 bits XORed
in: an 8-bit or 16-bit sum lets damaged frames through too often, and the mark, which
belongs to one direction of one call, makes an echo or a frame of an earlier call look
damaged. A frame without a mark is called bare.

Anything else on the line (modem chatter, a login banner, noise) lies between two
flags without a right check and is skipped. No bytes whatever make the decoder raise.
The escape sequence ``+++`` cannot be mistaken: no frame begins with it after a pause.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container

__all__ = ["CONTENT_BYTES_MAX", "OVERHEAD_BYTES", "FrameDecoder", "encode_frame"]

CONTENT_BYTES_MAX: Final = 1024
"""Longest content accepted: at 1200 bit/s a longer frame would hold the line 9 s."""
OVERHEAD_BYTES: Final = 5
"""One flag and the check; stuffing adds 1 byte in 128 to random content."""

_FLAG: Final = b"\x7e"
_ESCAPE: Final = b"\x7d"
_FLAG_STUFFED: Final = b"\x7d\x5e"
_ESCAPE_STUFFED: Final = b"\x7d\x5d"
_CRC_BYTES: Final = 4
_STUFFED_BYTES_MAX: Final = 2 * (CONTENT_BYTES_MAX + _CRC_BYTES)
_ALL_BYTES: Final = range(256)


def encode_frame(content: bytes, *, mark: int = 0, opening_flag: bool = True) -> bytes:
    """One frame with ``content`` of 1 to 1024 bytes.

    Args:
        content: what the frame says.
        mark: 32 bits that both ends know, 0 for a bare frame.
        opening_flag: False when the frame follows the closing flag of another.

    >>> encode_frame(bytes.fromhex("04 7E")).hex(" ")
    '7e 04 7d 5e 92 08 8b c0 7e'
    """
    if not 1 <= len(content) <= CONTENT_BYTES_MAX:
        raise ValueError(f"frame content of {len(content)} bytes")
    body = content + (zlib.crc32(content) ^ mark).to_bytes(_CRC_BYTES, "big")
    # The escape byte first, or it would be stuffed a second time.
    stuffed = body.replace(_ESCAPE, _ESCAPE_STUFFED).replace(_FLAG, _FLAG_STUFFED)
    return (_FLAG if opening_flag else b"") + stuffed + _FLAG


class FrameDecoder:
    """Takes bytes in any slices and gives back the content of each sound frame.

    Attributes:
        mark: the mark of frames that are not bare; 0 while there is none.
        frames_damaged: pieces between flags whose check is wrong, noise included.
    """

    def __init__(self, *, bare: Container[int] = _ALL_BYTES) -> None:
        """Start empty; ``bare`` holds the first bytes that a bare frame may have."""
        self.mark = 0
        self.frames_damaged = 0
        self._bare = bare
        self._piece = bytearray()
        self._too_long = False

    def receive_data(self, data: bytes) -> list[bytes]:
        """Content of every frame that ``data`` completes, in order."""
        first, *rest = data.split(_FLAG)
        self._append(first)
        if not rest:
            return []
        last = rest.pop()
        whole = bytes(self._piece)
        too_long = self._too_long
        self._piece.clear()
        self._too_long = False
        contents = [] if too_long else self._open_all([whole])
        self.frames_damaged += too_long
        contents += self._open_all(rest)
        self._append(last)
        return contents

    def _append(self, data: bytes) -> None:
        if len(self._piece) + len(data) > _STUFFED_BYTES_MAX:
            self._too_long = True
            self._piece.clear()
        elif not self._too_long:
            self._piece += data

    def _open_all(self, pieces: list[bytes]) -> list[bytes]:
        contents: list[bytes] = []
        for piece in pieces:
            if not piece:
                continue
            content = self._open(piece)
            if content is None:
                self.frames_damaged += 1
            else:
                contents.append(content)
        return contents

    def _open(self, piece: bytes) -> bytes | None:
        """The content of what stood between two flags; None when it is no frame."""
        body = _unstuffed(piece)
        if body is None:
            return None
        content = body[:-_CRC_BYTES]
        if not 1 <= len(content) <= CONTENT_BYTES_MAX:
            return None
        check = int.from_bytes(body[-_CRC_BYTES:], "big")
        mark = zlib.crc32(content) ^ check
        if mark == 0:
            return content if content[0] in self._bare else None
        return content if mark == self.mark else None


def _unstuffed(piece: bytes) -> bytes | None:
    escapes = piece.count(_ESCAPE)
    if not escapes:
        return piece
    flags = piece.count(_FLAG_STUFFED)
    # One content has one encoding: an escape before any other byte is damage.
    if flags + piece.count(_ESCAPE_STUFFED) != escapes:
        return None
    return piece.replace(_FLAG_STUFFED, _FLAG).replace(_ESCAPE_STUFFED, _ESCAPE)
