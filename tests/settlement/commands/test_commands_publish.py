"""``raseed-bank publish`` and ``hotlist``: versions, and files taken whole or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from settlement.check.bank import check_bank
from settlement.download import DownloadKind
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


REFUSED = [
    ("parameters", "payment-limit = 500.0", "an amount in quotes"),
    ("parameters", 'payment-limit = "-5"', "negative"),
    ("parameters", "clock-limit-seconds = 0", "from 1 to 86400"),
    ("parameters", "retries = 3", "no parameter 'retries'"),
    ("parameters", "not TOML", "not TOML"),
    ("catalogue", "code,name\nA,B\n", "names the columns"),
    ("catalogue", "code,name,kind\nA,B\n", "Line 2: not as many values"),
    ("catalogue", "code,name,kind\nA,B,tips\n", "Line 2: the kind is one of"),
    ("catalogue", "code,name,kind\nA,,fees\n", "Line 2: name is too long, or empty"),
    ("catalogue", "code,name,kind\nA,B,fees\nA,C,fees\n", "Line 3: code is empty, or"),
    ("requests", "number,declaration,kind,amount\nR,D,fees,0\n", "more than zero"),
    ("requests", REQUESTS.replace("2025-12-31", "31/12/25"), "a day is written"),
    ("requests", REQUESTS.replace("R-1", "R" * 33), "too long"),
]


@pytest.mark.parametrize(("kind", "text", "said"), REFUSED)
def test_a_file_with_a_mistake_is_refused_whole_and_the_mistake_is_named(
    branch: World, kind: str, text: str, said: str
) -> None:
    result = branch.bank("publish", kind, in_file(branch, text))
    assert result.exit_code == 1
    assert said in result.output
    assert "Nothing was published." in result.output
    assert branch.json(branch.bank("publish", "list", "--json")) == {"versions": []}


def test_a_file_that_is_no_text_is_refused(branch: World) -> None:
    path = branch.folder / "published"
    path.write_bytes(b"\xff\xfe\x00")
    result = branch.bank("publish", "requests", str(path))
    assert result.exit_code == 1
    assert "not a text in UTF-8" in result.output


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


def test_a_whole_hotlist_is_replaced(branch: World) -> None:
    branch.bank("hotlist", "add", CARD, "--reason", "stolen")
    text = f"# the new list\n{OTHER}, lost at sea\n\n6400000000000003\n"
    done = branch.bank("hotlist", "replace", in_file(branch, text), "--json")
    assert branch.json(done)["entries"] == 2
    cards = branch.json(branch.bank("hotlist", "list", "--json"))["cards"]
    assert [one["reason"] for one in cards] == ["lost at sea", ""]


@pytest.mark.parametrize("text", ["640000000000001", "x", f"{CARD}\n{CARD}\n"])
def test_a_hotlist_with_a_mistake_is_refused_whole(branch: World, text: str) -> None:
    result = branch.bank("hotlist", "replace", in_file(branch, text))
    assert result.exit_code == 1
    assert "Line " in result.output
    assert entries(branch, DownloadKind.HOTLIST) == {}


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
