"""The proof ring and the burning of transaction numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conformance.drivers import PurseDriver
    from tests.conformance.formulas import Bank, Purchase

RING = 10


def logged(purse: PurseDriver) -> list[tuple[int, int]]:
    """Kind and otc of every entry, oldest first."""
    assert purse.verify() == "9000"
    entries = []
    index = 1
    while (answer := purse.read_log(index)).sw == "9000":
        assert len(answer.data) == 53
        entries.append((answer.data[0], int.from_bytes(answer.data[11:15], "big")))
        index += 1
    assert answer == "6A83"
    return entries[::-1]


def open_and_void(purse: PurseDriver, purchase: type[Purchase], otc: int) -> Purchase:
    record = purchase(otc=otc, tsn=100 + otc)
    assert purse.void(record) == record.confirm(b"VOID")
    return record


def test_read_log_shows_purchases_and_voids_newest_first(
    purse: PurseDriver, purchase: type[Purchase]
) -> None:
    paid = purse.pay()
    void = open_and_void(purse, purchase, 2)
    purse.ack(paid)
    purse.verify()
    assert purse.read_log(1) == b"\x07" + void.tx + bytes.fromhex("00 07 9C 4E 00")
    assert purse.read_log(2) == b"\x06" + paid.tx + bytes.fromhex("00 07 9C 4E 01")
    assert purse.read_log(3) == "6A83"


def test_a_full_ring_drops_the_oldest_acknowledged_purchase_first(
    purse: PurseDriver, purchase: type[Purchase]
) -> None:
    open_and_void(purse, purchase, 1)
    paid = [purse.pay(amount=10, tsn=tsn) for tsn in range(2, RING + 1)]
    assert purse.ack(paid[4]) == "9000"
    assert purse.ack(paid[2]) == "9000"
    purse.pay(amount=10, tsn=50)
    left = [otc for _kind, otc in logged(purse)]
    assert len(left) == RING
    assert paid[2].otc not in left
    purse.pay(amount=10, tsn=51)
    assert paid[4].otc not in [otc for _kind, otc in logged(purse)]
    assert purse.prove(paid[2]) == "9406"


def test_then_it_drops_the_oldest_void(
    purse: PurseDriver, purchase: type[Purchase]
) -> None:
    purse.pay(amount=10, tsn=1)
    voids = [open_and_void(purse, purchase, 2), open_and_void(purse, purchase, 3)]
    for tsn in range(4, RING + 1):
        purse.pay(amount=10, tsn=tsn)
    purse.pay(amount=10, tsn=50)
    assert (7, voids[0].otc) not in logged(purse)
    assert purse.void(voids[0]) == "9406", "nothing proves it any more"
    assert purse.void(voids[1]) == voids[1].confirm(b"VOID")
    open_and_void(purse, purchase, RING + 2)
    assert (7, voids[1].otc) not in logged(purse)


def test_then_it_drops_the_oldest_purchase(purse: PurseDriver) -> None:
    paid = [purse.pay(amount=10, tsn=tsn) for tsn in range(1, RING + 2)]
    assert logged(purse) == [(6, p.otc) for p in paid[1:]]
    assert purse.prove(paid[0]) == "9406"
    assert purse.prove(paid[1]) == paid[1].proof


def test_void_burns_the_next_number_and_kills_the_session(purse: PurseDriver) -> None:
    begun = purse.begin()
    purse.challenge()
    assert purse.void(begun) == begun.confirm(b"VOID")
    assert purse.debit(begun) == "6985"
    assert purse.prove(begun) == "9406"
    assert purse.ack(begun) == "9406"
    assert purse.balance() == 500_000
    assert purse.begin().otc == 2


def test_void_of_a_burned_number_answers_again_and_burns_nothing(
    purse: PurseDriver, purchase: type[Purchase]
) -> None:
    void = open_and_void(purse, purchase, 1)
    elsewhere = replace(void, tsn=77)
    for record in (void, void, elsewhere):
        assert purse.void(record) == record.confirm(b"VOID")
    assert len(logged(purse)) == 1
    assert purse.begin().otc == 2


def test_void_when_the_number_was_spent_on_another_record(purse: PurseDriver) -> None:
    paid = purse.pay()
    for other in (replace(paid, tsn=2), replace(paid, mid=bytes(8))):
        assert purse.void(other) == other.confirm(b"VOID")
    assert purse.prove(paid) == paid.proof


def test_void_of_a_debited_purchase_or_of_a_future_number_is_9406(
    purse: PurseDriver,
) -> None:
    paid = purse.pay()
    assert purse.void(paid) == "9406"
    assert purse.void(replace(paid, amount=9)) == "9406", "MID and tsn decide"
    assert purse.void(replace(paid, otc=3)) == "9406"
    assert purse.void(replace(paid, otc=0)) == "9406"


def test_void_of_another_record_leaves_the_session(purse: PurseDriver) -> None:
    paid = purse.pay()
    begun = purse.begin(tsn=5)
    assert purse.void(replace(paid, tsn=2)).sw == "9000"
    assert purse.void(paid) == "9406"
    assert purse.debit(begun) == begun.proof


@pytest.mark.parametrize(
    "wrong",
    [{"header": b"\x02\x06"}, {"header": b"\x01\x02"}, {"cid": bytes(8)}],
    ids=["version", "type", "CID"],
)
def test_void_checks_vreq_before_version_type_and_cid(
    purse: PurseDriver,
    purchase: type[Purchase],
    bank: Bank,
    wrong: dict[str, bytes],
) -> None:
    record = purchase(**wrong)  # type: ignore[arg-type]  # a table
    # Only someone who has this purse's key can make a good VREQ for another CID.
    own_key = purchase().kp
    cid = purchase().cid
    for context in {record.context, cid + record.context[8:]}:
        vreq = bank.vreq(own_key, context, record.tx)
        assert purse.void(record, bytes(8)) == "9302"
        assert purse.void(record, vreq) == "6A80"
    assert purse.begin().otc == 1


def test_void_works_on_a_blocked_purse_without_a_pin(
    purse: PurseDriver, purchase: type[Purchase]
) -> None:
    purse.maintain("84 1E 00 00")
    purse.restart()
    open_and_void(purse, purchase, 1)
