"""Everything that can go wrong with a card, as one tree.

* CardError
    * ReaderError              no such reader, reader in use, service not running
    * NoCardError              the reader is there, the card is not
    * OutcomeUnknownError      a command was sent and no answer came back
        * CardRemovedError     ... because the card left the reader
    * StatusError              the card answered a status word that is not expected
        * WrongPINError        ... because the PIN is wrong or has no tries left
    * MalformedResponseError   the answer does not have the shape of the profile
    * AuthenticationError      a cryptogram from the card does not verify
    * ForeignCardError         the card does not carry the wanted application
    * InvalidPINError          what was typed cannot be a PIN; no command was sent

An error carries facts as attributes. Nothing here, and no `repr` here, ever holds a
PIN, a key or a full card number.
"""

from __future__ import annotations

from card.profile import PIN_DIGITS_MAX, PIN_DIGITS_MIN
from card.sw import describe, tries_left

__all__ = [
    "AuthenticationError",
    "CardError",
    "CardRemovedError",
    "ForeignCardError",
    "InvalidPINError",
    "MalformedResponseError",
    "NoCardError",
    "OutcomeUnknownError",
    "ReaderError",
    "StatusError",
    "WrongPINError",
]


class CardError(Exception):
    """Root of all errors of this package."""


class ReaderError(CardError):
    """The reader itself cannot be used; no card command was sent."""


class NoCardError(CardError):
    """There is no card in the reader; no card command was sent."""


class OutcomeUnknownError(CardError):
    """A command left for the card and no answer came: it may have been carried out."""


class CardRemovedError(OutcomeUnknownError):
    """The card left the reader while a command was under way."""


class StatusError(CardError):
    """The card refused a command, or answered what the profile does not foresee.

    Attributes:
        command: name of the command, such as ``"DEBIT"``.
        sw: the status word, SW1 SW2.
    """

    def __init__(self, command: str, sw: int) -> None:
        super().__init__(f"{command} answered {describe(sw)}")
        self.command = command
        self.sw = sw


class WrongPINError(StatusError):
    """The card did not take the PIN.

    Attributes:
        tries_left: how many tries it still allows; 0 when the PIN is blocked.
    """

    def __init__(self, command: str, sw: int) -> None:
        super().__init__(command, sw)
        self.tries_left = tries_left(sw) or 0


class MalformedResponseError(CardError):
    """The bytes of an answer, or of a data object, do not have the profile's shape.

    Attributes:
        what: what was being read, such as ``"INIT PURCHASE response"``.
        offset: index of the first byte that does not fit.
        tag: the data object concerned, or None.
    """

    def __init__(self, what: str, *, offset: int = 0, tag: int | None = None) -> None:
        where = f"offset {offset}" if tag is None else f"tag {tag:02X}, offset {offset}"
        super().__init__(f"{what} is malformed at {where}")
        self.what = what
        self.offset = offset
        self.tag = tag


class AuthenticationError(CardError):
    """A MAC or certificate that a card gave does not verify under its key."""


class ForeignCardError(CardError):
    """SELECT says that the wanted application is not on this card."""


class InvalidPINError(CardError):
    """What was typed cannot be a PIN; no card saw it and no try was spent.

    Attributes:
        problem: ``"length"`` or ``"digits"``; never what was typed.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(f"a PIN has {PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} digits")
        self.problem = problem
