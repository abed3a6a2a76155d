"""What must hold after every call, and at the end of a run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from card.errors import StatusError
from settlement.clearing import IncidentCode
from settlement.payment import VoidClosure
from settlement.store.records import Decision
from settlement.upload import ClosureReceived
from sim.crash.bank.promises import batch_key, batch_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from card.customs import CustomsSession
    from settlement.payment import BatchToUpload
    from settlement.upload import Collected, UploadEvent
    from sim.crash.bank.calls import Call
    from sim.crash.bank.changes import Incident
    from sim.crash.bank.counters import Delivery
    from sim.crash.bank.promises import Promises
    from sim.crash.bank.stored import Stored

__all__ = ["book_problems", "card_problems", "group_problems", "look_problems"]

_BOOKED = frozenset({Decision.POSTED, Decision.HELD})


def look_problems(
    stored: Stored, promises: Promises, deliveries: Sequence[Delivery]
) -> Iterator[str]:
    """What is wrong with a bank at any time: its books, and what it has answered."""
    for finding in stored.findings:
        yield f"the proof of the books: {finding}"
    for delivery in deliveries:
        yield from promises.kept_by(stored, delivery)
    for what, counts in (("payment", stored.payments), ("entry", stored.entries)):
        for (cid, otc), count in counts.items():
            if count != 1:
                yield f"{what} {otc} of card ..{cid.hex()[-4:]} is there {count} times"


def group_problems(before: Stored, after: Stored, call: Call) -> Iterator[str]:
    """Whether what arrived together was posted together, or not at all."""
    if not call.sent:
        return
    batch = call.delivery.batch
    key = batch_key(batch)
    fresh = {
        payment.stan
        for payment in batch.payments
        if payment.stan in call.sent
        and (key, payment.stan) not in before.records
        and (key[1], payment.stan) not in call.handled
    }
    there = {stan for stan in fresh if (key, stan) in after.records}
    if there and there != fresh:
        yield f"of {sorted(fresh)}, which came together, only {sorted(there)} are there"


def book_problems(
    stored: Stored, deliveries: Sequence[Delivery], incidents: Iterable[Incident]
) -> Iterator[str]:
    """Whether the bank holds these batches, each payment once, and nothing else."""
    wanted = Counter(
        (payment.tx.cid, payment.tx.otc)
        for delivery in deliveries
        for payment in delivery.batch.payments
        if delivery.decisions[payment.stan] in _BOOKED
    )
    for what, found in (("payments", stored.payments), ("entries", stored.entries)):
        if found != wanted:
            missing, extra = wanted - found, found - wanted
            yield f"{what}: {missing.total()} missing, {extra.total()} too many"
    for delivery in deliveries:
        yield from _sum_problems(stored, delivery)
    yield from _incident_problems(stored, deliveries, incidents)


def card_problems(
    customs: CustomsSession,
    collected: Mapping[int, Collected],
    events: Iterable[UploadEvent],
    deliveries: Sequence[Delivery],
) -> Iterator[str]:
    """Whether the customs card takes what came down for it, and lets its value go."""
    for event in events:
        if isinstance(event, ClosureReceived):
            yield from _closure_problems(customs, event, deliveries[-1].debited)
    expected_minor = customs.status().total_minor
    for delivery in deliveries:
        close = delivery.batch.close
        expected_minor -= close.sum_minor
        if close.batch not in collected:
            yield f"the terminal has no acknowledgement of batch {close.batch}"
            continue
        try:
            left_minor = customs.bank_ack(close.batch, collected[close.batch].ack_mac)
        except StatusError as error:
            yield f"the customs card refuses the ack of batch {close.batch}: {error}"
            continue
        if left_minor != expected_minor:
            yield f"the customs card holds {left_minor}, not {expected_minor}"


def _closure_problems(
    customs: CustomsSession, event: ClosureReceived, debited: frozenset[int]
) -> Iterator[str]:
    closure = event.closure
    tsn = closure.tx.tsn
    if isinstance(closure, VoidClosure) and tsn in debited:
        yield f"number {tsn} of the customs card is voided, and was debited"
    if tsn not in {record.tx.tsn for record in customs.list_open()}:
        return  # An earlier call of this run brought it already.
    try:
        if isinstance(closure, VoidClosure):
            customs.void(tsn, closure.vmac)
        else:
            customs.credit(tsn, closure.proof)
    except StatusError as error:
        yield f"the customs card refuses the closure of its number {tsn}: {error}"


def _sum_problems(stored: Stored, delivery: Delivery) -> Iterator[str]:
    """Booked and suspended are what the customs card closed."""
    batch: BatchToUpload = delivery.batch
    unbooked_minor = sum(
        payment.tx.amount_minor
        for payment in batch.payments
        if delivery.decisions[payment.stan] not in _BOOKED
    )
    found_minor = stored.amounts[batch_key(batch)] + unbooked_minor
    if found_minor != batch.close.sum_minor:
        text = f"the customs card closed {batch.close.sum_minor}"
        yield f"{batch_name(batch_key(batch))} comes to {found_minor}, {text}"


def _incident_problems(
    stored: Stored, deliveries: Sequence[Delivery], incidents: Iterable[Incident]
) -> Iterator[str]:
    wanted: Counter[Incident] = Counter(incidents)
    reported: set[int] = set()
    for delivery in deliveries:
        terminal, number = batch_key(delivery.batch)
        for item in delivery.batch.opens:
            if item.open_record.tx.tsn not in reported:
                wanted[IncidentCode.OUTCOME_OPEN, terminal, number, item.stan] += 1
            reported.add(item.open_record.tx.tsn)
        for stan, code in delivery.incidents.items():
            wanted[code, terminal, number, stan] += 1
    found: Counter[Incident] = Counter(
        (row.code, row.terminal_id, row.batch, row.stan) for row in stored.incidents
    )
    if found != wanted:
        missing, extra = list(wanted - found), list(found - wanted)
        yield f"incidents: missing {missing}, too many {extra}"
