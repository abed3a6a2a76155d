"""The API as the program serves it: over TCP and TLS, to clients that mean no good."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.branch import PASSPHRASE

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
PROGRAM = "from settlement.commands.bank import main; main()"
PATIENCE_S = 60


def raseed_bank(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-c", PROGRAM, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=PATIENCE_S,
    )


def environment() -> dict[str, str]:
    return {**os.environ, "RASEED_PASSPHRASE": PASSPHRASE, "PYTHONPATH": str(ROOT)}


@dataclass(frozen=True)
class Served:
    """A bank whose API is being served."""

    bank: Path
    url: str
    token: str
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def talk(self, data: bytes) -> bytes:
        """Send these bytes; all that is answered until the other end hangs up."""
        with closing(socket.create_connection(("127.0.0.1", self.port))) as line:
            line.settimeout(PATIENCE_S)
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: line.recv(65_536), b""))


@contextmanager
def serving(bank: Path, token: str, *options: str) -> Iterator[Served]:
    process = subprocess.Popen(  # noqa: S603  our own program
        [
            *(sys.executable, "-c", PROGRAM, "api", "serve", "--bank", str(bank)),
            *("--listen", "127.0.0.1:0", "--json", *options),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout is not None
    with process:
        try:
            told = "".join(process.stdout.readline() for _ in range(3))
            assert told, process.communicate()[1]
            url = json.loads(told)["listening"]
            yield Served(bank=bank, url=url, token=token, process=process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A bank, and a token for its office SOHAR."""
    folder = tmp_path_factory.mktemp("api") / "bank"
    assert raseed_bank("init", str(folder), "--test-keys").returncode == 0
    made = raseed_bank(
        *("api", "token", "add", "customs", "--office", "SOHAR", "--json"),
        *("--scope", "requests:write", "--scope", "requests:read"),
        *("--bank", str(folder)),
    )
    assert made.returncode == 0, made.stderr
    return folder, json.loads(made.stdout)["token"]


@pytest.fixture(scope="module")
def served(bank: tuple[Path, str]) -> Iterator[Served]:
    with serving(*bank) as one:
        yield one


def one(number: str) -> dict[str, Any]:
    return {
        "number": number,
        "declaration": f"IMP-{number}",
        "kind": "fees",
        "amount": "1.500",
        "office": "SOHAR",
    }


def test_a_request_is_sent_over_http_and_seen_by_the_command(served: Served) -> None:
    with httpx2.Client(base_url=served.url, headers=served.headers) as http:
        answer = http.post("/v1/requests", json={"requests": [one("S-1")]})
        assert answer.status_code == 201
        assert "server" not in answer.headers
        shown = raseed_bank(
            "requests", "show", "S-1", "--bank", str(served.bank), "--json"
        )
        assert json.loads(shown.stdout)["source"] == "API customs"
        cancelled = raseed_bank(
            *("requests", "cancel", "S-1", "--reason", "x"),
            *("--bank", str(served.bank)),
        )
        assert cancelled.returncode == 0, cancelled.stderr
        assert http.get("/v1/requests/S-1").json()["state"] == "cancelled"


def test_many_clients_at_once_lose_nothing_and_double_nothing(served: Served) -> None:
    """Eight clients send the same forty requests, each with its own keys."""
    problems: list[str] = []

    def work(client: int) -> None:
        with httpx2.Client(base_url=served.url, headers=served.headers) as http:
            for at in range(40):
                key = {"Idempotency-Key": f"{client}-{at}"}
                body = {"requests": [one(f"P-{at}")]}
                answer = http.post(
                    "/v1/requests", json=body, headers=key, timeout=PATIENCE_S
                )
                if answer.status_code not in {200, 201}:
                    problems.append(answer.text)

    threads = [threading.Thread(target=work, args=(client,)) for client in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    with httpx2.Client(base_url=served.url, headers=served.headers) as http:
        page = http.get("/v1/requests?limit=500").json()["requests"]
    numbers = [found["number"] for found in page if found["number"].startswith("P-")]
    assert sorted(numbers) == sorted(f"P-{at}" for at in range(40))


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET /health\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/requests HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/requests HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZ",
        b"GET /%00%ff/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        bytes(range(256)) * 40,
    ],
    ids=range(8),
)
def test_garbage_is_refused_and_the_next_one_is_served(
    served: Served, data: bytes
) -> None:
    answered = served.talk(data)
    assert b"Traceback" not in answered
    if answered:
        status = int(answered.split(b" ", 2)[1])
        assert 400 <= status < 500
    assert httpx2.get(f"{served.url}/health").json() == {"status": "ok"}


