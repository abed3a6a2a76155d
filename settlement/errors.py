"""Everything that can go wrong in settlement, as one tree.

* SettlementError
    * InputError                    what a person typed cannot be used
        * AmountError               ... as an amount (`reason` says why)
        * DeclarationError          ... as a declaration number (`reason` says why)
        * FileMistakesError         ... a file (`mistakes` are all of them)
    * CurrencyError                 unknown currency, or two currencies in one sum
    * MessageError                  bytes from the other end that cannot be trusted
        * MalformedMessageError     not a message of the ISO 8583 profile
        * MessageAuthenticationError  the MAC of a message is wrong
        * DownloadError             what came down is not what the bank published
    * NoAnswerError                 the other end stopped answering
    * BankUnavailableError          the bank's database cannot be used just now
        * CollisionError            ... because another transaction was in the way
    * LedgerError                   a booking that the ledger's rules do not allow
    * StoreError                    the bank's database is missing, damaged or not ours
    * KeyStoreError                 the key store cannot be opened, or lacks a key
    * IssuingError                  the card desk asked for what cannot be done
        * LoadRefusedError          ... a load (`problem` says why)
    * DepositError                  customs' order about a deposit cannot be booked
    * FeeError                      a fee cannot be charged, or is not in the tariff
    * CorrectionError               a correction cannot be proposed or decided
    * StatementError                there is no such account, period or statement
    * HostError                     the host cannot answer calls
    * OfficerError                  who asks is not, or may not, or is locked out
    * DualControlError              two different officers have not decided it
    * BackupError                   a file is no sound backup of a bank

The first branch is a person's, the second and third a peer's; the rest are the
machine's own. Nothing here, and no `repr` here, ever holds a PIN, a key or a full
card number.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AmountError",
    "AmountProblem",
    "BackupError",
    "BankUnavailableError",
    "CollisionError",
    "CorrectionError",
    "CurrencyError",
    "DeclarationError",
    "DeclarationProblem",
    "DepositError",
    "DownloadError",
    "DualControlError",
    "FeeError",
    "FileMistake",
    "FileMistakesError",
    "HostError",
    "InputError",
    "IssuingError",
    "KeyStoreError",
    "LedgerError",
    "LoadProblem",
    "LoadRefusedError",
    "MalformedMessageError",
    "MessageAuthenticationError",
    "MessageError",
    "NoAnswerError",
    "OfficerError",
    "SettlementError",
    "StatementError",
    "StoreError",
]


class SettlementError(Exception):
    """Root of all errors of this package."""


class InputError(SettlementError):
    """A person typed something that cannot be used; nothing has happened yet."""


@unique
class AmountProblem(StrEnum):
    """Why a text is not an amount that can be paid."""

    EMPTY = "empty"
    NOT_A_NUMBER = "not a number"
    GROUPING = "misplaced grouping"
    ZERO = "zero"
    NEGATIVE = "negative"
    TOO_MANY_DECIMALS = "too many decimals"
    TOO_LARGE = "too large"


class AmountError(InputError):
    """A text is not an amount.

    Attributes:
        problem: which rule the text breaks, for screens in other languages.
    """

    def __init__(self, problem: AmountProblem, message: str) -> None:
        super().__init__(message)
        self.problem = problem


@unique
class DeclarationProblem(StrEnum):
    """Why a text is not a declaration number."""

    EMPTY = "empty"
    TOO_SHORT = "too short"
    TOO_LONG = "too long"
    WRONG_CHARACTER = "wrong character"
    WRONG_FORM = "wrong form"


class DeclarationError(InputError):
    """A text is not a declaration number of the form this office uses.

    Attributes:
        problem: which rule the text breaks, for screens in other languages.
    """

    def __init__(self, problem: DeclarationProblem, message: str) -> None:
        super().__init__(message)
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMistake:
    """One thing that is wrong in a file.

    Attributes:
        where: the line or the key; empty for the file as a whole.
        what: is wrong there, and what would be right.
    """

    where: str
    what: str

    def __str__(self) -> str:
        if self.where:
            return f"{self.where}: {self.what}"
        return self.what[:1].upper() + self.what[1:]


class FileMistakesError(InputError):
    """A file cannot be used; nothing of it was.

    Attributes:
        mistakes: all of them, or the first ones of very many.
    """

    def __init__(
        self,
        file: str,
        mistakes: Sequence[FileMistake],
        *,
        left_out: int = 0,
        ending: str,
    ) -> None:
        count = len(mistakes) + left_out
        many = "1 mistake" if count == 1 else f"{count} mistakes"
        lines = [f"'{file}' cannot be used; it has {many}:"]
        lines += [f"  {mistake}." for mistake in mistakes]
        if left_out:
            lines.append(f"  ... and {left_out} more.")
        super().__init__("\n".join([*lines, ending]))
        self.mistakes = tuple(mistakes)


class CurrencyError(SettlementError):
    """A currency is not in the registry, or amounts of two currencies were mixed."""


class MessageError(SettlementError):
    """What arrived from the other end cannot be used; nothing was posted for it."""


class MalformedMessageError(MessageError):
    """Bytes are not a message of the profile of ``docs/iso8583.md``.

    Attributes:
        field: number of the ISO 8583 field concerned, or None.
        tag: the data object within field 48 or 55, or None.
    """

    def __init__(
        self, problem: str, *, field: int | None = None, tag: int | None = None
    ) -> None:
        where = "" if field is None else f" in field {field}"
        if tag is not None:
            where += f", tag {tag:02X}"
        super().__init__(f"the message is not of the profile: {problem}{where}")
        self.problem = problem
        self.field = field
        self.tag = tag


class MessageAuthenticationError(MessageError):
    """The MAC of a message is wrong, at the host: too often in one call."""


class DownloadError(MessageError):
    """What came down cannot be used; what was held before stays in use."""


class NoAnswerError(SettlementError):
    """The bank stopped answering. The batch stays as it is and can be sent again."""


class BankUnavailableError(SettlementError):
    """The bank cannot store anything just now; what was asked is to be asked again."""


class CollisionError(BankUnavailableError):
    """Two transactions were in each other's way, and this one was undone.

    Nothing of it is stored; the same may be tried again at once.
    """


class LedgerError(SettlementError):
    """A booking was asked for that the rules of the ledger do not allow."""


class StoreError(SettlementError):
    """The bank's database is missing, damaged, or of another version."""


