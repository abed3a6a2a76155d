"""SIGTERM and SIGHUP unwind a program instead of cutting it off."""

from __future__ import annotations

import asyncio
import signal

import pytest

from sim.ending import ended_by_signals

SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])


@SIGNALS
def test_a_signal_unwinds_and_tells_itself_by_the_status(
    number: signal.Signals,
) -> None:
    undone = []

    def work() -> None:
        try:
            signal.raise_signal(number)
        finally:
            # A second one does not disturb what is being undone.
            signal.raise_signal(signal.SIGTERM)
            undone.append("all")

    with pytest.raises(SystemExit) as raised, ended_by_signals():
        work()
    assert raised.value.code == 128 + number
    assert undone == ["all"]


@SIGNALS
def test_coroutines_are_unwound_too(number: signal.Signals) -> None:
    undone = []

    async def work() -> None:
        try:
            asyncio.get_running_loop().call_soon(signal.raise_signal, number)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            undone.append("all")

    with pytest.raises(SystemExit) as raised, ended_by_signals():
        asyncio.run(work())
    assert raised.value.code == 128 + number
    assert undone == ["all"]


def test_without_a_signal_nothing_is_changed() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with ended_by_signals():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_keyboard_interrupts_as_ever() -> None:
    # A shell starts its background jobs with SIGINT ignored; the test is about ours.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), ended_by_signals():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_by_signals():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
