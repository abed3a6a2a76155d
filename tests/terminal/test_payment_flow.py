"""The journal comes first: each step is written before the next command leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card import certificates
from card.errors import StatusError
from card.exchange import PurseDebited
from card.keys import derive_card_key
from card.profile import KeyUse, Role
from card.purse import PurseSession
from card.records import DebitProof
from settlement.payment import DebitClosure, VoidClosure
from terminal.entries import PaymentState
from terminal.orders import Paid, RecoveryVerdict, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.records import OpenRecord
    from tests.terminal.conftest import Bench

IMK_P = bytes(range(16))


def trace(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Everything that happens from now on: commands by name, entries by type."""
    seen: list[str] = []

    class Log(list[tuple[Role, str]]):
        def append(self, item: tuple[Role, str]) -> None:
            seen.append(item[1])

    bench.faults.log = Log()
    book = bench.journal.payments

    def logged(name: str, write: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **named: object) -> object:
            result = write(*args, **named)
            seen.append("intent" if name == "intend" else type(args[1]).__name__)
            return result

        return call

    for name in ("intend", "write"):
        monkeypatch.setattr(book, name, logged(name, getattr(book, name)))
    return seen


def test_every_step_is_journalled_before_the_next_command(
    running: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_purse = running.counter.read_purse()
    seen = trace(running, monkeypatch)
    running.pay(seen=seen_purse)
    assert seen == [
        "intent",
        "VERIFY",
        "INIT",
        "Begun",
        "INIT SAM",
        "Opened",
        "DEBIT",
        "Debited",
        "CREDIT",
        "Credited",
        "ACK",
    ]


def test_a_recovered_debit_is_journalled_before_it_is_credited(
    running: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_purse = running.counter.read_purse()
    running.faults.arm("lost", 3, removes=True)
    running.pay(seen=seen_purse)
    running.faults.disarm()
    seen = trace(running, monkeypatch)
    running.readers.insert(Role.PURSE, running.purse)
    running.counter.on_card_inserted()
    # The settled purse is asked with PROVE; CREDIT waits for the journal.
    assert seen.index("Debited") < seen.index("CREDIT") < seen.index("Credited")


def open_record_of(bench: Bench) -> OpenRecord:
    """A payment whose DEBIT never left, and whose purse is gone."""
    seen = bench.counter.read_purse()
    bench.faults.arm("unsent", 3, removes=True)
    assert isinstance(bench.pay(seen=seen), Unknown)
    bench.faults.disarm()
    card = bench.counter._parts.customs.at_hand
    assert card is not None
    (record,) = card.session.list_open()
    return record


def purchase_key(record: OpenRecord) -> bytes:
    return derive_card_key(IMK_P, KeyUse.PURCHASE, record.kv, record.tx.cid)


def test_a_void_from_the_bank_closes_the_record_and_frees_the_purse(
    running: Bench,
) -> None:
    record = open_record_of(running)
    vmac = certificates.vmac(purchase_key(record), record.tx)
    card = running.counter._parts.customs.ready()
    closure = VoidClosure(tx=record.tx, vmac=vmac)
    outcome = running.counter._recovery.settler.apply(card, closure)
    assert outcome is not None
    assert outcome.verdict is RecoveryVerdict.NOT_PAID
    assert running.open_count() == 0
    # The same closure in the next call finds nothing left to do.
    assert running.counter._recovery.settler.apply(card, closure) is None
    running.readers.insert(Role.PURSE, running.purse)
    assert isinstance(running.pay(), Paid)


def test_a_wrong_void_leaves_the_record_open(running: Bench) -> None:
    record = open_record_of(running)
    card = running.counter._parts.customs.ready()
    closure = VoidClosure(tx=record.tx, vmac=bytes(8))
    outcome = running.counter._recovery.settler.apply(card, closure)
    assert outcome is not None
    assert outcome.verdict is not RecoveryVerdict.NOT_PAID
    assert running.open_count() == 1


def test_a_debit_known_to_the_bank_is_credited_without_the_purse(
    running: Bench,
) -> None:
    seen = running.counter.read_purse()
    running.faults.arm("lost", 3, removes=True)
    assert isinstance(running.pay(seen=seen), Unknown)
    running.faults.disarm()
    card = running.counter._parts.customs.ready()
    (record,) = card.session.list_open()
    proof = proof_held_by(running, record)
    closure = DebitClosure(tx=record.tx, proof=proof)
    outcome = running.counter._recovery.settler.apply(card, closure)
    assert outcome is not None
    assert (outcome.verdict, outcome.receipt_number) == (RecoveryVerdict.PAID, 1)
    assert running.assert_all_value_is_accounted() == 1_234


def proof_held_by(bench: Bench, record: OpenRecord) -> DebitProof:
    """What the bank would compute, asked of the purse outside its reader."""
    bench.readers.insert(Role.PURSE, bench.purse)
    session = PurseSession(bench.readers.open_card("Desk Reader 00 00"))
    session.select()
    proof = session.prove(record.tx)
    bench.readers.remove(Role.PURSE)
    return proof


def test_a_debit_that_the_customs_card_does_not_believe_is_unknown_again(
    running: Bench,
) -> None:
    record = open_record_of(running)
    proof = DebitProof(
        balance_after_minor=1, cumulative_debit_minor=1, tac=bytes(8), mac2=bytes(8)
    )
    card = running.counter._parts.customs.ready()
    running.counter._recovery.settler.apply(
        card, DebitClosure(tx=record.tx, proof=proof)
    )
    (payment,) = running.journal.payments.unfinished()
    assert payment.state is PaymentState.OPENED
    with pytest.raises(StatusError, match="9302"):
        card.session.credit(record.tx.tsn, proof)


def test_no_repr_of_a_step_shows_a_challenge_or_a_proof() -> None:
    proof = DebitProof(
        balance_after_minor=1,
        cumulative_debit_minor=1,
        tac=b"TACTACTA",
        mac2=b"MAC2MAC2",
    )
    assert "TACTACTA" not in repr(proof)
    assert PurseDebited.__slots__
