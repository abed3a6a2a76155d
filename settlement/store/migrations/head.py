"""The newest revision; a new bank has it from the start."""

from __future__ import annotations

from typing import Final

__all__ = ["HEAD"]

HEAD: Final = "0006"
