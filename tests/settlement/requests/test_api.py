"""The API in one process: what it does, what it refuses, and in which words."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from settlement.api import access
from settlement.api.app import PAGE_MAX, make_app
from settlement.api.desk import ApiDesk, Caller
from settlement.api.problems import PROBLEM_TYPE
from settlement.api.scopes import Scope
from settlement.download import DownloadKind
from settlement.errors import BankUnavailableError
from settlement.money import CURRENCIES
from settlement.store.api_tokens import token_digest
from tests.settlement.conftest import START, TERMINAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from httpx2 import Response

    from tests.settlement.requests.conftest import RequestDesk

DOCUMENT = Path(__file__).parents[3] / "docs" / "requests-openapi.json"
TOKEN = "rsd_of-this-test"
ALL = tuple(Scope)


def one(number: str = "R-1", **changes: Any) -> dict[str, Any]:
    return {
        "number": number,
        "declaration": f"IMP-{number}",
        "kind": "fees",
        "amount": "1.500",
        "currency": "OMR",
        "office": "SOHAR",
        "payer": "شركة النور",
        "lines": [
            {"class": "customs duty", "amount": "1.000"},
            {"class": "fines", "amount": "0.500"},
        ],
    } | changes


class Client:
    """A client of the API that has a token."""

    def __init__(self, requests: RequestDesk) -> None:
        self.requests = requests
        desk = requests.desk
        self.api = ApiDesk(desk.store, CURRENCIES["OMR"], desk.clock)
        self.http = TestClient(make_app(self.api), raise_server_exceptions=False)
        self.token = TOKEN
        self.give(TOKEN)

    def give(
        self, token: str, scopes: Sequence[Scope] = ALL, offices: Sequence[str] = ()
    ) -> str:
        with self.requests.desk.store.write() as books:
            books.tokens.add(
                name=f"client {len(books.tokens.tokens())}",
                digest=token_digest(token),
                offices=offices,
                scopes=[scope.value for scope in scopes],
                who="a test",
                at=START,
            )
        return token

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        sent = {"Authorization": f"Bearer {self.token}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        if body is None:
            return self.http.request(method, path, headers=sent)
        return self.http.request(method, path, json=body, headers=sent)

    def send(self, *requests: dict[str, Any], **headers: str) -> Response:
        return self.ask("POST", "/v1/requests", {"requests": list(requests)}, **headers)


@pytest.fixture
def client(requests: RequestDesk) -> Iterator[Client]:
    made = Client(requests)
    with made.http:
        yield made


def problem(answer: Response, status: int, kind: str) -> dict[str, Any]:
    """The problem in an answer, which is one of this kind."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM_TYPE
    body: dict[str, Any] = answer.json()
    assert (body["type"], body["status"]) == (f"urn:raseed:problem:{kind}", status)
    assert body["title"]
    assert body["detail"]
    assert "Traceback" not in answer.text
    return body


# What it does.


def test_a_request_is_sent_offered_paid_and_seen_paid(client: Client) -> None:
    answer = client.send(one())
    assert answer.status_code == 201
    assert answer.json()["added"] == 1
    assert client.requests.offered() == ["R-1"]
    client.requests.pay("R-1", 1_500)
    client.requests.desk.send()
    seen = client.ask("GET", "/v1/requests/R-1").json()
    assert seen["state"] == "paid"
    assert seen["amount"] == "1.500"
    assert seen["payer"] == "شركة النور"
    assert seen["paid_by"] == {
        "card": "640000******0001",
        "otc": 1,
        "terminal": TERMINAL,
        "batch": 1,
        "stan": 1,
        "paid_at": "2025-11-22T10:15:00Z",
    }
    assert [step["state"] for step in seen["steps"]] == ["new", "paid"]
    assert [paid["outcome"] for paid in seen["payments"]] == ["paid"]
    assert "6400000000000001" not in json.dumps(seen)


