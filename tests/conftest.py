"""Fixtures that more than one package uses."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from sim.pcscd import PrivatePCSCD
from sim.postgres import PrivatePostgres

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("random", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--reader",
        default=None,
        metavar="NAME",
        help="also run the conformance suite on the test card in this PC/SC reader",
    )


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """A real PostgreSQL that forgets everything; each test has databases of its own."""
    with PrivatePostgres(durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def private_pcscd() -> Iterator[PrivatePCSCD]:
    """A real pcscd with two virtual slots; the cards connect to its ports."""
    with PrivatePCSCD() as daemon:
        yield daemon


@pytest.fixture(scope="session")
def pcsc_readers(private_pcscd: PrivatePCSCD) -> tuple[str, str]:
    """Reader names of the two slots: the customer's, then the customs card's."""
    return private_pcscd.readers
