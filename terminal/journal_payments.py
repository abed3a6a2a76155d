"""The payments of the journal: where each stands, and what proves it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

from card.records import DebitProof, mask_card_number
from settlement.payment import STAN_MAX
from terminal.entries import (
    TRANSITIONS,
    Begun,
    Credited,
    Debited,
    Entry,
    Intent,
    JournalPayment,
    LeftToBank,
    NotDebited,
    Opened,
    OutcomeLost,
    PaymentState,
    PaymentStep,
    ProofRefused,
    RefusedEntry,
)
from terminal.record_codec import (
    details_from_json,
    details_to_json,
    open_opened,
    open_proof,
    seal_opened,
    seal_proof,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from card.records import CreditedRecord, TransactionRecord
    from terminal.entries import Recalled
    from terminal.journal_rows import Row, Rows
    from terminal.vault import Vault

__all__ = ["PaymentBook"]

# Written out, not bound: only so does SQLite see that the partial index serves.
_IS_UNFINISHED: Final = "state NOT IN ('credited', 'refused', 'not-debited')"
_NEWS_WAITING: Final = "before all was told"
_IS_UNTOLD: Final = (
    "number IN (SELECT payment FROM events WHERE id >= coalesce("  # noqa: S608  our own names
    "(SELECT max(id) FROM events WHERE kind IN ('intended', 'stopped') "
    f"AND detail <> '{_NEWS_WAITING}'), "
    "(SELECT min(id) FROM events WHERE kind = 'intended'), 0))"
)
_NEXT_RECEIPT: Final = (
    "(SELECT max(coalesce(max(receipt), 0), ?) + 1 FROM payments AS other)"
)
"""Its one value: receipt numbers up to which are another journal's."""
_NEXT_POSITION: Final = (
    "(SELECT coalesce(max(position), 0) + 1 FROM payments AS other "
    "WHERE other.customs_ref = payments.customs_ref AND other.batch = ?)"
)
_NO_MAC2: Final = bytes(8)
"""MAC2 of a proof read back from the customs card, which needs it no more."""
_NO_RC: Final = bytes(8)
_Step: TypeAlias = tuple[PaymentState, str, tuple[object, ...]]
"""The new state, what to set beside it, and the values for that."""


