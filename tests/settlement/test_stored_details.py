"""Details are stored as JSON that any tool reads, always in the very same form."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from settlement.payment import LineClass, PaymentDetails, PaymentKind, PaymentLine
from settlement.store.records import details_from_text, details_to_text

TEXTS = st.text(max_size=8).filter(str.isprintable)
LINES = st.builds(
    PaymentLine,
    line_class=st.sampled_from(LineClass),
    amount_minor=st.integers(1, 0x7FFFFFFF),
)
DETAILS = st.builds(
    PaymentDetails,
    declaration=TEXTS.filter(bool),
    kind=st.sampled_from(PaymentKind),
    lines=st.lists(LINES, max_size=3).map(tuple),
    clerk=TEXTS,
    request_number=TEXTS,
    delivery_order=TEXTS,
    service_code=TEXTS,
)


@given(DETAILS)
def test_details_are_what_the_json_library_writes(details: PaymentDetails) -> None:
    written = {
        "declaration": details.declaration,
        "kind": details.kind.value,
        "lines": [[line.line_class.value, line.amount_minor] for line in details.lines],
        "clerk": details.clerk,
        "request_number": details.request_number,
        "delivery_order": details.delivery_order,
        "service_code": details.service_code,
    }
    assert details_to_text(details) == json.dumps(written, ensure_ascii=False)
    assert details_from_text(details_to_text(details)) == details
