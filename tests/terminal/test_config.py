"""The configuration file: what is right works, what is wrong is named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from modem.dial_plan import DialPlan
from modem.profiles import FAX
from settlement.commands.terminal_kit import (
    LineSettings,
    TerminalSettings,
    terminal_toml,
)
from settlement.money import Money, currency_by_code
from terminal.config import ModemSection, load_config
from terminal.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
[terminal]
id = "T0000007"
office = "SOHAR"
currency = "OMR"
clerk = "1"
[readers]
purse = "Raseed 00 00"
customs = "Raseed 00 01"
[modem]
port = "/dev/ttyS0"
baud = 9600
init = "ATZ"
numbers = ["5551234"]
server_name = "host.bank.raseed"
[security]
ca = "ca.pem"
certificate = "terminal.pem"
key = "terminal.key"
[state]
directory = "state"
[payment]
limit = "2000.000"
declaration_pattern = "[A-Z0-9][A-Z0-9/-]{3,23}"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "terminal.toml"
    path.write_text(text)
    return path


def problems_of(folder: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load_config(written(folder, text))
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def test_a_complete_file_is_read_with_paths_relative_to_it(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))
    assert config.limit.amount_minor == 2_000_000
    assert config.currency.number == 512
    assert config.state_directory == tmp_path / "state"
    assert config.ca == tmp_path / "ca.pem"
    assert config.certificate == tmp_path / "terminal.pem"
    assert config.key == tmp_path / "terminal.key"
    assert config.dial_plan.numbers == ("5551234",)


def test_what_has_a_default_may_be_left_out(tmp_path: Path) -> None:
    text = GOOD.replace('clerk = "1"\n', "").replace("baud = 9600\n", "")
    config = load_config(written(tmp_path, text))
    assert config.terminal.clerk == "1"
    assert config.modem.baud == 9600


def test_all_that_concerns_dialling_is_in_the_plan(tmp_path: Path) -> None:
    text = GOOD.replace(
        "baud = 9600",
        'profile = "fax"\nbaud = 19200\nprefix = "0,"\ndialling = "pulse"\n'
        "wait_for_dial_tone = false\nrounds = 5\npause_seconds = 10\n"
        "pause_seconds_max = 300\nconnect_seconds = 90",
    )
    assert load_config(written(tmp_path, text)).dial_plan == DialPlan(
        numbers=("5551234",),
        profile=FAX,
        init="ATZ",
        baud=19_200,
        prefix="0,",
        tone=False,
        blind=True,
        rounds=5,
        pause_ms=10_000,
        pause_ms_max=300_000,
        connect_timeout_ms=90_000,
    )


def test_defaults_of_the_file_are_those_of_a_plan(tmp_path: Path) -> None:
    plan = load_config(written(tmp_path, GOOD)).dial_plan
    assert plan == DialPlan(numbers=("5551234",), init="ATZ")


def test_defaults_in_the_file_of_a_kit_are_those_of_the_program(tmp_path: Path) -> None:
    line = LineSettings(
        port="/dev/ttyS0",
        baud=9600,
        init="ATZ",
        numbers=("5551234",),
        server_name="host.bank.raseed",
    )
    settings = TerminalSettings(
        terminal_id="T0000007",
        office="SOHAR",
        limit=Money(amount_minor=2_000_000, currency=currency_by_code("OMR")),
        purse_reader="00 00",
        customs_reader="00 01",
        line=line,
    )
    text = terminal_toml(settings)
    marks = re.compile(r"^# (?=[a-z_]+ = )", re.MULTILINE)
    said = load_config(written(tmp_path, marks.sub("", text))).modem
    assert said == load_config(written(tmp_path, text)).modem
    left_out = {"port", "baud", "init", "numbers", "server_name"}
    assert {key for key in ModemSection.model_fields if f"# {key} = " in text} == (
        set(ModemSection.model_fields) - left_out
    )


def test_a_direct_line_needs_no_numbers(tmp_path: Path) -> None:
    text = GOOD.replace('numbers = ["5551234"]', 'profile = "direct"')
    assert not load_config(written(tmp_path, text)).dial_plan.profile.is_modem


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        pytest.param(
            'clerk = "1"', 'clerc = "1"', ["terminal.clerc", "'1'", "clerk"], id="key"
        ),
        pytest.param("[state]", "[sate]", ["sate", "state"], id="section"),
        pytest.param('id = "T0000007"', "", ["terminal.id", "missing"], id="missing"),
        pytest.param("T0000007", "t7", ["terminal.id", "'t7'", "8 capital"], id="id"),
        pytest.param("9600", '"9600"', ["modem.baud", "'9600'", "300"], id="type"),
        pytest.param("9600", "1", ["modem.baud", "1", "921600"], id="range"),
        pytest.param('"OMR"', '"XXX"', ["terminal.currency", "XXX"], id="currency"),
        pytest.param(
            '"2000.000"', '"2000.0001"', ["payment.limit", "decimals"], id="decimals"
        ),
        pytest.param('"2000.000"', "2000.0", ["payment.limit", "text"], id="float"),
        pytest.param(
            '"2000.000"', '"0"', ["payment.limit", "more than zero"], id="zero"
        ),
        pytest.param(
            '"Raseed 00 01"', '"Raseed 00 00"', ["readers.customs", "two"], id="same"
        ),
        pytest.param('["5551234"]', "[]", ["modem.numbers", "1 to 8"], id="no number"),
        pytest.param('"5551234"', '"five"', ["modem.numbers", "'five'"], id="number"),
        pytest.param(
            '"5551234"', '"1", 5', ["modem.numbers, entry 2 is 5."], id="entry"
        ),
        pytest.param('"ATZ"', '"Z"', ["modem.init", "AT", "'Z'"], id="init"),
        pytest.param(
            '"host.bank.raseed"', '"bank_1"', ["modem.server_name", "DNS"], id="DNS"
        ),
        pytest.param(
            '"host.bank.raseed"', '"10.0.0.1"', ["modem.server_name", "DNS"], id="IP"
        ),
        pytest.param("9600", "true", ["modem.baud is true."], id="boolean"),
        pytest.param("9600", "2025-01-01", ["modem.baud is 2025-01-01."], id="a date"),
        pytest.param("[A-Z0-9][", "([A-Z", ["declaration_pattern"], id="pattern"),
        pytest.param(
            'init = "ATZ"',
            'profile = "isdn"',
            ["modem.profile", "'isdn'", "generic, fax, gsm, direct"],
            id="profile",
        ),
        pytest.param(
            'init = "ATZ"',
            'profile = "direct"',
            ["modem.numbers is ['5551234']", "none with the profile direct"],
            id="direct with numbers",
        ),
        pytest.param(
            'numbers = ["5551234"]', "", ["modem.numbers is missing"], id="numbers"
        ),
        pytest.param(
            'init = "ATZ"', 'prefix = "nine"', ["modem.prefix", "'nine'"], id="prefix"
        ),
        pytest.param(
            'init = "ATZ"', 'dialling = "hum"', ["modem.dialling", "'hum'"], id="pulse"
        ),
        pytest.param(
            'init = "ATZ"',
            'wait_for_dial_tone = "no"',
            ["modem.wait_for_dial_tone", "'no'", "true, or false"],
            id="dial tone",
        ),
        pytest.param(
            "baud = 9600", "rounds = 11", ["modem.rounds is 11."], id="rounds"
        ),
        pytest.param(
            "baud = 9600",
            "pause_seconds = 0",
            ["modem.pause_seconds is 0."],
            id="pause",
        ),
        pytest.param(
            "baud = 9600",
            "pause_seconds = 90",
            ["modem.pause_seconds_max is left at 60", "pause_seconds is 90"],
            id="longest pause",
        ),
        pytest.param(
            "baud = 9600",
            "pause_seconds = 30\npause_seconds_max = 20",
            ["modem.pause_seconds_max is 20", "pause_seconds is 30"],
            id="pauses",
        ),
        pytest.param(
            "baud = 9600",
            "connect_seconds = 5",
            ["modem.connect_seconds is 5."],
            id="patience",
        ),
        pytest.param("[terminal]", "folder = 1\n[terminal]", ["folder"], id="folder"),
    ],
)
def test_a_wrong_key_is_named_with_what_was_found_and_what_is_right(
    tmp_path: Path, old: str, new: str, named: list[str]
) -> None:
    assert old in GOOD
    told = "\n".join(problems_of(tmp_path, GOOD.replace(old, new, 1)))
    for words in named:
        assert words in told
    for sentence in told.splitlines():
        assert sentence.endswith(".")
        # Nothing of the library's, which speaks of inputs, strings and patterns.
        for word in ("input", "string", "valid", "should", "pydantic", "A-Z0-9]{8}"):
            assert word not in sentence.lower()


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    wrong = {
        "T0000007": "x",
        "9600": "1",
        '["5551234"]': '["five"]',
        '"ATZ"': '"Z"',
        "host.bank": "host bank",
        "2000.000": "2000.0001",
        "Raseed 00 01": "Raseed 00 00",
    }
    text = GOOD
    for right, found in wrong.items():
        text = text.replace(right, found)
    problems = problems_of(tmp_path, text)
    assert [problem.split(" is ")[0] for problem in problems] == [
        "terminal.id",
        "modem.baud",
        "modem.init",
        "modem.numbers",
        "modem.server_name",
        "payment.limit",
        "readers.customs",
    ]


def test_a_good_name_of_one_part_or_many_is_taken(tmp_path: Path) -> None:
    for name in ("bank", "a-1.b2.Example", "1.bank"):
        text = GOOD.replace("host.bank.raseed", name)
        assert load_config(written(tmp_path, text)).modem.server_name == name


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"= 1", "not valid TOML", id="syntax"),
        pytest.param(b"\xff", "not valid TOML", id="bytes"),
        pytest.param(b"#" * 70_000, "too long", id="length"),
    ],
)
def test_a_file_that_is_none_is_refused(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "terminal.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        load_config(path)


def test_a_missing_file_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--config"):
        load_config(tmp_path / "none.toml")


def test_a_bank_at_a_network_needs_no_modem_and_no_number(tmp_path: Path) -> None:
    text = GOOD.replace("/dev/ttyS0", "tls://bank.example:7890")
    text = text.replace('["5551234"]', "[]")
    config = load_config(written(tmp_path, text))
    assert config.modem.is_network
    assert not config.dial_plan.profile.is_modem


@pytest.mark.parametrize(
    ("port", "numbers", "problem"),
    [
        ("tls://bank.example", "[]", "modem.port is 'tls://bank.example': not a host"),
        ("tcp://bank:7890", '["5551234"]', "modem.numbers is ['5551234']. Right would"),
    ],
)
def test_what_does_not_fit_a_network_is_named(
    tmp_path: Path, port: str, numbers: str, problem: str
) -> None:
    text = GOOD.replace("/dev/ttyS0", port).replace('["5551234"]', numbers)
    [told] = problems_of(tmp_path, text)
    assert told.startswith(problem)
