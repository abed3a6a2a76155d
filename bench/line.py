"""How close the link comes to what a telephone line can carry at best.

24,000 random bytes over a line with 100 ms of delay each way, under a virtual clock, so
the figures do not depend on the machine. Reference: the line's own limit, which is its
rate (ten bits a byte) plus one delay.
"""

from __future__ import annotations

import random
from statistics import median
from typing import Final

from modem.link import Link
from modem.link_state import DataReceived
from sim.modems.line import LineSettings, Wire

__all__ = ["measure"]

_BYTES: Final = 24_000
_DELAY_MS: Final = 100
_SEEDS: Final = 10
_LIMIT_MS: Final = 3_600_000
_CLEAN_RATIO_MIN: Final = 0.85
_LINES: Final = ((9600, 0.0), (9600, 1e-5), (9600, 1e-4), (33600, 0.0), (33600, 1e-4))


def measure() -> dict[str, object]:
    """Measure and print each line; the target is set for lines without noise."""
    rows = [_row(rate_bps, errors) for rate_bps, errors in _LINES]
    clean = [row["ratio"] for row in rows if not row["bit_error_rate"]]
    met = all(ratio >= _CLEAN_RATIO_MIN for ratio in clean)
    for row in rows:
        print(
            f"line: {row['rate_bps']:>6} bit/s, bit errors {row['bit_error_rate']:g}: "
            f"{row['seconds']:.1f} s, {row['ratio']:.2f} of the line's own limit "
            f"({row['limit_seconds']:.1f} s). Median of {_SEEDS} seeds."
        )
    return {"bytes": _BYTES, "delay_ms": _DELAY_MS, "rows": rows, "target_met": met}


def _row(rate_bps: int, bit_error_rate: float) -> dict[str, float]:
    limit_s = _BYTES * 10 / rate_bps + _DELAY_MS / 1000
    settings = LineSettings(
        rate_bps=rate_bps, delay_ms=_DELAY_MS, bit_error_rate=bit_error_rate
    )
    seconds = median(_transfer_ms(settings, seed) / 1000 for seed in range(_SEEDS))
    return {
        "rate_bps": rate_bps,
        "bit_error_rate": bit_error_rate,
        "seconds": round(seconds, 2),
        "limit_seconds": round(limit_s, 2),
        "ratio": round(limit_s / seconds, 3),
    }


def _transfer_ms(settings: LineSettings, seed: int) -> int:
    source = random.Random(seed)
    data = source.randbytes(_BYTES)
    near, far = (
        Link(nonce=nonce, line_rate_bps=settings.rate_bps, now_ms=0) for nonce in (1, 2)
    )
    up = Wire(settings, random.Random(seed + 1))
    down = Wire(settings, random.Random(seed + 2))
    near.send(data)
    received = bytearray()
    now_ms = 0
    while len(received) < _BYTES:
        near.receive_data(down.receive(now_ms), now_ms)
        far.receive_data(up.receive(now_ms), now_ms)
        near.on_timer(now_ms)
        far.on_timer(now_ms)
        up.send(near.data_to_send(now_ms), now_ms)
        down.send(far.data_to_send(now_ms), now_ms)
        while (event := far.next_event()) is not None:
            if isinstance(event, DataReceived):
                received += event.data
        now_ms = max(now_ms, _next_ms(near, far, up, down))
        if now_ms > _LIMIT_MS:
            raise RuntimeError(f"the transfer did not end: seed {seed}")
    if bytes(received) != data:
        raise RuntimeError(f"wrong bytes arrived: seed {seed}")
    return now_ms


def _next_ms(*parts: Link | Wire) -> int:
    due = [part.deadline_ms() for part in parts]
    return min(time_ms for time_ms in due if time_ms is not None)
