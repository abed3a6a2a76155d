"""The two cards, in reach of every test; no code of `card` or its simulation judges.

Every test that takes `purse` or `customs` runs twice: in this process, and through
pcscd.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.drivers import CustomsDriver, PurseDriver
from tests.conformance.formulas import Bank, Load, Purchase
from tests.conformance.links import InProcess, OverPCSC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conformance.links import Link


@pytest.fixture(
    scope="module",
    params=["in_process", pytest.param("pcsc", marks=pytest.mark.pcsc)],
)
def link(request: pytest.FixtureRequest) -> Iterator[Link]:
    """Both ways to a card, one after the other."""
    if request.param == "in_process":
        yield InProcess()
        return
    over_pcsc = OverPCSC(request.getfixturevalue("private_pcscd"))
    yield over_pcsc
    over_pcsc.close()


@pytest.fixture
def purse(link: Link) -> PurseDriver:
    """The worked vector's purse, selected."""
    driver = PurseDriver(link)
    driver.issue()
    return driver


@pytest.fixture
def customs(link: Link) -> CustomsDriver:
    """The worked vector's customs card, selected."""
    driver = CustomsDriver(link)
    driver.issue()
    return driver


@pytest.fixture
def purchase() -> type[Purchase]:
    """Payments to be made up, as `Purchase`."""
    return Purchase


@pytest.fixture
def bank() -> Bank:
    """The bank's keys."""
    return Bank()


@pytest.fixture
def load() -> type[Load]:
    """Loads to be made up, as `Load`."""
    return Load
