"""Who may come in: asked by the host on every call, before the first message.

The call's own thread asks, and waits as long as the books need; the lines of other
calls move on meanwhile.

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
    from contextlib import AbstractContextManager
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
        """Why a terminal whose certificate TLS has proved may not come in, or None.

        Only reads. None is not the last word: see `note_use`.
        """
        try:
            return certificate_trouble(self._rows(terminal), terminal.serial)
        except SettlementError:
            # Who cannot be looked up does not come in; the terminal tries again.
            return CertificateTrouble.NOT_CHECKED

    def note_use(
        self, terminal: PeerCertificate, turn: AbstractContextManager[object]
    ) -> CertificateTrouble | None:
        """Note the first use of a certificate; why it may not come in, or None.

        Whatever became of it since `admit` counts: it is judged again by the state of
        the books in which its use is noted.

        Args:
            terminal: the certificate, which `admit` had nothing against.
            turn: held while the books are written, which a later use does not.
        """
        try:
            rows = self._rows(terminal)
            trouble = certificate_trouble(rows, terminal.serial)
            if trouble is not None or _is_seen(rows, terminal.serial):
                return trouble
            with turn, self._store.write() as books:
                rows = books.certificates.of_terminal(terminal.name)
                trouble = certificate_trouble(rows, terminal.serial)
                if trouble is None:
                    [row] = [one for one in rows if one.serial == terminal.serial]
                    books.certificates.note_seen(row, self._clock())
                return trouble
        except SettlementError:
            # The older certificate would stay good: nobody comes in unseen.
            return CertificateTrouble.NOT_CHECKED

    def _rows(self, terminal: PeerCertificate) -> Sequence[CertificateRow]:
        with self._store.read() as books:
            return books.certificates.of_terminal(terminal.name)


def _is_seen(rows: Sequence[CertificateRow], serial: int) -> bool:
    return any(row.serial == serial and row.seen_at is not None for row in rows)


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
