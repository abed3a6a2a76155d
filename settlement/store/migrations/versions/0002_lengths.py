"""What has a fixed number of bytes is kept to it by the database.

PostgreSQL has had that from its first revision on.
"""

from alembic import op

from settlement.store.migrations.scripts import run_script, state_rule

revision = "0002"
down_revision = "0001"

_LENGTHS = {
    "batch": {"mid": 8, "chain": 16, "mac": 16},
    "batch_collected": {"mid": 8, "ack_mac": 16},
    "record": {"mid": 8, "content": 32, "evidence": 32, "tx": 47, "cid": 8, "tac": 8},
    "payment": {"cid": 8, "mid": 8, "tac": 8, "evidence": 32},
    "audit_head": {"mid": 8, "journal": 8, "digest": 32},
    "terminal": {"mid": 8},
    "purse": {"cid": 8},
    "hotlist": {"cid": 8},
    "load": {"cid": 8, "lid": 8, "rc": 8, "m1": 8},
    "load_outcome": {"cid": 8, "proof": 8},
    "incident": {"fingerprint": 32},
    "open_report": {"mid": 8, "tx": 47, "cid": 8, "rc": 8},
    "open_record": {"mid": 8, "cid": 8},
    "open_resolution": {"mid": 8, "tac": 8, "mac2": 8, "vmac": 8},
    "entry": {"cid": 8},
    "statement": {"digest": 32},
    "certificate": {"serial": 20},
}


def upgrade() -> None:
    """State the lengths, which every row has already."""
    if op.get_bind().dialect.name == "sqlite":
        for table, columns in _LENGTHS.items():
            for column, length in columns.items():
                name = f"{column}_is_{length}_bytes"
                state_rule(table, name, f"length({column}) = {length}")
    run_script("0002_lengths")
