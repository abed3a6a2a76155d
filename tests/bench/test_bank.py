"""The bank's benchmark measures a sound bank; its figures are not judged here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.bank import Sizes, measure_sizes
from bench.bank_rows import make_bank
from settlement.bank import Bank
from settlement.check.bank import check_bank
from settlement.store.books import BankStore
from sim.nation.country import NOW, Country
from sim.nation.founding import found_nation

if TYPE_CHECKING:
    from pathlib import Path

    from sim.postgres import PrivatePostgres


def test_a_bank_with_a_history_is_as_if_clearing_had_stored_it(tmp_path: Path) -> None:
    path = tmp_path / "bank.sqlite"
    country = Country(purses=30, counters=2, past_payments=20)
    make_bank(path, country)
    with BankStore.open(path) as store:
        bank = Bank(store, country.keys)
        for batch in country.batches(2):
            assert bank.begin_batch(batch.header, NOW).code == "00"
            answers = bank.take_payments(batch.header, batch.payments, NOW)
            assert {(answer.code, answer.text) for answer in answers} == {("00", "")}
        report = check_bank(store, country.keys)
    assert report.findings == ()
    assert report.payments == 30 * 20 + 2 * 250
    assert report.tacs_verified == report.payments


def test_a_nations_books_are_sound_before_they_are_measured_with(
    postgres: PrivatePostgres,
) -> None:
    country = Country(purses=40, counters=2)
    url = postgres.create_database("nation")
    try:
        found_nation(url, country)
        with BankStore.open(url) as store:
            bank = Bank(store, country.keys)
            for batch in country.batches(2):
                assert bank.begin_batch(batch.header, NOW).code == "00"
                answers = bank.take_payments(batch.header, batch.payments, NOW)
                assert {(one.code, one.text) for one in answers} == {("00", "")}
            report = check_bank(store, country.keys)
    finally:
        postgres.drop_database("nation")
    assert report.findings == ()
    assert report.tacs_verified == 2 * 250


def test_every_part_is_measured() -> None:
    sizes = Sizes(
        batches=1,
        commits=1,
        posted=(2_000, 4_000),
        stored=(500, 1_000),
        grown_commits=1,
        nation=500,
        rounds=1,
    )
    figures = measure_sizes(sizes)
    assert figures.keys() == {
        "verification",
        "posting",
        "postgresql",
        "memory",
        "growth",
        "target_met",
    }
