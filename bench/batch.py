"""What a batch costs on the line: bytes for each payment, and seconds for the whole.

300 payments of a day at a busy counter (`sim.nation.customs_day`), in groups of 32 as
they go up, and for comparison in other forms. Reference: the same payments, each in a
0320 of its own, through zlib at its best as one stream that is flushed at every 32:
what one gets without a layout. Then the batch goes over a line of 9600 bit/s with
100 ms of delay each way and a bit error rate of 1e-5, from CONNECT to the bank's
acknowledgement, TLS included, under a virtual clock. The bank answers at once: what its
database takes is not counted.
"""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta, timezone
from statistics import median
from typing import TYPE_CHECKING, Final

from bench.virtual_call import CallReport, Ends, VirtualLine, new_ends, upload_once
from bench.yes_bank import YesBank
from settlement import iso8583
from settlement.detail_groups import GROUP_PAYMENTS_MAX, group_message
from settlement.group_layout import pack
from settlement.intake import IntakeMachine
from settlement.message_codec import (
    batch_totals,
    detail_message,
    header_message,
    logon_message,
    record_fields,
    totals_message,
)
from settlement.messages import BatchHeader, TerminalVersions
from settlement.upload import Collected, UploadMachine
from sim.modems.line import LineSettings
from sim.nation.customs_day import TERMINAL, draw_day

if TYPE_CHECKING:
    from collections.abc import Iterable

    from settlement.payment import BatchToUpload

__all__ = ["batch_messages", "batch_seconds", "measure"]

_PAYMENTS: Final = 300
_DAYS: Final = 5
_SEEDS: Final = 5
_LENGTH_BYTES: Final = 2
"""Before each message inside TLS."""
_BYTES_MAX: Final = 36.0
_SECONDS_MAX: Final = 25.0
_KEY: Final = bytes(range(16))
_HANDSHAKES: Final = ("full", "resumed")
_NOW: Final = datetime(2025, 11, 22, 20, 30, tzinfo=timezone(timedelta(hours=4)))
_LINE: Final = LineSettings(rate_bps=9600, delay_ms=100, bit_error_rate=1e-5)
_FORMS: Final = {
    "raw": "fields 48 and 55 alone",
    "single": "a 0320 each",
    "single_zlib": "a 0320 each, one zlib stream (reference)",
    "group": "groups of 32, as sent",
    "group_zlib": "groups of 32, columns deflated",
    "group_stream": "groups of 32, one zlib stream over the messages",
}


def measure() -> dict[str, object]:
    """Measure and print; the targets are bytes for each payment and seconds."""
    days = [draw_day(seed, _PAYMENTS).batch for seed in range(_DAYS)]
    sizes = [_sizes(batch) for batch in days]
    figures = {name: median(size[name] for size in sizes) for name in _FORMS}
    ratio = figures["group"] / figures["single_zlib"]
    for name, words in _FORMS.items():
        print(f"batch: {figures[name]:6.1f} bytes a payment: {words}")
    control = _control_bytes(days[0])
    print(
        f"batch: {ratio:.2f} of the reference. Logon, header and totals: "
        f"{control[0]} bytes a call, {control[1]} through zlib. "
        f"Medians of {_DAYS} days."
    )
    times = {how: _times(days[0], resumed=how == "resumed") for how in _HANDSHAKES}
    for how, (secured, seconds) in times.items():
        print(
            f"batch: {seconds:.1f} s for {_PAYMENTS} payments at {_LINE.rate_bps} "
            f"bit/s, {_LINE.delay_ms} ms, bit errors {_LINE.bit_error_rate:g}, of "
            f"these {secured:.1f} s until secured (TLS {how}). Median of {_SEEDS} "
            "seeds."
        )
    seconds = times["resumed"][1]
    return {
        "payments": _PAYMENTS,
        "bytes_a_payment": {name: round(value, 2) for name, value in figures.items()},
        "ratio_to_zlib": round(ratio, 3),
        "control_bytes": control[0],
        "control_bytes_zlib": control[1],
        "seconds": {how: round(one, 2) for how, (_, one) in times.items()},
        "seconds_until_secured": {
            how: round(one, 2) for how, (one, _) in times.items()
        },
        "target_met": figures["group"] <= _BYTES_MAX and seconds <= _SECONDS_MAX,
    }


