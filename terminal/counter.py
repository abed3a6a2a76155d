"""The counter's work behind `terminal.service.CounterService`."""

from __future__ import annotations

__all__: list[str] = []
