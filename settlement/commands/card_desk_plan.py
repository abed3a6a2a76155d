"""What a blank chip is to become: the officer's wishes, checked against the bank."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from card.fci import HOLDER_NAME_BYTES_MAX
from card.keys import PurseKeys
from card.personalisation import CustomsCardData, PurseData
from card.profile import KeyUse, Role
from card.records import mask_card_number
from settlement.commands.card_desk_register import MakingState, RegisteredCard
from settlement.errors import InputError, IssuingError
from settlement.fees import FeeCode, fee_minor
from settlement.ledger import Account
from settlement.money import CURRENCIES, Money, currency_by_number, parse_amount

if TYPE_CHECKING:
    import datetime as dt

    from settlement.commands.card_desk_bank import Desk
    from settlement.money import Currency
    from settlement.store.ledger import AccountRow

__all__ = ["Wishes", "card_data", "plan_card", "refuse_taken"]

_FIRST_NUMBER: Final = 6400_0000_0000_0001
"""Card numbers are 16 decimal digits; the first two tell the issuer."""
_NUMBER: Final = re.compile(r"64[0-9]{14}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line asks of the new card; None where the desk decides."""

    role: Role
    account: str | None
    terminal: str | None
    holder: str | None
    number: str | None
    limit: str
    payment_limit: str | None
    valid_from: dt.date
    expiry: dt.date
    language: str
    with_code: bool


def plan_card(desk: Desk, serial: bytes, wishes: Wishes) -> RegisteredCard:
    """What the chip is to become, checked against the bank; nothing is written yet."""
    if wishes.role is Role.PURSE:
        return _plan_purse(desk, serial, wishes)
    return _plan_customs(desk, serial, wishes)


def _plan_purse(desk: Desk, serial: bytes, wishes: Wishes) -> RegisteredCard:
    assert wishes.account is not None, "the command line was checked"
    row = _account(desk, wishes.account)
    if row is None:
        raise IssuingError(
            f"there is no account {wishes.account}. No card was touched. Open it "
            "first: raseed-bank account open"
        )
    started = desk.register.find_serial(Role.PURSE, serial)
    _require_covered(desk, row)
    currency = currency_by_number(row.account.currency)
    balance_limit, payment_limit = _limits(currency, wishes)
    return RegisteredCard(
        state=MakingState.PENDING,
        role=Role.PURSE,
        card_id=_card_number(desk, wishes, started),
        serial=serial,
        kv=desk.directory.settings.key_version,
        holder=_name(wishes.holder or row.name),
        language=wishes.language,
        valid_from=wishes.valid_from,
        expiry=wishes.expiry,
        balance_limit_minor=balance_limit.amount_minor,
        payment_limit_minor=payment_limit.amount_minor,
        account=wishes.account,
        currency=currency.number,
    )


def _require_covered(desk: Desk, row: AccountRow) -> None:
    """Refuse a card of which the account cannot pay the fee, before it is touched."""
    with desk.store.read() as books:
        fee = fee_minor(books, FeeCode.CARD_ISSUE, row.account.currency)
    if fee > max(row.balance_minor, 0):
        currency = currency_by_number(row.account.currency)
        raise IssuingError(
            f"account {row.account.owner} does not cover the fee for a card, "
            f"{Money(amount_minor=fee, currency=currency)}. No card was touched and no "
            "money moved"
        )


def _account(desk: Desk, number: str) -> AccountRow | None:
    """The account of that number: the bank's own currency before any other."""
    currencies = [desk.directory.currency, *CURRENCIES.values()]
    with desk.store.read() as books:
        found = (
            books.ledger.account(Account.customer(number, currency.number))
            for currency in currencies
        )
        return next((row for row in found if row is not None), None)


def _limits(currency: Currency, wishes: Wishes) -> tuple[Money, Money]:
    """The most that a purse may hold, and the most that one payment may be.

    Raises:
        InputError: one of them is no amount, or the second is more than the first.
    """
    balance_limit = _limit(currency, "--limit", wishes.limit)
    if wishes.payment_limit is None:
        return balance_limit, balance_limit
    payment_limit = _limit(currency, "--payment-limit", wishes.payment_limit)
    if payment_limit.amount_minor > balance_limit.amount_minor:
        raise InputError(
            f"One payment cannot be more than the purse may hold: --payment-limit is "
            f"{payment_limit}, --limit is {balance_limit}. No card was touched and no "
            "money moved. Lower the one or raise the other."
        )
    return balance_limit, payment_limit


def _limit(currency: Currency, option: str, text: str) -> Money:
    try:
        return parse_amount(text, currency)
    except InputError as error:
        raise InputError(
            f"{option} '{text}': {error}. No card was touched and no money moved."
        ) from None


