"""What docs/iso8583.md says of downloads is what the code does."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from settlement import iso8583
from settlement.download import (
    CHUNK_BYTES,
    ENTRIES_MAX,
    KEY_BYTES_MAX,
    PAYLOAD_BYTES_MAX,
    RAW_BYTES_MAX,
    VALUE_BYTES_MAX,
    DownloadForm,
    DownloadKind,
    DownloadQuery,
    Entries,
    Held,
    Offer,
)
from settlement.download_codec import apply_payload, content_digest, offer_head
from settlement.download_items import CLOCK_LIMIT, PAYMENT_LIMIT
from settlement.download_machine import WINDOW_DEFAULT
from settlement.download_messages import DownloadDesk, parse_chunk, query_message
from settlement.download_offers import DELTA_VERSIONS_MAX
from settlement.message_codec import response_to
from settlement.message_parser import parse_request

DOCUMENT = Path(__file__).parents[3] / "docs" / "iso8583.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
SECTION = TEXT.split("\n## Downloads\n")[1].split("\n## ")[0]
KEY = bytes.fromhex("606162636465666768696A6B6C6D6E6F")
HOTLIST = DownloadKind.HOTLIST


def cards(*ends: int) -> Entries:
    return {bytes.fromhex(f"64000000{end:08d}"): b"" for end in ends}


BEFORE, AFTER = cards(1, 130, 9007), cards(1, 130, 400, 9007)
QUERY = DownloadQuery(
    kind=HOTLIST, held=Held(version=2, digest=content_digest(HOTLIST, BEFORE))
)


def examples() -> list[bytes]:
    blocks = re.findall(r"```hex download\n(.*?)```", SECTION, re.DOTALL)
    return [
        bytes.fromhex("".join(line.split("#")[0] for line in block.splitlines()))
        for block in blocks
    ]


def test_the_worked_question_is_what_the_terminal_sends() -> None:
    muscat = timezone(timedelta(hours=4))
    sent_at = datetime(2025, 11, 22, 20, 30, 5, tzinfo=muscat)
    message = query_message("T0000007", 3, QUERY, sent_at)
    assert iso8583.encode(message, KEY).hex(" ") == examples()[0].hex(" ")
    assert parse_request(iso8583.decode(examples()[0])) == QUERY


def test_the_worked_answer_is_what_the_host_sends_and_leads_to_version_3() -> None:
    question, answer = (iso8583.decode(example) for example in examples())
    chunk = parse_chunk(answer, QUERY)
    assert chunk.head is not None
    assert apply_payload(HOTLIST, chunk.head, chunk.data, BEFORE) == AFTER
    # The host, given these very compressed bytes: another zlib may pack otherwise.
    target = Held(version=3, digest=content_digest(HOTLIST, AFTER))
    head = offer_head(DownloadForm.DELTA, target, chunk.data)
    offer = Offer(version=3, head=head, payload=chunk.data)
    fields = DownloadDesk(lambda _: offer).answer(QUERY)
    at = datetime(2025, 11, 22, 16, 30, 6, tzinfo=UTC)
    sent = iso8583.encode(response_to(question, "00", at, fields), KEY)
    assert sent.hex(" ") == examples()[1].hex(" ")


def test_the_lengths_of_the_worked_messages_are_those_written() -> None:
    assert [len(example) for example in examples()] == [117, 152]
    assert "`0300`, 117 bytes" in SECTION
    assert "`0310`, 152 bytes" in SECTION


def test_every_file_is_documented_with_its_number() -> None:
    for kind in DownloadKind:
        assert f"| `{kind.file_name}` | {int(kind)} |" in SECTION


def test_every_parameter_is_documented() -> None:
    for name in (PAYMENT_LIMIT, CLOCK_LIMIT):
        assert f"`{name.decode()}`" in SECTION


def test_every_bound_is_documented() -> None:
    assert f"| entries of a file | {ENTRIES_MAX} |" in SECTION
    both = f"{KEY_BYTES_MAX}, {VALUE_BYTES_MAX}"
    assert f"| bytes of a key, of a value | {both} |" in SECTION
    assert f"| bytes of a payload | {PAYLOAD_BYTES_MAX} |" in SECTION
    assert f"| bytes of a payload unpacked | {RAW_BYTES_MAX} |" in SECTION
    assert f"chunks of {CHUNK_BYTES} bytes" in SECTION
    assert f"a window ({WINDOW_DEFAULT} unless configured)" in SECTION
    assert f"more than {DELTA_VERSIONS_MAX} versions behind" in SECTION
