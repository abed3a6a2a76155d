"""Lines without modems: nothing is set up, dialled or hung up."""

from __future__ import annotations

from modem.call_machine import CallMachine, CallPhase
from modem.direct import DirectLine
from modem.events import Closed, Connected, WaitingForCall
from modem.hang_up import HangUp


def test_side_that_calls_is_connected_at_once() -> None:
    line = DirectLine(baud=19_200, calls=True)
    assert (line.rate_bps, line.data_to_send(0)) == (19_200, b"")
    assert line.next_event() == Connected(rate_bps=19_200)


def test_first_bytes_are_the_call_and_belong_to_it() -> None:
    line = DirectLine(baud=9_600, calls=False)
    line.receive_data(b"", 0)
    assert line.rate_bps is None
    assert line.next_event() == WaitingForCall()
    line.receive_data(b"~\x01", 5)
    line.receive_data(b"\x02", 6)
    assert line.next_event() == Connected(rate_bps=9_600)
    assert line.take_rest() == b"~\x01\x02"


def test_line_without_modem_hears_no_escape_sequence() -> None:
    assert HangUp(has_dtr=False, now_ms=0, is_modem=False).done
    hang_up = HangUp(has_dtr=True, now_ms=0, is_modem=False)
    hang_up.data_to_send(0)
    hang_up.on_timer(400)
    assert not hang_up.dtr


def test_direct_line_that_is_only_tried_ends_at_once() -> None:
    machine = CallMachine(DirectLine(baud=9_600, calls=True), None, has_dtr=False)
    machine.on_timer(0)
    assert machine.phase is CallPhase.DONE
    assert machine.error is None
    assert [machine.next_event(), machine.next_event()] == [
        Connected(rate_bps=9_600),
        Closed(clean=True, reason="ended on this side"),
    ]
