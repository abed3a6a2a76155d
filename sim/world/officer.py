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
from settlement.store.cards import LoadOutcome
from sim.cards.purse_runtime import BALANCE, CARD_ID, CUMULATIVE_DEBIT
from sim.world import words
from sim.world.fate import PowerOffError
from sim.world.readers import READERS, WorldReaders
from sim.world.truth import Truth
from sim.world.world import PIN, PURSES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from settlement.commands.card_desk_bank import Desk, SettledLoad
    from settlement.commands.card_desk_opens import SettledOpen
    from settlement.commands.secret_input import PINSource
    from settlement.money import Money
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
        self._at_desk(purse, amount_minor)

    def recover(self, purse: int) -> None:
        """Settle what was left with a purse: what `raseed-card recover` does."""
        self._chronicle.say(f"purse {purse + 1} is brought to the desk")
        self._at_desk(purse, None)

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
            loaded_minor = self._loaded_minor(place)
            if loaded_minor != PURSES[place].balance_minor + amount_minor:
                self._violation(f"purse {place + 1} has {loaded_minor} loaded")

    def _at_desk(self, purse: int, amount_minor: int | None) -> None:
        """Hold a purse at the desk, and load it where there is an amount."""
        before_minor = self._loaded_minor(purse)
        self._world.readers.remove(Role.PURSE)
        self._readers.insert(Role.PURSE, self._world.purses[purse])
        try:
            self._settle_and_load(purse, amount_minor)
        except SettlementError as error:
            self._chronicle.say(f"the desk: {error}")
            moved_minor = self._loaded_minor(purse) - before_minor
            self._judge(words.lies_of_desk_error(str(error), moved=moved_minor != 0))
        except CardError as error:
            self._chronicle.say(f"the desk's reader: {error}")
        except PowerOffError:
            self._chronicle.say("the desk's computer loses power")
        finally:
            self._world.purses[purse].reset()

    def _settle_and_load(self, purse: int, amount_minor: int | None) -> None:
        connection = self._readers.open_card(READERS[Role.PURSE])
        try:
            info = PurseSession(connection).select()
            held = HeldCard(reader=READERS[Role.PURSE], channel=connection, info=info)
            settled = self._settle(purse, held)
            if amount_minor is not None:
                self._load(held, self._desk.money(amount_minor), settled)
        finally:
            connection.close()
        if amount_minor is not None:
            self._loaded.add(purse)
            self._chronicle.say(f"the desk: purse {purse + 1} is loaded")

    def _settle(self, purse: int, held: HeldCard) -> list[SettledLoad]:
        settled = settle_card(self._desk, held)
        for load in settled:
            self._chronicle.say(f"the desk: {load}")
            has_it = self._loaded_minor(purse) != PURSES[purse].balance_minor
            amount = words.money_words(load.amount.amount_minor)
            self._judge(words.lies_of_desk(str(load), amount, is_so=has_it))
        for payment in settle_opens(self._desk, held):
            self._chronicle.say(f"the desk: {payment}")
            minor = payment.amount.amount_minor
            debited = self._debited(held.info.card_id, payment)
            if payment.debited is not None and payment.debited is not debited:
                self._violation(f"the desk says otherwise than the purse: {payment}")
            amount = words.money_words(minor)
            self._judge(words.lies_of_desk(str(payment), amount, is_so=debited))
        return settled

    def _load(
        self, held: HeldCard, money: Money, settled: Sequence[SettledLoad]
    ) -> None:
        done_before = (money, LoadOutcome.COMPLETED) in [
            (earlier.amount, earlier.outcome) for earlier in settled
        ]
        now = self._world.clock()
        card_id = held.info.card_id
        if not done_before and not loaded_just_now(self._desk, card_id, money, now):
            run_load(self._desk, held, money, cast("PINSource", _TypedPIN()))

    def _debited(self, cid: bytes, payment: SettledOpen) -> bool:
        """Whether the purse was debited for what the desk speaks of."""
        at = payment.at.strftime("%Y%m%d%H%M%S")
        return Truth(self._world).is_debited(cid, at, payment.amount.amount_minor)

    def _loaded_minor(self, purse: int) -> int:
        """All that was ever loaded onto a purse."""
        memory = self._world.purses[purse].memory
        return memory.integer(BALANCE) + memory.integer(CUMULATIVE_DEBIT)

    def _judge(self, lies: Iterable[str]) -> None:
        for lie in lies:
            self._violation(f"the desk's words are wrong: {lie}")

    def expect_opens_settled(self) -> None:
        """In a healed world, after the last end of day, the bank knows what is open.

        What no card holds open any more was delivered, or was never debited: that the
        bank learns from the card's next payment or at the desk.
        """
        truth = Truth(self._world)
        told = truth.reported_opens
        waiting = {one for one, debited in told.items() if debited is None}
        for one in set(truth.opens) - set(told):
            self._violation(f"the bank never heard of what is open: {one}")
        for one in waiting - set(truth.opens):
            if one in truth.debits:
                self._violation(f"the bank wonders about what it has: {one}")

    def _float_minor(self, cid: bytes) -> int:
        assert self._world.bank is not None, "an officer has a bank"
        return self._world.bank.auditor.float_minor(cid)

    def _violation(self, words: str) -> None:
        self._chronicle.violated(words)
