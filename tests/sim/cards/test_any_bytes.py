"""Whatever arrives, a card answers a status word of the profile and keeps its value."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from card.profile import CUSTOMS_AID, INS, PURSE_AID
from card.sw import SW
from sim.cards.issue import default_customs_card, default_purse

KNOWN = frozenset(SW) | {0x63C1, 0x63C2}
VERIFY = bytes.fromhex("00 20 00 80 08 24 12 34 FF FF FF FF FF")


def select(aid: bytes) -> bytes:
    return bytes.fromhex("00 A4 04 00 08") + aid


def near_command() -> st.SearchStrategy[bytes]:
    """Commands that are right in part: header of the profile, any data, maybe Le."""
    small = st.integers(0, 7).map(lambda n: bytes((n,)))
    parameter = st.one_of(small, st.sampled_from([b"\x80", b"\x81"]))
    data = st.binary(max_size=0x40).map(lambda d: bytes((len(d),)) + d if d else b"")
    return st.tuples(
        st.sampled_from([b"\x00", b"\x80", b"\x84"]),
        st.sampled_from(sorted(INS)).map(lambda ins: bytes((ins,))),
        parameter,
        parameter,
        data,
        st.sampled_from([b"", b"\x00", b"\x20"]),
    ).map(b"".join)


@given(st.lists(st.one_of(st.binary(max_size=300), near_command()), max_size=40))
def test_any_bytes_are_answered_and_move_no_value(commands: list[bytes]) -> None:
    purse, customs = default_purse(), default_customs_card()
    for card, aid in ((purse, PURSE_AID), (customs, CUSTOMS_AID)):
        card.process(select(aid))
        card.process(VERIFY)
        for command in commands:
            answer = card.process(command)
            assert 2 <= len(answer) <= 258
            assert int.from_bytes(answer[-2:], "big") in KNOWN
    assert purse.memory.integer("balance") == 500_000
    assert customs.memory.integer("total") == 0
