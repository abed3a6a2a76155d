"""What docs/modem-link.md says is what the code does."""

from __future__ import annotations

import importlib
import re
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import modem
from modem import dial_plan, errors, hayes, result_codes, set_up
from modem.certificates import CertificateTrouble
from modem.command_port import CommandPort
from modem.dial_plan import DialPlan
from modem.framing import CONTENT_BYTES_MAX, FrameDecoder
from modem.link import Link
from modem.link_frames import (
    HELD_PIECES_MAX,
    LINK_VERSION,
    PAYLOAD_BYTES_MAX,
    Ack,
    Data,
    Disconnect,
    Hello,
    Kind,
    LinkFrame,
    Ping,
    call_mark,
    encode,
)
from modem.link_state import LinkCause, LinkSettings, LinkState, next_state
from modem.profiles import GENERIC, PROFILES
from modem.result_codes import CONNECT_RATES, ReportName, ResultCode
from modem.set_up import SetUp, SetUpState
from modem.tls import frame_message

DOCUMENT = Path(__file__).parents[2] / "docs" / "modem-link.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())
MODULES = sorted(
    path.stem for path in Path(modem.__path__[0]).glob("*.py") if path.stem[0] != "_"
)
# A number that somebody could wait for or run into; those of the format stand in the
# text about frames.
LIMIT = re.compile(
    r"_?[A-Z_]*(_MS|_S|_MAX|_MIN|_LOW|_TRIES|_ROUNDS|_FIRST|_LEAST|_FRAMES|_MODULUS"
    r"|_RECORD_BYTES|_VERSION)$"
)
FIRST_NOT_ON_THE_WIRE = 16
OF_THE_FORMAT = {"_ACK_BYTES_MIN", "_STUFFED_BYTES_MAX", "_US_PER_S"}


