"""Every row of the bank, read once, raw, and verified column by column.

A row whose column has another type, length or range than the bank ever writes, or that
does not make the value it stands for, is told in words and left out. So the other parts
of the check work on sound values, and never meet a surprise.
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from card.errors import CardError
from card.fields import CURRENCY_MAX, UINT4_MAX
from card.records import BatchClose
from settlement.download import DownloadKind
from settlement.download_codec import encode_content, parse_content
from settlement.errors import SettlementError
from settlement.fees import FeeCode
from settlement.ledger import Account, AccountKind, EntryKind
from settlement.messages import BatchHeader, Total
from settlement.money import currency_by_number
from settlement.payment_requests import RequestState
from settlement.store.batches import CollectedRow, OpenRow, open_row
from settlement.store.cards import LoadOutcome, LoadRow, PurseRow
from settlement.store.certificates import certificate_row
from settlement.store.corrections import CorrectionDecision
from settlement.store.deposits import order_row
from settlement.store.heads import kept_head
from settlement.store.incidents import work_row
from settlement.store.opens import resolution_row
from settlement.store.proposals import ProposalDecision, ProposalRow, proposal_row
from settlement.store.records import payment_row, record_row
from settlement.store.requests import request_row
from settlement.store.schema import UTCTime, metadata
from settlement.store.staged import staged_row
from settlement.store.suspense import SuspenseOutcome, SuspenseResolution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from settlement.store.audit import StoredTables
    from settlement.store.records import PaymentRow, RecordRow

__all__ = ["BatchKey", "StoredRows", "batch_key_of", "read_rows"]

BatchKey = tuple[str, bytes, int]
"""Terminal, customs card and number of a batch."""

_BYTE_MAX: Final = 0xFF
_INTEGER_MAX: Final = (1 << 63) - 1
_MAXIMA: Final = {
    "kv": _BYTE_MAX,
    "alg": _BYTE_MAX,
    "currency": CURRENCY_MAX,
    **dict.fromkeys(
        (
            *("otc", "tsn", "ltc", "lsn", "lsn_then", "version"),
            *("batch", "count", "open_count", "entries"),
        ),
        UINT4_MAX,
    ),
    **dict.fromkeys(("card_balance_minor", "balance_after_minor"), UINT4_MAX),
}
"""Largest value of a column; a longer one would not fit into what the cards sign."""
_STORED_AS: Final[dict[type, type]] = {int: int, bool: int, bytes: bytes}
"""How a column of such values is stored; all others are text."""
_ALIKE: Final = frozenset(
    {
        *("cid", "decision", "details", "kind", "memo", "mid", "office", "owner"),
        *("reason", "subject", "terminal_id"),
    }
)
"""Columns whose values are the same in many rows: each value is kept once."""
_CARD_AMOUNTS: Final = frozenset({"load", "record", "payment", "open_report"})
_UNREADABLE: Final = (
    AssertionError,
    AttributeError,
    CardError,
    KeyError,
    OverflowError,
    RecursionError,
    SettlementError,
    TypeError,
    ValueError,
)
"""What making a value of a damaged row can raise."""


@dataclass(slots=True)
class StoredRows:
    """All rows that could be read, and what is wrong with the others.

    ``raw`` holds each table's sound rows; the other attributes are made of them.
    """

    leaves_gaps: bool = False
    problems: list[str] = field(default_factory=list)
    raw: dict[str, list[Any]] = field(default_factory=dict)
    accounts: dict[int, Account] = field(default_factory=dict)
    purses: dict[bytes, PurseRow] = field(default_factory=dict)
    loads: dict[bytes, list[LoadRow]] = field(default_factory=dict)
    batches: dict[BatchKey, BatchHeader] = field(default_factory=dict)
    collected: dict[BatchKey, CollectedRow] = field(default_factory=dict)
    records: dict[tuple[str, bytes, int, int], RecordRow] = field(default_factory=dict)
    staged: dict[tuple[str, bytes, int, int], RecordRow] = field(default_factory=dict)
    payments: dict[tuple[bytes, int], PaymentRow] = field(default_factory=dict)
    by_tsn: dict[tuple[bytes, int], PaymentRow] = field(default_factory=dict)
    by_batch: dict[BatchKey, list[RecordRow]] = field(default_factory=dict)
    by_purse: dict[bytes, list[PaymentRow]] = field(default_factory=dict)
    opens: list[tuple[BatchKey, OpenRow]] = field(default_factory=list)
    reports: dict[tuple[str, bytes, int, int], OpenRow] = field(default_factory=dict)
    proposals: dict[int, ProposalRow] = field(default_factory=dict)
    ended: dict[tuple[str, bytes, int, int], SuspenseResolution] = field(
        default_factory=dict
    )

    def record_of(self, row: PaymentRow) -> RecordRow | None:
        """The record that a payment was posted from, or None when it is gone."""
        return self.records.get((row.terminal_id, row.mid, row.batch, row.stan))

    def end_of(self, row: RecordRow) -> SuspenseResolution | None:
        """How a record in suspense ended, or None."""
        return self.ended.get((row.terminal_id, row.mid, row.batch, row.payment.stan))

    def was_accepted(self, row: RecordRow) -> bool:
        """Whether two officers accepted it when its TAC had verified later."""
        end = self.end_of(row)
        return end is not None and end.outcome is SuspenseOutcome.ACCEPTED

    def is_booked(self, row: RecordRow) -> bool:
        """Whether a record became a payment, at once or later."""
        return row.decision.is_booked or self.was_accepted(row)

    def records_of(self, key: BatchKey) -> list[RecordRow]:
        """All records of a batch in the order of the customs card's credits."""
        found = self.by_batch.get(key, ())
        return sorted(found, key=lambda row: (row.payment.sequence, row.payment.stan))

    def payments_of(self, cid: bytes) -> list[PaymentRow]:
        """All payments of a purse, by otc."""
        return sorted(self.by_purse.get(cid, []), key=lambda row: row.otc)

    def payment_of_customs_card(self, mid: bytes, tsn: int) -> PaymentRow | None:
        """The payment under this number of a customs card, or None."""
        return self.by_tsn.get((mid, tsn))


