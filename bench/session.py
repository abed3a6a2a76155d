"""What it costs on the line to make a call secure: full handshake and resumed one.

Two links, real TLS and real certificates of the bank's authority, over a line of 9600
bit/s with 100 ms of delay each way, under a virtual clock. Seconds run from the first
HELLO of the link to the moment in which the terminal may send, bytes are those of TLS.
The reference of the resumed handshake is the full one of the same run.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from bench.virtual_call import new_ends
from modem.events import Secured
from modem.link import Link
from modem.session import SecureSession, SessionEnded
from modem.tls import TLSSession
from settlement.pki import HOST_DNS_NAME
from sim.modems.line import LineSettings
from sim.modems.virtual import VirtualWires

if TYPE_CHECKING:
    from modem.tls_context import LinkContext

__all__ = ["measure"]

_RATE_BPS: Final = 9600
_DELAY_MS: Final = 100
_SEEDS: Final = 10
_BIT_ERRORS: Final = (0.0, 1e-5, 1e-4)
_RESUMED_RATIO_MAX: Final = 0.6
"""A resumed handshake is worth having when it takes at most this of a full one."""
_CALLS: Final = (("full", False), ("resumed", True))


def measure() -> dict[str, object]:
    """Measure and print each call; the target is set for the line without noise."""
    rows = [
        _row(name, errors, resumed=resumed)
        for errors in _BIT_ERRORS
        for name, resumed in _CALLS
    ]
    for row in rows:
        print(
            f"session: {row['call']:>7}, bit errors {row['bit_error_rate']:g}: "
            f"{row['terminal_bytes']} + {row['host_bytes']} bytes of TLS, "
            f"{row['link_seconds']:.2f} s to the link, {row['seconds']:.2f} s to the "
            f"first message. Median of {_SEEDS} seeds."
        )
    tls_seconds = [
        float(str(row["seconds"])) - float(str(row["link_seconds"])) for row in rows[:2]
    ]
    ratio = tls_seconds[1] / tls_seconds[0]
    print(f"session: a resumed handshake takes {ratio:.2f} of a full one's time.")
    return {
        "rate_bps": _RATE_BPS,
        "delay_ms": _DELAY_MS,
        "rows": rows,
        "resumed_ratio": round(ratio, 3),
        "target_met": ratio <= _RESUMED_RATIO_MAX,
    }


class _Counting(TLSSession):
    """A TLS session that counts the bytes that it hands to the link."""

    def __init__(self, context: LinkContext, *, server_name: str | None) -> None:
        super().__init__(context, server_name=server_name)
        self.sent_bytes = 0

    def data_to_send(self) -> bytes:
        data = super().data_to_send()
        self.sent_bytes += len(data)
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """One call: bytes of TLS from each side, time to the link and to secured."""

    terminal_bytes: int
    host_bytes: int
    link_ms: int
    secured_ms: int


def _row(name: str, bit_error_rate: float, *, resumed: bool) -> dict[str, object]:
    settings = LineSettings(
        rate_bps=_RATE_BPS, delay_ms=_DELAY_MS, bit_error_rate=bit_error_rate
    )
    calls = [_call(settings, seed, resumed=resumed) for seed in range(_SEEDS)]
    return {
        "call": name,
        "bit_error_rate": bit_error_rate,
        "terminal_bytes": round(median(call.terminal_bytes for call in calls)),
        "host_bytes": round(median(call.host_bytes for call in calls)),
        "link_seconds": round(median(call.link_ms for call in calls) / 1000, 2),
        "seconds": round(median(call.secured_ms for call in calls) / 1000, 2),
    }


def _call(settings: LineSettings, seed: int, *, resumed: bool) -> _Measured:
    """A call between fresh ends, after another one where it is to be resumed."""
    ends = new_ends()
    near, far = ends.terminal, ends.host
    if resumed:
        _secure(near, far, LineSettings(rate_bps=_RATE_BPS), seed, resumed=False)
    return _secure(near, far, settings, seed, resumed=resumed)


def _secure(
    near_context: LinkContext,
    far_context: LinkContext,
    settings: LineSettings,
    seed: int,
    *,
    resumed: bool,
) -> _Measured:
    near_tls = _Counting(near_context, server_name=HOST_DNS_NAME)
    far_tls = _Counting(far_context, server_name=None)
    world = VirtualWires(settings, seed=seed, in_slices=False)
    start_ms = world.now_ms
    near, far = (
        SecureSession(
            Link(nonce=nonce, line_rate_bps=settings.rate_bps, now_ms=start_ms), tls
        )
        for nonce, tls in ((1, near_tls), (2, far_tls))
    )
    world.plug(near, world.near_port)
    world.plug(far, world.far_port)
    world.run_until(lambda: near_tls.sent_bytes > 0)
    link_ms = world.now_ms - start_ms
    told: list[Secured] = []
    world.run_until(lambda: _is_secured(near, told))
    secured_ms = world.now_ms - start_ms
    if told[0].resumed is not resumed:
        raise RuntimeError(f"resumed is {told[0].resumed}: seed {seed}")
    for end in (near, far):
        # As at the end of any call: the ticket is good only of one that was ended.
        end.line_lost("the measurement is over", world.now_ms)
    return _Measured(
        terminal_bytes=near_tls.sent_bytes,
        host_bytes=far_tls.sent_bytes,
        link_ms=link_ms,
        secured_ms=secured_ms,
    )


def _is_secured(session: SecureSession, told: list[Secured]) -> bool:
    """Whether the session has told so; ``told`` gets the event."""
    while (event := session.next_event()) is not None:
        if isinstance(event, SessionEnded):
            raise RuntimeError(f"the call ended: {event.error}")
        if isinstance(event, Secured):
            told.append(event)
    return bool(told)
