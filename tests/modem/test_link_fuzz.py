"""20,000 mutated strings into every part of the link: nothing is raised."""

from __future__ import annotations

import random

import pytest

from tests.modem.fuzz_link import TARGETS, mutated, samples

STRINGS = 20_000


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_strings_raise_nothing(name: str) -> None:
    source = random.Random(name)
    sound = samples()
    for _ in range(STRINGS // len(TARGETS)):
        TARGETS[name](mutated(source, sound))


def test_samples_are_sound_and_of_every_kind() -> None:
    # A fuzzer whose samples nobody understands tries nothing but the check.
    assert len(samples()) == 10
    source = random.Random(1)
    assert len({mutated(source, samples()) for _ in range(100)}) > 95
