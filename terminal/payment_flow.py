"""A card machine with its journal: every step is written before the next command.

Theory of operation. The machines of `card` (`card.purchase`, `card.recovery`) and those
of `terminal.customs_flow` offer commands to send and steps to record. A
`JournalledExchange` turns each step into the journal's entry for it, and adds the one
entry that a machine's end calls for:

    machine's step or end             entry
    PurchaseBegun                     Begun           before INIT SAM
    PurchaseOpened                    Opened          before DEBIT
    PurseDebited                      Debited         before CREDIT
    CustomsCredited                   Credited        before ACK
    PurchaseVoided                    NotDebited
    Declined, nothing left open       RefusedEntry
    OutcomeUnknown, CreditPending,
    RecoveryInterrupted               OutcomeLost     the state stays: not known yet
    a proof that CREDIT calls wrong   ProofRefused    back to "not known yet"
    LeftToBank                        LeftToBank
    any other end                     none: its last step said it all

`run` is the loop that carries the actions out. When an entry cannot be written it
stops there: no further command reaches a card, and the next start finds both the
journal and the cards in a state that the recovery knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, assert_never

from card.errors import CardError
from card.exchange import (
    CustomsCredited,
    Finished,
    JournalStep,
    PurchaseBegun,
    PurchaseOpened,
    PurchaseVoided,
    PurseDebited,
    Record,
    Transmit,
)
from card.purchase import CreditPending, Declined, OutcomeUnknown
from card.recovery import LeftToBank as LeftToBankResult
from card.recovery import RecoveryInterrupted
from card.sw import SW
from terminal.customs_flow import ClosureInterrupted, ClosureRefused
from terminal.entries import (
    Begun,
    Credited,
    Debited,
    Entry,
    LeftToBank,
    NotDebited,
    Opened,
    OutcomeLost,
    ProofRefused,
    RefusedEntry,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.apdu import CommandAPDU, ResponseAPDU
    from card.profile import Role

__all__ = ["CardMachine", "JournalledExchange", "Write", "run"]


class CardMachine(Protocol):
    """What the machines of `card` have in common; see `card.exchange`."""

    def next_action(self) -> Transmit | Record | Finished[object]:
        """What to do now; the same until it was fed."""
        ...

    def receive(self, response: ResponseAPDU) -> None:
        """The answer to the pending `Transmit`."""
        ...

    def lost(self) -> None:
        """The pending `Transmit` got no answer."""
        ...

    def recorded(self) -> None:
        """The pending `Record` is durable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Make ``entry`` durable before anything else happens."""

    entry: Entry


Action: TypeAlias = Transmit | Write | Finished[object]


class JournalledExchange:
    """One card machine, its steps in the journal's words; see the module."""

    def __init__(self, machine: CardMachine, *, batch: int) -> None:
        """Wrap ``machine``; what is credited goes into the customs card's ``batch``."""
        self._machine = machine
        self._batch = batch
        self._end_written = False
        self._debit_written = False

    def next_action(self) -> Action:
        """What to do now; the same until it was fed."""
        action = self._machine.next_action()
        match action:
            case Transmit():
                return action
            case Record(step=step):
                return Write(entry=self._entry(step))
            case Finished(result=result):
                last = None if self._end_written else self._last_entry(result)
                return action if last is None else Write(entry=last)
        assert_never(action)

    def receive(self, response: ResponseAPDU) -> None:
        """The answer to the pending `Transmit`."""
        self._machine.receive(response)

    def lost(self) -> None:
        """The pending `Transmit` got no answer."""
        self._machine.lost()

    def written(self) -> None:
        """The pending `Write` is durable."""
        action = self._machine.next_action()
        if isinstance(action, Finished):
            self._end_written = True
            return
        if isinstance(action, Record) and isinstance(action.step, PurseDebited):
            self._debit_written = True
        self._machine.recorded()

    def _entry(self, step: JournalStep) -> Entry:
        match step:
            case PurchaseBegun(otc=otc, rc=rc):
                return Begun(otc=otc, rc=rc)
            case PurchaseOpened(tx=tx, kv=kv, rc=rc):
                return Opened(tx=tx, kv=kv, rc=rc)
            case PurseDebited(tx=tx, proof=proof, kv=kv):
                return Debited(tx=tx, proof=proof, kv=kv)
            case CustomsCredited():
                return Credited(batch=self._batch)
            case PurchaseVoided():
                return NotDebited(how="void")
        assert_never(step)

    def _last_entry(self, result: object) -> Entry | None:
        entry: Entry | None = None
        match result:
            case Declined(reason=reason, open_left=False):
                entry = RefusedEntry(reason=reason.name.lower())
            case OutcomeUnknown() if self._debit_written:
                entry = ProofRefused()
            case OutcomeUnknown(stage=stage):
                entry = OutcomeLost(stage=stage.value)
            case ClosureRefused(sw=SW.MAC_WRONG, credit=True):
                entry = ProofRefused()
            case CreditPending() | ClosureInterrupted():
                entry = OutcomeLost(stage="CREDIT")
            case RecoveryInterrupted():
                entry = OutcomeLost(stage="recovery")
            case LeftToBankResult():
                entry = LeftToBank()
            case _:
                pass
        return entry


def run(
    exchange: JournalledExchange,
    transmit: Callable[[Role, CommandAPDU], ResponseAPDU],
    write: Callable[[Entry], None],
) -> object:
    """Carry out ``exchange`` to its end.

    Args:
        exchange: what to do.
        transmit: sends a command to the card of a role; any `CardError` from it means
            that no answer is known.
        write: makes an entry durable before it returns.

    Returns:
        The machine's result.

    Raises:
        JournalError: an entry could not be written; nothing was sent after it.
    """
    while True:
        action = exchange.next_action()
        match action:
            case Transmit(role=role, command=command):
                try:
                    response = transmit(role, command)
                except CardError:
                    exchange.lost()
                else:
                    exchange.receive(response)
            case Write(entry=entry):
                write(entry)
                exchange.written()
            case Finished(result=result):
                return result
            case _:
                assert_never(action)