def test_what_the_api_takes_is_what_a_file_takes(client: Client) -> None:
    client.send(one())
    again = client.send(one())
    assert (again.status_code, again.json()["known"]) == (200, 1)
    assert client.requests.stored().request.lines_minor == 1_500


def test_a_request_is_cancelled_once(client: Client) -> None:
    client.send(one("A/1"))
    path, body = "/v1/requests/A/1/cancel", {"reason": "sent in error"}
    answer = client.ask("POST", path, body)
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert answer.json()["reason"] == "sent in error"
    told = problem(client.ask("POST", path, body), 409, "conflict")
    assert "is cancelled since" in told["detail"]


def test_pages_go_on_where_the_last_one_ended(client: Client) -> None:
    client.send(*(one(f"R-{at}") for at in range(7)))
    client.requests.decline("R-3")
    seen: list[tuple[str, str]] = []
    after: Any = 0
    while after is not None:
        page = client.ask("GET", f"/v1/requests?limit=3&after={after}").json()
        seen += [(found["number"], found["state"]) for found in page["requests"]]
        after = page["next_after"]
    expected = [(f"R-{at}", "new") for at in range(7) if at != 3]
    assert seen == [*expected, ("R-3", "declined")]


def test_lists_are_by_state_office_and_time(client: Client) -> None:
    client.send(one("R-1"), one("R-2"), one("M-1", office="MUSCAT"))
    client.requests.desk.clock.advance(hours=1)
    client.requests.decline("R-2")

    def numbers(query: str) -> list[str]:
        page = client.ask("GET", f"/v1/requests?{query}").json()
        return [found["number"] for found in page["requests"]]

    assert numbers("state=new") == ["R-1", "M-1"]
    assert numbers("office=SOHAR") == ["R-1", "R-2"]
    assert numbers("state=new&office=MUSCAT") == ["M-1"]
    assert numbers("changed_since=2025-11-22T10:15:01Z") == ["R-2"]
    assert numbers("changed_since=2025-11-22T15:15:00%2B04:00") == ["R-2"]


def test_the_catalogue_is_put_and_fetched_with_its_version(client: Client) -> None:
    services = [
        {
            "code": "CERT1",
            "name": "Certificate of origin",
            "name_ar": "شهادة منشأ",
            "kind": "fees",
            "amount": "5.000",
            "lines": [{"class": "certificates", "amount": "5.000"}],
        },
        {
            "code": "STOR1",
            "name": "Storage",
            "kind": "fees",
            "unit_amount": "0.250",
            "unit": "day",
            "least": "1.000",
            "lines": [{"class": "storage fees"}],
        },
    ]
    answer = client.ask("PUT", "/v1/catalogue", {"services": services})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
    found = client.ask("GET", "/v1/catalogue")
    assert found.json() == {"version": 1, "services": services}
    again = client.ask("PUT", "/v1/catalogue", {"services": services}, If_Match='"1"')
    assert again.headers["etag"] == '"1"'
    body = {"services": services[:1]}
    old = client.ask("PUT", "/v1/catalogue", body, If_Match='"7"')
    assert "at version 1" in problem(old, 412, "precondition")["detail"]
    with client.requests.desk.store.read() as books:
        assert books.publications.newest(DownloadKind.CATALOGUE) == 1


