"""How older databases become what this version works with: one line of revisions.

`settlement.store.migration` runs them, by Alembic. ``docs/database.md`` tells how to
add one.
"""

from typing import Final

HEAD: Final = "0002"
"""The newest revision; a new bank has it from the start."""
