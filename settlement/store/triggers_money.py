"""Rules of offices, deposits, fees and corrections that the database itself enforces.

A part of `settlement.store.triggers`, in the form that is described there. Legs are
there before their entry, so an entry's trigger sees them all.
"""
# ruff: noqa: S608  every name in these statements is one of ours

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from settlement.ledger import AccountKind, EntryKind
from settlement.postings import CORRECTABLE, ENTRY_SIDES

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MONEY_REPLACED", "MONEY_RULES"]


def _listed(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in sorted(values))


def _sides() -> str:
    """One line for each kind of entry: what it may debit, what it may credit."""
    return "\n      OR ".join(
        f"(NEW.kind = '{kind}' AND (leg.debit_minor > 0"
        f" AND account.kind IN ({_listed(debited)})"
        f" OR leg.credit_minor > 0 AND account.kind IN ({_listed(credited)})))"
        for kind, (debited, credited) in ENTRY_SIDES.items()
    )


_OF_OFFICES: Final = _listed(kind for kind in AccountKind if kind.is_of_office)
_ORDERS: Final = _listed([EntryKind.DEPOSIT_REFUND, EntryKind.DEPOSIT_FORFEITURE])

_ENTRY_SIDES: Final = f"""
CREATE TRIGGER entry_sides BEFORE INSERT ON entry
BEGIN
  SELECT RAISE(ABORT, 'this kind of entry does not move money between these accounts')
  WHERE EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
    WHERE leg.entry_id = NEW.id AND NOT (
         {_sides()}));
END"""

_ACCOUNT_HAS_OFFICE: Final = f"""
CREATE TRIGGER account_of_office BEFORE INSERT ON account
WHEN NEW.kind IN ({_OF_OFFICES})
BEGIN
  SELECT RAISE(ABORT, 'an account of an office needs that office, in its currency')
  WHERE NOT EXISTS (SELECT 1 FROM office
                    WHERE code = NEW.owner AND currency = NEW.currency);
END"""

_OFFICE_KEEPS_CURRENCY: Final = """
CREATE TRIGGER office_currency BEFORE INSERT ON office
BEGIN
  SELECT RAISE(ABORT, 'an office keeps its currency')
  WHERE EXISTS (SELECT 1 FROM office
                WHERE code = NEW.code AND currency <> NEW.currency);
END"""

_ORDER_NAMES_PAYMENT: Final = """
CREATE TRIGGER deposit_order_of_payment BEFORE INSERT ON deposit_order
BEGIN
  SELECT RAISE(ABORT, 'an order names the entry of its payment')
  WHERE NOT EXISTS (SELECT 1 FROM entry
                    WHERE id = NEW.origin_id AND kind = 'payment'
                      AND cid = NEW.cid AND number = NEW.otc
                      AND currency = NEW.currency);
END"""

_ORDER_ENTRY: Final = f"""
CREATE TRIGGER entry_of_deposit_order BEFORE INSERT ON entry
WHEN NEW.kind IN ({_ORDERS})
BEGIN
  SELECT RAISE(ABORT, 'a deposit moves only on an order of customs')
  WHERE NOT EXISTS (SELECT 1 FROM deposit_order
                    WHERE number = NEW.number AND action = NEW.kind
                      AND office = NEW.subject AND cid = NEW.cid
                      AND amount_minor = NEW.amount_minor
                      AND currency = NEW.currency);
  SELECT RAISE(ABORT, 'a deposit is taken from the office that holds it')
  WHERE NOT EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
                    WHERE leg.entry_id = NEW.id
                      AND leg.debit_minor = NEW.amount_minor
                      AND account.kind = '{AccountKind.DEPOSITS}'
                      AND account.owner = NEW.subject);
  SELECT RAISE(ABORT, 'a deposit is refunded to the card''s holder')
  WHERE NEW.kind = '{EntryKind.DEPOSIT_REFUND}'
    AND NOT EXISTS (SELECT 1 FROM leg JOIN purse ON purse.account_id = leg.account_id
                    WHERE leg.entry_id = NEW.id AND purse.cid = NEW.cid
                      AND leg.credit_minor = NEW.amount_minor);
  SELECT RAISE(ABORT, 'a deposit is forfeited to the office that held it')
  WHERE NEW.kind = '{EntryKind.DEPOSIT_FORFEITURE}'
    AND NOT EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
                    WHERE leg.entry_id = NEW.id
                      AND leg.credit_minor = NEW.amount_minor
                      AND account.kind = '{AccountKind.REVENUE}'
                      AND account.owner = NEW.subject);
END"""


