"""Frames on the line: flags, byte stuffing and a CRC-32 (after RFC 1662).

A frame travels as ``7E stuffed(content || CRC-32) 7E``; 7E and 7D inside become
``7D 5E`` and ``7D 5D``. The CRC is the 32-bit one of RFC 1662, appendix C.3, four
bytes big-endian: an 8-bit or 16-bit sum lets damaged frames through too often.

Anything else on the line (modem chatter, a login banner, noise) lies between two
flags without a right CRC and is skipped. No bytes whatever make the decoder raise.
The escape sequence ``+++`` cannot be mistaken: no frame begins with it after a pause.
"""

from __future__ import annotations

import zlib
from typing import Final

__all__ = ["CONTENT_BYTES_MAX", "OVERHEAD_BYTES", "FrameDecoder", "encode_frame"]

CONTENT_BYTES_MAX: Final = 1024
"""Longest content accepted: at 1200 bit/s a longer frame would hold the line 9 s."""
OVERHEAD_BYTES: Final = 6
"""Two flags and the CRC; stuffing adds 1 byte in 128 to random content."""

_FLAG: Final = b"\x7e"
_ESCAPE: Final = b"\x7d"
_FLAG_STUFFED: Final = b"\x7d\x5e"
_ESCAPE_STUFFED: Final = b"\x7d\x5d"
_CRC_BYTES: Final = 4
_STUFFED_BYTES_MAX: Final = 2 * (CONTENT_BYTES_MAX + _CRC_BYTES)


def encode_frame(content: bytes) -> bytes:
    """One frame with both flags around ``content`` of 1 to 1024 bytes.

    >>> encode_frame(bytes.fromhex("04 7E")).hex(" ")
    '7e 04 7d 5e 92 08 8b c0 7e'
    """
    if not 1 <= len(content) <= CONTENT_BYTES_MAX:
        raise ValueError(f"frame content of {len(content)} bytes")
    body = content + zlib.crc32(content).to_bytes(_CRC_BYTES, "big")
    # The escape byte first, or it would be stuffed a second time.
    stuffed = body.replace(_ESCAPE, _ESCAPE_STUFFED).replace(_FLAG, _FLAG_STUFFED)
    return _FLAG + stuffed + _FLAG


class FrameDecoder:
    """Takes bytes in any slices and gives back the content of each sound frame.

    Attributes:
        frames_damaged: pieces between flags whose CRC is wrong, noise included.
    """

    def __init__(self) -> None:
        self.frames_damaged = 0
        self._piece = bytearray()
        self._too_long = False

    def receive_data(self, data: bytes) -> list[bytes]:
        """Content of every frame that ``data`` completes, in order."""
        contents: list[bytes] = []
        head, *rest = data.split(_FLAG)
        self._append(head)
        for piece in rest:
            content = self._finish()
            if content is not None:
                contents.append(content)
            self._append(piece)
        return contents

    def _append(self, data: bytes) -> None:
        if len(self._piece) + len(data) > _STUFFED_BYTES_MAX:
            self._too_long = True
            self._piece.clear()
        elif not self._too_long:
            self._piece += data

    def _finish(self) -> bytes | None:
        """End the piece at a flag: its content, or None when it is no frame."""
        piece = bytes(self._piece)
        too_long = self._too_long
        self._piece.clear()
        self._too_long = False
        if not piece and not too_long:
            return None
        content = None if too_long else _open(piece)
        if content is None:
            self.frames_damaged += 1
        return content


def _open(piece: bytes) -> bytes | None:
    body = piece.replace(_FLAG_STUFFED, _FLAG).replace(_ESCAPE_STUFFED, _ESCAPE)
    content, crc = body[:-_CRC_BYTES], body[-_CRC_BYTES:]
    if not 1 <= len(content) <= CONTENT_BYTES_MAX:
        return None
    if zlib.crc32(content) != int.from_bytes(crc, "big"):
        return None
    # One content has one encoding: an escape before any other byte is damage.
    return content if encode_frame(content)[1:-1] == piece else None