def batch_key_of(row: Any) -> BatchKey:
    """The batch that a row belongs to."""
    return (row.terminal_id, row.mid, row.batch)


def read_rows(stored: StoredTables) -> StoredRows:
    """Read and verify every row of every table."""
    rows = StoredRows(leaves_gaps=stored.leaves_gaps)
    for name in metadata.tables:
        rows.raw[name] = list(_sound(stored, name, rows.problems))
    _make(rows, "account", lambda row: _add_account(rows, row))
    _make(rows, "entry", lambda row: EntryKind(row.kind))
    _make(rows, "purse", lambda row: _add_purse(rows, row))
    _make(rows, "office", lambda row: currency_by_number(row.currency))
    _make(rows, "deposit_order", order_row)
    _make(rows, "tariff", lambda row: FeeCode(row.code))
    _make(rows, "bank_fee", lambda row: FeeCode(row.code))
    _make(rows, "correction_decision", lambda row: CorrectionDecision(row.decision))
    outcomes = {(row.cid, row.ltc): row for row in rows.raw["load_outcome"]}
    _make(rows, "load", lambda row: _add_load(rows, row, outcomes))
    _make(rows, "batch", lambda row: _add_batch(rows, row))
    _make(rows, "batch_collected", lambda row: _add_collected(rows, row))
    _make(rows, "record", lambda row: _add_record(rows, row))
    _make(rows, "staged", lambda row: _add_staged(rows, row))
    _make(rows, "payment", lambda row: _add_payment(rows, row))
    _make(rows, "open_report", lambda row: _add_open(rows, row))
    _make(rows, "open_resolution", resolution_row)
    _make(rows, "audit_head", kept_head)
    _make(rows, "certificate", certificate_row)
    _make(rows, "published", _read_published)
    _make(rows, "incident_work", work_row)
    decided = {row.number: row for row in rows.raw["proposal_decision"]}
    _make(rows, "proposal", lambda row: _add_proposal(rows, row, decided))
    _make(rows, "suspense_resolution", lambda row: _add_resolution(rows, row))
    _make(rows, "payment_request", _read_request)
    _make(rows, "request_event", lambda row: RequestState(row.state))
    for loads in rows.loads.values():
        loads.sort(key=lambda row: row.ltc)
    return rows


