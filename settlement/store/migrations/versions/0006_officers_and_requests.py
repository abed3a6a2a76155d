"""Corrections are of registered officers; suspense that is accepted pays requests."""

from settlement.store.migrations.scripts import run_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make them."""
    run_script("0006_officers_and_requests")
