"""How an account is named on a command line, and what a moment is.

===================  ==============================================================
``100200300``        a customer's account, by its number
``revenue:SOHAR``    fees collected for an office
``deposits:SOHAR``   deposits held for an office
``merchant:SOHAR``   purchases collected for an office
``float:CID``        what is held for a card, by its 16 digits
``fees``             what the bank earned
``suspense``         money whose payee is not certain
``clearing``         what the core bank has moved in
===================  ==============================================================

Each has one account for each currency; where there are several, ``--currency`` says
which is meant.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from settlement.errors import InputError
from settlement.ledger import BANK, Account, AccountKind
from settlement.money import CURRENCIES, currency_by_code, currency_by_number
from settlement.statements import BANK_ZONE

if TYPE_CHECKING:
    from settlement.store.books import Books
    from settlement.store.ledger import AccountRow

__all__ = ["account_of", "account_text", "moment", "owner_text"]

_PREFIXES: Final = {
    "revenue": AccountKind.REVENUE,
    "deposits": AccountKind.DEPOSITS,
    "merchant": AccountKind.MERCHANT,
    "float": AccountKind.PURSE_FLOAT,
}
_OF_BANK: Final = {
    "fees": AccountKind.FEES,
    "suspense": AccountKind.SUSPENSE,
    "clearing": AccountKind.CLEARING,
}
_WORDS: Final = {kind: word for word, kind in (_PREFIXES | _OF_BANK).items()}
_DAY_CHARACTERS: Final = 10


def account_of(books: Books, text: str, currency: str | None) -> AccountRow:
    """The account that a person names.

    Args:
        books: the open transaction.
        text: see the head of this module.
        currency: ISO 4217 code, or None where there is only one account of that name.

    Raises:
        InputError: there is none, or there are several.
    """
    kind, owner = _kind_and_owner(text)
    numbers = (
        [one.number for one in CURRENCIES.values()]
        if currency is None
        else [currency_by_code(currency).number]
    )
    found = [
        row
        for number in numbers
        if (
            row := books.ledger.account(
                Account(kind=kind, owner=owner, currency=number)
            )
        )
    ]
    if not found:
        raise InputError(
            f"There is no account {_shown(kind, text)}"
            f"{f' in {currency}' if currency else ''}. Nothing was done and no money "
            "moved. All of them: raseed-bank accounts"
        )
    if len(found) > 1:
        codes = ", ".join(
            currency_by_number(row.account.currency).code for row in found
        )
        raise InputError(
            f"There are accounts {_shown(kind, text)} in {codes}. Nothing was done and "
            "no money moved. Say which with --currency."
        )
    return found[0]


def account_text(account: Account) -> str:
    """An account as `account_of` reads it; a card number is masked."""
    word = _WORDS.get(account.kind)
    if word is None:
        return account.owner
    return word if word in _OF_BANK else f"{word}:{owner_text(account)}"


def owner_text(account: Account) -> str:
    """Who owns an account; a card number is masked."""
    owner = account.owner
    if account.kind is AccountKind.PURSE_FLOAT:
        return f"{owner[:6]}******{owner[-4:]}"
    return owner


def moment(text: str, *, end_of_day: bool) -> dt.datetime:
    """A moment that a person names: a day, or a time with or without its zone.

    A time without a zone is the bank's. A day alone is its first microsecond, or with
    ``end_of_day`` its last one.

    Raises:
        InputError: it is no moment.
    """
    try:
        made = dt.datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"'{text}' is no day or time; write it like 2026-03-04, 2026-03-04T16:30 "
            "or 2026-03-04T12:30:00.000000Z. Nothing was done."
        ) from None
    if made.tzinfo is None:
        made = made.replace(tzinfo=BANK_ZONE)
    if len(text) == _DAY_CHARACTERS and end_of_day:
        made += dt.timedelta(days=1) - dt.timedelta(microseconds=1)
    return made.astimezone(dt.UTC)


def _kind_and_owner(text: str) -> tuple[AccountKind, str]:
    if text in _OF_BANK:
        return _OF_BANK[text], BANK
    word, colon, owner = text.partition(":")
    if colon and word in _PREFIXES:
        return _PREFIXES[word], owner.upper()
    return AccountKind.CUSTOMER, text


def _shown(kind: AccountKind, text: str) -> str:
    return "float of that card" if kind is AccountKind.PURSE_FLOAT else text
