"""The base of every card machine: a state, a pending action, a table of transitions.

Theory of operation. A machine decides and does no I/O. It always has one pending action
and one state, which is named after that action. The loop that runs it (`card.exchange`)
carries the action out and feeds back what came of it. Each feeding is one step: the
machine chooses its next action, and the `Event` that says how the last one went leads
through the table to the next state. A pair that the table does not hold raises
`MachineMisuseError`.

Any machine can send a command and can finish. At its head each has its own states, its
table, and the one action that it knows besides (`Record`, `Authorise`; `Never` for
none). Its class says who takes which answer, and what it means when none comes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum, auto
from typing import TYPE_CHECKING, Generic, TypeVar

from card.exchange import Finished, MachineMisuseError, Transmit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from card.apdu import CommandAPDU, ResponseAPDU
    from card.profile import Role

__all__ = ["Event", "Machine"]

State = TypeVar("State", bound=Enum)
OwnAction = TypeVar("OwnAction")
Result = TypeVar("Result")


class Event(Enum):
    """How an action went.

    DONE goes on, or ends well. NO_PROOF: the purse holds no proof of what it was asked
    about (9406). STOPPED: any other answer that ends the machine. LOST: no answer.
    """

    DONE = auto()
    NO_PROOF = auto()
    STOPPED = auto()
    LOST = auto()


class Machine(ABC, Generic[State, OwnAction, Result]):
    """What is the same in all of them; see the module's docstring."""

    def __init__(
        self,
        table: Mapping[tuple[State, Event], State],
        state: State,
        first: Transmit,
    ) -> None:
        """Begin in ``state`` with ``first``; ``table`` holds every transition."""
        self._table = table
        self._state = state
        self._pending: Transmit | OwnAction | Finished[Result] = first

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._state.name})"

    def next_action(self) -> Transmit | OwnAction | Finished[Result]:
        """What to do now; the same until it was fed."""
        return self._pending

    def receive(self, response: ResponseAPDU) -> None:
        """Take the answer to the pending `Transmit`.

        Raises:
            MachineMisuseError: None is pending.
        """
        handler = self._handlers().get(self._state)
        if handler is None:
            raise MachineMisuseError(f"no answer is expected in {self._state.name}")
        handler(response)

    def lost(self) -> None:
        """The pending `Transmit` got no answer; it may have been carried out.

        Raises:
            MachineMisuseError: None is pending.
        """
        if self._state not in self._handlers():
            raise MachineMisuseError(f"nothing was sent in {self._state.name}")
        self._finish(Event.LOST, self._unanswered())

    @abstractmethod
    def _handlers(self) -> Mapping[State, Callable[[ResponseAPDU], None]]:
        """Who takes the answer, in each state in which a command is pending."""

    @abstractmethod
    def _unanswered(self) -> Result:
        """How it ends when the pending command gets no answer."""

    # Moves: the only places where the state changes.

    def _send(
        self, role: Role, command: CommandAPDU, event: Event = Event.DONE
    ) -> None:
        self._move(event, Transmit(role=role, command=command))

    def _ask(self, action: OwnAction) -> None:
        self._move(Event.DONE, action)

    def _finish(self, event: Event, result: Result) -> None:
        self._move(event, Finished(result=result))

    def _move(
        self, event: Event, action: Transmit | OwnAction | Finished[Result]
    ) -> None:
        state = self._table.get((self._state, event))
        if state is None:
            raise MachineMisuseError(f"{event.name} is not for {self._state.name}")
        self._state, self._pending = state, action
