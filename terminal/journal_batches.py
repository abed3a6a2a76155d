"""The closed batches of the journal, kept until bank and customs card are done."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from card.records import BatchClose
from settlement.messages import ResponseCode
from terminal.entries import BatchState, JournalBatch
from terminal.record_codec import open_record_list, seal_record_list

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from card.records import OpenRecord
    from terminal.journal_rows import BatchKey, Row, Rows
    from terminal.vault import Vault

__all__ = ["BatchBook"]


class BatchBook:
    """All closed batches of one journal, each named by customs card and number."""

    def __init__(self, rows: Rows, vault: Vault) -> None:
        """Keep batches in ``rows``, their card records sealed by ``vault``."""
        self._rows = rows
        self._vault = vault
        self._recall: Callable[[BatchClose], Sequence[OpenRecord] | None] = lambda _: (
            None
        )

    def recall(
        self, recall: Callable[[BatchClose], Sequence[OpenRecord] | None]
    ) -> None:
        """From now on ask ``recall`` for the open records at the time of a close."""
        self._recall = recall

    def add(
        self, mid: bytes, close: BatchClose, opens: Sequence[OpenRecord], at: datetime
    ) -> bool:
        """Keep a closed batch until the bank has it.

        Args:
            mid: the customs card's number, 8 bytes.
            close: what CLOSE BATCH answered.
            opens: the customs card's open records at that moment.
            at: now.

        Returns:
            False when this batch was known already; nothing is changed then.
        """
        key = (self._vault.card_reference(mid), close.batch)
        recalled = self._recall(close)
        opens = opens if recalled is None else recalled
        values = (
            *key,
            BatchState.CLOSED.value,
            self._vault.seal(mid, f"batch {close.batch} mid"),
            close.to_bytes(),
            seal_record_list(self._vault, close, opens),
            at.isoformat(),
        )
        sql = (
            "INSERT INTO batches (customs_ref, batch, state, mid, closing, opens, "
            "closed_at) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        )
        with self._rows.transaction():
            added = self._rows.change(sql, values) == 1
            if added:
                self._rows.event("batch-closed", at, batch=key)
        return added

    def find(self, mid: bytes, number: int) -> JournalBatch | None:
        """One closed batch, or None when this journal does not know it."""
        reference = self._vault.card_reference(mid)
        found = self._select("customs_ref = ? AND batch = ?", (reference, number))
        return found[0] if found else None

    def since(self, mid: bytes, number: int) -> list[JournalBatch]:
        """Closed batches of one customs card, from batch ``number`` on."""
        reference = self._vault.card_reference(mid)
        return self._select("customs_ref = ? AND batch >= ?", (reference, number))

    def in_state(self, *states: BatchState) -> list[JournalBatch]:
        """Batches in these states, oldest first."""
        marks = ",".join("?" * len(states))
        return self._select(f"state IN ({marks})", [state.value for state in states])

    def refused(self, batch: JournalBatch, code: str, text: str, at: datetime) -> None:
        """Keep the bank's refusal of a batch; it goes on waiting."""
        with self._rows.transaction():
            key = self._update(batch, "code = ?, text = ?", (code, text))
            self._rows.event("batch-refused", at, batch=key, detail=code)

    def received(self, batch: JournalBatch, text: str, at: datetime) -> None:
        """The bank has stored a batch and posts it later; it goes on waiting."""
        values = (ResponseCode.RECEIVED.value, text)
        with self._rows.transaction():
            key = self._update(batch, "code = ?, text = ?", values)
            self._rows.event("batch-received", at, batch=key)

    def collected(
        self, batch: JournalBatch, ack_mac: bytes, at: datetime, detail: str = ""
    ) -> None:
        """The bank has the batch; written before BANK ACK goes to the customs card.

        Args:
            batch: one that waits, or was collected before.
            ack_mac: the bank's BANK ACK MAC, 16 bytes.
            at: now.
            detail: what the bank posted and what it holds, for the event.
        """
        state = BatchState.COLLECTED
        if batch.state is BatchState.ACKNOWLEDGED:
            state = BatchState.ACKNOWLEDGED
        with self._rows.transaction():
            setting = "state = ?, ack_mac = ?, code = '00', text = ''"
            key = self._update(batch, setting, (state.value, ack_mac))
            self._rows.event("batch-collected", at, batch=key, detail=detail)

    def acknowledged(self, batch: JournalBatch, at: datetime) -> None:
        """The customs card has taken the BANK ACK: the batch is done with."""
        with self._rows.transaction():
            values = (BatchState.ACKNOWLEDGED.value,)
            key = self._update(batch, "state = ?", values)
            self._rows.event("batch-acknowledged", at, batch=key)

    def _update(
        self, batch: JournalBatch, setting: str, values: tuple[object, ...]
    ) -> BatchKey:
        key = (self._vault.card_reference(batch.mid), batch.number)
        sql = f"UPDATE batches SET {setting} WHERE customs_ref = ? AND batch = ?"  # noqa: S608  our own names
        changed = self._rows.change(sql, (*values, *key))
        assert changed == 1, "the batch was added before"
        return key

    def _select(self, where: str, values: Sequence[object]) -> list[JournalBatch]:
        sql = f"SELECT * FROM batches WHERE {where} ORDER BY id"  # noqa: S608  our own names
        return [self._to_batch(row) for row in self._rows.query(sql, values)]

    def _to_batch(self, row: Row) -> JournalBatch:
        close = BatchClose.parse(row["closing"])
        return JournalBatch(
            close=close,
            state=BatchState(row["state"]),
            closed_at=datetime.fromisoformat(row["closed_at"]),
            opens=open_record_list(self._vault, close, row["opens"]),
            code=row["code"],
            text=row["text"],
            mid=self._vault.unseal(row["mid"], f"batch {close.batch} mid"),
            ack_mac=row["ack_mac"],
        )
