"""What the parts of the purse share: keys, balance, PIN, session, failed MACs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias

from card.profile import CardState
from card.sw import SW
from sim.cards.application import STATE, Refused, Runtime
from sim.cards.pin import SecretCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.cards.memory import Changes, Memory

__all__ = ["LoadSession", "PurchaseSession", "PurseRuntime", "Session"]

FAILED_MACS_MAX: Final = 10
"""MAC1 and M2 failures in a row that block the purse."""

CARD_ID: Final = "card_id"
CURRENCY: Final = "currency"
KEY_VERSION: Final = "kv"
KEY_PURCHASE: Final = "key.purchase"
KEY_LOAD: Final = "key.load"
KEY_CERTIFICATE: Final = "key.certificate"
KEY_MAINTENANCE: Final = "key.maintenance"
BALANCE: Final = "balance"
BALANCE_LIMIT: Final = "limit.balance"
PAYMENT_LIMIT: Final = "limit.payment"
NEXT_OTC: Final = "otc"
NEXT_LTC: Final = "ltc"
CUMULATIVE_DEBIT: Final = "cumulative_debit"
FAILED_MACS: Final = "failed_macs"
FIRST_VALUES: Final[dict[str, int]] = {
    BALANCE: 0,
    NEXT_OTC: 1,
    NEXT_LTC: 1,
    CUMULATIVE_DEBIT: 0,
    FAILED_MACS: 0,
}
"""What a purse begins its life with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseSession:
    """What INIT PURCHASE agreed, until the next DEBIT."""

    otc: int
    amount: int
    mid: bytes
    digest: bytes
    challenge: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSession:
    """What INIT LOAD agreed, until the next CREDIT LOAD."""

    ltc: int
    amount: int
    lid: bytes
    challenge: bytes = field(repr=False)


Session: TypeAlias = PurchaseSession | LoadSession


class PurseRuntime(Runtime):
    """The purse while it has power."""

    def __init__(self, memory: Memory, random_bytes: Callable[[int], bytes]) -> None:
        super().__init__(memory, random_bytes)
        self.pin: Final = SecretCode(memory, "pin")
        self.pin_verified = False
        self.session: Session | None = None

    @property
    def card_id(self) -> bytes:
        """The CID, 8 bytes."""
        return self.memory.octets(CARD_ID)

    @property
    def balance(self) -> int:
        """Value on the card, in minor units."""
        return self.memory.integer(BALANCE)

    def forget(self) -> None:
        """Drop what a SELECT drops: challenge, session and PIN."""
        super().forget()
        self.session = None
        self.pin_verified = False

    def end_session(self) -> None:
        """No DEBIT or CREDIT LOAD follows without another INIT."""
        self.session = None

    def take_session(self) -> tuple[Session | None, bool]:
        """End session and PIN, as DEBIT and CREDIT LOAD do first; return them."""
        taken = self.session, self.pin_verified
        self.session = None
        self.pin_verified = False
        return taken

    def require_unblocked(self) -> None:
        """6A81 when the application is blocked."""
        if self.life_cycle is CardState.BLOCKED:
            raise Refused(SW.APPLICATION_BLOCKED)

    def require_pin(self) -> None:
        """6982 when the PIN was not verified."""
        if not self.pin_verified:
            raise Refused(SW.PIN_NEEDED)

    def require_key_version(self, kv: bytes) -> None:
        """6A88 when the purse's keys are of another version."""
        if kv[0] != self.memory.integer(KEY_VERSION):
            raise Refused(SW.NO_KEY_VERSION)

    def refuse_mac(self) -> NoReturn:
        """Count a wrong MAC1 or M2 durably, block at the tenth, and answer 9302."""
        failures = self.memory.integer(FAILED_MACS) + 1
        changes: Changes = {FAILED_MACS: failures}
        if failures >= FAILED_MACS_MAX:
            changes[STATE] = CardState.BLOCKED
        self.memory.commit(changes)
        raise Refused(SW.MAC_WRONG)

    def accept_mac(self) -> Changes:
        """What a good MAC changes; goes into the commit of the command."""
        return {FAILED_MACS: 0} if self.memory.integer(FAILED_MACS) else {}

    def refuse_after_mac(self, sw: SW) -> NoReturn:
        """Refuse a command whose MAC was good: the count is cleared all the same."""
        changes = self.accept_mac()
        if changes:
            self.memory.commit(changes)
        raise Refused(sw)
