"""The bank behind the desk, and what it puts right first when it sees a card again.

A card on the hotlist is blocked first (`settlement.commands.card_desk_hotlist`). Two
things can have been left half done when a card was pulled out, and both are settled
before anything else is done with that card:

* a personalisation that the card has finished and the bank has not registered;
* a load that the bank has booked and of which no proof came back. The purse is asked to
  prove it, or else to burn its number; the bank then completes the load or books it
  back. Until then the amount stays in the float of that card, where it is safe.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Never, TypeVar, assert_never

from card.errors import CardError
from card.exchange import Finished
from card.load import LoadProved, LoadRecovery, LoadUnknown, LoadVoided
from card.profile import CardState, Role
from settlement.commands.bank_access import open_bank, open_keys
from settlement.commands.card_desk_access import CardDeskError
from settlement.commands.card_desk_hotlist import block_if_hotlisted
from settlement.commands.card_desk_register import (
    CardRegister,
    MakingState,
    RegisteredCard,
)
from settlement.issuing import Issuing
from settlement.ledger import Account
from settlement.money import Money, currency_by_number
from settlement.open_desk import OpenDesk
from settlement.store.cards import LoadOutcome, PurseRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from card.channel import Channel
    from card.machine import Machine
    from settlement.bank_config import BankDirectory
    from settlement.commands.card_desk_access import HeldCard
    from settlement.commands.environment import Environment
    from settlement.issuing import PendingLoad
    from settlement.keystore import FileKeyStore
    from settlement.store.books import BankStore

__all__ = [
    "Desk",
    "SettledLoad",
    "ask_purse",
    "finish_making",
    "open_desk",
    "settle_card",
]

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything of the bank that the card desk works with."""

    directory: BankDirectory
    store: BankStore
    keys: FileKeyStore
    issuing: Issuing
    opens: OpenDesk
    register: CardRegister
    clock: Callable[[], datetime]
    user: str

    @property
    def lid(self) -> bytes:
        """The load desk's id, 8 bytes."""
        return self.directory.settings.desk_id.encode("ascii")

    def money(self, amount_minor: int) -> Money:
        """An amount in the bank's currency."""
        return Money(amount_minor=amount_minor, currency=self.directory.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledLoad:
    """An earlier load whose outcome is known now."""

    ltc: int
    amount: Money
    outcome: LoadOutcome

    def __str__(self) -> str:
        if self.outcome is LoadOutcome.COMPLETED:
            return f"An earlier load of {self.amount} is proved: the card has it."
        return (
            f"An earlier load of {self.amount} never reached the card; it is booked "
            "back to the customer's account."
        )


@contextmanager
def open_desk(
    environment: Environment, bank: Path, passphrase_file: str | None
) -> Iterator[Desk]:
    """Open the bank with its keys, for the length of one command.

    Raises:
        SettlementError: no bank, wrong passphrase, or books that cannot be read.
    """
    with open_bank(bank) as opened:
        keys = open_keys(opened.directory, passphrase_file)
        yield Desk(
            directory=opened.directory,
            store=opened.store,
            keys=keys,
            issuing=Issuing(opened.store, keys, environment.clock),
            opens=OpenDesk(opened.store, keys, environment.clock),
            register=CardRegister(opened.directory.path),
            clock=environment.clock,
            user=environment.user(),
        )


def settle_card(desk: Desk, held: HeldCard) -> list[SettledLoad]:
    """Block a hotlisted card, and put right what an interruption has left with it.

    Raises:
        CardDeskError: the purse answers, but neither proves nor burns a load; or it
            does not answer. The load stays pending and its amount in the float.
    """
    if held.info.state is CardState.INITIALISED:
        return []
    block_if_hotlisted(desk, held)
    card_id = held.info.card_id
    making = desk.register.find(held.role, card_id)
    if making is not None and making.state is MakingState.PENDING:
        finish_making(desk, making)
    if held.role is not Role.PURSE:
        return []
    return [
        _settle(desk, held.channel, card_id, pending)
        for pending in desk.issuing.pending_loads(card_id)
    ]


def finish_making(desk: Desk, making: RegisteredCard) -> RegisteredCard:
    """Register a card that says it is active, then mark it as issued."""
    if making.role is Role.PURSE:
        _register_purse(desk, making)
    return desk.register.confirm(making)


def _register_purse(desk: Desk, making: RegisteredCard) -> None:
    """Register a purse at the bank; the same card again is nothing."""
    currency = making.currency or desk.directory.currency.number
    desk.issuing.register_card(
        PurseRow(
            cid=making.card_id,
            account=Account.customer(making.account, currency),
            holder=making.holder,
            currency=currency,
            kv=making.kv,
            balance_limit_minor=making.balance_limit_minor,
            payment_limit_minor=making.payment_limit_minor,
            valid_from=making.valid_from,
            expiry=making.expiry,
        )
    )


def _settle(
    desk: Desk, channel: Channel, cid: bytes, pending: PendingLoad
) -> SettledLoad:
    amount = Money(
        amount_minor=pending.amount_minor, currency=currency_by_number(pending.currency)
    )
    recovery = LoadRecovery(
        ltc=pending.ltc, lid=pending.lid, lsn=pending.lsn, vreq=pending.vreq
    )
    result = ask_purse(recovery, channel)
    match result:
        case LoadProved(balance_after_minor=balance_minor, ltac=ltac):
            row = desk.issuing.complete_load(
                cid, ltc=pending.ltc, balance_after_minor=balance_minor, ltac=ltac
            )
        case LoadVoided(vmac=vmac):
            row = desk.issuing.void_load(cid, ltc=pending.ltc, vmac=vmac)
        case LoadUnknown(sw=None):
            raise CardDeskError(
                f"The card left before it could say what became of a load of "
                f"{amount}. That amount is safe in the card's float. Put the card back "
                "and run: raseed-card recover"
            )
        case LoadUnknown():
            raise CardDeskError(
                f"The card neither proves nor gives up a load of {amount}. "
                "That amount stays in the card's float and nothing else was loaded. "
                "Keep the card and report it to bank operations."
            )
        case _:
            assert_never(result)
    assert row.outcome is not None, "it was settled just now"
    return SettledLoad(ltc=pending.ltc, amount=amount, outcome=row.outcome)


def ask_purse(machine: Machine[Any, Never, Result], channel: Channel) -> Result:
    """Run a machine that only asks the purse in the reader."""
    while not isinstance(action := machine.next_action(), Finished):
        try:
            response = channel.transmit(action.command)
        except CardError:
            # Whatever the reader says: without an answer nothing is known.
            machine.lost()
        else:
            machine.receive(response)
    return action.result
