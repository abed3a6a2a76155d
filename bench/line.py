"""How close the link comes to the best that any link could do, and how fast it works.

24,000 random bytes over a line with 100 ms of delay each way and bit errors in both
directions, under a virtual clock, so the seconds do not depend on the machine. Timed is
from `Link.send` on an open link, which hands out the first data byte at once, until the
sender knows that all has arrived.

Reference: ideal selective repeat. Its frames cost `_IDEAL_AROUND_BYTES` bytes around
the payload (flag, header, CRC-32), are all of the size that suits the error rate best,
and are lost whole by one wrong bit; nothing but lost frames is sent again, each loss is
known at once, the last bytes take one delay, and no bytes are stuffed:

    seconds = bytes * 10 / rate / max over n of (n / (n + 7) * (1 - BER)^(8 (n + 7)))
              + delay

How many bytes a second both ends move on this machine is measured against a plain
`zlib.crc32` of the same bytes in the same run.
"""

from __future__ import annotations

import random
import time
import zlib
from statistics import median
from typing import Final

from modem.link import Link
from modem.link_state import DataReceived, LinkState
from sim.modems.line import LineSettings, Wire

__all__ = ["ideal_seconds", "measure"]

_BYTES: Final = 24_000
_DELAY_MS: Final = 100
_SEEDS: Final = 10
_LIMIT_MS: Final = 36_000_000
_RATIO_MIN: Final = 0.85
_RATES_BPS: Final = (9_600, 33_600)
_BIT_ERROR_RATES: Final = (0.0, 1e-5, 1e-4, 3e-4)
_IDEAL_AROUND_BYTES: Final = 7
_LONG_BYTES: Final = 10_000_000
_LONG_LINE: Final = LineSettings(
    rate_bps=115_200, delay_ms=_DELAY_MS, bit_error_rate=1e-4
)
_LONG_STEP_MS: Final = 20
"""The long transfer is about right bytes, not about time: coarse steps will do."""
_WORK_BYTES: Final = 8_000_000
_WORK_RATE_BPS: Final = 10_000_000
_MEGABYTES_A_SECOND_MIN: Final = 2.0


def measure() -> dict[str, object]:
    """Measure and print; the target is met when every part of it is."""
    rows = [_row(rate, errors) for rate in _RATES_BPS for errors in _BIT_ERROR_RATES]
    for row in rows:
        print(
            f"line: {row['rate_bps']:>6} bit/s, bit errors {row['bit_error_rate']:g}: "
            f"{row['seconds']:.1f} s, slowest {row['seconds_slowest']:.1f} s; ideal "
            f"{row['ideal_seconds']:.1f} s, ratio {row['ratio']:.2f}, worst "
            f"{row['ratio_worst']:.2f}. {_SEEDS} seeds."
        )
    long_seconds = _long_seconds()
    print(
        f"line: {_LONG_BYTES // 1_000_000} MB at {_LONG_LINE.rate_bps} bit/s, bit "
        f"errors {_LONG_LINE.bit_error_rate:g}: no wrong byte, {long_seconds:.0f} s "
        "on the line."
    )
    work = _work()
    print(
        f"line: both ends move {work['megabytes_a_second']:.1f} MB/s of payload on one "
        f"core, {work['ratio']:.4f} of zlib.crc32 "
        f"({work['crc32_megabytes_a_second']:.0f} MB/s) in the same run."
    )
    met = (
        all(row["ratio_worst"] >= _RATIO_MIN for row in rows)
        and work["megabytes_a_second"] >= _MEGABYTES_A_SECOND_MIN
    )
    return {
        "bytes": _BYTES,
        "delay_ms": _DELAY_MS,
        "seeds": _SEEDS,
        "rows": rows,
        "long_bytes": _LONG_BYTES,
        "long_seconds": round(long_seconds, 1),
        "work": work,
        "target_met": met,
    }


def ideal_seconds(rate_bps: int, bit_error_rate: float) -> float:
    """What ideal selective repeat takes for the transfer that is measured."""
    sound = (1 - bit_error_rate) ** 8
    sizes = range(1, _BYTES + 1)
    around = _IDEAL_AROUND_BYTES
    share = max(size / (size + around) * sound ** (size + around) for size in sizes)
    if not bit_error_rate:
        share = 1.0
    return _BYTES * 10 / rate_bps / share + _DELAY_MS / 1000


