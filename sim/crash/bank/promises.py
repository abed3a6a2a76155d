"""Every answer that left the bank: it is kept, and it never changes.

An answer is noted when it leaves the host, also when the line then loses it. The same
question again, in whatever call, must have the same answer: only an open record of
which the bank knew nothing may later have its closure. After each crash the database
must hold what was answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from settlement import answers, iso8583
from settlement.message_codec import (
    PROCESSING_GROUP,
    PROCESSING_HEADER,
    PROCESSING_TOTALS,
)
from settlement.messages import RecordAnswer, ResponseCode
from settlement.outcomes import held_digest, parse_held, parse_outcomes
from settlement.store.records import Decision

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from settlement.iso8583 import Message
    from settlement.payment import BatchToUpload, PaymentRecord
    from sim.crash.bank.counters import Delivery
    from sim.crash.bank.stored import BatchKey, Stored

__all__ = ["Promises", "batch_key", "batch_name"]

_CODE, _TEXT, _CARD, _TOTALS = 39, 48, 55, 63
_ANSWERED: Final = (_CODE, _TEXT, _CARD, _TOTALS)
"""The fields in which the bank speaks; all others are echoed, or are the time."""
_DETAIL: Final = "0330"
_TAKEN: Final = RecordAnswer(code=ResponseCode.ACCEPTED)
_CODES: Final = {
    Decision.POSTED: ResponseCode.ACCEPTED,
    Decision.HELD: ResponseCode.SUSPENDED,
    Decision.SUSPENDED: ResponseCode.SUSPENDED,
}

_Said = tuple[str | bytes | None, ...]
_Key = TypeVar("_Key")


def batch_key(batch: BatchToUpload) -> BatchKey:
    """Which batch this is."""
    return (batch.terminal_id, batch.close.batch)


def batch_name(key: BatchKey) -> str:
    """Which batch this is, for people."""
    return f"batch {key[1]} of {key[0]}"


class Promises:
    """What the bank answered about the true batches of one run."""

    def __init__(self) -> None:
        """Nothing was answered yet."""
        self._opened: dict[BatchKey, _Said] = {}
        self._heads: set[tuple[BatchKey, int]] = set()
        self._details: dict[tuple[BatchKey, int], _Said] = {}
        self._collected: dict[BatchKey, _Said] = {}
        self._macs: dict[BatchKey, bytes] = {}

    def note(
        self, delivery: Delivery, data: bytes, payments: Sequence[PaymentRecord]
    ) -> Iterator[str]:
        """Note one answer that left the host; what is wrong with it, in words.

        Args:
            delivery: the batch it is about.
            data: the answer.
            payments: of the group that it answers, when it answers one.
        """
        message = iso8583.decode(data)
        key = batch_key(delivery.batch)
        if message.fields.get(3) == PROCESSING_GROUP:
            if answers.parse_code(message) is not ResponseCode.ACCEPTED:
                yield f"{message} of {batch_name(key)}: {message.fields.get(39)!r}"
            yield from self._note_payments(delivery, message, payments)
        elif message.mti == _DETAIL:
            yield from self._note_open(delivery, message)
        elif message.fields.get(3) == PROCESSING_HEADER:
            if delivery.batch.audit_head is not None:
                self._heads.add((key, delivery.batch.audit_head.entries))
            yield from self._note_header(delivery, message)
        elif message.fields.get(3) == PROCESSING_TOTALS:
            yield from self._note_totals(key, message)

    def kept_by(self, stored: Stored, delivery: Delivery) -> Iterator[str]:
        """Which answers about a batch the database does not bear out."""
        key = batch_key(delivery.batch)
        yield from self._header_kept(stored, key)
        yield from self._details_kept(stored, delivery)
        if key in self._macs:
            yield from self._acknowledgement_kept(stored, delivery.batch)

    def _header_kept(self, stored: Stored, key: BatchKey) -> Iterator[str]:
        name = batch_name(key)
        if key in self._opened and stored.batches[key] != 1:
            count = stored.batches[key]
            yield f"{name} was opened by an answer, and is there {count} times"
        for batch, entries in self._heads:
            count = stored.heads[batch, entries]
            if batch == key and count != 1:
                yield f"audit head {entries} of {name} was taken, and is kept {count}x"

    def _details_kept(self, stored: Stored, delivery: Delivery) -> Iterator[str]:
        key = batch_key(delivery.batch)
        name = batch_name(key)
        for payment in delivery.batch.payments:
            decision = stored.records.get((key, payment.stan))
            answered = (key, payment.stan) in self._details
            if answered and decision != delivery.decisions[payment.stan]:
                text = f"and the bank holds it as {decision or 'nothing'}"
                yield f"STAN {payment.stan} of {name} was answered, {text}"
        for item in delivery.batch.opens:
            tsn = item.open_record.tx.tsn
            answered = (key, item.stan) in self._details
            if answered and (key, tsn) not in stored.opens:
                yield f"open record {tsn} of {name} was answered and is not there"

    def _acknowledgement_kept(
        self, stored: Stored, batch: BatchToUpload
    ) -> Iterator[str]:
        key, close = batch_key(batch), batch.close
        mac, count, sum_minor = stored.collected.get(key, (b"", 0, 0))
        if mac != self._macs[key]:
            yield f"{batch_name(key)} was acknowledged and is not collected"
        elif (count, sum_minor) != (close.count, close.sum_minor):
            yield f"{batch_name(key)} is collected as {count} of {sum_minor}"

    def _note_header(self, delivery: Delivery, message: Message) -> Iterator[str]:
        """What is told as held must be the batch's own, and have its old outcomes."""
        key = batch_key(delivery.batch)
        name = f"header of {batch_name(key)}"
        said = (message.fields.get(_CODE),)
        yield from _same(self._opened, key, said, name)
        held = parse_held(message)
        payments = [p for p in delivery.batch.payments if p.sequence in held.places]
        if held.places and held_digest(payments) != held.digest:
            yield f"{name}: what is told as held is not what was sent"
        yield from self._note_payments(delivery, message, payments)

    def _note_payments(
        self, delivery: Delivery, message: Message, payments: Sequence[PaymentRecord]
    ) -> Iterator[str]:
        key, outcomes = batch_key(delivery.batch), parse_outcomes(message)
        for payment in payments:
            outcome = outcomes.get(payment.sequence, _TAKEN)
            what = f"STAN {payment.stan} of {batch_name(key)}"
            if outcome.code is not _CODES[delivery.decisions[payment.stan]]:
                yield f"{what} is answered {outcome.code}"
            said = (outcome.code, outcome.text)
            yield from _same(self._details, (key, payment.stan), said, what)

    def _note_open(self, delivery: Delivery, message: Message) -> Iterator[str]:
        key, stan = batch_key(delivery.batch), int(message.text(11))
        said, what = _said(message), f"STAN {stan} of {batch_name(key)}"
        earlier = self._details.get((key, stan))
        if answers.parse_code(message) is not ResponseCode.ACCEPTED:
            yield f"{what} is answered {message.fields.get(39)!r}"
        if earlier is not None and earlier[2] is None:
            # The bank may have learnt since what became of it.
            earlier = (*earlier[:2], said[2], earlier[3])
            self._details[key, stan] = earlier
        yield from _same(self._details, (key, stan), said, what)

    def _note_totals(self, key: BatchKey, message: Message) -> Iterator[str]:
        answer = answers.parse_reconcile(message)
        if answer.ack_mac is None:
            text = f"{answer.code} {answer.text}"
            yield f"the totals of {batch_name(key)} are answered {text}"
            return
        self._macs[key] = answer.ack_mac
        said = _said(message)
        yield from _same(
            self._collected, key, said, f"acknowledgement of {batch_name(key)}"
        )


def _said(message: Message) -> _Said:
    return tuple(message.fields.get(number) for number in _ANSWERED)


def _same(said: dict[_Key, _Said], key: _Key, now: _Said, what: str) -> Iterator[str]:
    if said.setdefault(key, now) != now:
        yield f"{what}: another answer than before"
