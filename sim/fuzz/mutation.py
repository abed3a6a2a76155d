"""Where the bytes come from: sound strings, damaged in the ways that find mistakes.

Nothing here knows what the bytes mean. A string is random, or one of a corpus of sound
ones after a few mutations: bits turned over, pieces cut out, repeated, moved or put
in from another string, and numbers that lie at an edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

__all__ = ["LENGTH_MAX", "Mutator"]

LENGTH_MAX: Final = 4096
"""Longer than any message of ours; what is longer is cut off."""
_RANDOM_LENGTH_MAX: Final = 300
_MUTATIONS_MAX: Final = 6
_RANDOM_ONE_IN: Final = 8
_REPEATS_MAX: Final = 64
_PIECE_MAX: Final = 16
_EDGES: Final = (
    b"\x00", b"\xff", b"\x7f", b"\x80", b"\x7e", b"\x7d", b"\r", b"\n", b"0", b"9",
    b"\xff\xff", b"\x00\x00", b"999", b"000000", b"\xff\xff\xff\xff",
    b"\x80\x00\x00\x00",
)  # fmt: skip
"""Numbers at the ends of their ranges, and bytes that mean something on the line."""


class Mutator:
    """An endless source of strings, the same ones for the same random source."""

    def __init__(self, corpus: Sequence[bytes], draw: random.Random) -> None:
        """Damage strings of ``corpus``, which has one at least, as ``draw`` says."""
        assert corpus, "something sound must be there to be damaged"
        self._corpus = corpus
        self._draw = draw
        self._ways: Final[tuple[Callable[[bytes], bytes], ...]] = (
            self._turn_bit,
            self._replace,
            self._cut_out,
            self._repeat,
            self._cut_short,
            self._put_in,
            self._join,
            self._swap,
        )

    def next(self) -> bytes:
        """The next string, of 0 to `LENGTH_MAX` bytes."""
        draw = self._draw
        if draw.randrange(_RANDOM_ONE_IN) == 0:
            return draw.randbytes(draw.randrange(_RANDOM_LENGTH_MAX))
        data = draw.choice(self._corpus)
        for _ in range(draw.randint(1, _MUTATIONS_MAX)):
            data = draw.choice(self._ways)(data)
        return data[:LENGTH_MAX]

    def _place(self, data: bytes) -> int:
        return self._draw.randrange(len(data) + 1)

    def _turn_bit(self, data: bytes) -> bytes:
        if not data:
            return data
        at = self._draw.randrange(len(data))
        turned = data[at] ^ 1 << self._draw.randrange(8)
        return data[:at] + bytes((turned,)) + data[at + 1 :]

    def _replace(self, data: bytes) -> bytes:
        at, edge = self._place(data), self._draw.choice(_EDGES)
        return data[:at] + edge + data[at + len(edge) :]

    def _put_in(self, data: bytes) -> bytes:
        at = self._place(data)
        piece = self._draw.choice(_EDGES)
        if self._draw.randrange(2):
            piece = self._draw.randbytes(self._draw.randrange(1, _PIECE_MAX))
        return data[:at] + piece + data[at:]

    def _cut_out(self, data: bytes) -> bytes:
        at = self._place(data)
        return data[:at] + data[at + self._draw.randrange(1, _PIECE_MAX) :]

    def _repeat(self, data: bytes) -> bytes:
        at = self._place(data)
        piece = data[at : at + self._draw.randrange(1, _PIECE_MAX)]
        return data[:at] + piece * self._draw.randrange(2, _REPEATS_MAX) + data[at:]

    def _cut_short(self, data: bytes) -> bytes:
        return data[: self._place(data)]

    def _join(self, data: bytes) -> bytes:
        other = self._draw.choice(self._corpus)
        return data[: self._place(data)] + other[self._place(other) :]

    def _swap(self, data: bytes) -> bytes:
        first, second = sorted((self._place(data), self._place(data)))
        return data[second:] + data[first:second] + data[:first]