def _sound(stored: StoredTables, name: str, problems: list[str]) -> Iterator[Any]:
    """Rows of a table whose every column is what the bank writes there."""
    columns = list(metadata.tables[name].columns)
    names = [column.name for column in columns]
    # There may be tens of millions: a tuple takes a fifth of an object with a dict.
    row_type: Any = namedtuple("Row", ["row_number", *names])  # type: ignore[misc]
    shared: dict[object, object] = {}
    alike = [at for at, name_ in enumerate(names) if name_ in _ALIKE]
    found, unreadable = stored.rows(name, names)
    problems += unreadable
    for number, values in found:
        try:
            sound = [
                _value(name, column, value)
                for column, value in zip(columns, values, strict=True)
            ]
        except ValueError as error:
            problems.append(f"{name} row {number}: {error}")
            continue
        for at in alike:
            sound[at] = shared.setdefault(sound[at], sound[at])
        yield row_type._make([number, *sound])


def _value(table: str, column: Any, value: object) -> object:
    """A column's value. Raises ValueError with words about what is wrong."""
    if value is None:
        if column.nullable:
            return None
        message = f"{column.name} is missing"
        raise ValueError(message)
    stored_as = _STORED_AS.get(column.type.python_type, str)
    if type(value) is not stored_as:
        found = type(value).__name__
        message = f"{column.name} is stored as {found}, not as {stored_as.__name__}"
        raise ValueError(message)
    if isinstance(value, int):
        return _integer(table, column, value)
    if isinstance(value, bytes) and column.type.length not in {None, len(value)}:
        message = f"{column.name} has {len(value)} bytes, not {column.type.length}"
        raise ValueError(message)
    if isinstance(column.type, UTCTime):
        return _time(column.name, str(value))
    return value


def _integer(table: str, column: Any, value: int) -> int | bool:
    largest = _MAXIMA.get(column.name, _INTEGER_MAX)
    if column.name == "amount_minor" and table in _CARD_AMOUNTS:
        largest = UINT4_MAX
    if column.type.python_type is bool:
        largest = 1
    if not 0 <= value <= largest:
        message = f"{column.name} is {value}, which is never written"
        raise ValueError(message)
    return bool(value) if column.type.python_type is bool else value


@lru_cache(maxsize=4096)
def _time(name: str, text: str) -> datetime:
    message = f"{name} is no time"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(message) from None
    naive = moment.replace(tzinfo=None).isoformat(timespec="microseconds")
    if f"{naive}Z" != text:
        raise ValueError(message)
    return moment


def _make(rows: StoredRows, table: str, make: Callable[[Any], object]) -> None:
    """Make the values of a table; a row that makes none is a problem, and goes."""
    sound = []
    for row in rows.raw[table]:
        try:
            make(row)
        except _UNREADABLE as error:
            # The error's own words could show a card number or a secret.
            kind = type(error).__name__
            text = f"{table} row {row.row_number} makes no sense ({kind})"
            rows.problems.append(text)
        else:
            sound.append(row)
    rows.raw[table] = sound


def _add_proposal(rows: StoredRows, row: Any, decided: dict[int, Any]) -> None:
    made = decided.get(row.number)
    decision = None
    if made is not None:
        if made.digest != row.digest:
            raise ValueError("what was decided is not what was proposed")
        decision = ProposalDecision(
            approved=made.approved,
            officer=made.officer,
            reason=made.reason,
            at=made.at,
        )
    rows.proposals[row.number] = proposal_row(row, decision)


