"""Changed batches: what a broken or dishonest terminal could send under a number.

Each is made of a true batch, so that only the change tells them apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from card import certificates
from card.profile import KeyUse
from card.records import CHAIN_START, chain_next
from settlement.clearing import IncidentCode
from settlement.keystore import TEST_MASTERS, MasterKeyStore
from settlement.messages import ResponseCode
from sim.crash.bank.plans import Cargo
from sim.crash.bank.promises import batch_key

if TYPE_CHECKING:
    from card.records import BatchClose
    from settlement.payment import BatchToUpload
    from sim.crash.bank.stored import Stored

__all__ = ["Incident", "change", "expected_refusal", "refusable"]

Incident = tuple[str, str, int | None, int | None]
"""Code, terminal, batch and STAN of an incident."""


def refusable(wanted: Cargo, batch: BatchToUpload, stored: Stored) -> Cargo:
    """The change that the bank can know for one, now that it holds ``stored``.

    A batch that is signed anew is refused only when the true one was opened, an
    altered payment only when the true ones are there; else a forgery takes its place.
    """
    key = batch_key(batch)
    if wanted is Cargo.RESIGNED and stored.batches[key]:
        return wanted
    there = all((key, payment.stan) in stored.records for payment in batch.payments)
    if wanted is Cargo.ALTERED and there:
        return wanted
    return Cargo.FORGED


def change(cargo: Cargo, batch: BatchToUpload) -> BatchToUpload:
    """The batch with something changed."""
    if cargo is Cargo.ALTERED:
        first = batch.payments[0]
        balance_minor = first.balance_after_minor + 1
        altered = replace(first, balance_after_minor=balance_minor)
        return replace(batch, payments=(altered, *batch.payments[1:]))
    short = _shortened(batch)
    if cargo is Cargo.RESIGNED:
        key = MasterKeyStore(TEST_MASTERS).card_key(KeyUse.BATCH, 1, batch.mid)
        mac = certificates.close_mac(key, mid=batch.mid, close=short.close)
        return replace(short, close=replace(short.close, mac=mac))
    return short


def expected_refusal(
    cargo: Cargo, batch: BatchToUpload
) -> tuple[ResponseCode, Incident]:
    """What the bank must answer a changed batch, and the one incident it must note."""
    terminal, number = batch_key(batch)
    match cargo:
        case Cargo.ALTERED:
            stan = batch.payments[0].stan
            altered = (IncidentCode.CONFLICT, terminal, number, stan)
            return ResponseCode.CONFLICT, altered
        case Cargo.RESIGNED:
            other = (IncidentCode.BATCH_CONFLICT, terminal, number, None)
            return ResponseCode.CONFLICT, other
        case _:
            unsigned = (IncidentCode.BATCH_DIFFERS, terminal, number, None)
            return ResponseCode.SUMS_DIFFER, unsigned


def _shortened(batch: BatchToUpload) -> BatchToUpload:
    """Without its last payment; the CLOSE MAC stays what it was."""
    payments = batch.payments[:-1]
    opens = tuple(replace(item, sequence=item.sequence - 1) for item in batch.opens)
    short = replace(batch, payments=payments, opens=opens, close=batch.close)
    return replace(short, close=_close_of(short))


def _close_of(batch: BatchToUpload) -> BatchClose:
    chain = CHAIN_START
    for paid in batch.payments:
        chain = chain_next(
            chain,
            paid.tx,
            paid.balance_after_minor,
            paid.cumulative_debit_minor,
            paid.tac,
        )
    return replace(
        batch.close,
        count=len(batch.payments),
        sum_minor=sum(paid.tx.amount_minor for paid in batch.payments),
        chain=chain,
    )
