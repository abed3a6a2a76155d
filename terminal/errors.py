"""Everything that can go wrong at the counter, as one tree.

* TerminalError
    * ConfigError        the configuration file is not what it should be
    * JournalError       the journal cannot be opened, read or written
        * JournalDamagedError  ... because it is not as it was left; can be rebuilt
        * JournalVersionError  ... because another version of the program wrote it
        * VaultError     ... because its key file cannot be used
            * KeyFileLostError ... because it is missing or damaged
    * AuditFileError     a file of the bank's kept heads is none
    * DownloadStoreError  what came from the bank cannot be written to the disk
    * InputError         what the clerk typed cannot be used
    * CardProblemError   the card cannot be used for this payment; no money moved
    * CounterStateError  the counter was asked for something out of its turn

Declines, busy lines and unknown outcomes are results, not errors. Nothing here, and
no ``repr`` here, ever holds a PIN, a key or a full card number.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique

__all__ = [
    "Advice",
    "AuditFileError",
    "CardProblemCode",
    "CardProblemError",
    "ConfigError",
    "CounterStateError",
    "DownloadStoreError",
    "InputError",
    "InputField",
    "JournalDamagedError",
    "JournalError",
    "JournalVersionError",
    "KeyFileLostError",
    "RenewalError",
    "TerminalError",
    "VaultError",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Three sentences for a person, already in the person's language.

    Attributes:
        happened: what happened, such as "The PIN is wrong; 2 tries are left."
        money: whether money moved, such as "Nothing was taken from the card."
        next_step: what to do now, such as "Enter the PIN again."
    """

    happened: str
    money: str
    next_step: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.happened, self.money, self.next_step))


@unique
class InputField(StrEnum):
    """The field of the payment form that an `InputError` is about."""

    DECLARATION = "declaration"
    AMOUNT = "amount"
    KIND = "kind"


@unique
class CardProblemCode(StrEnum):
    """Why no card can be used for a payment; in no case has money moved."""

    NO_READER = "no-reader"
    NO_CARD = "no-card"
    NO_CUSTOMS_CARD = "no-customs-card"
    FOREIGN_CARD = "foreign-card"
    SWAPPED_READERS = "swapped-readers"
    FOREIGN_CUSTOMS_CARD = "foreign-customs-card"
    NOT_PERSONALISED = "not-personalised"
    BLOCKED = "blocked"
    STOPPED = "stopped"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    OTHER_CURRENCY = "other-currency"
    PIN_BLOCKED = "pin-blocked"
    UNRESOLVED_PAYMENT = "unresolved-payment"
    CUSTOMS_CARD_FULL = "customs-card-full"
    CUSTOMS_CARD_UNUSABLE = "customs-card-unusable"
    CARD_REMOVED = "card-removed"
    OTHER_CARD = "other-card"
    CARD_FAULT = "card-fault"
    DISK_FULL = "disk-full"
    DISK_READ_ONLY = "disk-read-only"
    DISK_NO_PERMISSION = "disk-no-permission"
    DISK_MISSING = "disk-missing"
    DISK_FAILED = "disk-failed"


class TerminalError(Exception):
    """Root of all errors of this package."""


class ConfigError(TerminalError):
    """The configuration file cannot be used.

    Attributes:
        problems: one sentence for each key, naming it, what was found there, and
            what would be right.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class JournalError(TerminalError):
    """The journal cannot be used; no payment may be started without it."""


class JournalDamagedError(JournalError):
    """The journal is not as it was left; it can be rebuilt from the customs card.

    Attributes:
        found: what is wrong with it, as a clause.
    """

    def __init__(self, message: str, found: str) -> None:
        super().__init__(message)
        self.found = found


class JournalVersionError(JournalError):
    """Another version of this program wrote the journal; nothing was changed."""


class VaultError(JournalError):
    """The journal's key file is missing, foreign, readable by others or damaged."""


class KeyFileLostError(VaultError):
    """The journal's key file is missing or is none: what it sealed stays shut."""


class RenewalError(TerminalError):
    """A certificate cannot be asked for or installed; nothing was changed."""


class AuditFileError(TerminalError):
    """A file of kept heads cannot be read, or is none."""


class DownloadStoreError(TerminalError):
    """What came from the bank could not be kept; what was held stays in use.

    Attributes:
        reason: the disk's own words.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"what came from the bank could not be kept: {reason}")
        self.reason = reason


class InputError(TerminalError):
    """What was typed cannot be used; nothing was sent to a card.

    Attributes:
        field: the field to go back to.
        message: what is wrong with it and what would be right, in plain words.
    """

    def __init__(self, field: InputField, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class CardProblemError(TerminalError):
    """A card cannot be used as it is; no money moved.

    Attributes:
        code: what is wrong.
        advice: the same in plain words, with what to do next.
    """

    def __init__(self, code: CardProblemCode, advice: Advice) -> None:
        super().__init__(str(advice))
        self.code = code
        self.advice = advice

    @property
    def message(self) -> str:
        """All of the advice as one text."""
        return str(self.advice)


class CounterStateError(TerminalError):
    """The counter is busy with another call of the same sort, or has been stopped."""
