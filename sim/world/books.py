"""The bank's books as somebody reads them who trusts none of the bank's programs.

What is asked after every step of a story is asked of the file itself, in the tables
that `settlement/store/schema.py` lays down, so that a mistake in the bank's own
questions cannot hide what it has done.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["BooksReader", "PostedRow"]

PostedRow: TypeAlias = tuple[bytes, int, int, int]
"""cid (8 bytes), otc, tsn, amount in minor units."""

_POSTED: Final = "SELECT cid, otc, tsn, amount_minor FROM payment ORDER BY cid, otc"
_IN_BATCHES: Final = """
    SELECT coalesce(sum(amount_minor), 0) FROM payment
    WHERE batch IN (SELECT value FROM json_each(?))
"""
_OPENS: Final = """
    SELECT tx, debited FROM open_record
    JOIN open_report USING (terminal_id, mid, batch, tsn)
    LEFT JOIN open_resolution USING (mid, tsn)
    ORDER BY mid, tsn
"""
_FLOAT: Final = """
    SELECT coalesce(sum(credit_minor), 0) - coalesce(sum(debit_minor), 0)
    FROM account JOIN leg ON leg.account_id = account.id
    WHERE account.kind = 'purse float' AND account.owner = ?
"""


class BooksReader:
    """Looks into a bank's database, and cannot write."""

    def __init__(self, path: Path) -> None:
        """Open the database at ``path``."""
        uri = f"{path.absolute().as_uri()}?mode=ro"
        self._connection = sqlite3.connect(uri, uri=True)

    def close(self) -> None:
        """Let go of the file; may be called again."""
        self._connection.close()

    def posted(self) -> Iterator[PostedRow]:
        """Every payment that the ledger holds, by purse and number."""
        yield from self._connection.execute(_POSTED)

    def posted_minor_in(self, batches: Iterable[int]) -> int:
        """What the ledger holds of these batches, in minor units."""
        wanted = (json.dumps(sorted(batches)),)
        (posted_minor,) = self._connection.execute(_IN_BATCHES, wanted).fetchone()
        return int(posted_minor)

    def opens(self) -> Iterator[tuple[bytes, bool | None]]:
        """Each open record that was reported: its TX, 47 bytes, and if it was a debit.

        None where the bank does not know.
        """
        for tx, debited in self._connection.execute(_OPENS):
            yield tx, None if debited is None else bool(debited)

    def float_minor(self, cid: bytes) -> int:
        """What the bank holds in the name of a purse's customer, in minor units.

        Args:
            cid: number of the purse, 8 bytes.
        """
        owner = (cid.hex().upper(),)
        (held_minor,) = self._connection.execute(_FLOAT, owner).fetchone()
        return int(held_minor)
