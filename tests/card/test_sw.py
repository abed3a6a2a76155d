"""Status words by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.sw import SW, describe, tries_left


@pytest.mark.parametrize(
    ("sw", "left"), [(0x63C0, 0), (0x63C3, 3), (0x63CF, 15), (0x6300, None), (0, None)]
)
def test_tries_left_are_read_from_63cx_alone(sw: int, left: int | None) -> None:
    assert tries_left(sw) == left


@given(st.integers(0, 0xFFFF))
def test_every_status_word_can_be_described(sw: int) -> None:
    assert describe(sw).startswith(f"{sw:04X} (")


@pytest.mark.parametrize("sw", list(SW), ids=lambda sw: sw.name)
def test_every_word_of_the_profile_has_a_meaning(sw: SW) -> None:
    assert "not in the card profile" not in describe(sw)


def test_a_word_of_someone_else_is_still_told() -> None:
    assert describe(0x6F12) == "6F12 (not in the card profile)"
    assert describe(0x0000) == "0000 (not in the card profile)"
