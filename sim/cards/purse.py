"""The simulated purse: the customer's card of card profile 1, complete.

`SimulatedPurse` joins the parts: PIN commands here, `purchases`, `loads`,
`maintenance` and `personalisation` beside it, all over one `PurseRuntime`.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from card.profile import INS, PURSE_AID, CardState, Tag
from sim.cards import purse_runtime as names
from sim.cards.application import PROTECTED, Application, Command, Row, exactly
from sim.cards.loads import Loads
from sim.cards.maintenance import Maintenance
from sim.cards.personalisation import PursePersonalisation
from sim.cards.pin import PIN_BLOCK_BYTES
from sim.cards.purchases import Purchases
from sim.cards.purse_runtime import PurseRuntime
from sim.cards.records import u32

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.cards.memory import Memory

__all__ = ["SimulatedPurse"]


class SimulatedPurse(Application):
    """A purse on a memory; `sim.cards.issue` makes memories that hold one."""

    def __init__(
        self, memory: Memory, random_bytes: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        """Power the purse that ``memory`` holds; ``random_bytes`` makes every Rc."""
        self._purse: Final = PurseRuntime(memory, random_bytes)
        personalisation = PursePersonalisation(self._purse)
        super().__init__(
            PURSE_AID,
            self._purse,
            [
                *self._pin_rows(),
                *Purchases(self._purse).rows(),
                *Loads(self._purse).rows(),
                *Maintenance(self._purse).rows(),
                *personalisation.rows(),
            ],
        )

    def data_objects(self) -> list[tuple[Tag, bytes]]:
        """C1 to CB; in state 01 only the chip's serial number and the state."""
        memory = self._purse.memory
        state = (Tag.STATE, bytes((self._purse.life_cycle,)))
        if self._purse.life_cycle is CardState.INITIALISED:
            return [(Tag.CARD_ID, memory.octets("serial")), state]
        return [
            (Tag.CARD_ID, self._purse.card_id),
            (Tag.CURRENCY, memory.octets(names.CURRENCY)),
            (Tag.VALID_FROM, memory.octets("valid_from")),
            (Tag.EXPIRY, memory.octets("expiry")),
            state,
            (Tag.BALANCE_LIMIT, u32(memory.integer(names.BALANCE_LIMIT))),
            (Tag.PAYMENT_LIMIT, u32(memory.integer(names.PAYMENT_LIMIT))),
            (Tag.PIN_TRIES_LEFT, bytes((self._purse.pin.tries_left,))),
            (Tag.KEY_VERSION, bytes((memory.integer(names.KEY_VERSION),))),
            (Tag.HOLDER_NAME, memory.octets("holder_name")),
            (Tag.LANGUAGE, memory.octets("language")),
        ]

    def _classes(self) -> frozenset[int]:
        return super()._classes() | {PROTECTED}

    def _pin_rows(self) -> list[Row]:
        return [
            Row(cla=0x00, ins=INS.VERIFY, p2=0x80, lc=exactly(0x08),
                handler=self._verify),
            Row(cla=0x00, ins=INS.CHANGE_PIN, p2=0x80, lc=exactly(0x10),
                handler=self._change_pin),
            Row(cla=0x80, ins=INS.GET_BALANCE, p2=0x02, handler=self._balance),
        ]  # fmt: skip

    def _verify(self, command: Command) -> bytes:
        self._purse.pin_verified = False
        self._purse.require_unblocked()
        self._purse.pin.verify(command.data)
        self._purse.pin_verified = True
        return b""

    def _change_pin(self, command: Command) -> bytes:
        self._purse.pin_verified = False
        self._purse.require_unblocked()
        old, new = command.data[:PIN_BLOCK_BYTES], command.data[PIN_BLOCK_BYTES:]
        self._purse.pin.verify(old, new)
        self._purse.memory.commit(self._purse.pin.set_to(new))
        return b""

    def _balance(self, _command: Command) -> bytes:
        return u32(self._purse.balance)