def test_health_needs_no_token_and_reads_the_bank(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.token = ""
    assert client.ask("GET", "/health").json() == {"status": "ok"}

    def locked() -> None:
        raise BankUnavailableError("locked, at /secret/place")

    monkeypatch.setattr(client.api, "see_that_the_bank_is_there", locked)
    answer = client.ask("GET", "/health")
    problem(answer, 503, "try-later")
    assert answer.headers["retry-after"] == "5"
    assert "secret" not in answer.text


# The same again.


def test_the_same_request_with_its_key_is_answered_as_the_first_time(
    client: Client,
) -> None:
    first = client.send(one(), Idempotency_Key="k-1")
    again = client.send(one(), Idempotency_Key="k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    # Without the key it is told that the bank knew it.
    assert client.send(one()).status_code == 200


def test_a_cancel_with_its_key_is_answered_again_though_it_cannot_be_done_again(
    client: Client,
) -> None:
    client.send(one())
    body = {"reason": "sent in error"}
    answers = [
        client.ask("POST", "/v1/requests/R-1/cancel", body, Idempotency_Key="k")
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


def test_a_key_for_another_request_is_refused_and_does_nothing(client: Client) -> None:
    client.send(one("R-1"), Idempotency_Key="k-1")
    answer = client.send(one("R-2"), Idempotency_Key="k-1")
    problem(answer, 422, "key-reused")
    answer = client.ask(
        "POST", "/v1/requests/R-1/cancel", {"reason": "x"}, Idempotency_Key="k-1"
    )
    problem(answer, 422, "key-reused")
    assert client.requests.offered() == ["R-1"]
    # Another token's keys are its own.
    client.token = client.give("rsd_another")
    assert client.send(one("R-3"), Idempotency_Key="k-1").status_code == 201


def test_what_failed_is_not_kept_under_its_key(client: Client) -> None:
    answer = client.send(one(amount="0"), Idempotency_Key="k-1")
    problem(answer, 422, "invalid")
    assert client.send(one(), Idempotency_Key="k-1").status_code == 201


# Who may do what.


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Bearer {'x' * 5000}",
        "Bearer \u00e9",
    ],
)
def test_nobody_without_a_valid_token_gets_in(client: Client, header: str) -> None:
    sent = {b"Authorization": header.encode()}
    for method, path in (
        ("GET", "/v1/requests"),
        ("GET", "/v1/requests/R-1"),
        ("POST", "/v1/requests"),
        ("POST", "/v1/requests/R-1/cancel"),
        ("GET", "/v1/catalogue"),
        ("PUT", "/v1/catalogue"),
    ):
        answer = client.http.request(method, path, headers=sent)
        problem(answer, 401, "no-token")
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("method", "path", "body", "scope"),
    [
        ("GET", "/v1/requests", None, Scope.REQUESTS_READ),
        ("GET", "/v1/requests/R-1", None, Scope.REQUESTS_READ),
        ("POST", "/v1/requests", {"requests": [one("R-2")]}, Scope.REQUESTS_WRITE),
        ("POST", "/v1/requests/R-1/cancel", {"reason": "x"}, Scope.REQUESTS_WRITE),
        ("GET", "/v1/catalogue", None, Scope.CATALOGUE_READ),
        ("PUT", "/v1/catalogue", {"services": []}, Scope.CATALOGUE_WRITE),
    ],
)
def test_each_thing_needs_its_scope_and_no_other(
    client: Client, method: str, path: str, body: Any, scope: Scope
) -> None:
    client.send(one())
    others = [other for other in Scope if other is not scope]
    client.token = client.give("rsd_others", others)
    told = problem(client.ask(method, path, body), 403, "not-allowed")
    assert scope.value in told["detail"]
    client.token = client.give("rsd_this", [scope])
    assert client.ask(method, path, body).status_code in {200, 201}


def test_a_token_sees_and_touches_its_offices_only(client: Client) -> None:
    client.send(one("R-1"), one("M-1", office="MUSCAT"))
    client.token = client.give("rsd_sohar", offices=["SOHAR"])
    page = client.ask("GET", "/v1/requests").json()
    assert [found["number"] for found in page["requests"]] == ["R-1"]
    problem(client.ask("GET", "/v1/requests?office=MUSCAT"), 403, "not-allowed")
    # What is not its business is not even there.
    problem(client.ask("GET", "/v1/requests/M-1"), 404, "not-found")
    answer = client.ask("POST", "/v1/requests/M-1/cancel", {"reason": "x"})
    problem(answer, 404, "not-found")
    answer = client.send(one("R-2"), one("M-2", office="MUSCAT"))
    problem(answer, 403, "not-allowed")
    assert client.requests.offered() == ["R-1"]
    assert client.requests.offered("MUSCAT") == ["M-1"]