def section(title: str) -> str:
    """The text under a heading, up to the next one."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert found, f"a section {title}"
    return found[1]


def rows(title: str, *, table: int = 0) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    tables = re.findall(r"(?:^\|.*\n)+", section(title), re.MULTILINE)
    lines = tables[table].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def milliseconds(text: str) -> Decimal:
    """``1.5 s`` and ``40 ms`` in milliseconds; a bare number is what it is."""
    number, _, unit = text.replace(",", "").partition(" ")
    return Decimal(number) * (1000 if unit == "s" else 1)


def example() -> list[tuple[str, bytes]]:
    """Who says what in the worked link."""
    found = re.search(r"```hex\n(.*?)```", TEXT, re.DOTALL)
    assert found
    lines = [line.split("#")[0].split(maxsplit=1) for line in found[1].splitlines()]
    return [(who, bytes.fromhex(said)) for who, said in lines]


def test_every_layer_names_every_file_that_is_there() -> None:
    named = set(re.findall(r"`(\w+)\.py`", section("Layers")))
    unnamed = set(MODULES) - named
    assert unnamed == {"command_port", "dial_plan", "errors", "events"}
    assert named <= set(MODULES)


def test_every_step_of_the_set_up_is_documented() -> None:
    steps = SetUp(CommandPort(), profile=GENERIC, init="ATZ", now_ms=0)._steps
    codes = (ResultCode.OK, ResultCode.ERROR, ResultCode.NO_CARRIER)
    expected = {}
    for state, step in steps.items():
        following = [set_up._NEXT.get((state, code)) for code in codes]
        silent = set_up._NEXT_SILENT.get(state)
        expected[state.name] = [
            f"`{step.command.strip()}`" if step.command else "",
            Decimal(step.wait_ms),
            Decimal(step.patience_ms),
            *(after.name if after else "" for after in (*following, silent)),
        ]
    documented = {
        row[0]: [row[1], milliseconds(row[2]), milliseconds(row[3]), *row[4:]]
        for row in rows("Setting the modem up")
    }
    assert documented["SPEAK"].pop() == "the next way to recover; after the last FAILED"
    assert expected["SPEAK"].pop() == ""
    assert documented == expected
    assert {SetUpState.READY.name, SetUpState.FAILED.name} <= set(TEXT.split())


def test_every_result_code_is_documented_with_what_it_leads_to() -> None:
    table = rows("Dialling and answering")
    words = [(row[0], row[1]) for row in table]
    assert words == [
        ("" if code.numeric is None else str(code.numeric), code.verbose)
        for code in ResultCode
    ]
    for code, row in zip(ResultCode, table, strict=True):
        named = re.findall(r"\w+Error", row[2])
        error = hayes._ERRORS.get(code)
        assert named == ([error.__name__] if error else [])
    for number, rate_bps in CONNECT_RATES.items():
        assert f" {number} {rate_bps}" in WORDS


def test_every_report_is_documented() -> None:
    documented = {row[0].strip("`"): row[1] for row in rows("What a modem reports")}
    assert list(documented) == [name.value for name in ReportName]
    for number, (name, text) in result_codes._NUMERIC_REPORTS.items():
        assert f"{number} {text}" in documented[name.value]


def test_every_profile_is_documented() -> None:
    documented = {
        row[0].strip("`"): (row[1].strip("`"), row[2].strip("`"), row[3].strip("`"))
        for row in rows("Profiles")
    }
    number = "5551234"
    assert documented == {
        name: (
            profile.init,
            profile.configure,
            DialPlan(numbers=(number,), profile=profile).dial_command(number)
            if profile.is_modem
            else "",
        )
        for name, profile in PROFILES.items()
    }


def test_every_cause_is_documented_with_what_follows() -> None:
    """The table of the page is that of the module, which `test_retries` holds."""
    documented = [row[0] for row in rows("What follows an attempt in vain")]
    named = {word for cell in documented for word in cell.split(", ")}
    assert named == {code.verbose for code in hayes._ERRORS}


def test_the_characters_of_a_number_are_documented() -> None:
    listed = re.search(r"`0-9 ([^`]+)` and blanks", WORDS)
    assert listed
    marks = set(listed[1].replace(" ", "").replace("A-D", "ABCD")) | set("0123456789 ")
    allowed = {
        character
        for character in map(chr, range(32, 127))
        if dial_plan._NUMBER.fullmatch(character)
    }
    assert {character.upper() for character in allowed} == marks


def test_every_kind_of_frame_is_documented_with_its_length() -> None:
    longest_held = ((0x7FFF, 0x7FFF),) * HELD_PIECES_MAX
    frames: dict[Kind, list[LinkFrame]] = {
        Kind.HELLO: [Hello(nonce=1)],
        Kind.WELCOME: [Hello(nonce=1, heard=2)],
        Kind.ACK: [
            Ack(heard=0, next_offset=0, held=held) for held in ((), longest_held)
        ],
        Kind.PING: [Ping(number=1)],
        Kind.DISC: [Disconnect(next_offset=0)],
        Kind.DISC_ACK: [Disconnect(next_offset=0, confirms=True)],
        Kind.DATA: [
            Data(offset=0, payload=bytes(size)) for size in (1, PAYLOAD_BYTES_MAX)
        ],
    }
    contents = {kind: [encode(frame) for frame in frames[kind]] for kind in Kind}
    documented = [(row[0], row[1], row[3]) for row in rows("Frames")]
    assert documented == [
        (
            f"{kind:02X}",
            kind.name.replace("_", " "),
            " to ".join(str(len(content)) for content in contents[kind]),
        )
        for kind in Kind
    ]
    assert f"The content has 1 to {CONTENT_BYTES_MAX} bytes" in WORDS
    assert f"The version is {LINK_VERSION:02X} and features are 00" in WORDS


@pytest.mark.parametrize("kind", ["HELLO", "WELCOME", "PING", "DISC"])
def test_fields_of_a_frame_add_up_to_its_length(kind: str) -> None:
    row = next(row for row in rows("Frames") if row[1] == kind)
    assert 1 + sum(map(int, re.findall(r"[a-z](\d)", row[2]))) == int(row[3])


def test_two_links_say_the_worked_example_byte_by_byte() -> None:
    ends = {
        who: Link(nonce=nonce, line_rate_bps=9_600, now_ms=0)
        for who, nonce in (("T", 0x11223344), ("H", 0x55667788))
    }
    said: list[tuple[str, bytes]] = []

    def talk(from_ms: int) -> None:
        for now_ms in range(from_ms, from_ms + 1_000, 100):
            for who, other in (("T", "H"), ("H", "T")):
                ends[who].on_timer(now_ms)
                data = ends[who].data_to_send(now_ms)
                ends[other].receive_data(data, now_ms)
                said.extend(
                    (who, b"\x7e" + body + b"\x7e") for body in data.split(b"~") if body
                )

    talk(0)
    ends["T"].send(frame_message(b"h~l}o"))
    talk(1_000)
    ends["T"].close()
    talk(2_000)
    assert said == example()
    assert {link.state for link in ends.values()} == {LinkState.CLOSED}


def test_the_bytes_of_the_data_frame_are_those_of_the_example() -> None:
    cells = [row[0] for row in rows("A link, frame by frame")]
    spelled = bytes.fromhex("".join(cells).replace("`", ""))
    assert ("T", spelled) in example()
    mark = call_mark(sender=0x11223344, receiver=0x55667788)
    decoder = FrameDecoder()
    decoder.mark = mark
    content = decoder.receive_data(spelled)[0].hex(" ").upper()
    spelled_mark = mark.to_bytes(4, "big").hex(" ").upper()
    assert f"CRC-32 of `{content}`, XOR the mark `{spelled_mark}`" in WORDS
    assert frame_message(b"h~l}o").hex(" ").upper() in content


def test_the_ack_of_a_lost_piece_is_that_of_the_example() -> None:
    lost = Ack(heard=0, next_offset=100, held=((100, 100),))
    for ack in (lost, Ack(heard=0, next_offset=300)):
        assert f"`{encode(ack).hex(' ').upper()}`" in section("A link, frame by frame")


def test_every_step_of_a_link_is_documented() -> None:
    documented = {tuple(row[:3]) for row in rows("The life of a link")}
    expected = set()
    for state in LinkState:
        for cause in LinkCause:
            try:
                following = next_state(state, cause)
            except KeyError:
                continue
            expected.add((state.name, cause.name, following.name))
    assert documented == expected


def value_of(name: str) -> Decimal:
    """A constant, or the default of a setting, in milliseconds or as it is."""
    module_name, _, path = name.partition(".")
    found: Any = importlib.import_module(f"modem.{module_name}")
    owner, _, setting = path.rpartition(".")
    if owner:
        all_settings = fields(getattr(found, owner))
        found = next(one.default for one in all_settings if one.name == setting)
    else:
        found = getattr(found, path)
    return Decimal(str(found))


def test_every_limit_and_time_is_documented_as_it_is() -> None:
    for what, value, name in rows("Limits and times"):
        expected = value_of(name.strip("`"))
        if name.endswith("_S`"):
            expected *= 1000
        assert milliseconds(value) == expected, what


def test_no_limit_or_time_is_left_out() -> None:
    documented = {row[2].strip("`") for row in rows("Limits and times")}
    settings = {
        f"link_state.LinkSettings.{setting.name}" for setting in fields(LinkSettings)
    }
    constants = {
        name
        for module in MODULES
        for name, value in vars(importlib.import_module(f"modem.{module}")).items()
        if LIMIT.fullmatch(name) and isinstance(value, int | float)
    }
    assert settings <= documented
    named = {name.split(".")[-1] for name in documented}
    assert constants - OF_THE_FORMAT <= named


def test_every_refusal_that_a_host_can_send_is_documented() -> None:
    documented = [(int(row[0], 16), row[1]) for row in rows("The session")]
    assert documented == [
        (trouble.value, trouble.name.replace("_", " "))
        for trouble in CertificateTrouble
        if trouble < FIRST_NOT_ON_THE_WIRE
    ]
    assert all(row[2] for row in rows("The session"))


def test_every_error_is_documented_with_what_to_do() -> None:
    documented = [row[0] for row in rows("When it does not work")]
    roots = {"ModemError", "DialError"}
    assert sorted(documented) == sorted(
        name for name in errors.__all__ if name.endswith("Error") and name not in roots
    )
    assert all(row[1] and row[2] for row in rows("When it does not work"))