def _add_resolution(rows: StoredRows, row: Any) -> None:
    account = None if row.account_id is None else rows.accounts[row.account_id]
    rows.ended[(*batch_key_of(row), row.stan)] = SuspenseResolution(
        outcome=SuspenseOutcome(row.outcome),
        account=account,
        proposal=row.proposal,
        at=row.at,
    )


def _read_published(row: Any) -> None:
    """An entry that a counter would be told; removed ones only have their key."""
    kind = DownloadKind(row.kind)
    parse_content(kind, encode_content(kind, {row.key: row.value or b""}))


def _read_request(row: Any) -> None:
    """A request as it was sent; its digest is part of what was stored."""
    if request_row(row).content != row.content:
        message = "the request is not the one that its digest was made of"
        raise ValueError(message)


def _add_account(rows: StoredRows, row: Any) -> None:
    currency_by_number(row.currency)
    rows.accounts[row.id] = Account(
        kind=AccountKind(row.kind), owner=row.owner, currency=row.currency
    )


def _add_purse(rows: StoredRows, row: Any) -> None:
    rows.purses[row.cid] = PurseRow(
        cid=row.cid,
        account=rows.accounts[row.account_id],
        holder=row.holder,
        currency=row.currency,
        kv=row.kv,
        balance_limit_minor=row.balance_limit_minor,
        payment_limit_minor=row.payment_limit_minor,
        valid_from=date.fromisoformat(row.valid_from),
        expiry=date.fromisoformat(row.expiry),
    )


def _add_load(
    rows: StoredRows, row: Any, outcomes: dict[tuple[bytes, int], Any]
) -> None:
    settled = outcomes.get((row.cid, row.ltc))
    outcome = None if settled is None else LoadOutcome(settled.outcome)
    balance_after_minor = None if settled is None else settled.balance_after_minor
    if (outcome is LoadOutcome.COMPLETED) is (balance_after_minor is None):
        raise ValueError("a load that is done has its balance, and no other one has")
    made = LoadRow(
        cid=row.cid,
        ltc=row.ltc,
        lid=row.lid,
        lsn=row.lsn,
        amount_minor=row.amount_minor,
        currency=row.currency,
        kv=row.kv,
        card_balance_minor=row.card_balance_minor,
        rc=row.rc,
        m1=row.m1,
        at=row.at,
        outcome=outcome,
        balance_after_minor=balance_after_minor,
        proof=None if settled is None else settled.proof,
    )
    rows.loads.setdefault(row.cid, []).append(made)


def _add_batch(rows: StoredRows, row: Any) -> None:
    rows.batches[batch_key_of(row)] = BatchHeader(
        terminal_id=row.terminal_id,
        office=row.office,
        mid=row.mid,
        currency=row.currency,
        close=BatchClose(
            batch=row.batch,
            count=row.count,
            sum_minor=row.sum_minor,
            open_count=row.open_count,
            open_sum_minor=row.open_sum_minor,
            chain=row.chain,
            mac=row.mac,
        ),
    )


def _add_collected(rows: StoredRows, row: Any) -> None:
    rows.collected[batch_key_of(row)] = CollectedRow(
        ack_mac=row.ack_mac,
        posted=Total(count=row.posted_count, sum_minor=row.posted_minor),
        suspended=Total(count=row.suspended_count, sum_minor=row.suspended_minor),
    )


def _add_record(rows: StoredRows, row: Any) -> None:
    made = record_row(row)
    rows.records[(*batch_key_of(row), row.stan)] = made
    rows.by_batch.setdefault(batch_key_of(row), []).append(made)


def _add_staged(rows: StoredRows, row: Any) -> None:
    rows.staged[(*batch_key_of(row), row.stan)] = staged_row(row)


def _add_payment(rows: StoredRows, row: Any) -> None:
    made = payment_row(row)
    rows.payments[row.cid, row.otc] = made
    rows.by_tsn[row.mid, row.tsn] = made
    rows.by_purse.setdefault(row.cid, []).append(made)


def _add_open(rows: StoredRows, row: Any) -> None:
    made = open_row(row)
    rows.opens.append((batch_key_of(row), made))
    rows.reports[(*batch_key_of(row), row.tsn)] = made
