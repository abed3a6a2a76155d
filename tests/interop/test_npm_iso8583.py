"""Our messages read and written by npm's iso_8583, a codec no one here wrote.

Every message type of the profile goes through it: those of real conversations between
our terminal's and host's machines, the worked examples of the document, and messages
of any fields. It is given our fields as its custom formats and has to find the same
value in each, and nothing left over; then it writes what it has read.

Two things it does otherwise are stated here, for whoever uses it at the other end. It
always writes a second bitmap, which is empty when no field above 64 is there; ISO 8583
has no need of it, and our profile refuses it. And it takes a field with a length before
it for text; see ``iso8583/compare.js``.
"""

from __future__ import annotations

import fcntl
import json
import random
import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from card.records import BatchClose, DebitProof
from settlement import iso8583
from settlement.audit_head import AuditHead
from settlement.decline_machine import DeclineMachine
from settlement.decline_report import DeclineReport
from settlement.download import DownloadKind
from settlement.errors import MalformedMessageError
from settlement.intake import IntakeMachine
from settlement.iso8583_spec import FIELDS, MAC_FIELDS, FieldFormat
from settlement.messages import RecordAnswer, ResponseCode
from settlement.payment import BatchToUpload, DebitClosure, VoidClosure
from settlement.store.books import BankStore
from settlement.upload import UploadMachine
from settlement.upload_pace import UploadPace
from tests.interop.conftest import PATIENCE_S, program
from tests.settlement.downloads.conftest import Counter, PublishingBank
from tests.settlement.protocol.conftest import (
    MID,
    MemoryBank,
    chain_of,
    open_item,
    payment,
    transaction,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from settlement.download_machine import DownloadMachine
    from settlement.intake import BatchHeader
    from settlement.payment import Closure, PaymentRecord

ROOT: Final = Path(__file__).parents[2]
HARNESS: Final = Path(__file__).parent / "iso8583" / "compare.js"
INSTALLED: Final = ROOT / "build" / "interop" / "iso8583"
KEY: Final = bytes(range(0x60, 0x70))
NOW: Final = datetime(2025, 11, 22, 20, 30, tzinfo=timezone(timedelta(hours=4)))
TERMINAL: Final = "T0000007"
BITMAP: Final = slice(4, 12)
RANDOM_MESSAGES: Final = 300

_CONTENT: Final = {
    FieldFormat.N: "n",
    FieldFormat.AN: "an",
    FieldFormat.ANS: "ans",
    FieldFormat.B: "b",
}
_LENGTHS: Final = {0: "fixed", 2: "llvar", 3: "lllvar"}
FORMATS: Final = {
    str(number): {
        "ContentType": _CONTENT[spec.format],
        "Label": spec.name,
        "LenType": _LENGTHS[spec.length_digits],
        "MaxLen": 2 * spec.length if spec.binary else spec.length,
    }
    for number, spec in FIELDS.items()
}
BINARY: Final = [n for n, spec in FIELDS.items() if spec.binary and spec.length_digits]


@pytest.fixture(scope="session")
def package() -> Path:
    """The folder that holds the package; it is installed when it is not there yet."""
    program("node")
    INSTALLED.parent.mkdir(parents=True, exist_ok=True)
    # Tests run in several processes; one of them installs.
    with (INSTALLED.parent / "iso8583.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(  # noqa: S603  our own script
            [str(ROOT / ".ci" / "install-npm-packages"), str(INSTALLED)],
            check=False,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return INSTALLED / "node_modules"


class Codec:
    """The package, fed with messages."""

    def __init__(self, modules: Path) -> None:
        self._modules = modules

    def compare(self, messages: Sequence[bytes]) -> list[dict[str, Any]]:
        asked = [
            json.dumps({"formats": FORMATS, "binary": BINARY, "bytes": data.hex()})
            for data in messages
        ]
        done = subprocess.run(  # noqa: S603  our own script
            [program("node"), str(HARNESS)],
            check=True,
            input="\n".join(asked) + "\n",
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            env={"NODE_PATH": str(self._modules), "PATH": "/usr/bin:/bin"},
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(messages), done.stderr
        return answers


@pytest.fixture(scope="session")
def codec(package: Path) -> Codec:
    return Codec(package)


class FullBank(MemoryBank):
    """A bank that answers in every way: accepted, suspended, conflict, closures."""

    def _take(self, header: BatchHeader, record: PaymentRecord) -> RecordAnswer:
        answer = super()._take(header, record)
        if record.stan % 7 == 0:
            text = "the purse's certificate (TAC) is wrong; not paid"
            return RecordAnswer(code=ResponseCode.SUSPENDED, text=text)
        return answer


def batch(payments: int, opens: int) -> BatchToUpload:
    paid = tuple(payment(index) for index in range(1, payments + 1))
    items = tuple(open_item(payments + index) for index in range(1, opens + 1))
    close = BatchClose(
        batch=1,
        count=payments,
        sum_minor=sum(record.tx.amount_minor for record in paid),
        open_count=opens,
        open_sum_minor=sum(item.open_record.tx.amount_minor for item in items),
        chain=chain_of(paid),
        mac=bytes.fromhex("C1" * 16),
    )
    return BatchToUpload(
        terminal_id=TERMINAL,
        office="SOHAR",
        mid=MID,
        currency=512,
        close=close,
        payments=paid,
        opens=items,
        audit_head=AuditHead(journal=bytes(8), entries=258, digest=bytes(range(32))),
    )


def upload(messages: list[bytes], *, group: int, terminal: str = TERMINAL) -> None:
    """One call in which everything is repeated once, and a second one after a cut."""
    proof = DebitProof(
        balance_after_minor=7,
        cumulative_debit_minor=8,
        tac=bytes.fromhex("B2" * 8),
        mac2=bytes.fromhex("B3" * 8),
    )
    closures: dict[int, Closure] = {
        141: VoidClosure(tx=transaction(41), vmac=bytes.fromhex("B1" * 8)),
        142: DebitClosure(tx=transaction(42), proof=proof),
    }
    sent = replace(batch(40, 2), terminal_id=terminal)
    bank = FullBank({}, closures)
    for _ in range(2):
        intake = IntakeMachine(terminal, bank, KEY)
        machine = UploadMachine(sent, stan_start=1, pace=UploadPace(largest=group))
        while not machine.finished:
            first = machine.messages_to_send(NOW)
            asked = first + machine.repeat_unanswered()
            answers = intake.receive_group(asked, NOW)
            messages += asked + answers
            for answer in answers:
                machine.receive(answer, NOW)


def decline(messages: list[bytes]) -> None:
    """A call that tells of declined requests, one of them of a paid one."""
    reports = [
        DeclineReport(number=number, reason="ليس لنا", clerk="7", at=NOW)
        for number in ("R-1", "P-2")
    ]
    intake = IntakeMachine(TERMINAL, FullBank({}, {}), KEY)
    machine = DeclineMachine(TERMINAL, reports, stan_start=1)
    while not machine.finished:
        asked = machine.messages_to_send(NOW) + machine.repeat_unanswered()
        answers = intake.receive_group(asked, NOW)
        messages += asked + answers
        for answer in answers:
            machine.receive(answer, NOW)


def download(messages: list[bytes], bank: PublishingBank) -> None:
    """A call that fetches every kind, one of them in several chunks."""
    noise = random.Random(8583)
    cards = {noise.randbytes(8): b"" for _ in range(400)}
    bank.publish(DownloadKind.HOTLIST, cards)
    bank.publish(DownloadKind.CATALOGUE, {b"C1": b'{"kind":"fees","name":"Copy"}'})
    intake, counter = bank.intake(), Counter()
    machine: DownloadMachine = counter.machine()
    while not machine.finished:
        first = machine.messages_to_send(NOW)
        asked = first + machine.repeat_unanswered()
        answers = [one for data in asked for one in intake.receive(data, NOW)]
        messages += asked + answers
        for answer in answers:
            machine.receive(answer, NOW)


def worked_examples() -> list[bytes]:
    text = (ROOT / "docs" / "iso8583.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```hex(?: download)?\n(.*?)```", text, re.DOTALL)
    return [
        bytes.fromhex("".join(line.split("#")[0] for line in block.splitlines()))
        for block in blocks
    ]


@pytest.fixture(scope="module")
def conversations(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Every message of these calls, both ways."""
    messages: list[bytes] = []
    upload(messages, group=32)
    upload(messages, group=1)
    upload(messages, group=1, terminal="T0000009")
    path = tmp_path_factory.mktemp("bank") / "bank.sqlite"
    decline(messages)
    with BankStore.create(path) as store, store.write() as books:
        download(messages, PublishingBank(books.publications))
    return messages + worked_examples()


def random_message(noise: random.Random) -> bytes:
    """Any of the fields with any content of its format and length."""
    numbers = [n for n in FIELDS if n not in MAC_FIELDS and noise.random() < 0.5]
    letters = {
        FieldFormat.N: "0123456789",
        FieldFormat.AN: "0123456789ABCXYZabcxyz",
        FieldFormat.ANS: "0123456789ABCXYZ /-",
    }
    fields: dict[int, str | bytes] = {}
    for number in numbers or [11]:
        spec = FIELDS[number]
        # An empty field of a length before it is a thing that npm's codec cannot write.
        least = 1 if spec.length_digits else spec.length
        size = noise.randint(least, min(spec.length, 300))
        if spec.binary:
            fields[number] = noise.randbytes(size)
        else:
            fields[number] = "".join(noise.choices(letters[spec.format], k=size))
    kinds = ("0300", "0310", "0320", "0330", "0500", "0510", "0800", "0810")
    message = iso8583.Message(mti=noise.choice(kinds), fields=fields)
    return iso8583.encode(message, noise.choice((KEY, None)))


def expected_fields(data: bytes) -> dict[str, str]:
    """Every field as our codec has it; bytes as hex, their length before them."""
    message = iso8583.decode(data)
    found = {"0": message.mti}
    for number, value in message.fields.items():
        if isinstance(value, bytes):
            digits = FIELDS[number].length_digits
            found[str(number)] = (f"{len(value):0{digits}d}".encode() + value).hex()
        else:
            found[str(number)] = value
    if message.mac is not None:
        found["128" if data[4] & 0x80 else "64"] = message.mac.hex()
    return found


def with_second_bitmap(data: bytes) -> bytes:
    """The same message as npm's codec writes it."""
    first = data[BITMAP]
    if first[0] & 0x80:
        return data
    return data[:4] + bytes([first[0] | 0x80]) + first[1:] + bytes(8) + data[12:]


def see_that_all_agree(codec: Codec, messages: Sequence[bytes]) -> None:
    for data, found in zip(messages, codec.compare(messages), strict=True):
        assert "error" not in found, (found["error"], data.hex())
        assert found["fields"] == expected_fields(data)
        assert found["rest"] == ""
        assert found["encoded"] == with_second_bitmap(data).hex()


def test_the_conversations_hold_every_type_of_message(
    conversations: list[bytes],
) -> None:
    types = {data[:4].decode() for data in conversations}
    assert types == {
        *("0300", "0301", "0310", "0320", "0321", "0330"),
        *("0500", "0501", "0510", "0800", "0801", "0810"),
    }
    used = {n for data in conversations for n in expected_fields(data)} - {"0"}
    assert used == {str(number) for number in FIELDS}


def test_every_message_is_read_and_written_the_same(
    codec: Codec, conversations: list[bytes]
) -> None:
    see_that_all_agree(codec, conversations)


def test_messages_of_any_fields_are_read_and_written_the_same(codec: Codec) -> None:
    noise = random.Random(1987)
    see_that_all_agree(codec, [random_message(noise) for _ in range(RANDOM_MESSAGES)])


def test_what_it_writes_without_the_empty_bitmap_is_ours(
    codec: Codec, conversations: list[bytes]
) -> None:
    """Our host reads a message that npm's codec wrote, and its MAC verifies."""
    logon = next(data for data in conversations if data.startswith(b"0810"))
    (found,) = codec.compare([logon])
    written = bytes.fromhex(found["encoded"])
    message = iso8583.decode(written)
    assert message == iso8583.decode(logon)
    assert iso8583.is_authentic(written, message, KEY)
    header = next(data for data in conversations if data.startswith(b"0500"))
    (found,) = codec.compare([header])
    with pytest.raises(MalformedMessageError, match="one byte form"):
        iso8583.decode(bytes.fromhex(found["encoded"]))


def test_a_message_that_is_spoiled_is_not_read_the_same(
    codec: Codec, conversations: list[bytes]
) -> None:
    """The comparison can fail: a digit that is changed is found in its field."""
    header = next(data for data in conversations if data.startswith(b"0500"))
    at = header.index(TERMINAL.encode())
    spoiled = header[:at] + b"X" + header[at + 1 :]
    (found,) = codec.compare([spoiled])
    differs = {
        number
        for number, value in expected_fields(header).items()
        if found["fields"][number] != value
    }
    assert differs == {"41"}


def test_the_lock_file_names_no_registry_and_pins_every_package_by_digest() -> None:
    lock = json.loads((HARNESS.parent / "package-lock.json").read_text())
    assert "://" not in json.dumps(lock)
    packages = cast("dict[str, dict[str, Any]]", lock["packages"])
    installed = [entry for name, entry in packages.items() if name]
    assert len(installed) >= 5
    assert all(entry["integrity"].startswith("sha512-") for entry in installed)


def test_times_are_utc_where_the_profile_says_so(conversations: list[bytes]) -> None:
    logon = next(data for data in conversations if data.startswith(b"0800"))
    assert expected_fields(logon)["7"] == f"{NOW.astimezone(UTC):%m%d%H%M%S}"
