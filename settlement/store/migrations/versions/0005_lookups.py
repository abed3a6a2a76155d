"""The rules look up by index from the first row of a bank on."""

from settlement.store.migrations.scripts import run_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make them."""
    run_script("0005_lookups")
