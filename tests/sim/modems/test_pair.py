"""Two modems behind PTYs in real time; tests/interop has programs use them."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path

import pytest

from sim.modems.exchange import ExchangeSettings
from sim.modems.line import LineSettings
from sim.modems.pair import ModemPair

FAST = ExchangeSettings(
    line=LineSettings(rate_bps=115_200, delay_ms=5),
    dial_ms=10,
    ring_every_ms=200,
    training_ms=20,
)


def test_links_stand_where_they_are_asked_for_and_go_away(tmp_path: Path) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    near.symlink_to("/dev/null")
    with ModemPair(near_path=near, far_path=far) as pair:
        assert (pair.near_path, pair.far_path) == (near, far)
        assert near.resolve().parent == Path("/dev/pts")
        assert near.resolve() != far.resolve()
    assert not near.is_symlink()
    assert not far.is_symlink()


def test_link_that_is_anothers_by_now_is_left_alone(tmp_path: Path) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    with ModemPair(near_path=near, far_path=far):
        with ModemPair(near_path=near):
            later = near.readlink()
            assert later != far.readlink()
        assert not near.is_symlink()
        near.symlink_to(later)
        far.unlink()
    assert near.readlink() == later
    assert not far.is_symlink()


def test_file_that_is_no_link_is_left_alone(tmp_path: Path) -> None:
    taken = tmp_path / "far"
    taken.write_text("mine")
    pair = ModemPair(near_path=tmp_path / "near", far_path=taken)
    with pytest.raises(FileExistsError):
        pair.open()
    assert taken.read_text() == "mine"
    assert not (tmp_path / "near").is_symlink()


def test_nothing_is_left_open() -> None:
    def count() -> tuple[int, int]:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    before = count()
    for _ in range(3):
        with ModemPair(FAST) as pair:
            pair.drop_call()
    assert count() == before


def test_computer_that_does_not_read_loses_bytes_and_blocks_nobody() -> None:
    with ModemPair(FAST) as pair:
        port = os.open(pair.near_path, os.O_RDWR | os.O_NOCTTY)
        try:
            for _ in range(2_000):
                os.write(port, b"ATI\r")
        finally:
            os.close(port)
