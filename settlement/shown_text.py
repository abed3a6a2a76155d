"""Which texts can be shown to people, and stored for them: one rule for all.

A text that holds a control character can paint over a screen or end a line early; one
with a direction mark can make a name read as another. Neither is ever needed: Arabic
is written right to left by its letters alone.
"""

from __future__ import annotations

from typing import Final

__all__ = ["REASON_MAX", "reason_fault", "text_fault"]

REASON_MAX: Final = 200
"""Characters in which a person says why something was done."""

_REPLACEMENT: Final = "\ufffd"
"""What decoders put where a character was lost."""


def text_fault(
    text: str, *, bytes_max: int | None = None, bytes_min: int = 0
) -> str | None:
    """What is wrong with a text, to follow its name; None when it can be used.

    Args:
        text: any, lone surrogates among them.
        bytes_max: of its UTF-8; None for no bound.
        bytes_min: likewise.

    >>> text_fault("شهادة", bytes_max=9)
    'has 10 bytes in UTF-8; the most is 9'
    >>> text_fault("100" + chr(0x202E))
    'has a character that cannot be shown (U+202E)'
    """
    for character in text:
        if not character.isprintable():
            return f"has a character that cannot be shown (U+{ord(character):04X})"
    if _REPLACEMENT in text:
        return "has U+FFFD, which stands where a character was lost"
    size = len(text.encode())
    if size < bytes_min:
        return "is empty" if not size else f"has {size} bytes; the least is {bytes_min}"
    if bytes_max is not None and size > bytes_max:
        return f"has {size} bytes in UTF-8; the most is {bytes_max}"
    return None


def reason_fault(reason: str) -> str | None:
    """What is wrong with a reason, to follow the word for it; None when it is good.

    >>> reason_fault("  ")
    'is empty; it is what an auditor will ask for'
    """
    told = reason.strip()
    if not told:
        return "is empty; it is what an auditor will ask for"
    if len(told) > REASON_MAX:
        return f"has {len(told)} characters; the most is {REASON_MAX}"
    return text_fault(told)
