"""Fetching what the bank publishes, over a call that is there.

What came down is kept as it comes: each chunk, and each content when it is whole. So
wherever the call ends, the next one goes on there. Nothing here moves money, and no
failure here makes a batch or a payment fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modem.errors import CallLostError, ModemError
from settlement.download import DownloadForm
from settlement.download_events import (
    ChunkReceived,
    DownloadBegun,
    Downloaded,
    DownloadFailed,
    LoggedOn,
    Refused,
    ResponseDiscarded,
)
from settlement.download_machine import DownloadMachine
from settlement.errors import NoAnswerError
from terminal.conversation import Conversation
from terminal.downloads import DownloadsResult, Fetched, Unusable
from terminal.errors import DownloadStoreError
from terminal.wording_downloads import (
    not_kept,
    refused_by_bank,
    stopped_answering,
    what_failed_on_the_line,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from settlement.download import DownloadKind
    from settlement.download_events import DownloadEvent
    from settlement.terminal_call import Session
    from terminal.conversation import MessageLine
    from terminal.download_shelf import Shelf

__all__ = ["DownloadFlow", "clock_words"]


class DownloadFlow:
    """Fetches in one call, or in several when it is cut."""

    def __init__(
        self,
        shelf: Shelf,
        terminal_id: str,
        *,
        clock: Callable[[], datetime],
        note: Callable[[str, str], None],
        on_progress: Callable[[DownloadKind, int, int], None],
    ) -> None:
        """Join the parts.

        Args:
            shelf: where what comes is put.
            terminal_id: 8 characters.
            clock: the time here, aware.
            note: keeps an event, its kind and detail, in the journal.
            on_progress: told kind, bytes that have come, and bytes in all.
        """
        self._shelf = shelf
        self._terminal_id = terminal_id
        self._clock = clock
        self._note = note
        self._on_progress = on_progress
        self._fetched: list[Fetched] = []
        self._failed: list[tuple[DownloadKind, str]] = []
        self._unusable: dict[DownloadKind, Unusable] = {}
        self._trouble = ""
        self._conversation = Conversation(clock=clock, note=note)

    def run(self, call: MessageLine, session: Session | None, stan: int) -> None:
        """Fetch in one call what differs; `result` says what came of it.

        Args:
            call: secured; it is left open.
            session: of an upload in the same call, or None: log on first.
            stan: the next free STAN of the call.

        Raises:
            CallLostError: the call was cut; another one goes on where it was.
        """
        self._trouble = ""
        self._failed.clear()
        try:
            self._fetch(call, session, stan)
        except CallLostError as error:
            self._trouble = what_failed_on_the_line(error)
            raise
        except ModemError as error:
            self._trouble = what_failed_on_the_line(error)
        except NoAnswerError:
            self._trouble = stopped_answering()
        except DownloadStoreError as error:
            self._trouble = not_kept(error.reason)

    def result(self, trouble: str = "") -> DownloadsResult:
        """What has come so far, in however many calls.

        Args:
            trouble: why no call came about, when that is known better elsewhere.
        """
        clock = self._shelf.clock
        is_off = clock is not None and self._shelf.is_clock_off
        return DownloadsResult(
            fetched=tuple(self._fetched),
            failed=tuple(self._failed),
            unusable=tuple(self._unusable.values()),
            trouble=trouble or self._trouble,
            clock_ahead=clock.ahead if clock is not None and is_off else None,
        )

    def _fetch(self, call: MessageLine, session: Session | None, stan: int) -> None:
        stocks = self._shelf.stocks(self._clock())
        machine = DownloadMachine(
            self._terminal_id, stocks, stan_start=stan, session=session
        )
        try:
            for event in self._conversation.hold(call, machine):
                self._on_event(event)
        finally:
            for kind in machine.put_off:
                self._leave(kind)

    def _on_event(self, event: DownloadEvent) -> None:
        match event:
            case LoggedOn(clock_offset=offset):
                self._note("logged-on", clock_words(offset.total_seconds()))
                self._shelf.note_clock(offset, self._clock())
            case Refused(code=code, text=text):
                self._trouble = refused_by_bank(text)
                self._note("downloads-refused", code.value)
            case DownloadBegun():
                self._shelf.begin(event)
            case ChunkReceived(kind=kind, done=done, total=total):
                self._shelf.add(event)
                self._on_progress(kind, done, total)
            case Downloaded():
                self._put(event)
            case DownloadFailed():
                self._on_failed(event)
            case ResponseDiscarded(reason=reason):
                self._conversation.discard(reason)

    def _on_failed(self, event: DownloadFailed) -> None:
        kind, reason, head = event.kind, event.reason, event.head
        self._shelf.forget(kind)
        self._note("download-failed", f"{kind.name.lower()}: {reason}")
        if head is None:
            self._failed.append((kind, reason))
            return
        note = self._shelf.note_failure(kind, head, reason, self._clock())
        self._unusable[kind] = Unusable(kind=kind, note=note, came=True)

    def _leave(self, kind: DownloadKind) -> None:
        """The bank holds what could not be used before: it was not asked for."""
        note = self._shelf.failure(kind)
        if note is not None and kind not in self._unusable:
            self._unusable[kind] = Unusable(kind=kind, note=note, came=False)
            detail = f"{kind.name.lower()} version {note.target.version}"
            self._note("download-put-off", detail)

    def _put(self, event: Downloaded) -> None:
        self._shelf.put(event, self._clock())
        self._unusable.pop(event.kind, None)
        kind, version = event.kind, event.held.version
        count = len(event.entries)
        self._note(
            "downloaded",
            f"{kind.name.lower()} version {version}, {count} entries, "
            f"{event.payload_bytes} bytes",
        )
        if event.form is DownloadForm.UNCHANGED:
            return
        self._fetched = [one for one in self._fetched if one.kind is not kind]
        self._fetched.append(
            Fetched(
                kind=kind,
                version=version,
                count=count,
                payload_bytes=event.payload_bytes,
            )
        )


def clock_words(ahead_s: float) -> str:
    """What the journal keeps of the two clocks.

    >>> clock_words(3.0)
    "bank's clock ahead by 3 s"
    """
    return f"bank's clock ahead by {ahead_s:.0f} s"
