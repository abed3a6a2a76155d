"""The page on the simulators says what they do, and no more."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from card.profile import KeyUse
from sim import site
from sim.__main__ import main
from sim.cards import command, issue
from sim.cards.issue import CustomsData, PurseData
from sim.cards.vpcd import CardProtocol
from sim.modems import script
from sim.modems.exchange import Outcome, TelephoneExchange
from sim.modems.found import Found
from sim.modems.profile import Register

PAGE = Path(__file__).parents[2] / "docs" / "simulators.md"
CODE = re.compile(r"`([^`]+)`")


def section(title: str) -> str:
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(
        rf"^##+ {title}\n(.*?)(?=^##+ |\Z)", text, re.DOTALL | re.MULTILINE
    )
    assert found, f"a section {title}"
    return found[1]


def rows(title: str, heading: str) -> list[list[str]]:
    """Cells of the one table in a section whose first heading is ``heading``."""
    found = re.search(
        rf"^\| ?{heading} ?\|.*\n\| ---.*\n((?:\|.*\n)+)", section(title), re.MULTILINE
    )
    assert found, f"a table {heading}"
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in found[1].splitlines()
    ]


def codes(title: str, heading: str) -> dict[str, str]:
    """What stands in the first cell of each row, and in the second."""
    return {row[0].strip("`"): row[1].strip("`") for row in rows(title, heading)}


def test_every_command_has_a_section() -> None:
    headings = re.findall(r"^## (\w+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(main.commands)


@pytest.mark.parametrize("name", list(main.commands))
def test_every_option_and_its_default_is_documented_and_there(name: str) -> None:
    table = codes(name, "option")
    options = [
        parameter
        for parameter in main.commands[name].params
        if isinstance(parameter, click.Option)
    ]
    assert set(table) == {option.opts[0] for option in options}
    for option in options:
        words = table[option.opts[0]]
        assert option.required == ("required" in words), option.name
        if option.show_default:
            default = option.to_info_dict()["default"]
            assert (
                f"{default:g}" if isinstance(default, float) else str(default) in words
            )


def test_every_line_command_is_documented_and_there() -> None:
    said = CODE.findall(command._HELP_LINE.replace("'", "`"))
    assert sorted(codes("cards", "line")) == sorted(said)


def test_the_published_values_are_those_of_the_cards() -> None:
    purse, customs = PurseData(), CustomsData()
    table = {row[0]: [CODE.findall(c) for c in row[1:]] for row in
             rows("The test cards", "")}  # fmt: skip
    assert table == {
        "number": [[purse.card_id], [customs.merchant_id]],
        "holder": [[purse.holder_name], [customs.holder_name]],
        "PIN": [[purse.pin], []],
        "balance": [[str(purse.balance_minor)], ["0"]],
        "balance limit": [[str(purse.balance_limit_minor)], []],
        "payment limit": [[str(purse.payment_limit_minor)], []],
        "currency": [[purse.currency], [customs.currency]],
        "valid": [
            [purse.valid_from, purse.expiry],
            [customs.valid_from, customs.expiry],
        ],
        "key version": [[str(purse.kv)], [str(customs.kv)]],
        "serial number when blank": [
            [serial.hex().upper()] for serial in command._SERIALS.values()
        ],
    }
    assert customs.activation_code is None


def test_the_published_masters_and_answers_to_reset_are_those_of_the_cards() -> None:
    masters = {use.value: issue._MASTERS[use].hex().upper() for use in KeyUse}
    assert codes("The test cards", "master") == masters
    atrs = {protocol.value: protocol.atr.hex().upper() for protocol in CardProtocol}
    assert codes("The test cards", "protocol") == atrs


def test_every_word_of_a_script_is_documented_and_there() -> None:
    assert list(codes("Scripts", "outcome")) == [outcome.value for outcome in Outcome]
    assert list(codes("Scripts", "word")) == list(script._WORDS)


def test_example_of_a_script_is_one() -> None:
    text = section("Scripts")
    lines = re.findall(r"^    (\S.*)$", text, re.MULTILINE)
    assert len(script.read_script("\n".join(lines))) == 4


def test_every_register_and_state_of_a_modem_is_documented_and_there() -> None:
    registers = [f"S{register.value}" for register in Register]
    assert list(codes("The modems", "register")) == registers
    assert list(codes("The modems", "found")) == [state.value for state in Found]


def test_every_command_of_the_modems_that_is_documented_is_one() -> None:
    text = section("The modems").partition("They know ")[2].partition(", and of the")[0]
    commands = CODE.findall(re.sub(r"\(.*?\)", "", text, flags=re.DOTALL))
    assert len(commands) > 15
    for name in commands:
        modem = TelephoneExchange().near
        argument = {"D": "T1", "S": "7?"}.get(name, "")
        line = name if name == "A/" else f"AT{name}{argument}\r"
        modem.from_terminal(line.encode(), 0)
        assert b"ERROR" not in modem.to_terminal(), name


def test_the_marks_of_a_site_are_documented() -> None:
    named = set(CODE.findall(section("What a site's folder holds")))
    marks = {site._LOCK_FILE, site._PASSPHRASE_FILE, site._FINISHED_FILE}
    source = Path(site.__file__).read_text()
    assert marks <= named
    made = {name for name in named if f'"{name}"' in source}
    assert named == marks | made
