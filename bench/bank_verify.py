"""How fast payments are read and verified, against the bare MACs of this machine.

Reference: ``openssl speed`` makes AES-128-CMACs of as many bytes as a TAC is made over,
with one key, in C. What the bank does besides, for every payment of the messages as a
terminal sends them: decode ISO 8583 and check the message's MAC, read the payment out
of its group, derive its card's key, make the MAC under it, and the two digests by which
the payment is known again.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Final

from settlement import iso8583
from settlement.detail_groups import GROUP_PAYMENTS_MAX, group_message, payments_of
from settlement.message_parser import parse_request
from settlement.messages import GroupRequest
from settlement.verification import verify_group
from sim.nation.country import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from settlement.payment import PaymentRecord
    from sim.nation.country import Country, SentBatch

__all__ = ["RATIO_MIN", "measure_verification"]

RATIO_MIN: Final = 0.05
MAC_BYTES: Final = 60
"""What a TAC is made over: its head, TX, balance and cumulative debit."""
_SESSION_KEY: Final = bytes(range(16))
_REPEATS: Final = 5


def measure_verification(
    country: Country, batches: Sequence[SentBatch]
) -> dict[str, object]:
    """Verify some batches again and again, the reference before and after."""
    messages = [_messages(batch) for batch in batches]
    count = sum(len(batch.payments) for batch in batches)
    reference = [cmacs_a_second()]

    def read() -> list[list[PaymentRecord]]:
        return [
            _read(batch, sent) for batch, sent in zip(batches, messages, strict=True)
        ]

    payments = read()
    if payments != [list(batch.payments) for batch in batches]:
        raise RuntimeError("what was read is not what was sent")

    def verify() -> None:
        for one in payments:
            if not all(v.tac_is_good for v in verify_group(country.keys, one)):
                raise RuntimeError("a TAC of the benchmark is wrong")

    read_s, verify_s = _best_s(read), _best_s(verify)
    reference.append(cmacs_a_second())
    rate = count / (read_s + verify_s)
    cmacs = max(reference)
    ratio = rate / cmacs
    print(
        f"bank: read and verified {rate:.0f} payments a second on one core, "
        f"{ratio:.4f} of {cmacs:.0f} bare CMACs of {MAC_BYTES} bytes "
        f"(target: at least {RATIO_MIN}, {'met' if ratio >= RATIO_MIN else 'MISSED'}); "
        f"of it reading {1e6 * read_s / count:.1f} µs, verifying "
        f"{1e6 * verify_s / count:.1f} µs ({count / verify_s / cmacs:.3f} by itself)."
    )
    return {
        "payments_a_second": round(rate),
        "reading_us": round(1e6 * read_s / count, 2),
        "verifying_us": round(1e6 * verify_s / count, 2),
        "openssl_cmacs_a_second": round(cmacs),
        "ratio": round(ratio, 4),
        "ratio_of_verifying_alone": round(count / verify_s / cmacs, 4),
        "target": RATIO_MIN,
        "target_met": ratio >= RATIO_MIN,
    }


def cmacs_a_second() -> float:
    """AES-128-CMAC operations a second, as ``openssl speed`` measures them."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise RuntimeError("openssl is not installed; make packages installs it")
    sizes = ("-mr", "-seconds", "1", "-bytes", str(MAC_BYTES))
    told = subprocess.run(  # noqa: S603  our own arguments
        [openssl, "speed", *sizes, "-cmac", "aes-128-cbc"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    # +F:NUMBER:NAME:BYTES A SECOND
    (line,) = [line for line in told.splitlines() if line.startswith("+F:")]
    return float(line.split(":")[-1]) / MAC_BYTES


def _messages(batch: SentBatch) -> list[bytes]:
    starts = range(0, len(batch.payments), GROUP_PAYMENTS_MAX)
    return [
        iso8583.encode(
            group_message(
                batch.header,
                batch.payments[start : start + GROUP_PAYMENTS_MAX],
                stan,
                NOW,
            ),
            _SESSION_KEY,
        )
        for stan, start in enumerate(starts, 1)
    ]


def _read(batch: SentBatch, messages: Sequence[bytes]) -> list[PaymentRecord]:
    payments: list[PaymentRecord] = []
    for data in messages:
        message = iso8583.decode(data)
        if not iso8583.is_authentic(data, message, _SESSION_KEY):
            raise RuntimeError("a message of the benchmark is not authentic")
        request = parse_request(message)
        if not isinstance(request, GroupRequest):
            raise TypeError("a message of the benchmark is no group")
        payments += payments_of(request, batch.header)
    return payments


def _best_s(work: Callable[[], object]) -> float:
    """The shortest time of some, which other programs disturbed least.

    In seconds of this program on a processor, which is what ``openssl speed`` counts.
    """
    times = []
    for _ in range(_REPEATS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)
