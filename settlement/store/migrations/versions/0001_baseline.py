"""The tables of format 4, with which Raseed 0.1 began."""

from settlement.store.migrations.scripts import run_script

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables and rules in an empty database."""
    run_script("0001_baseline")
