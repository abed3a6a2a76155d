"""The rules that the database itself enforces, whoever writes to it.

A program that opens the file by hand meets the same rules as this one: nothing stored
is changed or deleted, an entry balances, and only a record whose TAC was verified
becomes a payment.

Each rule is written once, in SQLite's words. `settlement.store.postgres_triggers` puts
it into PostgreSQL's, so a rule keeps to the one form that is read there; its conditions
use only what both databases know, and ``hex(column)``.
What REPLACE could delete and how a leg is kept out of a complete entry differs, and is
written for each.
"""

from __future__ import annotations

from typing import Final

from settlement.store import triggers_requests
from settlement.store.schema_incident_work import INCIDENT_KEYS, INCIDENT_TRIGGERS
from settlement.store.schema_officers import OFFICER_KEYS, OFFICER_TRIGGERS
from settlement.store.schema_suspense import SUSPENSE_KEYS, SUSPENSE_TRIGGERS
from settlement.store.triggers_money import MONEY_REPLACED, MONEY_RULES

__all__ = ["APPEND_ONLY_TABLES", "RULES", "SQLITE_TRIGGERS"]

APPEND_ONLY_TABLES: Final = (
    "account",
    "entry",
    "leg",
    "office",
    "deposit_order",
    "tariff",
    "bank_fee",
    "correction",
    "correction_decision",
    "terminal",
    "certificate",
    "certificate_seen",
    "certificate_revoked",
    "purse",
    "hotlist",
    "published",
    "load",
    "load_outcome",
    "batch",
    "batch_collected",
    "record",
    "staged",
    "staged_batch",
    "payment",
    "open_report",
    "open_record",
    "open_resolution",
    "incident",
    "incident_closed",
    "audit_head",
    "terminal_call",
    "statement",
    *OFFICER_KEYS,
    *INCIDENT_KEYS,
    *SUSPENSE_KEYS,
    *triggers_requests.APPEND_ONLY_TABLES,
)

_KEYS: Final = {
    "account": ("id",),
    "entry": ("id",),
    "office": ("code", "serial"),
    "deposit_order": ("number",),
    "tariff": ("code", "currency", "serial"),
    "bank_fee": ("number",),
    "correction": ("number",),
    "correction_decision": ("number",),
    "payment": ("cid", "otc"),
    "record": ("terminal_id", "mid", "batch", "stan"),
    "staged": ("terminal_id", "mid", "batch", "stan"),
    "staged_batch": ("terminal_id", "mid", "batch"),
    "published": ("kind", "version", "key"),
    "load": ("cid", "ltc"),
    "load_outcome": ("cid", "ltc"),
    "certificate": ("terminal_id", "number"),
    "certificate_seen": ("terminal_id", "number"),
    "certificate_revoked": ("terminal_id", "number"),
    "open_record": ("mid", "tsn"),
    "open_resolution": ("mid", "tsn"),
    "incident_closed": ("incident_id",),
    "audit_head": ("terminal_id", "serial"),
    "terminal_call": ("terminal_id", "serial"),
    "statement": ("number",),
    **OFFICER_KEYS,
    **INCIDENT_KEYS,
    **SUSPENSE_KEYS,
    **triggers_requests.KEYS,
}
"""Rows that INSERT OR REPLACE would delete without running a DELETE trigger."""


def _append_only(table: str, operation: str) -> str:
    return f"""
CREATE TRIGGER {table}_no_{operation.lower()} BEFORE {operation} ON {table}
BEGIN
  SELECT RAISE(ABORT, '{table} is append-only: correct it with a further row');
END"""


def _no_replace(table: str, key: tuple[str, ...]) -> str:
    same = " AND ".join(f"{column} = NEW.{column}" for column in key)
    taken = f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608  our own names
    return f"""
CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {taken}
BEGIN
  SELECT RAISE(ABORT, '{table} is append-only: this key is taken');
END"""


_LEGS_ARE_SEALED: Final = """
CREATE TRIGGER leg_sealed BEFORE INSERT ON leg
WHEN EXISTS (SELECT 1 FROM entry WHERE id = NEW.entry_id)
  OR EXISTS (SELECT 1 FROM leg
             WHERE entry_id = NEW.entry_id AND number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'the entry is complete: no leg can be added');
END"""

_ENTRY_BALANCES: Final = """
CREATE TRIGGER entry_balances BEFORE INSERT ON entry
BEGIN
  SELECT RAISE(ABORT, 'the legs of an entry must balance')
  WHERE COALESCE((SELECT SUM(debit_minor) FROM leg WHERE entry_id = NEW.id), 0)
          <> NEW.amount_minor
     OR COALESCE((SELECT SUM(credit_minor) FROM leg WHERE entry_id = NEW.id), 0)
          <> NEW.amount_minor;
  SELECT RAISE(ABORT, 'the legs of an entry must be of its currency')
  WHERE EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
                WHERE leg.entry_id = NEW.id AND account.currency <> NEW.currency);
END"""

