"""How a desk command gets at a card, and what it tells when the card says no.

`hold_card` picks the reader, holds the card for this program alone, asks it who it is,
and turns whatever goes wrong into words for the officer at the desk: what happened,
that no money moved, what to do next. A load is the one thing during which money can
move; it handles the card's answers itself (`settlement.commands.card_desk_load`).
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from card.customs import CustomsSession
from card.errors import (
    CardError,
    ForeignCardError,
    InvalidPINError,
    MalformedResponseError,
    NoCardError,
    OutcomeUnknownError,
    ReaderError,
    StatusError,
    WrongPINError,
)
from card.profile import CardState, Role
from card.purse import PurseSession
from card.sw import SW, describe
from settlement.errors import SettlementError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from card.application import ApplicationSession
    from card.channel import Channel
    from card.fci import CardInfo
    from settlement.commands.environment import Environment

__all__ = [
    "CardDeskError",
    "HeldCard",
    "NumberStyle",
    "full_number_option",
    "hold_card",
    "printable",
    "reader_option",
    "require_active",
    "require_personalised",
]

F = TypeVar("F", bound="Callable[..., Any]")


class CardDeskError(SettlementError):
    """A card cannot be used for what was asked; the message is for the officer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCard:
    """A card in a reader that this program holds, and what it says of itself."""

    reader: str
    channel: Channel
    info: CardInfo

    @property
    def role(self) -> Role:
        """Purse or customs card."""
        return self.info.role

    def purse(self) -> PurseSession:
        """The card as a purse, which it is."""
        assert self.role is Role.PURSE
        return PurseSession(self.channel)

    def customs(self) -> CustomsSession:
        """The card as a customs card, which it is."""
        assert self.role is Role.CUSTOMS
        return CustomsSession(self.channel)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberStyle:
    """How card numbers are shown: masked, unless the officer asked for all of them."""

    full: bool

    def show(self, info: CardInfo) -> str:
        """The card's number."""
        return info.card_id.hex().upper() if self.full else info.card_number_masked


def reader_option(command: F) -> F:
    """Add ``--reader``, which arrives as ``reader``."""
    return click.option(
        "--reader",
        metavar="NAME|ROLE",
        help="The card reader: its name, a part that only one has, or the role of the "
        "card in it (purse, customs). Not needed when there is only one.",
    )(command)


def full_number_option(command: F) -> F:
    """Add ``--full-number``, which arrives as ``full_number``."""
    return click.option(
        "--full-number",
        is_flag=True,
        help="Show the whole card number instead of 640000******0001.",
    )(command)


def printable(name: str) -> str:
    """A name from a card without what would confuse a terminal or reverse the text."""
    return "".join(character for character in name if character.isprintable())


@contextmanager
def hold_card(
    environment: Environment, reader: str | None, *roles: Role
) -> Iterator[HeldCard]:
    """Hold the card in a reader and SELECT it.

    Args:
        environment: where the readers are.
        reader: what ``--reader`` said, or None.
        roles: the cards that will do; they are looked for in this order when nothing
            was said.

    Raises:
        CardDeskError: no reader, no card, another card, or the card refuses; no money
            has moved.
    """
    name = "the reader"
    try:
        name = _choose(environment, reader, roles)
        with environment.open_card(name) as card:
            info = _identify(card.channel, roles)
            yield HeldCard(reader=name, channel=card.channel, info=info)
    except CardError as error:
        raise _in_words(error, name) from None


def require_personalised(card: HeldCard) -> None:
    """Refuse a blank card.

    Raises:
        CardDeskError: the card is in state initialised.
    """
    if card.info.state is CardState.INITIALISED:
        raise CardDeskError(
            f"The card in '{card.reader}' is blank: it is no customer's card yet. "
            "Nothing was changed and no money moved. Personalise it first: "
            f"raseed-card personalise --kind {card.role}"
        )