def _sizes(batch: BatchToUpload) -> dict[str, float]:
    """Bytes a payment in each form, before encryption."""
    header, records = BatchHeader.of(batch), batch.payments
    singles = [_encoded(detail_message(header, one, _NOW)) for one in records]
    groups = [
        records[start : start + GROUP_PAYMENTS_MAX]
        for start in range(0, len(records), GROUP_PAYMENTS_MAX)
    ]
    grouped = [
        _encoded(group_message(header, group, stan, _NOW))
        for stan, group in enumerate(groups, 1)
    ]
    columns = [pack(group)[0] for group in groups]
    saved = sum(len(one) - len(_deflated([one])) for one in columns)
    starts = range(0, len(singles), GROUP_PAYMENTS_MAX)
    pieces = [b"".join(singles[start : start + GROUP_PAYMENTS_MAX]) for start in starts]
    sizes = {
        "raw": sum(len(part) for one in records for part in record_fields(one)),
        "single": sum(map(len, singles)),
        "single_zlib": len(_deflated(pieces)),
        "group": sum(map(len, grouped)),
        "group_zlib": sum(map(len, grouped)) - saved,
        "group_stream": len(_deflated(grouped)),
    }
    return {name: size / len(records) for name, size in sizes.items()}


def _control_bytes(batch: BatchToUpload) -> tuple[int, int]:
    """Logon, header and totals of a call: as they are, and as one zlib stream."""
    header = BatchHeader.of(batch)
    messages = [
        iso8583.encode(logon_message(TERMINAL, 1, TerminalVersions(), _NOW), None),
        iso8583.encode(header_message(header, 2, _NOW), _KEY),
        iso8583.encode(
            totals_message(header, batch_totals(batch.payments), 3, _NOW), _KEY
        ),
    ]
    return sum(map(len, messages)), len(_deflated(messages))


def _deflated(pieces: Iterable[bytes]) -> bytes:
    """One raw deflate stream at its best, flushed after each piece."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    return b"".join(
        stream.compress(piece) + stream.flush(zlib.Z_SYNC_FLUSH) for piece in pieces
    )


def _encoded(message: iso8583.Message) -> bytes:
    """A message as TLS gets it."""
    data = iso8583.encode(message, _KEY)
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data


def _times(batch: BatchToUpload, *, resumed: bool) -> tuple[float, float]:
    timed = [
        batch_seconds(batch, _LINE, seed, resumed=resumed) for seed in range(_SEEDS)
    ]
    secured, seconds = (median(values) for values in zip(*timed, strict=True))
    return secured, seconds


def batch_seconds(
    batch: BatchToUpload, line: LineSettings, seed: int, *, resumed: bool
) -> tuple[float, float]:
    """Seconds from CONNECT until secured, and until the bank's acknowledgement.

    Args:
        batch: what to send.
        line: in both directions.
        seed: of the line's noise.
        resumed: whether TLS goes on with the session of a call just before.
    """
    ends = new_ends(TERMINAL)
    if resumed:
        _call(batch, ends, VirtualLine())
    report = _call(batch, ends, VirtualLine(settings=line, seed=seed))
    assert report.secured_ms is not None
    assert report.finished_ms is not None
    return report.secured_ms / 1000, report.finished_ms / 1000


def batch_messages(batch: BatchToUpload) -> bytes:
    """What goes up in a call with a batch, before encryption, as one string."""
    return b"".join(_call(batch, new_ends(TERMINAL), VirtualLine()).sent)


def _call(batch: BatchToUpload, ends: Ends, line: VirtualLine) -> CallReport:
    report = upload_once(
        UploadMachine(batch, stan_start=1),
        IntakeMachine(TERMINAL, YesBank(), _KEY),
        ends=ends,
        now=_NOW,
        line=line,
    )
    if not isinstance(report.events[-1], Collected):
        raise RuntimeError(f"the batch was not collected: {report.events[-1]}")
    return report
