"""The audit head travels as 44 bytes, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from settlement.audit_head import AUDIT_HEAD_BYTES, AuditHead

HEAD = AuditHead(
    journal=bytes.fromhex("00 01 02 03 04 05 06 07"), entries=258, digest=bytes(32)
)
SENT = bytes.fromhex("00 01 02 03 04 05 06 07  00 00 01 02") + bytes(32)


def test_an_audit_head_is_44_bytes_in_this_order() -> None:
    assert HEAD.to_bytes() == SENT
    assert len(SENT) == AUDIT_HEAD_BYTES
    assert AuditHead.parse(SENT) == HEAD


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(SENT[:-1], id="too short"),
        pytest.param(SENT + b"\x00", id="too long"),
        pytest.param(SENT[:8] + bytes(36), id="no entries"),
    ],
)
def test_what_is_no_audit_head_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="audit"):
        AuditHead.parse(data)
