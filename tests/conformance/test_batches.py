"""STATUS, READ CREDITED, CLOSE BATCH, waiting batches, BANK ACK."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conformance.drivers import CustomsDriver
    from tests.conformance.formulas import Bank, Purchase

EMPTY_TOTALS = bytes(4 + 8 + 4 + 8)


def take(
    customs: CustomsDriver, purchase: type[Purchase], *amounts: int
) -> list[Purchase]:
    """Credit one payment of each amount; numbers go on from where the card is."""
    first = customs.status()["tsn"]
    taken = [
        purchase(otc=tsn, tsn=tsn, amount=amount)
        for tsn, amount in enumerate(amounts, first)
    ]
    for p in taken:
        customs.take(p)
    return taken


def chain_of(payments: list[Purchase]) -> bytes:
    chain = bytes(16)
    for p in payments:
        chain = hashlib.sha256(chain + p.tx + p.after + p.tac).digest()[:16]
    return chain


def test_close_answers_totals_chain_and_mac(
    customs: CustomsDriver, purchase: type[Purchase], bank: Bank
) -> None:
    taken = take(customs, purchase, 100, 20, 3)
    customs.open(purchase(otc=9, tsn=4, amount=5000))
    close = customs.close().data
    assert len(close) == 60
    assert close[:28] == bytes.fromhex(
        "00 00 00 01  00 00 00 03  00 00 00 00 00 00 00 7B"
        "00 00 00 01  00 00 00 00 00 00 13 88"
    )
    assert close[28:44] == chain_of(taken)
    assert close[44:] == bank.close_mac(close)


def test_close_begins_the_next_batch_at_once(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    take(customs, purchase, 100)
    customs.close()
    status = customs.status()
    assert (status["batch"], status["count"], status["sum"]) == (2, 0, 0)
    assert (status["total"], status["closed"]) == (100, 1)
    next_batch = take(customs, purchase, 7)
    close = customs.close().data
    assert close[:4] == b"\x00\x00\x00\x02"
    assert close[28:44] == chain_of(next_batch), "the chain starts anew"


def test_close_with_nothing_new_answers_the_last_result_also_after_its_ack(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    take(customs, purchase, 100)
    close = customs.close().data
    assert customs.close() == close
    customs.restart()
    assert customs.close() == close
    assert customs.bank_ack(close) == bytes(8)
    assert customs.close() == close
    assert customs.status()["closed"] == 0
    assert customs.status()["batch"] == 2


def test_close_repeats_only_while_the_open_records_are_the_same(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    p = purchase()
    customs.open(p)
    first = customs.close().data
    assert customs.close() == first
    customs.void(p)
    customs.open(replace(p, otc=2, tsn=2))
    second = customs.close().data
    assert second[:4] == b"\x00\x00\x00\x02"
    customs.void(replace(p, otc=2, tsn=2))
    third = customs.close().data
    assert third[:28] == b"\x00\x00\x00\x03" + EMPTY_TOTALS
    assert customs.status()["closed"] == 3


def test_close_repeats_when_a_record_was_opened_and_voided_in_between(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    take(customs, purchase, 5)
    close = customs.close().data
    p = purchase(otc=2, tsn=2)
    customs.open(p)
    customs.void(p)
    assert customs.close() == close


def test_the_first_close_closes_even_an_empty_batch(
    customs: CustomsDriver, bank: Bank
) -> None:
    close = customs.close().data
    assert close[:28] == b"\x00\x00\x00\x01" + EMPTY_TOTALS
    assert close[28:44] == bytes(16)
    assert close[44:] == bank.close_mac(close)
    assert customs.waiting(1) == close
    assert customs.close() == close
    assert customs.bank_ack(close) == bytes(8)


def test_at_most_eight_batches_wait(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    closes = []
    for _ in range(8):
        take(customs, purchase, 1)
        closes.append(customs.close().data)
    assert customs.close() == closes[-1], "the repetition needs no room"
    take(customs, purchase, 1)
    assert customs.close() == "6A84"
    assert customs.status()["closed"] == 8
    customs.bank_ack(closes[0])
    assert customs.close().sw == "9000"


def test_waiting_batches_are_numbered_oldest_first(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    closes = []
    for amount in (1, 2, 3):
        take(customs, purchase, amount)
        closes.append(customs.close().data)
    assert [customs.waiting(i).data for i in (1, 2, 3)] == closes
    assert customs.waiting(0) == "6A83"
    assert customs.waiting(4) == "6A83"
    customs.bank_ack(closes[1])
    assert [customs.waiting(i).data for i in (1, 2)] == [closes[0], closes[2]]
    assert customs.waiting(3) == "6A83"


def test_bank_acks_come_in_any_order_and_free_the_value_of_their_batch(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    closes = []
    for amount in (100, 20, 3):
        take(customs, purchase, amount)
        closes.append(customs.close().data)
    take(customs, purchase, 5000)
    for index, left in ((1, 5103), (2, 5100), (0, 5000)):
        assert customs.bank_ack(closes[index]) == left.to_bytes(8, "big")
    assert customs.status()["total"] == 5000


def test_the_last_bank_ack_may_be_repeated(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    take(customs, purchase, 100)
    first = customs.close().data
    take(customs, purchase, 20)
    second = customs.close().data
    for _ in range(2):
        assert customs.bank_ack(first) == (20).to_bytes(8, "big")
    customs.restart()
    assert customs.bank_ack(first) == (20).to_bytes(8, "big")
    for _ in range(2):
        assert customs.bank_ack(second) == bytes(8)
    assert customs.bank_ack(first) == "6A83", "no longer the last"


def test_bank_ack_tells_a_wrong_mac_from_an_unknown_batch(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    take(customs, purchase, 100)
    close = customs.close().data
    number = close[:4]
    assert customs.command("80 7C 00 00", number + bytes(16)) == "9302"
    assert customs.command("80 7C 00 00", b"\x00\x00\x00\x02" + bytes(16)) == "6A83"
    assert customs.command("80 7C 00 00", bytes(20)) == "6A83"
    assert customs.status()["total"] == 100
    other_sum = close[:8] + (101).to_bytes(8, "big") + close[16:]
    assert customs.bank_ack(other_sum) == "9302"
    customs.bank_ack(close)
    assert customs.command("80 7C 00 00", number + bytes(16)) == "9302"


def test_read_credited_runs_over_all_unacknowledged_batches(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    batches = []
    closes = []
    for amounts in ((1, 2), (), (3,)):
        batches.append(take(customs, purchase, *amounts))
        customs.open(purchase(otc=900, tsn=customs.status()["tsn"]))
        closes.append(customs.close().data)
        customs.void(purchase(otc=900, tsn=customs.status()["tsn"] - 1))
    batches.append(take(customs, purchase, 4, 5))

    def expected(*batch_numbers: int) -> list[bytes]:
        return [
            number.to_bytes(4, "big") + p.tx + b"\x01" + p.after + p.tac
            for number in batch_numbers
            for p in batches[number - 1]
        ]

    assert [customs.read_credited(i).data for i in range(1, 6)] == expected(1, 2, 3, 4)
    assert customs.read_credited(6) == "6A83"
    assert customs.read_credited(0) == "6A83"
    assert customs.read_credited(0x0101) == "6A83"
    customs.bank_ack(closes[2])
    assert [customs.read_credited(i).data for i in range(1, 5)] == expected(1, 2, 4)
    customs.bank_ack(closes[0])
    assert [customs.read_credited(i).data for i in (1, 2)] == expected(4)


def test_open_records_stay_through_close_and_bank_ack(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    p = purchase()
    customs.open(p)
    first = customs.close().data
    customs.bank_ack(first)
    take(customs, purchase, 10)
    second = customs.close().data
    for close in (first, second):
        assert close[16:28] == bytes.fromhex("00 00 00 01  00 00 00 00 00 00 04 D2")
    assert customs.credit(p).sw == "9000"
    assert customs.read_credited(2).data[:4] == b"\x00\x00\x00\x03"


def test_batches_survive_a_reset(
    customs: CustomsDriver, purchase: type[Purchase]
) -> None:
    take(customs, purchase, 100)
    close = customs.close().data
    before = customs.status()
    customs.restart()
    assert customs.status() == before
    assert customs.waiting(1) == close
