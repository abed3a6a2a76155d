"""How older databases become what this version works with: one line of revisions.

`settlement.store.migration` runs them, by Alembic. ``docs/database.md`` tells how to
add one.
"""
