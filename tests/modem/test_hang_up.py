from __future__ import annotations

import pytest

from modem.hang_up import HangUp


class Recorder:
    """A modem that answers commands with fixed bytes, and the time."""

    def __init__(self, answers: dict[bytes, bytes], *, has_dtr: bool = False) -> None:
        self.hang_up = HangUp(has_dtr=has_dtr, now_ms=0)
        self.answers = answers
        self.now_ms = 0
        self.heard: list[tuple[int, bytes]] = []
        self.dtr: list[tuple[int, bool]] = [(0, True)]

    def run(self) -> None:
        while not self.hang_up.done:
            said = self.hang_up.data_to_send(self.now_ms)
            if said:
                self.heard.append((self.now_ms, said))
                self.hang_up.receive_data(self.answers.get(said, b""), self.now_ms)
            if self.hang_up.dtr != self.dtr[-1][1]:
                self.dtr.append((self.now_ms, self.hang_up.dtr))
            deadline_ms = self.hang_up.deadline_ms()
            if deadline_ms is not None:
                self.now_ms = max(self.now_ms, deadline_ms)
                self.hang_up.on_timer(self.now_ms)


OK = b"\r\nOK\r\n"


def test_escape_then_ath() -> None:
    modem = Recorder({b"+++": OK, b"ATH\r": OK})
    modem.run()
    assert [said for _, said in modem.heard] == [b"+++", b"ATH\r"]
    assert modem.heard[0][0] >= 550


def test_simple_modem_gets_the_full_guard_time_in_the_second_try() -> None:
    modem = Recorder({b"ATH\r": OK})
    modem.run()
    times = [time for time, said in modem.heard if said == b"+++"]
    assert len(times) == 2
    assert times[1] - times[0] >= 1_100
    assert modem.now_ms < 8_000


def test_dtr_is_dropped_after_the_last_bytes_have_left() -> None:
    modem = Recorder({}, has_dtr=True)
    modem.run()
    assert modem.heard == []
    low_ms, high_ms = modem.dtr[1][0], modem.now_ms
    assert low_ms >= 300
    assert high_ms - low_ms >= 500
    assert modem.hang_up.dtr


@pytest.mark.parametrize("has_dtr", [False, True], ids=["escape", "dtr"])
def test_other_side_may_be_quicker(
    has_dtr: bool,
) -> None:
    hang_up = HangUp(has_dtr=has_dtr, now_ms=0)
    for byte in b"~~\x01~\r\nNO CARRIER\r\n":
        hang_up.receive_data(bytes((byte,)), 50)
    assert hang_up.done


def test_silent_modem_is_left_alone_in_the_end() -> None:
    modem = Recorder({b"+++": OK})
    modem.run()
    assert modem.heard[-1][1] == b"ATH\r"
    assert modem.now_ms < 10_000