def test_a_client_that_sends_without_end_is_cut_off(served: Served) -> None:
    head = (
        f"POST /v1/requests HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {served.token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 999999999\r\n\r\n"
    )
    with closing(socket.create_connection(("127.0.0.1", served.port))) as line:
        line.settimeout(PATIENCE_S)
        line.sendall(head.encode())
        sent = 0
        try:
            while sent < 64 << 20:
                sent += line.send(b" " * 65_536)
                if select_readable(line):
                    break
        except OSError:
            pass
        assert sent < 64 << 20
    assert httpx2.get(f"{served.url}/health").status_code == 200


def select_readable(line: socket.socket) -> bool:
    return bool(select.select([line], [], [], 0)[0])


def test_nobody_without_a_token_gets_a_body_read(served: Served) -> None:
    with closing(socket.create_connection(("127.0.0.1", served.port))) as line:
        line.settimeout(PATIENCE_S)
        line.sendall(
            b"POST /v1/requests HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\nContent-Length: 999999999\r\n\r\n{"
        )
        # The rest of the body never comes, and is not waited for.
        assert line.recv(65_536).startswith(b"HTTP/1.1 401 ")


def test_it_stops_when_it_is_told_to_and_says_nothing_wrong(
    bank: tuple[Path, str],
) -> None:
    for told in (signal.SIGTERM, signal.SIGINT):
        with serving(*bank) as one:
            assert httpx2.get(f"{one.url}/health").status_code == 200
            one.process.send_signal(told)
            _, complained = one.process.communicate(timeout=PATIENCE_S)
            assert (one.process.returncode, complained) == (0, "")


def test_it_speaks_tls_with_the_certificate_that_is_given(
    bank: tuple[Path, str], tmp_path: Path
) -> None:
    certificate, key = tmp_path / "api.crt", tmp_path / "api.private"
    subprocess.run(  # noqa: S603  a fixed command
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"),
            *("-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    options = ("--certificate", str(certificate), "--key", str(key))
    with serving(*bank, *options) as one:
        assert one.url.startswith("https://")
        trusted = ssl.create_default_context(cafile=str(certificate))
        answer = httpx2.get(
            f"{one.url}/v1/requests", headers=one.headers, verify=trusted
        )
        assert answer.status_code == 200
        assert one.talk(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n") == b""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--listen", "0.0.0.0:0"), "tokens would travel in the clear"),
        (("--listen", "localhost:1"), "is no address and port"),
        (("--listen", "127.0.0.1:99999"), "at most 65535"),
        (("--certificate", "nowhere"), "Give --certificate and --key together"),
        (("--certificate", "no", "--key", "no"), "There is no file 'no'"),
    ],
)
def test_what_cannot_be_served_is_told(
    bank: tuple[Path, str], options: tuple[str, ...], words: str
) -> None:
    done = raseed_bank("api", "serve", "--bank", str(bank[0]), *options)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Nothing was served" in done.stderr


def test_a_port_that_is_taken_is_told(bank: tuple[Path, str], served: Served) -> None:
    listen = f"127.0.0.1:{served.port}"
    done = raseed_bank("api", "serve", "--bank", str(bank[0]), "--listen", listen)
    assert done.returncode == 1
    assert f"Cannot listen on {listen}: Address already in use" in done.stderr


def test_tokens_are_listed_without_themselves_and_revoked(
    bank: tuple[Path, str],
) -> None:
    folder = ("--bank", str(bank[0]))
    made = raseed_bank(
        *("api", "token", "add", "broker", "--scope", "requests:read", *folder)
    )
    (token,) = [word for word in made.stdout.split() if word.startswith("rsd_")]
    again = raseed_bank(
        *("api", "token", "add", "broker", "--scope", "requests:read", *folder)
    )
    assert (again.returncode, "is taken" in again.stderr) == (1, True)
    with serving(bank[0], token) as one:
        url = f"{one.url}/v1/requests"
        assert httpx2.get(url, headers=one.headers).status_code == 200
        assert raseed_bank("api", "token", "revoke", "broker", *folder).returncode == 0
        assert httpx2.get(url, headers=one.headers).status_code == 401
    listed = raseed_bank("api", "token", "list", "--json", *folder).stdout
    assert token not in listed
    found = {entry["name"]: entry for entry in json.loads(listed)["tokens"]}
    assert found["broker"]["revoked_at"] is not None
    assert found["customs"]["offices"] == ["SOHAR"]