class PaymentBook:
    """All payments of one journal."""

    def __init__(self, rows: Rows, vault: Vault) -> None:
        """Keep payments in ``rows``, their card records sealed by ``vault``."""
        self._rows = rows
        self._vault = vault
        self._recall: Callable[[TransactionRecord], Recalled | None] = lambda _: None
        # A journal made anew after a loss must not give the STANs of the lost one to
        # other payments of a batch that was sent in part.
        start = vault.card_reference(b"first STAN")
        self._stan_start = int.from_bytes(start, "big") % STAN_MAX

    def intend(self, intent: Intent, at: datetime, *, all_told: bool) -> int:
        """Write down that a payment is about to be started.

        Args:
            intent: what is about to be paid.
            at: now.
            all_told: whether the clerk was told how every earlier payment ended; if
                not, `untold` goes on naming those.

        Returns:
            Its payment number; its STAN goes up with it.
        """
        with self._rows.transaction():
            number = self._next_number()
            self._insert(number, PaymentState.INTENDED, intent, at)
            detail = "" if all_told else _NEWS_WAITING
            self._rows.event("intended", at, payment=number, detail=detail)
        return number

    def write(self, number: int, entry: Entry, at: datetime) -> None:
        """Write one step of payment ``number``.

        Raises:
            JournalError: it could not be written; no further card command may follow.
        """
        with self._rows.transaction():
            kind, detail = self._apply(number, entry)
            self._rows.event(kind, at, payment=number, detail=detail)

    def get(self, number: int) -> JournalPayment:
        """One payment by its number."""
        (payment,) = self._select("number = ?", (number,))
        return payment

    def unfinished(self) -> list[JournalPayment]:
        """Payments whose end is still open, oldest first."""
        return self._select(_IS_UNFINISHED, ())

    def untold(self) -> list[JournalPayment]:
        """Payments of which the clerk may not know how they stand, oldest first.

        Who asks for a payment, or stops the program, has seen how the one before ended.
        What happened to any payment since then may not have reached the screen.
        """
        return self._select(_IS_UNTOLD, ())

    def unfinished_at(self, mid: bytes) -> list[JournalPayment]:
        """The same, begun with one customs card (MID, 8 bytes) only."""
        reference = self._vault.card_reference(mid)
        return self._select(f"{_IS_UNFINISHED} AND customs_ref = ?", (reference,))

    def unfinished_elsewhere(self, mid: bytes) -> frozenset[int]:
        """Numbers of those begun with any other customs card than ``mid`` (8 bytes)."""
        sql = f"SELECT number FROM payments WHERE {_IS_UNFINISHED} AND customs_ref != ?"  # noqa: S608  our own names
        found = self._rows.query(sql, (self._vault.card_reference(mid),))
        return frozenset(int(row["number"]) for row in found)

    def unfinished_of(self, card_id: bytes) -> list[JournalPayment]:
        """The same, of one purse (CID, 8 bytes) only."""
        reference = self._vault.card_reference(card_id)
        return self._select(f"{_IS_UNFINISHED} AND card_ref = ?", (reference,))

    def credited_in(self, mid: bytes, batch: int) -> list[JournalPayment]:
        """Credited payments of one batch in the order of their credits."""
        values = (self._vault.card_reference(mid), batch)
        where = "customs_ref = ? AND batch = ? AND position IS NOT NULL"
        return self._select(where, values, order="position")

    def of_record(self, tx: TransactionRecord) -> JournalPayment | None:
        """The payment that a customs card's record belongs to, by MID and tsn."""
        values = (self._vault.card_reference(tx.mid), tx.tsn)
        found = self._select("customs_ref = ? AND tsn = ?", values)
        return found[0] if found else None

    def recall(self, recall: Callable[[TransactionRecord], Recalled | None]) -> None:
        """From now on ask ``recall`` about each record that is not known here."""
        self._recall = recall

    def adopt(
        self, tx: TransactionRecord, *, kv: int, rc: bytes, batch: int, at: datetime
    ) -> int:
        """Take in an open record of a customs card that this journal does not know.

        Returns:
            The payment number that it gets here.
        """
        with self._rows.transaction():
            return self._adopt(tx, kv=kv, rc=rc, batch=batch, at=at)

    def place(self, credited: Sequence[CreditedRecord], at: datetime) -> None:
        """Make the journal agree with the credits that a customs card read out.

        What the card says it credited is credited; records that this journal does not
        know are taken in without details.

        Args:
            credited: all of its READ CREDITED answers, in the card's order.
            at: now.
        """
        with self._rows.transaction():
            before = {
                int(row["number"])
                for mid, batch in {(record.tx.mid, record.batch) for record in credited}
                for row in self._placed_in(mid, batch)
            }
            positions: Counter[int] = Counter()
            confirmed = set()
            for record in credited:
                positions[record.batch] += 1
                confirmed.add(self._place(record, positions[record.batch], at))
            for number in sorted(before - confirmed):
                # Whatever the card does not confirm must not keep a place there.
                sql = "UPDATE payments SET position = NULL WHERE number = ?"
                self._rows.change(sql, (number,))
                detail = "not on the card"
                self._rows.event("unplaced", at, payment=number, detail=detail)
            self._rows.event("read-credited", at, detail=f"{len(credited)} records")

    def _apply(self, number: int, entry: Entry) -> tuple[str, str]:
        """Carry out one entry; kind and detail of its event."""
        if isinstance(entry, OutcomeLost):
            return "outcome-lost", entry.stage
        state, setting, values = self._step(number, entry)
        self._move(number, state, setting, *values)
        match entry:
            case Opened(tx=tx):
                return state.value, f"tsn {tx.tsn}"
            case Credited(batch=batch):
                return state.value, f"batch {batch}"
            case RefusedEntry(reason=detail) | NotDebited(how=detail):
                return state.value, detail
            case _:
                return state.value, ""

    def _step(self, number: int, entry: PaymentStep) -> _Step:
        step: _Step
        match entry:
            case Begun(otc=otc, rc=rc):
                sealed = self._vault.seal(rc, f"payment {number} rc")
                step = PaymentState.BEGUN, "otc = ?, rc = ?", (otc, sealed)
            case Opened(tx=tx, kv=kv, rc=rc):
                sealed = seal_opened(self._vault, number, tx, kv, rc)
                setting = "tsn = ?, otc = ?, opened = ?"
                step = PaymentState.OPENED, setting, (tx.tsn, tx.otc, sealed)
            case Debited(proof=proof):
                sealed = seal_proof(self._vault, number, proof)
                setting = f"proof = ?, receipt = coalesce(receipt, {_NEXT_RECEIPT})"
                values = (sealed, self._rows.numbers_after)
                step = PaymentState.DEBITED, setting, values
            case Credited(batch=batch):
                setting = f"position = {_NEXT_POSITION}, batch = ?"
                step = PaymentState.CREDITED, setting, (batch, batch)
            case RefusedEntry(reason=reason):
                step = PaymentState.REFUSED, "reason = ?", (reason,)
            case NotDebited(how=how):
                step = PaymentState.NOT_DEBITED, "reason = ?", (how,)
            case LeftToBank():
                step = PaymentState.LEFT_TO_BANK, "reason = ?", ("no proof",)
            case ProofRefused():
                step = PaymentState.OPENED, "reason = ?", ("proof refused",)
            case _:
                assert_never(entry)
        return step

    def _move(
        self, number: int, state: PaymentState, setting: str, *values: object
    ) -> None:
        (row,) = self._rows.query(
            "SELECT state FROM payments WHERE number = ?", (number,)
        )
        before = PaymentState(row["state"])
        assert state in TRANSITIONS[before], f"{before} cannot become {state}"
        sql = f"UPDATE payments SET state = ?, {setting} WHERE number = ?"  # noqa: S608  our own names
        self._rows.change(sql, (state.value, *values, number))

    def _next_number(self) -> int:
        sql = "SELECT coalesce(max(number), 0) AS number FROM payments"
        number = int(self._rows.query(sql)[0]["number"])
        return max(number, self._rows.numbers_after) + 1

    def _insert(
        self, number: int, state: PaymentState, intent: Intent, at: datetime
    ) -> None:
        row = {
            "number": number,
            "stan": (self._stan_start + number) % STAN_MAX + 1,
            "state": state.value,
            "details": details_to_json(intent.details),
            "amount_minor": intent.amount_minor,
            "currency": intent.currency,
            "at": at.isoformat(),
            "batch": intent.batch,
            "card_masked": mask_card_number(intent.card_id),
            "card_ref": self._vault.card_reference(intent.card_id),
            "customs_ref": self._vault.card_reference(intent.mid),
            "card": self._vault.seal(intent.card_id, f"payment {number} card"),
        }
        sql = (
            f"INSERT INTO payments ({','.join(row)}) "  # noqa: S608  our own names
            f"VALUES ({','.join('?' * len(row))})"
        )
        self._rows.change(sql, tuple(row.values()))

    def _adopt(
        self, tx: TransactionRecord, *, kv: int, rc: bytes, batch: int, at: datetime
    ) -> int:
        recalled = self._recall(tx)
        intent = Intent(
            details=None if recalled is None else recalled.details,
            amount_minor=tx.amount_minor,
            currency=tx.currency,
            card_id=tx.cid,
            mid=tx.mid,
            batch=batch,
        )
        number, receipt = self._numbers_for(recalled)
        begun_at = tx.at if recalled is None else recalled.at
        self._insert(number, PaymentState.OPENED, intent, begun_at)
        sealed = seal_opened(self._vault, number, tx, kv, rc)
        setting = (
            "UPDATE payments SET tsn = ?, otc = ?, opened = ?, receipt = ? "
            "WHERE number = ?"
        )
        self._rows.change(setting, (tx.tsn, tx.otc, sealed, receipt, number))
        self._rows.event("adopted", at, payment=number, detail=f"tsn {tx.tsn}")
        return number

    def _numbers_for(self, recalled: Recalled | None) -> tuple[int, int | None]:
        """Payment and receipt number of a payment that is taken in.

        It keeps those that the older journal gave it, when they are free here.
        """
        if recalled is None:
            return self._next_number(), None
        sql = "SELECT number, receipt FROM payments WHERE number = ? OR receipt = ?"
        taken = self._rows.query(sql, (recalled.number, recalled.receipt))
        if taken:
            return self._next_number(), None
        return recalled.number, recalled.receipt

    def _placed_in(self, mid: bytes, batch: int) -> list[Row]:
        sql = (
            "SELECT number FROM payments "
            "WHERE customs_ref = ? AND batch = ? AND position IS NOT NULL"
        )
        return self._rows.query(sql, (self._vault.card_reference(mid), batch))

    def _place(self, record: CreditedRecord, position: int, at: datetime) -> int:
        """Give one credit its place, unless it has it; its payment number."""
        tx = record.tx
        where = (self._vault.card_reference(tx.mid), tx.tsn)
        found = self._rows.query(
            "SELECT number, state, batch, position, proof, receipt FROM payments "
            "WHERE customs_ref = ? AND tsn = ?",
            where,
        )
        if not found:
            number = self._adopt(tx, kv=record.kv, rc=_NO_RC, batch=record.batch, at=at)
        else:
            number = int(found[0]["number"])
            row = found[0]
            stands = (row["state"], row["batch"], row["position"])
            complete = row["proof"] is not None and row["receipt"] is not None
            if complete and stands == ("credited", record.batch, position):
                return number
        self._rows.change(
            "UPDATE payments SET state = ?, batch = ?, position = ?, "  # noqa: S608  our own names
            f"proof = coalesce(proof, ?), receipt = coalesce(receipt, {_NEXT_RECEIPT}) "
            "WHERE number = ?",
            (
                PaymentState.CREDITED.value,
                record.batch,
                position,
                seal_proof(self._vault, number, _proof_read_back(record)),
                self._rows.numbers_after,
                number,
            ),
        )
        detail = f"batch {record.batch}, read from card"
        self._rows.event("credited", at, payment=number, detail=detail)
        return number

    def _select(
        self, where: str, values: Sequence[object], *, order: str = "number"
    ) -> list[JournalPayment]:
        sql = f"SELECT * FROM payments WHERE {where} ORDER BY {order}"  # noqa: S608  our own names
        return [self._to_payment(row) for row in self._rows.query(sql, values)]

    def _to_payment(self, row: Row) -> JournalPayment:
        number = int(row["number"])
        vault = self._vault
        tx, kv, rc = None, None, None
        if row["rc"] is not None:
            rc = vault.unseal(row["rc"], f"payment {number} rc")
        if row["opened"] is not None:
            tx, kv, rc = open_opened(vault, number, row["opened"])
        proof = row["proof"]
        return JournalPayment(
            number=number,
            stan=row["stan"],
            state=PaymentState(row["state"]),
            details=details_from_json(row["details"]),
            amount_minor=row["amount_minor"],
            currency=row["currency"],
            card_masked=row["card_masked"],
            at=datetime.fromisoformat(row["at"]),
            batch=row["batch"],
            position=row["position"],
            receipt=row["receipt"],
            otc=row["otc"],
            tx=tx,
            kv=kv,
            proof=None if proof is None else open_proof(vault, number, proof),
            card_id=vault.unseal(row["card"], f"payment {number} card"),
            rc=rc,
        )


def _proof_read_back(record: CreditedRecord) -> DebitProof:
    return DebitProof(
        balance_after_minor=record.balance_after_minor,
        cumulative_debit_minor=record.cumulative_debit_minor,
        tac=record.tac,
        mac2=_NO_MAC2,
    )
