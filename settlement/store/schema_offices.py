"""Customs offices: what they are called and which currency they collect.

`settlement.store.schema` lists all tables, with the rules they have in common.
"""

from __future__ import annotations

import sqlalchemy as sa

from settlement.store.schema_types import (
    EVERYWHERE,
    WHOLE,
    integer_column,
    metadata,
    text_column,
    time_column,
)

__all__ = ["office"]

office = sa.Table(
    "office",
    metadata,
    sa.Column("code", sa.String(15), primary_key=True),
    # From 1; a further row gives other names, never another currency.
    sa.Column("serial", WHOLE, primary_key=True),
    text_column("name"),
    # Empty where the bank was not told the Arabic name.
    text_column("name_ar"),
    integer_column("currency"),
    text_column("noted_by"),
    time_column("at"),
    info=EVERYWHERE,
)
