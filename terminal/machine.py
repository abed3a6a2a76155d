"""A whole terminal from its configuration: readers, journal, line, counter.

This is where the real world enters: the clock, the random source, the PC/SC service,
the modem. Everything above takes them as arguments.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from terminal.counter import Counter
from terminal.journal import Journal
from terminal.readers import PCSCReaders

if TYPE_CHECKING:
    from collections.abc import Callable

    from modem.events import CallEvent
    from terminal.config import TerminalConfig
    from terminal.day_flow import MessageCall
    from terminal.readers import ReaderLayer

__all__ = ["local_now", "open_counter"]


def local_now() -> datetime:
    """The time here, aware, in the machine's own zone."""
    return datetime.now(UTC).astimezone()  # noqa: TID251  the real clock enters here


def open_counter(
    config: TerminalConfig,
    *,
    layer: ReaderLayer | None = None,
    clock: Callable[[], datetime] = local_now,
) -> Counter:
    """Make the counter of this machine; `Counter.start` begins, `stop` ends.

    Args:
        config: of this terminal.
        layer: the readers; by default those of the PC/SC service.
        clock: the time here, aware.

    Raises:
        JournalError: the journal cannot be used; nothing was started.
    """
    journal = Journal.open(config.state_directory, secrets.token_bytes)

    def dial(on_event: Callable[[CallEvent], None]) -> MessageCall:
        return _dial(config, on_event)

    return Counter(config, journal, layer or PCSCReaders(), dial, clock)


def _dial(config: TerminalConfig, on_event: Callable[[CallEvent], None]) -> MessageCall:
    # The modem's parts load pyserial and ssl; a counter that never calls needs neither.
    from modem import call, tls  # noqa: PLC0415

    return call.dial(
        config.modem.port,
        config.dial_plan,
        tls.client_context(config.ca, config.certificate, config.key),
        config.modem.server_name,
        on_event,
    )
