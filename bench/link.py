"""Our link against ZMODEM, on the same simulated line in the same run.

24,000 random bytes, and a day's batch of 300 payments, at two rates and four bit error
rates, with three seeds each. ZMODEM is lrzsz in three settings, in real time
(`bench.zmodem`); ours is the production code under a virtual clock. The noise is drawn
alike, and all times begin at CONNECT: ours have the opening of the link in them, those
of a batch a resumed TLS session, the bank's answers and its acknowledgement as well,
while ZMODEM carries the bare messages that go up and nothing comes back.

References: the best ZMODEM setting of each cell, and ideal selective repeat
(`bench.line.ideal_seconds`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

from bench.batch import batch_messages, batch_seconds
from bench.line import ideal_seconds
from bench.zmodem import SETTINGS, Transfer, run_all
from modem.link import Link
from modem.link_state import DataReceived
from sim.modems.line import LineSettings
from sim.modems.virtual import Untimed, VirtualWires
from sim.nation.customs_day import draw_day

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["measure"]

_BYTES: Final = 24_000
_PAYMENTS: Final = 300
_SEEDS: Final = (1, 2, 3)
_LIMIT_S: Final = 300.0
"""A transfer that takes longer has failed."""
_LINES: Final = tuple(
    LineSettings(rate_bps=rate_bps, delay_ms=100, bit_error_rate=errors)
    for rate_bps, errors in product((9_600, 33_600), (0.0, 1e-5, 1e-4, 3e-4))
)
_RATIO_MIN: Final = 0.85
_OURS: Final = "ours"


@dataclass(frozen=True, slots=True)
class _Cell:
    """What one way to carry something took on one line, each seed; None: failed."""

    seconds: tuple[float | None, ...]

    @property
    def completed(self) -> int:
        """How many transfers ended with every byte right."""
        return sum(one is not None for one in self.seconds)

    @property
    def median(self) -> float | None:
        """Of those that ended; None when a failed one lies in the middle."""
        ranked = sorted(self.seconds, key=lambda one: _LIMIT_S if one is None else one)
        return ranked[len(ranked) // 2]

    def __str__(self) -> str:
        middle = self.median
        shown = "fails" if middle is None else f"{middle:.1f}"
        failed = len(self.seconds) - self.completed
        return f"{shown} (-{failed})" if failed and middle is not None else shown


def measure() -> dict[str, object]:
    """Measure and print a table for each content; takes some ten minutes."""
    batch = draw_day(0, _PAYMENTS).batch
    random_cells = _zmodem([random.Random(seed).randbytes(_BYTES) for seed in _SEEDS])
    for line in _LINES:
        random_cells[line, _OURS] = _Cell(
            tuple(_random_seconds(line, seed) for seed in _SEEDS)
        )
    batch_cells = _zmodem([batch_messages(batch)] * len(_SEEDS))
    for line in _LINES:
        seconds = [batch_seconds(batch, line, seed, resumed=True)[1] for seed in _SEEDS]
        batch_cells[line, _OURS] = _Cell(tuple(seconds))
    print(f"link: {_BYTES} random bytes, seconds (median of {len(_SEEDS)} seeds)")
    rows = [_row(random_cells, line, with_ideal=True) for line in _LINES]
    print(f"link: a batch of {_PAYMENTS} payments, seconds")
    batch_rows = [_row(batch_cells, line, with_ideal=False) for line in _LINES]
    return {
        "bytes": _BYTES,
        "payments": _PAYMENTS,
        "limit_seconds": _LIMIT_S,
        "random": rows,
        "batch": batch_rows,
        "target_met": all(row["met"] for row in rows),
    }


def _zmodem(files: Sequence[bytes]) -> dict[tuple[LineSettings, str], _Cell]:
    """Every setting on every line, with each seed's file."""
    wanted = list(product(_LINES, SETTINGS))
    seconds = run_all(
        [
            Transfer(setting=setting, line=line, seed=10 * seed, data=data)
            for line, setting in wanted
            for seed, data in zip(_SEEDS, files, strict=True)
        ],
        limit_s=_LIMIT_S,
        on_progress=lambda ended, of, now_s: print(
            f"link: ZMODEM {ended} of {of} ended after {now_s:.0f} s", flush=True
        ),
    )
    count = len(_SEEDS)
    return {
        place: _Cell(tuple(seconds[number * count : (number + 1) * count]))
        for number, place in enumerate(wanted)
    }


def _random_seconds(line: LineSettings, seed: int) -> float:
    """From CONNECT until the sender knows that all has arrived, and is right."""
    world = VirtualWires(line, seed=10 * seed, in_slices=False)
    near, far = (
        Link(nonce=nonce, line_rate_bps=line.rate_bps, now_ms=world.now_ms)
        for nonce in (1, 2)
    )
    received = bytearray()

    def collect() -> None:
        while (event := far.next_event()) is not None:
            if isinstance(event, DataReceived):
                received.extend(event.data)

    data = random.Random(seed).randbytes(_BYTES)
    near.send(data)
    world.plug(Untimed(near), world.near_port)
    world.plug(Untimed(far), world.far_port, after=collect)
    took_ms = world.run_until(
        lambda: len(received) >= _BYTES and not near.unacknowledged_bytes
    )
    if bytes(received) != data:
        raise RuntimeError(f"wrong bytes arrived: {line}, seed {seed}")
    return took_ms / 1000


def _row(
    cells: dict[tuple[LineSettings, str], _Cell],
    line: LineSettings,
    *,
    with_ideal: bool,
) -> dict[str, object]:
    """Print and return one line of a table."""
    ours = cells[line, _OURS]
    assert ours.median is not None, "ours ends or raises"
    rivals = {name: cells[line, name] for name in SETTINGS}
    best = min(one.median or _LIMIT_S for one in rivals.values())
    row: dict[str, object] = {
        "rate_bps": line.rate_bps,
        "bit_error_rate": line.bit_error_rate,
        "seconds": {name: cells[line, name].seconds for name in (_OURS, *SETTINGS)},
        "completed": {name: cells[line, name].completed for name in (_OURS, *SETTINGS)},
        "ratio_to_best_zmodem": round(best / ours.median, 2),
        "met": ours.completed == len(_SEEDS) and ours.median < best,
    }
    words = f"ours {ours}, " + ", ".join(
        f"{name} {one}" for name, one in rivals.items()
    )
    if with_ideal:
        ideal = ideal_seconds(line.rate_bps, line.bit_error_rate)
        slowest = max(one for one in ours.seconds if one is not None)
        row["ideal_seconds"] = round(ideal, 2)
        row["efficiency"] = round(ideal / ours.median, 3)
        row["efficiency_slowest"] = round(ideal / slowest, 3)
        row["met"] = bool(row["met"]) and ideal / ours.median >= _RATIO_MIN
        words += (
            f"; ideal {ideal:.1f}, of which ours reaches {ideal / ours.median:.2f}, "
        )
        words += f"at worst {ideal / slowest:.2f}"
    print(
        f"link: {line.rate_bps:>6} bit/s, bit errors {line.bit_error_rate:g}: {words}; "
        f"the best ZMODEM takes {best / ours.median:.2f} of our time"
    )
    return row
