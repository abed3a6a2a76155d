"""Clearing and posting at the bank, each against a reference of the same run.

``python -m bench bank`` measures reading and verifying against ``openssl speed``,
posting against bare inserts and, by four hosts on PostgreSQL, against COPY, and what
large books cost in time and memory. It takes half an hour, most of it to make a bank
with ten million payments, and 15 GB of disk.
``python -m bench.bank --small`` takes a minute; ``--stored N`` and ``--posted N``
take other sizes of the large bank and of what memory is measured with. The figures are
in ``build/bench/bank.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.bank_growth import measure_growth, measure_memory
from bench.bank_postgres import measure_postgres
from bench.bank_posting import measure_posting
from bench.bank_verify import measure_verification
from sim.nation.country import Country

__all__ = ["FULL", "SMALL", "Sizes", "measure", "measure_sizes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured.

    Attributes:
        batches: whose payments are read and verified.
        commits: of eight batches, in the comparison with bare inserts.
        posted: payments posted before memory is looked at, first and last.
        stored: payments in the small bank and the large one.
        grown_commits: of eight batches, into each of them.
        nation: purses in the PostgreSQL database.
        rounds: of several hosts there.
    """

    batches: int
    commits: int
    posted: tuple[int, int]
    stored: tuple[int, int]
    grown_commits: int
    nation: int
    rounds: int


FULL: Final = Sizes(
    batches=16,
    commits=24,
    posted=(10_000, 1_000_000),
    stored=(100_000, 10_000_000),
    grown_commits=15,
    nation=500_000,
    rounds=4,
)
SMALL: Final = Sizes(
    batches=4,
    commits=6,
    posted=(4_000, 12_000),
    stored=(10_000, 50_000),
    grown_commits=5,
    nation=20_000,
    rounds=1,
)


def measure() -> dict[str, object]:
    """All of it at full size."""
    return measure_sizes(FULL)


def measure_sizes(sizes: Sizes) -> dict[str, object]:
    """All of it; each part has its own target."""
    figures: dict[str, dict[str, object]] = {}
    country = Country(purses=2_000, counters=16)
    batches = list(country.batches(sizes.batches))
    figures["verification"] = measure_verification(country, batches)
    with tempfile.TemporaryDirectory(prefix="raseed-bench-") as name:
        folder = Path(name)
        country = Country(purses=2_000, counters=16)
        figures["posting"] = measure_posting(folder, country, rounds=sizes.commits)
        figures["postgresql"] = measure_postgres(
            purses=sizes.nation, rounds=sizes.rounds
        )
        few, many = sizes.posted
        figures["memory"] = measure_memory(folder, few=few, many=many)
        few, many = sizes.stored
        figures["growth"] = measure_growth(
            folder, few=few, many=many, rounds=sizes.grown_commits
        )
    return {
        **figures,
        "target_met": all(part["target_met"] for part in figures.values()),
    }


def main(arguments: list[str]) -> int:
    """Measure at the size asked for; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.bank")
    parser.add_argument("--small", action="store_true", help="half a minute of it")
    parser.add_argument(
        "--stored",
        type=int,
        metavar="N",
        help="payments in the large bank (10,000,000 when not given)",
    )
    parser.add_argument("--posted", type=int, metavar="N", help="payments posted")
    asked = parser.parse_args(arguments)
    sizes = SMALL if asked.small else FULL
    stored = (sizes.stored[0], asked.stored or sizes.stored[1])
    posted = (sizes.posted[0], asked.posted or sizes.posted[1])
    figures = measure_sizes(replace(sizes, posted=posted, stored=stored))
    folder = Path("build/bench")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bank.json").write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if figures["target_met"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
