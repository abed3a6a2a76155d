"""The bank's books as somebody reads them who trusts none of the bank's programs.

What is asked after every step of a story is asked of the file itself, in the tables
that `settlement/schema.py` lays down, so that a mistake in the bank's own questions
cannot hide what it has done.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["BooksReader", "PostedRow"]

PostedRow: TypeAlias = tuple[bytes, int, int, int]
"""cid (8 bytes), otc, tsn, amount in minor units."""

_POSTED: Final = "SELECT cid, otc, tsn, amount_minor FROM payment ORDER BY cid, otc"
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

    def float_minor(self, cid: bytes) -> int:
        """What the bank holds in the name of a purse's customer, in minor units.

        Args:
            cid: number of the purse, 8 bytes.
        """
        owner = (cid.hex().upper(),)
        (held_minor,) = self._connection.execute(_FLOAT, owner).fetchone()
        return int(held_minor)
