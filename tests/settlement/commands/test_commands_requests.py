"""``raseed-bank requests`` and ``services``: files taken whole, and what is told."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.download_items import Service, encode_service, parse_service
from settlement.errors import InputError
from settlement.money import CURRENCIES
from settlement.request_files import read_requests
from settlement.service_catalogue import read_services, service_document, service_of

if TYPE_CHECKING:
    from pathlib import Path

    # The world of this folder's conftest: test folders are no packages.
    World = Any

OMR = CURRENCIES["OMR"]
HEADING = "number,declaration,kind,amount,office,payer,broker,due,lines\n"
TWO = (
    f"{HEADING}R-1,IMP-1,fees,125.500,SOHAR,AL NOOR,GULF,2025-11-01,"
    '"customs duty=125.000; fines=0.500"\n'
    "R-2,IMP-2,deposits,10,MUSCAT,,,,\n"
)
SERVICES = (
    "code,name,name_ar,kind,amount,unit_amount,unit,least,lines\n"
    "CERT1,Certificate of origin,شهادة,fees,5.000,,,,certificates=5.000\n"
    "STOR1,Storage,,fees,,0.250,day,1.000,storage fees\n"
    "INSP,Inspection,,purchase,,,,,\n"
)


def in_file(branch: World, text: str) -> str:
    path: Path = branch.folder / "sent"
    path.write_text(text, encoding="utf-8")
    return str(path)


def run(branch: World, *arguments: str) -> Any:
    return branch.json(branch.bank(*arguments, "--json"))


def numbers(branch: World, *options: str) -> list[str]:
    listed = run(branch, "requests", "list", *options)
    return [one["number"] for one in listed["requests"]]


def test_a_file_is_taken_once_however_often_it_is_imported(branch: World) -> None:
    path = in_file(branch, TWO)
    tried = run(branch, "requests", "import", path, "--dry-run")
    assert tried == {"added": 2, "known": 0, "dry_run": True}
    assert numbers(branch) == []
    assert run(branch, "requests", "import", path)["added"] == 2
    assert run(branch, "requests", "import", path)["known"] == 2
    assert numbers(branch) == ["R-1", "R-2"]
    assert numbers(branch, "--office", "MUSCAT") == ["R-2"]
    assert numbers(branch, "--overdue") == ["R-1"]
    assert numbers(branch, "--state", "paid") == []
    assert numbers(branch, "--changed-since", "2099-01-01") == []
    page = run(branch, "requests", "list", "--limit", "1")
    rest = run(branch, "requests", "list", "--after", str(page["next_after"]))
    assert [one["number"] for one in rest["requests"]] == ["R-2"]


def test_a_request_is_shown_and_cancelled_with_who_and_why(branch: World) -> None:
    branch.bank("requests", "import", in_file(branch, TWO))
    done = run(branch, "requests", "cancel", "R-1", "R-2", "--reason", "sent in error")
    assert done == {"cancelled": ["R-1", "R-2"]}
    shown = run(branch, "requests", "show", "R-1")
    assert shown["lines"] == [
        {"class": "customs duty", "amount": "125.000"},
        {"class": "fines", "amount": "0.500"},
    ]
    assert [step["state"] for step in shown["steps"]] == ["new", "cancelled"]
    assert shown["steps"][1]["who"].startswith("bank operations (")
    assert shown["reason"] == "sent in error"
    told = branch.bank("requests", "show", "R-1").output
    assert "125.500 OMR" in told
    assert "sent in error" in told
    again = branch.bank("requests", "cancel", "R-1", "--reason", "x")
    assert (again.exit_code, "cannot be cancelled" in again.output) == (1, True)
    missing = branch.bank("requests", "cancel", "R-9", "--reason", "x")
    assert "There is no request R-9. Nothing was changed." in missing.output


def test_every_mistake_of_a_file_is_told_and_nothing_is_taken(branch: World) -> None:
    path = in_file(
        branch,
        f"{HEADING}R-1,IMP-1,fee,1.2345,sohar,,,soon,duty=1\n"
        "R-2,IMP-2,fees,2.000,SOHAR,,,,fines=1.000\n"
        "R-3,,fees,,SOHAR,,,,\n"
        "R-4,IMP-4,fees,1.000,SOHAR,,,,\n"
        "R-4,IMP-4,fees,1.000,SOHAR,,,,\n",
    )
    result = branch.bank("requests", "import", path)
    assert result.exit_code == 1
    told = [line.partition(": ")[2] for line in result.output.splitlines()[1:]]
    assert [line.partition(": ")[0] for line in told] == [
        *("kind", "amount", "lines[1].class", "office", "due"),
        *("lines", "declaration", "amount", "number"),
    ]
    assert "Nothing was taken" in result.output
    assert numbers(branch) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not 1 to"),
        ("number\nR-1\n", "declaration: is missing"),
        ("number,number\nR-1,R-2\n", "names each column once"),
        (f"{HEADING}R-1,IMP-1\n", "not as many values"),
        (f'{HEADING}"R-1\n', "not CSV"),
        ("[1]", "Item 1 is no object"),
        ("{", "not JSON"),
        ('{"services": []}', 'a list under "requests"'),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_file_that_is_none_is_told(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_requests(text, OMR)


def test_json_is_taken_like_csv(branch: World) -> None:
    items = [
        {
            "number": "R-1",
            "declaration": "IMP-1",
            "kind": "fees",
            "amount": "125.500",
            "office": "SOHAR",
            "payer": "AL NOOR",
            "broker": "GULF",
            "due": "2025-11-01",
            "lines": [
                {"class": "customs duty", "amount": "125.000"},
                {"class": "fines", "amount": "0.500"},
            ],
        }
    ]
    (of_csv, _) = read_requests(TWO, OMR)
    for document in (items, {"requests": items}):
        assert read_requests(json.dumps(document), OMR) == [of_csv]


@given(st.text(max_size=300))
def test_any_text_is_a_file_or_is_told_to_be_none(text: str) -> None:
    for read in (read_requests, read_services):
        found: object = None
        with suppress(InputError):
            found = read(text, OMR)
        assert found is None or isinstance(found, list)


def test_services_are_published_whole_and_listed(branch: World) -> None:
    path = in_file(branch, SERVICES)
    assert run(branch, "services", "import", path, "--dry-run")["entries"] == 3
    assert run(branch, "services", "list") == {"version": 0, "services": []}
    assert run(branch, "services", "import", path)["version"] == 1
    listed = run(branch, "services", "list")
    assert [one["code"] for one in listed["services"]] == ["CERT1", "INSP", "STOR1"]
    told = branch.bank("services", "list").output
    assert "0.250 for each day, at least 1.000" in told
    assert "keyed each time" in told


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("A,Name,,fees,1.000,1.000,,,", "a fee is fixed or computed, not both"),
        ("A,Name,,fees,1.000,,day,,", "only a computed fee has a unit"),
        ("A,Name,,fees,1.000,,,,fines=0.500", "add up to 500, not 1000"),
        ("A,Name,,fees,,,,,fines; other receipts", "one line at most"),
        ("A,Name,,fees,,,,,fines=1.000", "one line at most"),
        ("A,,,fees,,,,,", "name: is missing"),
        ("A,Name,,gift,,,,,", "kind: is fees or deposits or purchase"),
    ],
)
def test_a_service_that_makes_no_sense_is_told(line: str, words: str) -> None:
    heading = SERVICES.splitlines()[0]
    with pytest.raises(InputError, match=words):
        read_services(f"{heading}\n{line}\n", OMR)


def test_a_service_comes_back_from_counters_and_documents() -> None:
    for service in read_services(SERVICES, OMR):
        assert parse_service(*encode_service(service)) == service
        made, mistakes = service_of(service_document(service, OMR), OMR)
        assert (made, mistakes) == (service, [])


def test_a_computed_fee_is_counted_and_never_less_than_the_least() -> None:
    by_code: dict[str, Service] = {
        service.code: service for service in read_services(SERVICES, OMR)
    }
    storage = by_code["STOR1"]
    assert [storage.fee_minor(days) for days in (1, 4, 5)] == [1_000, 1_000, 1_250]
    assert storage.fee_minor() is None
    assert by_code["CERT1"].fee_minor() == 5_000
    assert by_code["INSP"].fee_minor() is None