def _plan_customs(desk: Desk, serial: bytes, wishes: Wishes) -> RegisteredCard:
    assert wishes.terminal is not None, "the command line was checked"
    with desk.store.read() as books:
        terminal = books.cards.terminal(wishes.terminal)
    if terminal is None:
        raise IssuingError(
            f"there is no terminal {wishes.terminal}. No card was touched. Admit it "
            "first: raseed-bank terminal add"
        )
    return RegisteredCard(
        state=MakingState.PENDING,
        role=Role.CUSTOMS,
        card_id=terminal.mid,
        serial=serial,
        kv=terminal.kv,
        holder=_name(wishes.holder or f"{terminal.office} CUSTOMS"),
        language=wishes.language,
        valid_from=wishes.valid_from,
        expiry=wishes.expiry,
        account=terminal.terminal_id,
        currency=terminal.currency,
    )


def _card_number(desk: Desk, wishes: Wishes, started: RegisteredCard | None) -> bytes:
    if wishes.number is not None:
        if not _NUMBER.fullmatch(wishes.number):
            raise InputError(
                "A card number is 16 decimal digits that begin with 64. No card was "
                "touched."
            )
        return bytes.fromhex(wishes.number)
    if started is not None:
        return started.card_id
    with desk.store.read() as books:
        numbers = [purse.cid.hex() for purse in books.cards.purses()]
    numbers += desk.register.numbers(Role.PURSE)
    highest = max(
        (int(number) for number in numbers if _NUMBER.fullmatch(number)),
        default=_FIRST_NUMBER - 1,
    )
    return bytes.fromhex(str(highest + 1))


def refuse_taken(desk: Desk, making: RegisteredCard) -> None:
    """Refuse a number that another chip has or may have."""
    known = desk.register.find(making.role, making.card_id)
    taken = known is not None and (
        known.state is MakingState.ISSUED or known.serial != making.serial
    )
    if making.role is Role.PURSE and not taken:
        with desk.store.read() as books:
            taken = books.cards.purse(making.card_id) is not None
    if not taken:
        return
    number = mask_card_number(making.card_id)
    told = (
        f"Card number {number} is taken by another card."
        if making.role is Role.PURSE
        else f"Terminal {making.account} has its customs card {number} already. For a "
        "replacement give it a new id first: raseed-bank terminal add --again"
    )
    raise IssuingError(f"{told} This card was left blank.")


def _name(text: str) -> str:
    if (
        not text.strip()
        or len(text.encode()) > HOLDER_NAME_BYTES_MAX
        or not text.isprintable()
    ):
        raise InputError(
            f"The name on the card has at most {HOLDER_NAME_BYTES_MAX} bytes in UTF-8 "
            f"(a letter of Arabic takes two). No card was touched. Give a shorter one "
            "with --holder."
        )
    return text.strip()


def card_data(
    desk: Desk, making: RegisteredCard, code: bytes | None
) -> PurseData | CustomsCardData:
    """All that goes onto the card, its keys included.

    Args:
        desk: derives the keys.
        making: what it is to become.
        code: its PIN or activation code as a PIN block, or None.

    Raises:
        InputError: a value does not fit on the card; nothing was written.
    """
    try:
        if making.role is Role.CUSTOMS:
            return _customs_data(desk, making, code)
        assert code is not None, "a purse always has a PIN"
        return _purse_data(desk, making, code)
    except ValueError as error:
        raise InputError(f"{error}. No card was touched.") from None


def _purse_data(desk: Desk, making: RegisteredCard, code: bytes) -> PurseData:
    def key(use: KeyUse) -> bytes:
        return desk.keys.card_key(use, making.kv, making.card_id)

    return PurseData(
        card_id=making.card_id,
        currency=making.currency or desk.directory.currency.number,
        valid_from=making.valid_from,
        expiry=making.expiry,
        holder_name=making.holder,
        language=making.language,
        balance_limit_minor=making.balance_limit_minor,
        payment_limit_minor=making.payment_limit_minor,
        keys=PurseKeys(
            kv=making.kv,
            purchase=key(KeyUse.PURCHASE),
            load=key(KeyUse.LOAD),
            transaction_certificate=key(KeyUse.TRANSACTION_CERTIFICATE),
            maintenance=key(KeyUse.MAINTENANCE),
        ),
        pin_block=code,
    )


def _customs_data(
    desk: Desk, making: RegisteredCard, code: bytes | None
) -> CustomsCardData:
    return CustomsCardData(
        card_id=making.card_id,
        currency=making.currency or desk.directory.currency.number,
        valid_from=making.valid_from,
        expiry=making.expiry,
        holder_name=making.holder,
        language=making.language,
        kv=making.kv,
        batch_key=desk.keys.card_key(KeyUse.BATCH, making.kv, making.card_id),
        purchase_masters={
            kv: desk.keys.purchase_master(kv) for kv in desk.keys.key_versions
        },
        activation_block=code,
    )
