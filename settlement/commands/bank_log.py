"""The host's log: one line for each thing that happens on a line, by structlog.

For people ``time line: what``; for machines one JSON object a line, with the keys
``at, level, port, event`` and what belongs to the event. Nothing of a payment but
counts and sums is in it: the books are where payments are looked up. Should a card
number or a key ever get into a line by mistake, `without_secrets` takes it out.

It goes to standard error or to a file. A file that was moved away, as logrotate does,
is opened anew by its name at the next line. A line that cannot be written, such as on a
full disk, is lost and counted; the host goes on.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from typing import TYPE_CHECKING, Any, Final, TextIO

import structlog

from card.records import mask_card_number
from settlement.commands.host_words import facts, is_bad, stamp, words
from settlement.host_events import GroupAnswered, GroupTaken

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, MutableMapping
    from pathlib import Path

    from modem.events import CallEvent
    from settlement.host_events import HostEvent
    from settlement.money import Currency

__all__ = ["HostLog", "LogFile", "without_secrets"]

_HOST: Final = "host"
"""Stands for the line where the host speaks of itself."""
_FILE_MODE: Final = 0o640
_CARD_DIGITS: Final = 16
_LONG_HEX: Final = re.compile(rf"[0-9A-Fa-f]{{{_CARD_DIGITS},}}")
_UNTOLD: Final = (GroupTaken, GroupAnswered)
"""Between a group's coming and its answers nothing happens that a person looks for."""


class LogFile:
    """A file that lines are added to, opened anew when it was moved away.

    Nothing is held back in memory: a line is with the system when `write` returns, or
    an `OSError` says that it is lost.
    """

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            OSError: it cannot be opened.
        """
        self._path = path
        self._descriptor = self._open()

    def write(self, text: str) -> None:
        """Add ``text``.

        Raises:
            OSError: the disk is full, or the file cannot be opened anew.
        """
        if self._was_moved():
            newer = self._open()
            os.close(self._descriptor)
            self._descriptor = newer
        os.write(self._descriptor, text.encode())

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        return os.open(self._path, flags, _FILE_MODE)

    def _was_moved(self) -> bool:
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return True
        return not os.path.samestat(there, os.fstat(self._descriptor))


class HostLog:
    """Writes the log. Threads share it."""

    def __init__(
        self,
        file: TextIO | LogFile,
        *,
        as_json: bool,
        clock: Callable[[], dt.datetime],
        currency: Currency,
    ) -> None:
        """Write to ``file``.

        Args:
            file: open.
            as_json: for machines.
            clock: the bank's time.
            currency: of the bank.
        """
        self.lost = 0
        self._lock = threading.Lock()
        self._as_json = as_json
        self._clock = clock
        self._currency = currency
        render = structlog.processors.JSONRenderer(ensure_ascii=False)
        self._logger = structlog.wrap_logger(
            structlog.WriteLogger(file),  # type: ignore[arg-type]  # write and flush do
            processors=[without_secrets, render if as_json else _as_text],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            context_class=dict,
        )

    def write(self, port: str, event: HostEvent | CallEvent) -> None:
        """Tell what happened on a line."""
        if isinstance(event, _UNTOLD):
            return
        at = self._clock()
        level = "warning" if is_bad(event) else "info"
        name = type(event).__name__
        if self._as_json:
            self._say(level, name, at, port, facts(event))
        else:
            told = words(event, self._currency, at)
            self._say(level, name, at, port, {"told": told})

    def tell(
        self, event: str, told: str, *, level: str = "info", **more: object
    ) -> None:
        """Tell of the host itself.

        Args:
            event: its name, for machines.
            told: the same for people, a sentence.
            level: ``info``, ``warning`` or ``error``.
            more: what belongs to it, for machines.
        """
        at = self._clock()
        said = {"text": told, **more} if self._as_json else {"told": told}
        self._say(level, event, at, _HOST, said)

    def _say(
        self, level: str, event: str, at: dt.datetime, port: str, said: dict[str, Any]
    ) -> None:
        head = {"at": stamp(at), "level": level, "port": port}
        try:
            # One line at a time, also where the file is the one to be opened anew.
            with self._lock:
                getattr(self._logger, level)(event, **head, **said)
        except (OSError, ValueError):
            self.lost += 1


def without_secrets(
    _logger: object, _method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Take out of a line what looks like a card number, a key or a certificate.

    A processor of structlog.

    >>> without_secrets(None, "info", {"event": "card 6400000000000001 came"})
    {'event': 'card 640000******0001 came'}
    """
    return {name: _clean(value) for name, value in line.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _LONG_HEX.sub(_masked, value)
    if isinstance(value, bytes | bytearray):
        return f"[{len(value)} bytes]"
    if isinstance(value, dict):
        return {_clean(name): _clean(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return value


def _masked(found: re.Match[str]) -> str:
    digits = found[0]
    if len(digits) == _CARD_DIGITS and digits.isdecimal():
        return mask_card_number(bytes.fromhex(digits))
    return f"[{len(digits)} hex digits]"


def _as_text(_logger: object, _method: str, line: MutableMapping[str, Any]) -> str:
    """The line for people."""
    return f"{line['at']} {line['port']}: {line['told']}"