def _takes_what_is_there(name: str, kinds: str, table: str) -> str:
    """No account gives more than the entries of one origin have brought it."""
    origin = f"(SELECT origin_id FROM {table} WHERE number = NEW.number)"
    return f"""
CREATE TRIGGER {name} BEFORE INSERT ON entry WHEN NEW.kind IN ({kinds})
BEGIN
  SELECT RAISE(ABORT, 'no more can be taken than is left there')
  WHERE EXISTS (SELECT 1 FROM leg AS taken
    WHERE taken.entry_id = NEW.id AND taken.debit_minor > 0 AND taken.debit_minor > (
      SELECT COALESCE(SUM(there.credit_minor - there.debit_minor), 0)
      FROM leg AS there
      WHERE there.account_id = taken.account_id AND there.entry_id IN (
        SELECT {origin}
        UNION SELECT entry.id FROM entry JOIN deposit_order
          ON entry.kind = deposit_order.action
         AND entry.subject = deposit_order.office
         AND entry.number = deposit_order.number
          WHERE deposit_order.origin_id = {origin}
        UNION SELECT entry.id FROM entry JOIN correction
          ON entry.kind = '{EntryKind.CORRECTION}' AND entry.subject = 'bank'
         AND entry.number = correction.number
          WHERE correction.origin_id = {origin}
        UNION SELECT back.id FROM entry AS back JOIN entry AS fee
          ON back.kind = '{EntryKind.FEE_REVERSAL}' AND fee.kind = '{EntryKind.FEE}'
         AND back.subject = fee.subject AND back.number = fee.number
          WHERE fee.id = {origin})));
END"""


_FEE_ENTRY: Final = f"""
CREATE TRIGGER entry_of_fee BEFORE INSERT ON entry WHEN NEW.kind = '{EntryKind.FEE}'
BEGIN
  SELECT RAISE(ABORT, 'a fee is charged once, by the tariff, to the account it names')
  WHERE NOT EXISTS (SELECT 1 FROM bank_fee
                    JOIN leg ON leg.account_id = bank_fee.account_id
                    WHERE bank_fee.number = NEW.number
                      AND bank_fee.amount_minor = NEW.amount_minor
                      AND bank_fee.currency = NEW.currency
                      AND leg.entry_id = NEW.id
                      AND leg.debit_minor = NEW.amount_minor);
END"""

_FEE_BY_TARIFF: Final = """
CREATE TRIGGER fee_by_tariff BEFORE INSERT ON bank_fee
BEGIN
  SELECT RAISE(ABORT, 'a fee is what the tariff says')
  WHERE NOT EXISTS (SELECT 1 FROM tariff
                    WHERE code = NEW.code AND currency = NEW.currency
                      AND serial = NEW.tariff_serial
                      AND amount_minor = NEW.amount_minor);
END"""

_FEE_REVERSAL_ENTRY: Final = f"""
CREATE TRIGGER entry_of_fee_reversal BEFORE INSERT ON entry
WHEN NEW.kind = '{EntryKind.FEE_REVERSAL}'
BEGIN
  SELECT RAISE(ABORT, 'the fee of a load goes back only when the purse voided it')
  WHERE NOT EXISTS (SELECT 1 FROM bank_fee
                    JOIN load_outcome AS outcome
                      ON hex(outcome.cid) = bank_fee.subject
                     AND outcome.ltc = bank_fee.event
                    JOIN leg ON leg.account_id = bank_fee.account_id
                    WHERE bank_fee.number = NEW.number AND bank_fee.code = 'load'
                      AND bank_fee.amount_minor = NEW.amount_minor
                      AND bank_fee.currency = NEW.currency
                      AND outcome.outcome = 'voided'
                      AND leg.entry_id = NEW.id
                      AND leg.credit_minor = NEW.amount_minor);
END"""

_CORRECTION_NAMES_ENTRY: Final = f"""
CREATE TRIGGER correction_of_entry BEFORE INSERT ON correction
BEGIN
  SELECT RAISE(ABORT, 'an entry of this kind is not corrected')
  WHERE NOT EXISTS (SELECT 1 FROM entry
                    WHERE id = NEW.entry_id AND currency = NEW.currency
                      AND kind IN ({_listed(CORRECTABLE)}));
  SELECT RAISE(ABORT, 'a correction names the entry with which the money came')
  WHERE NEW.origin_id <> COALESCE(
    (SELECT earlier.origin_id FROM entry JOIN correction AS earlier
       ON entry.kind = '{EntryKind.CORRECTION}' AND earlier.number = entry.number
      WHERE entry.id = NEW.entry_id),
    (SELECT deposit_order.origin_id FROM entry JOIN deposit_order
       ON deposit_order.action = entry.kind
      AND deposit_order.office = entry.subject
      AND deposit_order.number = entry.number
      WHERE entry.id = NEW.entry_id),
    NEW.entry_id);
END"""