def require_active(card: HeldCard) -> None:
    """Refuse a blank or blocked card.

    Raises:
        CardDeskError: the card is not in state active.
    """
    require_personalised(card)
    if card.info.state is CardState.BLOCKED:
        raise CardDeskError(
            f"Card {card.info.card_number_masked} is blocked. Nothing was changed and "
            "no money moved; what it holds is still there. If the customer may have "
            "it back: raseed-card unblock"
        )


def _choose(
    environment: Environment, wanted: str | None, roles: tuple[Role, ...]
) -> str:
    if wanted is not None:
        return environment.find_reader(wanted)
    present = environment.readers()
    if not present:
        raise ReaderError(
            "No card reader is connected; no card was touched. Connect one and check "
            "that the card reader service (pcscd) runs."
        )
    if len(present) == 1:
        return present[0]
    if len(roles) == 1:
        return environment.find_reader(roles[0])
    for role in roles:
        with suppress(ReaderError):
            return environment.find_reader(role)
    raise ReaderError(
        f"No reader could be chosen: a {' or '.join(roles)} card lies in none of them "
        f"or in several. Readers connected: {'; '.join(present)}. No card was changed. "
        "Insert the card, or name its reader with --reader."
    )


def _identify(channel: Channel, roles: tuple[Role, ...]) -> CardInfo:
    for role in roles:
        try:
            return _session(role, channel).select()
        except ForeignCardError:
            continue
    for role in Role:
        if role not in roles:
            # Only for a better message: the wrong one of our two cards is the usual
            # mistake.
            info = _session(role, channel).select()
            raise CardDeskError(
                f"The card {info.card_number_masked} is a {role} card; a "
                f"{' or '.join(roles)} card is needed here. Nothing was changed. "
                "Insert the right card, or name another reader with --reader."
            )
    raise ForeignCardError("neither a purse nor a customs card")


def _session(role: Role, channel: Channel) -> ApplicationSession:
    return PurseSession(channel) if role is Role.PURSE else CustomsSession(channel)


_REFUSALS: dict[int, str] = {
    SW.PIN_NEEDED: "The card wants the PIN first.",
    SW.APPLICATION_BLOCKED: "The card is blocked; see raseed-card unblock.",
    SW.MAC_WRONG: "The card does not accept the bank's keys: it was issued by another "
    "bank, or under other keys.",
    SW.MEMORY_FAILURE: "The card's memory has failed; the card must be replaced.",
}


def _in_words(error: CardError, reader: str) -> CardDeskError:
    match error:
        case WrongPINError(tries_left=0):
            told = (
                "The PIN is blocked: no tries are left. No money moved. The customer "
                "gets a new one with raseed-card reset-pin."
            )
        case WrongPINError(tries_left=left):
            tries = "1 try is" if left == 1 else f"{left} tries are"
            told = f"The PIN is wrong; {tries} left. No money moved. Try again."
        case InvalidPINError():
            told = (
                f"That is no PIN: {error}. The card did not see it and no try was "
                "spent. Try again."
            )
        case ForeignCardError():
            told = (
                f"The card in '{reader}' is not one of this system. It was left as it "
                "is. Insert the right card."
            )
        case StatusError(sw=sw):
            refusal = _REFUSALS.get(sw)
            told = (
                f"{refusal or 'The card refused a command.'} ({error.command}: "
                f"{describe(sw)}) No money moved."
            )
        case MalformedResponseError():
            told = (
                f"The card in '{reader}' answers what no card of this system answers "
                f"({error}). No money moved. Try another card."
            )
        case OutcomeUnknownError():
            told = (
                f"{error} No money moved. Run the same command again: it goes on where "
                "this one was interrupted."
            )
        case NoCardError() | ReaderError():
            # A load that has begun tells its own end; nothing else moves money.
            told = f"{error} No money moved."
        case _:
            told = f"{error}. No money moved."
    return CardDeskError(told)
