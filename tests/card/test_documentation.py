"""What docs/card-profile.md says is what the code and the worked vector say."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from card import customs, purse, tlv
from card.application import get_challenge, select, verify
from card.fci import HOLDER_NAME_BYTES_MAX
from card.maintenance import MaintenanceKey
from card.personalisation import DataGroup
from card.pin import pin_block
from card.profile import (
    AMOUNT_MINOR_MAX,
    BATCH_CREDITS_MAX,
    COUNTER_NEVER_USED,
    CUSTOMS_AID,
    INS,
    PIN_DIGITS_MAX,
    PIN_DIGITS_MIN,
    PIN_TRIES,
    PURSE_AID,
    WAITING_BATCHES_MAX,
    CardState,
    KeyUse,
    Role,
    Tag,
)
from card.records import DebitProof, TransactionRecord
from card.sw import SW

if TYPE_CHECKING:
    from card.apdu import CommandAPDU

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "card-profile.md").read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())
VECTOR = (ROOT / "tests" / "vectors" / "card-profile-1.txt").read_text()
NUMBERS = {3: "three", 4: "four", 8: "eight", 12: "twelve"}

SIZE = re.compile(r"\b[A-Za-z]+(?:\d_)?(\d+)\b")
"""``amount4`` has 4 bytes, and so has ``M1_4``."""
EXCHANGE = re.compile(r"^([PC]) > ([0-9A-F]+)\n\1 < ([0-9A-F]+)$", re.MULTILINE)

TX = TransactionRecord(
    cid=bytes.fromhex("6400000000000001"),
    otc=1,
    mid=bytes.fromhex("4355530000000007"),
    tsn=1,
    amount_minor=1234,
    currency=512,
    at=datetime(2025, 11, 22, 10, 15, tzinfo=UTC),
    digest=bytes.fromhex("436F2E589042E71C"),
)
PROOF = DebitProof(
    balance_after_minor=1, cumulative_debit_minor=1, tac=bytes(8), mac2=bytes(8)
)
KEY = MaintenanceKey(key=bytes(16), card_id=bytes(8))
RC = bytes(8)
BLOCK = pin_block(b"1234")

PURSE_COMMANDS = {
    "GET CHALLENGE": [get_challenge()],
    "VERIFY": [verify(Role.PURSE, BLOCK)],
    "CHANGE PIN": [purse.change_pin(BLOCK, BLOCK)],
    "GET BALANCE": [purse.get_balance()],
    "INIT PURCHASE": [
        purse.init_purchase(
            kv=1, amount_minor=1, currency=512, mid=TX.mid, digest=TX.digest
        )
    ],
    "DEBIT": [purse.debit(tsn=1, at=TX.at, mac1=bytes(8))],
    "ACK": [purse.ack(TX, bytes(8))],
    "PROVE": [purse.prove(TX)],
    "VOID": [purse.void(TX, bytes(8))],
    "INIT LOAD": [purse.init_load(kv=1, amount_minor=1, currency=512, lid=bytes(8))],
    "CREDIT LOAD": [purse.credit_load(lsn=1, at=TX.at, m2=bytes(8))],
    "PROVE LOAD": [purse.prove_load(ltc=1, lid=bytes(8), lsn=1)],
    "VOID LOAD": [purse.void_load(ltc=1, lid=bytes(8), lsn=1, vreq=bytes(8))],
    "READ LOG": [purse.read_log(0xAB)],
    "BLOCK, UNBLOCK": [KEY.block(rc=RC), KEY.unblock(rc=RC)],
    "RESET PIN": [KEY.reset_pin(BLOCK, rc=RC)],
}
CUSTOMS_COMMANDS = {
    "VERIFY": [verify(Role.CUSTOMS, BLOCK)],
    "INIT SAM": [customs.init_sam(TX, rc=RC, kv=1, alg=1, s=bytes(8))],
    "CREDIT": [customs.credit(1, PROOF)],
    "STATUS": [customs.status()],
    "VOID": [customs.void(1, bytes(8))],
    "LIST OPEN": [customs.list_open(0xAB)],
    "READ CREDITED": [customs.read_credited(0xABCD)],
    "CLOSE BATCH": [customs.close_batch()],
    "waiting batch": [customs.waiting_batch(0xAB)],
    "BANK ACK": [customs.bank_ack(1, bytes(16))],
}
COMMANDS = {"Purse": PURSE_COMMANDS, "Customs card": CUSTOMS_COMMANDS}
ROWS = [(part, name) for part, commands in COMMANDS.items() for name in commands]


def rows(title: str) -> dict[str, list[str]]:
    """The rows of the first table under a heading, by their first cell."""
    found = re.search(
        rf"^##+ {re.escape(title)}\n(?:(?!#|\|).*\n)*((?:\|.*\n)+)", TEXT, re.MULTILINE
    )
    assert found, f"a table under {title}"
    lines = [line.strip("|").split("|") for line in found[1].splitlines()[2:]]
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines}


def header(command: CommandAPDU) -> str:
    """CLA INS P1 P2 as they travel."""
    return command.to_bytes()[:4].hex(" ").upper()


def size(cell: str) -> int:
    """Bytes of all the fields that a cell names."""
    return sum(int(number) for number in SIZE.findall(cell))


def documented_headers(cell: str, count: int) -> list[str]:
    """The headers of a row, with the letters that the commands here have for places."""
    places = cell.replace("index2", "AB CD").replace("index", "AB")
    places = re.sub(r"\bi\b", "AB", places)
    *starts, end = places.split(", ")
    if not starts:
        return [places]
    assert len(starts) == count
    return [f"{start} {end}" for start in starts]


@pytest.mark.parametrize("title", COMMANDS)
def test_the_tables_list_exactly_these_commands(title: str) -> None:
    assert list(rows(title)) == list(COMMANDS[title])


def test_every_instruction_of_the_profile_is_in_a_table_or_in_the_text() -> None:
    listed = {
        one.ins for part in COMMANDS.values() for row in part.values() for one in row
    }
    elsewhere = {INS.SELECT, INS.PUT_DATA, INS.GET_RESPONSE}
    assert listed | elsewhere == set(INS)


@pytest.mark.parametrize(("title", "name"), ROWS)
def test_a_command_is_built_as_its_row_says(title: str, name: str) -> None:
    commands = COMMANDS[title][name]
    head, data, _ = rows(title)[name]
    assert documented_headers(head, len(commands)) == [
        header(command) for command in commands
    ]
    lengths = {len(command.data) for command in commands}
    if lc := re.search(r"\(([0-9A-F]{2})\)$", data):
        assert lengths == {int(lc[1], 16)}
    if size(data) or not lc:
        assert lengths == {size(data)}


@pytest.mark.parametrize(
    ("part", "command", "response"),
    EXCHANGE.findall(VECTOR),
    ids=[match[1][:8] for match in EXCHANGE.finditer(VECTOR)],
)
def test_the_worked_vector_answers_as_the_row_says(
    part: str, command: str, response: str
) -> None:
    if command.startswith("00A4"):
        return
    title = "Purse" if part == "P" else "Customs card"
    name = next(
        name
        for name, built in COMMANDS[title].items()
        for one in built
        if command.startswith(header(one)[:5].replace(" ", ""))
        and _same_place(header(one), command)
    )
    sw, data = response[-4:], response[:-4]
    if sw != "9000":
        assert int(sw, 16) in frozenset(SW)
        return
    assert len(data) // 2 == response_size(title, name)


def _same_place(built: str, command: str) -> bool:
    """Whether P1 P2 agree, indexes aside."""
    ours, theirs = bytes.fromhex(built), bytes.fromhex(command)[:4]
    return all(
        one == other or one in (0xAB, 0xCD)
        for one, other in zip(ours, theirs, strict=True)
    )


def response_size(title: str, name: str) -> int:
    """Bytes that a row promises as its response."""
    table = rows(title)
    cell = table[name][2]
    if cell.startswith("as "):
        return response_size(title, cell.removeprefix("as "))
    if title == "Customs card" and name == "waiting batch":
        return response_size(title, "CLOSE BATCH")
    if total := re.search(r"\(([0-9A-F]{2})\)$", cell):
        assert int(total[1], 16) == size(cell)
    return size(cell)


def test_selecting_is_told_with_both_names() -> None:
    for role, aid in ((Role.PURSE, PURSE_AID), (Role.CUSTOMS, CUSTOMS_AID)):
        assert f"`{header(select(role))}` with" in WORDS
        assert select(role).data == aid
    assert f"`{PURSE_AID.hex(' ').upper()}` (purse) or" in WORDS
    assert f"`... {CUSTOMS_AID[-1]:02X}` (customs card)" in WORDS
    assert CUSTOMS_AID[:-1] == PURSE_AID[:-1]


def test_every_data_object_is_documented_as_the_cards_answer_it() -> None:
    documented: dict[int, list[str]] = {}
    for tags, cells in rows("Selecting an application").items():
        for digits in tags.split(", "):
            documented[int(digits, 16)] = cells
    assert list(documented) == [int(tag) for tag in Tag if tag >= Tag.PROFILE_VERSION]
    answers = [
        bytes.fromhex(answer[:-4])
        for _, command, answer in EXCHANGE.findall(VECTOR)
        if command.startswith("00A4")
    ]
    on_purse, on_customs = (
        {item.tag: len(item.value) for item in _fci_objects(data)} for data in answers
    )
    for tag, (sizes, _, customs_card) in documented.items():
        expected = f"up to {HOLDER_NAME_BYTES_MAX}"
        if tag != Tag.HOLDER_NAME:
            expected = str(on_purse[tag])
        assert sizes == expected, f"{tag:02X}"
        assert (customs_card == "yes") == (tag in on_customs), f"{tag:02X}"


def _fci_objects(data: bytes) -> list[tlv.TLV]:
    _, proprietary = tlv.parse(tlv.parse(data)[0].value)
    return tlv.parse(proprietary.value)


def test_states_keys_and_groups_are_documented() -> None:
    names = {state: state.name.lower() for state in CardState}
    states = ", ".join(f"{int(state):02X} {name}" for state, name in names.items())
    assert f"state: {states}" in WORDS
    labels = [cells[0] for cells in rows("Keys").values()]
    assert labels == [f"`{use}`" for use in KeyUse if use is not KeyUse.TRANSPORT]
    assert f'"{KeyUse.TRANSPORT}"' in TEXT
    groups = rows("Personalisation (this project's own)")
    assert list(groups) == [f"{int(group):02X}" for group in DataGroup]
    assert f"`84 {int(INS.PUT_DATA):02X} P1 00 data || MAC8`" in TEXT


def test_the_transaction_record_is_laid_out_as_its_table_says() -> None:
    data = TX.to_bytes()
    offset = 0
    layout: dict[str, bytes] = {}
    for start, (name, _) in rows("The transaction record, TX").items():
        assert int(start) == offset
        layout[name] = data[offset : offset + size(name)]
        offset += size(name)
    assert offset == len(data) == 47
    assert layout["CID8"] == TX.cid
    assert layout["MID8"] == TX.mid
    assert layout["amount4"] == (1234).to_bytes(4, "big")
    assert layout["currency2"].hex() == "0512"
    assert layout["datetime7"].hex() == "20251122101500"
    assert layout["D8"] == TX.digest


def test_every_status_word_is_documented() -> None:
    documented = {
        word for words in rows("Status words") for word in words.split(", ")
    } - {"61xx", "6Cxx"}
    expected = {f"{int(sw):04X}" for sw in SW} - {"63C0"} | {"63Cx"}
    assert documented == expected


def test_every_status_word_in_the_text_is_one_of_the_profile() -> None:
    known = {f"{int(sw):04X}" for sw in SW}
    spoken = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    found = set(re.findall(r"\b(?:6[5-9A-F]|9[0-46])[0-9A-F]{2}\b", spoken))
    assert found <= known
    assert len(found) > 15


def test_the_limits_in_the_text_are_those_of_the_profile() -> None:
    assert f"1 to {AMOUNT_MINOR_MAX:X}" in TEXT
    assert f"{COUNTER_NEVER_USED:08X} is never used" in TEXT
    digits = f"{NUMBERS[PIN_DIGITS_MIN]} to {NUMBERS[PIN_DIGITS_MAX]} digits"
    assert digits.capitalize() in TEXT
    assert f"The try counter, {PIN_TRIES}, goes down" in WORDS
    assert f"sets {NUMBERS[PIN_TRIES]} tries" in WORDS
    assert f"of the batch plus open records below {BATCH_CREDITS_MAX}" in WORDS
    assert f"at most {NUMBERS[WAITING_BATCHES_MAX]} wait" in WORDS


def worked_lines() -> list[str]:
    found = re.search(r"```\n(P > .*?)```", TEXT, re.DOTALL)
    assert found
    return found[1].splitlines()


def test_the_worked_payment_is_the_purchase_of_the_vector() -> None:
    vector = [line for line in VECTOR.splitlines() if line[:4] in ("P > ", "C > ")]
    spoken = [line for line in VECTOR.splitlines() if line[1:2] == " "]
    lines = worked_lines()
    start = spoken.index(lines[0])
    assert spoken[start : start + len(lines)] == lines
    assert sum(line in vector for line in lines) == 6


def test_the_cryptograms_of_the_worked_payment_are_those_of_the_vector() -> None:
    shown = re.findall(r"^    (\w+) +([0-9A-F]{16,})$", TEXT, re.MULTILINE)
    assert [name for name, _ in shown] == [
        *("KP", "S", "TX", "SK", "MAC1", "TAC", "MAC2", "ACK")
    ]
    for name, value in shown:
        line = rf"^{name} +(?:K [0-9A-F]+ IN [0-9A-F]+ OUT )?([0-9A-F]+)$"
        first = re.search(line, VECTOR, re.MULTILINE)
        assert first
        assert value == first[1], name


def test_a_payment_costs_what_is_written() -> None:
    lines = worked_lines()
    for part, byte_limit, exchanges in (("P", 170, 4), ("C", 130, 2)):
        said = [line[4:] for line in lines if line[0] == part]
        assert len(said) == 2 * exchanges
        assert sum(len(line) // 2 for line in said) <= byte_limit
    assert "at most 170 bytes with the purse and 130 with the customs card" in WORDS
    assert "4 and 2 exchanges" in WORDS
