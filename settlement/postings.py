"""Entries of what happens after a payment: deposits, bank fees, corrections.

`settlement.ledger` has those of loads and payments. Here, too, is which kinds of
account each kind of entry may debit and credit (`ENTRY_SIDES`): the database's triggers
and the check are both made from that table.

The *origin* of an entry is the entry with which its money came: of a refund the
payment, of a correction the origin of what it corrects, of all others the entry itself.
All entries of one origin together never take more from an account than they brought.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from settlement.ledger import (
    BANK,
    Account,
    AccountKind,
    Entry,
    EntryKind,
    Source,
    move_entry,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = [
    "CORRECTABLE",
    "ENTRY_SIDES",
    "correction_entry",
    "deposit_order_entry",
    "fee_entry",
    "fee_reversal_entry",
]

_CORRECTED: Final = frozenset(
    {
        AccountKind.CUSTOMER,
        AccountKind.REVENUE,
        AccountKind.DEPOSITS,
        AccountKind.MERCHANT,
        AccountKind.FEES,
    }
)

ENTRY_SIDES: Final[
    Mapping[EntryKind, tuple[frozenset[AccountKind], frozenset[AccountKind]]]
] = MappingProxyType(
    {
        EntryKind.OPENING: (
            frozenset({AccountKind.CLEARING}),
            frozenset({AccountKind.CUSTOMER}),
        ),
        EntryKind.DEPOSIT: (
            frozenset({AccountKind.CLEARING}),
            frozenset({AccountKind.CUSTOMER}),
        ),
        EntryKind.LOAD: (
            frozenset({AccountKind.CUSTOMER}),
            frozenset({AccountKind.PURSE_FLOAT}),
        ),
        EntryKind.LOAD_REVERSAL: (
            frozenset({AccountKind.PURSE_FLOAT}),
            frozenset({AccountKind.CUSTOMER}),
        ),
        EntryKind.PAYMENT: (
            frozenset({AccountKind.PURSE_FLOAT}),
            frozenset(
                {
                    AccountKind.REVENUE,
                    AccountKind.DEPOSITS,
                    AccountKind.MERCHANT,
                    AccountKind.SUSPENSE,
                }
            ),
        ),
        EntryKind.DEPOSIT_REFUND: (
            frozenset({AccountKind.DEPOSITS}),
            frozenset({AccountKind.CUSTOMER}),
        ),
        EntryKind.DEPOSIT_FORFEITURE: (
            frozenset({AccountKind.DEPOSITS}),
            frozenset({AccountKind.REVENUE}),
        ),
        EntryKind.FEE: (
            frozenset({AccountKind.CUSTOMER}),
            frozenset({AccountKind.FEES}),
        ),
        EntryKind.FEE_REVERSAL: (
            frozenset({AccountKind.FEES}),
            frozenset({AccountKind.CUSTOMER}),
        ),
        EntryKind.SUSPENSE: (
            frozenset({AccountKind.SUSPENSE}),
            frozenset(
                {
                    AccountKind.REVENUE,
                    AccountKind.DEPOSITS,
                    AccountKind.MERCHANT,
                    AccountKind.CUSTOMER,
                }
            ),
        ),
        EntryKind.CORRECTION: (_CORRECTED, _CORRECTED | {AccountKind.CLEARING}),
    }
)
"""The kinds of account that an entry of each kind may debit, and may credit.

A correction never touches a purse float, which is what the card's certificates say it
is, nor suspense, which is resolved by its own rules.
"""

CORRECTABLE: Final = frozenset(
    {
        EntryKind.OPENING,
        EntryKind.DEPOSIT,
        EntryKind.PAYMENT,
        EntryKind.SUSPENSE,
        EntryKind.DEPOSIT_REFUND,
        EntryKind.DEPOSIT_FORFEITURE,
        EntryKind.FEE,
        EntryKind.CORRECTION,
    }
)
"""Kinds of entry that a correction may name; loads are settled by the card itself."""


def deposit_order_entry(
    *,
    source: Source,
    payee: Account,
    amount_minor: int,
    order_number: str,
    declaration: str,
    booked_at: datetime,
) -> Entry:
    """A deposit that customs gave back or kept, wholly or in part.

    Args:
        source: its kind is `EntryKind.DEPOSIT_REFUND` or
            `EntryKind.DEPOSIT_FORFEITURE`, its subject the office whose deposits
            account holds it, its number the bank's own number of the order, its card
            the one that had paid.
        payee: the account of the card's holder, or the revenue account of that office.
        amount_minor: in minor units.
        order_number: customs' number of the order, for the statement.
        declaration: what had been paid for, likewise; empty when it is not known.
        booked_at: the bank's time, aware UTC.
    """
    held = Account(
        kind=AccountKind.DEPOSITS, owner=source.subject, currency=payee.currency
    )
    return move_entry(
        source,
        (held, payee),
        amount_minor,
        booked_at,
        memo=f"order {order_number} {declaration}".strip(),
    )


def fee_entry(
    *,
    number: int,
    account: Account,
    amount_minor: int,
    code: str,
    booked_at: datetime,
) -> Entry:
    """A fee that the bank charges: customer to bank fees.

    Args:
        number: the bank's own number of the fee.
        account: who pays it.
        amount_minor: in minor units.
        code: what for, for the statement.
        booked_at: the bank's time, aware UTC.
    """
    return move_entry(
        Source(kind=EntryKind.FEE, subject=account.owner, number=number),
        (account, Account.bank_fees(account.currency)),
        amount_minor,
        booked_at,
        memo=f"{code} fee",
    )


def fee_reversal_entry(
    *,
    number: int,
    account: Account,
    amount_minor: int,
    code: str,
    booked_at: datetime,
) -> Entry:
    """The fee of a load that the card never took: bank fees back to customer."""
    return move_entry(
        Source(kind=EntryKind.FEE_REVERSAL, subject=account.owner, number=number),
        (Account.bank_fees(account.currency), account),
        amount_minor,
        booked_at,
        memo=f"{code} fee",
    )


def correction_entry(
    *,
    number: int,
    debited: Account,
    credited: Account,
    amount_minor: int,
    entry_id: int,
    booked_at: datetime,
) -> Entry:
    """What puts an earlier entry right.

    Args:
        number: the bank's own number of the correction.
        debited: where the money lies wrongly.
        credited: where it belongs.
        amount_minor: in minor units.
        entry_id: the entry that was wrong, for the statement.
        booked_at: the bank's time, aware UTC.
    """
    return move_entry(
        Source(kind=EntryKind.CORRECTION, subject=BANK, number=number),
        (debited, credited),
        amount_minor,
        booked_at,
        memo=f"of entry {entry_id}",
    )
