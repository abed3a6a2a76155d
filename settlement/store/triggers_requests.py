"""What the database itself enforces about payment requests.

A request moves only as `settlement.payment_requests.TRANSITIONS` says, one step at a
time, and is paid only by a payment that is posted, at once or out of suspense, and
covers it. SQLite's dialect;
see `settlement.store.triggers`.
"""

from __future__ import annotations

from typing import Final

from settlement.payment_requests import TRANSITIONS

__all__ = ["APPEND_ONLY_TABLES", "KEYS", "TRIGGERS"]

APPEND_ONLY_TABLES: Final = (
    "payment_request",
    "request_event",
    "request_payment",
    "request_decline",
    "request_published",
    "request_snapshot",
    "api_token",
    "api_token_revoked",
    "api_reply",
)

KEYS: Final = {
    "payment_request": ("number",),
    "request_event": ("id",),
    "request_payment": ("cid", "otc"),
    "request_decline": ("terminal_id", "content"),
    "request_published": ("office", "version", "number"),
    "request_snapshot": ("office", "version"),
    "api_token": ("id",),
    "api_token_revoked": ("token_id",),
    "api_reply": ("token_id", "idempotency_key"),
}

_MOVES: Final = " OR ".join(
    f"(state = '{before}' AND NEW.state = '{after}')"
    for before, followers in TRANSITIONS.items()
    for after in sorted(followers)
)

_BEGINS_NEW: Final = """
CREATE TRIGGER request_begins BEFORE INSERT ON request_event WHEN NEW.serial = 1
BEGIN
  SELECT RAISE(ABORT, 'a payment request begins as new')
  WHERE NEW.state <> 'new';
END"""

_MOVES_AS_DOCUMENTED: Final = f"""
CREATE TRIGGER request_moves BEFORE INSERT ON request_event WHEN NEW.serial <> 1
BEGIN
  SELECT RAISE(ABORT, 'a payment request that is not new cannot move any more')
  WHERE NOT EXISTS (SELECT 1 FROM request_event
                    WHERE number = NEW.number AND serial = NEW.serial - 1
                      AND ({_MOVES}));
END"""  # noqa: S608  our own names

_PAID_BY_ITS_PAYMENT: Final = """
CREATE TRIGGER request_paid BEFORE INSERT ON request_event WHEN NEW.state = 'paid'
BEGIN
  SELECT RAISE(ABORT, 'a payment request is paid by a posted payment, in full')
  WHERE NOT EXISTS (SELECT 1 FROM payment
                    JOIN record
                      ON record.terminal_id = payment.terminal_id
                     AND record.mid = payment.mid
                     AND record.batch = payment.batch
                     AND record.stan = payment.stan
                    JOIN payment_request AS request ON request.number = NEW.number
                    WHERE payment.cid = NEW.cid AND payment.otc = NEW.otc
                      AND (record.decision = 'posted'
                        OR record.decision = 'suspended'
                       AND EXISTS (SELECT 1 FROM suspense_resolution AS ended
                                   WHERE ended.terminal_id = record.terminal_id
                                     AND ended.mid = record.mid
                                     AND ended.batch = record.batch
                                     AND ended.stan = record.stan
                                     AND ended.outcome = 'accepted'))
                      AND payment.currency = request.currency
                      AND payment.amount_minor >= request.amount_minor);
END"""

_DECLINED_BY_A_COUNTER: Final = """
CREATE TRIGGER request_declined BEFORE INSERT ON request_event
WHEN NEW.state = 'declined'
BEGIN
  SELECT RAISE(ABORT, 'a payment request is declined by what a counter told')
  WHERE NOT EXISTS (SELECT 1 FROM request_decline
                    WHERE number = NEW.number AND code = '00');
END"""

TRIGGERS: Final = (
    _BEGINS_NEW,
    _MOVES_AS_DOCUMENTED,
    _PAID_BY_ITS_PAYMENT,
    _DECLINED_BY_A_COUNTER,
)