def test_a_revoked_token_is_refused_at_once(client: Client) -> None:
    assert client.send(one()).status_code == 201
    with client.requests.desk.store.write() as books:
        (token,) = books.tokens.tokens()
        books.tokens.revoke(token.number, "a test", START)
    problem(client.send(one("R-2")), 401, "no-token")


def test_a_token_is_nowhere_in_the_database(client: Client) -> None:
    client.send(one(), Idempotency_Key="k")
    path = client.requests.desk.path
    kept = b"".join(one.read_bytes() for one in path.parent.glob(f"{path.name}*"))
    assert TOKEN.encode() not in kept
    assert token_digest(TOKEN) in kept
    assert TOKEN not in repr(Caller(token=TOKEN, key="k"))


# What it refuses.


def test_every_mistake_is_told_with_its_place_and_nothing_is_taken(
    client: Client,
) -> None:
    answer = client.send(
        one("R-1"),
        one("R-2", amount=1.5, kind="purchase", colour="red"),
        one("R-1"),
        one("", office="sohar", lines=[{"class": "fines", "amount": "9.000"}]),
    )
    told = problem(answer, 422, "invalid")
    assert told["errors"] == [
        "requests[1]: colour: there is no such field",
        "requests[1]: kind: is fees or deposits, not 'purchase'",
        'requests[1]: amount: is an amount in quotes, such as "125.500"',
        "requests[2]: number: R-1 was there before",
        "requests[3]: number: is missing",
        "requests[3]: office: 'sohar' is no office code",
    ]
    assert client.requests.offered() == []


def test_a_number_that_is_taken_is_a_conflict(client: Client) -> None:
    client.send(one())
    answer = client.send(one("R-2"), one("R-1", amount="1.500", payer="OTHER"))
    told = problem(answer, 409, "conflict")
    assert told["errors"] == ["R-1: the bank has another request with it"]
    assert client.requests.offered() == ["R-1"]


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"", 400, "bad-request"),
        (b"{", 400, "bad-request"),
        (b"\xff\xfe", 400, "bad-request"),
        (b"[" * 100_000, 400, "bad-request"),
        (b"[]", 400, "bad-request"),
        (b"null", 400, "bad-request"),
        (b"{}", 422, "invalid"),
        (b'{"requests": {}}', 422, "invalid"),
        (b'{"requests": []}', 422, "invalid"),
        (b'{"requests": [1]}', 422, "invalid"),
        (b'{"requests": [{"number": "\\ud800"}]}', 422, "invalid"),
        (b'{"requests": [], "more": 1}', 422, "invalid"),
        (b" " * ((1 << 20) + 1), 413, "too-large"),
    ],
)
def test_a_body_that_is_none_is_told(
    client: Client, body: bytes, status: int, kind: str
) -> None:
    answer = client.http.post(
        "/v1/requests",
        content=body,
        headers={
            "Authorization": f"Bearer {TOKEN}",
            "Content-Type": "application/json; charset=utf-8",
        },
    )
    problem(answer, status, kind)


def test_a_body_of_another_type_is_not_read(client: Client) -> None:
    answer = client.http.post(
        "/v1/requests",
        content=b"requests=1",
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    problem(answer, 415, "not-json")


def test_too_many_requests_at_a_time_are_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("settlement.request_files.REQUESTS_MAX", 3)
    answer = client.send(*(one(f"R-{at}") for at in range(4)))
    assert "not 1 to 3" in problem(answer, 422, "invalid")["detail"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        f"limit={PAGE_MAX + 1}",
        "limit=x",
        "after=-1",
        "after=99999999999999999999",
        "state=sold",
        "changed_since=yesterday",
        f"office={'x' * 65}",
    ],
)
def test_a_query_that_makes_no_sense_is_told(client: Client, query: str) -> None:
    told = problem(client.ask("GET", f"/v1/requests?{query}"), 422, "invalid")
    assert told["errors"]


