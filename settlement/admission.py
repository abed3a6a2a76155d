"""Who may come in: asked by the host on every call, before the first message.

The bank's own database is asked, and no revocation list (CRL): the one machine that has
to know of a revocation is the one that keeps it, so that there is nothing to publish,
nothing to fetch and nothing that can be out of date. A terminal is shut out from the
moment in which ``raseed-bank terminal revoke`` returns; a call that is under way then
ends by itself, and what it brought is judged by the cards' signatures as ever.

A renewed terminal has two certificates for a while. The old one is good until the new
one is seen in use, so that no counter stands still while the new one is on its way, and
not a moment longer, so that nobody can use a copy that was left behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modem.certificates import CertificateTrouble
from settlement.errors import SettlementError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from modem.certificates import PeerCertificate
    from settlement.store.books import BankStore
    from settlement.store.certificates import CertificateRow

__all__ = ["Admission", "certificate_trouble"]


class Admission:
    """The bank's door. Threads may share it."""

    def __init__(self, store: BankStore, clock: Callable[[], datetime]) -> None:
        """Look into ``store``."""
        self._store = store
        self._clock = clock

    def admit(self, terminal: PeerCertificate) -> CertificateTrouble | None:
        """Why a terminal whose certificate TLS has proved may not come in, or None."""
        try:
            with self._store.read() as books:
                rows = books.certificates.of_terminal(terminal.name)
            trouble = certificate_trouble(rows, terminal.serial)
            if trouble is None:
                self._note_seen(rows, terminal.serial)
        except SettlementError:
            # Who cannot be looked up does not come in; the terminal tries again.
            return CertificateTrouble.NOT_CHECKED
        return trouble

    def _note_seen(self, rows: Sequence[CertificateRow], serial: int) -> None:
        [row] = [row for row in rows if row.serial == serial]
        if row.seen_at is None:
            with self._store.write() as books:
                books.certificates.note_seen(row, self._clock())


def certificate_trouble(
    rows: Sequence[CertificateRow], serial: int
) -> CertificateTrouble | None:
    """What the books have against one of a terminal's certificates, or None.

    Args:
        rows: all certificates of the terminal, the oldest first.
        serial: the one that is shown.
    """
    shown = next((row for row in rows if row.serial == serial), None)
    if shown is None:
        return CertificateTrouble.UNKNOWN
    if shown.revoked_at is not None:
        return CertificateTrouble.REVOKED
    if any(row.number > shown.number and row.seen_at is not None for row in rows):
        return CertificateTrouble.REPLACED
    return None
