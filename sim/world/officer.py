"""The officer at the bank's card desk, who loads purses and repeats what was cut short.

The desk has a reader of its own. The officer knows what the desk's program says:
loaded, or an error in words; after an error, or a computer that lost power, the same
load is simply asked for again, which must load once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from card.errors import CardError
from card.profile import Role
from card.purse import PurseSession
from settlement.commands.card_desk_access import HeldCard
from settlement.commands.card_desk_bank import settle_card
from settlement.commands.card_desk_loader import loaded_just_now, run_load
from settlement.commands.card_desk_opens import settle_opens
from settlement.errors import SettlementError
from settlement.store_cards import LoadOutcome
from sim.cards.purse_runtime import BALANCE, CARD_ID
from sim.world.fate import PowerOffError
from sim.world.readers import READERS, WorldReaders
from sim.world.world import PIN, PURSES

if TYPE_CHECKING:
    from settlement.commands.card_desk_bank import Desk
    from settlement.commands.secret_input import PINSource
    from sim.world.chronicle import Chronicle
    from sim.world.world import World

__all__ = ["Officer"]

_ATTEMPTS_MAX: Final = 4
"""In a healed world the first attempt succeeds; more than that is a defect."""


class _TypedPIN:
    """A customer who types the PIN whenever the desk asks for it."""

    def read(self, _prompt: str) -> bytearray:
        return bytearray(PIN)


class Officer:
    """See the module."""

    def __init__(self, world: World, desk: Desk, chronicle: Chronicle) -> None:
        """Work at ``desk`` of the bank in ``world``."""
        self._world = world
        self._chronicle = chronicle
        self._desk = desk
        self._readers = WorldReaders(world.fate)
        self._wanted: dict[int, int] = {}
        self._loaded: set[int] = set()

    def load(self, purse: int, amount_minor: int) -> None:
        """Load a purse, unless it turns out to have this load already."""
        if purse not in self._wanted:
            self._wanted[purse] = amount_minor
            before_minor = PURSES[purse].balance_minor
            self._world.loaded_minor[purse].add(before_minor + amount_minor)
        if purse in self._loaded:
            return
        self._chronicle.say(f"{amount_minor} is to be loaded onto purse {purse + 1}")
        self._world.readers.remove(Role.PURSE)
        self._readers.insert(Role.PURSE, self._world.purses[purse])
        try:
            self._load(purse, amount_minor)
        except (SettlementError, CardError) as error:
            self._chronicle.say(f"the desk: {error}")
        except PowerOffError:
            self._chronicle.say("the desk's computer loses power")
        finally:
            self._world.purses[purse].reset()

    def take_card_out(self) -> None:
        """The customer takes the card away."""
        self._readers.remove(Role.PURSE)

    def finish(self) -> None:
        """In a healed world: ask again for every load, until it is done."""
        for purse, amount_minor in self._wanted.items():
            for _ in range(_ATTEMPTS_MAX):
                if purse not in self._loaded:
                    self.take_card_out()
                    self.load(purse, amount_minor)
            if purse not in self._loaded:
                self._violation(f"purse {purse + 1} cannot be loaded")

    def check(self) -> None:
        """No purse may hold more than the bank holds in its customer's name."""
        for place in self._wanted:
            purse = self._world.purses[place]
            float_minor = self._float_minor(purse.memory.octets(CARD_ID))
            held_minor = purse.memory.integer(BALANCE)
            if held_minor > float_minor:
                self._violation(f"a purse holds {held_minor}, the bank {float_minor}")

    def expect_nothing_left(self) -> None:
        """In a healed world every load was taken once, and no load is pending."""
        for place, amount_minor in self._wanted.items():
            memory = self._world.purses[place].memory
            if self._desk.issuing.pending_loads(memory.octets(CARD_ID)):
                self._violation(f"a load of purse {place + 1} stays pending")
            loaded_minor = memory.integer(BALANCE) + memory.integer("cumulative_debit")
            if loaded_minor != PURSES[place].balance_minor + amount_minor:
                self._violation(f"purse {place + 1} has {loaded_minor} loaded")

    def _load(self, purse: int, amount_minor: int) -> None:
        connection = self._readers.open_card(READERS[Role.PURSE])
        try:
            info = PurseSession(connection).select()
            held = HeldCard(reader=READERS[Role.PURSE], channel=connection, info=info)
            money = self._desk.money(amount_minor)
            settled = settle_card(self._desk, held)
            for payment in settle_opens(self._desk, held):
                self._chronicle.say(f"the desk: {payment}")
            done_before = (money, LoadOutcome.COMPLETED) in [
                (earlier.amount, earlier.outcome) for earlier in settled
            ]
            now = self._world.clock()
            if not done_before and not loaded_just_now(
                self._desk, info.card_id, money, now
            ):
                run_load(self._desk, held, money, cast("PINSource", _TypedPIN()))
        finally:
            connection.close()
        self._loaded.add(purse)
        self._chronicle.say(f"the desk: purse {purse + 1} is loaded")

    def _float_minor(self, cid: bytes) -> int:
        assert self._world.bank is not None, "an officer has a bank"
        return self._world.bank.auditor.float_minor(cid)

    def _violation(self, words: str) -> None:
        self._chronicle.violated(words)
