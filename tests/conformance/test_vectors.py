"""The worked vector, byte for byte, on cards that draw its random numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sim.cards.issue import issue_purse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conformance.drivers import CustomsDriver, Driver, PurseDriver

VECTORS = Path(__file__).parent.parent / "vectors" / "card-profile-1.txt"
RANDOMS = (
    "A1 A2 A3 A4 A5 A6 A7 A8",
    "B1 B2 B3 B4 B5 B6 B7 B8",
    "C1 C2 C3 C4 C5 C6 C7 C8",
    "D1 D2 D3 D4 D5 D6 D7 D8",
)
VERIFY = "00 20 00 80 08 24 12 34 FF FF FF FF FF"

# The transcript shows what matters and leaves out what was done before. READ LOG needs
# the PIN, which DEBIT has cleared; the second payment was begun and left before DEBIT.
LEFT_OUT = {
    "80B2010000": [("P", VERIFY)],
    "8078010000": [
        ("P", VERIFY),
        ("P", "80 50 01 02 17 01 00 00 02 BC 05 12"
              "43 55 53 00 00 00 00 07 99 91 87 41 15 69 FC 3A"),
        ("C", "80 70 00 00 33 64 00 00 00 00 00 00 01 B1 B2 B3 B4 B5 B6 B7 B8"
              "00 00 00 02 00 00 02 BC 05 12 20 25 11 22 10 20 00"
              "99 91 87 41 15 69 FC 3A 01 01"),
        ("P", "reset"),
        ("P", "00 A4 04 00 08 F0 52 41 53 45 45 44 01"),
    ],
}  # fmt: skip


def exchanges() -> Iterator[tuple[str, str, str]]:
    """Card, command and answer of each exchange of the transcript."""
    waiting = ("", "")
    for line in VECTORS.read_text().splitlines():
        match line.split():
            case [("P" | "C") as card, ">", command]:
                waiting = card, command
            case [("P" | "C") as card, "<", answer]:
                assert card == waiting[0]
                yield *waiting, answer
            case _:
                continue


def test_the_transcript_of_the_profile_byte_for_byte(
    purse: PurseDriver, customs: CustomsDriver
) -> None:
    randoms = iter(RANDOMS)
    purse.put(issue_purse(None, random_bytes=lambda _n: bytes.fromhex(next(randoms))))
    cards: dict[str, Driver] = {"P": purse, "C": customs}
    count = 0
    for card, command, expected in exchanges():
        signature = b""
        for other, step in LEFT_OUT.get(command, []):
            if step == "reset":
                cards[other].reset()
                continue
            answer = cards[other].send(step, signature)
            assert answer.sw == "9000"
            signature = answer.data[26:34]
        answer = cards[card].send(command)
        assert answer.data.hex().upper() + answer.sw == expected, command
        count += 1
    assert count == 26
