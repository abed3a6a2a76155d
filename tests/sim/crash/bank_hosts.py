"""Banks that are wrong in one way each: what the harness has to notice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from settlement.bank import Bank
from settlement.posting import post_group
from settlement.verification import verify_group
from sim.crash.bank.host import serve_bank

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from settlement.messages import (
        BatchAnswer,
        BatchHeader,
        BatchTotals,
        OpenAnswer,
        ReconcileAnswer,
        RecordAnswer,
    )
    from settlement.payment import OpenItem, PaymentRecord
    from settlement.store.books import Books
    from sim.crash.frames import FrameSocket


class LateBank(Bank):
    """Answers about payments first, and commits when it is asked the next thing."""

    _open: AbstractContextManager[Books] | None = None

    def take_payments(
        self, header: BatchHeader, payments: Sequence[PaymentRecord], now: datetime
    ) -> Sequence[RecordAnswer]:
        self._commit()
        self._open = self._store.write()
        books = self._open.__enter__()
        return post_group(books, header, verify_group(self._keys, payments), now)

    def take_open(
        self, header: BatchHeader, item: OpenItem, now: datetime
    ) -> OpenAnswer:
        self._commit()
        return super().take_open(header, item, now)

    def reconcile(
        self, header: BatchHeader, totals: BatchTotals, now: datetime
    ) -> ReconcileAnswer:
        self._commit()
        return super().reconcile(header, totals, now)

    def _commit(self) -> None:
        if self._open is not None:
            self._open.__exit__(None, None, None)
        self._open = None


class SplitBank(Bank):
    """Posts what came together in two transactions."""

    def take_payments(
        self, header: BatchHeader, payments: Sequence[PaymentRecord], now: datetime
    ) -> Sequence[RecordAnswer]:
        half = len(payments) // 2
        first = super().take_payments(header, payments[:half], now)
        return [*first, *super().take_payments(header, payments[half:], now)]


class TrustingBank(Bank):
    """Opens any batch, whatever it held under that number."""

    def _check_header(
        self, books: Books, header: BatchHeader, now: datetime
    ) -> BatchAnswer | None:
        return None


class MoodyBank(Bank):
    """Acknowledges a batch with another MAC whenever it is started anew."""

    def reconcile(
        self, header: BatchHeader, totals: BatchTotals, now: datetime
    ) -> ReconcileAnswer:
        answer = super().reconcile(header, totals, now)
        return replace(answer, ack_mac=id(answer).to_bytes(16, "big"))


def late(line: FrameSocket) -> None:
    serve_bank(line, LateBank)


def split(line: FrameSocket) -> None:
    serve_bank(line, SplitBank)


def trusting(line: FrameSocket) -> None:
    serve_bank(line, TrustingBank)


def moody(line: FrameSocket) -> None:
    serve_bank(line, MoodyBank)
