"""What can be asked of a card that is not ours to reissue; no value moves.

`pytest tests/conformance/test_any_card.py --reader NAME` asks the test card in that
PC/SC reader; without the option the two simulated cards answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from card.profile import CUSTOMS_AID, PURSE_AID
from sim.cards.issue import default_customs_card, default_purse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Transmit = Callable[[bytes], bytes]

AIDS = {"purse": PURSE_AID, "customs": CUSTOMS_AID}


@pytest.fixture(params=["purse", "customs", "reader"])
def transmit(request: pytest.FixtureRequest) -> Iterator[Transmit]:
    """A way to send raw APDUs to one card, just reset."""
    name = request.config.getoption("--reader")
    if request.param == "reader":
        if name is None:
            pytest.skip("no --reader NAME")
        with RealCard(name) as card:
            yield card.transmit
        return
    if name is not None:
        pytest.skip("--reader NAME was given")
    yield (
        default_purse() if request.param == "purse" else default_customs_card()
    ).process


class RealCard:
    """A card in a reader of the system's own pcscd."""

    def __init__(self, reader: str) -> None:
        from smartcard import scard  # noqa: PLC0415  only where it is needed

        self._scard: Any = scard
        code, self._context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        assert code == scard.SCARD_S_SUCCESS, "is pcscd running?"
        code, self._handle, self._protocol = scard.SCardConnect(
            self._context,
            reader,
            scard.SCARD_SHARE_EXCLUSIVE,
            scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1,
        )
        assert code == scard.SCARD_S_SUCCESS, f"no card in {reader}?"

    def __enter__(self) -> RealCard:
        return self

    def __exit__(self, *_: object) -> None:
        self._scard.SCardDisconnect(self._handle, self._scard.SCARD_RESET_CARD)
        self._scard.SCardReleaseContext(self._context)

    def transmit(self, apdu: bytes) -> bytes:
        answer = self._once(apdu)
        if answer[-2] == 0x6C:
            answer = self._once(apdu[:4] + answer[-1:])
        while answer[-2] == 0x61:
            more = self._once(bytes.fromhex("00 C0 00 00") + answer[-1:])
            answer = answer[:-2] + more
        return answer

    def _once(self, apdu: bytes) -> bytes:
        code, answer = self._scard.SCardTransmit(
            self._handle, self._protocol, list(apdu)
        )
        assert code == self._scard.SCARD_S_SUCCESS
        return bytes(answer)


def select(transmit: Transmit) -> bytes:
    """SELECT whichever of the two applications the card has; its FCI."""
    for aid in AIDS.values():
        answer = transmit(bytes.fromhex("00 A4 04 00 08") + aid + b"\x00")
        if answer[-2:] == b"\x90\x00":
            return answer[:-2]
    pytest.fail("the card has none of the two applications")


def test_it_selects_and_names_itself(transmit: Transmit) -> None:
    fci = select(transmit)
    assert fci[:4] == bytes((0x6F, len(fci) - 2, 0x84, 0x08))
    assert fci[4:12] in AIDS.values()
    assert fci[12:14] == bytes((0xA5, len(fci) - 14))
    assert fci[14:17] == bytes.fromhex("C0 01 01")


def test_before_select_nothing_is_carried_out(transmit: Transmit) -> None:
    assert transmit(bytes.fromhex("00 84 00 00 08")) == bytes.fromhex("69 85")


@pytest.mark.parametrize(
    ("apdu", "sw"),
    [
        ("B0 84 00 00 08", "6E 00"),
        ("80 FF 00 00 00", "6D 00"),
        ("00 84 00 01 08", "6A 86"),
        ("00 84 00 00 01 00", "67 00"),
        ("00 A4 04 00 05 A0 00 00 00 03", "6A 82"),
    ],
)
def test_the_common_status_words(transmit: Transmit, apdu: str, sw: str) -> None:
    select(transmit)
    assert transmit(bytes.fromhex(apdu)) == bytes.fromhex(sw)


def test_challenges_differ(transmit: Transmit) -> None:
    select(transmit)
    challenges = {transmit(bytes.fromhex("00 84 00 00 08")) for _ in range(4)}
    assert len(challenges) == 4
