"""What was done and said in a world, in words, and what of it must not have been."""

from __future__ import annotations

__all__ = ["Chronicle"]


class Chronicle:
    """One story as it happens.

    Attributes:
        lines: what was done and said, in order.
        violations: what must never be, and was.
    """

    def __init__(self) -> None:
        """Begin with an empty page."""
        self.lines: list[str] = []
        self.violations: list[str] = []

    def say(self, words: str) -> None:
        """Something was done or said."""
        self.lines.append(words)

    def violated(self, words: str) -> None:
        """Something was found that must never be; told once, however often found."""
        if words not in self.violations:
            self.violations.append(words)
            self.lines.append(f"VIOLATION: {words}")
