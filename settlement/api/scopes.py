"""What a token can allow; apart from the rest, so that commands need no HTTP."""

from __future__ import annotations

from enum import StrEnum, unique

__all__ = ["Scope"]


@unique
class Scope(StrEnum):
    """What a token allows; the values are stored."""

    REQUESTS_READ = "requests:read"
    REQUESTS_WRITE = "requests:write"
    CATALOGUE_READ = "catalogue:read"
    CATALOGUE_WRITE = "catalogue:write"