_PAYMENT_ENTRY_HAS_PAYMENT: Final = """
CREATE TRIGGER entry_of_payment BEFORE INSERT ON entry WHEN NEW.kind = 'payment'
BEGIN
  SELECT RAISE(ABORT, 'a payment is posted only on its verified TAC')
  WHERE NOT EXISTS (SELECT 1 FROM payment
                    WHERE cid = NEW.cid AND hex(cid) = NEW.subject
                      AND otc = NEW.number
                      AND amount_minor = NEW.amount_minor
                      AND currency = NEW.currency);
  SELECT RAISE(ABORT, 'a payment is debited to the float of its own purse')
  WHERE NOT EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
                    WHERE leg.entry_id = NEW.id
                      AND leg.debit_minor = NEW.amount_minor
                      AND account.kind = 'purse float'
                      AND account.owner = NEW.subject);
END"""

_LOAD_ENTRY_HAS_LOAD: Final = """
CREATE TRIGGER entry_of_reversal BEFORE INSERT ON entry
WHEN NEW.kind = 'load reversal'
BEGIN
  SELECT RAISE(ABORT, 'a load is reversed only when the purse voided it')
  WHERE NOT EXISTS (SELECT 1 FROM load_outcome AS outcome
                    JOIN load ON load.cid = outcome.cid AND load.ltc = outcome.ltc
                    WHERE outcome.cid = NEW.cid AND hex(outcome.cid) = NEW.subject
                      AND outcome.ltc = NEW.number
                      AND outcome.outcome = 'voided'
                      AND load.amount_minor = NEW.amount_minor);
END"""

_PAYMENT_HAS_VERIFIED_TAC: Final = """
CREATE TRIGGER payment_on_tac BEFORE INSERT ON payment
BEGIN
  SELECT RAISE(ABORT, 'a payment is posted only on its verified TAC')
  WHERE NOT EXISTS (SELECT 1 FROM record
                    WHERE terminal_id = NEW.terminal_id AND mid = NEW.mid
                      AND batch = NEW.batch AND stan = NEW.stan
                      AND cid = NEW.cid AND otc = NEW.otc
                      AND amount_minor = NEW.amount_minor
                      AND evidence = NEW.evidence AND tac = NEW.tac
                      AND tac_verified
                      AND decision IN ('posted', 'held'))
    -- Or its TAC was verified later, with a key that the bank did not have then.
    AND NOT EXISTS (SELECT 1 FROM record
                    JOIN suspense_resolution AS ended
                      ON ended.terminal_id = record.terminal_id
                     AND ended.mid = record.mid AND ended.batch = record.batch
                     AND ended.stan = record.stan
                    WHERE record.terminal_id = NEW.terminal_id
                      AND record.mid = NEW.mid AND record.batch = NEW.batch
                      AND record.stan = NEW.stan
                      AND record.cid = NEW.cid AND record.otc = NEW.otc
                      AND record.amount_minor = NEW.amount_minor
                      AND record.evidence = NEW.evidence AND record.tac = NEW.tac
                      AND record.decision = 'suspended'
                      AND ended.outcome = 'accepted');
END"""

_DELIVERED_HAS_PAYMENT: Final = """
CREATE TRIGGER open_record_delivered BEFORE INSERT ON open_resolution
WHEN NEW.how = 'delivered'
BEGIN
  SELECT RAISE(ABORT, 'an open record is delivered only when its payment is booked')
  WHERE NOT EXISTS (SELECT 1 FROM payment
                    JOIN open_record AS opened
                      ON opened.mid = payment.mid AND opened.tsn = payment.tsn
                     AND opened.cid = payment.cid AND opened.otc = payment.otc
                    WHERE payment.mid = NEW.mid AND payment.tsn = NEW.tsn);
END"""

RULES: Final = (
    *MONEY_RULES,
    _ENTRY_BALANCES,
    _PAYMENT_ENTRY_HAS_PAYMENT,
    _LOAD_ENTRY_HAS_LOAD,
    _PAYMENT_HAS_VERIFIED_TAC,
    _DELIVERED_HAS_PAYMENT,
    *OFFICER_TRIGGERS,
    *INCIDENT_TRIGGERS,
    *SUSPENSE_TRIGGERS,
    *triggers_requests.TRIGGERS,
)
"""What holds for rows that are inserted, in the form that both databases are given."""

SQLITE_TRIGGERS: Final = (
    *(_append_only(table, "UPDATE") for table in APPEND_ONLY_TABLES),
    *(_append_only(table, "DELETE") for table in APPEND_ONLY_TABLES),
    *(_no_replace(table, key) for table, key in _KEYS.items()),
    *MONEY_REPLACED,
    _LEGS_ARE_SEALED,
    *RULES,
)
