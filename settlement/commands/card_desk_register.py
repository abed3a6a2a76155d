"""Which chip was, or is being, made into which card.

Personalising takes several commands on the card, and a card can be pulled out after any
of them. So the desk writes down first what it is about to make, as *pending*; then it
personalises; and when the card says that it is active, the bank registers it and the
entry becomes *issued*. Whatever the moment of an interruption:

* a chip that is not active yet is found again by its serial number and gets the same
  card number and not a second one;
* a card that is active while its entry is pending is registered at the bank as soon as
  any desk sees it, before anything else is done with it. It holds no value until then,
  because a load is authorised only for a registered card.

One JSON file for each card in the folders ``cards/pending`` and ``cards/issued`` of the
bank's directory, written atomically; the folder is the state, and where a card is in
both it is issued. No key, no PIN. A file is named after a digest of the card's number:
folders are listed, and names of files are logged, where no card number belongs.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Any, Final, Self

from card.profile import Role
from settlement.bank_config import sync_folder
from settlement.errors import SettlementError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["CardRegister", "CardRegisterError", "MakingState", "RegisteredCard"]

_ID_BYTES: Final = 8
_NAME_BYTES: Final = 16


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
        currency: ISO 4217 number; 0 in entries of earlier versions: the bank's.
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
    currency: int = 0

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
    """All entries; its folders are made when first written to."""

    def __init__(self, bank_directory: Path) -> None:
        """Keep the entries in the folder ``cards`` of the bank's directory."""
        self._folder = bank_directory / "cards"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other desks from choosing a card number at the same time."""
        for state in MakingState:
            (self._folder / state).mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def find(self, role: Role, card_id: bytes) -> RegisteredCard | None:
        """The entry of a card number, or None."""
        for state in (MakingState.ISSUED, MakingState.PENDING):
            path = self._path(state, role, card_id)
            if path.exists():
                return _read(path)
        return None

    def find_serial(self, role: Role, serial: bytes) -> RegisteredCard | None:
        """The pending entry of a chip, or None."""
        for path in sorted((self._folder / MakingState.PENDING).glob(f"{role}-*.json")):
            card = _read(path)
            if card.serial == serial:
                return card
        return None

    def numbers(self, role: Role) -> list[str]:
        """Every card number that was ever noted, in hex."""
        paths = self._folder.glob(f"*/{role}-*.json")
        return [_read(path).card_id.hex().upper() for path in paths]

    def write(self, card: RegisteredCard) -> None:
        """Store an entry durably under its state."""
        path = self._path(card.state, card.role, card.card_id)
        draft = path.with_suffix(".draft")
        with draft.open("w", encoding="utf-8") as file:
            file.write(card.to_json())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)

    def confirm(self, card: RegisteredCard) -> RegisteredCard:
        """Mark a pending entry as issued, which it stays."""
        issued = replace(card, state=MakingState.ISSUED)
        self.write(issued)
        pending = self._path(MakingState.PENDING, card.role, card.card_id)
        pending.unlink(missing_ok=True)
        return issued

    def _path(self, state: MakingState, role: Role, card_id: bytes) -> Path:
        name = hashlib.sha256(card_id).digest()[:_NAME_BYTES].hex()
        return self._folder / state / f"{role}-{name}.json"


def _read(path: Path) -> RegisteredCard:
    try:
        return RegisteredCard.from_json(path.read_text("utf-8"))
    except (ValueError, TypeError, KeyError):
        raise CardRegisterError(
            f"The entry '{path}' of the card register is damaged. No card was touched "
            "and no money moved. Restore the bank's directory from its backup."
        ) from None
