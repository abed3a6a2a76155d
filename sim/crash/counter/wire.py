"""A counter's readers and line when both are in another process.

Every command, every step of a call and every power-up is a question to the harness, and
the counter waits for its answer: so the harness can kill it before or after each.

    counter asks                       harness answers
    on       role (1)                  yes: session (4)      no
    off      session (4)               yes
    apdu     session (4) || command    yes: response         no: the card has left
    dial     -                         yes                   no
    send     message                   yes                   no: the call is lost
    receive  -                         yes: message          silent      no
    hang-up  -                         yes
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from card.apdu import ResponseAPDU
from card.errors import CardRemovedError, NoCardError
from card.profile import Role
from modem.errors import CallLostError, CallTimeoutError, NoDialToneError
from modem.events import Connected, Dialling, Secured, Securing
from sim.crash.frames import Frame
from terminal.readers import ReaderEvent, ReaderEventKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.apdu import CommandAPDU
    from modem.events import CallEvent
    from sim.crash.frames import FrameSocket

__all__ = ["NO", "ROLES", "SILENT", "YES", "WiredCall", "WiredReaders", "dialler"]

YES: Final = "yes"
NO: Final = "no"
SILENT: Final = "silent"
ROLES: Final = (Role.PURSE, Role.CUSTOMS)
"""A role's number in frames is its place here."""
_NUMBER: Final = "5551234"
_RATE_BPS: Final = 9600


class WiredReaders:
    """Both readers; a `terminal.readers.ReaderLayer` whose watch tells at once."""

    def __init__(self, line: FrameSocket, names: dict[Role, str]) -> None:
        """Ask the harness on ``line``; ``names`` are those of the readers."""
        self._line = line
        self._names = names
        self._listener: Callable[[ReaderEvent], None] | None = None

    def readers(self) -> list[str]:
        """See `terminal.readers.ReaderLayer`."""
        return sorted(self._names.values())

    def open_card(self, reader: str) -> WiredCard:
        """See `terminal.readers.ReaderLayer`."""
        role = next(role for role, name in self._names.items() if name == reader)
        answer = _ask(self._line, "on", bytes((ROLES.index(role),)))
        if answer.kind == NO:
            raise NoCardError(f"There is no card in '{reader}'.")
        return WiredCard(self._line, answer.body)

    def watch(self, listener: Callable[[ReaderEvent], None]) -> Self:
        """See `terminal.readers.ReaderLayer`; this counter watches once."""
        self._listener = listener
        return self

    def start(self) -> None:
        """See `terminal.readers.ReaderWatch`: cards are found when they are opened."""
        for role in ROLES:
            self.tell(role, ReaderEventKind.READER_ADDED)

    def stop(self) -> None:
        """See `terminal.readers.ReaderWatch`."""
        self._listener = None

    def tell(self, role: Role, kind: ReaderEventKind) -> None:
        """Something happened to the reader of ``role``."""
        if self._listener is not None:
            self._listener(ReaderEvent(reader=self._names[role], kind=kind))


class WiredCard:
    """A powered card; its own channel."""

    def __init__(self, line: FrameSocket, session: bytes) -> None:
        """Be the connection that the harness calls ``session``."""
        self._line = line
        self._session = session
        self._is_open = True

    @property
    def channel(self) -> Self:
        """Commands go here."""
        return self

    def close(self) -> None:
        """See `terminal.readers.CardConnection`."""
        if self._is_open:
            self._is_open = False
            _ask(self._line, "off", self._session)

    def transmit(self, command: CommandAPDU) -> ResponseAPDU:
        """See `card.channel.Channel`."""
        if not self._is_open:
            raise NoCardError("The connection has ended; nothing was sent.")
        answer = _ask(self._line, "apdu", self._session + command.to_bytes())
        if answer.kind == NO:
            self._is_open = False
            raise CardRemovedError("The card left the reader.")
        return ResponseAPDU.parse(answer.body)


class WiredCall:
    """A call; a `terminal.day_calls.MessageCall`."""

    def __init__(self, line: FrameSocket) -> None:
        """Be connected."""
        self._line = line

    def send(self, message: bytes) -> None:
        """See `terminal.day_calls.MessageCall`."""
        if _ask(self._line, "send", message).kind == NO:
            raise CallLostError("the line is dead")

    def receive(self, timeout_ms: int) -> bytes:
        """See `terminal.day_calls.MessageCall`; silence is told at once."""
        answer = _ask(self._line, "receive")
        if answer.kind == SILENT:
            raise CallTimeoutError(timeout_ms)
        if answer.kind == NO:
            raise CallLostError("the line is dead")
        return answer.body

    def close(self) -> None:
        """See `terminal.day_calls.MessageCall`."""
        _ask(self._line, "hang-up")


def dialler(
    line: FrameSocket,
) -> Callable[[Callable[[CallEvent], None]], WiredCall]:
    """A `terminal.day_calls.Dial` over ``line``."""

    def dial(on_event: Callable[[CallEvent], None]) -> WiredCall:
        on_event(Dialling(number=_NUMBER, attempt=1))
        if _ask(line, "dial").kind == NO:
            raise NoDialToneError(_NUMBER)
        on_event(Connected(rate_bps=_RATE_BPS))
        on_event(Securing())
        on_event(Secured(peer_name="host"))
        return WiredCall(line)

    return dial


def _ask(line: FrameSocket, kind: str, body: bytes = b"") -> Frame:
    line.send(Frame(kind, body))
    return line.receive()
