"""A whole terminal from its configuration: readers, journal, line, counter.

This is where the real world enters: the clock, the random source, the PC/SC service,
the modem. Everything above takes them as arguments.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Final

from terminal.counter import Counter
from terminal.errors import JournalError
from terminal.journal import Journal
from terminal.readers import PCSCReaders
from terminal.rebuild import Rebuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from modem.events import CallEvent
    from modem.tls_context import ClientContexts
    from terminal.config import TerminalConfig
    from terminal.day_calls import MessageCall
    from terminal.readers import ReaderLayer
    from terminal.rebuild import RecoverProgress, RecoverResult

__all__ = ["local_now", "open_counter", "recover_journal"]

_DIGEST_DIGITS: Final = 16


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
    # A full disk keeps nobody from looking at the counter: it is told at a payment.
    with suppress(JournalError):
        journal.note("started", clock(), _session(config))

    line = _Line(config)
    return Counter(config, journal, layer or PCSCReaders(), line.dial, clock)


def recover_journal(
    config: TerminalConfig,
    sources: Sequence[Path] = (),
    *,
    on_progress: Callable[[RecoverProgress], None],
    layer: ReaderLayer | None = None,
    clock: Callable[[], datetime] = local_now,
) -> RecoverResult:
    """Rebuild this machine's journal from the customs card; see `Rebuilder.run`."""
    rebuilder = Rebuilder(
        config,
        layer or PCSCReaders(),
        clock=clock,
        random_bytes=secrets.token_bytes,
        on_progress=on_progress,
    )
    return rebuilder.run(sources)


def _session(config: TerminalConfig) -> str:
    """Who starts what: the program's version, the clerk, the configuration's digest."""
    digest = hashlib.sha256(config.model_dump_json().encode()).hexdigest()
    return (
        f"version {metadata.version('raseed')}, clerk {config.terminal.clerk}, "
        f"configuration {digest[:_DIGEST_DIGITS]}"
    )


class _Line:
    """The way to the bank; it remembers the last call, so that the next is shorter."""

    def __init__(self, config: TerminalConfig) -> None:
        self._config = config
        self._contexts: ClientContexts | None = None

    def dial(self, on_event: Callable[[CallEvent], None]) -> MessageCall:
        # The modem's parts load pyserial and ssl; a counter that never calls needs
        # neither.
        from modem import call, network_call, tls_context  # noqa: PLC0415

        config = self._config
        if self._contexts is None:
            self._contexts = tls_context.ClientContexts(
                config.ca, config.certificate, config.key
            )
        connect = network_call.connect if config.modem.is_network else call.dial
        return connect(
            config.modem.port,
            config.dial_plan,
            self._contexts.current(),
            config.modem.server_name,
            on_event,
        )