@pytest.mark.parametrize("key", ["x" * 65, "a b", "caf\u00e9"])
def test_a_key_that_is_none_is_told(client: Client, key: str) -> None:
    headers = {b"Authorization": f"Bearer {TOKEN}".encode()}
    headers[b"Idempotency-Key"] = key.encode()
    answer = client.http.post(
        "/v1/requests", json={"requests": [one()]}, headers=headers
    )
    problem(answer, 400, "bad-request")


def test_paths_and_methods_that_are_none_are_problems_too(client: Client) -> None:
    problem(client.ask("GET", "/v2/requests"), 404, "not-found")
    problem(client.ask("DELETE", "/v1/requests"), 405, "wrong-method")
    problem(client.ask("GET", "/docs"), 404, "not-found")


def test_a_bug_tells_nothing_of_itself(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(caller: Caller, number: str) -> None:
        raise RuntimeError("at line 7 of /secret/place")

    monkeypatch.setattr(client.api, "get", broken)
    answer = client.ask("GET", "/v1/requests/R-1")
    problem(answer, 500, "internal")
    assert "secret" not in answer.text
    assert "line 7" not in answer.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*one(), "class", "x"]), inner, max_size=6)
    ),
    max_leaves=12,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON, st.booleans())
def test_any_json_is_answered_by_a_problem_or_by_what_it_did(
    client: Client, body: Any, in_list: bool
) -> None:
    for path, name in (("/v1/requests", "requests"), ("/v1/catalogue", "services")):
        given = json.dumps({name: [body]} if in_list else body).encode()
        answer = client.http.request(
            "POST" if name == "requests" else "PUT",
            path,
            content=given,
            headers={
                "Authorization": f"Bearer {TOKEN}",
                "Content-Type": "application/json",
            },
        )
        assert answer.status_code in {200, 201, 400, 409, 422}, answer.text
        assert "Traceback" not in answer.text


def test_a_sound_request_with_any_byte_changed_never_breaks_it(client: Client) -> None:
    noise = random.Random(9457)
    sound = json.dumps({"requests": [one()]}, ensure_ascii=False).encode()
    for _ in range(200):
        body = bytearray(sound)
        body[noise.randrange(len(body))] = noise.randrange(256)
        answer = client.http.post(
            "/v1/requests",
            content=bytes(body),
            headers={
                "Authorization": f"Bearer {TOKEN}",
                "Content-Type": "application/json",
            },
        )
        assert answer.status_code in {200, 201, 400, 409, 422}, answer.text


# Its contract.


def test_the_committed_contract_is_what_is_served(client: Client) -> None:
    served = client.ask("GET", "/openapi.json").json()
    assert served == json.loads(DOCUMENT.read_text(encoding="utf-8")), (
        "renew it: raseed-bank api openapi > docs/requests-openapi.json"
    )


def test_every_path_of_the_contract_tells_of_problems_and_of_its_token(
    client: Client,
) -> None:
    served = client.ask("GET", "/openapi.json").json()
    for path, methods in served["paths"].items():
        for method, operation in methods.items():
            assert "default" in operation["responses"], (path, method)
            assert ("security" in operation) == (path != "/health"), (path, method)
            assert ("requestBody" in operation) == (method in {"post", "put"})


def test_the_bound_of_a_body_is_that_of_the_manual() -> None:
    manual = (DOCUMENT.parent / "requests-api.md").read_text(encoding="utf-8")
    assert f"| body | {access.BODY_BYTES_MAX} bytes, all of it within" in manual
    assert f"| page | {PAGE_MAX} requests" in manual
