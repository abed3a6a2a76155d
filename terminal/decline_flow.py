"""Telling the bank, over a call that is there, which payment requests were declined.

Nothing here moves money, and no failure here makes a batch or a download fail: what the
bank has not said its last word on stays in the journal for the next call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from settlement.decline_machine import (
    DeclineAnswered,
    DeclineMachine,
    DeclineNotTaken,
)
from settlement.upload_events import LoggedOn, Refused, ResponseDiscarded
from terminal.conversation import Conversation

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from settlement.decline_machine import DeclineEvent
    from settlement.messages import TerminalVersions
    from settlement.terminal_call import Session
    from terminal.conversation import MessageLine
    from terminal.journal_declines import DeclineBook

__all__ = ["DeclineFlow"]


class DeclineFlow:
    """Tells in one call.

    Attributes:
        session: of the call, once `run` is over; None when nobody has logged on.
        next_stan: the next STAN of the call that is free.
    """

    def __init__(
        self,
        book: DeclineBook,
        terminal_id: str,
        *,
        clock: Callable[[], datetime],
        note: Callable[[str, str], None],
    ) -> None:
        """Join the parts.

        Args:
            book: what was declined here.
            terminal_id: 8 characters.
            clock: the time here, aware.
            note: keeps an event, its kind and detail, in the journal.
        """
        self._book = book
        self._terminal_id = terminal_id
        self._clock = clock
        self._note = note
        self._conversation = Conversation(clock=clock, note=note)
        self.session: Session | None = None
        self.next_stan = 1

    def run(
        self,
        call: MessageLine,
        session: Session | None,
        stan: int,
        versions: TerminalVersions,
    ) -> None:
        """Tell of all that waits; `session` and `next_stan` say how the call goes on.

        Args:
            call: secured; it is left open.
            session: of what logged on in the same call, or None.
            stan: the next free STAN of the call.
            versions: what the terminal holds, for a logon.

        Raises:
            ModemError: the call is over.
            NoAnswerError: the bank stopped answering.
            JournalError: an answer cannot be kept.
        """
        self.session, self.next_stan = session, stan
        waiting = self._book.waiting()
        if not waiting:
            return
        machine = DeclineMachine(
            self._terminal_id,
            [one.report for one in waiting],
            stan_start=stan,
            versions=versions,
            session=session,
        )
        try:
            for event in self._conversation.hold(call, machine):
                self._on_event(event)
        finally:
            self.session, self.next_stan = machine.session, machine.next_stan

    def _on_event(self, event: DeclineEvent) -> None:
        match event:
            case DeclineAnswered(report=report, code=code, text=text):
                self._book.answered(report, code.value, text, self._clock())
            case DeclineNotTaken(report=report, code=code):
                self._note("decline-not-taken", f"{report.number}: {code.value}")
            case Refused(code=code):
                self._note("declines-refused", code.value)
            case ResponseDiscarded(reason=reason):
                self._conversation.discard(reason)
            case LoggedOn():
                pass
