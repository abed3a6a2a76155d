"""Talking to a modem in command state: one command, its results, patience.

Commands end with a carriage return; results come as lines (verbose) or as digits
(numeric), between echoes of what was sent, banners and noise (V.250, clause 5).
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Final

from modem.events import ModemReported, ModemSpoke
from modem.result_codes import ModemResult, parse_report, parse_result

if TYPE_CHECKING:
    from modem.result_codes import ModemReport

__all__ = ["CommandPort"]

_LINE_END: Final = re.compile(rb"[\r\n]")
_LINE_BYTES_MAX: Final = 512
"""No result line is longer; more without a line end is noise."""
_KEPT_MAX: Final = 64
"""Reports and lines kept for whoever asks; a modem that chatters fills no memory."""
_UNREADABLE: Final = re.compile(rb"[^\t\n\r -~]")


class CommandPort:
    """One command at a time towards a modem."""

    def __init__(self) -> None:
        self.reports: deque[ModemReport] = deque(maxlen=_KEPT_MAX)
        self.spoken: deque[ModemSpoke] = deque(maxlen=_KEPT_MAX)
        self.unreadable_bytes = 0
        self.line_rate_bps: int | None = None
        self._received = bytearray()
        self._command = b""
        self._send_ms: int | None = None
        self._patience_ms = 0
        self._until_ms: int | None = None

    def say(
        self,
        command: str,
        *,
        now_ms: int,
        patience_ms: int,
        wait_ms: int = 0,
        goes_on: bool = False,
    ) -> None:
        """Send ``command`` after ``wait_ms`` and be patient for a result after that.

        Results that came before count no more: they answer something earlier; unless
        what is under way ``goes_on``, and a line that has begun is of it. An empty
        command only waits.
        """
        if not goes_on:
            self._received.clear()
        self._command = command.encode("ascii")
        self._send_ms = now_ms + wait_ms
        self._patience_ms = patience_ms
        self._until_ms = None

    def listen(self) -> None:
        """Wait for results without end and say nothing."""
        self._send_ms = self._until_ms = None

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the modem."""
        self._received += data
        self.unreadable_bytes += len(_UNREADABLE.findall(data))

    def next_result(self) -> ModemResult | None:
        """The next result code, skipping every other line; None when there is none.

        What follows a CONNECT line is the other side's: see `take_rest`.
        """
        while (end := _LINE_END.search(self._received)) is not None:
            line = self._received[: end.start()].decode("latin-1")
            del self._received[: end.end()]
            result = self._read(line) if line else None
            if result is not None:
                return result
        if len(self._received) > _LINE_BYTES_MAX:
            self._received.clear()
        return None

    def take_events(self) -> list[ModemReported | ModemSpoke]:
        """What was said in either direction, and what the modem reports, until now."""
        events: list[ModemReported | ModemSpoke] = [*self.spoken]
        events += [ModemReported(name=r.name, text=r.text) for r in self.reports]
        self.spoken.clear()
        self.reports.clear()
        return events

    def _read(self, line: str) -> ModemResult | None:
        self.spoken.append(ModemSpoke(text=_shown(line), by_modem=True))
        result = parse_result(line)
        if result is None and (report := parse_report(line)) is not None:
            self.reports.append(report)
            self.line_rate_bps = report.rate_bps or self.line_rate_bps
        return result

    def take_rest(self) -> bytes:
        """Bytes after the last result, which belong to the connection."""
        rest = bytes(self._received)
        self._received.clear()
        return rest

    def data_to_send(self, now_ms: int) -> bytes:
        """The command, once its time has come."""
        if self._send_ms is None or now_ms < self._send_ms:
            return b""
        self._send_ms = None
        self._until_ms = now_ms + self._patience_ms
        if said := self._command.decode("ascii").strip():
            self.spoken.append(ModemSpoke(text=said, by_modem=False))
        return self._command

    def deadline_ms(self) -> int | None:
        """When to send, or when patience ends."""
        return self._until_ms if self._send_ms is None else self._send_ms

    def expired(self, now_ms: int) -> bool:
        """Whether patience has ended; true once for each command."""
        if self._until_ms is None or now_ms < self._until_ms:
            return False
        self._until_ms = None
        return True


def _shown(line: str) -> str:
    """A line with dots for what cannot be read."""
    return "".join(mark if " " <= mark <= "~" else "." for mark in line.strip())
