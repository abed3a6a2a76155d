"""Which chip was, or is being, made into which card.

Personalising takes several commands on the card, and a card can be pulled out after any
of them. So the desk writes down first what it is about to make, as *pending*, under the
card's number; then it personalises; and when the card says that it is active, the bank
registers it and the entry becomes *issued*. Whatever the moment of an interruption:

* a chip that is not active yet is found again by its serial number and gets the same
  card number and not a second one;
* a card that is active while its entry is pending is registered at the bank as soon as
  any desk sees it, before anything else is done with it. It holds no value until then,
  because a load is authorised only for a registered card.

One JSON file for each card in the folder ``cards`` of the bank's directory, replaced
atomically. No key, no PIN.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Any, Final, Self

from card.profile import Role
from settlement.errors import SettlementError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["CardRegister", "CardRegisterError", "MakingState", "RegisteredCard"]

_ID_BYTES: Final = 8


class CardRegisterError(SettlementError):
    """An entry of the register cannot be read; no card was touched."""


@unique
class MakingState(StrEnum):
    """How far a card is."""

    PENDING = "pending"
    ISSUED = "issued"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredCard:
    """One card that the desk makes or has made.

    Attributes:
        role: purse or customs card.
        card_id: CID or MID, 8 bytes.
        serial: of the chip, 8 bytes.
        kv: key version of its keys.
        holder: name on the card.
        language: ISO 639, two letters.
        valid_from: first day of use.
        expiry: last day of use.
        balance_limit_minor: purse only, else 0; `payment_limit_minor` likewise.
        account: number of the customer's account; for a customs card the terminal's id.
    """

    state: MakingState
    role: Role
    card_id: bytes = field(repr=False)
    serial: bytes
    kv: int
    holder: str
    language: str
    valid_from: date
    expiry: date
    balance_limit_minor: int = 0
    payment_limit_minor: int = 0
    account: str

    def to_json(self) -> str:
        """The entry as it is stored."""
        values = asdict(self)
        values["card_id"] = self.card_id.hex().upper()
        values["serial"] = self.serial.hex().upper()
        values["valid_from"] = self.valid_from.isoformat()
        values["expiry"] = self.expiry.isoformat()
        return json.dumps(values, indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read an entry; ValueError, TypeError or KeyError when it is not one."""
        values: dict[str, Any] = json.loads(text)
        values["state"] = MakingState(values["state"])
        values["role"] = Role(values["role"])
        for name in ("valid_from", "expiry"):
            values[name] = date.fromisoformat(values[name])
        for name in ("card_id", "serial"):
            values[name] = bytes.fromhex(values[name])
            if len(values[name]) != _ID_BYTES:
                raise ValueError(f"{name} is not {_ID_BYTES} bytes")
        return cls(**values)


class CardRegister:
    """All entries; made when first used."""

    def __init__(self, bank_directory: Path) -> None:
        """Keep the entries in the folder ``cards`` of the bank's directory."""
        self._folder = bank_directory / "cards"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other desks from choosing a card number at the same time."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def find(self, role: Role, card_id: bytes) -> RegisteredCard | None:
        """The entry of a card number, or None."""
        path = self._path(role, card_id)
        return _read(path) if path.exists() else None

    def find_serial(self, role: Role, serial: bytes) -> RegisteredCard | None:
        """The pending entry of a chip, or None."""
        for card in self.all():
            wanted = (role, serial, MakingState.PENDING)
            if (card.role, card.serial, card.state) == wanted:
                return card
        return None

    def all(self) -> list[RegisteredCard]:
        """Every entry, by kind and number."""
        return [_read(path) for path in sorted(self._folder.glob("*.json"))]

    def write(self, card: RegisteredCard) -> None:
        """Store an entry durably in place of the one before."""
        path = self._path(card.role, card.card_id)
        draft = path.with_suffix(".draft")
        with draft.open("w", encoding="utf-8") as file:
            file.write(card.to_json())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def confirm(self, card: RegisteredCard) -> RegisteredCard:
        """Mark an entry as issued, which it stays."""
        issued = replace(card, state=MakingState.ISSUED)
        self.write(issued)
        return issued

    def _path(self, role: Role, card_id: bytes) -> Path:
        return self._folder / f"{role}-{card_id.hex().upper()}.json"


def _read(path: Path) -> RegisteredCard:
    try:
        return RegisteredCard.from_json(path.read_text("utf-8"))
    except (ValueError, TypeError, KeyError):
        # The file's name holds a card number and is not repeated.
        raise CardRegisterError(
            f"An entry of the card register in '{path.parent}' is damaged. No card was "
            "touched. Restore the folder from its backup."
        ) from None