class KeyStoreError(SettlementError):
    """The key store cannot be opened, or does not hold the key that is needed."""


class IssuingError(SettlementError):
    """The card desk asked for something that cannot be done; nothing was booked."""


@unique
class LoadProblem(StrEnum):
    """Why the bank does not authorise or settle a load."""

    UNKNOWN_CARD = "unknown card"
    HOTLISTED = "card on the hotlist"
    NOT_AUTHENTIC = "certificate of the card wrong"
    WRONG_CURRENCY = "wrong currency"
    OVER_LIMIT = "balance limit passed"
    FUNDS = "not enough on the account"
    UNSETTLED = "an earlier load is not settled"
    ALREADY_SETTLED = "this load is settled already"
    UNKNOWN_LOAD = "no such load"
    BALANCE_IMPOSSIBLE = "the card holds more than was loaded"


class LoadRefusedError(IssuingError):
    """The bank does not authorise, complete or reverse a load.

    Attributes:
        problem: which rule forbids it.
    """

    def __init__(self, problem: LoadProblem, message: str) -> None:
        super().__init__(message)
        self.problem = problem


class DepositError(SettlementError):
    """An order of customs about a deposit cannot be booked; no money moved."""


class FeeError(SettlementError):
    """A fee cannot be charged, or the tariff not be changed; no money moved."""


class CorrectionError(SettlementError):
    """A correction cannot be proposed or decided; no money moved."""


class StatementError(SettlementError):
    """A statement was asked for that cannot be made; nothing was issued."""


class HostError(SettlementError):
    """The host cannot answer calls; what it has answered before is booked."""


class OfficerError(SettlementError):
    """Who asks is not known, may not do this, or is locked out; nothing was done."""


class DualControlError(SettlementError):
    """What takes two different officers was not decided by two; nothing was done."""


class BackupError(SettlementError):
    """A backup cannot be restored; nothing was."""

    def __init__(self, what: str) -> None:
        """Say what is wrong with it."""
        super().__init__(
            f"{what}. Nothing was restored and no money moved; take another backup"
        )
