"""Everything that can go wrong with a card, as one tree.

* CardError
    * ReaderError              no such reader, reader in use, service not running
    * NoCardError              the reader is there, the card is not
    * OutcomeUnknownError      a command was sent and no answer came back
        * CardRemovedError     ... because the card left the reader
    * StatusError              the card answered a status word that is not expected
    * MalformedResponseError   the answer does not have the shape of the profile
    * AuthenticationError      a cryptogram from the card does not verify
    * ForeignCardError         the card does not carry the wanted application

An error carries facts as attributes. Nothing here, and no `repr` here, ever holds a
PIN, a key or a full card number.
"""

from __future__ import annotations

from card.sw import describe

__all__ = [
    "AuthenticationError",
    "CardError",
    "CardRemovedError",
    "ForeignCardError",
    "MalformedResponseError",
    "NoCardError",
    "OutcomeUnknownError",
    "ReaderError",
    "StatusError",
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
