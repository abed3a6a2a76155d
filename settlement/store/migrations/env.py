"""Alembic runs this once for each migration, in the transaction that it was given."""

from __future__ import annotations

from alembic import context

from settlement.store.migration import VERSION_TABLE
from settlement.store.schema import metadata

# Only while Alembic runs this file; whoever imports it runs nothing.
if hasattr(context, "config"):
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        version_table=VERSION_TABLE,
    )
    context.run_migrations()