def _row(rate_bps: int, bit_error_rate: float) -> dict[str, float]:
    settings = LineSettings(
        rate_bps=rate_bps, delay_ms=_DELAY_MS, bit_error_rate=bit_error_rate
    )
    data = random.Random(rate_bps).randbytes(_BYTES)
    times = [_Transfer(settings, data, seed).run() / 1000 for seed in range(_SEEDS)]
    ideal = ideal_seconds(rate_bps, bit_error_rate)
    seconds = median(times)
    return {
        "rate_bps": rate_bps,
        "bit_error_rate": bit_error_rate,
        "seconds": round(seconds, 2),
        "seconds_slowest": round(max(times), 2),
        "ideal_seconds": round(ideal, 2),
        "ratio": round(ideal / seconds, 3),
        "ratio_worst": round(ideal / max(times), 3),
    }


def _long_seconds() -> float:
    data = random.Random(_LONG_BYTES).randbytes(_LONG_BYTES)
    return _Transfer(_LONG_LINE, data, 1, step_ms=_LONG_STEP_MS).run() / 1000


class _Transfer:
    """Two links on a simulated line, and bytes that go from the near to the far one."""

    def __init__(
        self, line: LineSettings, data: bytes, seed: int, *, step_ms: int = 1
    ) -> None:
        self._near, self._far = (
            Link(nonce=nonce, line_rate_bps=line.rate_bps, now_ms=0) for nonce in (1, 2)
        )
        self._up = Wire(line, random.Random(2 * seed))
        self._down = Wire(line, random.Random(2 * seed + 1))
        self._data = data
        self._received = bytearray()
        self._step_ms = step_ms
        self._seed = seed
        self._now_ms = 0

    def run(self) -> int:
        """The milliseconds from the first byte to the sender's knowledge of the last.

        Raises:
            RuntimeError: it did not end, or a byte is wrong.
        """
        while LinkState.OPENING in (self._near.state, self._far.state):
            self._step()
        start_ms = self._now_ms
        self._near.send(self._data)
        while self._near.unacknowledged_bytes:
            self._step()
            if self._near.closing or self._now_ms > _LIMIT_MS:
                raise RuntimeError(f"the transfer did not end: seed {self._seed}")
        if bytes(self._received) != self._data:
            raise RuntimeError(f"wrong bytes arrived: seed {self._seed}")
        return self._now_ms - start_ms

    def _step(self) -> None:
        now_ms = self._now_ms
        self._near.receive_data(self._down.receive(now_ms), now_ms)
        self._far.receive_data(self._up.receive(now_ms), now_ms)
        self._near.on_timer(now_ms)
        self._far.on_timer(now_ms)
        self._up.send(self._near.data_to_send(now_ms), now_ms)
        self._down.send(self._far.data_to_send(now_ms), now_ms)
        _drain(self._near, bytearray())
        _drain(self._far, self._received)
        if self._near.unacknowledged_bytes or not self._received:
            due_ms = _next_ms(self._near, self._far, self._up, self._down)
            self._now_ms = max(due_ms, now_ms + self._step_ms)


def _next_ms(*parts: Link | Wire) -> int:
    due = [part.deadline_ms() for part in parts]
    return min(time_ms for time_ms in due if time_ms is not None)


def _drain(link: Link, received: bytearray) -> None:
    while (event := link.next_event()) is not None:
        if isinstance(event, DataReceived):
            received += event.data


def _work() -> dict[str, float]:
    """Bytes a second that both ends move, without a line between them."""
    data = random.Random(1).randbytes(_WORK_BYTES)
    seconds = _work_seconds(data)
    start = time.perf_counter()
    zlib.crc32(data)
    reference = time.perf_counter() - start
    megabytes = _WORK_BYTES / 1e6
    return {
        "megabytes_a_second": round(megabytes / seconds, 2),
        "crc32_megabytes_a_second": round(megabytes / reference, 1),
        "ratio": round(reference / seconds, 5),
    }


def _work_seconds(data: bytes) -> float:
    near, far = (
        Link(nonce=nonce, line_rate_bps=_WORK_RATE_BPS, now_ms=0) for nonce in (1, 2)
    )
    near.send(data)
    received = bytearray()
    start = time.perf_counter()
    now_ms = 0
    while len(received) < len(data):
        far.receive_data(near.data_to_send(now_ms), now_ms)
        near.receive_data(far.data_to_send(now_ms), now_ms)
        _drain(near, bytearray())
        _drain(far, received)
        now_ms += 1
    seconds = time.perf_counter() - start
    if bytes(received) != data:
        raise RuntimeError("wrong bytes arrived without a line between")
    return seconds
