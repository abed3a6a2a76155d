"""``raseed-bank publish`` and ``hotlist``: versions, and files taken whole or not."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from settlement.check.bank import check_bank
from settlement.download import PAYLOAD_BYTES_MAX, RAW_BYTES_MAX, DownloadKind
from settlement.download_items import (
    Parameters,
    parse_parameters,
    parse_request,
    parse_service,
)
from settlement.store.books import BankStore
from tests.branch import PASSPHRASE

if TYPE_CHECKING:
    from pathlib import Path

    # The world of this folder's conftest: test folders are no packages.
    World = Any

CARD = "6400000000000001"
OTHER = "6400000000000002"
PARAMETERS = 'payment-limit = "500.000"\nclock-limit-seconds = 60\n'
CATALOGUE = (
    "code,name,name_ar,kind,amount\n"
    "CERT1,Certificate of origin,شهادة,fees,5.000\n"
    'INSP,"Inspection, outside",,purchase,\n'
)
REQUESTS = (
    "number,declaration,kind,amount,office,payer,due\n"
    "R-1,IMP-2025-1,fees,125.500,SOHAR,AL NOOR TRADING,2025-12-31\n"
)


def in_file(branch: World, text: str) -> str:
    path: Path = branch.folder / "published"
    path.write_text(text, encoding="utf-8")
    return str(path)


def publish(branch: World, kind: str, text: str) -> Any:
    return branch.json(branch.bank("publish", kind, in_file(branch, text), "--json"))


def entries(branch: World, kind: DownloadKind) -> dict[bytes, bytes]:
    path = branch.bank_folder / "bank.sqlite"
    with BankStore.open(path) as store, store.read() as books:
        return books.publications.entries(kind, books.publications.newest(kind))


def test_parameters_are_published_in_minor_units(branch: World) -> None:
    assert publish(branch, "parameters", PARAMETERS) == {
        "kind": "parameters",
        "version": 1,
        "entries": 2,
        "changed": True,
    }
    expected = Parameters(payment_limit_minor=500_000, clock_limit_s=60)
    found = entries(branch, DownloadKind.PARAMETERS)
    assert parse_parameters(found) == expected


def test_the_catalogue_and_the_requests_are_published_as_written(
    branch: World,
) -> None:
    publish(branch, "catalogue", CATALOGUE)
    publish(branch, "requests", REQUESTS)
    services = entries(branch, DownloadKind.CATALOGUE)
    certificate, inspection = (parse_service(*one) for one in services.items())
    assert (certificate.name_ar, certificate.amount_minor) == ("شهادة", 5_000)
    assert (inspection.name, inspection.amount_minor) == ("Inspection, outside", None)
    ((key, value),) = entries(branch, DownloadKind.REQUESTS).items()
    request = parse_request(key, value)
    assert (request.number, request.amount_minor) == ("R-1", 125_500)
    assert str(request.due) == "2025-12-31"


def test_a_file_replaces_what_was_published_before(branch: World) -> None:
    publish(branch, "requests", REQUESTS)
    publish(branch, "requests", REQUESTS.replace("R-1", "R-2"))
    assert list(entries(branch, DownloadKind.REQUESTS)) == [b"R-2"]


def test_the_same_file_again_makes_no_version(branch: World) -> None:
    publish(branch, "requests", REQUESTS)
    again = publish(branch, "requests", REQUESTS)
    assert (again["version"], again["changed"]) == (1, False)


def test_every_version_is_listed(branch: World) -> None:
    publish(branch, "parameters", PARAMETERS)
    publish(branch, "parameters", 'payment-limit = "400.000"\n')
    branch.bank("hotlist", "add", CARD, "--reason", "stolen")
    listed = branch.json(branch.bank("publish", "list", "--json"))["versions"]
    assert [(one["kind"], one["version"], one["changes"]) for one in listed] == [
        ("parameters", 1, 2),
        ("parameters", 2, 2),
        ("hotlist", 1, 1),
    ]
    assert "parameters" in branch.bank("publish", "list").output


PARAMETERS_REFUSED = [
    ("payment-limit = 500.0", "payment-limit: it is an amount in quotes"),
    ("payment-limit = true", "payment-limit: it is an amount in quotes"),
    ("[payment-limit]\na = 1", "payment-limit: it is an amount in quotes"),
    ('payment-limit = "-5"', "negative"),
    ("clock-limit-seconds = 0", "clock-limit-seconds: it is a whole number from 1 to"),
    ("clock-limit-seconds = 86401", "from 1 to 86400"),
    ("clock-limit-seconds = true", "from 1 to 86400"),
    ("clock-limit-seconds = 6e1", "from 1 to 86400"),
    ("clock-limit-seconds = " + "9" * 5000, "not TOML"),
    ("retries = 3", "no parameter 'retries'"),
    ('"\\u202E" = 3', "no parameter '\\u202e'"),
    ("not TOML", "not TOML"),
    ("clock-limit-seconds = 1\nclock-limit-seconds = 2", "not TOML"),
    ("a = " + "[" * 5000, "nested too deep"),
    ("", "has no entries"),
    ("# nothing\n", "has no entries"),
]
CATALOGUE_REFUSED = [
    ("code,name\nA,B\n", "the column 'kind' is not there; the first line names"),
    ("code,name,kind,price\nA,B,fees,1\n", "there is no column 'price'"),
    ("code,name,kind,name\nA,B,fees,C\n", "'name' is named more than once"),
    ("code,name,kind\nA,B\n", "Line 2: not as many values (2) as the heading has"),
    ("code,name,kind\nA,B,tips\n", "Line 2: the kind is one of"),
    ("code,name,kind\nA,,fees\n", "Line 2: name is empty"),
    ("code,name,kind\n,B,fees\n", "Line 2: code is empty"),
    ("code,name,kind\nA,B,fees\n\nA,C,fees\n", "Line 4: code was there before, in l"),
    ("code,name,kind\nA," + "B" * 121 + ",fees\n", "121 bytes in UTF-8; the most is 1"),
    ("code,name,kind\nA,B\u202eC,fees\n", "cannot be shown (U+202E)"),
    ('code,name,kind\nA,"B\nC",fees\n', "Line 3: name has a character that cannot"),
    ("code,name,kind\nA,B\ufffd,fees\n", "a character was lost"),
    ("code,name,kind\n\ufeffA,B,fees\n", "Line 2: code has a character that cannot"),
    ('code,name,kind\nA,"B"C,fees\n', "Line 2: not CSV"),
    ("code,name,kind,amount\nA,B,fees,1e3\n", "Line 2: that is not an amount"),
    ("code,name,kind,amount\nA,B,fees,4294967296\n", "Line 2: the amount is too large"),
    ("code,name,kind\n", "has no entries"),
    ("", "has no entries"),
]
REQUESTS_REFUSED = [
    ("number,declaration,kind,amount\nR,D,fees,0\n", "more than zero"),
    ("number,declaration,kind,amount\nR,D,fees,\n", "Line 2: enter an amount"),
    (REQUESTS.replace("2025-12-31", "31/12/25"), "due: a day is written 2025-11-22"),
    (REQUESTS.replace("2025-12-31", "2026-W10-1"), "due: a day is written"),
    (REQUESTS.replace("2025-12-31", "20251231"), "due: a day is written"),
    (REQUESTS.replace("R-1", "R" * 33), "has 33 bytes in UTF-8; the most is 32"),
    (REQUESTS.replace("IMP-2025-1", "D" * 49), "has 49 bytes in UTF-8; the most is 48"),
    (REQUESTS.replace("SOHAR", "S" * 16), "has 16 bytes in UTF-8; the most is 15"),
    (REQUESTS.replace("SOHAR", "Sohar"), "office is not a code that a counter has"),
]
REFUSED = [
    *(("parameters", *one) for one in PARAMETERS_REFUSED),
    *(("catalogue", *one) for one in CATALOGUE_REFUSED),
    *(("requests", *one) for one in REQUESTS_REFUSED),
]


@pytest.mark.parametrize(("kind", "text", "said"), REFUSED)
def test_a_file_with_a_mistake_is_refused_whole_and_the_mistake_is_named(
    branch: World, kind: str, text: str, said: str
) -> None:
    result = branch.bank("publish", kind, in_file(branch, text))
    assert result.exit_code == 1
    assert said in result.output
    assert "it has 1 mistake:" in result.output
    assert result.output.endswith("Nothing was published.\n")
    assert branch.json(branch.bank("publish", "list", "--json")) == {"versions": []}


def test_every_mistake_of_a_file_is_told_at_once(branch: World) -> None:
    text = (
        "number,declaration,kind,amount,due,due,colour\n"
        ",D,tips,-1,2026-W10-1,,\n"
        "R-2,D,fees,1,,,\n"
        "R-2,D,fees\n"
        "R-2,D,fees,1,,,\n"
    )
    result = branch.bank("publish", "requests", in_file(branch, text), "--json")
    error = branch.json(result)["error"]
    assert result.exit_code == 1
    assert error["kind"] == "FileMistakes"
    told = [(one["where"], one["what"].split(";")[0]) for one in error["mistakes"]]
    assert told == [
        ("Line 1", "the column 'due' is named more than once"),
        ("Line 1", "there is no column 'colour'"),
        ("Line 2", "number is empty"),
        ("Line 2", "an amount cannot be negative"),
        ("Line 2", "the kind is one of fees, deposits, purchase"),
        ("Line 4", "not as many values (3) as the heading has names (7)"),
        ("Line 5", "number was there before, in line 3"),
    ]
    for _, what in told:
        assert what in error["message"]


def test_mistakes_without_end_are_counted(branch: World) -> None:
    text = "code,name,kind\n" + "A\n" * 1000
    result = branch.bank("publish", "catalogue", in_file(branch, text), "--json")
    error = branch.json(result)["error"]
    assert len(error["mistakes"]) == 200
    assert "it has 1000 mistakes:" in error["message"]
    assert "... and 800 more." in error["message"]


NO_TEXT = [
    (b"\xff\xfea\x00", "not a text in UTF-8 but in UTF-16"),
    (b"code\nab\xe9\n\xc3\n", "Line 2: not a text in UTF-8: the byte E9 at place 3"),
    (b"code\nab\xe9\n\xc3\n", "Line 3: not a text in UTF-8: the byte C3 at place 1"),
    (b"code,name\0\n", "Line 1: a NUL byte"),
]


@pytest.mark.parametrize("command", [("publish", "requests"), ("hotlist", "replace")])
@pytest.mark.parametrize(("data", "said"), NO_TEXT)
def test_a_file_that_is_no_text_is_refused(
    branch: World, command: tuple[str, str], data: bytes, said: str
) -> None:
    path = branch.folder / "published"
    path.write_bytes(data)
    result = branch.bank(*command, str(path))
    assert result.exit_code == 1
    assert said in result.output


def test_a_file_without_end_is_refused(branch: World) -> None:
    result = branch.bank("publish", "requests", "/dev/zero")
    assert result.exit_code == 1
    assert "more than 67108864 bytes" in result.output


def test_the_mark_with_which_spreadsheets_begin_a_file_is_no_mistake(
    branch: World,
) -> None:
    publish(branch, "requests", "\ufeff" + REQUESTS.replace("\n", "\r\n"))
    assert list(entries(branch, DownloadKind.REQUESTS)) == [b"R-1"]


def test_all_is_withdrawn_by_an_empty_file_only_when_that_is_said(
    branch: World,
) -> None:
    publish(branch, "requests", REQUESTS)
    heading = in_file(branch, REQUESTS.splitlines()[0])
    assert branch.bank("publish", "requests", heading).exit_code == 1
    assert list(entries(branch, DownloadKind.REQUESTS)) == [b"R-1"]
    assert branch.bank("publish", "requests", heading, "--empty").exit_code == 0
    assert entries(branch, DownloadKind.REQUESTS) == {}


def test_a_content_that_no_counter_could_hold_is_refused_before_it_is_stored(
    branch: World,
) -> None:
    name = "x" * 120
    lines = [f"C{number},{name},fees,{name}" for number in range(18_000)]
    text = "code,name,kind,name_ar\n" + "\n".join(lines)
    result = branch.bank("publish", "catalogue", in_file(branch, text))
    assert result.exit_code == 1
    assert f"the most is {RAW_BYTES_MAX}" in result.output
    assert branch.json(branch.bank("publish", "list", "--json")) == {"versions": []}


def test_a_content_that_takes_too_long_to_fetch_is_refused(branch: World) -> None:
    chance = random.Random(1)
    lines = [f"C{number},{chance.randbytes(60).hex()},fees" for number in range(20_000)]
    text = "code,name,kind\n" + "\n".join(lines)
    result = branch.bank("publish", "catalogue", in_file(branch, text))
    assert result.exit_code == 1
    assert f"the most is {PAYLOAD_BYTES_MAX}" in result.output
    assert entries(branch, DownloadKind.CATALOGUE) == {}


def test_a_card_is_put_on_the_hotlist_and_taken_off(branch: World) -> None:
    branch.bank("hotlist", "add", CARD, "--reason", "reported stolen")
    branch.bank("hotlist", "add", OTHER, "--reason", "lost")
    branch.bank("hotlist", "remove", CARD, "--reason", "found again")
    shown = branch.json(branch.bank("hotlist", "list", "--json"))
    assert shown["version"] == 3
    assert [(one["card"], one["reason"]) for one in shown["cards"]] == [
        ("640000******0002", "lost")
    ]
    assert OTHER in branch.bank("hotlist", "list", "--full-number").output


def test_a_card_that_is_listed_already_makes_no_version(branch: World) -> None:
    branch.bank("hotlist", "add", CARD, "--reason", "stolen")
    again = branch.bank("hotlist", "add", CARD, "--reason", "stolen", "--json")
    assert branch.json(again)["changed"] is False
    off = branch.bank("hotlist", "remove", OTHER, "--reason", "found", "--json")
    assert branch.json(off)["changed"] is False


def test_a_whole_hotlist_is_replaced_and_what_changes_is_counted(
    branch: World,
) -> None:
    branch.bank("hotlist", "add", CARD, "--reason", "stolen")
    branch.bank("hotlist", "add", OTHER, "--reason", "lost")
    text = f"# the new list\n{OTHER}, lost at sea\n\n6400000000000003 \r\n"
    file = in_file(branch, text)
    done = branch.bank("hotlist", "replace", file, "--yes", "--json")
    told = branch.json(done)
    assert (told["entries"], told["added"], told["kept"], told["let_go"]) == (
        *(2, 1, 1, 1),
    )
    cards = branch.json(branch.bank("hotlist", "list", "--json"))["cards"]
    assert [one["reason"] for one in cards] == ["lost", ""]
    again = " ".join(branch.bank("hotlist", "replace", file).output.split())
    assert "Added 0 Kept 2 Let go 0" in again


def test_cards_are_let_go_only_when_somebody_says_so(branch: World) -> None:
    branch.bank("hotlist", "add", CARD, "--reason", "stolen")
    file = in_file(branch, OTHER)
    for said, told in (
        (branch.bank("hotlist", "replace", file), "Nobody answered."),
        (branch.bank("hotlist", "replace", file, typed="n\n"), "Nothing was changed."),
        (branch.bank("hotlist", "replace", file, "--json"), "say so with --yes"),
    ):
        assert said.exit_code == 1
        assert told in said.output
        assert "1 card of the 1 stopped now would be let go" in said.output
    assert list(entries(branch, DownloadKind.HOTLIST)) == [bytes.fromhex(CARD)]
    done = branch.bank("hotlist", "replace", file, typed="y\n")
    assert done.exit_code == 0
    assert list(entries(branch, DownloadKind.HOTLIST)) == [bytes.fromhex(OTHER)]


def test_a_list_that_lets_nobody_go_is_not_asked_about(branch: World) -> None:
    branch.bank("hotlist", "add", CARD, "--reason", "stolen")
    file = in_file(branch, f"{CARD}\n{OTHER}\n")
    assert branch.bank("hotlist", "replace", file).exit_code == 0


def test_a_hotlist_changed_while_somebody_was_asked_is_not_replaced(
    branch: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch.bank("hotlist", "add", CARD, "--reason", "stolen")

    def meanwhile(*_: object, **__: object) -> bool:
        branch.bank("hotlist", "add", "6400000000000009", "--reason", "stolen, too")
        return True

    monkeypatch.setattr("click.confirm", meanwhile)
    result = branch.bank("hotlist", "replace", in_file(branch, OTHER))
    assert result.exit_code == 1
    assert "changed the hotlist meanwhile" in result.output
    assert len(entries(branch, DownloadKind.HOTLIST)) == 2


@pytest.mark.parametrize("text", ["", "# no cards\n", "\n\n"])
def test_an_empty_list_lets_all_go_only_when_that_is_said_twice(
    branch: World, text: str
) -> None:
    branch.bank("hotlist", "add", CARD, "--reason", "stolen")
    file = in_file(branch, text)
    refused = branch.bank("hotlist", "replace", file, "--yes")
    assert refused.exit_code == 1
    assert "has no entries; to withdraw all" in refused.output
    assert branch.bank("hotlist", "replace", file, "--empty").exit_code == 1
    assert list(entries(branch, DownloadKind.HOTLIST)) == [bytes.fromhex(CARD)]
    done = branch.bank("hotlist", "replace", file, "--empty", "--yes", "--json")
    assert branch.json(done)["let_go"] == 1
    assert entries(branch, DownloadKind.HOTLIST) == {}


def test_a_hotlist_with_mistakes_is_refused_whole_and_tells_them_all(
    branch: World,
) -> None:
    text = f"640000000000001\n{CARD}\n{CARD}, again\nx\n{OTHER} \u200fsea\n"
    result = branch.bank("hotlist", "replace", in_file(branch, text), "--json")
    assert result.exit_code == 1
    told = branch.json(result)["error"]["mistakes"]
    assert [(one["where"], one["what"]) for one in told] == [
        ("Line 1", "a card number is 16 digits"),
        ("Line 3", "this card was named before, in line 2"),
        ("Line 4", "a card number is 16 digits"),
        ("Line 5", "the reason has a character that cannot be shown (U+200F)"),
    ]
    assert entries(branch, DownloadKind.HOTLIST) == {}


REASONS_REFUSED = [
    ("", "is empty"),
    (" \t ", "is empty"),
    ("stolen\x1b[2J", "U+001B"),
    ("stolen\nand found", "U+000A"),
    ("\u202enelots", "U+202E"),
    ("\udcff", "U+DCFF"),
    ("x" * 201, "has 201 characters; the most is 200"),
]


@pytest.mark.parametrize(
    "command",
    [
        ("hotlist", "add", CARD),
        ("hotlist", "remove", CARD),
        ("terminal", "revoke", "T0000007"),
    ],
)
@pytest.mark.parametrize(("reason", "said"), REASONS_REFUSED)
def test_a_reason_is_words_that_can_be_shown(
    branch: World, command: tuple[str, ...], reason: str, said: str
) -> None:
    result = branch.bank(*command, "--reason", reason)
    assert result.exit_code == 2
    assert said in result.output
    assert "Nothing was changed." in result.output
    assert entries(branch, DownloadKind.HOTLIST) == {}


def test_a_reason_of_the_longest_kind_is_kept_without_the_blanks_around_it(
    branch: World,
) -> None:
    reason = "سُرقت في صحار " + "x" * 186
    branch.bank("hotlist", "add", CARD, "--reason", f"  {reason} ")
    (card,) = branch.json(branch.bank("hotlist", "list", "--json"))["cards"]
    assert card["reason"] == reason


def test_a_number_that_is_none_is_refused(branch: World) -> None:
    result = branch.bank("hotlist", "add", "64000000", "--reason", "stolen")
    assert result.exit_code == 1
    assert "16 digits" in result.output


def test_the_books_are_still_proved_after_publishing(branch: World) -> None:
    publish(branch, "parameters", PARAMETERS)
    publish(branch, "requests", REQUESTS)
    branch.bank("hotlist", "add", CARD, "--reason", "stolen")
    branch.bank("hotlist", "remove", CARD, "--reason", "found")
    with BankStore.open(branch.bank_folder / "bank.sqlite") as store:
        assert check_bank(store, None).ok
    assert PASSPHRASE not in branch.bank("publish", "list").output
