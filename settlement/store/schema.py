"""The bank's tables. Every table is append-only, and the database itself sees to it.

There is no mutable row anywhere: what changes is told by a further row (a load gets an
outcome, a batch gets collected, a terminal gets a newer binding). Balances and the
shadow account of a card are derived from these rows and can always be derived again.

===================  ==============================================================
table                key, and what a row says
===================  ==============================================================
account              kind, owner, currency: an account exists
entry, leg           the ledger; the legs of an entry balance
office               code, serial: a customs office, its names from now on
deposit_order        number: customs gave a deposit back, or kept it
tariff               code, currency, serial: what the bank charges from now on
bank_fee             number: was charged, by this line of the tariff
correction           number: one officer proposed it
correction_decision  number: another one approved or rejected it
terminal             terminal, serial: what this terminal is bound to from now on
certificate          terminal, number: issued; in `settlement.store.certificates`
certificate_seen     terminal, number: was used for the first time
certificate_revoked  terminal, number: is not accepted any more
purse                CID: a purse card was issued
hotlist              CID, serial: counters refuse it, payments raise an incident
published            kind, version, key: what counters are told from now on
load, load_outcome   CID, ltc: authorised; and what became of it
batch                terminal, MID, number: opened with this CLOSE data
batch_collected      terminal, MID, number: reconciled, BANK ACK given
record               terminal, MID, batch, STAN: received, judged, answered so
staged               terminal, MID, batch, STAN: received while posting was behind
staged_batch         terminal, MID, number: payments of it were staged
payment              CID, otc: its TAC was verified and it is in the ledger
open_report          terminal, MID, batch, tsn: outcome not known at the counter
open_record          MID, tsn: such a payment, whatever number of batches report it
open_resolution      MID, tsn: what became of it, and how that is known
incident             something for a person to look at
incident_closed      incident: nobody has to look at it any more
incident_evidence    incident, serial: the bytes that it is about
incident_work        incident, serial: whose it is, notes, and how it was resolved
suspense_resolution  record: where money in suspense went, as two officers decided
hotlist_block        listing: the card was blocked, or was found blocked
audit_head           terminal, serial: where its audit log stood
terminal_call        terminal, serial: it has called; in `settlement.store.calls`
statement            number: issued, never regenerated differently
officer              name: may do what the role says; passwords, attempts to sign on
                     and the end of it in ``officer_password``, ``officer_attempt``
                     and ``officer_disabled``
proposal             number: one officer asks for something that takes two
proposal_decision    number: another one approved it, or somebody rejected it
payment_request      number: somebody is asked to pay this
request_event        number, serial: where the request stands from now on
request_payment      CID, otc: this payment named that request
request_decline      terminal, content: a counter told that it will not be paid
request_published    office, version, number: what its counters are told from now on
request_snapshot     office, version: all that they were told then
api_token            number: who may send and ask over HTTP
api_token_revoked    number: may not any more
api_reply            token, key: what was answered to a request of that key
===================  ==============================================================

Times are UTC text of fixed width (``2025-11-22T10:15:00.000000Z``), which sorts, and
which every tool that opens the file can read.
"""

from __future__ import annotations

import sqlalchemy as sa

from settlement.store.postgres_triggers import postgres_triggers
from settlement.store.schema_batches import (
    audit_head,
    batch,
    batch_collected,
    payment,
    record,
    staged,
    staged_batch,
)
from settlement.store.schema_cards import (
    hotlist,
    load,
    load_outcome,
    published,
    purse,
    terminal,
)
from settlement.store.schema_corrections import correction, correction_decision
from settlement.store.schema_deposits import bank_fee, deposit_order, tariff
from settlement.store.schema_incidents import (
    incident,
    incident_closed,
    open_record,
    open_report,
    open_resolution,
)
from settlement.store.schema_ledger import (
    account,
    entry,
    leg,
    statement,
)
from settlement.store.schema_offices import office
from settlement.store.schema_requests import (
    api_reply,
    api_token,
    api_token_revoked,
    payment_request,
    request_decline,
    request_event,
    request_payment,
    request_published,
    request_snapshot,
)
from settlement.store.schema_types import UTCTime, metadata
from settlement.store.triggers import SQLITE_TRIGGERS

__all__ = [
    "UTCTime",
    "account",
    "api_reply",
    "api_token",
    "api_token_revoked",
    "audit_head",
    "bank_fee",
    "batch",
    "batch_collected",
    "correction",
    "correction_decision",
    "deposit_order",
    "entry",
    "hotlist",
    "incident",
    "incident_closed",
    "leg",
    "load",
    "load_outcome",
    "metadata",
    "office",
    "open_record",
    "open_report",
    "open_resolution",
    "payment",
    "payment_request",
    "published",
    "purse",
    "record",
    "request_decline",
    "request_event",
    "request_payment",
    "request_published",
    "request_snapshot",
    "staged",
    "staged_batch",
    "statement",
    "tariff",
    "terminal",
]


@sa.event.listens_for(metadata, "after_create")
def _create_rules(
    _target: object,
    connection: sa.Connection | sa.engine.mock.MockConnection,
    **_options: object,
) -> None:
    """The database's own rules, in the words of its kind."""
    if not isinstance(connection, sa.Connection):
        return  # It only collects the statements for tables.
    if connection.dialect.name == "sqlite":
        statements = SQLITE_TRIGGERS
    else:
        schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())")
        name = str(schema.scalar_one())
        statements = tuple(
            text.replace("{schema}", name) for text in postgres_triggers()
        )
    for text in statements:
        # Without parameters, so that a percent sign is no placeholder.
        connection.exec_driver_sql(text, execution_options={"no_parameters": True})
