"""Sound strings to begin from: the worked examples of the documentation, and a modem's.

The pages are read, not the code: what they give byte by byte was written down for
whoever builds the other end, so each example that is added there is damaged here, too.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["MODEM_LINES", "documented"]

_DOCS: Final = Path(__file__).parents[2] / "docs"
_BLOCK: Final = re.compile(r"^```hex[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_HEX_LINE: Final = re.compile(r"^[A-Z]? ?((?:[0-9A-F]{2} *)+)(?:#.*)?$")

MODEM_LINES: Final = (
    b"OK\r\n", b"\r\nCONNECT 9600/ARQ/V42\r\n", b"CONNECT\r", b"12\r", b"0\r", b"1\r",
    b"\r\nBUSY\r\n", b"NO CARRIER\r\n", b"\r\nNO DIALTONE\r\n", b"NO ANSWER\r\n",
    b"RING\r\n\r\nRING\r\n", b"ERROR\r\n", b"+CME ERROR: 30\r\n",
    b"ATDT5551234\r\nOK\r\n",
    b"DATE=1125\r\nTIME=1200\r\nNMBR=5551234\r\n", b"+MCR: V34\r\n", b"DELAYED\r\n",
    b"BLACKLISTED\r\n", b"CARRIER 33600\r\nPROTOCOL: LAP-M\r\nCONNECT 115200\r\n",
)  # fmt: skip
"""What modems say, and what is left of what was said to them."""


@cache
def documented(page: str, *, by_line: bool) -> tuple[bytes, ...]:
    """The hexadecimal examples of a page.

    Args:
        page: its file's name in ``docs/``.
        by_line: whether each line is a string of its own, as in a dialogue, rather
            than each block.
    """
    found: list[bytes] = []
    for block in _BLOCK.findall((_DOCS / page).read_text()):
        matches = (_HEX_LINE.match(line.strip()) for line in block.splitlines())
        pieces = [bytes.fromhex(match[1]) for match in matches if match]
        found += pieces if by_line else [b"".join(pieces)]
    return tuple(found)
