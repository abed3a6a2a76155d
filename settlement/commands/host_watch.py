"""What a serving host does besides: alarms once a day, health and metrics if wanted."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from card.profile import KeyUse
from modem.network import NetworkAddress
from settlement.commands.host_signals import end_at_last
from settlement.errors import SettlementError
from settlement.operations.watch import read_alarms
from settlement.statements import BANK_ZONE
from settlement.store.calls import CallRow

if TYPE_CHECKING:
    import datetime as dt
    import threading
    from collections.abc import Callable, Iterator, Sequence

    from modem.events import CallEvent
    from settlement.commands.bank_access import OpenBank
    from settlement.commands.bank_log import HostLog
    from settlement.host_events import CallEnded, HostEvent
    from settlement.keystore import KeyStore

__all__ = ["HostWatch", "told_by_http"]

_NO_CARD = bytes(8)


class HostWatch:
    """Called by the host: at every event, every call's end, twice a second."""

    def __init__(
        self,
        opened: OpenBank,
        log: HostLog,
        *,
        clock: Callable[[], dt.datetime],
        host_until: dt.datetime,
        stop: threading.Event,
    ) -> None:
        """Begin.

        Args:
            opened: the bank.
            log: the host's.
            clock: the bank's time.
            host_until: the end of the host's own certificate.
            stop: set when the host is to stop.
        """
        self.beat: Callable[[], None] = lambda: None
        self.count: Callable[[str, HostEvent | CallEvent], None] = lambda _p, _e: None
        self._opened = opened
        self._log = log
        self.clock = clock
        self.host_until = host_until
        self.stop = stop
        self._told_on: dt.date | None = None
        self._last_resort: threading.Timer | None = None

    def on_event(self, line: str, event: HostEvent | CallEvent) -> None:
        """Count and tell what happened on a line."""
        self.count(line, event)
        self._log.write(line, event)

    def note_call(self, line: str, ended: CallEnded) -> None:
        """Keep a call in the books; a bank that cannot just now goes on without."""
        row = CallRow(
            terminal_id=ended.terminal_id,
            line=line,
            began_at=ended.began_at,
            ended_at=ended.ended_at,
            messages=ended.messages,
            outcome=ended.outcome.value,
            trouble=ended.trouble,
        )
        try:
            self._opened.store.transact(lambda books: books.calls.add(row))
        except SettlementError as error:
            self._log.tell(
                "CallNotNoted",
                f"a call of {ended.terminal_id} is not in the books: {error}",
                level="warning",
                terminal=ended.terminal_id,
            )

    def on_tick(self) -> None:
        """Do what the time asks for."""
        self.beat()
        if self.stop.is_set():
            self._stopping()
            return
        today = self.clock().astimezone(BANK_ZONE).date()
        if today != self._told_on:
            self._told_on = today
            self._tell_alarms()

    def over(self) -> None:
        """The host has stopped by itself."""
        if self._last_resort is not None:
            self._last_resort.cancel()

    def _stopping(self) -> None:
        if self._last_resort is not None:
            return
        seconds = self._opened.directory.settings.stop_seconds
        self._last_resort = end_at_last(seconds)
        self._log.tell(
            "Stopping",
            "stopping: no more calls are taken; those under way are answered and end "
            f"within {seconds} s; a second signal stops at once",
        )

    def _tell_alarms(self) -> None:
        settings = self._opened.directory.settings
        try:
            alarms = read_alarms(
                self._opened.store,
                now=self.clock(),
                not_settled_hours=settings.not_settled_hours,
                host_until=self.host_until,
            )
        except SettlementError as error:
            self._log.tell(
                "AlarmsNotRead", f"alarms cannot be told: {error}", level="warning"
            )
            return
        for alarm in alarms:
            named = f"terminal {alarm.terminal_id}: " if alarm.terminal_id else ""
            self._log.tell(
                "Alarm",
                f"ALARM {alarm.kind}: {named}{alarm.text}",
                level="warning",
                kind=alarm.kind.value,
                terminal=alarm.terminal_id or None,
                office=alarm.office or None,
                since=f"{alarm.since:%Y-%m-%dT%H:%M:%SZ}",
            )


@contextmanager
def told_by_http(
    address: str,
    watch: HostWatch,
    opened: OpenBank,
    keys: KeyStore,
    *,
    lines: Sequence[str],
    log: HostLog,
) -> Iterator[None]:
    """Tell health and metrics at ``address`` meanwhile; nowhere when it is empty.

    Raises:
        HostError: the address cannot be used.
    """
    if not address:
        yield
        return
    # A host that tells nobody does without the library.
    from settlement.operations.health import (  # noqa: PLC0415
        Health,
        HealthServer,
        Heart,
    )
    from settlement.operations.metrics import (  # noqa: PLC0415
        BooksCollector,
        HostMetrics,
    )

    settings = opened.directory.settings
    metrics = HostMetrics(lines)
    metrics.registry.register(
        BooksCollector(
            opened.store,
            clock=watch.clock,
            not_settled_hours=settings.not_settled_hours,
            host_until=watch.host_until,
        )
    )
    heart = Heart()
    watch.beat, watch.count = heart.beat, metrics.on_event

    def check_keys() -> None:
        keys.card_key(KeyUse.BATCH, settings.key_version, _NO_CARD)

    health = Health(
        registry=metrics.registry,
        check_books=opened.store.check_writable,
        check_keys=check_keys,
        lines=lambda: metrics.lines,
        stopping=watch.stop,
        heart=heart,
    )
    with HealthServer(NetworkAddress.parse(address), health) as server:
        log.tell(
            "HealthTold",
            f"health and metrics at http://{server.address}/metrics",
            address=str(server.address),
        )
        yield
