"""The simulated customs card: the merchant's card of card profile 1, complete.

`SimulatedCustomsCard` joins `credits` (payments and open records), `batches` and
`personalisation` over one `CustomsRuntime`. The card never blocks itself; where it was
given an activation code, INIT SAM alone waits for it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from card.profile import CUSTOMS_AID, INS, CardState, Tag
from card.sw import SW
from sim.cards.application import Application, Command, Refused, Row, exactly
from sim.cards.batches import Batches
from sim.cards.credits import Credits
from sim.cards.customs_runtime import CustomsLimits, CustomsRuntime
from sim.cards.personalisation import CustomsPersonalisation

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.cards.memory import Memory

__all__ = ["CustomsLimits", "SimulatedCustomsCard"]

_STANDARD_LIMITS: Final = CustomsLimits()


class SimulatedCustomsCard(Application):
    """A customs card on a memory; `sim.cards.issue` makes memories that hold one."""

    def __init__(
        self,
        memory: Memory,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        limits: CustomsLimits = _STANDARD_LIMITS,
    ) -> None:
        """Power the customs card that ``memory`` holds."""
        self._customs: Final = CustomsRuntime(memory, random_bytes, limits)
        batches = Batches(self._customs)
        super().__init__(
            CUSTOMS_AID,
            self._customs,
            [
                Row(cla=0x00, ins=INS.VERIFY, p2=0x81, lc=exactly(0x08),
                    handler=self._verify),
                *Credits(self._customs, batches).rows(),
                *batches.rows(),
                *CustomsPersonalisation(self._customs).rows(),
            ],
        )  # fmt: skip

    def data_objects(self) -> list[tuple[Tag, bytes]]:
        """C1 to CB without limits; C8 only when there is an activation code."""
        memory = self._customs.memory
        state = (Tag.STATE, bytes((self._customs.life_cycle,)))
        if self._customs.life_cycle is CardState.INITIALISED:
            return [(Tag.CARD_ID, memory.octets("serial")), state]
        code = self._customs.code
        tries = [(Tag.PIN_TRIES_LEFT, bytes((code.tries_left,)))] if code.exists else []
        return [
            (Tag.CARD_ID, self._customs.mid),
            (Tag.CURRENCY, self._customs.currency),
            (Tag.VALID_FROM, memory.octets("valid_from")),
            (Tag.EXPIRY, memory.octets("expiry")),
            state,
            *tries,
            (Tag.KEY_VERSION, bytes((self._customs.key_version,))),
            (Tag.HOLDER_NAME, memory.octets("holder_name")),
            (Tag.LANGUAGE, memory.octets("language")),
        ]

    def _verify(self, command: Command) -> bytes:
        if not self._customs.code.exists:
            raise Refused(SW.CONDITIONS_NOT_SATISFIED)
        self._customs.activated = False
        self._customs.code.verify(command.data)
        self._customs.activated = True
        return b""