_CORRECTION_BY_OFFICER: Final = """
CREATE TRIGGER correction_by_officer BEFORE INSERT ON correction
BEGIN
  SELECT RAISE(ABORT, 'a correction is asked for by operations or a supervisor')
  WHERE NOT EXISTS (SELECT 1 FROM officer WHERE name = NEW.proposed_by
                    AND role IN ('operations', 'supervisor'));
  SELECT RAISE(ABORT, 'a correction is asked for by an officer who is not disabled')
  WHERE EXISTS (SELECT 1 FROM officer_disabled WHERE name = NEW.proposed_by);
END"""

_CORRECTION_DECIDED_BY_OFFICER: Final = """
CREATE TRIGGER correction_decided_by_officer BEFORE INSERT ON correction_decision
BEGIN
  SELECT RAISE(ABORT, 'a correction is approved by a supervisor')
  WHERE NEW.decision = 'approved'
    AND NOT EXISTS (SELECT 1 FROM officer
                    WHERE name = NEW.decided_by AND role = 'supervisor');
  SELECT RAISE(ABORT, 'a correction is decided by an officer who is not disabled')
  WHERE NOT EXISTS (SELECT 1 FROM officer WHERE name = NEW.decided_by)
     OR EXISTS (SELECT 1 FROM officer_disabled WHERE name = NEW.decided_by);
END"""

_CORRECTION_BY_TWO: Final = """
CREATE TRIGGER correction_by_two BEFORE INSERT ON correction_decision
WHEN NEW.decision = 'approved'
BEGIN
  SELECT RAISE(ABORT, 'nobody approves what he has proposed himself')
  WHERE EXISTS (SELECT 1 FROM correction
                WHERE number = NEW.number
                  AND lower(proposed_by) = lower(NEW.decided_by));
END"""

_CORRECTION_ENTRY: Final = f"""
CREATE TRIGGER entry_of_correction BEFORE INSERT ON entry
WHEN NEW.kind = '{EntryKind.CORRECTION}'
BEGIN
  SELECT RAISE(ABORT, 'a correction is booked only when a second officer approved it')
  WHERE NOT EXISTS (SELECT 1 FROM correction
                    JOIN correction_decision AS decided
                      ON decided.number = correction.number
                    JOIN leg AS debited
                      ON debited.account_id = correction.debit_account_id
                    JOIN leg AS credited
                      ON credited.account_id = correction.credit_account_id
                    WHERE correction.number = NEW.number AND NEW.subject = 'bank'
                      AND decided.decision = 'approved'
                      AND correction.amount_minor = NEW.amount_minor
                      AND correction.currency = NEW.currency
                      AND debited.entry_id = NEW.id
                      AND debited.debit_minor = NEW.amount_minor
                      AND credited.entry_id = NEW.id
                      AND credited.credit_minor = NEW.amount_minor);
END"""


def _once(table: str, *key: str) -> str:
    """INSERT OR REPLACE would delete the row that has the same other key."""
    same = " AND ".join(f"{column} = NEW.{column}" for column in key)
    return f"""
CREATE TRIGGER {table}_once BEFORE INSERT ON {table}
WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})
BEGIN
  SELECT RAISE(ABORT, '{table} is append-only: this was noted already');
END"""


MONEY_RULES: Final = (
    _ENTRY_SIDES,
    _ACCOUNT_HAS_OFFICE,
    _OFFICE_KEEPS_CURRENCY,
    _ORDER_NAMES_PAYMENT,
    _ORDER_ENTRY,
    _takes_what_is_there("entry_takes_deposit", _ORDERS, "deposit_order"),
    _takes_what_is_there(
        "entry_takes_correction", _listed([EntryKind.CORRECTION]), "correction"
    ),
    _FEE_ENTRY,
    _FEE_BY_TARIFF,
    _FEE_REVERSAL_ENTRY,
    _CORRECTION_NAMES_ENTRY,
    _CORRECTION_BY_OFFICER,
    _CORRECTION_DECIDED_BY_OFFICER,
    _CORRECTION_BY_TWO,
    _CORRECTION_ENTRY,
)

MONEY_REPLACED: Final = (
    _once("deposit_order", "office", "order_number"),
    _once("bank_fee", "code", "subject", "event"),
)
"""For SQLite alone: it has REPLACE."""
