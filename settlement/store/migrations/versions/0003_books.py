"""Offices, deposits, fees, officers, suspense, requests and calls get their books."""

from settlement.store.migrations.scripts import run_script

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make them."""
    run_script("0003_books")
