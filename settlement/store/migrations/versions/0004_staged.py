"""Payments can be received first and posted later."""

from settlement.store.migrations.scripts import run_script

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make them."""
    run_script("0004_staged")
