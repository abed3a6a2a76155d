"""Corrections are of registered officers, none of them disabled."""

from settlement.store.migrations.scripts import run_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make them."""
    run_script("0006_correctors")
